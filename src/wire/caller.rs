//! One call over a channel, of any of the four shapes.

use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::{MetadataKey, MetadataMap, MetadataValue},
    transport::Channel,
};

use super::{Answer, Failure, codec::DynamicCodec};

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
    /// Any status but OK, with its details; a method that is a stream.
    pub async fn unary(
        &self,
        method: &MethodDescriptor,
        message: DynamicMessage,
        metadata: &MetadataMap,
    ) -> Result<DynamicMessage, Failure> {
        if method.is_client_streaming() || method.is_server_streaming() {
            let text = format!("{} is a stream, and this is for single answers", method.name());
            return Err(Failure::local(Code::Unimplemented, text));
        }
        let (mut grpc, path, codec) = self.prepared(method).await?;
        match grpc.unary(with(metadata, message), path, codec).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(Failure::from(&status)),
        }
    }

    /// Sends all messages, and nothing behind them, and gives each answer to
    /// `each` as it comes. A method that takes or answers one message takes
    /// and answers one.
    ///
    /// # Errors
    /// Any status but OK, with its details. Answers may have come before it.
    pub async fn stream(
        &self,
        method: &MethodDescriptor,
        messages: Vec<DynamicMessage>,
        metadata: &MetadataMap,
        mut each: impl FnMut(DynamicMessage),
    ) -> Result<(), Failure> {
        let (mut grpc, path, codec) = self.prepared(method).await?;
        let failed = |status| Failure::from(&status);
        let request = with(metadata, tokio_stream::iter(messages));
        let answers = grpc.streaming(request, path, codec).await.map_err(failed)?;
        let mut answers = answers.into_inner();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            each(answer);
        }
        Ok(())
    }

    /// Makes a call of any shape: as many messages as it takes, and what came.
    ///
    /// # Errors
    /// Any status but OK, with its details; too many or too few messages.
    pub async fn call(
        &self,
        method: &MethodDescriptor,
        messages: Vec<DynamicMessage>,
        metadata: &MetadataMap,
    ) -> Result<Answer, Failure> {
        if !method.is_client_streaming() && !method.is_server_streaming() {
            let [message] = <[_; 1]>::try_from(messages).map_err(|messages| {
                let text = format!("{} takes one message, not {}", method.name(), messages.len());
                Failure::local(Code::InvalidArgument, text)
            })?;
            return self.unary(method, message, metadata).await.map(Answer::One);
        }
        let mut answers = Vec::new();
        self.stream(method, messages, metadata, |answer| answers.push(answer)).await?;
        Ok(match answers.pop() {
            Some(answer) if !method.is_server_streaming() => Answer::One(answer),
            last => {
                answers.extend(last);
                Answer::Several(answers)
            }
        })
    }

    async fn prepared(
        &self,
        method: &MethodDescriptor,
    ) -> Result<(Grpc<Channel>, PathAndQuery, DynamicCodec), Failure> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        grpc.ready().await.map_err(|error| Failure::from(&Status::from_error(error.into())))?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path)
            .map_err(|error| Failure::local(Code::Internal, error.to_string()))?;
        Ok((grpc, path, DynamicCodec { response: method.output() }))
    }
}

fn with<T>(metadata: &MetadataMap, message: T) -> Request<T> {
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata.clone();
    request
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
