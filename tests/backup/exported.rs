//! Exports: everything that was told, while it is served and of a backup.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::{Duration, Instant},
};

use bursar::proto::v1::{self, Event, PayoutState, freeze};
use serde_json::{Value, json};

use crate::{
    client::Client,
    commands::{Said, back_up, busy, export},
    gather::{self, Held},
    lines::{Export, assert_currencies},
    place::Place,
    process::{PATIENCE, Server, bursar},
    trial::{money, settle, shop_name},
    world::{PLATFORM, Programme, account_name, authorize, credit, operator_name, programme},
};

/// What an event of the service says, as an export has it.
fn told(event: &Event) -> Value {
    let at = |time: &Option<prost_types::Timestamp>| time.map(|at| at.to_string());
    let receipt = event.receipt.as_ref().map(|receipt| {
        json!({
            "name": receipt.name,
            "decision": receipt.decision().as_str_name(),
            "request_id": receipt.request_id,
            "rules": receipt.findings.iter().map(|f| f.rule.clone()).collect::<Vec<_>>(),
            "texts": receipt.findings.iter().map(|f| f.text.clone()).collect::<Vec<_>>(),
            "max_amount": receipt.max_amount,
        })
    });
    let state = |state: PayoutState| match state {
        PayoutState::Unspecified => Value::Null,
        state => state.as_str_name().into(),
    };
    json!({
        "cursor": event.cursor,
        "kind": event.kind().as_str_name(),
        "effect_time": at(&event.effect_time),
        "record_time": at(&event.record_time),
        "shop": event.shop,
        "resource": event.resource,
        "caller": event.caller,
        "actor": event.actor,
        "operation": event.operation,
        "receipt": receipt,
        "from_state": state(event.from_state()),
        "to_state": state(event.to_state()),
        "alert": event.alert,
        "audience": event.audience,
        "text": event.text,
    })
}

/// The same of an event of an export.
fn exported(event: &Value) -> Value {
    let text = |name: &str| event.get(name).cloned().unwrap_or_else(|| "".into());
    let list = |receipt: &Value, name: &str| {
        let findings = receipt["findings"].as_array().cloned().unwrap_or_default();
        let texts = findings.iter().map(|f| f.get(name).cloned().unwrap_or_else(|| "".into()));
        Value::Array(texts.collect())
    };
    let receipt = event.get("receipt").map(|receipt| {
        json!({
            "name": receipt["name"],
            "decision": receipt["decision"],
            "request_id": receipt["request_id"],
            "rules": list(receipt, "rule"),
            "texts": list(receipt, "text"),
            "max_amount": receipt.get("max_amount").cloned().unwrap_or_else(|| "".into()),
        })
    });
    let instant = |name: &str| {
        let at: jiff::Timestamp = event[name].as_str().expect("an instant").parse().expect("one");
        let nanos = at.subsec_nanosecond();
        prost_types::Timestamp { seconds: at.as_second(), nanos }.to_string()
    };
    json!({
        "cursor": event["cursor"],
        "kind": event["kind"],
        "effect_time": instant("effect_time"),
        "record_time": instant("record_time"),
        "shop": text("shop"),
        "resource": text("resource"),
        "caller": text("caller"),
        "actor": text("actor"),
        "operation": text("operation"),
        "receipt": receipt,
        "from_state": event["from_state"],
        "to_state": event["to_state"],
        "alert": text("alert"),
        "audience": text("audience"),
        "text": text("text"),
    })
}

/// What a service that nobody asks anything shows, tells and exports, when no
/// expiry is left to be written.
async fn at_rest(client: &Client, place: &Place) -> (Vec<Held>, Vec<Event>, Export) {
    let until = Instant::now() + PATIENCE;
    loop {
        let shops = gather::gather(client).await.expect("everything");
        let listed = gather::events(client, &[]).await.expect("events");
        let export = Export::of(&place.data(), &[]);
        let again = gather::events(client, &[]).await.expect("events");
        let payouts = export.last("payout");
        let is_written = |payout: &v1::Payout| {
            payout.state() != PayoutState::Expired
                || payouts[payout.name.as_str()]["state"] == "PAYOUT_STATE_EXPIRED"
        };
        if listed == again && shops.iter().flat_map(|held| &held.payouts).all(is_written) {
            return (shops, listed, export);
        }
        assert!(Instant::now() < until, "it does not come to rest");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_export_while_serving_says_what_readers_of_events_are_told() {
    let (place, server, _) = busy(250).await;
    let client = Client::connect(&server).await;
    let (shops, listed, export) = at_rest(&client, &place).await;
    let events = export.events();
    assert_eq!(events.len(), listed.len());
    for (exported_event, listed) in events.iter().zip(&listed) {
        assert_eq!(exported(exported_event), told(listed));
    }
    // Sequences are whole, and the end says the last.
    let sequences = export.records.iter().map(|record| record["sequence"].as_u64());
    assert!(sequences.eq((1..=export.records.len() as u64).map(Some)));
    assert_eq!(export.end["last_sequence"], export.records.len());
    assert_currencies(&json!(export.records), "records");
    // What is left of each payout is what the service says of it.
    let payouts = export.last("payout");
    let held: Vec<&v1::Payout> = shops.iter().flat_map(|held| &held.payouts).collect();
    assert_eq!(payouts.len(), held.len());
    for payout in held {
        let found = payouts[payout.name.as_str()];
        let net = payout.net_amount.as_ref().expect("an amount");
        let cents = net.nanos / 10_000_000;
        let amount = json!({"amount": format!("{}.{cents:02}", net.units), "currency_code": "CNY"});
        assert_eq!(
            (&found["state"], &found["net_amount"]),
            (&payout.state().as_str_name().into(), &amount),
            "{}",
            payout.name
        );
    }
    // A backup of it says the same, in the same words.
    let backup = place.file("backup");
    let note = back_up(&place.data(), &backup);
    server.kill();
    let of_backup = Export::of(&backup, &[]);
    assert_eq!(of_backup, export);
    for field in ["last_hash", "journal", "last_time"] {
        assert_eq!(export.end[field], note[field], "{field}");
    }
}

/// Something of every kind, over the service.
async fn everything_happens(server: &Server, client: &Client) {
    client.record_movement(credit("s1", "refund-1", 1234)).await.expect("money");
    let paid = authorize(Programme::Lasting, "s1", "paid", "o-paid", "main", 700);
    let paid = client.authorize_payout(paid).await.expect("an answer");
    // Not executed before: an alert.
    let report = settle(&paid.payout, money(700));
    client.settle_payout(report).await.expect("a payout");
    let denied = authorize(Programme::Lasting, "s1", "denied", "o-paid", "main", 90_000_000);
    let denied = client.authorize_payout(denied).await.expect("an answer");
    assert_eq!(denied.decision(), v1::Decision::Deny);
    let freeze = v1::CreateFreezeRequest {
        parent: PLATFORM.to_owned(),
        freeze_id: "f1".to_owned(),
        freeze: Some(v1::Freeze {
            target: account_name("s1"),
            scope: freeze::Scope::BalancePart.into(),
            amount: money(5_000),
            reason: "looked into".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let freeze = client.create_freeze(freeze).await.expect("a freeze");
    let lift = v1::LiftFreezeRequest {
        name: freeze.name,
        reason: "all is well".to_owned(),
        ..Default::default()
    };
    client.lift_freeze(lift).await.expect("lifted");
    let name = format!("{}/grants/lasting", operator_name("s1", "sub"));
    let grant = v1::Grant {
        name: name.clone(),
        enabled: Some(true),
        per_payout_amount: Some("100.5".to_owned()),
        ..Default::default()
    };
    let grant = v1::UpdateGrantRequest { grant: Some(grant), ..Default::default() };
    client.update_grant(grant).await.expect("a grant");
    let order = json!({"name": name}).to_string();
    let mut call = bursar();
    call.args(["call", "QuotaService/DeleteGrant", "-d", &order, "--addr", &server.address]);
    let said = Said::of(&mut call);
    assert_eq!(said.code, 0, "{said:?}");
}

#[tokio::test]
async fn every_kind_of_event_and_resource_is_exported_with_what_it_is_about() {
    let (place, server, _) = busy(20).await;
    let client = Client::connect(&server).await;
    let before = Export::of(&place.data(), &[]).end["last_sequence"].to_string();
    everything_happens(&server, &client).await;
    let export = Export::of(&place.data(), &["--after", &before]);
    let kinds: BTreeSet<&str> =
        export.events().iter().map(|event| event["kind"].as_str().expect("a kind")).collect();
    let all = [
        "KIND_ALERT",
        "KIND_CONFIGURED",
        "KIND_DECIDED",
        "KIND_FREEZE",
        "KIND_MOVEMENT",
        "KIND_PAYOUT_CHANGED",
    ];
    assert!(kinds.iter().eq(&all), "{kinds:?}");
    let whole = Export::of(&place.data(), &[]);
    let kinds = ["account", "freeze", "grant", "movement", "operator", "order", "payout"];
    let more = ["platform", "programme", "revision", "shop"];
    assert_eq!(whole.kinds(), kinds.into_iter().chain(more).collect());

    let of = |operation: &str| {
        let mut of = export.records.iter().filter(|record| record["operation"] == operation);
        of.next().unwrap_or_else(|| panic!("no {operation}"))
    };
    let movement = &of("RecordMovement")["resources"][0]["movement"];
    assert_eq!(movement["account"], account_name("s1"));
    assert_eq!(movement["amount"], json!({"amount": "12.34", "currency_code": "CNY"}));
    let allowed = of("AuthorizePayout");
    assert_eq!(
        (&allowed["request_id"], &allowed["parent"]),
        (&"paid".into(), &shop_name("s1").into())
    );
    let settled = of("SettlePayout");
    let alert = settled["events"].as_array().expect("events");
    assert!(alert.iter().any(|event| event["alert"] == "PAID_UNEXECUTED"), "{settled}");
    let payout = settled["resources"].as_array().expect("resources").iter();
    let payout = payout.filter_map(|resource| resource.get("payout")).next().expect("a payout");
    assert_eq!(payout["settled_amount"], json!({"amount": "7.00", "currency_code": "CNY"}));
    assert_eq!(payout["flags"], json!(["FLAG_UNEXECUTED"]));
    let lifted = &of("LiftFreeze")["resources"][0]["freeze"];
    assert_eq!(lifted["lift_reason"], "all is well");
    assert_eq!(lifted["amount"], json!({"amount": "50.00", "currency_code": "CNY"}));
    let grant = &of("UpdateGrant")["resources"][0]["grant"];
    assert_eq!(
        (&grant["per_payout_amount"], &grant["currency_code"]),
        (&"100.50".into(), &"CNY".into())
    );
    let name = format!("{}/grants/{}", operator_name("s1", "sub"), "lasting");
    assert_eq!(of("DeleteGrant")["deleted"], json!([name]));
    let denied = export.records.iter().find(|record| record["request_id"] == "denied");
    let receipt = &denied.expect("a record")["events"][0]["receipt"];
    let receipt = if receipt.is_null() {
        let events = denied.expect("a record")["events"].as_array().expect("events");
        events.iter().find_map(|event| event.get("receipt")).expect("a receipt")
    } else {
        receipt
    };
    assert_eq!(receipt["decision"], "DECISION_DENY");
    assert!(receipt["findings"][0]["text"].is_string(), "{receipt}");
    let revision = whole.last("revision");
    let revision = revision.iter().find(|(name, _)| name.starts_with(&programme("lasting")));
    assert_eq!(revision.expect("a revision").1["policy"]["currency"], "CNY");
}

#[tokio::test]
async fn an_export_goes_on_after_an_earlier_one_and_refuses_another_journal() {
    let (place, server, _) = busy(40).await;
    let client = Client::connect(&server).await;
    let first = Export::of(&place.data(), &[]);
    client.record_movement(credit("s1", "later", 55)).await.expect("money");
    let after = first.end["last_sequence"].to_string();
    let second = Export::of(&place.data(), &["--after", &after]);
    let whole = Export::of(&place.data(), &[]);
    assert!(second.header["after_sequence"] == first.end["last_sequence"]);
    let both: Vec<&Value> = first.records.iter().chain(&second.records).collect();
    assert!(!second.records.is_empty() && both.into_iter().eq(&whole.records));
    let beyond = Said::of(export(&place.data()).args(["--after", "1000000"]));
    assert!(beyond.code == 1 && beyond.err.contains("restored from a backup"), "{beyond:?}");
    assert!(!beyond.out.contains(r#""type":"end""#));
    // Texts come in either language.
    let chinese = Export::of(&place.data(), &["--language", "zh-CN"]);
    assert_eq!(chinese.header["language"], "zh-CN");
    assert_eq!(chinese.end["last_hash"], whole.end["last_hash"]);
}

#[tokio::test]
async fn a_file_of_an_export_is_there_whole_or_not_at_all() {
    let (place, server, _) = busy(40).await;
    server.kill();
    let file = place.file("export.jsonl");
    let mut command = export(&place.data());
    let said = Said::of(command.arg("--to").arg(&file));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let written = fs::read_to_string(&file).expect("a file");
    assert_eq!(Export::parse(&written), Export::of(&place.data(), &[]));
    let said = Said::of(export(&place.data()).arg("--to").arg(&file));
    said.refuses(&["export.jsonl", "it is there already"]);
    assert_eq!(fs::read_to_string(&file).expect("a file"), written);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_an_export_without_a_word() {
    let (place, server, _) = busy(200).await;
    server.kill();
    let mut command = export(&place.data());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
    let mut first = String::new();
    let mut out = BufReader::with_capacity(64, child.stdout.take().expect("a pipe"));
    out.read_line(&mut first).expect("a line");
    assert!(first.contains(r#""type":"header""#));
    drop(out);
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
    // As the shell tells it of others: the export was not complete.
    assert_eq!(child.wait().expect("waited for").code(), Some(141));
}
