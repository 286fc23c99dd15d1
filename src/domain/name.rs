//! Resource names: ids that cannot be malformed, and the names built of them.
//! Owns the grammar `platforms/{p}/shops/{s}/…`; knows nothing of what exists.

use std::fmt;

use super::text::Text;

/// Most characters of an id.
pub const MAX_ID: usize = 128;

/// One segment of a resource name: a letter or digit, then up to 127 of
/// letters, digits and `._~@+-`. No colon: it begins a method's verb where
/// names stand in a URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Text);

impl Id {
    /// Takes an id from outside. `None` if it is not well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let well_formed = text.len() <= MAX_ID
            && first.is_ascii_alphanumeric()
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"._~@+-".contains(&b));
        well_formed.then(|| Self(text.into()))
    }

    /// Takes an id that was one when it was kept.
    pub fn kept(text: Text) -> Self {
        Self(text)
    }

    /// Comes before every id: the lower bound of a listing. Not an id itself.
    pub fn before_all() -> Self {
        Self("".into())
    }

    /// Comes after every id: the upper bound of a listing. Not an id itself.
    pub fn after_all() -> Self {
        Self("\u{7f}".into())
    }

    /// The lowest bound above this id: where a listing goes on after it. Not an
    /// id itself.
    pub fn just_after(&self) -> Self {
        Self(format!("{}\u{0}", self.0).into())
    }

    /// The id as a text that is shared with it.
    pub fn shared(&self) -> Text {
        self.0.clone()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits `text` by a pattern such as `["platforms", "shops"]` into the ids
/// between its literal segments.
fn ids<const N: usize>(text: &str, collections: [&str; N]) -> Option<[Id; N]> {
    let mut segments = text.split('/');
    let mut found: [Option<Id>; N] = [const { None }; N];
    for (slot, collection) in found.iter_mut().zip(collections) {
        if segments.next()? != collection {
            return None;
        }
        *slot = Some(Id::parse(segments.next()?)?);
    }
    if segments.next().is_some() {
        return None;
    }
    let mut all = found.into_iter().flatten();
    Some(std::array::from_fn(|_| all.next().expect("every slot was filled above")))
}

/// Declares a resource name: its parts, its collections, parsing, printing.
macro_rules! resource_name {
    ($(#[$doc:meta])* $name:ident { $($field:ident in $collection:literal),+ }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name {
            $(#[doc = concat!("Id within `", $collection, "`.")] pub $field: Id,)+
        }

        impl $name {
            /// What such a name looks like, for messages.
            pub const PATTERN: &'static str = concat!($("/", $collection, "/*"),+).split_at(1).1;

            /// Takes a name from outside. `None` if it is not of this form.
            pub fn parse(text: &str) -> Option<Self> {
                let [$($field),+] = ids(text, [$($collection),+])?;
                Some(Self { $($field),+ })
            }
        }

        impl $name {
            /// The name as a text of its own. The same as `to_string`, for where
            /// names are written by the thousand.
            pub fn text(&self) -> String {
                let room = 0 $(+ concat!("/", $collection, "/").len() + self.$field.as_str().len())+;
                let mut text = String::with_capacity(room);
                $(
                    if !text.is_empty() {
                        text.push('/');
                    }
                    text.push_str(concat!($collection, "/"));
                    text.push_str(self.$field.as_str());
                )+
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "";
                $(
                    f.write_str(separator)?;
                    f.write_str(concat!($collection, "/"))?;
                    f.write_str(self.$field.as_str())?;
                    separator = "/";
                )+
                let _ = separator;
                Ok(())
            }
        }
    };
}

resource_name! {
    /// `platforms/*`.
    PlatformName { platform in "platforms" }
}
resource_name! {
    /// `platforms/*/shops/*`.
    ShopName { platform in "platforms", shop in "shops" }
}
resource_name! {
    /// `platforms/*/shops/*/orders/*`.
    OrderName { platform in "platforms", shop in "shops", order in "orders" }
}
resource_name! {
    /// `platforms/*/shops/*/operators/*`.
    OperatorName { platform in "platforms", shop in "shops", operator in "operators" }
}
resource_name! {
    /// `platforms/*/shops/*/operators/*/grants/*`.
    GrantName { platform in "platforms", shop in "shops", operator in "operators", programme in "grants" }
}
resource_name! {
    /// `platforms/*/shops/*/accounts/*`.
    AccountName { platform in "platforms", shop in "shops", account in "accounts" }
}
resource_name! {
    /// `platforms/*/shops/*/payouts/*`.
    PayoutName { platform in "platforms", shop in "shops", payout in "payouts" }
}
resource_name! {
    /// `platforms/*/shops/*/decisions/*`.
    DecisionName { platform in "platforms", shop in "shops", decision in "decisions" }
}
resource_name! {
    /// `platforms/*/freezes/*`.
    FreezeName { platform in "platforms", freeze in "freezes" }
}
resource_name! {
    /// `platforms/*/programmes/*`.
    ProgrammeName { platform in "platforms", programme in "programmes" }
}
resource_name! {
    /// `platforms/*/programmes/*/revisions/*`, before its number was read.
    RevisionPath { platform in "platforms", programme in "programmes", revision in "revisions" }
}

/// `platforms/*/programmes/*/revisions/{n}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RevisionName {
    /// The programme it belongs to.
    pub programme: ProgrammeName,
    /// Counts from 1.
    pub number: u32,
}

impl RevisionName {
    /// What such a name looks like, for messages.
    pub const PATTERN: &'static str = "platforms/*/programmes/*/revisions/*";

    /// Takes a name from outside. `None` if it is not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let path = RevisionPath::parse(text)?;
        let number: u32 = path.revision.as_str().parse().ok()?;
        let canonical = number > 0 && path.revision.as_str() == number.to_string();
        canonical.then_some(Self {
            programme: ProgrammeName { platform: path.platform, programme: path.programme },
            number,
        })
    }
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/revisions/{}", self.programme, self.number)
    }
}

impl RevisionName {
    /// The name as a text of its own. The same as `to_string`, for where names are
    /// written by the thousand.
    pub fn text(&self) -> String {
        let mut text = self.programme.text();
        text.push_str("/revisions/");
        text.push_str(smol_str::format_smolstr!("{}", self.number).as_str());
        text
    }
}

impl ShopName {
    /// The platform it is on.
    pub fn platform(&self) -> PlatformName {
        PlatformName { platform: self.platform.clone() }
    }

    /// One of its accounts.
    pub fn account(&self, account: Id) -> AccountName {
        AccountName { platform: self.platform.clone(), shop: self.shop.clone(), account }
    }

    /// One of its payouts.
    pub fn payout(&self, payout: Id) -> PayoutName {
        PayoutName { platform: self.platform.clone(), shop: self.shop.clone(), payout }
    }

    /// One of its decisions.
    pub fn decision(&self, decision: Id) -> DecisionName {
        DecisionName { platform: self.platform.clone(), shop: self.shop.clone(), decision }
    }

    /// One of its orders.
    pub fn order(&self, order: Id) -> OrderName {
        OrderName { platform: self.platform.clone(), shop: self.shop.clone(), order }
    }

    /// One of its operators.
    pub fn operator(&self, operator: Id) -> OperatorName {
        OperatorName { platform: self.platform.clone(), shop: self.shop.clone(), operator }
    }
}

/// Declares `shop()` for names below a shop.
macro_rules! below_a_shop {
    ($($name:ident),+) => {$(
        impl $name {
            /// The shop it belongs to.
            pub fn shop(&self) -> ShopName {
                ShopName { platform: self.platform.clone(), shop: self.shop.clone() }
            }
        }
    )+};
}
below_a_shop!(OrderName, OperatorName, GrantName, AccountName, PayoutName, DecisionName);

impl GrantName {
    /// The operator it is given to.
    pub fn operator(&self) -> OperatorName {
        self.shop().operator(self.operator.clone())
    }

    /// The programme it is for.
    pub fn programme(&self) -> ProgrammeName {
        ProgrammeName { platform: self.platform.clone(), programme: self.programme.clone() }
    }
}

impl OperatorName {
    /// Its grant under a programme.
    pub fn grant(&self, programme: &Id) -> GrantName {
        GrantName {
            platform: self.platform.clone(),
            shop: self.shop.clone(),
            operator: self.operator.clone(),
            programme: programme.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_printed() {
        let text = "platforms/p1/shops/s-1/operators/o@x/grants/small";
        let name = GrantName::parse(text).expect("well-formed");
        assert_eq!((name.to_string(), name.text()), (text.to_owned(), text.to_owned()));
        assert_eq!(GrantName::PATTERN, "platforms/*/shops/*/operators/*/grants/*");
    }

    #[test]
    fn names_of_another_form_are_refused() {
        for text in [
            "",
            "platforms",
            "platforms/",
            "platforms/p/shops/",
            "shops/s",
            "platforms/p/shops/s/x",
        ] {
            assert_eq!(ShopName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_bounded_and_plain() {
        assert!(Id::parse(&"a".repeat(128)).is_some());
        for bad in [&"a".repeat(129), "", "-a", "a b", "a/b", "a:b", "a\n", "é"] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_revision_number_has_one_spelling() {
        assert!(RevisionName::parse("platforms/p/programmes/x/revisions/7").is_some());
        for bad in ["0", "07", "+7", "x"] {
            assert_eq!(
                RevisionName::parse(&format!("platforms/p/programmes/x/revisions/{bad}")),
                None
            );
        }
    }
}
