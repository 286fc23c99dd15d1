//! Declarations of facts: where each comes from, its type, its values.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{
        name::Id,
        policy::{FactDeclaration, Field, Origin},
        text::Text,
        value::{Value, ValueType},
        who::{self, RoleSet},
    },
    proto::{v1, v1::FactSource},
};

use super::{
    checker::Checker,
    field::{fields_of, type_of, typed_field},
    literal, nearest,
    path::Path,
    problem::PolicyReason::{DuplicateId, InvalidValue, Missing, Unreachable, WrongType},
};

/// Compiles the declarations into what the checker knows.
pub fn declare(c: &mut Checker, declarations: &[v1::FactDeclaration]) {
    for (position, wire) in declarations.iter().enumerate() {
        let at = Path::of("facts").at(position);
        let declaration = declaration(c, &at, wire, position);
        let kind = declaration.as_ref().map(|d| d.kind).or_else(|| value_type(wire.r#type));
        if let Some(known) = c.facts.get_mut(position) {
            known.kind = kind;
            known.label = wire.label;
            known.allowed = Arc::new(declaration.as_ref().map(allowed).unwrap_or_default());
            known.declaration = declaration;
        }
    }
}

/// The only values that a fact may have, as rules know it; empty: any.
fn allowed(declaration: &FactDeclaration) -> BTreeSet<Value> {
    let texts: &[&str] = match &declaration.origin {
        Origin::Field(Field::OperatorKind) => &["MAIN", "SUB"],
        Origin::Field(Field::AccountKind(_)) => &["SETTLEMENT", "QUOTA"],
        _ => return declaration.values.iter().cloned().collect(),
    };
    texts.iter().map(|text| Value::text(text)).collect()
}

fn declaration(
    c: &mut Checker,
    at: &Path,
    wire: &v1::FactDeclaration,
    position: usize,
) -> Option<FactDeclaration> {
    let name = name(c, &at.field("name"), &wire.name, position);
    let kind = match c.known(&at.field("type"), wire.r#type) {
        Some(v1::FactType::Unspecified) => c.refuse(&at.field("type"), Missing, "needs a type"),
        Some(_) => value_type(wire.r#type),
        None => None,
    };
    let origin = origin(c, at, wire);
    c.unsupported(wire.personal, &at.field("personal"), "personal facts are");
    if wire.label && wire.required {
        let text = "rules do not look at a label, so none can require it";
        c.problem(&at.field("required"), Unreachable, text);
    }
    let kind = match (kind, &origin) {
        (Some(kind), Some(Origin::Field(field))) => {
            agree(c, at, wire, kind, field);
            // So that rules that use it rightly are not found fault with.
            Some(type_of(field))
        }
        (kind, _) => kind,
    };
    if let Some(origin) = &origin {
        declared_once(c, at, wire, origin, position);
    }
    let values = values(c, &at.field("values"), &wire.values, kind);
    let asserted_by = roles(c, &at.field("asserted_by"), &wire.asserted_by);
    Some(FactDeclaration {
        name: name?,
        kind: kind?,
        origin: origin?,
        required: wire.required,
        values: values?,
        asserted_by: asserted_by?,
        dimension: wire.dimension,
        label: wire.label,
    })
}

fn name(c: &mut Checker, at: &Path, name: &str, position: usize) -> Option<Text> {
    c.spelling(at, name)?;
    if let Some(earlier) = c.first_fact(name).filter(|first| *first != position) {
        let text = format!("`{name}` is declared at facts[{earlier}] already");
        return c.refuse(at, DuplicateId, text);
    }
    Some(name.into())
}

fn value_type(wire: i32) -> Option<ValueType> {
    match v1::FactType::try_from(wire).ok()? {
        v1::FactType::Unspecified => None,
        v1::FactType::String => Some(ValueType::Text),
        v1::FactType::Bool => Some(ValueType::Bool),
        v1::FactType::Decimal => Some(ValueType::Decimal),
        v1::FactType::Time => Some(ValueType::Time),
        v1::FactType::List => Some(ValueType::List),
    }
}

fn origin(c: &mut Checker, at: &Path, wire: &v1::FactDeclaration) -> Option<Origin> {
    let source: FactSource = c.known(&at.field("source"), wire.source)?;
    let account = account(c, &at.field("account"), wire, source);
    match source {
        FactSource::Unspecified => {
            return c.refuse(&at.field("source"), Missing, "needs a source");
        }
        FactSource::Payee | FactSource::Group => {
            c.unsupported(true, &at.field("source"), "facts of payees and groups are");
            return None;
        }
        _ => {}
    }
    match (wire.key.is_empty(), wire.field.is_empty()) {
        (true, true) => c.refuse(at, Missing, "needs either `key` or `field`"),
        (false, false) => c.refuse(&at.field("field"), InvalidValue, "goes without `key`"),
        (true, false) => field(c, &at.field("field"), source, &wire.field, account?),
        (false, true) => keyed(c, &at.field("key"), source, &wire.key, account?),
    }
}

/// The account's id, for facts of accounts only.
fn account(
    c: &mut Checker,
    at: &Path,
    wire: &v1::FactDeclaration,
    source: FactSource,
) -> Option<Option<Id>> {
    match (source == FactSource::Account, &*wire.account) {
        (false, "") => Some(None),
        (false, _) => c.refuse(at, InvalidValue, "goes with source ACCOUNT only"),
        (true, "") => c.refuse(at, Missing, "needs the id of the account"),
        (true, id) => match Id::parse(id) {
            Some(id) => Some(Some(id)),
            None => c.refuse(at, InvalidValue, format!("`{id}` is not an id")),
        },
    }
}

fn keyed(
    c: &mut Checker,
    at: &Path,
    source: FactSource,
    key: &str,
    account: Option<Id>,
) -> Option<Origin> {
    if literal::parse(ValueType::Text, key).is_none() {
        return c.refuse(at, InvalidValue, "must be 1 to 256 plain characters");
    }
    let key: Text = key.into();
    match (source, account) {
        (FactSource::Request, _) => Some(Origin::Request(key)),
        (FactSource::Order, _) => Some(Origin::Order(key)),
        (FactSource::Shop, _) => Some(Origin::Shop(key)),
        (FactSource::Operator, _) => Some(Origin::Operator(key)),
        (FactSource::Platform, _) => Some(Origin::Platform(key)),
        (FactSource::Account, Some(id)) => Some(Origin::Account(id, key)),
        _ => c.refuse(at, InvalidValue, "this source has fields and no map of facts; use `field`"),
    }
}

fn field(
    c: &mut Checker,
    at: &Path,
    source: FactSource,
    name: &str,
    account: Option<Id>,
) -> Option<Origin> {
    match typed_field(source, name, account) {
        Some(field) => Some(Origin::Field(field)),
        None => {
            let hint = nearest::hint(name, fields_of(source).iter().copied());
            c.refuse(at, InvalidValue, format!("this source has no field `{name}`{hint}"))
        }
    }
}

/// Checks what a declaration says about a field that Bursar knows itself.
fn agree(c: &mut Checker, at: &Path, wire: &v1::FactDeclaration, kind: ValueType, field: &Field) {
    let expected = type_of(field);
    if kind != expected {
        let text = format!("`{}` is {}", wire.field, literal::form(expected));
        c.problem(&at.field("type"), WrongType, text);
    }
    // What Bursar knows itself nobody asserts; an order's own fields somebody does.
    let asserted = matches!(field, Field::OrderPaid | Field::OrderPlaceTime);
    let stated = !wire.asserted_by.is_empty() && !asserted;
    c.unsupported(stated, &at.field("asserted_by"), "who may assert a typed field is");
    let open = matches!(field, Field::Payee | Field::Purpose | Field::GrantTier);
    let listed = !wire.values.is_empty() && !open;
    c.unsupported(listed, &at.field("values"), "values of this typed field are");
}

/// Two names for one thing would make rules look different that are the same.
fn declared_once(
    c: &mut Checker,
    at: &Path,
    wire: &v1::FactDeclaration,
    origin: &Origin,
    position: usize,
) {
    let same = |f: &&super::checker::KnownFact| {
        f.declaration.as_ref().is_some_and(|d| d.origin == *origin)
    };
    let earlier = c.facts.iter().take(position).find(same).map(|f| f.name.clone());
    if let Some(earlier) = earlier {
        let what = if wire.key.is_empty() { "field" } else { "key" };
        let text = format!("is declared as `{earlier}` already");
        c.problem(&at.field(what), DuplicateId, text);
    }
}

/// The only values that a fact may have; of a list, that its elements may have.
fn values(
    c: &mut Checker,
    at: &Path,
    wire: &[String],
    kind: Option<ValueType>,
) -> Option<Vec<Value>> {
    let kind = match kind? {
        ValueType::List => ValueType::Text,
        kind => kind,
    };
    let mut values = Vec::with_capacity(wire.len());
    let mut listed = BTreeSet::new();
    let before = c.problems.len();
    for (position, text) in wire.iter().enumerate() {
        match literal::parse(kind, text) {
            None => {
                let text = format!("`{text}` is not {}", literal::form(kind));
                c.problem(&at.at(position), WrongType, text);
            }
            Some(value) if !listed.insert(value.clone()) => {
                c.problem(&at.at(position), Unreachable, format!("`{text}` is listed already"));
            }
            Some(value) => values.push(value),
        }
    }
    (c.problems.len() == before).then_some(values)
}

fn roles(c: &mut Checker, at: &Path, wire: &[i32]) -> Option<RoleSet> {
    let mut roles = RoleSet::NONE;
    let before = c.problems.len();
    for (position, number) in wire.iter().enumerate() {
        let at = at.at(position);
        let role = match c.known(&at, *number) {
            None => continue,
            Some(v1::Role::Unspecified) => {
                c.problem(&at, InvalidValue, "needs a role");
                continue;
            }
            Some(v1::Role::Platform) => who::Role::Platform,
            Some(v1::Role::Admin) => who::Role::Admin,
            Some(v1::Role::Merchant) => who::Role::Merchant,
            Some(v1::Role::Payer) => who::Role::Payer,
            Some(v1::Role::Reviewer) => who::Role::Reviewer,
            Some(v1::Role::Auditor) => who::Role::Auditor,
        };
        if roles.has(role) {
            c.problem(&at, Unreachable, "is listed already");
        }
        roles = roles.with(role);
    }
    (c.problems.len() == before).then_some(roles)
}
