//! The methods that can be called, by the names people use for them.

use std::sync::LazyLock;

use prost_reflect::{
    DescriptorPool, MethodDescriptor,
    prost::Message,
    prost_types::{FileDescriptorProto, FileDescriptorSet},
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

/// Adds the files whose messages the pool does not have yet: these crates know
/// the same ones under other paths. A file that does not fit is left out: its
/// service is then not known, and the call says so.
fn add(pool: &mut DescriptorPool, encoded: &[u8]) {
    let Ok(set) = FileDescriptorSet::decode(encoded) else { return };
    let is_new = |file: &FileDescriptorProto| {
        let full = |name: &str| format!("{}.{name}", file.package());
        !file.message_type.iter().any(|m| pool.get_message_by_name(&full(m.name())).is_some())
    };
    let new: Vec<_> = set.file.into_iter().filter(is_new).collect();
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
        // The method as such, under another service or under none.
        let same = |n: &&String| n.rsplit('/').next() == Some(method);
        let mut near: Vec<String> = all.iter().filter(same).cloned().collect();
        if near.is_empty() {
            let nearest = yaml::near::nearest(name, all.iter().map(String::as_str));
            near = nearest.into_iter().map(str::to_owned).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_by_short_and_by_full_names() {
        let full = |name| Directory.method(name).map(|method| method.full_name().to_owned());
        let get = Ok("bursar.v1.PayoutService.GetPayout".to_owned());
        assert_eq!(full("PayoutService/GetPayout"), get);
        assert_eq!(full("/bursar.v1.PayoutService/GetPayout"), get);
        assert_eq!(
            full("grpc.health.v1.Health/Check"),
            Ok("grpc.health.v1.Health.Check".to_owned())
        );
    }

    #[test]
    fn an_unknown_method_is_answered_with_near_ones() {
        let near = |name| Directory.method(name).map_or_else(|unknown| unknown.near, |_| vec![]);
        assert_eq!(near("PayoutService/GetPayuot"), ["PayoutService/GetPayout"]);
        assert_eq!(near("ShopService/GetPayout"), ["PayoutService/GetPayout"]);
        assert_eq!(near("GetPayout"), ["PayoutService/GetPayout"]);
        assert!(near("PayoutService/X").contains(&"PayoutService/ExecutePayout".to_owned()));
        assert!(near("Nowhere/Nothing").contains(&"ShopService/…".to_owned()));
    }
}
