//! The generated contract: messages, clients and servers of `proto/`, and the
//! descriptors that reflection and the command line use. Nothing by hand.

#![allow(missing_docs, unused_qualifications, reason = "generated")]
#![allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]

/// Google's common types that the contract uses.
pub mod google {
    /// `google.rpc`: status and error details.
    pub mod rpc {
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
    }
    /// `google.type`: money and days of the week.
    pub mod r#type {
        include!(concat!(env!("OUT_DIR"), "/google.r#type.rs"));
    }
    /// `google.api`: annotations.
    pub mod api {
        include!(concat!(env!("OUT_DIR"), "/google.api.rs"));
    }
}

/// Bursar's own packages.
pub mod bursar {
    /// `bursar.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/bursar.v1.rs"));
    }
}

pub use bursar::v1;

/// The encoded `FileDescriptorSet` of everything under `proto/`, options and
/// comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bursar_descriptor.bin"));
