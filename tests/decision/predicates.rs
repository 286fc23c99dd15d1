//! Conditions of made-up policies.

use bursar::proto::v1::{self, Comparison as Op, FactType};
use jiff::SignedDuration;

use crate::{
    catalogue::{Known, fact},
    policies::{For, Maker, of_fact},
};

impl Maker<'_> {
    /// One comparison.
    pub fn test(&mut self, measures: bool, numbers: &[&str]) -> v1::Predicate {
        if !numbers.is_empty() && self.choices.chance(60) {
            return self.number_test(numbers);
        }
        if measures && !self.measures.is_empty() && self.choices.chance(35) {
            return self.measure_test();
        }
        let wish = self.choices.pick(100);
        let known = match self.purpose {
            For::Amounts if wish >= 40 => {
                self.used.insert("amount");
                fact("amount")
            }
            For::Waiting if wish >= 40 => self.fact(|f| {
                matches!(f.kind, FactType::Time)
                    || f.name.ends_with("frozen")
                    || ["held", "available"].contains(&f.name)
            }),
            _ => self.fact(|_| true),
        };
        let mut test = v1::Predicate { fact: known.name.to_owned(), ..v1::Predicate::default() };
        if !known.always && self.choices.chance(12) {
            test.set_op(if self.choices.chance(50) { Op::Present } else { Op::Absent });
            return test;
        }
        match known.kind {
            FactType::Bool => {
                test.set_op(self.choices.one(&[Op::Equal, Op::Equal, Op::NotEqual]));
                test.value = self.sample(known);
            }
            FactType::List => {
                test.set_op(Op::Contains);
                test.value = self.sample(known);
            }
            FactType::String => self.text_test(known, &mut test),
            FactType::Time => self.time_test(known, &mut test),
            _ => self.decimal_test(known, &mut test),
        }
        test
    }

    pub fn text_test(&mut self, known: &'static Known, test: &mut v1::Predicate) {
        match self.choices.pick(5) {
            0 | 1 => {
                test.set_op(self.choices.one(&[Op::Equal, Op::NotEqual]));
                test.value = self.sample(known);
            }
            2 | 3 => {
                test.set_op(self.choices.one(&[Op::In, Op::NotIn]));
                let most = known.samples.len();
                let from = self.choices.pick(most);
                test.values = known.samples[from..].iter().map(|s| (*s).to_owned()).collect();
            }
            _ => {
                let (op, kind) = self.choices.one(&[
                    (Op::In, FactType::List),
                    (Op::NotIn, FactType::List),
                    (Op::NotEqual, FactType::String),
                ]);
                let other = self.fact(|f| f.kind == kind && f.name != known.name);
                test.set_op(op);
                test.other = Some(of_fact(other));
            }
        }
    }

    pub fn time_test(&mut self, known: &'static Known, test: &mut v1::Predicate) {
        let orders = [Op::Less, Op::AtMost, Op::More, Op::AtLeast, Op::Equal, Op::NotEqual];
        match self.choices.pick(5) {
            0 | 1 if known.name != "now" => {
                let (op, back) = self.choices.one(&[
                    (Op::WithinDays, "0"),
                    (Op::WithinDays, "3"),
                    (Op::WithinMonths, "1"),
                    (Op::WithinMonths, "12"),
                ]);
                test.set_op(op);
                test.value = back.to_owned();
            }
            2 => {
                test.set_op(self.choices.one(&[Op::In, Op::NotIn]));
                test.values = vec![self.moment(known)];
            }
            3 => {
                let other = self.fact(|f| f.kind == FactType::Time && f.name != known.name);
                test.set_op(self.choices.one(&orders));
                test.other = Some(of_fact(other));
            }
            _ => {
                test.set_op(self.choices.one(&orders));
                test.value = self.moment(known);
            }
        }
    }

    /// An instant near the beginning, where it makes a difference.
    pub fn moment(&mut self, known: &Known) -> String {
        if known.name == "now" {
            let seconds = self.choices.one(&[0, 60, 90, 1800, 86_400]);
            return (self.begin + SignedDuration::from_secs(seconds)).to_string();
        }
        self.sample(known)
    }

    pub fn decimal_test(&mut self, known: &'static Known, test: &mut v1::Predicate) {
        let orders = [Op::Less, Op::AtMost, Op::AtMost, Op::More, Op::AtLeast, Op::NotEqual];
        if self.choices.chance(20) {
            test.set_op(self.choices.one(&[Op::In, Op::NotIn]));
            let from = self.choices.pick(known.samples.len());
            test.values = known.samples[from..].iter().map(|s| (*s).to_owned()).collect();
            return;
        }
        test.set_op(self.choices.one(&orders));
        test.factor = self.factor();
        if self.choices.chance(45) {
            let other = self.operand(known.name == "amount");
            if other.fact != known.name {
                test.other = Some(other);
                return;
            }
        }
        test.value = self.sample(known);
        if known.samples.contains(&&*test.value) && self.choices.chance(10) {
            test.value = "3.333".to_owned();
            test.factor = "3".to_owned();
        }
    }

    pub fn measure_test(&mut self) -> v1::Predicate {
        let (id, counts, by_amount) = self.choices.one(&self.measures);
        self.read.insert(id.clone());
        let mut test = v1::Predicate { measure: id, ..v1::Predicate::default() };
        let literals: &[&str] = if counts { &["1", "2", "3"] } else { &["2.5", "7.77", "12"] };
        test.set_op(self.choices.one(&[Op::Less, Op::AtMost, Op::NotEqual, Op::More]));
        if self.choices.chance(30) {
            let known =
                self.fact(|f| f.kind == FactType::Decimal && (f.name != "amount" || !by_amount));
            test.other = Some(v1::Operand { factor: self.factor(), ..of_fact(known) });
        } else {
            test.value = self.choices.one(literals).to_owned();
        }
        test
    }

    pub fn number_test(&mut self, numbers: &[&str]) -> v1::Predicate {
        let left = self.choices.one(numbers);
        let mut test = v1::Predicate { number: left.to_owned(), ..v1::Predicate::default() };
        test.set_op(self.choices.one(&[Op::Less, Op::AtMost, Op::More, Op::AtLeast, Op::Equal]));
        let right = self.choices.one(numbers);
        if right == left || self.choices.chance(40) {
            test.value = self.choices.one(&["0", "0.01", "3", "5"]).to_owned();
        } else {
            let number = right.to_owned();
            test.other = Some(v1::Operand { number, ..v1::Operand::default() });
        }
        test
    }

    /// A number that is no literal.
    pub fn operand(&mut self, beside_amount: bool) -> v1::Operand {
        let fits = |(_, _, by_amount): &&(String, bool, bool)| !(beside_amount && *by_amount);
        let measures: Vec<String> =
            self.measures.iter().filter(fits).map(|(id, _, _)| id.clone()).collect();
        let factor = self.factor();
        if !measures.is_empty() && self.choices.chance(20) {
            let measure = self.choices.one(&measures);
            self.read.insert(measure.clone());
            return v1::Operand { measure, factor, ..v1::Operand::default() };
        }
        let known =
            self.fact(|f| f.kind == FactType::Decimal && !(beside_amount && f.name == "amount"));
        v1::Operand { factor, ..of_fact(known) }
    }

    pub fn predicate(&mut self, depth: usize, measures: bool, numbers: &[&str]) -> v1::Predicate {
        if depth == 0 || self.choices.chance(45) {
            return self.test(measures, numbers);
        }
        let mut parts: Vec<v1::Predicate> = Vec::new();
        for _ in 0..=self.choices.pick(3) {
            let part = self.predicate(depth - 1, measures, numbers);
            // Saying the same thing twice would be refused.
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        match self.choices.pick(3) {
            0 => v1::Predicate { all: parts, ..v1::Predicate::default() },
            1 => v1::Predicate { any: parts, ..v1::Predicate::default() },
            _ => v1::Predicate { none: parts, ..v1::Predicate::default() },
        }
    }
}
