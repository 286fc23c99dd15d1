//! The streams that are open: how many there may be, of all callers and of one,
//! and that they are to end.

use crate::domain::text::Text;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::domain::refusal::{Reason, Refusal};

/// Streams that are open at a time; more are refused.
const MOST: usize = 1024;
/// Of them those of one caller: what one has open leaves room for others.
const MOST_OF_ONE: usize = 256;

/// The streams that are open, and whether they are to end.
#[derive(Clone, Debug)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    draining: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_caller: HashMap<Text, usize>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { open: Arc::default(), draining: Arc::new(watch::Sender::new(false)) }
    }
}

impl Streams {
    /// Has every stream end: it answers what it has read, and reads no more.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// A place for a stream of a caller.
    ///
    /// # Errors
    /// If too many are open.
    pub(super) fn place(&self, caller: &Text) -> Result<Place, Refusal> {
        let mut open = locked(&self.open);
        if open.all >= MOST {
            let why = "As many streams are open as the service takes on.";
            return Err(Refusal::new(Reason::Overloaded, why));
        }
        let of_one = open.by_caller.entry(caller.clone()).or_default();
        if *of_one >= MOST_OF_ONE {
            let why = format!(
                "{caller} has {MOST_OF_ONE} streams open, which is as many as one caller may have. Send more on each of them."
            );
            return Err(Refusal::new(Reason::Overloaded, why));
        }
        *of_one += 1;
        open.all += 1;
        Ok(Place { open: self.open.clone(), caller: caller.clone() })
    }

    /// Ready when all are to end.
    pub(super) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let draining = self.draining.clone();
        async move {
            // Cannot fail: the sender is held here.
            let _ = draining.subscribe().wait_for(|draining| *draining).await;
        }
    }
}

/// A stream's place, until it is let go of.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<Mutex<Open>>,
    caller: Text,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        open.all = open.all.saturating_sub(1);
        if let Some(of_one) = open.by_caller.get_mut(&self.caller) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                open.by_caller.remove(&self.caller);
            }
        }
    }
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // Nothing panics while it is held.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
