//! Texts of a policy: languages and placeholders. Renders nothing.

use std::collections::BTreeMap;

use crate::domain::limit::Localized;

use super::{
    checker::Checker,
    nearest,
    path::Path,
    problem::PolicyReason::{InvalidValue, Missing},
};

/// Languages that every text needs.
const LANGUAGES: [&str; 2] = ["zh-CN", "en"];

/// Which placeholders a text may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placeholders {
    /// None.
    Plain,
    /// Of a condition's finding, which has no numbers.
    Condition,
    /// Of a limit's finding.
    Limit,
    /// Of a draw's finding, which has no use of its own.
    Draw,
    /// Of an alert.
    Alert,
}

impl Placeholders {
    /// Their names; facts apart.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Condition => &["reset_time", "max_amount"],
            Self::Limit => &[
                "limit",
                "used",
                "held",
                "requested",
                "remaining",
                "short_by",
                "unit",
                "reset_time",
                "max_amount",
            ],
            Self::Draw => &[
                "limit",
                "held",
                "requested",
                "remaining",
                "short_by",
                "unit",
                "reset_time",
                "max_amount",
            ],
            Self::Alert => &["payout", "amount", "reason"],
        }
    }

    /// Whether facts may be named.
    fn facts(self) -> bool {
        matches!(self, Self::Condition | Self::Limit | Self::Draw)
    }
}

/// A text in all the languages that it needs.
pub fn localized(
    c: &mut Checker,
    at: &Path,
    wire: &BTreeMap<String, String>,
    placeholders: Placeholders,
) -> Option<Localized> {
    let before = c.problems.len();
    if wire.is_empty() {
        c.problem(at, Missing, "needs a text in zh-CN and en");
    } else {
        for language in LANGUAGES {
            if !wire.contains_key(language) {
                c.problem(&at.key(language), Missing, format!("needs a text in {language}"));
            }
        }
    }
    for (language, text) in wire {
        let at = at.key(language);
        let tag = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if language.is_empty() || !language.bytes().all(tag) {
            c.problem(&at, InvalidValue, "is not a language such as `zh-CN`");
        }
        if text.trim().is_empty() {
            c.problem(&at, Missing, "is blank");
        }
        // Merchants and terminals are shown them; lines may be broken.
        if text.chars().any(|c| c.is_control() && c != '\n') {
            c.problem(&at, InvalidValue, "has control characters");
        }
        check_placeholders(c, &at, text, placeholders);
    }
    let texts =
        wire.iter().map(|(language, text)| (language.as_str().into(), text.as_str().into()));
    (c.problems.len() == before).then(|| Localized(texts.collect()))
}

/// A text that may be left out, but then in every language.
pub fn optional(
    c: &mut Checker,
    at: &Path,
    wire: &BTreeMap<String, String>,
    placeholders: Placeholders,
) -> Option<Localized> {
    if wire.is_empty() {
        return Some(Localized::default());
    }
    localized(c, at, wire, placeholders)
}

fn check_placeholders(c: &mut Checker, at: &Path, text: &str, placeholders: Placeholders) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}').filter(|(name, _)| !name.contains('{'))
        else {
            c.problem(at, InvalidValue, "has a `{` without its `}`");
            return;
        };
        stray_brace(c, at, before);
        check_placeholder(c, at, name, placeholders);
        rest = tail;
    }
    stray_brace(c, at, rest);
}

fn stray_brace(c: &mut Checker, at: &Path, text: &str) {
    if text.contains('}') {
        c.problem(at, InvalidValue, "has a `}` without its `{`");
    }
}

fn check_placeholder(c: &mut Checker, at: &Path, name: &str, placeholders: Placeholders) {
    if let Some(fact) = name.strip_prefix("fact:").filter(|_| placeholders.facts()) {
        // A finding carries what its rule looked at and nothing else.
        if let Some(position) = c.find_fact(at, fact)
            && !c.looks_at(position)
        {
            let text = format!("`{{{name}}}`: this rule does not look at `{fact}`");
            c.problem(at, InvalidValue, text);
        }
    } else if !placeholders.names().contains(&name) {
        let hint = nearest::hint(name, placeholders.names().iter().copied());
        c.problem(at, InvalidValue, format!("`{{{name}}}` means nothing here{hint}"));
    }
}
