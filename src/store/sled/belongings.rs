//! What belongs to payouts that are kept: none of them is kept without its decision and
//! its request, and each is found by its order and becomes due. Nor is any of these kept
//! without its payout, nor a request that was denied and is still remembered without its
//! decision.

use std::collections::{HashMap, HashSet};

use super::{base::Base, damage::Damage, keeping::payout_of};
use crate::domain::{instant::Instant, name::PayoutName, row::Row};

/// What was seen so far.
#[derive(Default, Debug)]
struct Belongings {
    /// What payouts lack.
    lacks: HashMap<PayoutName, Lacks>,
    /// Decisions that made no payout, as it would be called. Their requests come later.
    denials: HashSet<PayoutName>,
}

/// What one lacks.
#[derive(Debug)]
struct Lacks {
    decision: bool,
    request: bool,
    of_order: bool,
    due: Option<Instant>,
}

/// That nothing is missing in a base.
///
/// # Errors
/// The payout, and what it lacks; or what lacks its payout.
pub(super) fn check(draft: &Base) -> Result<(), Damage> {
    let mut belongings = Belongings::default();
    draft.rows(|_, row| belongings.see(&row))?;
    belongings.check()
}

impl Belongings {
    /// Takes a row. A payout's own comes before what belongs to it.
    fn see(&mut self, row: &Row) -> Result<(), Damage> {
        let lacks = match row {
            Row::Payout(payout) => {
                let (of_order, due) = (payout.order.is_some(), payout.due);
                let lacks = Lacks { decision: true, request: true, of_order, due };
                self.lacks.insert(payout.name.clone(), lacks);
                return Ok(());
            }
            Row::Decision(decision) => {
                let name = decision.name.shop().payout(decision.name.decision.clone());
                if decision.payout.is_none() {
                    self.denials.insert(name);
                    return Ok(());
                }
                self.lacks.get_mut(&name).map(|lacks| lacks.decision = false)
            }
            Row::Request(request) => match payout_of(request) {
                None => return Ok(()),
                // It made no payout, so it is forgotten some day; until then it is
                // answered with its decision.
                Some(name) if request.forget_time.is_some() => {
                    return if self.denials.remove(&name) {
                        Ok(())
                    } else {
                        lonely(row, "decision")
                    };
                }
                Some(name) => self.lacks.get_mut(&name).map(|lacks| lacks.request = false),
            },
            Row::PayoutOfOrder(order, payout) => {
                let name = order.shop().payout(payout.clone());
                self.lacks.get_mut(&name).map(|lacks| lacks.of_order = false)
            }
            Row::Due(at, payout) => {
                let lacks = self.lacks.get_mut(payout).filter(|lacks| lacks.due == Some(*at));
                lacks.map(|lacks| lacks.due = None)
            }
            _ => return Ok(()),
        };
        lacks.map_or_else(|| lonely(row, "payout"), Ok)
    }

    fn check(&self) -> Result<(), Damage> {
        let lacks_something = |lacks: &Lacks| {
            let Lacks { decision, request, of_order, due } = lacks;
            *decision || *request || *of_order || due.is_some()
        };
        match self.lacks.iter().find(|(_, lacks)| lacks_something(lacks)) {
            None => Ok(()),
            Some((name, lacks)) => {
                Err(Damage::Defect(format!("{name} would be kept without {lacks:?}")))
            }
        }
    }
}

fn lonely(row: &Row, without: &str) -> Result<(), Damage> {
    Err(Damage::Defect(format!("{:?} would be kept without its {without}", row.key())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{
            decision::Decision,
            name::{Id, ShopName},
            payout::Payout,
            request::{Answered, Request},
        },
        store::sled::{compact::tests::dice::Dice, tests::request},
    };

    fn id(text: &str) -> Id {
        Id::parse(text).expect("an id")
    }

    /// A payout about order `o` that waits to be executed, and what belongs to it.
    fn under_way() -> (Row, [(&'static str, Row); 4]) {
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        let mut dice = Dice::new(1);
        let payout = Payout {
            name: shop.payout(id("d")),
            order: Some(shop.order(id("o"))),
            due: Some(Instant::MAX),
            ..dice.payout(&[])
        };
        let decision = Decision {
            name: shop.decision(id("d")),
            payout: Some(id("d")),
            ..dice.decision(&payout)
        };
        let rows = [
            ("decision: true", Row::Decision(Arc::new(decision))),
            ("request: true", Row::Request(request())),
            ("of_order: true", Row::PayoutOfOrder(shop.order(id("o")), id("d"))),
            ("due: Some", Row::Due(Instant::MAX, payout.name.clone())),
        ];
        (Row::Payout(Arc::new(payout)), rows)
    }

    #[test]
    fn a_payout_lacks_whatever_of_it_is_not_there() {
        let (payout, rows) = under_way();
        for without in 0..=rows.len() {
            let mut belongings = Belongings::default();
            belongings.see(&payout).expect("it is a payout");
            let there = rows.iter().enumerate().filter(|(number, _)| *number != without);
            there.for_each(|(_, (_, row))| belongings.see(row).expect("its payout is there"));
            match (belongings.check(), rows.get(without)) {
                (Ok(()), None) => {}
                (Err(why), Some((lack, _))) => {
                    let why = why.to_string();
                    let lacked = rows.iter().filter(|(lack, _)| why.contains(lack));
                    assert!(why.contains(lack) && lacked.count() == 1, "{why}");
                }
                (checked, _) => panic!("{without}: {checked:?}"),
            }
        }
    }

    #[test]
    fn what_belongs_to_a_payout_is_not_kept_without_it() {
        for (_, row) in under_way().1 {
            let why = Belongings::default().see(&row).expect_err("there is no payout");
            assert!(why.to_string().contains("without its payout"), "{why}");
        }
    }

    #[test]
    fn a_request_that_is_remembered_is_not_kept_without_what_it_was_answered() {
        let remembered = Request { forget_time: Some(Instant::MAX), ..request() };
        let configured = Request { answered: Answered::Resource, ..remembered.clone() };
        let [remembered, configured] = [remembered, configured].map(Row::Request);
        let mut belongings = Belongings::default();
        let why = belongings.see(&remembered).expect_err("its decision is not there");
        assert!(why.to_string().contains("without its decision"), "{why}");
        let (_, [(_, decision), ..]) = under_way();
        let Row::Decision(decision) = decision else { panic!("it is the first") };
        let denied = Decision { payout: None, ..(*decision).clone() };
        belongings.see(&Row::Decision(Arc::new(denied))).expect("it has no payout");
        belongings.see(&remembered).expect("its decision is there");
        belongings.see(&configured).expect("it was answered no decision");
        belongings.check().expect("no payout lacks anything");
    }
}
