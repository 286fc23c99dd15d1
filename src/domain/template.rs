//! What the records of payouts have in common that an operator is allowed under
//! one revision, while nothing is configured anew: all but what was asked, by
//! whom and when, and the numbers that were read.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    amount::{Amount, Currency},
    instant::Instant,
    limit::{Counting, Counts, OnReturn, Quantity},
    meter::{MeterKey, Phase, Shape},
    name::{Id, OperatorName, RevisionName, ShopName},
    payout::{CountsWhile, Holding, State},
    text::Text,
    value::Value,
    window::Window,
};

/// Most facts that a policy has.
pub const MOST_FACTS: usize = 200;

/// Values of facts by position, as far as they are configured.
pub type Constants = Vec<Option<Value>>;
/// Where the values of facts come from, by position.
pub type FactSources = Vec<FactSource>;

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub struct Template {
    /// The shop.
    pub shop: ShopName,
    /// The operator.
    pub operator: Option<OperatorName>,
    /// The revision in force.
    pub revision: RevisionName,
    /// What is configured of the facts.
    pub facts: Arc<Constants>,
    /// The meters that parts are of, but those of the order.
    pub meters: Vec<MeterKey>,
    /// What the templates of others have as well.
    pub common: Arc<Common>,
    /// As it is written, without what it has in common.
    pub written: Written,
}

/// What templates of a policy have in common, of operators of a kind: there are
/// many operators, and what each of them has by itself is nowhere near.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Common {
    /// The policy's currency.
    pub currency: Currency,
    /// How long is held. `None`: for ever.
    pub hold: Option<Duration>,
    /// When the next revision comes into force.
    pub next_revision: Option<Instant>,
    /// Where the facts come from.
    pub sources: Arc<FactSources>,
    /// Names of the policy's dimensions, and their facts.
    pub dimensions: Vec<(Text, usize)>,
    /// What limits read, by position.
    pub limits: Vec<Read>,
    /// What measures read, by position.
    pub measures: Vec<Read>,
    /// What a payout has of meters.
    pub parts: Vec<Part>,
    /// The accounts of the shop it draws from.
    pub draws: Vec<Id>,
    /// As it is written.
    pub written: Written,
}

impl Common {
    /// When a hold expires that was made at an instant.
    pub fn expire_time(&self, at: Instant) -> Option<Instant> {
        self.hold.map(|within| at.plus(within))
    }

    /// Whether a policy can have it: as many facts as there may be, no two of them the
    /// same one of an order or a request, none a dimension twice, and nothing is over
    /// a fact that is not there.
    pub fn can_be(&self) -> bool {
        let Self { sources, dimensions, parts, .. } = self;
        let is_fact = |index: usize| index < sources.len();
        let mut keys = BTreeSet::new();
        let mut of_others = sources.iter().filter_map(|source| match source {
            FactSource::Order(key) => Some((true, key)),
            FactSource::Request(key) => Some((false, key)),
            _ => None,
        });
        let mut dimension = BTreeSet::new();
        let mut dimensions = dimensions.iter().map(|(_, index)| *index);
        let over = |over: &Over| match over {
            Over::Fact(index) | Over::IdOfShop(index) => is_fact(*index),
        };
        let mut scopes = parts.iter().filter_map(|part| match &part.of {
            PartOf::Order { scope, .. } => Some(scope),
            PartOf::Meter(_) => None,
        });
        sources.len() <= MOST_FACTS
            && of_others.all(|key| keys.insert(key))
            && dimensions.all(|index| is_fact(index) && dimension.insert(index))
            && scopes.all(|scope| scope.len() <= MOST_FACTS && scope.iter().all(over))
    }
}

/// Something as bytes, made by whoever writes it first and kept for the next time.
#[derive(Clone, Debug, Default)]
pub struct Written(OnceLock<Box<[u8]>>);

/// It says nothing that what it is of does not say.
impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

impl Written {
    /// The bytes.
    pub fn bytes(&self, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.0.get_or_init(|| write().into())
    }
}

/// Where the value of a fact comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FactSource {
    /// What is configured; if nothing is, it has none.
    Configured,
    /// Who gets it.
    Payee,
    /// What it is for.
    Purpose,
    /// The order's id.
    OrderId,
    /// That there is an order.
    OrderExists,
    /// What was paid for the order.
    OrderPaid,
    /// When the order was placed.
    OrderPlaceTime,
    /// The order's facts, under this key.
    Order(Text),
    /// The facts that were sent, under this key.
    Request(Text),
}

/// What a limit or measure reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// Nothing: its window is a single payout.
    Nothing,
    /// Nothing was counted yet, in this calendar window: it counts over an order that
    /// is new.
    Empty(Option<(Instant, Instant)>),
    /// What was used and is held, in this calendar window.
    Numbers(Option<(Instant, Instant)>),
}

/// What a payout has of a meter, but when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which meter.
    pub of: PartOf,
    /// The meter's shape.
    pub shape: Shape,
    /// Length of a rolling window.
    pub rolling: Option<Duration>,
    /// Whether its amount is added up, or 1.
    pub adds_amount: bool,
    /// When it counts.
    pub counts: CountsWhile,
    /// What a return gives back.
    pub on_return: OnReturn,
}

/// Which meter a part is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PartOf {
    /// This one, by its place in the template.
    Meter(usize),
    /// One of the order.
    Order {
        /// Id of the limit or measure.
        rule: Text,
        /// What it counts over besides the order.
        scope: Vec<Over>,
        /// Start of its calendar window.
        window_start: Option<Instant>,
    },
}

/// What a meter counts over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// The value of this fact.
    Fact(usize),
    /// The same, of an id that is unique only within its shop.
    IdOfShop(usize),
}

impl Part {
    /// The part of a payout that is counted so.
    pub fn new(of: PartOf, counting: &Counting) -> Self {
        Self {
            of,
            shape: counting.shape(),
            rolling: if let Window::Rolling(length) = counting.window {
                Some(length)
            } else {
                None
            },
            adds_amount: counting.quantity == Quantity::Amount,
            counts: match &counting.counts {
                Counts::Live => CountsWhile::Live,
                Counts::Attempts => CountsWhile::Always,
                Counts::InStates(states) => CountsWhile::InStates(states.clone()),
            },
            on_return: counting.on_return,
        }
    }

    /// The part as a payout carries it, before it counts.
    pub fn holding(&self, key: MeterKey) -> Holding {
        let Self { of: _, shape, rolling, adds_amount, counts, on_return } = self;
        Holding {
            key,
            shape: *shape,
            rolling: *rolling,
            adds_amount: *adds_amount,
            counts: counts.clone(),
            on_return: *on_return,
            now: None,
        }
    }

    /// How a payout that was just authorized counts, held until an instant or for
    /// ever.
    pub fn at_first(&self, amount: Amount, until: Option<Instant>) -> Option<(Phase, Amount)> {
        let held = until.map_or(Phase::Held, Phase::Expiring);
        let phase = match &self.counts {
            CountsWhile::Always => Phase::Used,
            CountsWhile::Live => held,
            CountsWhile::InStates(states) if states.contains(&State::Authorized) => held,
            CountsWhile::InStates(_) => return None,
        };
        Some((phase, if self.adds_amount { amount } else { Amount::ONE }))
    }
}
