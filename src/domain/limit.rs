//! What rules of a policy are made of: limits, measures, conditions, draws.

use std::time::Duration;

use super::{
    amount::Factor,
    condition::{Operand, Predicate},
    finding::{Category, Severity},
    instant::Instant,
    meter::Shape,
    name::Id,
    payout::State,
    text::Text,
    window::Window,
};

/// What every rule has.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id in the policy.
    pub id: Text,
    /// Where it was published.
    pub sources: Vec<Text>,
    /// What kind of reason it is.
    pub category: Category,
    /// How serious it is.
    pub severity: Severity,
    /// The stages it is asked at.
    pub stages: Stages,
    /// What happens when it does not hold.
    pub on_failure: OnFailure,
    /// When it is in force: from (inclusive), until (exclusive).
    pub effective: (Option<Instant>, Option<Instant>),
    /// Applies only when this holds.
    pub when: Predicate,
    /// Different answers, first match wins.
    pub variants: Vec<Variant>,
    /// How long it usually takes to resolve.
    pub expected_resolution: Option<Duration>,
    /// What happened, and what to do.
    pub texts: Texts,
}

/// A text and a remedy, by language.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// What happened.
    pub text: Localized,
    /// What to do about it.
    pub remedy: Localized,
}

/// One text in several languages; holds at least zh-CN and en.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Localized(pub Vec<(Text, Text)>);

impl Localized {
    /// The text in a language, else in English, else any.
    pub fn get(&self, language: &str) -> &str {
        let find = |wanted: &str| self.0.iter().find(|(l, _)| &**l == wanted);
        find(language)
            .or_else(|| find("en"))
            .or_else(|| self.0.first())
            .map_or("", |(_, text)| text)
    }
}

/// One of several ways a rule can say no.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its id.
    pub id: Text,
    /// When it applies.
    pub when: Predicate,
    /// Instead of the rule's.
    pub category: Option<Category>,
    /// Instead of the rule's.
    pub severity: Option<Severity>,
    /// Instead of the rule's.
    pub expected_resolution: Option<Duration>,
    /// What happened, and what to do.
    pub texts: Texts,
}

/// A point on the merchant's way at which a decision is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Stage {
    /// No amount is known yet.
    Initiate = 1,
    /// The amount is known.
    FillIn = 2,
    /// All rules.
    Confirm = 4,
}

/// Several stages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stages(u8);

impl Stages {
    /// Whether this stage is among them.
    pub fn has(self, stage: Stage) -> bool {
        self.0 & stage as u8 != 0
    }
}

impl FromIterator<Stage> for Stages {
    fn from_iter<T: IntoIterator<Item = Stage>>(stages: T) -> Self {
        Self(stages.into_iter().fold(0, |set, stage| set | stage as u8))
    }
}

/// What happens when a rule does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// The request is denied.
    Deny,
    /// The request is held and waits for approval.
    Review,
    /// The receipt warns.
    Warn,
}

/// A rule that compares facts.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What every rule has.
    pub rule: Rule,
    /// Must hold.
    pub require: Predicate,
}

/// What a meter adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// Gross amounts.
    Amount,
    /// Payouts.
    Count,
}

/// Which payouts a meter counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Counts {
    /// Those that are under way or succeeded.
    Live,
    /// Every one that was authorized.
    Attempts,
    /// Those in one of these states.
    InStates(Vec<State>),
}

/// What a return after success gives back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnReturn {
    /// Nothing.
    Keep,
    /// What was returned.
    Restore,
}

/// What is counted, and over what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// What is added up.
    pub quantity: Quantity,
    /// Facts it is counted over, by position; the request's amount apart.
    pub scope: Vec<usize>,
    /// Whether the request's amount is part of the scope.
    pub by_amount: bool,
    /// The time it covers.
    pub window: Window,
    /// Which payouts count.
    pub counts: Counts,
    /// What a return gives back.
    pub on_return: OnReturn,
}

impl Counting {
    /// The shape of its meters.
    pub fn shape(&self) -> Shape {
        match (&self.window, self.by_amount) {
            (Window::Rolling(_), _) => Shape::Rolling,
            (_, true) => Shape::ByAmount,
            (_, false) => Shape::Fixed,
        }
    }
}

/// A rule that bounds use.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What every rule has.
    pub rule: Rule,
    /// What is counted.
    pub counting: Counting,
    /// At most this much.
    pub bound: Operand,
    /// Most entries of a rolling window.
    pub max_entries: usize,
}

/// A meter without a bound.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Its id in the policy.
    pub id: Text,
    /// Counts only what this holds for.
    pub when: Predicate,
    /// What is counted.
    pub counting: Counting,
}

/// An account a payout holds.
#[derive(Clone, Debug)]
pub struct Draw {
    /// What every rule has.
    pub rule: Rule,
    /// Id of the shop's account.
    pub account: Id,
}

impl Draw {
    /// Its share of the payout; draws of a part come with a later construct.
    pub const SHARE: Factor = Factor::ONE;
}
