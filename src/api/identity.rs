//! What makes a repeat the same request: a hash per field of its content.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, skip_field},
};
use prost_reflect::DescriptorPool;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    domain::{
        name::PlatformName,
        request::{Fingerprint, RequestIdentity, RequestKey},
    },
    proto::DESCRIPTORS,
};

/// The contract's descriptors.
pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS).expect("the build wrote these descriptors")
});

/// Names of a message's fields by number.
pub fn field_names(message: &str) -> Arc<BTreeMap<u32, String>> {
    let descriptor = POOL.get_message_by_name(message).expect("a message of the contract");
    Arc::new(descriptor.fields().map(|f| (f.number(), f.name().to_owned())).collect())
}

/// Hashes each field of a message. The message must be normalised and must not
/// contain its own id or what only shapes the answer.
pub fn fingerprint(message: &impl Message) -> Fingerprint {
    let bytes = message.encode_to_vec();
    let mut rest = bytes.as_slice();
    // Fields are written in the order of their numbers, so that what has one
    // number lies together.
    let mut fields: Vec<(u32, &[u8])> = Vec::with_capacity(16);
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let Ok((number, wire)) = decode_key(&mut rest) else { break };
        if skip(wire, number, &mut rest).is_err() {
            break;
        }
        let end = bytes.len() - rest.len();
        match fields.last_mut() {
            Some((last, field)) if *last == number => {
                let start = start - field.len();
                *field = bytes.get(start..end).unwrap_or_default();
            }
            _ => fields.push((number, bytes.get(start..end).unwrap_or_default())),
        }
    }
    Fingerprint(fields.into_iter().map(|(number, field)| (number, xxh3_64(field))).collect())
}

fn skip(wire: WireType, number: u32, rest: &mut &[u8]) -> Result<(), prost::DecodeError> {
    skip_field(wire, number, rest, DecodeContext::default())
}

/// The identity of a request that has an id.
pub fn identity(
    platform: &PlatformName,
    parent: &str,
    operation: &str,
    request_id: &str,
    content: Fingerprint,
    field_names: &Arc<BTreeMap<u32, String>>,
) -> Option<RequestIdentity> {
    (!request_id.is_empty()).then(|| RequestIdentity {
        key: RequestKey {
            platform: platform.clone(),
            parent: parent.into(),
            operation: operation.into(),
            id: request_id.into(),
        },
        content,
        field_names: field_names.clone(),
    })
}
