//! What a call was answered with: a message, or the messages of a stream.

use prost_reflect::DynamicMessage;

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One message.
    One(DynamicMessage),
    /// The messages of a stream, in their order.
    Several(Vec<DynamicMessage>),
}

impl Answer {
    /// All messages.
    #[must_use]
    pub fn messages(&self) -> &[DynamicMessage] {
        match self {
            Self::One(message) => std::slice::from_ref(message),
            Self::Several(messages) => messages,
        }
    }
}
