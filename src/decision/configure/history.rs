//! Whether the limits of a programme bind only in windows that they have
//! counted from their beginning. A meter starts with the revision that brings
//! its id; what was authorized before is not in it, and nothing fills it in
//! later. So a revision that would bind too early is refused.

use std::collections::BTreeMap;

use super::super::context::Context;
use crate::domain::{
    instant::Instant,
    name::RevisionName,
    policy::Policy,
    refusal::{Detail, Reason, Refusal},
    row::Programme,
    text::Text,
    window::Window,
};

/// Something with meters, as one revision has it.
struct Metered<'a> {
    id: &'a Text,
    window: &'a Window,
    is_limit: bool,
    /// When it binds, by its own dates: from (inclusive), until (exclusive).
    effective: (Option<Instant>, Option<Instant>),
}

/// Since when an id has counted; `None`: since before anything was authorized.
type Since = Option<Instant>;

/// Refuses an activation, the one at `place`, after which some limit would
/// bind in a window that it has not counted from the beginning, then or under
/// a revision that is scheduled for later.
pub(super) fn check(
    programme: &Programme,
    place: usize,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    let mut since: BTreeMap<Text, Since> = BTreeMap::new();
    let mut gaps = Vec::new();
    for (i, (start, number)) in programme.activations.iter().enumerate() {
        let revision = RevisionName { programme: programme.name.clone(), number: *number };
        let policy = context.policy(&revision);
        // An id keeps one meaning in all revisions of a programme (see
        // `api::policy::compatible`), so that it goes on if it was there before.
        let before = std::mem::take(&mut since);
        let new = (i > 0).then_some(*start);
        let metered = metered(&policy);
        since = metered
            .iter()
            .map(|m| (m.id.clone(), before.get(m.id).copied().unwrap_or(new)))
            .collect();
        if i < place {
            continue;
        }
        let end = programme.activations.get(i + 1).map(|(next, _)| *next);
        for m in &metered {
            let is_new = i > 0 && !before.contains_key(m.id);
            let reign = Reign {
                revision: &revision,
                zone: &policy.zone,
                start: *start,
                end,
                at_once: is_new && *start <= context.now,
            };
            gaps.extend(reign.gap(m, since.get(m.id).copied().flatten()));
        }
    }
    if gaps.is_empty() {
        return Ok(());
    }
    let message = "Limits would bind in windows that they have not counted from the beginning.";
    Err(Refusal { details: gaps, ..Refusal::new(Reason::LimitWithoutHistory, message) })
}

/// Everything of a policy that has meters.
fn metered(policy: &Policy) -> Vec<Metered<'_>> {
    let measures = policy.measures.iter().map(|m| Metered {
        id: &m.id,
        window: &m.counting.window,
        is_limit: false,
        effective: (None, None),
    });
    let limits = policy.limits.iter().map(|l| Metered {
        id: &l.rule.id,
        window: &l.counting.window,
        is_limit: true,
        effective: l.rule.effective,
    });
    measures.chain(limits).filter(|m| *m.window != Window::Payout).collect()
}

/// Advice where no later instant helps.
const KEEP: &str = "Keep the id that has counted so far, or use a calendar window.";

/// The time for which a revision is in force.
struct Reign<'a> {
    revision: &'a RevisionName,
    zone: &'a jiff::tz::TimeZone,
    start: Instant,
    end: Option<Instant>,
    /// Whether an id begins to count with this command itself: other payouts
    /// of the same instant may have been authorized before it.
    at_once: bool,
}

impl Reign<'_> {
    /// What a limit or measure would bind without having counted it.
    fn gap(&self, metered: &Metered<'_>, since: Since) -> Option<Detail> {
        let since = since?;
        let problem = if self.at_once && self.begins(metered.window, since) == Some(since) {
            let next = metered.window.bounds(since, self.zone).map_or(since, |(_, end)| end);
            format!(
                "Its window begins at this very instant, and payouts may have come before it. \
                 Activate it ahead, with a start_time of {next}."
            )
        } else {
            let binds = self.binds(metered)?;
            if self.begins(metered.window, binds) >= Some(since) {
                return None;
            }
            let advice = self.advice(metered, since);
            format!("It counts since {since}; its window at {binds} begins before. {advice}")
        };
        let list = if metered.is_limit { "limits" } else { "measures" };
        let field = format!("{}: {list}[{}]", self.revision, metered.id);
        Some(Detail { field, word: "".into(), description: problem })
    }

    /// From when it binds under this revision, if ever.
    fn binds(&self, metered: &Metered<'_>) -> Option<Instant> {
        let (from, until) = metered.effective;
        let binds = from.map_or(self.start, |from| from.max(self.start));
        let ends = [self.end, until];
        ends.into_iter().flatten().all(|end| binds < end).then_some(binds)
    }

    /// Where the window begins that contains an instant; `None`: before everything.
    fn begins(&self, window: &Window, at: Instant) -> Option<Instant> {
        match window {
            Window::Rolling(length) => Some(at.minus(*length)),
            window => window.bounds(at, self.zone).map(|(begins, _)| begins),
        }
    }

    /// What to do about a window that was not counted from its beginning.
    fn advice(&self, metered: &Metered<'_>, since: Instant) -> String {
        match (metered.window, metered.is_limit) {
            (Window::Lifetime | Window::Payout, _) => KEEP.to_owned(),
            // It begins to count when it comes into force, whenever that is.
            (Window::Rolling(_), false) if since == self.start => KEEP.to_owned(),
            (Window::Rolling(length), true) if since == self.start => {
                format!("Give it an effective.start_time of {length:?} after that or later.")
            }
            (window, is_limit) => {
                let complete = match window {
                    Window::Rolling(length) => since.plus(*length),
                    window => window.bounds(since, self.zone).map_or(since, |(_, end)| end),
                };
                let or =
                    if is_limit { ", or give it an effective.start_time from then on" } else { "" };
                format!("Activate it at {complete}{or}.")
            }
        }
    }
}
