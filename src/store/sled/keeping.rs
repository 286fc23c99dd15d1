//! Makes a base: the rows that are kept of records that go. They are as those records
//! made them, whole, and so that all later records make the same of them as of all rows.
//!
//! What goes with its records: payouts that were over and that no later record changed,
//! with their decisions and requests; decisions that denied; requests that are forgotten
//! by now. Orders and meters stay: a limit per order has no end. So do movements, whose
//! references may come again, and what is configured.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use super::{
    Options,
    base::Base,
    damage::Damage,
    journal::Journal,
    layer::Slot,
    mark::Mark,
    rows::Rows,
    runs::{self, Runs},
    sync::remove_folder,
};
use crate::domain::{
    change::{Change, Record, following},
    instant::Instant,
    key::Key,
    name::{PayoutName, ShopName},
    payout::Payout,
    request::{Answered, Request},
    row::Row,
};

/// What was counted on the way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counted {
    /// Payouts that were over.
    pub gone: u64,
    /// Payouts that were under way with the last record that goes, or that a later
    /// record changed.
    pub kept: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
}

/// Makes one beside the others, up to this mark. `served` are all rows as they are now.
pub(super) fn make(
    dir: &Path,
    mark: Mark,
    served: &Rows,
    journal: &mut Journal,
    now: Instant,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Counted, Damage> {
    let old = Base::find(dir)?;
    let mut keeping = Keeping::begin(dir, &old, served, now, options)?;
    let (first, last) = (old.tip().sequence, mark.tip.sequence);
    let mut done = first;
    while done < last {
        let page: Vec<_> = journal.records(done)?.take(PAGE).collect::<Result<_, _>>()?;
        for record in page.iter().filter(|record| record.sequence <= last) {
            keeping.take(record)?;
            done = record.sequence;
        }
        if page.is_empty() {
            return Err(Damage::Gap { sequence: done + 1 });
        }
        keeping.put_away(mark, options.checkpoint_records)?;
        progress(done - first, last - first);
    }
    let counted = keeping.finish(mark, journal)?;
    // One run of what stands, without what was replaced on the way.
    let (parts, draft) = (Base::parts(dir), Base::draft(dir));
    let (mut entries, extent, mark_of_it) = runs::read(&parts)?;
    runs::make(&draft, extent, mark_of_it, &options.of_runs(), |put| {
        entries.try_for_each(|entry| {
            let (key, value) = entry?;
            put(&key, Some(&value)).map(drop)
        })
    })?;
    remove_folder(&parts)?;
    Ok(Counted { bytes: Base::drafted(dir, mark).bytes()?, ..counted })
}

/// How many records are taken at a time.
const PAGE: usize = 1000;

/// A payout that is kept, as far as it is known.
#[derive(Debug)]
struct Open {
    /// The record that made it; 0 if that was no more before.
    first: u64,
    /// The last one that changed it; 0 if none did of those that go.
    last: u64,
    /// Rows of it that the base of before had.
    old: Vec<Key>,
}

/// A base in the making.
struct Keeping<'a> {
    served: &'a Rows,
    rows: Rows,
    since: u64,
    /// Requests that are forgotten by then are forgotten.
    now: Instant,
    open: HashMap<PayoutName, Open>,
    gone: u64,
}

impl<'a> Keeping<'a> {
    fn begin(
        dir: &Path,
        old: &Base,
        served: &'a Rows,
        now: Instant,
        options: &Options,
    ) -> Result<Self, Damage> {
        let (folder, parts) = (Base::folder(dir), Base::parts(dir));
        Base::remove_drafts(dir)?;
        fs::create_dir_all(&folder).map_err(Damage::io(&folder))?;
        old.check()?;
        old.begin_rows(&parts)?;
        let (runs, _) = Runs::open(&parts, options.of_runs())?;
        let rows = Rows::new(runs, 0);
        let open = HashMap::new();
        let mut keeping = Self { served, rows, since: 0, now, open, gone: 0 };
        old.rows(|_, row| {
            keeping.know(&row);
            Ok::<(), Damage>(())
        })?;
        Ok(keeping)
    }

    /// Learns what the base of before has of a payout, whose own row comes first.
    fn know(&mut self, row: &Row) {
        let payout = match row {
            Row::Request(request) if request.forget_time.is_some_and(|at| at <= self.now) => {
                self.rows.put(&row.key(), Slot::Gone);
                if let Some(PayoutName { platform, shop, payout }) = payout_of(request) {
                    let decision = ShopName { platform, shop }.decision(payout);
                    self.rows.put(&Key::Decision(decision), Slot::Gone);
                }
                None
            }
            Row::Payout(payout) => {
                let open = Open { first: 0, last: 0, old: Vec::new() };
                self.open.insert(payout.name.clone(), open);
                Some(payout.name.clone())
            }
            Row::PayoutOfOrder(order, payout) => Some(order.shop().payout(payout.clone())),
            Row::Decision(decision) => {
                Some(decision.name.shop().payout(decision.name.decision.clone()))
            }
            Row::Request(request) => payout_of(request),
            Row::Due(_, payout) => Some(payout.clone()),
            _ => None,
        };
        if let Some(open) = payout.and_then(|payout| self.open.get_mut(&payout)) {
            open.old.push(row.key());
        }
    }

    /// Takes a record that goes.
    fn take(&mut self, record: &Record) -> Result<(), Damage> {
        self.since += 1;
        let mut rows = record.changes.iter().filter_map(Change::as_put);
        let remembers = rows.any(|row| match row {
            Row::Request(request) => !self.is_forgotten(request),
            _ => false,
        });
        for change in &record.changes {
            match change.as_put() {
                // A repeat is answered with it.
                Some(Row::Decision(_)) if remembers => self.apply(change)?,
                Some(Row::Payout(payout)) => self.payout(payout, record.sequence)?,
                Some(Row::Request(request)) if self.is_forgotten(request) => {}
                // They follow their payout.
                Some(Row::Decision(_) | Row::PayoutOfOrder(..) | Row::Due(..)) => {}
                _ => self.apply(change)?,
            }
        }
        Ok(())
    }

    /// Whether a request is, or is kept with its payout alone.
    fn is_forgotten(&self, request: &Request) -> bool {
        request.forget_time.is_none_or(|at| at <= self.now)
    }

    fn apply(&mut self, change: &Change) -> Result<(), Damage> {
        let key = change.key();
        let before = if change.adds() { self.stands(&key)? } else { None };
        let slot = change.apply(before).map_or(Slot::Gone, of_base);
        self.rows.put(&key, slot);
        Ok(())
    }

    /// What is kept so far under a key.
    fn stands(&self, key: &Key) -> Result<Option<Arc<Row>>, Damage> {
        match self.rows.entry(key)? {
            Slot::Row(row, _) => Ok(Some(row)),
            Slot::Gone => Ok(None),
            _ => Err(Damage::Defect(format!("{key:?} is not kept whole"))),
        }
    }

    fn payout(&mut self, payout: &Payout, sequence: u64) -> Result<(), Damage> {
        let now = self.served.entry(&Key::Payout(payout.name.clone()))?;
        let is_last = matches!(now, Slot::At(at) if at == sequence);
        if is_last && payout.state.is_final() && payout.due.is_none() {
            self.gone += 1;
            let open = self.open.remove(&payout.name);
            for key in open.into_iter().flat_map(|open| open.old) {
                self.rows.put(&key, Slot::Gone);
            }
        } else {
            let new = || Open { first: sequence, last: sequence, old: Vec::new() };
            self.open.entry(payout.name.clone()).or_insert_with(new).last = sequence;
        }
        Ok(())
    }

    fn put_away(&mut self, mark: Mark, every: u64) -> Result<(), Damage> {
        self.rows.settle()?;
        if self.since >= every {
            self.since = 0;
            self.rows.seal();
            // It counts when it has its name.
            self.rows.freeze(mark)?;
        }
        Ok(())
    }

    /// Puts what is kept of payouts, and ends.
    fn finish(mut self, mark: Mark, journal: &mut Journal) -> Result<Counted, Damage> {
        let (kept, gone) = (self.open.len() as u64, self.gone);
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.retain(|(_, open)| open.last > 0);
        open.sort_unstable_by_key(|(_, open)| open.last);
        for (name, Open { first, last, .. }) in open {
            if first > 0 {
                let told = journal.record(first)?;
                let record = told.record().map_err(Damage::misfit(first))?;
                record.changes.iter().filter_map(Change::as_shared).for_each(|row| {
                    let is_its = match &**row {
                        Row::Decision(decision) => decision.name.decision == name.payout,
                        Row::PayoutOfOrder(_, payout) => *payout == name.payout,
                        Row::Request(request) => payout_of(request).as_ref() == Some(&name),
                        _ => false,
                    };
                    if is_its {
                        self.rows.put(&row.key(), of_base(row.clone()));
                    }
                });
            }
            let key = Key::Payout(name);
            let row = journal.record(last)?.row(|it| *it == key).map_err(Damage::misfit(last))?;
            let row = row.ok_or_else(|| Damage::unmade(last))?;
            let before = self.stands(&key)?;
            for (key, row) in following(before.as_deref(), Some(&row)) {
                self.rows.put(&key, row.map_or(Slot::Gone, |row| of_base(row.into())));
            }
            self.rows.put(&key, of_base(row));
        }
        self.rows.seal();
        self.rows.freeze(mark)?;
        self.rows.wait()?;
        self.rows.idle()?;
        self.rows.close()?;
        Ok(Counted { gone, kept, bytes: 0 })
    }
}

/// A row of a base: after the last record that is no more, whichever changed it.
fn of_base(row: Arc<Row>) -> Slot {
    Slot::Row(row, 0)
}

/// The payout that a request made, if it was one for a payout.
pub(super) fn payout_of(request: &Request) -> Option<PayoutName> {
    match &request.answered {
        Answered::Decision(id) => Some(ShopName::parse(&request.key.parent)?.payout(id.clone())),
        Answered::Resource | Answered::Revision(_) => None,
    }
}
