//! Facts that made-up policies may declare, with values they may take. What is
//! registered and sent in these tests has the same names.

use bursar::proto::v1::{FactDeclaration, FactSource, FactType};

use crate::{
    naive::books::Plain,
    setup::{at, list, number, text},
};

/// A fact and literals to compare it with.
pub struct Known {
    pub name: &'static str,
    pub kind: FactType,
    pub source: FactSource,
    /// Of the source's map; else a field.
    pub keyed: bool,
    pub of: &'static str,
    pub always: bool,
    pub samples: &'static [&'static str],
}

const fn known(
    name: &'static str,
    kind: FactType,
    source: FactSource,
    of: &'static str,
    samples: &'static [&'static str],
) -> Known {
    Known { name, kind, source, keyed: false, of, always: false, samples }
}

const fn always(known: Known) -> Known {
    Known { always: true, ..known }
}

const fn keyed(known: Known) -> Known {
    Known { keyed: true, ..known }
}

use FactSource::{
    Account, Grant, Operator as Who, Order, Platform, Request as Sent, Shop as OfShop,
};
use FactType::{Bool, Decimal, List, String as Text, Time};

const FLAGS: &[&str] = &["true", "false"];

pub const FACTS: &[Known] = &[
    always(known("amount", Decimal, Sent, "amount", &["1", "2.5", "5", "7.77", "10"])),
    always(known(
        "now",
        Time,
        Sent,
        "time",
        &["2026-03-02T10:01:00+08:00", "2026-03-03T00:00:00+08:00", "2026-03-29T01:30:00Z"],
    )),
    known("payee", Text, Sent, "payee", &["ann", "bob"]),
    known("purpose", Text, Sent, "purpose", &["gift", "fee"]),
    keyed(known("kind", Text, Sent, "kind", &["a", "b", "c"])),
    keyed(known("urgent", Bool, Sent, "urgent", FLAGS)),
    keyed(known("weight", Decimal, Sent, "weight", &["0", "1.25", "-3"])),
    keyed(known("since", Time, Sent, "since", &["2026-03-01T00:00:00Z"])),
    keyed(known("tags", List, Sent, "tags", &["a", "b", "c"])),
    known("order", Text, Order, "id", &["o1", "o2"]),
    always(known("order-known", Bool, Order, "exists", FLAGS)),
    known("paid", Decimal, Order, "paid_amount", &["5", "20"]),
    known("placed", Time, Order, "place_time", &["2026-02-20T00:00:00Z"]),
    keyed(known("status", Text, Order, "status", &["shipped", "completed", "closed"])),
    keyed(known("level", Decimal, Order, "level", &["3", "12.5", "20"])),
    keyed(known("shipped", Time, Order, "shipped", &["2026-02-25T00:00:00Z"])),
    keyed(known("items", List, Order, "items", &["i1", "i2"])),
    always(known("shop", Text, OfShop, "id", &["s1", "s2"])),
    always(known("shop-frozen", Bool, OfShop, "frozen", FLAGS)),
    always(known("proceeds-frozen", Bool, OfShop, "proceeds_withdrawal_frozen", FLAGS)),
    keyed(known("rank", Text, OfShop, "rank", &["a", "b"])),
    keyed(known("score", Decimal, OfShop, "score", &["4", "4.5", "6"])),
    known("operator", Text, Who, "id", &["main", "sub1"]),
    known("operator-kind", Text, Who, "kind", &["MAIN", "SUB"]),
    known("operator-frozen", Bool, Who, "frozen", FLAGS),
    keyed(known("points", Decimal, Who, "points", &["2", "8"])),
    always(known("grant", Bool, Grant, "exists", FLAGS)),
    known("grant-enabled", Bool, Grant, "enabled", FLAGS),
    known("grant-each", Decimal, Grant, "per_payout_amount", &["5", "8"]),
    known("grant-day", Decimal, Grant, "daily_amount", &["15"]),
    known("grant-month", Decimal, Grant, "monthly_amount", &["40"]),
    known("grant-times", Decimal, Grant, "daily_count", &["2", "3"]),
    known("grant-tier", Text, Grant, "tier", &["clerk", "manager"]),
    always(known("account", Bool, Account, "exists", FLAGS)),
    known("balance", Decimal, Account, "balance", &["10", "30"]),
    known("held", Decimal, Account, "held", &["2", "5"]),
    known("available", Decimal, Account, "available", &["5", "20"]),
    known("account-frozen", Bool, Account, "frozen", FLAGS),
    keyed(known("bank", Text, Account, "bank", &["x", "y"])),
    keyed(known("ratio", Decimal, Platform, "ratio", &["0.7", "1"])),
];

pub fn fact(name: &str) -> &'static Known {
    FACTS.iter().find(|f| f.name == name).expect("a fact of the catalogue")
}

impl Known {
    pub fn declaration(&self) -> FactDeclaration {
        let mut declaration =
            FactDeclaration { name: self.name.to_owned(), ..FactDeclaration::default() };
        declaration.set_type(self.kind);
        declaration.set_source(self.source);
        if self.keyed {
            declaration.key = self.of.to_owned();
        } else {
            declaration.field = self.of.to_owned();
        }
        if self.source == Account {
            declaration.account = "settlement".to_owned();
        }
        declaration
    }
}

/// Values that are sent or registered under a key; the last one is odd.
pub fn values(key: &str) -> Vec<Plain> {
    match key {
        "kind" | "rank" => vec![text("a"), text("b"), text("c"), Plain::Bool(true)],
        "urgent" => vec![Plain::Bool(true), Plain::Bool(false), text("true")],
        "weight" | "points" | "score" | "level" | "ratio" => ["0", "1.25", "4.5", "12.5", "-3"]
            .iter()
            .map(|n| Plain::Number(number(n)))
            .chain([text("much")])
            .collect(),
        "since" | "shipped" => vec![
            Plain::Time(at("2026-03-01T00:00:00Z")),
            Plain::Time(at("2026-02-25T00:00:00Z")),
            Plain::Time(at("2027-12-30T23:00:00Z")),
        ],
        "tags" | "items" => vec![list(&["a", "i1"]), list(&["b"]), list(&[]), text("a")],
        "status" => vec![text("shipped"), text("completed"), text("closed"), text("lost")],
        "bank" => vec![text("x"), text("y")],
        "entry_channel" => vec![text("service_desk_pc"), text("shop_pc_order_detail"), text("app")],
        "type" => vec![text("freight"), text("goods_problem"), text("other")],
        "item" => vec![text("i1"), text("i2"), text("i9")],
        other => panic!("no values for {other}"),
    }
}
