//! One call over a channel. Unary now; the other three shapes go through the
//! same codec, metadata and failures.

use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::{MetadataKey, MetadataMap, MetadataValue},
    transport::Channel,
};

use super::{Failure, codec::DynamicCodec};

/// Largest answer that is accepted, in bytes: a batch of receipts is large.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Calls methods over one channel.
#[derive(Clone, Debug)]
pub struct Caller {
    channel: Channel,
}

impl Caller {
    /// Calls over that channel.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// Sends one message and waits for the one that answers it.
    ///
    /// # Errors
    /// Any status but OK, with its details.
    pub async fn unary(
        &self,
        method: &MethodDescriptor,
        message: DynamicMessage,
        metadata: &MetadataMap,
    ) -> Result<DynamicMessage, Failure> {
        if method.is_client_streaming() || method.is_server_streaming() {
            let text = format!("{} is a stream; only unary calls are supported", method.name());
            return Err(Failure::local(Code::Unimplemented, text));
        }
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        grpc.ready().await.map_err(|error| Failure::from(&Status::from_error(error.into())))?;
        let mut request = Request::new(message);
        *request.metadata_mut() = metadata.clone();
        let codec = DynamicCodec { response: method.output() };
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path)
            .map_err(|error| Failure::local(Code::Internal, error.to_string()))?;
        match grpc.unary(request, path, codec).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(Failure::from(&status)),
        }
    }
}

/// Request metadata from names and texts.
///
/// # Errors
/// The first name or text that metadata cannot hold.
pub fn metadata<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<MetadataMap, String> {
    let mut map = MetadataMap::new();
    for (name, text) in pairs {
        let key = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes())
            .map_err(|_| format!("`{name}` is not a name of ASCII metadata"))?;
        let value = MetadataValue::try_from(text)
            .map_err(|_| format!("the value of `{name}` must be visible ASCII"))?;
        map.append(key, value);
    }
    Ok(map)
}
