//! Orders, versioned by their source's clock.

use super::{
    amount::{Amount, Currency},
    instant::Instant,
    name::OrderName,
    text::Text,
    value::Facts,
    who::{Role, RoleSet},
};

/// The newest version of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Its name.
    pub name: OrderName,
    /// What the buyer paid.
    pub paid: Option<(Amount, Currency)>,
    /// When it was placed.
    pub place_time: Option<Instant>,
    /// Registered facts.
    pub facts: std::sync::Arc<Facts>,
    /// The roles of who said what it is, for `paid` and `place_time`.
    pub asserted_by: RoleSet,
    /// When it was like this, by its source.
    pub source_time: Instant,
    /// When this version was recorded.
    pub update_time: Instant,
    /// Who sent it.
    pub caller: Text,
}

impl Order {
    /// What decides between two versions: the marketplace's word stands above
    /// anybody else's, so that a shop cannot pre-empt it; then the newer one.
    pub fn precedence(&self) -> (bool, Instant) {
        let roles = self.asserted_by;
        (roles.has(Role::Platform) || roles.has(Role::Admin), self.source_time)
    }

    /// Whether another version takes this one's place.
    pub fn yields_to(&self, other: &Self) -> bool {
        other.precedence() > self.precedence()
    }

    /// The first field in which two versions of the same instant differ.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.paid != other.paid {
            return Some("paid_amount");
        }
        if self.place_time != other.place_time {
            return Some("place_time");
        }
        let same = self.facts.len() == other.facts.len()
            && self
                .facts
                .iter()
                .zip(other.facts.iter())
                .all(|(a, b)| a.0 == b.0 && a.1.value == b.1.value);
        (!same).then_some("facts")
    }
}
