//! When calls are due: at once, whenever there is room (closed loop), or at
//! instants of their own that no slow answer moves (open loop).

use std::{
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::now;

/// How often the pacer looks what is due. The runtime's own timer knows whole
/// milliseconds only, which would be most of a fast server's latency.
const TICK: Duration = Duration::from_micros(200);

/// The instants at which the calls of one connection are due.
#[derive(Debug)]
pub enum Dues {
    /// Now, until then.
    AtOnce(Instant),
    /// As they come, late ones too; over when the pacer is.
    Paced(UnboundedReceiver<Instant>),
}

impl Dues {
    /// When the next call is due, once it is. `None`: no more.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Instant>> {
        match self {
            Self::AtOnce(end) => {
                let now = now();
                Poll::Ready((now < *end).then_some(now))
            }
            Self::Paced(due) => due.poll_recv(context),
        }
    }

    /// The same, waiting.
    pub async fn next(&mut self) -> Option<Instant> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

/// The dues of so many connections: for so long, from now on, as fast as
/// answers come or at so many a second in all.
pub fn dues(connections: usize, rate: Option<u64>, time: Duration) -> Vec<Dues> {
    let begin = now();
    let Some(rate) = rate else {
        return (0..connections).map(|_| Dues::AtOnce(begin + time)).collect();
    };
    let (senders, dues): (Vec<_>, Vec<_>) = (0..connections)
        .map(|_| unbounded_channel())
        .map(|(sender, receiver)| (sender, Dues::Paced(receiver)))
        .unzip();
    thread::spawn(move || pace(&senders, rate, begin, time));
    dues
}

/// How long after the beginning a call is due.
fn offset(number: u64, rate: u64) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own; the runtime is not blocked")]
fn pace(senders: &[UnboundedSender<Instant>], rate: u64, begin: Instant, time: Duration) {
    let mut turn = senders.iter().cycle();
    let mut number = 0;
    loop {
        while offset(number, rate) <= now().saturating_duration_since(begin) {
            let due = offset(number, rate);
            if due >= time {
                return;
            }
            // If nobody takes them any more, whoever measured has given up.
            if !matches!(turn.next().map(|sender| sender.send(begin + due)), Some(Ok(()))) {
                return;
            }
            number += 1;
        }
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_at_instants_that_follow_from_their_number() {
        let times = [0, 1, 2, 1000].map(|number| offset(number, 2000).as_micros());
        assert_eq!(times, [0, 500, 1000, 500_000]);
    }

    #[tokio::test]
    async fn an_open_loop_has_all_calls_of_its_time_though_nobody_answers() {
        let mut all = 0;
        for mut dues in dues(4, Some(1000), Duration::from_millis(50)) {
            while dues.next().await.is_some() {
                all += 1;
            }
        }
        assert_eq!(all, 50);
    }

    #[tokio::test]
    async fn a_closed_loop_ends_with_its_time() {
        let mut dues = dues(1, None, Duration::ZERO).pop().expect("one");
        assert_eq!(dues.next().await, None);
    }
}
