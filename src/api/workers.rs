//! Work that takes long (reading, compiling and comparing policies): done off
//! the one thread that serves everybody, a little at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::domain::refusal::{Reason, Refusal};

/// Pieces of work done at the same time. The writer and the serving thread
/// need their cores.
const AT_ONCE: usize = 1;
/// Pieces of work that wait; more are refused. Each holds its request.
const WAITING: usize = 32;

/// Takes on work that takes long. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workers {
    places: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        let (places, working) = (Semaphore::new(AT_ONCE + WAITING), Semaphore::new(AT_ONCE));
        Self { places: Arc::new(places), working: Arc::new(working) }
    }
}

impl Workers {
    /// Has a piece of work done.
    ///
    /// # Errors
    /// If too many wait already, or if it ends by a defect.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _place = self.places.try_acquire().map_err(|_| {
            Refusal::new(Reason::Overloaded, "Too many policies are being read at once.")
        })?;
        // Stays with the work: it goes on when nobody waits for it any more.
        let permit = self.working.clone().acquire_owned().await.map_err(|_| defect())?;
        let work = move || {
            let done = work();
            drop(permit);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| defect())
    }
}

fn defect() -> Refusal {
    Refusal::new(Reason::Internal, "Reading this ended by a defect; see the log.")
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn others_go_on_while_something_takes_long_and_not_everything_is_taken_on() {
        let workers = Workers::default();
        let (finish, told) = mpsc::channel::<()>();
        let long = tokio::spawn({
            let workers = workers.clone();
            async move { workers.run(move || told.recv().is_ok()).await }
        });
        while workers.working.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let waiting: Vec<_> = (0..WAITING)
            .map(|n| {
                let workers = workers.clone();
                tokio::spawn(async move { workers.run(move || n).await })
            })
            .collect();
        while workers.places.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let refused = workers.run(|| ()).await.expect_err("no place is left");
        assert_eq!(refused.reason, Reason::Overloaded);
        finish.send(()).expect("it waits to be told");
        assert_eq!(long.await.expect("no panic"), Ok(true));
        for (n, waited) in waiting.into_iter().enumerate() {
            assert_eq!(waited.await.expect("no panic"), Ok(n));
        }
    }

    #[tokio::test]
    async fn a_defect_takes_nothing_else_with_it() {
        let workers = Workers::default();
        let broken: Result<(), Refusal> = workers.run(|| panic!("a defect")).await;
        assert_eq!(broken.map_err(|refusal| refusal.reason), Err(Reason::Internal));
        assert_eq!(workers.run(|| 1).await, Ok(1));
    }
}
