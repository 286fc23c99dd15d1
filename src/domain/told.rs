//! A record as the journal tells it. In short, single rows of it are made without
//! making it all: who goes on with a payout needs no more.

use std::sync::{Arc, OnceLock};

use super::{
    account::Position,
    allowed::Allowed,
    amount::Amount,
    change::{Change, Record, made_by},
    instant::Instant,
    key::Key,
    name::{Id, OrderName},
    named::Named,
    order::Order,
    request::{Fingerprint, RequestKey},
    row::Row,
    template::Template,
    text::Text,
    value::Value,
    who::Author,
};

/// A record.
#[derive(Debug)]
pub enum Told {
    /// All of it.
    AtLength(Arc<Record>),
    /// What it is made of.
    InShort(Box<InShort>),
}

/// An authorization in short, as it was read: see [`Allowed`].
#[derive(Debug)]
pub struct InShort {
    /// What it has in common with others.
    pub template: Arc<Template>,
    /// The record's place in the journal.
    pub sequence: u64,
    /// When it was decided.
    pub at: Instant,
    /// Who asked.
    pub author: Author,
    /// The id of the decision and its payout.
    pub id: Id,
    /// Which request.
    pub request: RequestKey,
    /// What the request said.
    pub content: Fingerprint,
    /// The order, as it came along.
    pub order: Order,
    /// Who gets it.
    pub payee: Text,
    /// What it is for.
    pub purpose: Text,
    /// Facts that were sent.
    pub facts: Arc<Named<Value>>,
    /// How much.
    pub amount: Amount,
    /// What was used and held, of each limit and then measure that reads numbers.
    pub numbers: Vec<(Amount, Amount)>,
    /// What the accounts stood at that it draws from.
    pub positions: Vec<Position>,
    /// What was made of it.
    pub placed: Placed,
}

/// That a record does not fit its template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Misfit;

/// The payout, and what it changes of meters and balances, once somebody asked.
#[derive(Debug, Default)]
pub struct Placed(OnceLock<Option<(Arc<Row>, Vec<Change>)>>);

impl Told {
    /// The record's place in the journal.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::AtLength(record) => record.sequence,
            Self::InShort(told) => told.sequence,
        }
    }

    /// When it was written.
    pub fn at(&self) -> Instant {
        match self {
            Self::AtLength(record) => record.at,
            Self::InShort(told) => told.at,
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// If it does not fit its template.
    pub fn record(&self) -> Result<Arc<Record>, Misfit> {
        match self {
            Self::AtLength(record) => Ok(record.clone()),
            Self::InShort(told) => told.allowed().record().map(Arc::new).ok_or(Misfit),
        }
    }

    /// A row as it made it: wrote it whole, or else added up of nothing.
    ///
    /// # Errors
    /// If it does not fit its template.
    pub fn row(&self, is_it: impl Fn(&Key) -> bool) -> Result<Option<Arc<Row>>, Misfit> {
        match self {
            Self::AtLength(record) => Ok(made_by(&record.changes, is_it)),
            Self::InShort(told) => told.row(is_it),
        }
    }

    /// The payouts of an order that it made.
    pub fn payouts_of(&self, order: &OrderName) -> Vec<Id> {
        match self {
            Self::AtLength(record) => {
                let puts = record.changes.iter().filter_map(Change::as_put);
                let payouts = puts.filter_map(|row| match row {
                    Row::PayoutOfOrder(of, payout) if of == order => Some(payout.clone()),
                    _ => None,
                });
                payouts.collect()
            }
            Self::InShort(told) if told.order.name == *order => vec![told.id.clone()],
            Self::InShort(_) => Vec::new(),
        }
    }
}

impl InShort {
    /// What it says, for who does not keep it.
    pub fn allowed(&self) -> Allowed<'_> {
        let Self { template, sequence, at, author, id, request, content, order, .. } = self;
        let Self { payee, purpose, facts, amount, numbers, positions, .. } = self;
        Allowed {
            template: template.clone(),
            sequence: *sequence,
            at: *at,
            author,
            id,
            request,
            content,
            order,
            payee,
            purpose,
            facts,
            amount: *amount,
            numbers: numbers.into(),
            positions: positions.into(),
        }
    }

    fn row(&self, is_it: impl Fn(&Key) -> bool) -> Result<Option<Arc<Row>>, Misfit> {
        let allowed = self.allowed();
        let keys = allowed.keys().chain(allowed.implied());
        Ok(Some(match keys.filter(|key| !key.runs()).find(&is_it) {
            Some(Key::Payout(_)) => self.placed(&allowed)?.0.clone(),
            Some(Key::Order(_)) => Arc::new(Row::Order(allowed.new_order())),
            Some(Key::Request(_)) => Arc::new(Row::Request(allowed.new_request())),
            Some(Key::PayoutOfOrder(..)) => Arc::new(allowed.new_of_order()),
            Some(Key::Due(at, payout)) => Arc::new(Row::Due(at, payout)),
            Some(Key::Decision(_)) => {
                let decision = allowed.decision_at_length().ok_or(Misfit)?;
                Arc::new(Row::Decision(Arc::new(decision)))
            }
            _ => return Ok(made_by(&self.placed(&allowed)?.1, is_it)),
        }))
    }

    fn placed(&self, allowed: &Allowed<'_>) -> Result<&(Arc<Row>, Vec<Change>), Misfit> {
        let make = || {
            let (payout, changes) = allowed.payout_and_changes()?;
            Some((Arc::new(Row::Payout(Arc::new(payout))), changes))
        };
        self.placed.0.get_or_init(make).as_ref().ok_or(Misfit)
    }
}
