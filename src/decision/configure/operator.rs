//! Operators and grants.

use super::{
    super::{context::Context, loaded::Loaded, out::Out, reply::Reply, spec::the_programme},
    CHANGE_IT,
    edit::{Edit, check_absent, check_etag},
    exists, put, shop_keys,
};
use crate::domain::{
    amount::Amount,
    change::Change,
    event::EventKind,
    key::Key,
    name::{GrantName, OperatorName, RevisionName},
    operator::{Grant, Operator, OperatorKind, Reach},
    refusal::{Reason, Refusal},
    row::{Programme, Row},
    shop::Stamp,
    text::Text,
    value::Facts,
};

/// An operator to register.
#[derive(Clone, Debug)]
pub struct NewOperator {
    /// Its name.
    pub name: OperatorName,
    /// For people.
    pub display_name: Text,
    /// Main account or sub-account.
    pub kind: OperatorKind,
    /// Registered facts.
    pub facts: Facts,
}

/// A grant to set.
#[derive(Clone, Debug)]
pub struct SetGrant {
    /// Its name.
    pub name: GrantName,
    /// The etag it has to have; empty: any.
    pub etag: String,
    /// Fields and their new values.
    pub fields: Vec<GrantField>,
}

/// A field of a grant with a new value.
#[derive(Clone, Debug)]
pub enum GrantField {
    /// Switched on or off.
    Enabled(bool),
    /// Most for one payout.
    PerPayoutAmount(Option<Amount>),
    /// Most for a day.
    DailyAmount(Option<Amount>),
    /// Most for a month.
    MonthlyAmount(Option<Amount>),
    /// Most payouts a day.
    DailyCount(Option<u32>),
    /// Staff tier.
    Tier(Text),
    /// How far it reaches.
    Reach(Reach),
}

/// The rows that any change of a grant needs.
pub fn grant_keys(name: &GrantName) -> Vec<Key> {
    let mut keys = shop_keys(&name.shop());
    keys.push(Key::Operator(name.operator()));
    keys.push(Key::Programme(name.programme()));
    keys.push(Key::Grant(name.clone()));
    keys
}

impl NewOperator {
    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let shop = self.name.shop();
        loaded.the_shop(&shop)?;
        let name = self.name.to_string();
        if loaded.operator(&self.name).is_some() {
            return Err(exists(&name, CHANGE_IT));
        }
        let row = Operator {
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            kind: self.kind,
            facts: self.facts.clone(),
            stamp: Stamp::made_by(&context.fresh, context.now),
        };
        Ok(put(Row::Operator(row), Some(shop), &name, context, out))
    }
}

pub fn update(
    name: &OperatorName,
    edit: &Edit,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let shop = name.shop();
    loaded.the_shop(&shop)?;
    let old = loaded.the_operator(name)?;
    check_etag(&edit.etag, &old.stamp)?;
    let row = Operator {
        display_name: edit.display_name.clone().unwrap_or_else(|| old.display_name.clone()),
        facts: edit.facts.apply(&old.facts)?,
        stamp: old.stamp.changed(context.now),
        ..old.clone()
    };
    Ok(put(Row::Operator(row), Some(shop), &name.to_string(), context, out))
}

impl SetGrant {
    pub(super) fn apply(
        &self,
        loaded: &Loaded<'_>,
        context: &Context<'_>,
        out: &mut Out,
    ) -> Result<Reply, Refusal> {
        let shop = self.name.shop();
        loaded.the_shop(&shop)?;
        loaded.the_operator(&self.name.operator())?;
        let programme = the_programme(loaded, &self.name.programme())?;
        self.check_decimals(programme, context)?;
        let old = loaded.grant(&self.name);
        let mut row = match old {
            Some(old) => {
                check_etag(&self.etag, &old.stamp)?;
                Grant { stamp: old.stamp.changed(context.now), ..old.clone() }
            }
            None => {
                check_absent(&self.etag)?;
                self.made(context)
            }
        };
        for field in self.fields.iter().cloned() {
            match field {
                GrantField::Enabled(enabled) => row.enabled = enabled,
                GrantField::PerPayoutAmount(amount) => row.per_payout_amount = amount,
                GrantField::DailyAmount(amount) => row.daily_amount = amount,
                GrantField::MonthlyAmount(amount) => row.monthly_amount = amount,
                GrantField::DailyCount(count) => row.daily_count = count,
                GrantField::Tier(tier) => row.tier = tier,
                GrantField::Reach(reach) => row.reach = reach,
            }
        }
        Ok(put(Row::Grant(row), Some(shop), &self.name.to_string(), context, out))
    }
}

impl SetGrant {
    /// A grant without anything in it yet, made now.
    fn made(&self, context: &Context<'_>) -> Grant {
        Grant {
            name: self.name.clone(),
            enabled: false,
            per_payout_amount: None,
            daily_amount: None,
            monthly_amount: None,
            daily_count: None,
            tier: "".into(),
            reach: Reach::default(),
            stamp: Stamp::made_by(&context.fresh, context.now),
        }
    }

    /// Bounds have no more decimals than the programme's currency: that of the
    /// revision in force, or of the newest.
    fn check_decimals(&self, programme: &Programme, context: &Context<'_>) -> Result<(), Refusal> {
        let newest =
            RevisionName { programme: programme.name.clone(), number: programme.revisions };
        let revision = programme.active(context.now).unwrap_or(newest);
        let Some(policy) = context.policies.policy(&revision) else { return Ok(()) };
        let (most, code) = (policy.currency.decimals(), policy.currency.code());
        let mut refusal =
            Refusal::new(Reason::AmountInvalid, format!("{code} has {most} decimals."));
        for field in &self.fields {
            let (name, amount) = match field {
                GrantField::PerPayoutAmount(amount) => ("per_payout_amount", amount),
                GrantField::DailyAmount(amount) => ("daily_amount", amount),
                GrantField::MonthlyAmount(amount) => ("monthly_amount", amount),
                _ => continue,
            };
            if amount.is_some_and(|amount| amount.decimals() > most) {
                let advice = format!("{code} has {most} decimals; bounds are never rounded.");
                refusal = refusal.at(format!("grant.{name}"), advice);
            }
        }
        if refusal.details.is_empty() { Ok(()) } else { Err(refusal) }
    }
}

pub fn delete_grant(
    name: &GrantName,
    etag: &str,
    loaded: &Loaded<'_>,
    context: &Context<'_>,
    out: &mut Out,
) -> Result<Reply, Refusal> {
    let shop = name.shop();
    loaded.the_shop(&shop)?;
    let Some(old) = loaded.grant(name) else {
        return Err(Refusal::new(Reason::GrantNotFound, format!("There is no grant {name}."))
            .at(name.to_string(), "Set it with QuotaService.UpdateGrant."));
    };
    check_etag(etag, &old.stamp)?;
    out.tell(context.now, Some(shop), EventKind::Configured(name.to_string().into()));
    out.changes.push(Change::Delete(Key::Grant(name.clone())));
    Ok(Reply::Deleted)
}
