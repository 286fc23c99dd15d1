//! Answers on their way from the thread that made them durable to those that
//! wait. All of a batch go over at once, and whoever attends to them tells each:
//! waking another thread's runtime costs a call of the system each time, and
//! woken one by one every answer would become a packet of its own. What was
//! written down of them goes back the same way: it is put down on that thread.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::sync::oneshot;

use super::handle::Answer;
use crate::domain::refusal::Refusal;

/// Where an answer goes.
pub(super) type Asker = oneshot::Sender<Result<Answer, Refusal>>;

/// Who asked, and what is answered.
type Told = (Asker, Result<Answer, Refusal>);

/// Most answers that wait to be put down elsewhere.
const MOST_SPENT: usize = 1024;

/// Where answers are handed over. All clones are one.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Desk>);

#[derive(Default)]
struct Desk {
    shelf: Mutex<Shelf>,
    /// Answers that nobody needs any more.
    spent: Mutex<Vec<Answer>>,
}

#[derive(Default)]
struct Shelf {
    /// Handed over and not told yet.
    handed: Vec<Vec<Told>>,
    /// Wakes who attends.
    waker: Option<Waker>,
    /// Somebody attends. Else answers are told where they are handed over.
    is_attended: bool,
}

impl Answers {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        open(&self.0.shelf)
    }

    /// Takes back an answer that was written down. A decision and its payout are
    /// many small pieces of memory, and they are put down where nobody waits for it.
    pub(super) fn take_back(&self, answer: Answer) {
        let mut spent = open(&self.0.spent);
        if spent.len() < MOST_SPENT {
            spent.push(answer);
        }
    }

    /// Hands over what is answered to a batch.
    pub(super) fn hand(&self, answers: Vec<Told>) {
        let mut shelf = self.shelf();
        if shelf.is_attended {
            shelf.handed.push(answers);
            let waker = shelf.waker.take();
            drop(shelf);
            if let Some(waker) = waker {
                waker.wake();
            }
        } else {
            drop(shelf);
            tell(answers);
        }
        let spent = mem::take(&mut *open(&self.0.spent));
        drop(spent);
    }

    /// Attends to what is handed over. One is enough: others find nothing to do.
    pub(super) fn attend(&self) -> Attendant {
        let mut shelf = self.shelf();
        let on_duty = !mem::replace(&mut shelf.is_attended, true);
        drop(shelf);
        Attendant { answers: self.clone(), on_duty }
    }
}

/// Nothing that could panic is done while it is locked.
fn open<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(answers: Vec<Told>) {
    for (asker, answer) in answers {
        // Nobody may be waiting any more; the record stands.
        let _ = asker.send(answer);
    }
}

/// Tells answers for as long as it is polled. What was handed over when it is
/// dropped is told then.
pub(super) struct Attendant {
    answers: Answers,
    on_duty: bool,
}

impl Future for Attendant {
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Infallible> {
        if self.on_duty {
            let mut shelf = self.answers.shelf();
            shelf.waker = Some(context.waker().clone());
            let handed = mem::take(&mut shelf.handed);
            drop(shelf);
            handed.into_iter().for_each(tell);
        }
        Poll::Pending
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        if self.on_duty {
            let mut shelf = self.answers.shelf();
            let Shelf { handed, .. } = mem::take(&mut *shelf);
            drop(shelf);
            handed.into_iter().for_each(tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::{Receiver, error::TryRecvError};

    use super::*;
    use crate::domain::refusal::Reason;

    fn asked(count: usize) -> (Vec<Told>, Vec<Receiver<Result<Answer, Refusal>>>) {
        let refusal = || Refusal::new(Reason::Contention, "One answer is like another.");
        (0..count)
            .map(|_| oneshot::channel())
            .map(|(asker, asking)| ((asker, Err(refusal())), asking))
            .unzip()
    }

    fn poll(attendant: &mut Attendant) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(attendant).poll(&mut context).is_pending());
    }

    #[test]
    fn without_an_attendant_answers_are_told_at_once() {
        let answers = Answers::default();
        let (told, mut asking) = asked(2);
        answers.hand(told);
        assert!(asking.iter_mut().all(|a| a.try_recv().is_ok()));
    }

    #[test]
    fn an_attendant_tells_them_and_what_is_left_when_it_goes() {
        let answers = Answers::default();
        let mut attendant = answers.attend();
        let mut second = answers.attend();
        let (told, mut asking) = asked(2);
        answers.hand(told);
        poll(&mut second);
        assert!(asking.iter_mut().all(|a| matches!(a.try_recv(), Err(TryRecvError::Empty))));
        poll(&mut attendant);
        assert!(asking.iter_mut().all(|a| a.try_recv().is_ok()));
        // The second one's going changes nothing.
        drop(second);
        let (told, mut asking) = asked(2);
        answers.hand(told);
        assert!(asking.iter_mut().all(|a| matches!(a.try_recv(), Err(TryRecvError::Empty))));
        drop(attendant);
        assert!(asking.iter_mut().all(|a| a.try_recv().is_ok()));
        let (told, mut asking) = asked(1);
        answers.hand(told);
        assert!(asking.iter_mut().all(|a| a.try_recv().is_ok()));
    }

    #[tokio::test]
    async fn an_attendant_is_woken_from_another_thread() {
        let answers = Answers::default();
        let attendant = tokio::spawn(answers.attend());
        for _ in 0..100 {
            let (told, asking) = asked(3);
            let answers = answers.clone();
            let thread = std::thread::spawn(move || answers.hand(told));
            for answer in asking {
                assert!(answer.await.expect("it is told").is_err());
            }
            thread.join().expect("it ends");
        }
        attendant.abort();
    }
}
