//! Bursar's generated checks against protovalidate itself: the same requests,
//! the same violated fields. Needs Python 3.11 and, the first time, its package
//! index; `BURSAR_WITHOUT_PYTHON=1` leaves this test out, and says so.

use std::{path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bursar::{
    contract::{Violation, Violations, violations},
    proto::{DESCRIPTORS, v1},
};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use serde::Deserialize;

#[path = "clients/python.rs"]
mod python;

/// A request, and the fields that protovalidate says are violated.
#[derive(Deserialize)]
struct Case {
    message: String,
    bytes: String,
    violations: Vec<String>,
}

/// Decodes and checks a request by the name of its message.
macro_rules! requests {
    ($($message:ident),* $(,)?) => {
        const REQUESTS: &[&str] = &[$(concat!("bursar.v1.", stringify!($message))),*];

        fn check(message: &str, bytes: &[u8]) -> Option<Vec<Violation>> {
            match message {
                $(concat!("bursar.v1.", stringify!($message)) => {
                    let request = v1::$message::decode(bytes).expect("a message");
                    Some(violations(&request))
                })*
                _ => None,
            }
        }
    };
}

requests! {
    ActivateRevisionRequest,
    AuthorizePayoutRequest,
    BatchAuthorizePayoutsRequest,
    CancelPayoutRequest,
    CheckPolicyRequest,
    CreateAccountRequest,
    CreateFreezeRequest,
    CreateOperatorRequest,
    CreatePlatformRequest,
    CreateRevisionRequest,
    CreateShopRequest,
    DeleteGrantRequest,
    DiffRevisionsRequest,
    ExecutePayoutRequest,
    GetAccountRequest,
    GetDecisionRequest,
    GetFreezeRequest,
    GetGrantRequest,
    GetOperatorRequest,
    GetOrderRequest,
    GetPayoutRequest,
    GetPlatformRequest,
    GetProgrammeRequest,
    GetRevisionRequest,
    GetShopRequest,
    GetUsageRequest,
    LiftFreezeRequest,
    ListAccountsRequest,
    ListEventsRequest,
    ListFreezesRequest,
    ListGrantsRequest,
    ListMovementsRequest,
    ListOperatorsRequest,
    ListPayoutsRequest,
    ListProgrammesRequest,
    ListRevisionsRequest,
    ListShopsRequest,
    RecordMovementRequest,
    ReturnPayoutRequest,
    SettlePayoutRequest,
    SummarizePayoutsRequest,
    UpdateAccountRequest,
    UpdateGrantRequest,
    UpdateOperatorRequest,
    UpdatePlatformRequest,
    UpdateShopRequest,
    UpsertOrderRequest,
    ValidatePayoutRequest,
}

#[test]
fn every_request_of_the_contract_is_compared() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the descriptors");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let mut inputs: Vec<String> = methods.map(|m| m.input().full_name().to_owned()).collect();
    inputs.sort();
    inputs.dedup();
    assert_eq!(inputs, REQUESTS);
}

#[test]
fn the_same_fields_are_violated_as_by_protovalidate() {
    let Some(interpreter) = python::interpreter() else { return };
    let cases = cases(&interpreter);
    assert!(cases.len() >= 300, "{} cases", cases.len());
    let differing: Vec<String> = cases.iter().filter_map(difference).collect();
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// How Bursar's answer differs from protovalidate's.
fn difference(case: &Case) -> Option<String> {
    let bytes = STANDARD.decode(&case.bytes).expect("base64");
    let found = check(&case.message, &bytes).expect("a request of the contract");
    let mut fields: Vec<String> = found.into_iter().map(|violation| violation.field).collect();
    fields.sort();
    let mut expected = case.violations.clone();
    expected.sort();
    let agree = match expected.len() {
        all if all <= Violations::MOST => fields == expected,
        _ => fields.len() == Violations::MOST && fields.iter().all(|f| expected.contains(f)),
    };
    let Case { message, .. } = case;
    let request = case.bytes.get(..400).unwrap_or(&case.bytes);
    (!agree).then(|| format!("{message} {request}\n  here: {fields:?}\n  there: {expected:?}"))
}

fn cases(interpreter: &Path) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(interpreter);
    python.arg(root.join("tests/clients/contract_agreement.py")).arg(root.join("proto"));
    let output = run(&mut python);
    output.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} (or set BURSAR_WITHOUT_PYTHON=1): {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
