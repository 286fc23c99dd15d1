//! Faults of declarations of facts.

use serde_json::json;

use super::Fault;

pub(super) fn facts() -> Vec<Fault> {
    vec![
        ("/facts/3/name", json!(null), "facts[3].name", "MISSING"),
        ("/facts/3/name", json!("Note"), "facts[3].name", "INVALID_VALUE"),
        ("/facts/3/name", json!("-"), "facts[3].name", "INVALID_VALUE"),
        ("/facts/3/name", json!("amount"), "facts[3].name", "DUPLICATE_ID"),
        ("/facts/3/type", json!(null), "facts[3].type", "MISSING"),
        ("/facts/3/source", json!(null), "facts[3].source", "MISSING"),
        ("/facts/3/source", json!("FACT_SOURCE_PAYEE"), "facts[3].source", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/source", json!("FACT_SOURCE_GROUP"), "facts[3].source", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/source", json!("FACT_SOURCE_GRANT"), "facts[3].key", "INVALID_VALUE"),
        ("/facts/3/key", json!(null), "facts[3]", "MISSING"),
        ("/facts/3/key", json!("a\nb"), "facts[3].key", "INVALID_VALUE"),
        ("/facts/3/key", json!("item"), "facts[3].key", "DUPLICATE_ID"),
        ("/facts/3/field", json!("payee"), "facts[3].field", "INVALID_VALUE"),
        ("/facts/3/account", json!("settlement"), "facts[3].account", "INVALID_VALUE"),
        ("/facts/3/required", json!(true), "facts[3].required", "UNREACHABLE"),
        ("/facts/3/personal", json!(true), "facts[3].personal", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/3/label", json!(false), "facts[3]", "UNREACHABLE"),
        ("/facts/7/field", json!("paid"), "facts[7].field", "INVALID_VALUE"),
        (
            "/facts/9/asserted_by",
            json!(["ROLE_UNSPECIFIED"]),
            "facts[9].asserted_by[0]",
            "INVALID_VALUE",
        ),
        (
            "/facts/9/asserted_by",
            json!(["ROLE_ADMIN", "ROLE_ADMIN"]),
            "facts[9].asserted_by[1]",
            "UNREACHABLE",
        ),
        (
            "/facts/6/asserted_by",
            json!(["ROLE_PLATFORM"]),
            "facts[6].asserted_by",
            "UNSUPPORTED_CONSTRUCT",
        ),
        ("/facts/7/values", json!(["1"]), "facts[7].values", "UNSUPPORTED_CONSTRUCT"),
        ("/facts/7/type", json!("FACT_TYPE_STRING"), "facts[7].type", "WRONG_TYPE"),
        ("/facts/4/values/3", json!("desk"), "facts[4].values[3]", "UNREACHABLE"),
        ("/facts/19/values", json!(["x"]), "facts[19].values[0]", "WRONG_TYPE"),
        ("/facts/17/account", json!(null), "facts[17].account", "MISSING"),
        ("/facts/17/account", json!("a b"), "facts[17].account", "INVALID_VALUE"),
    ]
}
