//! That no text of a request is without a bound, or may hold control
//! characters, unless it is read further and cannot be anything.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::proto::DESCRIPTORS;

/// Names and tokens, which are read by a grammar of their own, and documents.
const READ_FURTHER: [&str; 13] = [
    "parent",
    "name",
    "base",
    "target",
    "programme",
    "operator",
    "order",
    "actor",
    "page_token",
    "cursor",
    "currency_code",
    "yaml",
    "key",
];

/// What an annotation states of a text: the rules' names.
fn stated(field: &FieldDescriptor, pool: &DescriptorPool) -> Vec<String> {
    let extension = pool.get_extension_by_name("buf.validate.field").expect("the annotation");
    let options = field.options();
    let Value::Message(rules) = options.get_extension(&extension).into_owned() else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut open = vec![rules];
    while let Some(rules) = open.pop() {
        for (field, value) in rules.fields() {
            names.push(field.name().to_owned());
            open.extend(value.as_message().cloned());
        }
    }
    names
}

fn is_output(field: &FieldDescriptor, pool: &DescriptorPool) -> bool {
    const OUTPUT_ONLY: i32 = 3;
    let extension = pool.get_extension_by_name("google.api.field_behavior").expect("known");
    let options = field.options();
    let behaviours = options.get_extension(&extension).into_owned();
    let all = behaviours.as_list().unwrap_or_default();
    all.iter().any(|value| value.as_enum_number() == Some(OUTPUT_ONLY))
}

/// Texts of a message that are not bounded, or not free of control characters.
fn free(message: &MessageDescriptor, pool: &DescriptorPool, seen: &mut Vec<String>) -> Vec<String> {
    // Policies have bounds of their own; see `api::policy`.
    let policy = message.full_name() == "bursar.v1.Policy";
    if policy || seen.contains(&message.full_name().to_owned()) {
        return Vec::new();
    }
    seen.push(message.full_name().to_owned());
    let mut found = Vec::new();
    for field in message.fields().filter(|field| !is_output(field, pool)) {
        match field.kind() {
            Kind::String => {
                let rules = stated(&field, pool);
                let has = |names: &[&str]| rules.iter().any(|rule| names.contains(&&**rule));
                let read = READ_FURTHER.contains(&field.name());
                let bounded = has(&["max_len", "max_bytes", "pattern"]) || field.name() == "key";
                if !bounded || !(read || has(&["pattern"])) {
                    found.push(field.full_name().to_owned());
                }
            }
            Kind::Message(of) if of.full_name().starts_with("bursar.") => {
                found.extend(free(&of, pool, seen));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_text_of_a_request_is_bounded_and_free_of_control_characters() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the build wrote these descriptors");
    let mut seen = Vec::new();
    let inputs = pool.services().filter(|service| service.full_name().starts_with("bursar."));
    let inputs: Vec<MessageDescriptor> = inputs
        .flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>())
        .collect();
    let found: Vec<String> =
        inputs.iter().flat_map(|input| free(input, &pool, &mut seen)).collect();
    assert!(seen.len() > 50, "{} messages", seen.len());
    assert_eq!(found, Vec::<String>::new());
}
