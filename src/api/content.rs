//! What of a configuring request is its content: everything but its own id,
//! with decimals and lists of facts in one spelling. A repeat has to agree in
//! it.

use prost::Message;

use super::service::identify;
use crate::{
    domain::{amount::Amount, name::PlatformName, request::RequestIdentity},
    proto::v1::{self, fact_value::Kind},
};

/// A request that can be sent again under its id.
pub trait Content: Message + Clone {
    /// Its method.
    const OPERATION: &'static str;
    /// Its message's full name.
    const MESSAGE: &'static str;

    /// Its id; empty if it has none.
    fn id(&self) -> &str;

    /// The same content without the id, in one spelling.
    #[must_use]
    fn content(&self) -> Self;
}

/// Which request this is, if its sender gave it an id. `parent` is the resource
/// it is made under.
pub fn identity<M: Content>(
    request: &M,
    platform: &PlatformName,
    parent: &impl ToString,
) -> Option<RequestIdentity> {
    if request.id().is_empty() {
        return None;
    }
    let (content, parent) = (request.content(), parent.to_string());
    identify(&content, M::OPERATION, request.id(), platform, &parent, M::MESSAGE)
}

/// Declares requests by their methods, each with what has more than one
/// spelling in it.
macro_rules! contents {
    ($($request:ident is $operation:literal $(, $spell:ident in $part:ident)?;)+) => {$(
        impl Content for v1::$request {
            const OPERATION: &'static str = $operation;
            const MESSAGE: &'static str = concat!("bursar.v1.", stringify!($request));

            fn id(&self) -> &str {
                &self.request_id
            }

            fn content(&self) -> Self {
                #[allow(unused_mut, reason = "some have one spelling only")]
                let mut content = Self { request_id: String::new(), ..self.clone() };
                $(content.$part.iter_mut().for_each(|part| $spell!(part));)?
                content
            }
        }
    )+};
}

/// Facts in one spelling.
macro_rules! facts {
    ($part:ident) => {
        $part.facts.values_mut().for_each(spell_value)
    };
}

/// Bounds in one spelling.
macro_rules! bounds {
    ($part:ident) => {{
        let amounts =
            [&mut $part.per_payout_amount, &mut $part.daily_amount, &mut $part.monthly_amount];
        amounts.into_iter().flatten().for_each(spell_decimal);
    }};
}

contents! {
    CreatePlatformRequest is "CreatePlatform", facts in platform;
    UpdatePlatformRequest is "UpdatePlatform", facts in platform;
    CreateShopRequest is "CreateShop", facts in shop;
    UpdateShopRequest is "UpdateShop", facts in shop;
    UpsertOrderRequest is "UpsertOrder", facts in order;
    CreateAccountRequest is "CreateAccount", facts in account;
    UpdateAccountRequest is "UpdateAccount", facts in account;
    RecordMovementRequest is "RecordMovement";
    CreateOperatorRequest is "CreateOperator", facts in operator;
    UpdateOperatorRequest is "UpdateOperator", facts in operator;
    UpdateGrantRequest is "UpdateGrant", bounds in grant;
    DeleteGrantRequest is "DeleteGrant";
    CreateFreezeRequest is "CreateFreeze";
    LiftFreezeRequest is "LiftFreeze";
}

fn spell_value(value: &mut v1::FactValue) {
    match &mut value.kind {
        Some(Kind::DecimalValue(text)) => spell_decimal(text),
        Some(Kind::ListValue(list)) => {
            list.values.sort_unstable();
            list.values.dedup();
        }
        _ => {}
    }
}

fn spell_decimal(text: &mut String) {
    if let Some(amount) = Amount::parse(text) {
        *text = amount.to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(value: Kind, request_id: &str) -> v1::CreateShopRequest {
        let fact = v1::FactValue { kind: Some(value) };
        let facts = [("a".to_owned(), fact)].into();
        v1::CreateShopRequest {
            shop: Some(v1::Shop { facts, ..v1::Shop::default() }),
            request_id: request_id.to_owned(),
            ..v1::CreateShopRequest::default()
        }
    }

    #[test]
    fn two_spellings_of_a_decimal_or_a_list_are_the_same_content() {
        let list = |values: &[&str]| {
            let values = values.iter().map(ToString::to_string).collect();
            Kind::ListValue(v1::StringList { values })
        };
        let decimal = |text: &str| Kind::DecimalValue(text.to_owned());
        for (one, other) in [
            (decimal("5"), decimal("5.00")),
            (decimal("-0"), decimal("0")),
            (list(&["b", "a", "b"]), list(&["a", "b"])),
        ] {
            assert_eq!(shop(one, "r1").content(), shop(other, "r2").content());
        }
        assert_ne!(shop(decimal("5"), "r").content(), shop(decimal("5.01"), "r").content());
    }

    #[test]
    fn bounds_of_grants_have_one_spelling() {
        let request = |text: &str| v1::UpdateGrantRequest {
            grant: Some(v1::Grant { daily_amount: Some(text.to_owned()), ..v1::Grant::default() }),
            ..v1::UpdateGrantRequest::default()
        };
        assert_eq!(request("300").content(), request("300.00").content());
    }
}
