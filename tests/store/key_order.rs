//! Keys as bytes sort as keys do.

use bursar::{
    domain::{
        cell::{CellKey, Celled},
        freeze::Target,
        instant::Instant,
        key::Key,
        name::{
            AccountName, DecisionName, FreezeName, GrantName, Id, OperatorName, OrderName,
            PayoutName, PlatformName, ProgrammeName, RevisionName, ShopName,
        },
        request::RequestKey,
        text::Text,
    },
    store::sled::encode_key,
};
use proptest::prelude::*;

/// Few letters, so that keys often agree for a while; with the bounds of
/// listings.
fn ids() -> impl Strategy<Value = Id> {
    prop_oneof![
        8 => "[ab~][ab.~]{0,2}".prop_map(|text| Id::parse(&text).unwrap_or_else(Id::after_all)),
        1 => Just(Id::before_all()),
        1 => Just(Id::after_all()),
    ]
}

fn texts() -> impl Strategy<Value = Text> {
    "[\\x00\\x01ab\u{ff}\u{4e00}]{0,3}".prop_map(Text::from)
}

fn instants() -> impl Strategy<Value = Option<Instant>> {
    prop::option::of((-3_i64..3, 0_i32..2).prop_map(|(seconds, nanos)| {
        Instant::from_parts(seconds * 1_000_000_000, nanos).unwrap_or(Instant::MAX)
    }))
}

fn shops() -> impl Strategy<Value = ShopName> {
    (ids(), ids()).prop_map(|(platform, shop)| ShopName { platform, shop })
}

fn accounts() -> impl Strategy<Value = AccountName> {
    (shops(), ids()).prop_map(|(shop, account)| shop.account(account))
}

fn order_names() -> impl Strategy<Value = OrderName> {
    (shops(), ids()).prop_map(|(ShopName { platform, shop }, order)| OrderName {
        platform,
        shop,
        order,
    })
}

fn programmes() -> impl Strategy<Value = ProgrammeName> {
    (ids(), ids()).prop_map(|(platform, programme)| ProgrammeName { platform, programme })
}

fn operators() -> impl Strategy<Value = OperatorName> {
    (shops(), ids()).prop_map(|(ShopName { platform, shop }, operator)| OperatorName {
        platform,
        shop,
        operator,
    })
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..3, 254_u64..258, Just(u64::MAX)]
}

fn keys() -> BoxedStrategy<Key> {
    let names = prop_oneof![
        ids().prop_map(|platform| Key::Platform(PlatformName { platform })),
        shops().prop_map(Key::Shop),
        operators().prop_map(Key::Operator),
        (operators(), ids()).prop_map(|(o, programme)| Key::Grant(GrantName {
            platform: o.platform,
            shop: o.shop,
            operator: o.operator,
            programme,
        })),
        accounts().prop_map(Key::Account),
        accounts().prop_map(Key::Balance),
        (accounts(), texts()).prop_map(|(account, text)| Key::Movement(account, text)),
        (accounts(), numbers()).prop_map(|(account, n)| Key::MovementNumber(account, n)),
        order_names().prop_map(Key::Order),
    ];
    let payouts = prop_oneof![
        (shops(), ids()).prop_map(|(s, payout)| Key::Payout(PayoutName {
            platform: s.platform,
            shop: s.shop,
            payout,
        })),
        (order_names(), ids()).prop_map(|(order, id)| Key::PayoutOfOrder(order, id)),
        (shops(), ids()).prop_map(|(s, decision)| Key::Decision(DecisionName {
            platform: s.platform,
            shop: s.shop,
            decision,
        })),
        (ids(), texts(), texts(), texts()).prop_map(|(platform, parent, operation, id)| {
            let platform = PlatformName { platform };
            Key::Request(RequestKey { platform, parent, operation, id })
        }),
    ];
    let others = prop_oneof![
        programmes().prop_map(Key::Programme),
        (programmes(), 0_u32..300)
            .prop_map(|(programme, number)| Key::Revision(RevisionName { programme, number })),
        (ids(), ids()).prop_map(|(platform, freeze)| Key::Freeze(FreezeName { platform, freeze })),
        shops().prop_map(|name| Key::Freezes(Target::Shop(name))),
        operators().prop_map(|name| Key::Freezes(Target::Operator(name))),
        accounts().prop_map(|name| Key::Freezes(Target::Account(name))),
        (programmes(), prop::collection::vec(texts(), 0..4), instants(), any::<bool>()).prop_map(
            |(programme, scope, window_start, of_an_order)| {
                let of = Celled { programme, scope, window_start };
                Key::Cell(if of_an_order { CellKey::of_an_order(of) } else { of.into() })
            }
        ),
    ];
    let due = (instants(), shops(), ids())
        .prop_map(|(at, shop, payout)| Key::Due(at.unwrap_or(Instant::MIN), shop.payout(payout)));
    prop_oneof![names.boxed(), payouts.boxed(), others.boxed(), due.boxed()].boxed()
}

/// Pairs that often are of one kind and nearly the same.
fn pairs() -> impl Strategy<Value = (Key, Key)> {
    let similar = prop::collection::vec(keys(), 2..12).prop_map(|mut keys| {
        keys.sort();
        let middle = keys.len() / 2;
        (keys[middle - 1].clone(), keys[middle].clone())
    });
    prop_oneof![(keys(), keys()), similar]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn bytes_sort_as_keys_do((a, b) in pairs()) {
        prop_assert_eq!(encode_key(&a).cmp(&encode_key(&b)), a.cmp(&b));
        prop_assert_eq!(encode_key(&b).cmp(&encode_key(&a)), b.cmp(&a));
    }
}
