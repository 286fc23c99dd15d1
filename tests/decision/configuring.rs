//! The part of a play that configures: on the books and in rows alike.

use bursar::{
    decision::configure::{Lift, NewFreeze, What},
    domain::{freeze as frozen, instant::Instant},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    naive::books::{Freeze, Scope, Target},
    play::Play,
    setup::{account, cny, money, movement, operator_name, order_row, programme, set_grant, shop},
    steps::Step,
    words::{edit, freeze_name},
};

impl Play {
    pub fn configure(&mut self, step: &Step) {
        let now = self.now();
        let what = match step {
            Step::Grant(who, grant) => {
                let name = operator_name(who).grant(&programme().programme);
                let operator = self.books.operators.get_mut(*who).expect("an operator");
                if grant.is_none() && operator.grant.is_none() {
                    return;
                }
                operator.grant.clone_from(grant);
                match grant {
                    Some(grant) => What::SetGrant(set_grant(who, grant)),
                    None => What::DeleteGrant(name, String::new()),
                }
            }
            Step::Freeze(target, scope, seconds) => {
                let end = seconds.map(|s| now + SignedDuration::from_secs(s));
                let new = self.new_freeze(target, scope, end);
                let (target, scope) = (target.clone(), scope.clone());
                self.books.freezes.push(Freeze { target, scope, end, lifted: false });
                What::CreateFreeze(new)
            }
            Step::Lift(n) => {
                let count = self.books.freezes.len();
                let Some(freeze) = self.books.freezes.get_mut(n % count.max(1)) else { return };
                freeze.lifted = true;
                let name = freeze_name(n % count);
                What::LiftFreeze(Lift { name, reason: "".into() })
            }
            Step::Move(amount) => {
                self.books.movements.push(*amount);
                What::RecordMovement(movement(self.books.movements.len() - 1, *amount))
            }
            Step::ShopFact(key, said) => {
                self.books.shop.insert(key.clone(), said.clone());
                What::UpdateShop(shop(), edit(key, said))
            }
            Step::Order(name, order) => {
                let newer =
                    self.books.orders.get(name).is_none_or(|o| o.precedence() < order.precedence());
                if newer {
                    self.books.orders.insert(name.clone(), order.clone());
                }
                What::UpsertOrder(order_row(name, order))
            }
            other => panic!("{other:?} configures nothing"),
        };
        let judgement = self.world.configure(what);
        judgement.answer.as_ref().expect("a change that is fine");
        self.judgements.push(judgement);
    }

    fn new_freeze(&self, target: &Target, scope: &Scope, end: Option<Timestamp>) -> NewFreeze {
        NewFreeze {
            name: freeze_name(self.books.freezes.len()),
            target: match target {
                Target::Shop => frozen::Target::Shop(shop()),
                Target::Operator(name) => frozen::Target::Operator(operator_name(name)),
                Target::Account => frozen::Target::Account(account()),
            },
            scope: match scope {
                Scope::All => frozen::Scope::All,
                Scope::Part(amount) => frozen::Scope::BalancePart(money(*amount)),
                Scope::Proceeds => frozen::Scope::ProceedsWithdrawal,
            },
            currency: Some(cny()),
            reason: "".into(),
            end_time: end.map(Instant),
        }
    }
}
