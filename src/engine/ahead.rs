//! What commands of a batch will look at is looked at ahead. There are many shops and
//! operators, so what is kept of each is far away in memory; asked for one after the
//! other, each waits for the one before it. Here the same step is made for all of
//! them before the next step is made, and the processor waits for many at once.
//! Nothing comes of it but time, see
//! [0093](../../docs/decisions/0093-looked-at-ahead.md).

use std::hint::black_box;

use super::{profiles::Profiles, working::Working};
use crate::{
    decision::profile::Whose,
    domain::{
        instant::Instant,
        meter::{Meter, Tally},
        row::Row,
    },
};

/// Looks at the profiles of these, and at the rows that their payouts come back to.
pub(super) fn look(whose: &[Option<Whose>], profiles: &Profiles, working: &Working, now: Instant) {
    let known = whose.iter().flatten().filter_map(|whose| profiles.peek(whose));
    let known: Vec<_> = known.collect();
    for (profile, _) in &known {
        black_box(profile.holds_at(now));
    }
    let seats = known.iter().filter_map(|(_, seats)| seats.as_deref());
    let rows: Vec<&Row> = seats.flat_map(|seats| working.rows_at(seats)).collect();
    let tallies: Vec<&Tally> = rows.into_iter().flat_map(tallies).collect();
    for tally in tallies {
        black_box((tally.used, tally.expiring.last()));
    }
}

/// What is counted in a row, of meters that hardly grow.
fn tallies(row: &Row) -> impl Iterator<Item = &Tally> {
    let (meters, balance) = match row {
        Row::Cell(cell) => (cell.meters(), None),
        Row::Balance(balance) => (&[][..], Some(&balance.holds)),
        _ => (&[][..], None),
    };
    let fixed = meters.iter().filter_map(|(_, meter)| match meter {
        Meter::Fixed(tally) => Some(tally),
        Meter::Rolling(_) | Meter::ByAmount(_) => None,
    });
    fixed.chain(balance)
}
