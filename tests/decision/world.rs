//! Rows in a map and the pure core over them, without engine, store or clock.
//! A command sees exactly the rows that it names; asking for another panics. One
//! whose profile is known of an earlier payout is judged with and without it. What
//! can be told in short is told at length as well, and has to say the same.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
    time::Duration,
};

use bursar::{
    api::policy::compile,
    decision::{
        Command, Context, Judgement, Loaded, Outcome, Reply,
        configure::{Activate, Configure, NewRevision, What},
        profile::{Profile, Whose},
        reply::Granted,
    },
    domain::{
        allowed::Allowed,
        change::{Change, Rows, following},
        instant::Instant,
        key::Key,
        name::{Id, ProgrammeName, RevisionName},
        payout::State,
        policy::{Policies, Policy},
        row::Row,
        who::{Author, RoleSet},
    },
    proto::v1,
};
use prost::Message;

/// Compiled policies, as the engine keeps them.
#[derive(Clone, Default)]
pub struct Compiled(HashMap<RevisionName, Arc<Policy>>);

impl Policies for Compiled {
    fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.0.get(revision).cloned()
    }
}

/// See the module.
#[derive(Clone)]
pub struct World {
    pub rows: HashMap<Key, Arc<Row>>,
    pub now: Instant,
    /// Every change so far, command by command.
    pub records: Vec<Vec<Change>>,
    /// Rows are handed over in the opposite order.
    pub backwards: bool,
    policies: Compiled,
    decided: u32,
    /// Of who asked since something was configured last.
    profiles: RefCell<HashMap<Whose, Arc<Profile>>>,
    /// How many were judged with one, too.
    pub with_profile: Cell<usize>,
    /// How many were told in short, too.
    pub in_short: Cell<usize>,
}

pub fn id(text: &str) -> Id {
    Id::parse(text).expect("an id")
}

impl World {
    pub fn new(now: Instant) -> Self {
        Self {
            rows: HashMap::new(),
            now,
            records: Vec::new(),
            backwards: false,
            policies: Compiled::default(),
            decided: 0,
            profiles: RefCell::default(),
            with_profile: Cell::default(),
            in_short: Cell::default(),
        }
    }

    /// Judges a command in these roles and does what it comes to.
    pub fn run(&mut self, command: &Command, roles: RoleSet) -> Judgement {
        let judgement = self.ask(command, roles);
        for change in &judgement.changes {
            let key = change.key();
            let before = self.rows.remove(&key);
            if let Some(row) = change.apply(before) {
                self.rows.insert(key, row);
            }
        }
        match command {
            Command::Authorize(_) => self.decided += 1,
            Command::Configure(_) => self.profiles.borrow_mut().clear(),
            _ => {}
        }
        if !judgement.changes.is_empty() {
            self.records.push(judgement.changes.clone());
        }
        judgement
    }

    /// Judges a command; nothing changes.
    pub fn ask(&self, command: &Command, roles: RoleSet) -> Judgement {
        let context = self.context(roles);
        let rows = self.rows_of(command, &context);
        let judgement = command.judge(&Loaded::new(&rows), &context);
        for change in &judgement.changes {
            let delta = matches!(change, Change::Meter(_) | Change::Balance(_));
            assert!(
                !delta || rows.contains_key(&change.key()),
                "changed a row that was not loaded: {:?}",
                change.key()
            );
        }
        self.assert_the_same_in_short(command, None, roles, &judgement);
        if let Some(whose) = command.whose() {
            self.assert_the_same_with_a_profile(command, &whose, roles, &judgement);
            let profile = context.profile.take().filter(|profile| profile.is_complete());
            let mut profiles = self.profiles.borrow_mut();
            // The first one is kept for as long as it says that it holds.
            if profiles.get(&whose).is_none_or(|kept| !kept.holds_at(self.now)) {
                profiles.extend(profile.map(|profile| (whose, profile)));
            }
        }
        judgement
    }

    fn assert_the_same_with_a_profile(
        &self,
        command: &Command,
        whose: &Whose,
        roles: RoleSet,
        without: &Judgement,
    ) {
        let Some(profile) = self.profiles.borrow().get(whose).cloned() else { return };
        if profile.holds_at(self.now) {
            self.with_profile.set(self.with_profile.get() + 1);
        }
        let context = self.context(roles);
        context.profile.replace(Some(profile.clone()));
        let rows = self.rows_of(command, &context);
        let with = command.judge(&Loaded::new(&rows), &context);
        assert_eq!(&with, without, "a profile changes no answer");
        self.assert_the_same_in_short(command, Some(profile), roles, without);
    }

    fn assert_the_same_in_short(
        &self,
        command: &Command,
        profile: Option<Arc<Profile>>,
        roles: RoleSet,
        at_length: &Judgement,
    ) {
        let context = Context { alone: true, ..self.context(roles) };
        context.profile.replace(profile);
        let rows = self.rows_of(command, &context);
        match command.outcome(&Loaded::new(&rows), &context) {
            Outcome::Judged(judgement) => assert_eq!(&judgement, at_length),
            Outcome::Allowed(allowed, reply) => {
                self.in_short.set(self.in_short.get() + 1);
                assert_in_short(&allowed, &reply, command, at_length);
            }
        }
    }

    /// What a command is judged with, besides rows.
    pub fn context(&self, roles: RoleSet) -> Context<'_> {
        Context {
            alone: false,
            meters: Cell::default(),
            order_is_new: Cell::default(),
            comes_back: Cell::default(),
            profile: RefCell::default(),
            now: self.now,
            author: Author { caller: "test".into(), actor: None },
            roles,
            policies: &self.policies,
            fresh: id(&format!("d{}", self.decided)),
            remember: Duration::from_secs(30 * 24 * 3600),
        }
    }

    /// The rows that a command names.
    pub fn rows_of(&self, command: &Command, context: &Context<'_>) -> Rows {
        let rows = self.load(command.first(context), Rows::default());
        let mut second = command.second(&Loaded::new(&rows), context);
        second.extend(context.comes_back_to().iter().flat_map(|it| it.running().to_vec()));
        let rows = self.load(second, rows);
        // An engine does not ask for meters that it is told are not there.
        for (key, row) in rows.iter().filter(|(key, _)| key.is_of_an_order()) {
            let is_there = row.is_some() && context.order_is_new.get();
            assert!(!is_there, "the order is new, and there is {key:?}");
        }
        rows
    }

    /// A map of its own for every judgement: each has another seed.
    fn load(&self, mut keys: Vec<Key>, before: Rows) -> Rows {
        keys.extend(before.keys().cloned());
        if self.backwards {
            keys.reverse();
        }
        keys.into_iter().map(|key| (key.clone(), self.rows.get(&key).cloned())).collect()
    }

    /// Configures something.
    pub fn configure(&mut self, what: What) -> Judgement {
        let configure = Configure { what, identity: None, needs_main: false };
        self.run(&Command::Configure(Box::new(configure)), RoleSet::ALL)
    }

    /// Puts a policy in force now. `Err`: it does not compile.
    pub fn install(&mut self, programme: &ProgrammeName, wire: &v1::Policy) -> Result<(), String> {
        let revision = self.store(programme, wire)?;
        self.activate(revision, None).answer.expect("in force");
        Ok(())
    }

    /// Stores a policy. `Err`: it does not compile.
    pub fn store(
        &mut self,
        programme: &ProgrammeName,
        wire: &v1::Policy,
    ) -> Result<RevisionName, String> {
        let compiled = compile(wire).map_err(|problems| format!("{problems:#?}"))?;
        let number = match self.rows.get(&Key::Programme(programme.clone())).map(AsRef::as_ref) {
            Some(Row::Programme(programme)) => programme.revisions + 1,
            _ => 1,
        };
        let revision = RevisionName { programme: programme.clone(), number };
        let new = NewRevision {
            programme: programme.clone(),
            after: number - 1,
            policy: wire.encode_to_vec().into(),
            checksum: "".into(),
            note: "".into(),
        };
        self.configure(What::CreateRevision(new)).answer.expect("a revision");
        self.policies.0.insert(revision.clone(), Arc::new(compiled));
        Ok(revision)
    }

    /// Puts a revision in force, if it may be.
    pub fn activate(&mut self, revision: RevisionName, start: Option<Instant>) -> Judgement {
        self.configure(What::ActivateRevision(Activate { revision, start_time: start }))
    }

    pub fn policy(&self, revision: &RevisionName) -> Arc<Policy> {
        self.policies.policy(revision).expect("a policy that was installed")
    }

    /// All rows again, from nothing but the changes.
    pub fn rebuilt(&self) -> HashMap<Key, Arc<Row>> {
        let mut rows: HashMap<Key, Arc<Row>> = HashMap::new();
        for change in self.records.iter().flatten() {
            let key = change.key();
            let before = rows.remove(&key);
            if let Some(row) = change.apply(before) {
                rows.insert(key, row);
            }
        }
        rows
    }
}

/// What was told in short says the same as what was told at length.
fn assert_in_short(allowed: &Allowed<'_>, reply: &Reply, command: &Command, judged: &Judgement) {
    let record = allowed.record().expect("it fits its template");
    assert_eq!(record.operation, command.operation());
    assert_eq!(record.changes, judged.changes);
    assert_eq!(record.events, judged.events);
    // The answer is the same but for what nobody reads in it.
    let mut answer = judged.answer.clone();
    if let Ok(Reply::Decided { decision, .. }) = &mut answer {
        Arc::make_mut(decision).inputs.let_go();
    }
    let (decision, state) = (Arc::new(allowed.decision()), Some(State::Authorized));
    assert_eq!(answer, Ok(Reply::Decided { decision, state, replayed: false }));
    let (Reply::Granted(granted), Command::Authorize(asked)) = (reply, command) else {
        panic!("{reply:?} to {command:?}");
    };
    let Granted { asked: said, template, id, at, author } = &**granted;
    assert!(Arc::ptr_eq(said, asked) && Arc::ptr_eq(template, &allowed.template));
    assert_eq!((id, *at, author), (allowed.id, allowed.at, allowed.author));
    assert_eq!(granted.expire_time(), allowed.expire_time());
    // Its rows are those of its changes: what others change too, and the rest.
    let is_running = |change: &&Change| change.adds() && !change.key().is_of_an_order();
    let (running, alone): (Vec<&Change>, Vec<&Change>) =
        record.changes.iter().partition(is_running);
    assert_eq!(allowed.running().iter().collect::<Vec<_>>(), running);
    let mut keys: Vec<Key> = Vec::new();
    for change in alone {
        keys.push(change.key());
        let after = change.as_put();
        keys.extend(following(None, after).map(|(key, _)| key));
    }
    keys.sort();
    keys.dedup();
    let mut told: Vec<Key> = allowed.keys().chain(allowed.implied()).collect();
    told.sort();
    assert_eq!(told, keys);
}
