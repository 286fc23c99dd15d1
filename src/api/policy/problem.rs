//! What is wrong with a policy, one thing at a time.

/// One thing that is wrong with a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Path of the field, for example `limits[3].window.length`.
    pub field: String,
    /// What kind of fault it is.
    pub reason: PolicyReason,
    /// What is wrong and what to do.
    pub description: String,
}

/// Declares the reasons with their texts.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// What kind of fault it is, in a word. Stable: authors' tools branch on it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum PolicyReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl PolicyReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

reasons! {
    /// The schema has it, this version of Bursar does not carry it out yet.
    UnsupportedConstruct = "UNSUPPORTED_CONSTRUCT";
    /// Something that must be there is not: a field, a text, a language.
    Missing = "MISSING";
    /// A value that the field cannot have.
    InvalidValue = "INVALID_VALUE";
    /// An id, name or state is there already.
    DuplicateId = "DUPLICATE_ID";
    /// It names something that the policy does not declare.
    UnknownReference = "UNKNOWN_REFERENCE";
    /// An operator or a literal that does not go with the type.
    WrongType = "WRONG_TYPE";
    /// It can never matter, or is always the same.
    Unreachable = "UNREACHABLE";
    /// It has more of something than a policy may have.
    TooLarge = "TOO_LARGE";
    /// A meter that could grow without bound.
    Unbounded = "UNBOUNDED";
    /// The amount is compared with something that itself follows the amount.
    AmountComparison = "AMOUNT_COMPARISON";
    /// The same id would count something else than before; give it a new id.
    LimitChangedUnderOldId = "LIMIT_CHANGED_UNDER_OLD_ID";
}
