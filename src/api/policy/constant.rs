//! Finds conditions that always or never hold, whatever the facts are. Sound,
//! not complete: what it reports is constant; not all that is constant is
//! reported, the less the larger the policy is.

use crate::domain::{
    condition::{Check, Comparison, Predicate, Right, Test},
    value::Value,
};

/// What a condition always is, if it is always the same and none of its
/// branches is. `effort` is how many comparisons of values may still be made;
/// what is left of it is left there.
pub fn constant(predicate: &Predicate, effort: &mut usize) -> Option<bool> {
    match predicate {
        Predicate::Test(_) => None,
        Predicate::All(children) => never_all(children, effort).then_some(false),
        Predicate::Any(children) => one_of_them(children).then_some(true),
        Predicate::Nothing(children) => one_of_them(children).then_some(false),
    }
}

/// Whether not all of these can hold.
fn never_all(children: &[Predicate], effort: &mut usize) -> bool {
    let mut hold = Vec::new();
    let mut fail = Vec::new();
    for child in children {
        sort(child, &mut hold, &mut fail);
    }
    let denied = |p: &Predicate| fail.contains(&p);
    let contradiction = hold.iter().any(|p| match p {
        Predicate::Any(alternatives) => alternatives.iter().all(denied) || denied(p),
        _ => denied(p),
    });
    if contradiction {
        return true;
    }
    let tests: Vec<&Test> = hold.iter().filter_map(|p| test(p)).collect();
    for (i, a) in tests.iter().enumerate() {
        for b in tests.iter().skip(i + 1).filter(|b| a.left == b.left) {
            let Some(left) = effort.checked_sub(values(a) * values(b)) else { return false };
            *effort = left;
            if excludes(a, b) {
                return true;
            }
        }
    }
    false
}

/// How many values a comparison names.
fn values(test: &Test) -> usize {
    match &test.check {
        Check::OneOf(_, values) => values.len(),
        _ => 1,
    }
}

/// What must hold and what must fail for this to hold.
fn sort<'a>(p: &'a Predicate, hold: &mut Vec<&'a Predicate>, fail: &mut Vec<&'a Predicate>) {
    match p {
        Predicate::All(children) => children.iter().for_each(|child| sort(child, hold, fail)),
        Predicate::Nothing(children) => fail.extend(children),
        Predicate::Any(_) | Predicate::Test(_) => hold.push(p),
    }
}

/// Whether one of these always holds: they are some, and that none of some of
/// them does.
fn one_of_them(children: &[Predicate]) -> bool {
    children.iter().any(|child| match child {
        Predicate::Nothing(denied) => denied.iter().all(|d| children.contains(d)),
        _ => false,
    })
}

fn test(predicate: &Predicate) -> Option<&Test> {
    match predicate {
        Predicate::Test(test) => Some(test),
        _ => None,
    }
}

/// Whether two comparisons of the same thing can never both hold.
fn excludes(a: &Test, b: &Test) -> bool {
    if a.left != b.left {
        return false;
    }
    if (a.check == Check::Absent) != (b.check == Check::Absent) {
        // Nothing but ABSENT holds of what is not there.
        return true;
    }
    a.factor == b.factor
        && (none_accepted(a, b) || none_accepted(b, a) || apart(a, b) || apart(b, a))
}

/// Whether one allows a few values only, and the other none of them.
fn none_accepted(few: &Test, other: &Test) -> bool {
    let values = match &few.check {
        Check::Compare(Comparison::Equal, Right::Literal(value)) => std::slice::from_ref(value),
        Check::OneOf(true, values) => values,
        _ => return false,
    };
    values.iter().all(|value| accepts(&other.check, value) == Some(false))
}

fn accepts(check: &Check, value: &Value) -> Option<bool> {
    match check {
        Check::Compare(comparison, Right::Literal(literal)) => {
            Some(comparison.holds(value.cmp(literal)))
        }
        Check::OneOf(wanted, values) => Some(values.contains(value) == *wanted),
        _ => None,
    }
}

/// Whether one is all above the other.
fn apart(upper: &Test, lower: &Test) -> bool {
    use Comparison::{AtLeast, AtMost, Less, More};
    let (Check::Compare(up, Right::Literal(from)), Check::Compare(down, Right::Literal(to))) =
        (&upper.check, &lower.check)
    else {
        return false;
    };
    match (up, down) {
        (AtLeast, AtMost) => from > to,
        (AtLeast | More, AtMost | Less) => from >= to,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        amount::{Amount, Factor},
        condition::Left,
    };

    fn found(predicate: &Predicate) -> Option<bool> {
        constant(predicate, &mut 1_000_000)
    }

    fn check(check: Check) -> Predicate {
        Predicate::Test(Test { left: Left::Fact(0), factor: Factor::ONE, check })
    }

    fn is(text: &str) -> Predicate {
        check(Check::Compare(Comparison::Equal, Right::Literal(Value::text(text))))
    }

    fn number(comparison: Comparison, text: &str) -> Predicate {
        let literal = Value::Decimal(Amount::parse(text).expect("a decimal"));
        check(Check::Compare(comparison, Right::Literal(literal)))
    }

    fn one_of(wanted: bool, texts: &[&str]) -> Predicate {
        check(Check::OneOf(wanted, texts.iter().map(|t| Value::text(t)).collect()))
    }

    #[test]
    fn a_test_and_its_negation_never_hold_together() {
        let parts = || vec![is("a"), Predicate::Nothing(vec![is("a")])];
        assert_eq!(found(&Predicate::All(parts())), Some(false));
        assert_eq!(found(&Predicate::Any(parts())), Some(true));
        assert_eq!(found(&Predicate::Nothing(parts())), Some(false));
        let nested = Predicate::All(vec![
            Predicate::Any(vec![is("a"), is("b")]),
            Predicate::Nothing(vec![is("b"), is("a")]),
        ]);
        assert_eq!(found(&nested), Some(false));
    }

    #[test]
    fn values_that_exclude_each_other_never_hold_together() {
        use Comparison::{AtLeast, AtMost, Less, More};
        for (a, b) in [
            (is("a"), is("b")),
            (is("a"), one_of(true, &["b", "c"])),
            (one_of(true, &["a", "b"]), one_of(false, &["b", "a"])),
            (number(AtLeast, "5"), number(Less, "5")),
            (number(More, "5"), number(AtMost, "5")),
            (number(AtLeast, "5.01"), number(AtMost, "5")),
            (check(Check::Absent), check(Check::Present)),
            (is("a"), check(Check::Absent)),
        ] {
            assert_eq!(found(&Predicate::All(vec![a.clone(), b.clone()])), Some(false));
            assert_eq!(found(&Predicate::All(vec![b.clone(), a.clone()])), Some(false));
            assert_eq!(found(&Predicate::Any(vec![a, b])), None);
        }
    }

    #[test]
    fn what_can_go_either_way_is_left_alone() {
        use Comparison::{AtLeast, AtMost, NotEqual};
        for (a, b) in [
            (is("a"), one_of(true, &["a", "c"])),
            (number(AtLeast, "5"), number(AtMost, "5")),
            (number(NotEqual, "5"), number(AtMost, "5")),
            (is("a"), check(Check::Present)),
            (is("a"), one_of(false, &["b"])),
        ] {
            assert_eq!(found(&Predicate::All(vec![a, b])), None);
        }
    }

    #[test]
    fn what_would_take_too_long_to_find_is_let_through() {
        let both = Predicate::All(vec![one_of(true, &["a", "b"]), one_of(true, &["c", "d", "e"])]);
        for (mut effort, found, left) in [(6, Some(false), 0), (5, None, 5)] {
            assert_eq!(constant(&both, &mut effort), found);
            assert_eq!(effort, left);
        }
    }
}
