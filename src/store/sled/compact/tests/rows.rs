//! Rows and records by chance, made of what `dice.rs` draws.

use std::sync::Arc;

use super::dice::Dice;
use crate::domain::{
    account::{
        Account, AccountKind, Balance, BalanceChange, Direction, Movement, MovementKind, Position,
    },
    amount::Amount,
    change::{Change, Record},
    decision::{Answer, Decision, Funds, Inputs, Reading, Verdict},
    event::{Event, EventKind},
    finding::{Finding, Numbers, Outcome, Severity, Unit},
    freeze::{Freeze, Freezes, Scope, Standing, Target},
    instant::Instant,
    key::Key,
    limit::Stage,
    meter::{MeterChange, MeterKey},
    name::{Id, PlatformName},
    operator::{Grant, Operator, OperatorKind, Reach},
    order::Order,
    payout::{Drawn, Flag, Payout, Return, Settlement, SettlementResult},
    request::{Answered, Fingerprint, Request, RequestKey},
    row::{Programme, Revision, Row},
    shop::{Platform, Shop},
};

impl Dice {
    pub(in crate::store::sled) fn payout(&mut self, keys: &[MeterKey]) -> Payout {
        let shop = self.shop();
        Payout {
            name: shop.payout(self.id()),
            revision: self.revision(),
            request_id: self.text(),
            order: self.maybe(|dice| shop.order(dice.id())),
            operator: self.maybe(|dice| dice.shop().operator(dice.id())),
            payee: self.text(),
            purpose: self.text(),
            currency: self.currency(),
            amount: self.amount(),
            net_amount: self.amount(),
            settled: self.maybe(Self::amount),
            returned: self.maybe(Self::amount),
            facts: self.sent(),
            dimensions: self.texts(),
            create_time: self.instant(),
            update_time: self.instant(),
            state_time: self.instant(),
            expire_time: self.maybe(Self::instant),
            state: self.state(),
            execution_id: self.maybe(Self::text),
            execute_time: self.maybe(Self::instant),
            settle_time: self.maybe(Self::instant),
            reason: self.text(),
            flags: self.list(|dice| dice.one(&[Flag::Unexecuted, Flag::PaidTwice])),
            settlements: self.list(|dice| Settlement {
                result: dice.one(&[SettlementResult::Succeeded, SettlementResult::Failed]),
                amount: dice.maybe(Self::amount),
                reference: dice.text(),
                reason: dice.text(),
                record_time: dice.instant(),
                applied: dice.flag(),
            }),
            returns: self.list(|dice| Return {
                amount: dice.amount(),
                reference: dice.text(),
                reason: dice.text(),
                record_time: dice.instant(),
            }),
            holdings: keys.iter().map(|key| self.holding(key.clone())).collect(),
            draws: self.list(|dice| Drawn {
                account: dice.shop().account(dice.id()),
                amount: dice.amount(),
                now: dice.part(),
            }),
            caller: self.text(),
            fired: self.list(Self::text),
            due: self.maybe(Self::instant),
        }
    }

    fn relief(&mut self) -> Vec<(Instant, Amount)> {
        self.list(|dice| (dice.instant(), dice.amount()))
    }

    fn reading(&mut self) -> Reading {
        Reading {
            used: self.amount(),
            held: self.amount(),
            by_amount: self.map(Self::amount, |dice| (dice.amount(), dice.amount())),
            full: self.flag(),
            room: self.maybe(Self::instant),
            relief: self.relief(),
            window: self.maybe(Self::span),
        }
    }

    fn inputs(&mut self) -> Inputs {
        let readings = |dice: &mut Self| dice.list(|dice| dice.maybe(Self::reading));
        let at = |dice: &mut Self| usize::try_from(dice.number()).expect("64 bits");
        Inputs {
            now: self.instant(),
            stage: self.one(&[Stage::Initiate, Stage::FillIn, Stage::Confirm]),
            amount: self.maybe(Self::amount),
            facts: self.list(|dice| dice.maybe(Self::value)),
            fact_changes: self.list(|dice| (dice.instant(), at(dice), dice.maybe(Self::value))),
            limits: readings(self),
            measures: readings(self),
            funds: self.list(|dice| {
                let (balance, held) = (dice.amount(), dice.amount());
                let position = Position { balance, held, freeze: dice.maybe(Self::amount) };
                Funds { exists: dice.flag(), position, relief: dice.relief() }
            }),
            next_revision: self.maybe(Self::instant),
        }
    }

    fn finding(&mut self) -> Finding {
        let numbers = self.maybe(|dice| Numbers {
            limit: dice.amount(),
            used: dice.maybe(Self::amount),
            held: dice.amount(),
            requested: dice.amount(),
            remaining: dice.amount(),
            frozen: dice.maybe(Self::amount),
            unit: dice.one(&[Unit::Money, Unit::Count]),
        });
        Finding {
            rule: self.text(),
            variant: self.maybe(Self::text),
            outcome: self.one(&[Outcome::Pass, Outcome::Deny]),
            window_full: self.flag(),
            numbers,
            reset_time: self.maybe(Self::instant),
            window: self.maybe(Self::span),
            scope: self.texts(),
            observed: self.texts(),
        }
    }

    /// Of the payout or of another.
    pub(in crate::store::sled) fn decision(&mut self, payout: &Payout) -> Decision {
        let same = self.flag();
        Decision {
            name: payout.name.shop().decision(self.id()),
            revision: if same { payout.revision.clone() } else { self.revision() },
            request_id: payout.request_id.clone(),
            author: self.author(),
            order: payout.order.clone(),
            operator: payout.operator.clone(),
            sent_facts: if self.flag() { payout.facts.clone() } else { self.sent() },
            inputs: self.inputs(),
            verdict: Verdict {
                answer: self.one(&[Answer::Allow, Answer::Review, Answer::Deny]),
                findings: self.list(Self::finding),
                max_amount: self.maybe(Self::amount),
                max_amount_unreviewed: self.maybe(Self::amount),
            },
            payout: self.maybe(Self::id),
            expire_time: self.maybe(Self::instant),
            decision_version: self.one(&[0, 1, -1, i32::MAX, i32::MIN]),
        }
    }

    fn request_key(&mut self) -> RequestKey {
        let platform = PlatformName { platform: self.id() };
        RequestKey { platform, parent: self.text(), operation: self.text(), id: self.text() }
    }

    fn target(&mut self) -> Target {
        match self.below(3) {
            0 => Target::Shop(self.shop()),
            1 => Target::Operator(self.shop().operator(self.id())),
            _ => Target::Account(self.shop().account(self.id())),
        }
    }

    fn scope(&mut self) -> Scope {
        let amount = self.amount();
        self.one(&[Scope::All, Scope::BalancePart(amount), Scope::ProceedsWithdrawal])
    }

    fn configured(&mut self) -> Row {
        let (shop, id, stamp) = (self.shop(), self.id(), self.stamp());
        let (display_name, facts) = (self.text(), self.facts());
        match self.below(8) {
            0 => Row::Platform(Platform { name: shop.platform(), display_name, facts, stamp }),
            1 => Row::Shop(Shop { name: shop, display_name, facts, stamp }),
            2 => {
                let kind = self.one(&[OperatorKind::Main, OperatorKind::Sub]);
                Row::Operator(Operator {
                    name: shop.operator(id),
                    display_name,
                    kind,
                    facts,
                    stamp,
                })
            }
            3 => Row::Grant(Grant {
                name: shop.operator(id).grant(&self.id()),
                enabled: self.flag(),
                per_payout_amount: self.maybe(Self::amount),
                daily_amount: self.maybe(Self::amount),
                monthly_amount: self.maybe(Self::amount),
                daily_count: self.maybe(Self::small),
                tier: self.text(),
                reach: self.one(&[Reach::Shop, Reach::Pool, Reach::Group]),
                stamp,
            }),
            4 => {
                let kind = self.one(&[AccountKind::Settlement, AccountKind::Quota]);
                let currency = self.currency();
                Row::Account(Account { name: shop.account(id), kind, currency, facts, stamp })
            }
            5 => Row::Freezes(Freezes {
                target: self.target(),
                standing: self.list(|dice| Standing {
                    freeze: dice.freeze_name(),
                    scope: dice.scope(),
                    end_time: dice.maybe(Self::instant),
                }),
            }),
            6 => Row::Programme(Programme {
                name: self.programme(),
                revisions: self.small(),
                activations: self.list(|dice| (dice.instant(), dice.small())),
            }),
            _ => Row::Revision(Revision {
                name: self.revision(),
                policy: self.list(|dice| dice.one(&[0, 7, 255])).into(),
                create_time: self.instant(),
                caller: self.text(),
                note: self.text(),
                checksum: self.text(),
            }),
        }
    }

    fn row(&mut self) -> Row {
        let (shop, id) = (self.shop(), self.id());
        match self.below(9) {
            0 => Row::Cell(self.cell()),
            1 => {
                let (balance, holds) = (self.amount(), self.tally());
                let account = shop.account(id);
                Row::Balance(Balance { account, balance, holds, movements: self.number() })
            }
            2 => Row::Movement(Movement {
                account: shop.account(id),
                reference: self.text(),
                number: self.number(),
                direction: self.one(&[Direction::Credit, Direction::Debit]),
                kind: self.one(&[MovementKind::Proceeds, MovementKind::Compensation]),
                amount: self.amount(),
                order: self.maybe(|dice| dice.shop().order(dice.id())),
                occur_time: self.maybe(Self::instant),
                record_time: self.instant(),
                overdrawn: self.flag(),
            }),
            3 => Row::MovementNumber(shop.account(id), self.number(), self.text()),
            4 => Row::PayoutOfOrder(shop.order(id), self.id()),
            5 => Row::Due(self.instant(), shop.payout(id)),
            6 => Row::Freeze(Freeze {
                name: self.freeze_name(),
                target: self.target(),
                scope: self.scope(),
                currency: self.maybe(Self::currency),
                reason: self.text(),
                create_time: self.instant(),
                end_time: self.maybe(Self::instant),
                lift_time: self.maybe(Self::instant),
                lift_reason: self.text(),
                caller: self.text(),
            }),
            7 => Row::Order(Order {
                name: shop.order(id),
                paid: self.maybe(|dice| (dice.amount(), dice.currency())),
                place_time: self.maybe(Self::instant),
                facts: Arc::new(self.facts()),
                asserted_by: self.roles(),
                source_time: self.instant(),
                update_time: self.instant(),
                caller: self.text(),
            }),
            _ => Row::Request(Request {
                key: self.request_key(),
                content: Fingerprint(self.list(|dice| (dice.small(), dice.number()))),
                answered: match self.below(3) {
                    0 => Answered::Decision(id),
                    1 => Answered::Resource,
                    _ => Answered::Revision(self.small()),
                },
                at: self.instant(),
                forget_time: self.maybe(Self::instant),
            }),
        }
    }

    fn key(&mut self) -> Key {
        if self.flag() { self.row().key() } else { self.configured().key() }
    }

    fn event(&mut self) -> Event {
        let kind = match self.below(6) {
            0 => EventKind::Configured(self.text()),
            1 => EventKind::Decided(self.shop().decision(self.id())),
            2 => EventKind::PayoutChanged {
                payout: self.shop().payout(self.id()),
                from: self.maybe(Self::state),
                to: self.state(),
            },
            3 => EventKind::Movement(self.text()),
            4 => EventKind::Alert {
                id: self.text(),
                resource: self.text(),
                severity: self.one(&[Severity::Unspecified, Severity::High]),
                audience: self.text(),
            },
            _ => EventKind::Freeze(self.text()),
        };
        Event { effect_time: self.instant(), shop: self.maybe(Self::shop), kind }
    }

    pub(super) fn record(&mut self) -> Record {
        let keys = self.list(Self::meter_key);
        let mut changes: Vec<Change> = keys
            .iter()
            .map(|key| {
                Change::Meter(MeterChange {
                    key: key.clone(),
                    shape: self.shape(),
                    payout: self.one(&[Id::kept("same".into()), Id::kept("other".into())]),
                    at: self.instant(),
                    amount: self.one(&[Amount::ONE, Amount::ZERO]),
                    before: self.part(),
                    after: self.part(),
                    forget_until: self.maybe(Self::instant),
                })
            })
            .collect();
        let payout = Arc::new(self.payout(&keys));
        let decision = Arc::new(self.decision(&payout));
        if self.flag() {
            changes.push(Change::put(Row::Payout(payout)));
        }
        if self.flag() {
            changes.push(Change::put(Row::Decision(decision)));
        }
        changes.extend(self.list(|dice| match dice.below(5) {
            0 => Change::Delete(dice.key()),
            1 => Change::put(dice.configured()),
            2 => Change::Balance(BalanceChange {
                account: dice.shop().account(dice.id()),
                credit: dice.amount(),
                movement: dice.flag(),
                before: dice.part(),
                after: dice.part(),
            }),
            _ => Change::put(dice.row()),
        }));
        Record {
            sequence: self.number(),
            at: self.instant(),
            author: self.author(),
            operation: self.text(),
            changes,
            events: self.list(Self::event),
        }
    }
}
