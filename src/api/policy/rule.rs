//! What conditions, limits and draws have in common.

use std::collections::BTreeMap;

use crate::{
    domain::{
        condition::Predicate,
        finding::{Category, Severity},
        limit::{OnFailure, Rule, Stage, Stages, Texts, Variant},
        text::Text,
    },
    proto::v1,
};

use super::{
    checker::Checker,
    number::Place,
    path::Path,
    predicate,
    problem::PolicyReason::{InvalidValue, Missing, Unreachable},
    text::{self, Placeholders},
    time,
};

/// A rule's common parts on the wire.
pub struct Parts<'a> {
    /// Its id.
    pub id: &'a str,
    /// Where it was published.
    pub sources: &'a [String],
    /// What kind of reason it is.
    pub category: i32,
    /// Taken if that is not stated.
    pub usual_category: Category,
    /// How serious it is.
    pub severity: i32,
    /// The stages it is asked at.
    pub stages: &'a [i32],
    /// What happens when it does not hold.
    pub on_failure: i32,
    /// When it is in force.
    pub effective: Option<&'a v1::Effective>,
    /// Applies only when this holds.
    pub when: Option<&'a v1::Predicate>,
    /// What happened.
    pub text: &'a BTreeMap<String, String>,
    /// What to do about it.
    pub remedy: &'a BTreeMap<String, String>,
    /// Different answers.
    pub variants: &'a [v1::Variant],
    /// How long it usually takes to resolve.
    pub expected_resolution: Option<&'a prost_types::Duration>,
    /// Where its variants stand.
    pub variants_stand: Place,
    /// What its texts may hold.
    pub placeholders: Placeholders,
}

/// A rule's common parts. Comes after all else that the rule looks at: texts
/// may name only that.
pub fn rule(c: &mut Checker, at: &Path, parts: &Parts<'_>) -> Option<Rule> {
    let id = c.id(&at.field("id"), parts.id);
    let sources = sources(c, &at.field("sources"), parts.sources);
    let category = category(c, &at.field("category"), parts.category);
    let severity = severity(c, &at.field("severity"), parts.severity);
    let stages = stages(c, &at.field("stages"), parts.stages);
    let when = predicate::optional(c, &at.field("when"), parts.when, Place::Rule);
    let on_failure = on_failure(c, &at.field("on_failure"), parts.on_failure);
    let effective = time::effective(c, &at.field("effective"), parts.effective);
    let resolution = time::optional(c, &at.field("expected_resolution"), parts.expected_resolution);
    let whens = variant_conditions(c, &at.field("variants"), parts);
    let texts = texts(c, at, parts.text, parts.remedy, parts.placeholders);
    let variants = variants(c, &at.field("variants"), parts, whens);
    let category = match category? {
        Category::Unspecified => parts.usual_category,
        stated => stated,
    };
    Some(Rule {
        id: id?,
        sources: sources?,
        category,
        severity: severity?,
        stages: stages?,
        on_failure: on_failure?,
        effective: effective?,
        when: when?,
        variants: variants?,
        expected_resolution: resolution?,
        texts: texts?,
    })
}

/// Where something was published.
pub fn sources(c: &mut Checker, at: &Path, wire: &[String]) -> Option<Vec<Text>> {
    let before = c.problems.len();
    for (position, source) in wire.iter().enumerate() {
        if source.trim().is_empty() {
            c.problem(&at.at(position), Missing, "is blank");
        }
        one_line(c, &at.at(position), source);
    }
    (c.problems.len() == before).then(|| wire.iter().map(|s| s.as_str().into()).collect())
}

/// Checks that a text is one line, as it is shown in tables.
pub fn one_line(c: &mut Checker, at: &Path, text: &str) {
    if text.chars().any(char::is_control) {
        c.problem(at, InvalidValue, "has control characters such as line breaks");
    }
}

fn texts(
    c: &mut Checker,
    at: &Path,
    text: &BTreeMap<String, String>,
    remedy: &BTreeMap<String, String>,
    placeholders: Placeholders,
) -> Option<Texts> {
    let text = text::localized(c, &at.field("text"), text, placeholders);
    let remedy = text::localized(c, &at.field("remedy"), remedy, placeholders);
    Some(Texts { text: text?, remedy: remedy? })
}

/// Every variant's condition. All come before any text, which may name facts
/// that any of them looks at.
fn variant_conditions(c: &mut Checker, at: &Path, parts: &Parts<'_>) -> Vec<Option<Predicate>> {
    let mut earlier: Vec<Option<Predicate>> = Vec::with_capacity(parts.variants.len());
    for (position, wire) in parts.variants.iter().enumerate() {
        let at = at.at(position);
        let stand = parts.variants_stand;
        let when = predicate::optional(c, &at.field("when"), wire.when.as_ref(), stand);
        if let Some(shadow) =
            earlier.iter().position(|e| *e == Some(Predicate::TRUE) || (e.is_some() && *e == when))
        {
            let text = format!("never applies: variants[{shadow}] applies first");
            c.problem(&at, Unreachable, text);
        }
        earlier.push(when);
    }
    earlier
}

fn variants(
    c: &mut Checker,
    at: &Path,
    parts: &Parts<'_>,
    whens: Vec<Option<Predicate>>,
) -> Option<Vec<Variant>> {
    let all: Vec<_> = parts
        .variants
        .iter()
        .zip(whens)
        .enumerate()
        .map(|(position, (wire, when))| variant(c, &at.at(position), parts, wire, when))
        .collect();
    all.into_iter().collect()
}

fn variant(
    c: &mut Checker,
    at: &Path,
    parts: &Parts<'_>,
    wire: &v1::Variant,
    when: Option<Predicate>,
) -> Option<Variant> {
    let id = c.id(&at.field("id"), &wire.id);
    let category = category(c, &at.field("category"), wire.category);
    let severity = severity(c, &at.field("severity"), wire.severity);
    let resolution =
        time::optional(c, &at.field("expected_resolution"), wire.expected_resolution.as_ref());
    let texts = texts(c, at, &wire.text, &wire.remedy, parts.placeholders);
    Some(Variant {
        id: id?,
        when: when?,
        category: category.map(|c| (c != Category::Unspecified).then_some(c))?,
        severity: severity.map(|s| (s != Severity::Unspecified).then_some(s))?,
        expected_resolution: resolution?,
        texts: texts?,
    })
}

fn category(c: &mut Checker, at: &Path, wire: i32) -> Option<Category> {
    Some(match c.known(at, wire)? {
        v1::Category::Unspecified => Category::Unspecified,
        v1::Category::Eligibility => Category::Eligibility,
        v1::Category::Permission => Category::Permission,
        v1::Category::Limit => Category::Limit,
        v1::Category::Funds => Category::Funds,
        v1::Category::Freeze => Category::Freeze,
        v1::Category::Risk => Category::Risk,
        v1::Category::Approval => Category::Approval,
    })
}

/// How serious something is.
pub fn severity(c: &mut Checker, at: &Path, wire: i32) -> Option<Severity> {
    Some(match c.known(at, wire)? {
        v1::Severity::Unspecified => Severity::Unspecified,
        v1::Severity::Info => Severity::Info,
        v1::Severity::Low => Severity::Low,
        v1::Severity::Medium => Severity::Medium,
        v1::Severity::High => Severity::High,
    })
}

/// The stages a rule is asked at. CONFIRM asks all rules, so it is always one.
fn stages(c: &mut Checker, at: &Path, wire: &[i32]) -> Option<Stages> {
    let before = c.problems.len();
    let mut stages = Vec::with_capacity(wire.len());
    for (position, number) in wire.iter().enumerate() {
        let at = at.at(position);
        let Some(stage) = c.known(&at, *number) else { continue };
        let stage = match stage {
            v1::Stage::Initiate => Stage::Initiate,
            v1::Stage::FillIn => Stage::FillIn,
            v1::Stage::Unspecified | v1::Stage::Confirm => Stage::Confirm,
        };
        if stages.contains(&stage) {
            c.problem(&at, Unreachable, "is listed already");
        }
        stages.push(stage);
    }
    if stages.is_empty() {
        stages.push(Stage::Confirm);
    }
    if c.problems.len() == before && !stages.contains(&Stage::Confirm) {
        let text = "without CONFIRM it is never asked when a payout is authorized";
        c.problem(at, Unreachable, text);
    }
    (c.problems.len() == before).then(|| stages.into_iter().collect())
}

fn on_failure(c: &mut Checker, at: &Path, wire: i32) -> Option<OnFailure> {
    match c.known(at, wire)? {
        v1::OnFailure::Unspecified | v1::OnFailure::Deny => Some(OnFailure::Deny),
        v1::OnFailure::Warn => Some(OnFailure::Warn),
        v1::OnFailure::Review => {
            c.unsupported(true, at, "REVIEW is");
            None
        }
    }
}
