//! The methods that can be called, by the names people use for them.

use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, MethodDescriptor, prost::Message, prost_types::FileDescriptorSet,
};

use crate::yaml;

/// The package whose services need no prefix.
const PACKAGE: &str = "bursar.v1";

// The contract, the health service, and the details of errors: a batch's
// answer holds statuses, whose details print only if their types are known.
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = yaml::pool().clone();
    for more in [tonic_health::pb::FILE_DESCRIPTOR_SET, tonic_types::pb::FILE_DESCRIPTOR_SET] {
        add(&mut pool, more);
    }
    pool
});

/// Adds the files that the pool does not have yet. One that does not fit is
/// left out: its service is then not known, and the call says so.
fn add(pool: &mut DescriptorPool, encoded: &[u8]) {
    let Ok(set) = FileDescriptorSet::decode(encoded) else { return };
    let files = set.file.into_iter();
    let new: Vec<_> = files.filter(|file| pool.get_file_by_name(file.name()).is_none()).collect();
    let mut larger = pool.clone();
    if larger.add_file_descriptor_protos(new).is_ok() {
        *pool = larger;
    }
}

/// Finds methods by name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Directory;

/// There is no such method; some that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    /// What was asked for.
    pub name: String,
    /// The nearest ones, best first; all of the service if that exists; all
    /// services if nothing is near.
    pub near: Vec<String>,
}

impl std::fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no method `{}`", self.name)?;
        match self.near.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "; did you mean `{one}`?"),
            several => write!(f, "; there are {}", several.join(", ")),
        }
    }
}

impl std::error::Error for UnknownMethod {}

impl Directory {
    /// The descriptors of everything that can be called or answered.
    #[must_use]
    pub fn pool(&self) -> &'static DescriptorPool {
        &POOL
    }

    /// The method of that name: `PayoutService/GetPayout`,
    /// `bursar.v1.PayoutService/GetPayout` or `grpc.health.v1.Health/Check`.
    ///
    /// # Errors
    /// There is none; the error names near ones.
    pub fn method(&self, name: &str) -> Result<MethodDescriptor, UnknownMethod> {
        let name = name.trim_start_matches('/');
        if let Some((service, method)) = name.rsplit_once('/') {
            let full = format!("{PACKAGE}.{service}");
            let found = POOL
                .services()
                .filter(|s| s.full_name() == service || s.full_name() == full)
                .find_map(|s| s.methods().find(|m| m.name() == method));
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(self.unknown(name))
    }

    /// Every method, by the shortest name that finds it.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        POOL.services()
            .flat_map(|s| s.methods().map(|m| short_name(&m)).collect::<Vec<_>>())
            .collect()
    }

    fn unknown(&self, name: &str) -> UnknownMethod {
        let all = self.names();
        let (service, method) = name.rsplit_once('/').unwrap_or(("", name));
        let mut near: Vec<String> = yaml::near::nearest(name, all.iter().map(String::as_str))
            .into_iter()
            .map(str::to_owned)
            .collect();
        if near.is_empty() {
            // The method alone, under another service or under none.
            let same = |n: &&String| n.rsplit('/').next() == Some(method);
            near = all.iter().filter(same).cloned().collect();
        }
        if near.is_empty() && !service.is_empty() {
            let prefix = format!("{service}/");
            near = all.iter().filter(|n| n.starts_with(&prefix)).cloned().collect();
        }
        if near.is_empty() {
            near = all
                .iter()
                .filter_map(|n| n.rsplit_once('/'))
                .map(|n| format!("{}/…", n.0))
                .collect();
            near.dedup();
        }
        UnknownMethod { name: name.to_owned(), near }
    }
}

/// `PayoutService/GetPayout`; methods of other packages with their package.
pub(crate) fn short_name(method: &MethodDescriptor) -> String {
    let service = method.parent_service();
    let full = service.full_name();
    let short = full.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('.')).unwrap_or(full);
    format!("{short}/{}", method.name())
}
