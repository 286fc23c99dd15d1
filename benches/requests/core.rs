//! The core by itself, with a shop that asks for payouts: rows in a map, and
//! commands made from requests as they are on the wire.

use std::{collections::HashMap, sync::Arc};

use bursar::{
    api::{
        convert_payout::{self, Asked},
        fingerprint, identity,
        problems::Problems,
    },
    decision::{
        Command, Context, Loaded, Outcome as Told, Reply,
        authorize::Authorize,
        configure::{GrantField, NewAccount, NewMovement, NewOperator, SetGrant, What},
        profile::{Profile, Whose},
    },
    domain::{
        account::{AccountKind, Direction, MovementKind},
        amount::{Amount, Currency},
        change::{Change, Rows},
        decision::Answer,
        finding::Outcome,
        instant::Instant,
        limit::Stage,
        name::{PlatformName, ProgrammeName, ShopName},
        operator::OperatorKind,
        request::{RequestIdentity, RequestKey},
        shop::{Platform, Shop, Stamp},
        value::{Fact, Facts, Value},
        who::{Caller, RoleSet},
    },
    proto::v1,
    yaml,
};

use crate::{
    requests::{self, OPERATORS, POLICY, PROGRAMME},
    world::{World, id},
};

/// Any instant: the core has no clock.
const NOW: i64 = 1_800_000_000;

/// See the module.
#[derive(Clone)]
pub struct Core {
    world: World,
    next: usize,
    decided: usize,
    names: Arc<std::collections::BTreeMap<u32, String>>,
    /// As the engine keeps them.
    profiles: HashMap<Whose, Arc<Profile>>,
}

/// A request with the rows that it named, and with what the engine keeps of whoever
/// asked before.
pub struct Ready {
    command: Command,
    rows: Rows,
    profile: Option<Arc<Profile>>,
}

impl Ready {
    /// Judges it as the engine has it judged, and lets go of what it came to; nothing
    /// changes. How many changes there are of rows that others change too.
    pub fn judge(&self, context: &Context<'_>) -> usize {
        context.profile.replace(self.profile.clone());
        changes(&self.command.outcome(&Loaded::new(&self.rows), context)).len()
    }
}

/// What is to be applied of it at once.
fn changes(outcome: &Told<'_>) -> Vec<Change> {
    match outcome {
        Told::Allowed(allowed, _) => allowed.running(),
        Told::Judged(judgement) => judgement.changes.clone(),
    }
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

fn shop() -> ShopName {
    ShopName::parse(&requests::shop(0)).expect("a name")
}

/// The facts of the shop, as registered by its platform.
fn registered() -> Facts {
    let facts = requests::shop_facts().into_iter().map(|(name, fact)| {
        let Some(v1::fact_value::Kind::StringValue(text)) = fact.kind else {
            panic!("a shop's fact that is no text")
        };
        let fact = Fact { value: Value::text(&text), asserted_by: RoleSet::ALL };
        (name.into(), fact)
    });
    facts.collect()
}

fn policy() -> v1::Policy {
    let read = yaml::read::<v1::Policy>(POLICY, "bursar.v1.Policy");
    read.unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

/// What there is before anybody asks.
fn furnish(world: &mut World) {
    let cny = Currency::parse("CNY").expect("a currency");
    let stamp = Stamp::new(world.now);
    let mut make = |what: What| {
        world.configure(what).answer.expect("set up");
    };
    let name = PlatformName { platform: id("p") };
    make(What::CreatePlatform(Platform {
        name,
        display_name: "".into(),
        facts: Facts::default(),
        stamp: stamp.clone(),
    }));
    make(What::CreateShop(Shop {
        name: shop(),
        display_name: "".into(),
        facts: registered(),
        stamp,
    }));
    let account = shop().account(id("settlement"));
    make(What::CreateAccount(NewAccount {
        name: account.clone(),
        kind: AccountKind::Settlement,
        currency: cny,
        facts: Facts::default(),
    }));
    make(What::RecordMovement(NewMovement {
        account,
        reference: "proceeds".into(),
        direction: Direction::Credit,
        kind: MovementKind::Proceeds,
        amount: (amount("900000000000000"), cny),
        order: None,
        occur_time: None,
    }));
    for sub in 0..OPERATORS {
        make(What::CreateOperator(NewOperator {
            name: shop().operator(id(&format!("op{sub}"))),
            display_name: "".into(),
            kind: if sub == 0 { OperatorKind::Main } else { OperatorKind::Sub },
            facts: Facts::default(),
        }));
    }
    let programme = ProgrammeName::parse(PROGRAMME).expect("a name");
    world.install(&programme, &policy()).expect("a policy");
    for sub in 1..OPERATORS {
        let grant = SetGrant {
            name: shop().operator(id(&format!("op{sub}"))).grant(&programme.programme),
            etag: String::new(),
            fields: vec![
                GrantField::Enabled(true),
                GrantField::PerPayoutAmount(Some(amount("500"))),
                GrantField::DailyAmount(Some(amount("900000000000"))),
            ],
        };
        world.configure(What::SetGrant(grant)).answer.expect("a grant");
    }
}

impl Core {
    /// With some payouts behind it, as a shop has them.
    pub fn new() -> Self {
        let now = jiff::Timestamp::from_second(NOW).expect("an instant");
        let mut world = World::new(Instant(now));
        furnish(&mut world);
        let names = identity::field_names("bursar.v1.PayoutSpec");
        let mut core = Self { world, next: 0, decided: 0, names, profiles: HashMap::new() };
        for _ in 0..100 {
            let command = core.command();
            assert_eq!(core.decide(&command), Answer::Allow);
        }
        core
    }

    /// The next request that passes, as the API makes a command of it.
    fn authorize(&mut self, full: bool) -> Authorize {
        if requests::is_too_large(self.next) {
            self.next += 1;
        }
        let now = prost_types::Timestamp { seconds: NOW, nanos: 0 };
        let request = requests::request(self.next, 1, now);
        self.next += 1;
        let caller = Caller { roles: RoleSet::ALL, ..Caller::bursar() };
        let mut problems = Problems::of(&request);
        let asked = Asked {
            parent: &request.parent,
            payout: request.payout.as_ref(),
            stage: Stage::Confirm,
            needs_amount: true,
            full,
        };
        let spec = convert_payout::spec(asked, &caller, &mut problems);
        let spec = problems.finish(spec).expect("a sound request").expect("one shop");
        let key = RequestKey {
            platform: PlatformName { platform: spec.shop.platform.clone() },
            parent: request.parent.as_str().into(),
            operation: "AuthorizePayout".into(),
            id: request.request_id.as_str().into(),
        };
        let content = request.payout.as_ref().map(|payout| fingerprint::of_payout(payout, &spec));
        let content = content.unwrap_or_default();
        let identity = RequestIdentity { key, content, field_names: self.names.clone() };
        Authorize { spec, identity }
    }

    /// The same, for the core.
    pub fn command(&mut self) -> Command {
        Command::Authorize(Arc::new(self.authorize(false)))
    }

    /// A request and its rows.
    pub fn ready(&mut self) -> Ready {
        let command = self.command();
        let context = self.context();
        let whose = command.whose().expect("names of one shop");
        context.profile.replace(self.profiles.get(&whose).cloned());
        let rows = self.world.rows_of(&command, &context);
        Ready { command, rows, profile: context.profile.take() }
    }

    /// What commands are judged with, besides rows.
    pub fn context(&self) -> Context<'_> {
        Context { alone: true, ..self.world.context(RoleSet::ALL) }
    }

    /// Names the rows of a command and loads them, judges it, and applies what others
    /// change too. The answer.
    pub fn decide(&mut self, command: &Command) -> Answer {
        self.decided += 1;
        let fresh = id(&format!("d{}", self.decided));
        let context = Context { fresh, ..self.context() };
        let whose = command.whose().expect("names of one shop");
        context.profile.replace(self.profiles.get(&whose).cloned());
        let rows = self.world.rows_of(command, &context);
        let outcome = command.outcome(&Loaded::new(&rows), &context);
        let (changes, answer) = (changes(&outcome), answer(&outcome));
        drop(outcome);
        self.profiles.extend(context.profile.take().map(|profile| (whose, profile)));
        // Else each row that changes would be copied.
        drop(rows);
        for change in &changes {
            let key = change.key();
            let before = self.world.rows.remove(&key);
            if let Some(row) = change.apply(before) {
                self.world.rows.insert(key, row);
            }
        }
        answer
    }

    /// Every row of the policy is judged and passes.
    pub fn assert_every_row_passes(&mut self) {
        let policy = policy();
        let rows = policy.conditions.len() + policy.limits.len() + policy.draws.len();
        let command = Command::Validate(Box::new(self.authorize(true).spec));
        let judgement = self.world.ask(&command, RoleSet::ALL);
        let findings = match &judgement.answer {
            Ok(Reply::Checked(check)) => &check.verdict.findings,
            other => panic!("{other:?}"),
        };
        let passed = findings.iter().filter(|finding| finding.outcome == Outcome::Pass).count();
        assert_eq!(passed, rows, "every row passes: {findings:?}");
    }
}

fn answer(outcome: &Told<'_>) -> Answer {
    let answer = match outcome {
        Told::Allowed(_, reply) => Ok(reply),
        Told::Judged(judgement) => judgement.answer.as_ref(),
    };
    match answer {
        Ok(Reply::Decided { decision, replayed: false, .. }) => decision.verdict.answer,
        Ok(Reply::Granted(_)) => Answer::Allow,
        other => panic!("{other:?}"),
    }
}
