//! How often a batch loads rows: twice, and once more only where a command's
//! rows depend on what a command before it in the batch changed.

use std::sync::{Arc, mpsc};

use bursar::{
    decision::{
        Command, Reply,
        configure::{Activate, Configure, What},
        spec::Spec,
    },
    domain::{
        amount::{Amount, Currency},
        limit::Stage,
        name::{ProgrammeName, RevisionName, ShopName},
        refusal::Refusal,
        who::{Author, RoleSet},
    },
    engine::{Answer, Handle},
    proto::v1::CreateRevisionRequest,
    store::fault::Fate,
};
use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::{
    conflicts::world,
    trial::{POLICY, PROGRAMME, authorize, shop_name},
};

/// Has the writer take commands as one batch: they are queued while it is busy.
async fn together(engine: &Handle, commands: Vec<Command>) -> Vec<Result<Answer, Refusal>> {
    let (is_busy, busy) = oneshot::channel();
    let (finish, until) = mpsc::channel::<()>();
    let holding = engine.clone();
    let holding = tokio::spawn(async move {
        let hold = holding.read(move |_| {
            is_busy.send(()).expect("the test waits");
            until.recv().expect("the test goes on");
            Ok(())
        });
        hold.await
    });
    busy.await.expect("the writer is busy");
    let author = || Author { caller: "test".into(), actor: None };
    let asked = commands.into_iter().map(|c| engine.command(c, author(), RoleSet::ALL));
    // Polled in this order: each is queued before the writer goes on.
    let (answers, ()) = tokio::join!(join_all(asked), async {
        finish.send(()).expect("the writer waits");
    });
    holding.await.expect("a task").expect("a look");
    answers
}

fn programme() -> ProgrammeName {
    ProgrammeName::parse(PROGRAMME).expect("a name")
}

/// Whether a shop may pay so much, about no order.
fn check(yuan: u64) -> Command {
    Command::Validate(Box::new(Spec {
        shop: ShopName::parse(&shop_name("s1")).expect("a name"),
        programme: programme(),
        amount: Some((Amount::from_count(yuan), Currency::parse("CNY").expect("a currency"))),
        operator: None,
        order: None,
        inline_order: None,
        payee: "".into(),
        purpose: "".into(),
        facts: Arc::default(),
        stage: Stage::Confirm,
        full: false,
    }))
}

fn activate(number: u32) -> Command {
    let revision = RevisionName { programme: programme(), number };
    let what = What::ActivateRevision(Activate { revision, start_time: None });
    Command::Configure(Box::new(Configure { what, identity: None, needs_main: false }))
}

#[tokio::test]
async fn a_decision_by_itself_takes_two_loads() {
    let (store, running) = world(|_| Fate::Passes).await;
    let request = authorize("s1", "r1", "o1", 8_000);
    running.client.authorize_payout(request).await.expect("an answer");
    assert_eq!(store.with(|store| store.most_loads()), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_batch_takes_two_loads_however_many_it_decides() {
    let (store, running) = world(|_| Fate::Passes).await;
    let mut commands: Vec<Command> = (1..=20).map(check).collect();
    // Only what changes something is committed.
    commands.insert(0, activate(1));
    let answers = together(running.service.engine(), commands).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let (commits, loads) = store.with(|store| (store.commits(), store.most_loads()));
    assert_eq!((commits, loads), (1, 2));
    running.stop().await;
}

#[tokio::test]
async fn a_command_whose_rows_depend_on_one_before_it_in_the_batch_loads_once_more() {
    let (store, running) = world(|_| Fate::Passes).await;
    let revision = CreateRevisionRequest {
        parent: PROGRAMME.to_owned(),
        yaml: POLICY.replace("account: settlement", "account: reserve"),
        ..CreateRevisionRequest::default()
    };
    running.client.create_revision(revision).await.expect("a revision");
    assert!(store.with(|store| store.most_loads()) <= 2);
    let commands = vec![check(1), activate(2), check(1), check(2)];
    let answers = together(running.service.engine(), commands).await;
    let revisions: Vec<u32> = answers
        .iter()
        .filter_map(|answer| match &answer.as_ref().expect("an answer").reply {
            Reply::Checked(check) => Some(check.revision.number),
            _ => None,
        })
        .collect();
    assert_eq!(revisions, [1, 2, 2], "each is judged over what came before it");
    assert_eq!(store.with(|store| store.most_loads()), 3);
    running.stop().await;
}
