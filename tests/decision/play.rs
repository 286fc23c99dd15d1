//! Plays steps by the core and by the second opinion; the two have to agree.

use std::{collections::BTreeMap, sync::Arc};

use bursar::{
    decision::{
        Command, Judgement,
        authorize::{Authorize, recompute},
        due::Due,
        life::{Cancel, Execute},
        reply::Reply,
        settle::{GiveBack, Settle},
        spec::Spec,
    },
    domain::{
        account::Balance,
        decision::Decision,
        instant::Instant,
        key::Key,
        limit::Stage,
        name::PayoutName,
        payout::SettlementResult,
        refusal::Reason,
        request::{Fingerprint, RequestIdentity, RequestKey},
        row::Row,
        who::RoleSet,
    },
    proto::v1::{self, PayoutState},
    store::sled::compact::{append, from_bytes},
};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use rust_decimal::Decimal;

use crate::{
    naive::{
        Opinion, Values, View,
        books::{Ask, Books, Payout},
    },
    setup::{
        account, cny, decimal, money, operator_name, order_name, order_row, platform, programme,
        roles, shop, value, with_policy,
    },
    steps::{Part, Step, Wait},
    words::{as_opinion, as_wire, expect, only_says_no, same},
    world::{World, id},
};

/// A request that was decided.
#[derive(Clone)]
pub struct Asked {
    command: Authorize,
    roles: RoleSet,
    pub decision: Decision,
}

#[derive(Clone)]
pub struct Play {
    /// The one in force.
    pub policy: v1::Policy,
    /// All policies that were stored, with their numbers.
    pub revisions: Vec<(u32, v1::Policy)>,
    /// What is and will be in force, by when it begins.
    pub plan: Vec<(Timestamp, v1::Policy)>,
    pub world: World,
    pub books: Books,
    pub asked: Vec<Asked>,
    /// All judgements, for comparing plays.
    pub judgements: Vec<Judgement>,
    /// Everything due is written after every step.
    pub sweeps: bool,
    requests: usize,
}

const FIELDS: [(u32, &str); 4] =
    [(1, "payout.amount"), (2, "payout.order"), (3, "payout.payee"), (4, "payout.purpose")];

impl Play {
    /// `Err`: the policy does not compile.
    pub fn new(policy: &v1::Policy, books: Books, now: Timestamp) -> Result<Self, String> {
        Ok(Self {
            world: with_policy(&books, policy, now)?,
            policy: policy.clone(),
            revisions: vec![(1, policy.clone())],
            plan: vec![(now, policy.clone())],
            books,
            asked: Vec::new(),
            judgements: Vec::new(),
            sweeps: false,
            requests: 0,
        })
    }

    pub fn now(&self) -> Timestamp {
        self.world.now.0
    }

    /// What a step comes to. `Err`: the two disagree, or a promise is broken.
    pub fn step(&mut self, step: &Step) -> Result<(), String> {
        self.policy = self.planned(self.now()).clone();
        match step {
            Step::Authorize(ask) => self.authorize(ask)?,
            Step::Again(n, field) if !self.asked.is_empty() => {
                self.again(n % self.asked.len(), *field)?;
            }
            Step::Wait(wait) => self.world.now = Instant(self.later(*wait)),
            Step::Execute(..) | Step::Settle(..) | Step::Cancel(_) | Step::Return(..) => {
                if !self.books.payouts.is_empty() {
                    self.live(step)?;
                }
            }
            Step::Due(n) if !self.books.payouts.is_empty() => {
                let n = n % self.books.payouts.len();
                self.due(n)?;
            }
            Step::Again(..) | Step::Due(_) => {}
            _ => self.configure(step),
        }
        if self.sweeps {
            (0..self.books.payouts.len()).try_for_each(|n| self.due(n))?;
        }
        self.agree()
    }

    /// The policy in force at an instant.
    pub fn planned(&self, at: Timestamp) -> &v1::Policy {
        let mut past = self.plan.iter().filter(|(start, _)| *start <= at);
        past.next_back().map_or(&self.policy, |(_, policy)| policy)
    }

    pub fn later(&self, wait: Wait) -> Timestamp {
        let now = self.now();
        let expiry = self.books.payouts.iter().rev().find_map(|p| p.expires.filter(|e| *e > now));
        match wait {
            Wait::Seconds(seconds) => now + SignedDuration::from_secs(seconds),
            Wait::Nanosecond => now + SignedDuration::from_nanos(1),
            Wait::Expiry => expiry.unwrap_or(now),
            Wait::BeforeExpiry => expiry.map_or(now, |e| e - SignedDuration::from_nanos(1)),
            Wait::Midnight => {
                let shanghai = TimeZone::get("Asia/Shanghai").expect("a zone");
                let tomorrow = now.to_zoned(shanghai.clone()).date() + 1.day();
                tomorrow.to_zoned(shanghai).expect("a day").timestamp()
            }
        }
    }

    fn run(&mut self, command: &Command, roles: RoleSet) -> Judgement {
        let judgement = self.world.run(command, roles);
        if !matches!(command, Command::Due(_)) {
            self.judgements.push(judgement.clone());
        }
        judgement
    }

    pub fn payout_name(&self, n: usize) -> PayoutName {
        shop().payout(id(&self.books.payouts[n].id))
    }

    fn due(&mut self, n: usize) -> Result<(), String> {
        let payout = self.payout_name(n);
        self.run(&Command::Due(Box::new(Due { payout })), RoleSet::NONE)
            .answer
            .map(|_| ())
            .map_err(|refusal| format!("due refused: {refusal:?}"))
    }

    // Requests.

    pub fn spec(&self, ask: &Ask) -> Spec {
        let order = ask.order.as_deref();
        Spec {
            shop: shop(),
            programme: programme(),
            amount: Some((money(ask.amount), cny())),
            operator: ask.operator.as_deref().map(operator_name),
            order: order.map(order_name),
            inline_order: order
                .zip(ask.inline.as_ref())
                .map(|(name, inline)| Box::new(order_row(name, inline))),
            payee: (&*ask.payee).into(),
            purpose: (&*ask.purpose).into(),
            facts: Arc::new(ask.facts.iter().map(|(k, v)| ((**k).into(), value(v))).collect()),
            stage: Stage::Confirm,
            full: false,
        }
    }

    fn command(&mut self, ask: &Ask) -> Authorize {
        self.requests += 1;
        let key = RequestKey {
            platform: platform(),
            parent: shop().to_string().into(),
            operation: "AuthorizePayout".into(),
            id: format!("q{}", self.requests).into(),
        };
        let content = Fingerprint(FIELDS.iter().map(|(n, _)| (*n, u64::from(*n))).collect());
        let field_names = FIELDS.iter().map(|(n, name)| (*n, (*name).to_owned())).collect();
        let identity = RequestIdentity { key, content, field_names: Arc::new(field_names) };
        Authorize { spec: self.spec(ask), identity }
    }

    fn authorize(&mut self, ask: &Ask) -> Result<(), String> {
        let command = self.command(ask);
        let (opinion, values, counts_in, bounds) = {
            match View::new(&self.policy, &self.books, ask, self.now()) {
                Err(why) => (Opinion::Refused(why), Values::new(), BTreeMap::new(), Vec::new()),
                Ok(view) => {
                    let (opinion, counts_in) = (view.decide(ask), view.counts_in());
                    (opinion, view.values.clone(), counts_in, self.bounds(&view))
                }
            }
        };
        let roles = roles(&ask.roles);
        let judgement = self.run(&Command::Authorize(Arc::new(command.clone())), roles);
        let decision = match (&judgement.answer, &opinion) {
            (Err(_), Opinion::Refused(_)) => {
                return expect("a refusal changes nothing", judgement.changes.is_empty());
            }
            (Ok(Reply::Decided { decision, replayed: false, .. }), Opinion::Decided { .. }) => {
                decision.clone()
            }
            (answer, opinion) => {
                return Err(format!("it came\n{answer:#?}\nexpected\n{opinion:#?}"));
            }
        };
        same(&as_opinion(&decision), &opinion)?;
        self.recomputes(&decision)?;
        self.keep_order(ask);
        match opinion {
            Opinion::Decided { denied: true, .. } => only_says_no(&judgement)?,
            _ => {
                self.books.payouts.push(Payout {
                    id: decision.name.decision.to_string(),
                    amount: ask.amount,
                    operator: ask.operator.clone(),
                    expires: self.expiry(),
                    values,
                    counts_in,
                    history: vec![(self.now(), PayoutState::Authorized)],
                    execution: None,
                    reports: Vec::new(),
                    returns: Vec::new(),
                });
                self.stays_within(ask, &bounds)?;
            }
        }
        self.asked.push(Asked { command, roles, decision: (*decision).clone() });
        Ok(())
    }

    fn expiry(&self) -> Option<Timestamp> {
        let within = self.policy.life.as_ref()?.execute_within.as_ref()?;
        Some(self.now() + SignedDuration::from_secs(within.seconds))
    }

    fn keep_order(&mut self, ask: &Ask) {
        if let (Some(name), Some(new)) = (&ask.order, &ask.inline)
            && self.books.orders.get(name).is_none_or(|old| old.precedence() < new.precedence())
        {
            self.books.orders.insert(name.clone(), new.clone());
        }
    }

    /// The denying limits that concern a request, with their bounds.
    fn bounds(&self, view: &View<'_>) -> Vec<(usize, Decimal)> {
        let limits = self.policy.limits.iter().enumerate();
        let denying = limits.filter(|(_, l)| {
            l.on_failure() != v1::OnFailure::Warn
                && l.counts() != v1::Counts::InStates
                && l.window.as_ref().expect("one").kind() != v1::window::Kind::Payout
        });
        denying.filter_map(|(n, limit)| Some((n, view.binds(limit)?))).collect()
    }

    /// What was allowed raised nothing above a bound, nor took what is frozen.
    fn stays_within(&self, ask: &Ask, bounds: &[(usize, Decimal)]) -> Result<(), String> {
        let view = View::new(&self.policy, &self.books, ask, self.now())?;
        for (n, bound) in bounds {
            let limit = &self.policy.limits[*n];
            let total = view.count(&crate::naive::of_limit(limit));
            if total.used + total.held > *bound {
                return Err(format!("{} stands at {total:?}, above {bound}", limit.id));
            }
            // Also counted without regard to when its id came to be.
            if let Some(all) = view.had_it_always_been(limit)
                && all > *bound
            {
                return Err(format!("{} would stand at {all}, above {bound}", limit.id));
            }
        }
        let free = self.books.balance() - self.books.held(self.now());
        let asked = self.books.asked_to_freeze(self.now());
        expect("an allowed payout takes free money only", asked.is_some_and(|a| free >= a))
    }

    fn recomputes(&self, decision: &Decision) -> Result<(), String> {
        let policy = self.world.policy(&decision.revision);
        expect("a record recomputes", recompute(decision, &policy) == decision.verdict)?;
        let mut bytes = Vec::new();
        append(&mut bytes, decision);
        let back: Decision =
            from_bytes(&bytes).map_err(|e| format!("the record does not read back: {e}"))?;
        expect("a record reads back as it was", back == *decision)?;
        expect("and recomputes", recompute(&back, &policy) == decision.verdict)
    }

    fn again(&mut self, n: usize, field: Option<u32>) -> Result<(), String> {
        let Asked { mut command, roles, decision } = self.asked[n].clone();
        let forgotten =
            self.now().duration_since(decision.inputs.now.0) >= SignedDuration::from_hours(720);
        if decision.payout.is_none() && forgotten {
            return Ok(());
        }
        if let Some(field) = field {
            command.identity.content.0.iter_mut().filter(|(f, _)| *f == field).for_each(|f| {
                f.1 += 100;
            });
        }
        let before = self.world.rows.clone();
        let judgement = self.run(&Command::Authorize(Arc::new(command)), roles);
        expect("a repeat changes nothing", before == self.world.rows)?;
        expect("a repeat tells nothing", judgement.events.is_empty())?;
        match (field, &judgement.answer) {
            (None, Ok(Reply::Decided { decision: same, state, replayed: true })) => {
                expect("a repeat has the first decision", **same == decision)?;
                expect("and its payout", state.is_some() == decision.payout.is_some())
            }
            (Some(field), Err(refusal)) => {
                let named = FIELDS.iter().find(|(n, _)| *n == field).map(|(_, name)| *name);
                expect("other content is refused", refusal.reason == Reason::RequestIdReused)?;
                let field = refusal.details.first().map(|d| &*d.field);
                expect("naming the field", field == named)
            }
            (_, answer) => Err(format!("a repeat came to {answer:#?}")),
        }
    }

    // The life of payouts.

    fn live(&mut self, step: &Step) -> Result<(), String> {
        let count = self.books.payouts.len();
        let now = self.now();
        let (command, fine) = match step {
            Step::Execute(n, execution) => {
                let payout = self.payout_name(n % count);
                let fine = self.books.execute(n % count, execution, now);
                let execution_id = (*execution).into();
                (Command::Execute(Box::new(Execute { payout, execution_id })), fine)
            }
            Step::Cancel(n) => {
                let payout = self.payout_name(n % count);
                let fine = self.books.cancel(n % count, now);
                (Command::Cancel(Box::new(Cancel { payout, reason: "".into() })), fine)
            }
            Step::Settle(n, part, reference) => self.settle(n % count, *part, reference),
            Step::Return(n, part, reference) => self.give_back(n % count, *part, reference),
            other => return Err(format!("{other:?} is not about a payout")),
        };
        let judgement = self.run(&command, RoleSet::ALL);
        expect(
            &format!("{} is accepted: {fine}; it came {:?}", command.operation(), judgement.answer),
            judgement.answer.is_ok() == fine,
        )
    }

    fn settle(&mut self, n: usize, part: Part, reference: &str) -> (Command, bool) {
        let amount = self.books.payouts[n].amount;
        let paid = match part {
            Part::None => None,
            Part::All => Some(amount),
            Part::Half => Some((amount / Decimal::TWO).round_dp(2).max(Decimal::new(1, 2))),
            Part::More => Some(amount + Decimal::ONE),
        };
        let fine = self.books.settle(n, paid, reference, self.now());
        let result = match paid {
            Some(_) => SettlementResult::Succeeded,
            None => SettlementResult::Failed,
        };
        let settle = Settle {
            payout: self.payout_name(n),
            result,
            // What is not stated is the whole.
            amount: paid.filter(|_| part != Part::All).map(|a| (money(a), cny())),
            reference: reference.into(),
            reason: "".into(),
        };
        (Command::Settle(Box::new(settle)), fine)
    }

    fn give_back(&mut self, n: usize, part: Part, reference: &str) -> (Command, bool) {
        let payout = &self.books.payouts[n];
        let settled = payout.settled().unwrap_or(payout.amount);
        let amount = match part {
            Part::All => settled - payout.returned(),
            _ => (settled / Decimal::TWO).round_dp(2),
        };
        let amount = amount.max(Decimal::new(1, 2));
        let fine = self.books.give_back(n, amount, reference, self.now());
        let back = GiveBack {
            payout: self.payout_name(n),
            amount: (money(amount), cny()),
            reference: reference.into(),
            reason: "".into(),
        };
        (Command::Return(Box::new(back)), fine)
    }

    // What has to be the same on the books and in rows.

    fn agree(&self) -> Result<(), String> {
        let now = self.now();
        for (n, payout) in self.books.payouts.iter().enumerate() {
            let name = self.payout_name(n);
            let Some(Row::Payout(row)) = self.row(&Key::Payout(name)) else {
                return Err(format!("payout {} is gone", payout.id));
            };
            let state = as_wire(row.state_at(self.world.now));
            same(&(state, row.settled.map(decimal)), &(payout.state(now), payout.settled()))?;
            let returned = row.returned.map(decimal).unwrap_or_default();
            same(&returned, &payout.returned())?;
        }
        let Some(Row::Balance(balance)) = self.row(&Key::Balance(account())) else {
            return expect("no account, no balance", !self.books.has_account);
        };
        self.money(balance)
    }

    fn money(&self, balance: &Balance) -> Result<(), String> {
        let now = self.now();
        let position = balance.position(self.world.now, self.books.asked_to_freeze(now).map(money));
        let came = (
            decimal(position.balance),
            decimal(position.held),
            decimal(position.available()),
            decimal(position.unfrozen()),
        );
        let books = &self.books;
        let expected =
            (books.balance(), books.held(now), books.available(now), books.unfrozen(now));
        same(&came, &expected)
    }

    pub fn row(&self, key: &Key) -> Option<&Row> {
        self.world.rows.get(key).map(AsRef::as_ref)
    }

    pub fn rebuilds(&self) -> Result<(), String> {
        expect("the records make the same rows again", self.world.rebuilt() == self.world.rows)
    }
}
