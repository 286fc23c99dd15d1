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
use sha2::{Digest, Sha256};

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
    let mut hashes: BTreeMap<u32, Sha256> = BTreeMap::new();
    while !rest.is_empty() {
        let start = rest;
        let Ok((number, wire)) = decode_key(&mut rest) else { break };
        if skip(wire, number, &mut rest).is_err() {
            break;
        }
        let length = start.len() - rest.len();
        hashes.entry(number).or_default().update(start.get(..length).unwrap_or_default());
    }
    let short = |hash: Sha256| {
        let digest = hash.finalize();
        let first = digest.first_chunk().expect("SHA-256 gives 32 bytes");
        u64::from_be_bytes(*first)
    };
    Fingerprint(hashes.into_iter().map(|(number, hash)| (number, short(hash))).collect())
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
