//! Who is calling. Callers come from a token file now; TLS identities and JWTs
//! come behind the same interface. Without a token file every caller of a
//! loopback server is `local` with all roles, and may narrow itself.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tonic::{
    codegen::http::{HeaderMap, HeaderName, header::AUTHORIZATION},
    metadata::MetadataMap,
};

use crate::domain::{
    name::{Id, OperatorName, PlatformName, ShopName},
    refusal::{Reason, Refusal},
    who::{Author, Caller, Role, RoleSet},
};

/// Establishes who is calling.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Everybody is trusted: a loopback server without a token file.
    Local,
    /// Callers by the SHA-256 of their token.
    Tokens(Arc<HashMap<[u8; 32], Caller>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    #[serde(default)]
    callers: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    token_sha256: String,
    roles: Vec<String>,
    platforms: Option<Vec<String>>,
    shops: Option<Vec<String>>,
}

impl Authenticator {
    /// Reads a token file (TOML): `[[callers]]` with name, token_sha256 (hex),
    /// roles, and optionally platforms and shops.
    ///
    /// # Errors
    /// What is wrong, naming the caller.
    pub fn from_token_file(text: &str) -> Result<Self, String> {
        let file: TokenFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut callers = HashMap::new();
        for entry in file.callers {
            let name = entry.name.clone();
            let (hash, caller) =
                entry.into_caller().map_err(|error| format!("caller {name:?}: {error}"))?;
            if callers.insert(hash, caller).is_some() {
                return Err(format!("caller {name:?}: another caller has the same token"));
            }
        }
        if callers.is_empty() {
            return Err("there are no [[callers]] in it".to_owned());
        }
        Ok(Self::Tokens(Arc::new(callers)))
    }

    /// Who sent this.
    ///
    /// # Errors
    /// If nobody is known by its credentials.
    pub fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Refusal> {
        match self {
            Self::Local => local(metadata),
            Self::Tokens(callers) => {
                let token = text(metadata, &AUTHORIZATION).and_then(bearer);
                let caller = token.and_then(|t| callers.get(&<[u8; 32]>::from(Sha256::digest(t))));
                caller.cloned().ok_or_else(|| {
                    Refusal::new(
                        Reason::Unauthenticated,
                        "No caller is known by these credentials.",
                    )
                    .at(
                        "authorization",
                        "Send \"Bearer TOKEN\" with a token of the service's token file.",
                    )
                })
            }
        }
    }
}

/// Who calls, of those that are trusted.
const CALLER: HeaderName = HeaderName::from_static("bursar-caller");
/// In which roles.
const ROLES: HeaderName = HeaderName::from_static("bursar-roles");

/// A header as text, by a name that was read when this was built.
pub fn text<'a>(metadata: &'a MetadataMap, key: &HeaderName) -> Option<&'a str> {
    let headers: &HeaderMap = metadata.as_ref();
    headers.get(key).and_then(|value| value.to_str().ok())
}

/// The token of `Bearer TOKEN`. Names of schemes are written in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

fn local(metadata: &MetadataMap) -> Result<Caller, Refusal> {
    let name = text(metadata, &CALLER).unwrap_or("local");
    let roles = match text(metadata, &ROLES) {
        None => RoleSet::ALL,
        Some(roles) => {
            let parsed: Option<RoleSet> =
                roles.split(',').map(|role| Role::parse(role.trim())).collect();
            parsed.ok_or_else(|| {
                let known: Vec<&str> = Role::ALL.iter().map(|(_, name)| *name).collect();
                Refusal::new(Reason::FieldInvalid, "bursar-roles names an unknown role.")
                    .at("bursar-roles", format!("Roles are: {}.", known.join(", ")))
            })?
        }
    };
    Ok(Caller { name: name.into(), roles, platforms: None, shops: None })
}

impl TokenEntry {
    fn into_caller(self) -> Result<([u8; 32], Caller), String> {
        let hash = hex(&self.token_sha256).ok_or("token_sha256 must be 64 hexadecimal digits")?;
        let mut roles = RoleSet::NONE;
        for role in &self.roles {
            roles =
                roles.with(Role::parse(role).ok_or_else(|| format!("there is no role {role:?}"))?);
        }
        if roles.is_empty() {
            return Err("has no roles".to_owned());
        }
        let ids = |ids: Vec<String>| -> Result<Vec<Id>, String> {
            ids.iter()
                .map(|id| Id::parse(id).ok_or_else(|| format!("{id:?} is not an id")))
                .collect()
        };
        let shops = |names: Vec<String>| -> Result<Vec<ShopName>, String> {
            let parse = |n: &String| {
                ShopName::parse(n).ok_or_else(|| format!("{n:?} is not like {}", ShopName::PATTERN))
            };
            names.iter().map(parse).collect()
        };
        let caller = Caller {
            name: self.name.into(),
            roles,
            platforms: self.platforms.map(ids).transpose()?,
            shops: self.shops.map(shops).transpose()?,
        };
        Ok((hash, caller))
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Every role may read what it reaches.
pub const READ: &[Role] =
    &[Role::Platform, Role::Admin, Role::Merchant, Role::Payer, Role::Reviewer, Role::Auditor];

/// A merchant sees what stops its own shops.
pub const SEE: &[Role] =
    &[Role::Platform, Role::Admin, Role::Reviewer, Role::Auditor, Role::Merchant];

/// Roles that may call a method.
pub fn require_role(caller: &Caller, any_of: &[Role]) -> Result<(), Refusal> {
    if any_of.iter().any(|role| caller.roles.has(*role)) {
        return Ok(());
    }
    let names: Vec<&str> =
        Role::ALL.iter().filter(|(role, _)| any_of.contains(role)).map(|(_, name)| *name).collect();
    let message = format!("{} has no role that may call this.", caller.name);
    Err(Refusal::new(Reason::RoleMissing, message)
        .at("roles", format!("Needs one of: {}.", names.join(", "))))
}

/// That a caller may touch a platform; answered before existence is revealed.
pub fn require_platform(caller: &Caller, platform: &PlatformName) -> Result<(), Refusal> {
    if caller.reaches_platform(&platform.platform) {
        Ok(())
    } else {
        Err(out_of_reach(caller, &platform.to_string()))
    }
}

/// That a caller may touch a shop; answered before existence is revealed.
pub fn require_shop(caller: &Caller, shop: &ShopName) -> Result<(), Refusal> {
    if caller.reaches_shop(shop) { Ok(()) } else { Err(out_of_reach(caller, &shop.to_string())) }
}

/// That a caller may touch all of a platform, not only some of its shops.
pub fn require_whole_platform(caller: &Caller, platform: &PlatformName) -> Result<(), Refusal> {
    require_platform(caller, platform)?;
    if caller.shops.is_none() { Ok(()) } else { Err(out_of_reach(caller, &platform.to_string())) }
}

fn out_of_reach(caller: &Caller, name: &str) -> Refusal {
    Refusal::new(Reason::OutOfReach, format!("{} may not touch {name}.", caller.name))
        .at(name, "Ask for the shop or platform to be added to the caller.")
}

/// Who a record names: the caller, and the operator it speaks for.
pub fn author(caller: &Caller, actor: Option<OperatorName>) -> Author {
    Author { caller: caller.name.clone(), actor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_token_may_be_written_in_any_case() {
        for header in ["Bearer t", "bearer t", "BEARER  t"] {
            assert_eq!(bearer(header), Some("t"), "{header}");
        }
        for header in ["t", "Bearert", "Basic t", ""] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
