//! Values of facts and where they come from. Gives them no meaning.

use std::fmt;

use smol_str::format_smolstr;

use super::{amount::Amount, instant::Instant, named::Named, text::Text, who::RoleSet};

/// One value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// Text.
    Text(Text),
    /// True or false.
    Bool(bool),
    /// An exact decimal.
    Decimal(Amount),
    /// An instant.
    Time(Instant),
    /// Several texts, sorted and without repeats.
    List(Vec<Text>),
}

impl Value {
    /// About how many bytes it takes written out.
    pub fn written_out(&self) -> usize {
        /// Of what has no more digits than there are.
        const SHORT: usize = 32;
        match self {
            Self::Text(text) => text.len(),
            Self::List(texts) => texts.iter().map(|text| text.len() + 1).sum(),
            Self::Bool(_) | Self::Decimal(_) | Self::Time(_) => SHORT,
        }
    }

    /// Its type.
    pub fn kind(&self) -> ValueType {
        match self {
            Self::Text(_) => ValueType::Text,
            Self::Bool(_) => ValueType::Bool,
            Self::Decimal(_) => ValueType::Decimal,
            Self::Time(_) => ValueType::Time,
            Self::List(_) => ValueType::List,
        }
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// The value written out.
    pub fn to_text(&self) -> Text {
        match self {
            Self::Text(text) => text.clone(),
            other => format_smolstr!("{other}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(flag) => flag.fmt(f),
            Self::Decimal(amount) => amount.fmt(f),
            Self::Time(instant) => instant.fmt(f),
            Self::List(values) => f.write_str(&values.join(", ")),
        }
    }
}

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// An exact decimal.
    Decimal,
    /// An instant.
    Time,
    /// Several texts.
    List,
}

/// Registered facts by name, each with the roles of whoever asserted it.
pub type Facts = Named<Fact>;

/// A registered fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// What was said.
    pub value: Value,
    /// The roles of who said it.
    pub asserted_by: RoleSet,
}
