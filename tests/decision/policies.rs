//! Policies: made up of everything that this version carries out, read from
//! YAML, and printed for people.

use std::collections::{BTreeMap, BTreeSet};

use bursar::{
    proto::v1::{self, Comparison as Op, Counts, FactType, OnFailure, PayoutState, Quantity},
    yaml,
};
use jiff::{SignedDuration, Timestamp};
use prost_reflect::DynamicMessage;

use crate::{
    catalogue::{FACTS, Known},
    choices::Choices,
};

pub fn read(text: &str) -> v1::Policy {
    let parsed = yaml::read::<v1::Policy>(text, "bursar.v1.Policy");
    parsed.unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

/// As protobuf JSON, which is YAML too.
pub fn print(policy: &v1::Policy) -> String {
    let descriptor = yaml::descriptor("bursar.v1.Policy").expect("the contract has it");
    let mut message = DynamicMessage::new(descriptor);
    message.transcode_from(policy).expect("the same message");
    let json = serde_json::to_value(&message).expect("JSON");
    let mut lines = String::from("policy:");
    for (name, value) in json.as_object().into_iter().flatten() {
        match value.as_array() {
            Some(all) => all.iter().for_each(|v| lines += &format!("\n  {name}: {v}")),
            None => lines += &format!("\n  {name}: {value}"),
        }
    }
    lines
}

pub fn texts() -> BTreeMap<String, String> {
    ["zh-CN", "en"].iter().map(|l| ((*l).to_owned(), "x".to_owned())).collect()
}

/// What a made-up policy shall be good for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Everything.
    Playing,
    /// Asking about small amounts: many comparisons with the amount.
    Amounts,
    /// Waiting: few rules, much that ends by itself.
    Waiting,
    /// Payouts about new orders that are told in short: no rule looks at what payouts
    /// hold, and what differs from payout to payout is counted of an order.
    Short,
}

/// What is made up so far.
pub struct Maker<'a> {
    pub choices: &'a mut Choices,
    pub purpose: For,
    pub begin: Timestamp,
    pub used: BTreeSet<&'static str>,
    /// Ids of measures, whether they count, and whether they follow the amount.
    pub measures: Vec<(String, bool, bool)>,
    pub read: BTreeSet<String>,
}

/// Makes a policy up. `begin`: around when it will be used.
pub fn make(choices: &mut Choices, purpose: For, begin: Timestamp) -> v1::Policy {
    let zone = choices.one(&["Asia/Shanghai", "Asia/Shanghai", "Europe/Paris", "UTC"]);
    let mut maker = Maker {
        choices,
        purpose,
        begin,
        used: BTreeSet::new(),
        measures: Vec::new(),
        read: BTreeSet::new(),
    };
    let measures = maker.several(2, Maker::measure);
    let mut conditions = maker.several(if purpose == For::Short { 2 } else { 4 }, Maker::condition);
    let limits = maker.several(if purpose == For::Playing { 5 } else { 3 }, Maker::limit);
    let draw = maker.draw();
    let life = maker.choices.chance(80).then(|| v1::Life {
        execute_within: Some(prost_types::Duration { seconds: 1800, nanos: 0 }),
        ..v1::Life::default()
    });
    // What no rule reads would be refused.
    for measure in measures.iter().filter(|m| !maker.read.contains(&m.id)) {
        conditions.push(about(measure));
    }
    let facts = maker.facts();
    v1::Policy {
        title: texts(),
        currency: "CNY".to_owned(),
        time_zone: (*zone).to_owned(),
        facts,
        measures,
        conditions,
        limits,
        draws: vec![draw],
        life,
        ..v1::Policy::default()
    }
}

fn about(measure: &v1::Measure) -> v1::Condition {
    let mut require =
        v1::Predicate { measure: measure.id.clone(), value: "3".to_owned(), ..<_>::default() };
    require.set_op(Op::Less);
    v1::Condition {
        id: format!("about-{}", measure.id),
        require: Some(require),
        on_failure: OnFailure::Warn as i32,
        text: texts(),
        remedy: texts(),
        ..v1::Condition::default()
    }
}

impl Maker<'_> {
    pub fn several<T>(
        &mut self,
        most: usize,
        mut make: impl FnMut(&mut Self, usize) -> T,
    ) -> Vec<T> {
        let count = self.choices.pick(most + 1);
        (0..count).map(|n| make(self, n)).collect()
    }

    pub fn facts(&mut self) -> Vec<v1::FactDeclaration> {
        let used = std::mem::take(&mut self.used);
        let known = FACTS.iter().filter(|f| used.contains(f.name));
        known.map(|known| self.declare(known)).collect()
    }

    pub fn declare(&mut self, known: &Known) -> v1::FactDeclaration {
        let mut declaration = known.declaration();
        let open = known.keyed || ["payee", "purpose", "grant-tier"].contains(&known.name);
        if open && self.choices.chance(15) && known.kind == FactType::String {
            declaration.values = known.samples.iter().map(|s| (*s).to_owned()).collect();
        }
        if self.choices.chance(10) {
            declaration.required = true;
        }
        let asserted = known.keyed || ["paid", "placed"].contains(&known.name);
        if asserted && self.choices.chance(20) {
            declaration.asserted_by = vec![v1::Role::Platform as i32];
        }
        declaration.dimension = self.choices.chance(15);
        declaration
    }

    /// A fact that will be declared.
    pub fn fact(&mut self, wanted: impl Fn(&Known) -> bool) -> &'static Known {
        let is_held = |f: &Known| ["balance", "held", "available"].contains(&f.name);
        let may = |f: &Known| self.purpose != For::Short || !is_held(f);
        let all: Vec<&'static Known> = FACTS.iter().filter(|f| wanted(f) && may(f)).collect();
        let known = self.choices.one(&all);
        self.used.insert(known.name);
        known
    }

    pub fn sample(&mut self, known: &Known) -> String {
        self.choices.one(known.samples).to_owned()
    }

    pub fn factor(&mut self) -> String {
        self.choices.one(&["", "", "", "1.5", "2", "0.3", "0.8"]).to_owned()
    }

    /// Which payouts a limit or measure is about.
    pub fn when_counted(&mut self, chance: usize, measures: bool) -> Option<v1::Predicate> {
        let any = self.purpose != For::Short && self.choices.chance(chance);
        any.then(|| self.predicate(1, measures, &[]))
    }

    pub fn when(&mut self) -> Option<v1::Predicate> {
        self.choices.chance(30).then(|| self.predicate(1, true, &[]))
    }

    pub fn on_failure(&mut self) -> i32 {
        if self.choices.chance(20) { OnFailure::Warn as i32 } else { 0 }
    }

    pub fn effective(&mut self) -> Option<v1::Effective> {
        let begin = self.begin;
        let moment = |seconds: i64| {
            let at = begin + SignedDuration::from_secs(seconds);
            prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
        };
        if !self.choices.chance(20) {
            return None;
        }
        let start_time = self.choices.chance(40).then(|| moment(45));
        let end_time = self.choices.chance(70).then(|| moment(1830));
        Some(v1::Effective { start_time, end_time })
    }

    pub fn variants(&mut self, rule: &str, numbers: &[&str]) -> Vec<v1::Variant> {
        let mut all: Vec<v1::Variant> = Vec::new();
        for n in 0..self.choices.pick(3) {
            let when = Some(self.predicate(1, true, numbers));
            if all.iter().all(|v| v.when != when) {
                let id = format!("{rule}-v{n}");
                let variant =
                    v1::Variant { id, when, text: texts(), remedy: texts(), ..<_>::default() };
                all.push(variant);
            }
        }
        all
    }

    pub fn condition(&mut self, n: usize) -> v1::Condition {
        let id = format!("condition-{n}");
        v1::Condition {
            require: Some(self.predicate(2, true, &[])),
            when: self.when(),
            // Most made-up conditions fail: more of them only warn, so that some pass.
            on_failure: if self.choices.chance(50) { OnFailure::Warn as i32 } else { 0 },
            effective: self.effective(),
            variants: self.variants(&id, &[]),
            text: texts(),
            remedy: texts(),
            id,
            ..v1::Condition::default()
        }
    }

    pub fn scope(&mut self, amount: bool) -> Vec<String> {
        let mut scope: Vec<String> = Vec::new();
        for _ in 0..self.choices.pick(3) {
            let known = self.fact(|f| {
                let single = matches!(f.kind, FactType::String | FactType::Bool);
                let number = ["points", "grant-day", "paid"].contains(&f.name);
                (single || number) && f.source != v1::FactSource::Account
            });
            if !scope.iter().any(|name| name == known.name) {
                scope.push(known.name.to_owned());
            }
        }
        if amount {
            self.used.insert("amount");
            scope.push("amount".to_owned());
        }
        let is_of_order = |name: &String| name == "order";
        if self.purpose == For::Short && !scope.is_empty() && !scope.iter().any(is_of_order) {
            self.used.insert("order");
            scope.push("order".to_owned());
        }
        scope
    }

    pub fn window(&mut self) -> v1::Window {
        use v1::window::Kind;
        let mut window = v1::Window::default();
        let kind = self.choices.one(&[
            Kind::Day,
            Kind::Rolling,
            Kind::Lifetime,
            Kind::Rolling,
            Kind::Week,
            Kind::Month,
            Kind::Year,
        ]);
        window.set_kind(kind);
        match kind {
            Kind::Rolling => {
                let seconds = self.choices.one(&[60, 1800, 86_400]);
                window.length = Some(prost_types::Duration { seconds, nanos: 0 });
            }
            Kind::Week => window.week_starts_on = 1 + self.choices.pick(7) as i32,
            Kind::Month => window.count = self.choices.one(&[0, 1, 2, 5]),
            _ => {}
        }
        window
    }

    /// Which payouts count. A limit's count may not be entered unjudged.
    pub fn counts(&mut self, limit: bool) -> (i32, Vec<i32>) {
        use PayoutState::{Authorized, Cancelled, Failed, Processing, Returned, Succeeded};
        let states: &[&[PayoutState]] = if limit {
            &[&[Authorized], &[Authorized, Processing], &[Authorized, Processing, Succeeded]]
        } else {
            &[&[Processing], &[Failed, Cancelled], &[Authorized], &[Succeeded, Returned]]
        };
        match self.choices.pick(4) {
            0 | 1 => (0, Vec::new()),
            2 => (Counts::Attempts as i32, Vec::new()),
            _ => {
                let states = self.choices.one(states).iter().map(|s| *s as i32).collect();
                (Counts::InStates as i32, states)
            }
        }
    }

    pub fn measure(&mut self, n: usize) -> v1::Measure {
        let id = format!("measure-{n}");
        let window = self.window();
        let rolling = window.kind() == v1::window::Kind::Rolling;
        let by_amount = !rolling && self.choices.chance(40);
        let count = self.choices.chance(50);
        let mut scope = self.scope(by_amount);
        if rolling && scope.is_empty() {
            self.used.insert("shop");
            scope.push("shop".to_owned());
        }
        let (counts, states) = self.counts(false);
        self.measures.push((id.clone(), count, by_amount));
        v1::Measure {
            when: self.when_counted(30, false),
            quantity: if count { Quantity::Count } else { Quantity::Amount } as i32,
            scope,
            window: Some(window),
            counts,
            states,
            on_return: self.choices.pick(3) as i32,
            id,
            ..v1::Measure::default()
        }
    }

    pub fn limit(&mut self, n: usize) -> v1::Limit {
        let id = format!("limit-{n}");
        let mut limit = v1::Limit {
            when: self.when_counted(30, true),
            on_failure: self.on_failure(),
            effective: self.effective(),
            text: texts(),
            remedy: texts(),
            ..v1::Limit::default()
        };
        let single = self.choices.chance(10);
        let count = !single && self.choices.chance(40);
        limit.set_quantity(if count { Quantity::Count } else { Quantity::Amount });
        limit.bound = Some(self.bound(count));
        if single {
            let mut window = v1::Window::default();
            window.set_kind(v1::window::Kind::Payout);
            limit.window = Some(window);
        } else {
            let window = self.window();
            let rolling = window.kind() == v1::window::Kind::Rolling;
            let by_amount = !rolling && self.choices.chance(20);
            limit.scope = self.scope(by_amount);
            if rolling && !count && limit.scope.is_empty() {
                self.used.insert("shop");
                limit.scope.push("shop".to_owned());
            }
            if rolling && !count && self.choices.chance(40) {
                limit.max_entries = 1 + self.choices.pick(3) as i32;
            }
            limit.window = Some(window);
            (limit.counts, limit.states) = self.counts(true);
            limit.on_return = self.choices.pick(3) as i32;
        }
        let numbers = ["limit", "used", "held", "requested", "remaining"];
        limit.variants = self.variants(&id, &numbers);
        limit.id = id;
        limit
    }

    pub fn bound(&mut self, count: bool) -> v1::Operand {
        let literals: &[&str] =
            if count { &["1", "2", "3", "4"] } else { &["5", "8.5", "12", "18.01", "0"] };
        if self.choices.chance(60) {
            let value = self.choices.one(literals).to_owned();
            return v1::Operand { value, ..v1::Operand::default() };
        }
        let measures = self.measures.iter().filter(|(_, counts, by)| *counts == count && !by);
        let measures: Vec<String> = measures.map(|(id, _, _)| id.clone()).collect();
        let factor = self.factor();
        if !measures.is_empty() && self.choices.chance(20) {
            let measure = self.choices.one(&measures);
            self.read.insert(measure.clone());
            return v1::Operand { measure, factor, ..v1::Operand::default() };
        }
        let known = if count {
            self.fact(|f| ["grant-times", "level", "points"].contains(&f.name))
        } else {
            self.fact(|f| {
                f.kind == FactType::Decimal && !["amount", "grant-times"].contains(&f.name)
            })
        };
        v1::Operand { factor, ..of_fact(known) }
    }

    pub fn draw(&mut self) -> v1::Draw {
        let numbers = ["balance", "held", "unfrozen", "available", "requested"];
        v1::Draw {
            id: "money".to_owned(),
            account: "settlement".to_owned(),
            text: texts(),
            remedy: texts(),
            variants: self.variants("money", &numbers),
            ..v1::Draw::default()
        }
    }
}

pub fn of_fact(known: &Known) -> v1::Operand {
    v1::Operand { fact: known.name.to_owned(), ..v1::Operand::default() }
}
