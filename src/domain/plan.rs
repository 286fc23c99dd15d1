//! What is worked out of a policy once for all decisions, or once for all of a
//! day: it depends on nothing else, so that remembering it changes no answer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{
    instant::Instant,
    layout::Layout,
    meter::{Metered, Within},
    name::Id,
    policy::Policy,
    template::{Common, FactSources},
    text::Text,
    window::Window,
};

/// How many spans of the calendar are remembered; a policy has fewer.
const MOST_KEPT: usize = 64;

/// What is remembered of a policy. A copy begins anew.
#[derive(Debug, Default)]
pub struct Plan {
    looks: OnceLock<Looks>,
    kept: Mutex<Vec<Kept>>,
    commons: Mutex<Vec<Arc<Common>>>,
    layouts: Mutex<Vec<Arc<Layout>>>,
    withins: OnceLock<Vec<Within>>,
}

impl Clone for Plan {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What a policy's rules look at.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// By stage (initiate, fill in, confirm): the facts that its rules look at.
    pub needed: [Vec<bool>; 3],
    /// Facts that something is counted over, in order.
    pub counted: Vec<usize>,
    /// Facts whose values differ from payout to payout of one operator, or change
    /// without anything being configured.
    pub varying: Vec<bool>,
    /// Facts of an order, by their key, in order.
    pub of_order: Vec<(Text, usize)>,
    /// Facts that vary and are neither sent nor an order's.
    pub others: Vec<usize>,
    /// Facts that vary and that have to be there when a payout is confirmed.
    pub must_have: Vec<usize>,
    /// Whether no two facts are sent, or an order's, under one key.
    pub keys_differ: bool,
    /// Where the values of facts come from, unless there is one that comes from what
    /// payouts have held.
    pub sources: Option<Arc<FactSources>>,
    /// What evaluating fills in for a fact.
    pub supplied: Vec<Supplied>,
    /// Facts of a request, by their key, in order.
    pub sent: Vec<(Text, usize)>,
    /// Accounts that are drawn from or looked at, each once.
    pub accounts: Vec<Id>,
}

/// What evaluating fills in, because it differs by what is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supplied {
    /// Nothing: the fact has a value of its own.
    Nothing,
    /// The amount asked about.
    Amount,
    /// The instant asked about.
    Time,
}

/// A span of the calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Span {
    /// A window.
    Of(Window),
    /// From so many months back.
    Months(i32),
    /// From so many days back.
    Days(i32),
}

/// A span, for as long as the instants asked about lie on one day or in one
/// window.
#[derive(Debug)]
struct Kept {
    span: Span,
    /// Holds for instants from here (inclusive) to there (exclusive).
    valid: (Instant, Instant),
    start: Instant,
    end: Instant,
}

/// What is remembered that says the same; if nothing does, this is from now on.
fn once<T: PartialEq>(all: &Mutex<Vec<Arc<T>>>, one: T) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| ***known == one) {
        return known.clone();
    }
    // Of days that are over.
    if all.len() >= MOST_KEPT {
        all.clear();
    }
    let one = Arc::new(one);
    all.push(one.clone());
    one
}

impl Policy {
    /// What its rules look at, as `find` finds out the first time.
    pub fn looks(&self, find: impl FnOnce(&Self) -> Looks) -> &Looks {
        self.plan.looks.get_or_init(|| find(self))
    }

    /// What tells the meter of a limit or measure apart in its cell where the cell says
    /// all that it counts over: one for all shops, so that comparing it is nothing.
    pub fn within(&self, rule: &Text) -> Within {
        let within = |rule: &Text| {
            Within::from(Metered { rule: rule.clone(), scope: Vec::new(), window_start: None })
        };
        let withins = self.plan.withins.get_or_init(|| {
            let limits = self.limits.iter().map(|limit| &limit.rule.id);
            limits.chain(self.measures.iter().map(|measure| &measure.id)).map(within).collect()
        });
        let known = withins.iter().find(|known| known.rule == *rule);
        known.cloned().unwrap_or_else(|| within(rule))
    }

    /// What templates have in common, once for all of them.
    pub fn common(&self, common: Common) -> Arc<Common> {
        once(&self.plan.commons, common)
    }

    /// What profiles have in common, once for all of them.
    pub fn layout(&self, layout: Layout) -> Arc<Layout> {
        once(&self.plan.layouts, layout)
    }

    /// Start (inclusive) and end (exclusive) of the calendar window an instant
    /// is in, in the policy's zone. `None` for windows without a calendar.
    pub fn bounds(&self, window: &Window, at: Instant) -> Option<(Instant, Instant)> {
        if !window.has_calendar() {
            return None;
        }
        self.kept(Span::Of(window.clone()), at, || {
            let (start, end) = window.bounds(at, &self.zone)?;
            Some(Kept { span: Span::Of(window.clone()), valid: (start, end), start, end })
        })
    }

    /// The first instant whose date is at most so many months before the date
    /// of `now`, clamped to the month's end.
    pub fn months_back(&self, months: i32, now: Instant) -> Option<Instant> {
        let start = || super::window::months_back(now, months, &self.zone);
        self.back(Span::Months(months), now, start)
    }

    /// The first instant whose date is at most so many days before that of `now`.
    pub fn days_back(&self, days: i32, now: Instant) -> Option<Instant> {
        let start = || super::window::days_back(now, days, &self.zone);
        self.back(Span::Days(days), now, start)
    }

    fn back(
        &self,
        span: Span,
        now: Instant,
        start: impl FnOnce() -> Option<Instant>,
    ) -> Option<Instant> {
        let kept = self.kept(span.clone(), now, || {
            let (start, valid) = (start()?, Window::Day.bounds(now, &self.zone)?);
            Some(Kept { span, valid, start, end: now })
        });
        kept.map(|(start, _)| start)
    }

    fn kept(
        &self,
        span: Span,
        at: Instant,
        find: impl FnOnce() -> Option<Kept>,
    ) -> Option<(Instant, Instant)> {
        // Whoever panicked with it left it whole.
        let mut kept = self.plan.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = kept.iter().position(|kept| kept.span == span);
        if let Some(kept) = same.and_then(|place| kept.get(place))
            && kept.valid.0 <= at
            && at < kept.valid.1
        {
            return Some((kept.start, kept.end));
        }
        if let Some(place) = same {
            kept.swap_remove(place);
        }
        let found = find()?;
        let bounds = (found.start, found.end);
        if kept.len() < MOST_KEPT {
            kept.push(found);
        }
        Some(bounds)
    }
}
