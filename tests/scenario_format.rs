//! The scenario format and its runner, held against a small fake service that
//! is honest or lies where it is told to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::BTreeMap, path::Path};

use bursar::cli::{
    Ink,
    call::{self, CallArgs},
    scenario::{self, Loaded, Options, Outcome, Tally},
};

#[path = "scenario_fake/mod.rs"]
mod fake;

use fake::{FakeFactory, Lie};

const HEAD: &str = "name: A day of a shop\nclock: 2026-03-02T10:00:00+08:00\nsteps:\n";

const DAY: &str = r#"
- call: ShopService/CreateShop
  request: {parent: platforms/p1, shop_id: s1, shop: {displayName: "One"}}
  save: {shop: name}
- call: PayoutService/AuthorizePayout
  request: {parent: "${shop}", payout: {programme: x, amount: {currency_code: CNY, units: 450}}}
  expect: {decision: ALLOW, state: PAYOUT_STATE_AUTHORIZED, findings: [], replayed: false}
  save: {payout: payout}
- call: PayoutService/AuthorizePayout
  request: {parent: "${shop}", payout: {programme: x, amount: {currency_code: CNY, units: 60}}}
  expect:
    decision: DENY
    max_amount: 50.00
    findings: {contains: [{rule: daily-total, remaining: "50.00", reset_time: 2026-03-03T08:00:00+08:00}]}
    payout: ~
- call: PayoutService/GetPayout
  request: {name: nowhere}
  expect_error: {code: NOT_FOUND, reason: PAYOUT_NOT_FOUND}
- restart: true
- until: 2026-03-03T00:00:00Z
- call: PayoutService/AuthorizePayout
  request: {parent: "${shop}", payout: {programme: x, amount: {currency_code: CNY, units: 60}}}
  expect: {decision: ALLOW}
"#;

fn parse(text: &str) -> scenario::Scenario {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it.yaml");
    std::fs::write(&path, text).unwrap();
    match scenario::load(&path) {
        Ok(Loaded::Scenario(scenario)) => *scenario,
        other => panic!("{other:?}"),
    }
}

fn problems(text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it.yaml");
    std::fs::write(&path, text).unwrap();
    let problems = scenario::load(&path).expect_err("problems");
    problems.iter().map(|p| format!("{}: {}", p.line, p.description)).collect()
}

async fn run(steps: &str, lies: &[Lie], options: &Options) -> Outcome {
    let scenario = parse(&format!("{HEAD}{steps}"));
    scenario::run_file(&scenario, &FakeFactory::lying(lies), options).await
}

async fn failure(steps: &str, lies: &[Lie], options: &Options) -> scenario::Failure {
    run(steps, lies, options).await.failure.expect("a failure")
}

fn everything() -> Options {
    Options { twice: true, reopen_each_step: true, prove_receipts: true, ..Options::default() }
}

#[tokio::test]
async fn a_day_passes_in_every_mode() {
    for options in [Options::default(), everything()] {
        let outcome = run(DAY, &[], &options).await;
        assert!(outcome.failure.is_none(), "{outcome:?}");
        assert_eq!(outcome.steps_run, 7);
    }
}

#[tokio::test]
async fn a_failure_names_step_line_expected_and_came() {
    let steps = DAY.replace("max_amount: 50.00", "max_amount: 51.00");
    let failure = failure(&steps, &[], &Options::default()).await;
    assert_eq!((failure.step, failure.line), (3, 16));
    assert_eq!(failure.what, "PayoutService/AuthorizePayout: the answer");
    assert_eq!(failure.expected, "max_amount: 51.00");
    assert_eq!(failure.came, "max_amount: \"50.00\"");
    assert!(failure.answer.unwrap().contains("\"maxAmount\": \"50.00\""));
}

#[tokio::test]
async fn an_answer_that_changes_when_sent_again_is_found() {
    let twice = Options { twice: true, ..Options::default() };
    let failure = failure(DAY, &[Lie::HoldsTwice], &twice).await;
    assert_eq!(failure.step, 2);
    assert!(failure.what.ends_with("the same call sent again, decision"), "{failure:?}");
    assert_eq!((failure.expected.as_str(), failure.came.as_str()), ("ALLOW", "DENY"));
    assert!(run(DAY, &[Lie::HoldsTwice], &Options::default()).await.failure.is_none());
}

#[tokio::test]
async fn a_service_that_forgets_when_killed_is_found() {
    let reopen = Options { reopen_each_step: true, ..Options::default() };
    let failure = failure(DAY, &[Lie::ForgetsWhenKilled], &reopen).await;
    assert_eq!(failure.step, 3, "{failure:?}");
}

#[tokio::test]
async fn a_max_amount_too_large_or_too_small_is_found() {
    let prove = Options { prove_receipts: true, ..Options::default() };
    let steps = DAY.replace("    max_amount: 50.00\n", "");
    let too_much = failure(&steps, &[Lie::MaxTooLarge], &prove).await;
    assert_eq!((too_much.step, too_much.expected.as_str()), (3, "max_amount 51.00 CNY passes"));
    assert_eq!(too_much.came, "DECISION_DENY by daily-total");
    let too_little = failure(&steps, &[Lie::MaxTooSmall], &prove).await;
    assert_eq!(too_little.expected, "no more than max_amount 49.00 CNY passes");
    assert_eq!(too_little.came, "49.01 CNY is answered DECISION_ALLOW");
}

#[tokio::test]
async fn a_reset_time_too_early_or_too_late_is_found() {
    let prove = Options { prove_receipts: true, ..Options::default() };
    let steps = DAY.replace(", reset_time: 2026-03-03T08:00:00+08:00", "");
    let early = failure(&steps, &[Lie::ResetTooEarly], &prove).await;
    assert_eq!(early.expected, "daily-total does not deny at 2026-03-02T23:59:59Z");
    let late = failure(&steps, &[Lie::ResetTooLate], &prove).await;
    assert_eq!(late.expected, "daily-total denies at 2026-03-03T00:00:00.999999999Z");
    assert!(late.what.ends_with("proving reset_time"), "{late:?}");
}

#[tokio::test]
async fn a_denial_in_a_batch_is_proved_as_it_stood_before_the_items_behind_it() {
    let prove = Options { prove_receipts: true, ..Options::default() };
    let item = |units: &str| format!("{{payout: {{amount: {{units: '{units}'}}}}}}");
    let items = [item("450"), item("51"), item("50"), item("1")].join(", ");
    let steps = format!(
        "- call: ShopService/CreateShop\n  request: {{parent: p, shop_id: s}}\n- call: PayoutService/BatchAuthorizePayouts\n  request: {{parent: p/shops/s, requests: [{items}]}}\n  expect: {{results: [{{receipt: {{decision: ALLOW}}}}, {{receipt: {{decision: DENY, max_amount: '50.00'}}}}, {{receipt: {{decision: ALLOW}}}}, {{receipt: {{decision: DENY, max_amount: '0.00'}}}}]}}\n"
    );
    let outcome = run(&steps, &[], &everything()).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
    let lying = steps.split("  expect").next().expect("steps").to_owned() + "  expect: {}\n";
    let too_much = failure(&lying, &[Lie::MaxTooLarge], &prove).await;
    assert_eq!((too_much.step, too_much.expected.as_str()), (2, "max_amount 51.00 CNY passes"));
    let late = failure(&lying, &[Lie::ResetTooLate], &prove).await;
    assert_eq!(late.expected, "daily-total denies at 2026-03-03T00:00:00.999999999Z");
}

#[tokio::test]
async fn a_stream_is_a_list_of_requests_and_a_list_of_answers() {
    let prove = Options { prove_receipts: true, ..Options::default() };
    let shop = "- call: ShopService/CreateShop\n  request: {parent: p, shop_id: s}\n";
    let item =
        |units: &str| format!("{{parent: p/shops/s, payout: {{amount: {{units: '{units}'}}}}}}");
    let stream = |items: &[String], more: &str| {
        let items = items.join(", ");
        format!("{shop}- call: PayoutService/StreamAuthorizePayouts\n  request: [{items}]\n{more}")
    };
    let broken = "{parent: p/shops/s}".to_owned();
    let items = [item("450"), broken, item("51"), item("50"), item("1")];
    let expect = "  expect: [{request_id: scenario-step-2-1, receipt: {decision: ALLOW}}, {error: {code: 3}}, {receipt: {decision: DENY, max_amount: '50.00'}}, {receipt: {decision: ALLOW}}, {request_id: scenario-step-2-5}]\n  save: {payout: 0.receipt.payout}\n";
    for options in [Options::default(), everything()] {
        let outcome = run(&stream(&items, expect), &[], &options).await;
        assert!(outcome.failure.is_none(), "{outcome:?}");
    }
    let lied = failure(&stream(&items, ""), &[Lie::MaxTooLarge], &prove).await;
    assert_eq!((lied.step, lied.expected.as_str()), (2, "max_amount 51.00 CNY passes"));
    let short =
        failure(&stream(&items[..1], "  expect: [{}, {}]\n"), &[], &Options::default()).await;
    assert!(short.answer.unwrap().starts_with("[\n"), "the answer is a list");
    let twice = Options { twice: true, ..Options::default() };
    let held = failure(&stream(&items, ""), &[Lie::HoldsTwice], &twice).await;
    assert!(held.what.contains("[0].receipt"), "{held:?}");
    let end = "{request_id: end}".to_owned();
    let ended = stream(&[item("1"), end], "  expect_error: {code: UNAVAILABLE}\n");
    assert!(run(&ended, &[], &Options::default()).await.failure.is_none());
    let nothing = stream(&[], "  expect: []\n");
    assert!(run(&nothing, &[], &everything()).await.failure.is_none());
    let wrong = problems(&format!(
        "{HEAD}{}{}",
        stream(&[item("1"), "{payot: {}}".to_owned()], ""),
        "- call: PayoutService/StreamAuthorizePayouts\n  request: {parent: p}\n"
    ));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("7: request: [1].payot: "), "{wrong:?}");
    assert!(
        wrong[1].starts_with("9: request: expected a list of AuthorizePayoutRequest"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn waits_metadata_and_errors_of_the_roles_work_together() {
    let steps = r#"
- call: ShopService/CreateShop
  metadata: {bursar-roles: auditor}
  request: {parent: platforms/p1, shop_id: s1}
  expect_error:
    code: PERMISSION_DENIED
    field_violations: [{field: shop_id}]
    metadata: {role: auditor}
- wait: 1h30m
- call: ShopService/CreateShop
  request: {parent: platforms/p1, shop_id: s1, shop: {facts: {tier: {string_value: gold}, "a.b": {time_value: "2026-03-02T11:30:00+08:00"}}}}
  expect:
    create_time: 2026-03-02T03:30:00Z
    facts: {tier: {string_value: gold, bool_value: ~}, a.b: {time_value: 2026-03-02T03:30:00Z}}
"#;
    let outcome = run(steps, &[], &Options::default()).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
}

#[tokio::test]
async fn policies_come_from_the_directory_or_from_what_overrides_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), "currency: CNY\n").unwrap();
    let steps = "- policy: {file: p.yaml, programme: platforms/p1/programmes/x}\n";
    let mut options =
        Options { policies: directory.path().to_owned(), twice: true, ..Options::default() };
    let fine = run(steps, &[], &options).await;
    assert!(fine.failure.is_none(), "{fine:?}");
    options.policy_override = BTreeMap::from([("p.yaml".to_owned(), "broken".to_owned())]);
    let failure = failure(steps, &[], &options).await;
    assert_eq!(failure.what, "policy p.yaml: creating the revision");
    assert!(failure.came.contains("POLICY_INVALID"), "{failure:?}");
}

#[tokio::test]
async fn an_unknown_variable_and_a_clock_that_runs_back_fail_the_step() {
    let unknown = "- wait: 1s\n- call: ShopService/GetShop\n  request:\n    name: ${shop}\n";
    let failed = failure(unknown, &[], &Options::default()).await;
    assert_eq!((failed.step, failed.line), (2, 7));
    let back = failure("- until: 2026-03-01T00:00:00Z\n", &[], &Options::default()).await;
    assert!(back.what.contains("the clock"), "{back:?}");
}

#[test]
fn everything_wrong_with_a_file_is_said_at_once_with_lines() {
    let text = "\
name: x
clock: tomorrow
step: []
steps:
- call: ShopService/CreateShp
- call: ShopService/CreateShop
  request: {parnt: a, shop_id: [x]}
  expects: {}
- wait: soon
- until: 2026
- restart: maybe
- {}
- call: ShopService/GetShop
  expect_error: {code: NOT_FOND}
  save: {a: name}
- policy: {file: x}
";
    let expected = [
        "3: unknown key `step`; did you mean `steps`?",
        "2: `clock`: expected an instant",
        "5: there is no method `ShopService/CreateShp`; did you mean",
        "7: request: parnt: CreateShopRequest has no field `parnt`; did you mean `parent`?",
        "7: request: shop_id: expected a text",
        "8: unknown key `expects`; did you mean `expect`?",
        "9: `wait`: expected a duration",
        "10: `until`: expected an instant",
        "11: `restart`: expected true or kill",
        "12: a step must have exactly one of",
        "15: nothing can be saved of a failure",
        "14: there is no status code `NOT_FOND`; did you mean `NOT_FOUND`?",
        "16: `policy` needs `file` and `programme`",
    ];
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} does not start with {expected}");
    }
}

#[tokio::test]
async fn directories_run_in_order_and_fragments_only_where_they_are_included() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let shop = "metadata: {bursar-roles: platform}\nclock: 2026-03-02T00:00:00Z\nsteps:\n- call: ShopService/CreateShop\n  request: {parent: platforms/p1, shop_id: s1}\n  save: {shop: name}\n";
    let get = "steps:\n- call: ShopService/GetShop\n  request: {name: \"${shop}\"}\n";
    write("shared/shop.yaml", shop);
    write(
        "b.yaml",
        &format!(
            "name: second\ninclude: shared/shop.yaml\nmetadata: {{bursar-roles: auditor}}\n{get}"
        ),
    );
    write(
        "a.yaml",
        &format!("name: first\ninclude: [shared/shop.yaml]\n{get}  expect: {{displayName: x}}\n"),
    );
    write(
        "c.yaml",
        "name: third\nclock: 2026-03-02T00:00:00Z\ninclude: c.yaml\nsteps: [{wait: 1s}]\n",
    );
    let mut out = Vec::new();
    let paths = [directory.path().to_owned()];
    let (honest, options) = (FakeFactory::lying(&[]), Options::default());
    let tally = scenario::run_paths(&paths, &honest, &options, &mut out, Ink::default()).await;
    assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 2 });
    let out = String::from_utf8(out).unwrap().replace(directory.path().to_str().unwrap(), "DIR");
    let report = "\
FAIL first
     step 2, DIR/a.yaml:6: ShopService/GetShop: the answer
     expected: displayName: x
     came:     displayName: \"\"
";
    assert!(out.starts_with(report), "{out}");
    assert!(out.contains("\nok   second\n"), "{out}");
    assert!(out.contains("FAIL DIR/c.yaml\n     DIR/c.yaml:3: c.yaml includes itself\n"), "{out}");
    assert!(out.ends_with("1 passed, 2 failed\n"), "{out}");
}

fn call_args(method: &str, data: &str, addr: &str) -> CallArgs {
    CallArgs {
        method: method.to_owned(),
        data: data.to_owned(),
        addr: addr.to_owned(),
        headers: vec!["bursar-roles: platform".to_owned()],
        token: None,
    }
}

#[test]
fn running_a_scenario_can_be_spawned() {
    fn is_send(_: impl Send) {}
    let (scenario, options) = (parse(&format!("{HEAD}{DAY}")), everything());
    is_send(scenario::run_file(&scenario, &FakeFactory::lying(&[]), &options));
}

#[test]
fn the_arguments_of_call_are_parsed() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CallArgs,
    }
    let line = ["call", "A/B", "-d", "-", "-H", "a: b", "-H", "c:d"];
    let args = <Line as clap::Parser>::parse_from(line).args;
    assert_eq!((args.method.as_str(), args.data.as_str()), ("A/B", "-"));
    assert_eq!(args.headers, ["a: b", "c:d"]);
}

#[tokio::test]
async fn request_ids_are_filled_in_unless_they_were_written() {
    let steps = |id: &str| {
        let shop = "- call: ShopService/CreateShop\n  request: {parent: p, shop_id: s}\n  save: {shop: name}\n";
        format!(
            "{shop}- call: PayoutService/AuthorizePayout\n  request: {{parent: '${{shop}}'{id}}}\n"
        )
    };
    let filled = run(&steps(""), &[], &Options::default()).await;
    assert!(filled.failure.is_none(), "{filled:?}");
    let written = failure(&steps(", request_id: ''"), &[], &everything()).await;
    assert!(written.came.starts_with("INVALID_ARGUMENT"), "{written:?}");
    let items = "requests: [{}, {request_id: ''}, {request_id: x}]";
    let batch = format!(
        "- call: PayoutService/BatchAuthorizePayouts\n  request: {{{items}}}\n  expect: {{results: [{{request_id: scenario-step-1-1, error: {{details: [{{reason: BROKEN}}]}}}}, {{request_id: ''}}, {{request_id: x}}]}}\n"
    );
    let outcome = run(&batch, &[], &Options::default()).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
}

#[tokio::test]
async fn call_prints_the_answer_as_protobuf_json() {
    let addr = fake::serve_on_loopback().await;
    let data = r#"{"parent": "platforms/p1", "shopId": "s1", "shop": {"display_name": "Ä 😀"}}"#;
    let json = call::answer(&call_args("ShopService/CreateShop", data, &addr)).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["displayName"], "Ä 😀");
    let data = r#"{"requests": [{"requestId": "a"}]}"#;
    let batch = call_args("bursar.v1.PayoutService/BatchAuthorizePayouts", data, &addr);
    let json = call::answer(&batch).await.unwrap();
    assert!(json.contains("google.rpc.ErrorInfo") && json.contains("BROKEN"), "{json}");
}

#[tokio::test]
async fn call_takes_a_list_or_lines_for_a_stream_and_prints_a_line_for_each_answer() {
    let addr = fake::serve_on_loopback().await;
    let called = async |data: &str| {
        call::answer(&call_args("PayoutService/StreamAuthorizePayouts", data, &addr)).await
    };
    let list = r#"[{"requestId": "a"}, {"requestId": "b"}]"#;
    let lines = "{\"requestId\": \"a\"}\n\n{\"requestId\": \"b\"}\n";
    for data in [list, lines] {
        let said = called(data).await.unwrap();
        let said: Vec<serde_json::Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids: Vec<&str> = said.iter().map(|item| item["requestId"].as_str().unwrap()).collect();
        assert_eq!(ids, ["a", "b"], "{data}");
    }
    let one = "{\n  \"requestId\": \"a\"\n}";
    assert_eq!(called(one).await.unwrap().lines().count(), 1);
    assert_eq!(called("").await.unwrap(), "");
    let ended = called(r#"[{"requestId": "a"}, {"requestId": "end"}]"#).await.unwrap_err();
    assert!(ended.starts_with("UNAVAILABLE: it ends here"), "{ended}");
    let wrong = called("{\"requestId\": \"a\"}\n{\"x\": 1}").await.unwrap_err();
    assert!(wrong.contains("line 2: x: "), "{wrong}");
    let wrong = called(r#"[{"requestId": "a"}, {"x": 1}]"#).await.unwrap_err();
    assert!(wrong.contains("line 1: [1].x: "), "{wrong}");
}

#[tokio::test]
async fn call_says_what_is_wrong_and_what_to_do() {
    let addr = fake::serve_on_loopback().await;
    let said = async |method: &str, data: &str, addr: &str| {
        call::answer(&call_args(method, data, addr)).await.expect_err("a failure")
    };
    let unknown = said("PayoutService/GetPayot", "{}", &addr).await;
    assert!(unknown.contains("did you mean `PayoutService/GetPayout`?"), "{unknown}");
    let unknown = said("PayoutService/Refund", "{}", &addr).await;
    assert!(unknown.contains("\n  PayoutService/ExecutePayout\n"), "{unknown}");
    let wrong = said("PayoutService/GetPayout", "{\n\"nam\": 1}", &addr).await;
    assert!(wrong.contains("line 2: nam: ") && wrong.contains("UNKNOWN_FIELD"), "{wrong}");
    let missing = said("PayoutService/GetPayout", "{name: x}", &addr).await;
    assert!(missing.starts_with("NOT_FOUND (PAYOUT_NOT_FOUND): "), "{missing}");
    let nobody = said("PayoutService/GetPayout", "{}", "127.0.0.1:1").await;
    assert!(nobody.starts_with("UNAVAILABLE") && nobody.contains("bursar serve"), "{nobody}");
    let later = said("PolicyService/ListProgrammes", "{}", &addr).await;
    assert!(later.starts_with("UNIMPLEMENTED"), "{later}");
    let file = said("PayoutService/GetPayout", "@/does/not/exist", &addr).await;
    assert!(file.contains("/does/not/exist"), "{file}");
    assert!(!Path::new("/does/not/exist").exists());
}
