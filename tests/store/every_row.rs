//! Every kind of row and event, with everything in it that can be, reads back
//! from bytes as it was.

use std::{collections::BTreeMap, sync::Arc};

use bursar::{
    domain::{
        account::{Account, AccountKind, Direction, Movement, MovementKind, Position},
        amount::Currency,
        change::{Change, Record},
        decision::{Answer, Decision, Funds, Inputs, Reading, Verdict},
        event::{Event, EventKind},
        finding::{Finding, Numbers, Outcome, Severity, Unit},
        freeze::{Freeze, Freezes, Scope, Standing, Target},
        limit::Stage,
        meter::{Phase, Shape},
        name::{DecisionName, FreezeName, RevisionName, ShopName},
        operator::{Grant, Operator, OperatorKind, Reach},
        payout::{CountsWhile, Drawn, Flag, Payout, Return, Settlement, SettlementResult, State},
        row::{Programme, Row},
        shop::{Platform, Stamp},
        text::Text,
        value::{Fact, Facts, Value},
        who::{Author, RoleSet},
    },
    store::Store,
};

use crate::{
    make::{
        Writer, account_name, amount, at, credit, hold, id, order, order_name, payout, payout_name,
        programme_name, request, revision, shop, shop_name,
    },
    places::{Place, Sled},
};

fn decision_name() -> DecisionName {
    let ShopName { platform, shop } = shop_name();
    DecisionName { platform, shop, decision: id("d") }
}

fn freeze_name() -> FreezeName {
    FreezeName { platform: id("p"), freeze: id("f") }
}

fn author() -> Author {
    Author { caller: "c".into(), actor: Some(shop_name().operator(id("o"))) }
}

fn values() -> Vec<Value> {
    vec![
        Value::text("text\n\u{0}"),
        Value::Bool(true),
        Value::Decimal(amount("-0.000000001")),
        Value::Time(at(-1)),
        Value::List(vec!["a".into(), "".into()]),
        Value::List(Vec::new()),
    ]
}

fn facts() -> Facts {
    let fact = |(n, value)| -> (Text, Fact) {
        (format!("f{n}").into(), Fact { value, asserted_by: RoleSet::ALL })
    };
    values().into_iter().enumerate().map(fact).collect()
}

fn reading() -> Reading {
    Reading {
        used: amount("1"),
        held: amount("2.50"),
        by_amount: BTreeMap::from([(amount("3"), (amount("4"), amount("5")))]),
        room: None,
        full: true,
        relief: vec![(at(5), amount("6"))],
        window: Some((at(0), at(9))),
    }
}

fn finding() -> Finding {
    Finding {
        rule: "r".into(),
        variant: Some("v".into()),
        outcome: Outcome::Deny,
        window_full: true,
        numbers: Some(Numbers {
            limit: amount("1"),
            used: Some(amount("2")),
            held: amount("3"),
            requested: amount("4"),
            remaining: amount("0"),
            frozen: None,
            unit: Unit::Count,
        }),
        reset_time: Some(at(7)),
        window: Some((at(0), at(9))),
        scope: BTreeMap::from([("a".into(), "b".into())]),
        observed: BTreeMap::from([("c".into(), "d".into())]),
    }
}

fn decision() -> Row {
    Row::Decision(Arc::new(a_decision()))
}

pub fn a_decision() -> Decision {
    let position = Position { balance: amount("1"), held: amount("2"), freeze: None };
    Decision {
        name: decision_name(),
        revision: RevisionName { programme: programme_name(), number: 3 },
        request_id: "r".into(),
        author: author(),
        order: Some(order_name("o")),
        operator: None,
        sent_facts: Arc::new([("app".into(), Value::text("x"))].into_iter().collect()),
        inputs: Inputs {
            now: at(1),
            stage: Stage::Confirm,
            amount: Some(amount("12.34")),
            facts: values().into_iter().map(Some).chain([None]).collect(),
            fact_changes: vec![(at(2), 1, None), (at(3), 2, Some(Value::Bool(false)))],
            limits: vec![None, Some(reading())],
            measures: vec![Some(Reading::default()), None],
            funds: vec![Funds { exists: true, position, relief: vec![(at(4), amount("1"))] }],
            next_revision: Some(at(5)),
        },
        verdict: Verdict {
            answer: Answer::Review,
            findings: vec![finding()],
            max_amount: Some(amount("0")),
            max_amount_unreviewed: None,
        },
        payout: Some(id("d")),
        expire_time: Some(at(1800)),
        decision_version: 1,
    }
}

fn full_payout() -> Row {
    let Row::Payout(simple) = payout("full", State::Returned) else { panic!("a payout") };
    Row::Payout(Arc::new(Payout {
        operator: Some(shop_name().operator(id("o"))),
        settled: Some(amount("5")),
        returned: Some(amount("5.00")),
        facts: Arc::new([("app".into(), Value::List(vec!["x".into()]))].into_iter().collect()),
        execution_id: Some("e".into()),
        execute_time: Some(at(4)),
        settle_time: Some(at(5)),
        flags: vec![Flag::Unexecuted, Flag::PaidTwice],
        settlements: vec![Settlement {
            result: SettlementResult::Failed,
            amount: None,
            reference: "x".into(),
            reason: "y".into(),
            record_time: at(6),
            applied: false,
        }],
        returns: vec![Return {
            amount: amount("5"),
            reference: "z".into(),
            reason: "".into(),
            record_time: at(7),
        }],
        holdings: simple
            .holdings
            .iter()
            .cloned()
            .map(|mut holding| {
                holding.counts = CountsWhile::InStates(vec![State::Processing, State::Failed]);
                holding.now = None;
                holding
            })
            .collect(),
        draws: vec![Drawn {
            account: account_name(),
            amount: amount("5"),
            now: Some((Phase::Used, amount("5"))),
        }],
        fired: vec!["t".into()],
        ..(*simple).clone()
    }))
}

fn freezes() -> Vec<Row> {
    let operator = Target::Operator(shop_name().operator(id("o")));
    let account = Target::Account(account_name());
    vec![
        Row::Freeze(Freeze {
            name: freeze_name(),
            target: Target::Shop(shop_name()),
            scope: Scope::BalancePart(amount("9.99")),
            currency: Currency::parse("CNY"),
            reason: "r".into(),
            create_time: at(0),
            end_time: Some(at(1)),
            lift_time: None,
            lift_reason: "".into(),
            caller: "c".into(),
        }),
        Row::Freezes(Freezes {
            target: operator,
            standing: [Scope::All, Scope::ProceedsWithdrawal]
                .map(|scope| Standing { freeze: freeze_name(), scope, end_time: None })
                .to_vec(),
        }),
        Row::Freezes(Freezes { target: account, standing: Vec::new() }),
    ]
}

fn configured() -> Vec<Row> {
    let stamp = Stamp { create_time: at(0), update_time: at(1), version: u64::MAX };
    let operator = shop_name().operator(id("o"));
    vec![
        Row::Platform(Platform {
            name: shop_name().platform(),
            display_name: "平台".into(),
            facts: facts(),
            stamp: stamp.clone(),
        }),
        Row::Operator(Operator {
            name: operator.clone(),
            display_name: "".into(),
            kind: OperatorKind::Sub,
            facts: facts(),
            stamp: stamp.clone(),
        }),
        Row::Grant(Grant {
            name: operator.grant(&id("small")),
            enabled: true,
            per_payout_amount: Some(amount("500")),
            daily_amount: None,
            monthly_amount: Some(amount("0")),
            daily_count: Some(u32::MAX),
            tier: "".into(),
            reach: Reach::Group,
            stamp: stamp.clone(),
        }),
        Row::Account(Account {
            name: account_name(),
            kind: AccountKind::Quota,
            currency: Currency::parse("KWD").expect("a currency"),
            facts: Facts::default(),
            stamp,
        }),
        Row::Programme(Programme {
            name: programme_name(),
            revisions: 2,
            activations: vec![(at(0), 1), (at(1), 2)],
        }),
    ]
}

fn movements() -> Vec<Row> {
    vec![
        Row::Movement(Movement {
            account: account_name(),
            reference: "ref/1 \u{4e00}".into(),
            number: 1,
            direction: Direction::Debit,
            kind: MovementKind::OtherWithdrawal,
            amount: amount("1"),
            order: Some(order_name("o")),
            occur_time: None,
            record_time: at(3),
            overdrawn: true,
        }),
        Row::MovementNumber(account_name(), 1, "ref/1 \u{4e00}".into()),
        Row::PayoutOfOrder(order_name("o"), id("x")),
    ]
}

fn events() -> Vec<Event> {
    let kinds = vec![
        EventKind::Configured("n".into()),
        EventKind::Decided(decision_name()),
        EventKind::PayoutChanged {
            payout: payout_name("x"),
            from: None,
            to: State::PendingApproval,
        },
        EventKind::PayoutChanged {
            payout: payout_name("x"),
            from: Some(State::Authorized),
            to: State::Processing,
        },
        EventKind::Movement("m".into()),
        EventKind::Alert {
            id: "a".into(),
            resource: "r".into(),
            severity: Severity::High,
            audience: "w".into(),
        },
        EventKind::Freeze("f".into()),
    ];
    let shops = [None, Some(shop_name())];
    let event = |(kind, shop)| Event { effect_time: at(1), shop, kind };
    kinds.into_iter().zip(shops.into_iter().cycle()).map(event).collect()
}

#[test]
fn every_row_and_event_reads_back_as_it_was() {
    let mut rows = vec![
        decision(),
        full_payout(),
        shop("s"),
        order("o", "c"),
        payout("p", State::Authorized),
        request("r"),
        revision(1, 1000),
    ];
    rows.extend(freezes());
    rows.extend(configured());
    rows.extend(movements());
    let mut changes: Vec<Change> = rows.into_iter().map(Change::put).collect();
    changes.extend([
        hold("a", Shape::Fixed, "x", "1.10"),
        hold("b", Shape::Rolling, "x", "2"),
        hold("c", Shape::ByAmount, "x", "3"),
        credit("-1"),
        Change::Delete(order("gone", "c").key()),
    ]);

    let place = Sled::new();
    let (mut store, mut writer) = (place.open(), Writer::default());
    let mut commit = writer.commit(vec![changes]);
    for record in &mut commit.records {
        record.author = author();
        record.events = events();
    }
    let records: Vec<Record> = commit.records.clone();
    crate::make::settle(&mut store, commit).expect("a commit");
    let kinds: std::collections::BTreeSet<_> = writer
        .rows
        .values()
        .map(|row| std::mem::discriminant(&**row))
        .map(|d| format!("{d:?}"))
        .collect();
    assert_eq!(kinds.len(), 19, "every kind of row is here");
    for _ in 0..2 {
        drop(store);
        store = place.open();
        writer.agrees(&mut store);
        let read = store.records(0, 9).expect("records");
        assert!(read.iter().map(|record| &**record).eq(&records));
        store.tidy().expect("tidy");
    }
}
