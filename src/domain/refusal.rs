//! Refusals: why a call could not be served. Not decisions; a denied payout is
//! an answer. docs/REFUSALS.md lists every reason, and a test compares.

use std::borrow::Cow;

/// What kind of refusal it is; one gRPC code each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request is malformed.
    Invalid,
    /// What it names is not there.
    NotFound,
    /// The caller may not.
    Forbidden,
    /// The caller is not known.
    Unauthenticated,
    /// It is there already, or was said differently before.
    Exists,
    /// Somebody else's change is in the way.
    Aborted,
    /// The state does not allow it.
    Precondition,
    /// The service cannot answer now.
    Unavailable,
    /// It took longer than the caller wanted to wait.
    Late,
    /// Too much at once.
    Exhausted,
    /// A cursor is older than what is kept.
    OutOfRange,
    /// The service does not have what was called, or how it was sent.
    Unimplemented,
    /// A defect.
    Internal,
}

/// Declares the reasons with their kinds.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $kind:ident;)+) => {
        /// Why, in a word. Stable: callers branch on it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it is sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What kind of refusal it makes.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

reasons! {
    /// A field breaks the contract; the violations name each.
    FieldInvalid = "FIELD_INVALID", Invalid;
    /// A name is not of the form its field asks for.
    NameInvalid = "NAME_INVALID", Invalid;
    /// An amount is zero, negative, too large or has more decimals than its currency.
    AmountInvalid = "AMOUNT_INVALID", Invalid;
    /// An amount is in another currency than the policy or account.
    CurrencyMismatch = "CURRENCY_MISMATCH", Invalid;
    /// A page token or cursor is not one that this service gave.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", Invalid;
    /// The record of the cursor is not kept any more; `oldest_cursor` is the first that works.
    CursorTooOld = "CURSOR_TOO_OLD", OutOfRange;
    /// A field mask names a field that cannot be changed.
    FieldMaskInvalid = "FIELD_MASK_INVALID", Invalid;
    /// A fact was sent that the policy does not declare.
    FactUndeclared = "FACT_UNDECLARED", Invalid;
    /// A fact is of another type than declared.
    FactTypeMismatch = "FACT_TYPE_MISMATCH", Invalid;
    /// A fact has a value that the policy does not allow.
    FactValueNotAllowed = "FACT_VALUE_NOT_ALLOWED", Invalid;
    /// A fact that the decision needs was not sent.
    FactMissing = "FACT_MISSING", Invalid;
    /// A fact that the decision needs is not registered, or not by a role whose word counts.
    FactNotRegistered = "FACT_NOT_REGISTERED", Precondition;
    /// A registered fact is of another type than the policy declares, or has a value it does not allow.
    FactUnusable = "FACT_UNUSABLE", Precondition;
    /// The caller's role may not assert this fact.
    FactNotAssertable = "FACT_NOT_ASSERTABLE", Forbidden;
    /// An order of the same source time was recorded with other content.
    FactConflict = "FACT_CONFLICT", Aborted;
    /// The fact to sum up by is not declared as a dimension.
    NotADimension = "NOT_A_DIMENSION", Invalid;
    /// The policy has problems; the violations name each.
    PolicyInvalid = "POLICY_INVALID", Invalid;
    /// A limit's meter would change under an id that is in use; give it a new id.
    LimitChangedUnderOldId = "LIMIT_CHANGED_UNDER_OLD_ID", Precondition;
    /// A limit or measure would bind in a window that it has not counted from the beginning.
    LimitWithoutHistory = "LIMIT_WITHOUT_HISTORY", Precondition;
    /// An activation lies in the past.
    ActivationInPast = "ACTIVATION_IN_PAST", Precondition;
    /// The request id was used before with other content; the violation names the field.
    RequestIdReused = "REQUEST_ID_REUSED", Exists;
    /// The reference was recorded before with other content.
    ReferenceReused = "REFERENCE_REUSED", Exists;
    /// The channel reported this payment before with another result or amount; nothing changed.
    AlreadySettled = "ALREADY_SETTLED", Exists;
    /// There is a resource of this name already.
    AlreadyExists = "ALREADY_EXISTS", Exists;
    /// The resource was changed by somebody else; read it again.
    EtagMismatch = "ETAG_MISMATCH", Aborted;
    /// The payout is being executed under another execution id.
    AlreadyExecuting = "ALREADY_EXECUTING", Aborted;
    /// The payout was not executed before its expiry; authorize a new one.
    PayoutExpired = "PAYOUT_EXPIRED", Precondition;
    /// The payout's state does not allow this.
    PayoutState = "PAYOUT_STATE", Precondition;
    /// A freeze covers what the payout holds.
    Frozen = "FROZEN", Precondition;
    /// A failure was reported for a payout that was never executed.
    NotExecuted = "NOT_EXECUTED", Precondition;
    /// More would come back than was settled.
    ReturnTooLarge = "RETURN_TOO_LARGE", Precondition;
    /// No revision of the programme is in force.
    ProgrammeNotActive = "PROGRAMME_NOT_ACTIVE", Precondition;
    /// There is no such platform.
    PlatformNotFound = "PLATFORM_NOT_FOUND", NotFound;
    /// There is no such shop.
    ShopNotFound = "SHOP_NOT_FOUND", NotFound;
    /// There is no such order in this shop.
    OrderNotFound = "ORDER_NOT_FOUND", NotFound;
    /// There is no such operator in this shop.
    OperatorNotFound = "OPERATOR_NOT_FOUND", NotFound;
    /// There is no such grant.
    GrantNotFound = "GRANT_NOT_FOUND", NotFound;
    /// There is no such account.
    AccountNotFound = "ACCOUNT_NOT_FOUND", NotFound;
    /// There is no such payout.
    PayoutNotFound = "PAYOUT_NOT_FOUND", NotFound;
    /// There is no such decision, or it is no longer kept.
    DecisionNotFound = "DECISION_NOT_FOUND", NotFound;
    /// There is no such programme.
    ProgrammeNotFound = "PROGRAMME_NOT_FOUND", NotFound;
    /// There is no such revision.
    RevisionNotFound = "REVISION_NOT_FOUND", NotFound;
    /// There is no such freeze.
    FreezeNotFound = "FREEZE_NOT_FOUND", NotFound;
    /// No caller is known by these credentials.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated;
    /// The caller's roles do not allow this method.
    RoleMissing = "ROLE_MISSING", Forbidden;
    /// The caller may not touch this platform or shop, whether it exists or not.
    OutOfReach = "OUT_OF_REACH", Forbidden;
    /// A merchant's call has to name the operator it speaks for.
    ActorRequired = "ACTOR_REQUIRED", Invalid;
    /// Only a main account may do this.
    ActorNotMain = "ACTOR_NOT_MAIN", Forbidden;
    /// The service has as much to do as it takes on; try again.
    Overloaded = "OVERLOADED", Unavailable;
    /// The message is larger than the service takes.
    MessageTooLarge = "MESSAGE_TOO_LARGE", Exhausted;
    /// The answer would be larger than clients take.
    AnswerTooLarge = "ANSWER_TOO_LARGE", Exhausted;
    /// The message cannot be read: it is cut short, or not of the method's type.
    MessageMalformed = "MESSAGE_MALFORMED", Invalid;
    /// The message was compressed in a way that the service does not take.
    EncodingUnsupported = "ENCODING_UNSUPPORTED", Unimplemented;
    /// There is no such method.
    MethodUnknown = "METHOD_UNKNOWN", Unimplemented;
    /// It had waited longer than its `judge_within` when its turn came; nothing was changed.
    NotJudgedInTime = "NOT_JUDGED_IN_TIME", Late;
    /// The call's deadline passed before its answer; whether it took effect is told by the same ids.
    DeadlinePassed = "DEADLINE_PASSED", Late;
    /// The service is stopping; try another or again.
    Draining = "DRAINING", Unavailable;
    /// The store cannot write; the service has stopped answering.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// The wall clock jumped ahead; an operator has to look before holds expire by it.
    ClockJump = "CLOCK_JUMP", Unavailable;
    /// Others kept changing the same rows; try again.
    Contention = "CONTENTION", Aborted;
    /// A defect in Bursar; its log has the cause.
    Internal = "INTERNAL", Internal;
}

/// One field or thing that a refusal is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    /// Path of the field, or name of the resource.
    pub field: String,
    /// What kind of thing is wrong with it, in UPPER_SNAKE. Empty: what the
    /// refusal's own reason says.
    pub word: Cow<'static, str>,
    /// What is wrong with it and what to do.
    pub description: String,
}

/// Why a call could not be served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// In a word.
    pub reason: Reason,
    /// For people: what happened and what to do.
    pub message: String,
    /// Fields or things it is about.
    pub details: Vec<Detail>,
    /// What programs need to go on, by name.
    pub metadata: Vec<(&'static str, String)>,
}

impl Refusal {
    /// Without details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: Vec::new(), metadata: Vec::new() }
    }

    /// With what a program needs to go on.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((name, value.into()));
        self
    }

    /// About a field.
    #[must_use]
    pub fn at(self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.because(field, "", description)
    }

    /// About a field, with a word of its own for what is wrong with it.
    #[must_use]
    pub fn because(
        mut self,
        field: impl Into<String>,
        word: impl Into<Cow<'static, str>>,
        description: impl Into<String>,
    ) -> Self {
        let (field, word, description) = (field.into(), word.into(), description.into());
        self.details.push(Detail { field, word, description });
        self
    }
}
