//! Paths of fields as problems name them: `limits[3].text["en"]`.

use std::fmt;

/// Where in the policy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Path(String);

impl Path {
    /// A top-level field.
    pub fn of(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A field of the message here; of the whole policy, a top-level one.
    pub fn field(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::of(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// An element of the list here, by position.
    pub fn at(&self, position: usize) -> Self {
        Self(format!("{}[{position}]", self.0))
    }

    /// An element of the list here, by its id.
    pub fn element(&self, id: &str) -> Self {
        Self(format!("{}[{id}]", self.0))
    }

    /// An entry of the map here.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key:?}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
