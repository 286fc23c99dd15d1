//! Who is connected, in which roles, and for whom it speaks.

use super::text::Text;

use super::name::{Id, OperatorName, ShopName};

/// What a caller may do; see docs/ARCHITECTURE.md for the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Role {
    /// The marketplace's own services.
    Platform = 1,
    /// Who configures platforms and policies.
    Admin = 2,
    /// A shop's back office.
    Merchant = 4,
    /// The payment channel.
    Payer = 8,
    /// Who reviews cases and payouts.
    Reviewer = 16,
    /// Who reads everything and changes nothing.
    Auditor = 32,
}

impl Role {
    /// All roles, with their names in configuration.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Platform, "platform"),
        (Self::Admin, "admin"),
        (Self::Merchant, "merchant"),
        (Self::Payer, "payer"),
        (Self::Reviewer, "reviewer"),
        (Self::Auditor, "auditor"),
    ];

    /// Takes a role's name from configuration.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == text).map(|(role, _)| role)
    }
}

/// Several roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoleSet(u8);

impl RoleSet {
    /// No role.
    pub const NONE: Self = Self(0);
    /// Every role.
    pub const ALL: Self = Self(63);

    /// The roles as bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The reverse of [`RoleSet::bits`].
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// With this role too.
    #[must_use]
    pub fn with(self, role: Role) -> Self {
        Self(self.0 | role as u8)
    }

    /// Whether this role is among them.
    pub fn has(self, role: Role) -> bool {
        self.0 & role as u8 != 0
    }

    /// Whether any role is in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Only the roles that are in both.
    #[must_use]
    pub fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Role> for RoleSet {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Who is connected, as the authenticator established it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Its name in every record.
    pub name: Text,
    /// What it may do.
    pub roles: RoleSet,
    /// The platforms it may touch. `None`: all.
    pub platforms: Option<Vec<Id>>,
    /// The shops it may touch. `None`: all of its platforms.
    pub shops: Option<Vec<ShopName>>,
}

impl Caller {
    /// Bursar itself, for what is due without anybody asking.
    pub fn bursar() -> Self {
        Self { name: "bursar".into(), roles: RoleSet::NONE, platforms: None, shops: None }
    }

    /// Whether it may touch this platform at all: one that is listed, or one of
    /// whose shops is.
    pub fn reaches_platform(&self, platform: &Id) -> bool {
        let listed = self.platforms.as_ref().is_none_or(|all| all.contains(platform));
        let shops = self.shops.as_ref();
        listed && shops.is_none_or(|all| all.iter().any(|shop| shop.platform == *platform))
    }

    /// Whether it may touch this shop.
    pub fn reaches_shop(&self, shop: &ShopName) -> bool {
        self.reaches_platform(&shop.platform)
            && self.shops.as_ref().is_none_or(|all| all.contains(shop))
    }

    /// Whether it is a shop's back office and nothing that stands above it.
    pub fn is_only_merchant(&self) -> bool {
        self.roles.has(Role::Merchant)
            && !self.roles.has(Role::Platform)
            && !self.roles.has(Role::Admin)
    }
}

/// Who did something, as every record keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Who was connected.
    pub caller: Text,
    /// The operator it spoke for.
    pub actor: Option<OperatorName>,
}
