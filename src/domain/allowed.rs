//! An authorization that every rule allowed, about an order that came along and
//! was not seen before, in short: what its record says beyond its [`Template`].
//! The record follows from it, so that nothing of it has to be made before somebody
//! reads it.

use std::{borrow::Cow, sync::Arc};

use super::{
    account::{BalanceChange, Position},
    amount::Amount,
    cell::{CellKey, Celled},
    change::{Change, Record},
    decision::{Answer, DECISION_VERSION, Decision, Inputs, Reading, Verdict},
    event::{Event, EventKind},
    instant::Instant,
    key::Key,
    limit::Stage,
    meter::{MeterKey, Metered, Phase, Step},
    name::Id,
    named::Named,
    order::Order,
    payout::{Drawn, Holding, Payout, State},
    placing::place,
    request::{Answered, Fingerprint, Request, RequestKey},
    row::Row,
    scope::{id_text, plain_text, within_shop},
    template::{Common, FactSource, Over, Part, PartOf, Read, Template},
    text::Text,
    value::Value,
    who::Author,
};

/// What is called.
pub const OPERATION: &str = "AuthorizePayout";

/// See the module.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    /// What it has in common with others.
    pub template: Arc<Template>,
    /// The record's place in the journal.
    pub sequence: u64,
    /// When it was decided.
    pub at: Instant,
    /// Who asked.
    pub author: &'a Author,
    /// The id of the decision and its payout.
    pub id: &'a Id,
    /// Which request.
    pub request: &'a RequestKey,
    /// What the request said.
    pub content: &'a Fingerprint,
    /// The order, as it came along.
    pub order: &'a Order,
    /// Who gets it.
    pub payee: &'a Text,
    /// What it is for.
    pub purpose: &'a Text,
    /// Facts that were sent.
    pub facts: &'a Arc<Named<Value>>,
    /// How much.
    pub amount: Amount,
    /// What was used and held, of each limit and then measure that reads numbers.
    pub numbers: Cow<'a, [(Amount, Amount)]>,
    /// What the accounts stood at that it draws from. All of them are there.
    pub positions: Cow<'a, [Position]>,
}

/// Where a payout counts that others count too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// In this of its template's meters.
    Meter(usize),
    /// Against this of the accounts that it draws from.
    Draw(usize),
}

/// What it changes of a meter or an account.
#[derive(Clone, Debug)]
pub enum Running<'a> {
    /// A payout's part of a meter.
    Meter(Step<'a>),
    /// The money on an account.
    Balance(BalanceChange),
}

impl Running<'_> {
    /// The change, of pieces of its own.
    pub fn change(self) -> Change {
        match self {
            Self::Meter(step) => Change::Meter(step.change()),
            Self::Balance(change) => Change::Balance(change),
        }
    }

    /// The row after it, from the row before it.
    pub fn apply(&self, row: Option<Arc<Row>>) -> Arc<Row> {
        match self {
            Self::Meter(step) => step.apply(row),
            Self::Balance(change) => change.applied_to(row),
        }
    }
}

impl Allowed<'_> {
    /// When its hold expires.
    pub fn expire_time(&self) -> Option<Instant> {
        self.template.common.expire_time(self.at)
    }

    /// The value of a fact. `None`: it has none, or there is no such fact.
    pub fn fact(&self, index: usize) -> Option<Cow<'_, Value>> {
        let text = |text: &Text| (!text.is_empty()).then(|| Value::Text(text.clone()));
        Some(match self.template.common.sources.get(index)? {
            FactSource::Configured => {
                return self.template.facts.get(index)?.as_ref().map(Cow::Borrowed);
            }
            FactSource::Order(key) => Cow::Borrowed(&self.order.facts.get(key)?.value),
            FactSource::Request(key) => Cow::Borrowed(self.facts.get(key)?),
            FactSource::Payee => Cow::Owned(text(self.payee)?),
            FactSource::Purpose => Cow::Owned(text(self.purpose)?),
            FactSource::OrderId => Cow::Owned(Value::Text(self.order.name.order.shared())),
            FactSource::OrderExists => Cow::Owned(Value::Bool(true)),
            FactSource::OrderPaid => Cow::Owned(Value::Decimal(self.order.paid?.0)),
            FactSource::OrderPlaceTime => Cow::Owned(Value::Time(self.order.place_time?)),
        })
    }

    /// Whether it fits its template, which [can be](Common::can_be): then all that
    /// follows from it is there.
    pub fn fits(&self) -> bool {
        let Template { facts, meters, common, .. } = &*self.template;
        let Common { sources, limits, measures, parts, draws, .. } = &**common;
        let reads = limits.iter().chain(measures);
        let numbers = reads.filter(|read| matches!(read, Read::Numbers(_))).count();
        let has_meter = |part: &Part| match part.of {
            PartOf::Meter(place) => place < meters.len(),
            PartOf::Order { .. } => true,
        };
        facts.len() == sources.len()
            && numbers == self.numbers.len()
            && draws.len() == self.positions.len()
            && parts.iter().all(has_meter)
    }

    /// Bytes of its facts, written out one by one.
    pub fn written_out(&self) -> usize {
        let facts = 0..self.template.facts.len();
        facts.filter_map(|index| self.fact(index)).map(|value| value.written_out()).sum()
    }

    /// The keys of the rows that it makes alone and that are asked for by them.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let payout = self.template.shop.payout(self.id.clone());
        let due = self.expire_time().map(|at| Key::Due(at, payout.clone()));
        let keys = [
            Key::Order(self.order.name.clone()),
            Key::Request(self.request.clone()),
            Key::Payout(payout),
        ];
        keys.into_iter().chain(due)
    }

    /// Those of the rows that it makes alone besides: of its decision, which has the
    /// record in its name, and of what it makes of the order, which it makes.
    pub fn implied(&self) -> impl Iterator<Item = Key> {
        let counts = self.template.common.parts.iter().any(|part| {
            let counts = part.at_first(self.amount, None).is_some();
            counts && !matches!(part.of, PartOf::Meter(_))
        });
        let keys = [
            Key::Decision(self.template.shop.decision(self.id.clone())),
            Key::PayoutOfOrder(self.order.name.clone(), self.id.clone()),
        ];
        keys.into_iter().chain(counts.then(|| Key::Cell(self.cell())))
    }

    /// What it changes of meters and balances that others change too: all that have
    /// rows of their own.
    pub fn running(&self) -> Vec<Change> {
        self.counted().map(|(_, running)| running.change()).collect()
    }

    /// The same, with what each is of.
    pub fn counted(&self) -> impl Iterator<Item = (Counted, Running<'_>)> {
        let Template { shop, meters, common, .. } = &*self.template;
        let Common { parts, draws, .. } = &**common;
        let until = self.expire_time();
        let of_meters = parts.iter().filter_map(move |part| {
            let PartOf::Meter(place) = part.of else { return None };
            let step = Step {
                key: meters.get(place)?,
                shape: part.shape,
                payout: self.id,
                at: self.at,
                amount: self.amount,
                before: None,
                after: Some(part.at_first(self.amount, until)?),
                forget_until: part.rolling.map(|length| self.at.minus(length)),
            };
            Some((Counted::Meter(place), Running::Meter(step)))
        });
        let after = Some((until.map_or(Phase::Held, Phase::Expiring), self.amount));
        let of_draws = draws.iter().enumerate().map(move |(place, account)| {
            let change = BalanceChange {
                account: shop.account(account.clone()),
                credit: Amount::ZERO,
                movement: false,
                before: None,
                after,
            };
            (Counted::Draw(place), Running::Balance(change))
        });
        of_meters.chain(of_draws)
    }

    /// The decision without what it was made from.
    pub fn decision(&self) -> Decision {
        let Template { shop, operator, revision, common, .. } = &*self.template;
        Decision {
            name: shop.decision(self.id.clone()),
            revision: revision.clone(),
            request_id: self.request.id.clone(),
            author: self.author.clone(),
            order: Some(self.order.name.clone()),
            operator: operator.clone(),
            sent_facts: self.facts.clone(),
            inputs: Inputs {
                now: self.at,
                stage: Stage::Confirm,
                amount: Some(self.amount),
                facts: Vec::new(),
                fact_changes: Vec::new(),
                limits: Vec::new(),
                measures: Vec::new(),
                funds: Vec::new(),
                next_revision: common.next_revision,
            },
            verdict: Verdict {
                answer: Answer::Allow,
                findings: Vec::new(),
                max_amount: None,
                max_amount_unreviewed: None,
            },
            payout: Some(self.id.clone()),
            expire_time: self.expire_time(),
            decision_version: DECISION_VERSION,
        }
    }

    /// The record. `None`: it does not fit its template.
    pub fn record(&self) -> Option<Record> {
        let shop = &self.template.shop;
        let decision = self.decision_at_length()?;
        let (payout, placed) = self.payout_and_changes()?;
        let (order, request) = (self.new_order(), self.new_request());
        let made =
            EventKind::PayoutChanged { payout: payout.name.clone(), from: None, to: payout.state };
        let kinds = [
            EventKind::Configured(order.name.text().into()),
            EventKind::Decided(decision.name.clone()),
            made,
        ];
        let event = |kind| Event { effect_time: self.at, shop: Some(shop.clone()), kind };
        let mut changes = Vec::with_capacity(5 + placed.len());
        changes.push(Change::put(Row::Order(order)));
        changes.push(Change::put(Row::Request(request)));
        changes.push(Change::put(self.new_of_order()));
        changes.extend(placed);
        changes.push(Change::put(Row::Payout(Arc::new(payout))));
        changes.push(Change::put(Row::Decision(Arc::new(decision))));
        Some(Record {
            sequence: self.sequence,
            at: self.at,
            author: self.author.clone(),
            operation: OPERATION.into(),
            changes,
            events: kinds.map(event).into(),
        })
    }

    /// The order as it is recorded.
    pub fn new_order(&self) -> Order {
        Order { update_time: self.at, ..self.order.clone() }
    }

    /// The request as it is remembered.
    pub fn new_request(&self) -> Request {
        Request {
            key: self.request.clone(),
            content: self.content.clone(),
            answered: Answered::Decision(self.id.clone()),
            at: self.at,
            forget_time: None,
        }
    }

    /// That the payout is of the order.
    pub fn new_of_order(&self) -> Row {
        Row::PayoutOfOrder(self.order.name.clone(), self.id.clone())
    }

    /// The decision with what it was made from. `None`: it does not fit its template.
    pub fn decision_at_length(&self) -> Option<Decision> {
        let mut decision = self.decision();
        self.put_inputs(&mut decision.inputs)?;
        Some(decision)
    }

    /// The payout, and what it changes of meters and balances. `None`: it does not fit
    /// its template.
    pub fn payout_and_changes(&self) -> Option<(Payout, Vec<Change>)> {
        let mut payout = self.payout()?;
        let mut changes = Vec::with_capacity(payout.holdings.len() + payout.draws.len());
        place(&mut payout, self.at, &mut changes);
        Some((payout, changes))
    }

    /// The value of a fact, which has to be one of the policy.
    fn fact_of_policy(&self, index: usize) -> Option<Option<Cow<'_, Value>>> {
        (index < self.template.common.sources.len()).then(|| self.fact(index))
    }

    /// The values of all facts.
    fn facts_at_length(&self) -> Option<Vec<Option<Value>>> {
        let Template { facts, common, .. } = &*self.template;
        (facts.len() == common.sources.len()).then_some(())?;
        Some((0..facts.len()).map(|it| self.fact(it).map(Cow::into_owned)).collect())
    }

    fn put_inputs(&self, inputs: &mut Inputs) -> Option<()> {
        let Common { limits, measures, draws, .. } = &*self.template.common;
        (draws.len() == self.positions.len()).then_some(())?;
        inputs.facts = self.facts_at_length()?;
        let mut numbers = self.numbers.iter();
        let mut read = |read: &Read| {
            Some(match *read {
                Read::Nothing => None,
                Read::Empty(window) => Some(Reading { window, ..Reading::default() }),
                Read::Numbers(window) => {
                    let (used, held) = *numbers.next()?;
                    Some(Reading { used, held, window, ..Reading::default() })
                }
            })
        };
        inputs.limits = limits.iter().map(&mut read).collect::<Option<_>>()?;
        inputs.measures = measures.iter().map(&mut read).collect::<Option<_>>()?;
        numbers.next().is_none().then_some(())?;
        let funds = |position: &Position| super::decision::Funds {
            exists: true,
            position: *position,
            relief: Vec::new(),
        };
        inputs.funds = self.positions.iter().map(funds).collect();
        Some(())
    }

    /// The payout, before it is counted anywhere.
    fn payout(&self) -> Option<Payout> {
        let Template { shop, operator, revision, facts, common, .. } = &*self.template;
        let Common { currency, dimensions, draws, sources, .. } = &**common;
        (facts.len() == sources.len()).then_some(())?;
        let dimension = |(name, index): &(Text, usize)| match self.fact_of_policy(*index) {
            None => Some(None),
            Some(None) => None,
            Some(Some(value)) => Some(Some((name.clone(), value.to_text()))),
        };
        let expire_time = self.expire_time();
        let drawn = |account: &Id| Drawn {
            account: shop.account(account.clone()),
            amount: self.amount,
            now: None,
        };
        Some(Payout {
            name: shop.payout(self.id.clone()),
            revision: revision.clone(),
            request_id: self.request.id.clone(),
            order: Some(self.order.name.clone()),
            operator: operator.clone(),
            payee: self.payee.clone(),
            purpose: self.purpose.clone(),
            currency: *currency,
            amount: self.amount,
            net_amount: self.amount,
            settled: None,
            returned: None,
            facts: self.facts.clone(),
            // One of no fact at all makes it none.
            dimensions: dimensions.iter().filter_map(dimension).collect::<Option<_>>()?,
            create_time: self.at,
            update_time: self.at,
            state_time: self.at,
            expire_time,
            state: State::Authorized,
            execution_id: None,
            execute_time: None,
            settle_time: None,
            reason: "".into(),
            flags: Vec::new(),
            settlements: Vec::new(),
            returns: Vec::new(),
            holdings: self.holdings()?,
            draws: draws.iter().map(drawn).collect(),
            caller: self.author.caller.clone(),
            fired: Vec::new(),
            due: expire_time,
        })
    }

    fn holdings(&self) -> Option<Vec<Holding>> {
        let Template { shop, meters, common, .. } = &*self.template;
        let cell = self.cell();
        // Each is written out once, however many count over it.
        let mut texts: Vec<(Over, Text)> = Vec::new();
        let mut text = |over: &Over| {
            if let Some((_, text)) = texts.iter().find(|(known, _)| known == over) {
                return Some(text.clone());
            }
            let text = match over {
                Over::Fact(index) => plain_text(self.fact_of_policy(*index)?.as_deref()),
                Over::IdOfShop(index) => {
                    id_text(self.fact_of_policy(*index)?.as_deref(), shop.shop.as_str())
                }
            };
            texts.push((*over, text.clone()));
            Some(text)
        };
        let parts = common.parts.iter().map(|part| {
            let key = match &part.of {
                PartOf::Meter(place) => meters.get(*place)?.clone(),
                PartOf::Order { rule, scope, window_start } => {
                    let scope = scope.iter().map(&mut text).collect::<Option<_>>()?;
                    let within = Metered { rule: rule.clone(), scope, window_start: *window_start };
                    MeterKey::new(cell.clone(), within)
                }
            };
            Some(part.holding(key))
        });
        parts.collect()
    }

    /// The cell of the order's meters.
    fn cell(&self) -> CellKey {
        let Template { shop, revision, .. } = &*self.template;
        let scope = vec![within_shop(shop.shop.as_str(), self.order.name.order.as_str())];
        let programme = revision.programme.clone();
        CellKey::of_an_order(Celled { programme, scope, window_start: None })
    }
}
