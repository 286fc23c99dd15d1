//! What is configured during the load: each thing by one client, one value after
//! the other, and how it is read again.

use bursar::proto::v1::{
    CreateFreezeRequest, FactValue, Freeze, GetFreezeRequest, GetGrantRequest, GetOrderRequest,
    GetProgrammeRequest, GetShopRequest, Grant, LiftFreezeRequest, Order, Shop, UpdateGrantRequest,
    UpdateShopRequest, UpsertOrderRequest, fact_value::Kind, freeze, operator,
};
use tonic::{Code, Status};

use crate::{
    book::{ABSENT, Thing},
    client::{Client, No},
    dice::Dice,
    load::Notes,
    trial::{money, shop_name},
    world::{
        PLATFORM, SHOPS, account_name, bring_in_force, create_operator, create_shop, instant,
        operator_name, programme, titled,
    },
};

/// How many revisions a client makes at most: each is checked against all
/// before it.
const MOST_REVISIONS: usize = 4;

/// What one client configures.
pub struct Chains {
    label: String,
    shop: Option<(usize, usize)>,
    grant: Option<(usize, usize)>,
    order: Option<(usize, usize)>,
    programme: Option<(usize, usize)>,
    freeze: Option<(usize, String)>,
    freezes: usize,
}

impl Chains {
    pub fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            shop: None,
            grant: None,
            order: None,
            programme: None,
            freeze: None,
            freezes: 0,
        }
    }

    /// Changes one of its things.
    pub async fn write(
        &mut self,
        dice: &mut Dice,
        client: &Client,
        notes: &Notes,
    ) -> Result<(), No> {
        match dice.below(8) {
            0 | 1 => self.shop(client, notes).await,
            2 => self.grant(client, notes).await,
            3 | 4 => self.order(client, notes).await,
            5 => self.programme(client, notes).await,
            _ => self.freeze(dice, client, notes).await,
        }
    }

    async fn shop(&mut self, client: &Client, notes: &Notes) -> Result<(), No> {
        let id = format!("c-{}", self.label);
        let begin = || notes.book().begins(Thing::Shop(shop_name(&id)));
        let (chain, number) = *self.shop.get_or_insert_with(|| (begin(), 0));
        self.shop = Some((chain, number + 1));
        if number == 0 {
            return note(notes, chain, "", client.create_shop(create_shop(&id))).await;
        }
        let value = format!("v{number}");
        let shop = Shop { name: shop_name(&id), display_name: value.clone(), ..Default::default() };
        let request = UpdateShopRequest { shop: Some(shop), ..Default::default() };
        note(notes, chain, &value, client.update_shop(request)).await
    }

    async fn grant(&mut self, client: &Client, notes: &Notes) -> Result<(), No> {
        let id = format!("g-{}", self.label);
        let name = format!("{}/grants/lasting", operator_name("s1", &id));
        let begin = || notes.book().begins(Thing::Grant(name.clone()));
        let (chain, number) = *self.grant.get_or_insert_with(|| (begin(), 0));
        self.grant = Some((chain, number + 1));
        if number == 0 {
            client.create_operator(create_operator("s1", &id, operator::Kind::Sub)).await?;
            return Ok(());
        }
        let value = format!("{number}.00");
        let grant = Grant { name, daily_amount: Some(value.clone()), ..Default::default() };
        let request = UpdateGrantRequest { grant: Some(grant), ..Default::default() };
        note(notes, chain, &value, client.update_grant(request)).await
    }

    async fn order(&mut self, client: &Client, notes: &Notes) -> Result<(), No> {
        let name = format!("{}/orders/c-{}", shop_name("s2"), self.label);
        let begin = || notes.book().begins(Thing::Order(name.clone()));
        let (chain, number) = *self.order.get_or_insert_with(|| (begin(), 0));
        self.order = Some((chain, number + 1));
        let value = format!("v{number}");
        let fact = FactValue { kind: Some(Kind::StringValue(value.clone())) };
        let order = Order {
            name,
            source_time: instant(i64::try_from(number).expect("small")),
            facts: [("status".to_owned(), fact)].into(),
            ..Default::default()
        };
        let request = UpsertOrderRequest { order: Some(order), ..Default::default() };
        note(notes, chain, &value, client.upsert_order(request)).await
    }

    async fn programme(&mut self, client: &Client, notes: &Notes) -> Result<(), No> {
        let name = programme(&format!("spare-{}", self.label));
        let begin = || notes.book().begins(Thing::Programme(name.clone()));
        let (chain, number) = *self.programme.get_or_insert_with(|| (begin(), 0));
        if number == MOST_REVISIONS {
            return Ok(());
        }
        self.programme = Some((chain, number + 1));
        let value = format!("{name}/revisions/{}", number + 1);
        note(notes, chain, &value, bring_in_force(client, &name, titled(number))).await
    }

    /// Freezes part of a balance, or an operator; or lifts what it froze.
    async fn freeze(&mut self, dice: &mut Dice, client: &Client, notes: &Notes) -> Result<(), No> {
        if let Some((chain, name)) = self.freeze.take() {
            let request = LiftFreezeRequest { name, ..Default::default() };
            return note(notes, chain, "lifted", client.lift_freeze(request)).await;
        }
        let id = format!("f-{}-{}", self.label, self.freezes);
        self.freezes += 1;
        let name = format!("{PLATFORM}/freezes/{id}");
        let chain = notes.book().begins(Thing::Freeze(name.clone()));
        let shop = SHOPS[dice.below(SHOPS.len())];
        let freeze = if dice.percent(25) {
            Freeze {
                target: operator_name(shop, "sub"),
                scope: freeze::Scope::All.into(),
                reason: "test".to_owned(),
                ..Default::default()
            }
        } else {
            Freeze {
                target: account_name(shop),
                scope: freeze::Scope::BalancePart.into(),
                amount: money(1 + i64::try_from(dice.below(1000)).expect("small")),
                reason: "test".to_owned(),
                ..Default::default()
            }
        };
        let request = CreateFreezeRequest {
            parent: PLATFORM.to_owned(),
            freeze_id: id,
            freeze: Some(freeze),
            ..Default::default()
        };
        note(notes, chain, "set", client.create_freeze(request)).await?;
        self.freeze = Some((chain, name));
        Ok(())
    }
}

/// Notes a value before it is sent, and that it was answered.
async fn note<T>(
    notes: &Notes,
    chain: usize,
    value: &str,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<(), No> {
    notes.book().chains[chain].values.push((value.to_owned(), None));
    call.await?;
    let mark = notes.mark();
    if let Some(last) = notes.book().chains[chain].values.last_mut() {
        last.1 = Some(mark);
    }
    Ok(())
}

/// What something configured is now.
pub async fn read(client: &Client, thing: &Thing) -> Result<String, Status> {
    let value = match thing.clone() {
        Thing::Shop(name) => {
            client.get_shop(GetShopRequest { name }).await.map(|shop| shop.display_name)
        }
        Thing::Grant(name) => {
            let grant = client.get_grant(GetGrantRequest { name }).await;
            grant.map(|grant| grant.daily_amount.unwrap_or_default())
        }
        Thing::Order(name) => client.get_order(GetOrderRequest { name }).await.map(|order| {
            match order.facts.get("status").and_then(|fact| fact.kind.clone()) {
                Some(Kind::StringValue(value)) => value,
                other => format!("{other:?}"),
            }
        }),
        Thing::Freeze(name) => client.get_freeze(GetFreezeRequest { name }).await.map(|freeze| {
            let state = if freeze.lift_time.is_some() { "lifted" } else { "set" };
            state.to_owned()
        }),
        Thing::Programme(name) => {
            let programme = client.get_programme(GetProgrammeRequest { name }).await;
            programme.map(|programme| match programme.active_revision {
                none if none.is_empty() => ABSENT.to_owned(),
                revision => revision,
            })
        }
    };
    match value {
        Err(status) if status.code() == Code::NotFound => Ok(ABSENT.to_owned()),
        other => other,
    }
}
