//! Measures, conditions, limits and draws.

use crate::{
    domain::{
        amount::Amount,
        condition::{Left, Operand, Source},
        finding::{Category, Unit},
        limit::{Condition, Counting, Counts, Draw, Limit, Measure, Quantity},
        name::Id,
        payout::State,
        window::Window,
    },
    proto::v1,
};

use super::{
    checker::Checker,
    meter::{self, counting},
    number::Place,
    operand::operand,
    path::Path,
    predicate,
    problem::PolicyReason::{
        AmountComparison, InvalidValue, Missing, Unbounded, Unreachable, UnsupportedConstruct,
        WrongType,
    },
    rule::{Parts, rule},
    text::Placeholders,
};

/// Entries that a rolling window keeps if the policy says nothing.
const ENTRIES: usize = 10_000;
/// Entries that a rolling window may keep at most.
const MAX_ENTRIES: usize = 100_000;

/// A measure; comes before everything that may read it.
pub fn measure(c: &mut Checker, at: &Path, wire: &v1::Measure) -> Option<Measure> {
    c.begin_rule();
    let id = c.id(&at.field("id"), &wire.id);
    match c.known(&at.field("fed_by"), wire.fed_by) {
        None | Some(v1::FedBy::Unspecified | v1::FedBy::Payouts) => {}
        Some(_) => c.unsupported(true, &at.field("fed_by"), "feeding a measure by this is"),
    }
    c.unsupported(!wire.observation.is_empty(), &at.field("observation"), "observations are");
    let place = Place::MeasureFilter;
    let when = predicate::optional(c, &at.field("when"), wire.when.as_ref(), place);
    let parts = meter::Parts {
        quantity: wire.quantity,
        scope: &wire.scope,
        window: wire.window.as_ref(),
        counts: wire.counts,
        states: &wire.states,
        on_return: wire.on_return,
    };
    if wire.window.as_ref().is_some_and(|w| w.kind() == v1::window::Kind::Payout) {
        let text = "a measure of one payout by itself has nothing to count";
        return c.refuse(&at.field("window"), Unreachable, text);
    }
    let counting = counting(c, at, &parts)?;
    if matches!(counting.window, Window::Rolling(_)) && counting.scope.is_empty() {
        // No bound keeps a measure small, whatever it counts.
        let text = "a rolling measure of the whole programme keeps every payout";
        return c.refuse(&at.field("window"), Unbounded, text);
    }
    Some(Measure { id: id?, when: when?, counting })
}

/// A condition.
pub fn condition(c: &mut Checker, at: &Path, wire: &v1::Condition) -> Option<Condition> {
    c.begin_rule();
    match c.known(&at.field("judges"), wire.judges) {
        None | Some(v1::Judges::Unspecified | v1::Judges::Authorize) => {}
        Some(_) => c.unsupported(true, &at.field("judges"), "judging this operation is"),
    }
    let require = match &wire.require {
        Some(require) => predicate::predicate(c, &at.field("require"), require, Place::Rule),
        None => c.refuse(&at.field("require"), Missing, "needs what must hold"),
    };
    let parts = Parts {
        id: &wire.id,
        sources: &wire.sources,
        category: wire.category,
        usual_category: Category::Unspecified,
        severity: wire.severity,
        stages: &wire.stages,
        on_failure: wire.on_failure,
        effective: wire.effective.as_ref(),
        when: wire.when.as_ref(),
        text: &wire.text,
        remedy: &wire.remedy,
        variants: &wire.variants,
        expected_resolution: wire.expected_resolution.as_ref(),
        variants_stand: Place::ConditionVariant,
        placeholders: Placeholders::Condition,
    };
    let rule = rule(c, at, &parts)?;
    let require = require?;
    if rule.when == require {
        let text = "applies only when it holds, so it always holds";
        return c.refuse(&at.field("require"), Unreachable, text);
    }
    Some(Condition { rule, require })
}

/// A limit.
pub fn limit(c: &mut Checker, at: &Path, wire: &v1::Limit) -> Option<Limit> {
    c.begin_rule();
    c.unsupported(wire.weight.is_some(), &at.field("weight"), "weights are");
    let parts = meter::Parts {
        quantity: wire.quantity,
        scope: &wire.scope,
        window: wire.window.as_ref(),
        counts: wire.counts,
        states: &wire.states,
        on_return: wire.on_return,
    };
    let counting = counting(c, at, &parts);
    let bound = bound(c, &at.field("bound"), wire.bound.as_ref(), wire.quantity);
    let entries = match (&counting, &bound) {
        (Some(counting), Some(bound)) => entries(c, at, wire.max_entries, counting, bound),
        _ => None,
    };
    let parts = Parts {
        id: &wire.id,
        sources: &wire.sources,
        category: wire.category,
        usual_category: Category::Limit,
        severity: wire.severity,
        stages: &wire.stages,
        on_failure: wire.on_failure,
        effective: wire.effective.as_ref(),
        when: wire.when.as_ref(),
        text: &wire.text,
        remedy: &wire.remedy,
        variants: &wire.variants,
        expected_resolution: wire.expected_resolution.as_ref(),
        variants_stand: Place::LimitVariant,
        placeholders: Placeholders::Limit,
    };
    if let Some(counting) = &counting {
        closed(c, &at.field("states"), &counting.counts);
    }
    let rule = rule(c, at, &parts);
    Some(Limit { rule: rule?, counting: counting?, bound: bound?, max_entries: entries? })
}

/// A limit is judged when a payout is authorized. If a payout could enter its
/// count later, by being executed or settled, the bound would not hold.
fn closed(c: &mut Checker, at: &Path, counts: &Counts) {
    use State::{
        Authorized, Cancelled, Expired, Failed, PendingApproval, Processing, Rejected, Returned,
        Succeeded,
    };
    let Counts::InStates(states) = counts else { return };
    let ways = [
        (Processing, Authorized),
        (Succeeded, Processing),
        (Failed, Processing),
        (Cancelled, Authorized),
        (Expired, Authorized),
        (Rejected, PendingApproval),
        (Returned, Succeeded),
    ];
    for (later, earlier) in ways {
        if states.contains(&later) && !states.contains(&earlier) {
            let text = format!(
                "a payout would enter the count when it is {later:?}, unjudged; list {earlier:?} too, or read a measure in a condition"
            );
            c.problem(at, InvalidValue, text);
        }
    }
}

fn bound(c: &mut Checker, at: &Path, wire: Option<&v1::Operand>, quantity: i32) -> Option<Operand> {
    let Some(wire) = wire else { return c.refuse(at, Missing, "needs a bound") };
    let bound = operand(c, at, wire, Place::Rule)?;
    if c.follows_amount(bound.of) {
        let text = "the bound follows the amount that it bounds";
        return c.refuse(at, AmountComparison, text);
    }
    let unit = match v1::Quantity::try_from(quantity) {
        Ok(v1::Quantity::Amount) => Unit::Money,
        Ok(v1::Quantity::Count) => Unit::Count,
        _ => return None,
    };
    let counted = match bound.of {
        Source::Literal(literal) => {
            literal_bound(c, &at.field("value"), literal, unit)?;
            return Some(bound);
        }
        Source::Fact(fact) => c.unit(Left::Fact(fact)),
        Source::Measure(measure) => c.unit(Left::Measure(measure)),
        Source::Number(_) => None,
    };
    if counted.is_some_and(|counted| counted != unit) {
        return c.refuse(at, WrongType, "amounts and counts do not bound each other");
    }
    Some(bound)
}

fn literal_bound(c: &mut Checker, at: &Path, literal: Amount, unit: Unit) -> Option<()> {
    let decimals = if unit == Unit::Count { 0 } else { c.decimals };
    if literal.is_negative() {
        return c.refuse(at, InvalidValue, "is below 0");
    }
    if literal.decimals() > decimals {
        let what = match unit {
            Unit::Count => "a count is a whole number".to_owned(),
            Unit::Money => format!("the currency has {decimals} decimals"),
        };
        return c.refuse(at, InvalidValue, what);
    }
    Some(())
}

/// Most entries of a rolling window: of counts, one more than the bound.
fn entries(
    c: &mut Checker,
    at: &Path,
    wire: i32,
    counting: &Counting,
    bound: &Operand,
) -> Option<usize> {
    let Ok(stated @ 0..=MAX_ENTRIES) = usize::try_from(wire) else {
        let text = format!("must be from 1 to {MAX_ENTRIES}, or 0 for {ENTRIES}");
        return c.refuse(&at.field("max_entries"), InvalidValue, text);
    };
    let Window::Rolling(_) = counting.window else {
        if stated != 0 {
            let text = "has no effect: only rolling windows keep entries";
            return c.refuse(&at.field("max_entries"), Unreachable, text);
        }
        return Some(0);
    };
    let literal = match bound.of {
        Source::Literal(literal) => Some(literal),
        _ => None,
    };
    match (counting.quantity, literal) {
        (Quantity::Count, Some(_)) if stated != 0 => {
            let text = "has no effect: a rolling count keeps one more than its bound";
            c.refuse(&at.field("max_entries"), Unreachable, text)
        }
        (Quantity::Count, Some(literal)) => {
            let whole = literal.to_units_nanos().and_then(|(n, _)| usize::try_from(n).ok());
            match whole {
                Some(bound @ 0..MAX_ENTRIES) => Some(bound + 1),
                _ => {
                    let text = format!("a rolling count is bound below {MAX_ENTRIES}");
                    c.refuse(&at.field("bound.value"), Unbounded, text)
                }
            }
        }
        _ if stated != 0 => Some(stated),
        _ => Some(ENTRIES),
    }
}

/// A draw; this version knows one, of everything, from one account.
pub fn draw(c: &mut Checker, at: &Path, wire: &v1::Draw, position: usize) -> Option<Draw> {
    c.begin_rule();
    if position > 0 {
        let text = "more than one draw is not carried out by this version of Bursar";
        c.problem(at, UnsupportedConstruct, text);
    }
    c.unsupported(wire.when.is_some(), &at.field("when"), "a draw under a condition is");
    c.unsupported(wire.cap.is_some(), &at.field("cap"), "a draw's cap is");
    c.unsupported(wire.overdraft.is_some(), &at.field("overdraft"), "overdraft is");
    c.unsupported(!wire.alternative.is_empty(), &at.field("alternative"), "alternatives are");
    c.unsupported(!wire.channel.is_empty(), &at.field("channel"), "a draw's channel is");
    let occupies = c.known(&at.field("mode"), wire.mode) == Some(v1::DrawMode::Occupy);
    c.unsupported(occupies, &at.field("mode"), "OCCUPY is");
    let account = match (&*wire.account, Id::parse(&wire.account)) {
        (_, Some(id)) => Some(id),
        ("", None) => c.refuse(&at.field("account"), Missing, "needs the id of an account"),
        (id, None) => c.refuse(&at.field("account"), InvalidValue, format!("`{id}` is not an id")),
    };
    let parts = Parts {
        id: &wire.id,
        sources: &wire.sources,
        category: wire.category,
        usual_category: Category::Funds,
        severity: wire.severity,
        stages: &wire.stages,
        on_failure: 0,
        effective: None,
        when: None,
        text: &wire.text,
        remedy: &wire.remedy,
        variants: &wire.variants,
        expected_resolution: wire.expected_resolution.as_ref(),
        variants_stand: Place::DrawVariant,
        placeholders: Placeholders::Draw,
    };
    let rule = rule(c, at, &parts);
    Some(Draw { rule: rule?, account: account? })
}
