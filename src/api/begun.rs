//! A request's body, of which what came together with its head was looked at.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

/// What comes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What a body says: a frame, an error, or that it ended.
type Said<B> = Option<Result<Frame<Bytes>, <B as Body>::Error>>;

/// A body that may have begun.
pub(super) struct Begun<B: Body> {
    first: Option<Said<B>>,
    second: Option<Said<B>>,
    rest: B,
    has_ended: bool,
}

/// Of what it holds, only the body is ever pinned.
impl<B: Body + Unpin> Unpin for Begun<B> {}

impl<B: Body<Data = Bytes> + Unpin> Begun<B> {
    /// Looks at a body. Nobody is woken when there is more: it is to be read, by
    /// somebody who is, unless it is whole.
    pub(super) fn of(body: B) -> Self {
        let mut begun = Self { first: None, second: None, rest: body, has_ended: false };
        begun.first = begun.look();
        // Some clients say that this was all in a frame of its own.
        if let Some(Some(Ok(frame))) = &begun.first
            && frame.is_data()
            && !begun.rest.is_end_stream()
        {
            begun.second = begun.look();
        }
        begun
    }

    fn look(&mut self) -> Option<Said<B>> {
        match Pin::new(&mut self.rest).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(said) => Some(said),
        }
    }

    /// Whether nothing comes behind the first frame.
    fn is_first_all(&self) -> bool {
        match &self.second {
            None => self.rest.is_end_stream(),
            Some(None) => true,
            Some(Some(Ok(frame))) => {
                frame.data_ref().is_some_and(Bytes::is_empty) && self.rest.is_end_stream()
            }
            Some(Some(Err(_))) => false,
        }
    }

    /// The message of at most so many bytes that is all of it. `None`: it is not all
    /// there yet, in pieces, compressed, too long, or wrong, and is to be read.
    pub(super) fn message(&self, most_bytes: usize) -> Option<&[u8]> {
        let Some(Some(Ok(frame))) = &self.first else { return None };
        let (prefix, message) = frame.data_ref()?.split_first_chunk::<PREFIX>()?;
        let [0, length @ ..] = *prefix else { return None };
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        let is_whole = length == message.len() && self.is_first_all();
        (is_whole && length <= most_bytes).then_some(message)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Said<B>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let seen = self.first.take().or_else(|| self.second.take());
        let said = match seen {
            Some(said) => said,
            None => ready!(Pin::new(&mut self.rest).poll_frame(context)),
        };
        self.has_ended = said.is_none();
        Poll::Ready(said)
    }

    fn is_end_stream(&self) -> bool {
        let is_seen = self.first.is_none() && self.second.is_none();
        self.has_ended || is_seen && self.rest.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    type Said = Result<Frame<Bytes>, &'static str>;

    /// A body that says these one after the other; `None`: nothing for now.
    struct Script(VecDeque<Option<Said>>);

    /// One that does not say beforehand when it has ended.
    struct Silent(Script);

    impl Body for Silent {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Said>> {
            Pin::new(&mut self.0).poll_frame(context)
        }
    }

    impl Body for Script {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Said>> {
            match self.0.pop_front() {
                Some(None) => Poll::Pending,
                said => Poll::Ready(said.flatten()),
            }
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn data(bytes: &'static [u8]) -> Option<Said> {
        Some(Ok(Frame::data(Bytes::from_static(bytes))))
    }

    fn begun<const N: usize>(script: [Option<Said>; N]) -> Begun<Script> {
        Begun::of(Script(script.into()))
    }

    /// Everything that whoever reads it is told, as text.
    fn read(mut body: Begun<Script>) -> Vec<String> {
        let mut told = Vec::new();
        while !body.is_end_stream() {
            match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => told.push("nothing".to_owned()),
                Poll::Ready(None) => told.push("end".to_owned()),
                Poll::Ready(Some(Err(error))) => told.push(error.to_owned()),
                Poll::Ready(Some(Ok(frame))) => {
                    told.push(format!("{:?} {:?}", frame.data_ref(), frame.trailers_ref()));
                }
            }
        }
        told
    }

    #[test]
    fn a_message_that_came_whole_and_alone_is_taken() {
        let body = begun([data(b"\0\0\0\0\x03abc")]);
        assert_eq!(body.message(3), Some(&b"abc"[..]));
        assert_eq!(begun([data(b"\0\0\0\0\0")]).message(3), Some(&b""[..]));
        let ended_apart = begun([data(b"\0\0\0\0\x03abc"), data(b"")]);
        assert_eq!(ended_apart.message(3), Some(&b"abc"[..]));
    }

    #[test]
    fn an_end_that_is_found_by_asking_is_one() {
        let mut body = Begun::of(Silent(Script([data(b"\0\0\0\0\x03abc")].into())));
        assert_eq!(body.message(3), Some(&b"abc"[..]));
        let mut next = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        for _ in 0..2 {
            assert!(matches!(next(), Poll::Ready(None)));
        }
        assert!(body.is_end_stream());
    }

    #[test]
    fn everything_else_is_left_to_be_read() {
        let scripts = [
            vec![],
            vec![None, data(b"\0\0\0\0\x03abc")],
            vec![data(b"\0\0\0\0\x03ab"), data(b"c")],
            vec![data(b"\0\0\0\0")],
            vec![data(b"\0\0\0\0\x03ab")],
            vec![data(b"\0\0\0\0\x03abcd")],
            vec![data(b"\x01\0\0\0\x03abc")],
            vec![data(b"\0\0\0\0\x04abcd")],
            vec![data(b"\0\0\0\0\x03abc"), None, data(b"")],
            vec![data(b"\0\0\0\0\x03abc"), data(b""), None],
            vec![data(b"\0\0\0\0\x03abc"), data(b"d")],
            vec![data(b"\0\0\0\0\x03abc"), Some(Err("reset"))],
            vec![data(b"\0\0\0\0\x03abc"), Some(Ok(Frame::trailers(Default::default())))],
            vec![Some(Err("reset"))],
        ];
        for (number, script) in scripts.into_iter().enumerate() {
            assert_eq!(Begun::of(Script(script.into())).message(3), None, "{number}");
        }
    }

    #[test]
    fn what_was_looked_at_is_read_once_and_first() {
        let body = begun([data(b"a"), data(b"b"), None, data(b"c"), Some(Err("reset"))]);
        let said = ["Some(b\"a\") None", "Some(b\"b\") None", "nothing", "Some(b\"c\") None"];
        assert_eq!(read(body), [&said[..], &["reset"]].concat());
        assert_eq!(read(begun([None, data(b"a")])), ["Some(b\"a\") None"]);
        assert_eq!(
            read(begun([data(b"a"), data(b"b")])),
            ["Some(b\"a\") None", "Some(b\"b\") None"]
        );
        let mut ended = begun([]);
        for _ in 0..2 {
            let next = Pin::new(&mut ended).poll_frame(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(next, Poll::Ready(None)));
        }
    }
}
