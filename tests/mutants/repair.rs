//! Makes a mutant load whose change is refused only because of what is around
//! it: a fact that no rule looks at any more becomes a label, a window's length
//! goes with its kind. The change itself stays as it is.

use serde_json::{Value, json};

use super::{Kind, Mutant, Step, plain};

type Fields = serde_json::Map<String, Value>;

/// Changes what stands in the way, which is a problem at a field, and says
/// what was changed. `None`: the change itself is not allowed there.
pub fn repair(mutant: &mut Mutant, field: &str, reason: &str) -> Option<String> {
    let at = steps(field);
    let (last, above) = at.split_last()?;
    let Mutant { policy, path: changed, before, kind, .. } = mutant;
    // The change itself is what is wrong; where something was taken away,
    // another one has its place.
    if at == *changed && *kind != Kind::Removed && reason != "DUPLICATE_ID" {
        return None;
    }
    match (reason, last) {
        ("UNREACHABLE", Step::Index(i)) if above == [Step::Key("facts".to_owned())] => {
            label(policy, *i)
        }
        ("UNREACHABLE", Step::Index(_)) => remove(policy, &at),
        ("DUPLICATE_ID", Step::Key(key)) => exchange(policy, &at, key, before),
        ("UNKNOWN_REFERENCE", Step::Key(_)) => {
            // What was declared is gone; so goes what named it.
            let was_declaration = matches!(changed.as_slice(), [Step::Key(_), Step::Index(_)]);
            let entry = at.iter().rposition(|step| matches!(step, Step::Index(_)))?;
            was_declaration.then(|| remove(policy, &at[..=entry])).flatten()
        }
        ("UNKNOWN_REFERENCE", Step::Index(_)) => remove(policy, &at),
        (_, Step::Key(key)) => {
            let changed = match changed.last() {
                Some(Step::Key(changed)) => changed.as_str(),
                _ => "",
            };
            let holder = find(policy, above)?;
            around(holder, changed, reason, key)
        }
        (_, Step::Index(_)) => around(find(policy, &at)?, "", reason, ""),
    }
}

/// A path as problems name it: `limits[2].text["en"]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let part = part.trim_end_matches(']');
        steps.push(match part.parse() {
            Ok(i) => Step::Index(i),
            Err(_) => Step::Key(part.trim_matches('"').to_owned()),
        });
    }
    steps
}

fn find<'a>(policy: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(policy, |at, step| match step {
        Step::Key(key) => at.get_mut(key),
        Step::Index(i) => at.get_mut(i),
    })
}

fn label(policy: &mut Value, i: usize) -> Option<String> {
    let fact = policy["facts"].get_mut(i)?.as_object_mut()?;
    fact.shift_remove("required");
    let name = fact.get("name").map(plain)?;
    let is_new = fact.insert("label".to_owned(), json!(true)).is_none();
    is_new.then(|| format!("{name} is a label"))
}

/// Gives whoever has it already what was here before.
fn exchange(policy: &mut Value, at: &[Step], key: &str, before: &Value) -> Option<String> {
    let [list @ Step::Key(_), Step::Index(mine), Step::Key(_)] = at else { return None };
    let entries = find(policy, std::slice::from_ref(list))?.as_array_mut()?;
    let taken = entries.get(*mine)?.get(key)?.clone();
    let source = entries.get(*mine)?.get("source").cloned();
    let mut others = entries.iter_mut().enumerate().filter(|(i, _)| i != mine);
    let (_, other) = others.find(|(_, other)| {
        other.get(key) == Some(&taken) && other.get("source").cloned() == source
    })?;
    other[key] = before.clone();
    Some(format!(
        "exchanged with {}",
        ["id", "name", "state"].into_iter().find_map(|key| other.get(key)).map(plain)?
    ))
}

fn remove(policy: &mut Value, path: &[Step]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let holder = find(policy, above)?;
    let Step::Index(i) = last else { return None };
    let entries = holder.as_array_mut().filter(|entries| *i < entries.len())?;
    let entry = entries.remove(*i);
    let name = ["id", "name"].into_iter().find_map(|key| entry.get(key)).unwrap_or(&entry);
    Some(format!("without {}", plain(name)))
}

/// Fits what is beside the change to it.
fn around(holder: &mut Value, changed: &str, reason: &str, key: &str) -> Option<String> {
    let of = holder.as_object_mut()?;
    match (changed, reason, key) {
        // A window's kind.
        ("kind", "MISSING", "length") => set(of, key, json!("3600s")),
        ("kind", "MISSING", "week_starts_on") => set(of, key, json!("MONDAY")),
        ("kind", "INVALID_VALUE", "length" | "week_starts_on" | "count") => drop_key(of, key),
        ("kind", "UNREACHABLE", "scope" | "counts" | "on_return") => drop_key(of, key),
        // What counts.
        ("counts", "MISSING", "states") => set(of, key, json!(["AUTHORIZED", "PROCESSING"])),
        ("counts", "INVALID_VALUE", "states") => drop_key(of, key),
        // An operator and its right side.
        ("op", "INVALID_VALUE" | "MISSING", "value" | "values" | "other") => right_side(of),
        // Where a fact comes from.
        ("source" | "type" | "field", _, "field" | "type") | ("source", "MISSING", "") => {
            drop_key(of, "field");
            of.insert("key".to_owned(), json!("another"));
            Some("key another".to_owned())
        }
        ("source", "MISSING", "account") => set(of, key, json!("settlement")),
        ("source", "INVALID_VALUE", "account") => drop_key(of, key),
        // A text names a fact that the rule does not look at any more.
        (_, "INVALID_VALUE", "zh-CN" | "en") => {
            let now = of.get(key).map(plain)?;
            let (before, rest) = now.split_once("{fact:")?;
            let (_, after) = rest.split_once('}')?;
            let said = json!(format!("{before}-{after}"));
            of.insert(key.to_owned(), said);
            Some("another text".to_owned())
        }
        _ => None,
    }
}

fn set(of: &mut Fields, key: &str, value: Value) -> Option<String> {
    let said = format!("{key} {}", plain(&value));
    (of.insert(key.to_owned(), value.clone()) != Some(value)).then_some(said)
}

fn drop_key(of: &mut Fields, key: &str) -> Option<String> {
    of.shift_remove(key).map(|_| format!("without {key}"))
}

/// One value, several, or none, as the operator takes them.
fn right_side(of: &mut Fields) -> Option<String> {
    let op = of.get("op").map(plain)?;
    let first = of.get("values").and_then(|values| values.get(0)).cloned();
    let one = of.get("value").cloned().or(first);
    let before = (of.get("value").cloned(), of.get("values").cloned(), of.get("other").cloned());
    match op.as_str() {
        "PRESENT" | "ABSENT" => {
            for key in ["value", "values", "other"] {
                of.shift_remove(key);
            }
        }
        // One value among one is the same as EQUAL and NOT_EQUAL.
        "IN" | "NOT_IN" => return None,
        _ => {
            let one = one.unwrap_or_else(|| json!("item-1"));
            for key in ["values", "other"] {
                of.shift_remove(key);
            }
            of.insert("value".to_owned(), one);
        }
    }
    let after = (of.get("value").cloned(), of.get("values").cloned(), of.get("other").cloned());
    (before != after).then(|| "with another right side".to_owned())
}
