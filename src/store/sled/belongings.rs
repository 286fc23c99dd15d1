//! What belongs to payouts that are kept: none of them is kept without its decision and
//! its request, and each is found by its order and becomes due.

use std::collections::HashMap;

use super::{base::Base, damage::Damage, keeping::payout_of};
use crate::domain::{instant::Instant, name::PayoutName, row::Row};

/// What payouts lack so far.
#[derive(Default, Debug)]
struct Belongings(HashMap<PayoutName, Lacks>);

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
/// The payout, and what it lacks.
pub(super) fn check(draft: &Base) -> Result<(), Damage> {
    let mut belongings = Belongings::default();
    draft.rows(|_, row| {
        belongings.see(&row);
        Ok::<(), Damage>(())
    })?;
    belongings.check()
}

impl Belongings {
    /// Takes a row. A payout's own comes before what belongs to it.
    fn see(&mut self, row: &Row) {
        let Self(payouts) = self;
        match row {
            Row::Payout(payout) => {
                let (of_order, due) = (payout.order.is_some(), payout.due);
                let lacks = Lacks { decision: true, request: true, of_order, due };
                payouts.insert(payout.name.clone(), lacks);
            }
            Row::Decision(decision) => {
                let name = decision.name.shop().payout(decision.name.decision.clone());
                payouts.get_mut(&name).into_iter().for_each(|lacks| lacks.decision = false);
            }
            Row::Request(request) => {
                let lacks = payout_of(request).and_then(|name| payouts.get_mut(&name));
                lacks.into_iter().for_each(|lacks| lacks.request = false);
            }
            Row::PayoutOfOrder(order, payout) => {
                let lacks = payouts.get_mut(&order.shop().payout(payout.clone()));
                lacks.into_iter().for_each(|lacks| lacks.of_order = false);
            }
            Row::Due(at, payout) => {
                let lacks = payouts.get_mut(payout).filter(|lacks| lacks.due == Some(*at));
                lacks.into_iter().for_each(|lacks| lacks.due = None);
            }
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Damage> {
        let lacks_something = |lacks: &Lacks| {
            let Lacks { decision, request, of_order, due } = lacks;
            *decision || *request || *of_order || due.is_some()
        };
        match self.0.iter().find(|(_, lacks)| lacks_something(lacks)) {
            None => Ok(()),
            Some((name, lacks)) => {
                Err(Damage::Defect(format!("{name} would be kept without {lacks:?}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use crate::domain::{
        amount::{Amount, Currency},
        decision::{Answer, DECISION_VERSION, Decision, Inputs, Verdict},
        limit::Stage,
        name::{Id, ProgrammeName, RevisionName, ShopName},
        payout::{Payout, State},
        request::{Answered, Fingerprint, Request, RequestKey},
        who::Author,
    };

    fn id(text: &str) -> Id {
        Id::parse(text).expect("an id")
    }
    /// A payout about order `o` that waits to be executed, with its rows.
    fn under_way() -> Payout {
        let shop = ShopName::parse("platforms/p/shops/s").expect("a name");
        Payout {
            name: shop.payout(id("d")),
            revision: RevisionName {
                programme: ProgrammeName { platform: id("p"), programme: id("g") },
                number: 1,
            },
            request_id: "r".into(),
            order: Some(shop.order(id("o"))),
            operator: None,
            payee: "".into(),
            purpose: "".into(),
            currency: Currency::parse("CNY").expect("a currency"),
            amount: Amount::ONE,
            net_amount: Amount::ONE,
            settled: None,
            returned: None,
            facts: Arc::default(),
            dimensions: BTreeMap::new(),
            create_time: Instant::MIN,
            update_time: Instant::MIN,
            state_time: Instant::MIN,
            expire_time: Some(Instant::MAX),
            state: State::Authorized,
            execution_id: None,
            execute_time: None,
            settle_time: None,
            reason: "".into(),
            flags: Vec::new(),
            settlements: Vec::new(),
            returns: Vec::new(),
            holdings: Vec::new(),
            draws: Vec::new(),
            caller: "t".into(),
            fired: Vec::new(),
            due: Some(Instant::MAX),
        }
    }

    fn decided(payout: &Payout) -> Decision {
        Decision {
            name: payout.name.shop().decision(payout.name.payout.clone()),
            revision: payout.revision.clone(),
            request_id: payout.request_id.clone(),
            author: Author { caller: "t".into(), actor: None },
            order: payout.order.clone(),
            operator: None,
            sent_facts: Arc::default(),
            inputs: Inputs {
                now: Instant::MIN,
                stage: Stage::Confirm,
                amount: Some(payout.amount),
                facts: Vec::new(),
                fact_changes: Vec::new(),
                limits: Vec::new(),
                measures: Vec::new(),
                funds: Vec::new(),
                next_revision: None,
            },
            verdict: Verdict {
                answer: Answer::Allow,
                findings: Vec::new(),
                max_amount: None,
                max_amount_unreviewed: None,
            },
            payout: Some(payout.name.payout.clone()),
            expire_time: payout.expire_time,
            decision_version: DECISION_VERSION,
        }
    }

    fn asked(payout: &Payout) -> Request {
        let shop = payout.name.shop();
        Request {
            key: RequestKey {
                platform: shop.platform(),
                parent: shop.to_string().into(),
                operation: "AuthorizePayout".into(),
                id: payout.request_id.clone(),
            },
            content: Fingerprint(Vec::new()),
            answered: Answered::Decision(payout.name.payout.clone()),
            at: Instant::MIN,
            forget_time: None,
        }
    }

    #[test]
    fn a_payout_lacks_whatever_of_it_is_not_there() {
        let payout = under_way();
        let rows = [
            ("decision: true", Row::Decision(Arc::new(decided(&payout)))),
            ("request: true", Row::Request(asked(&payout))),
            ("of_order: true", Row::PayoutOfOrder(payout.order.clone().expect("one"), id("d"))),
            ("due: Some", Row::Due(Instant::MAX, payout.name.clone())),
        ];
        let payout = Row::Payout(Arc::new(payout));
        for without in 0..=rows.len() {
            let mut belongings = Belongings::default();
            belongings.see(&payout);
            let there = rows.iter().enumerate().filter(|(number, _)| *number != without);
            there.for_each(|(_, (_, row))| belongings.see(row));
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
}
