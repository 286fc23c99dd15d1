//! Field masks: which fields of a registered resource an update changes.

use std::collections::BTreeMap;

use prost_types::FieldMask;

use super::{convert, problems::Problems};
use crate::{
    decision::configure::{Edit, FactEdit},
    domain::{refusal::Reason, who::RoleSet},
    proto::v1,
};

/// What an update says of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The request's field with the resource.
    pub field: &'static str,
    /// The etag it has to have.
    pub etag: &'a str,
    /// `None`: resources of its kind have none.
    pub display_name: Option<&'a str>,
    /// Its facts.
    pub facts: &'a BTreeMap<String, v1::FactValue>,
}

/// The paths of a mask; none if it was not sent.
pub fn paths(mask: Option<&FieldMask>) -> &[String] {
    mask.map_or(&[], |mask| &mask.paths)
}

/// That a path of a mask names nothing that can be changed.
pub fn unknown(index: usize, allowed: &str, problems: &mut Problems) {
    // What was sent is not repeated: it is as long as the caller likes.
    let advice = format!("paths[{index}] cannot be changed. May name: {allowed}.");
    problems.add(Reason::FieldMaskInvalid, "update_mask", advice);
}

/// What to change of a resource with registered facts. Without a mask: what is
/// set.
pub fn edit(
    sent: Sent<'_>,
    mask: Option<&FieldMask>,
    roles: RoleSet,
    problems: &mut Problems,
) -> Edit {
    let facts = convert::facts(sent.facts, format_args!("{}.facts", sent.field), roles, problems);
    let mut edit = Edit { etag: sent.etag.to_owned(), display_name: None, facts: FactEdit::Keep };
    let paths = paths(mask);
    if paths.is_empty() {
        edit.display_name = sent.display_name.filter(|name| !name.is_empty()).map(Into::into);
        if !facts.is_empty() {
            edit.facts = FactEdit::All(facts);
        }
        return edit;
    }
    let mut named = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let fact = path.strip_prefix("facts.").filter(|name| !name.is_empty());
        match (path.as_str(), sent.display_name, fact) {
            ("display_name", Some(name), _) => edit.display_name = Some(name.into()),
            ("facts", ..) => edit.facts = FactEdit::All(facts.clone()),
            (_, _, Some(name)) => named.push((name.into(), facts.get(name).cloned())),
            (_, Some(_), None) => unknown(index, "display_name, facts, facts.NAME", problems),
            (_, None, None) => unknown(index, "facts, facts.NAME", problems),
        }
    }
    if !named.is_empty() && matches!(edit.facts, FactEdit::Keep) {
        edit.facts = FactEdit::Some(named);
    }
    edit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(names: &[&str]) -> BTreeMap<String, v1::FactValue> {
        let value = v1::FactValue { kind: Some(v1::fact_value::Kind::BoolValue(true)) };
        names.iter().map(|name| ((*name).to_owned(), value.clone())).collect()
    }

    fn edited(display_name: Option<&str>, names: &[&str], paths: &[&str]) -> (Edit, bool) {
        let sent = Sent { field: "shop", etag: "v1", display_name, facts: &facts(names) };
        let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
        let mut problems = Problems::default();
        let edit = edit(sent, Some(&mask), RoleSet::ALL, &mut problems);
        (edit, problems.is_empty())
    }

    #[test]
    fn without_a_mask_what_is_set_changes() {
        let (edit, fine) = edited(Some("New"), &[], &[]);
        assert!(fine && edit.display_name.as_deref() == Some("New"));
        assert!(matches!(edit.facts, FactEdit::Keep));
        let (edit, _) = edited(Some(""), &["a"], &[]);
        assert!(edit.display_name.is_none());
        assert!(matches!(edit.facts, FactEdit::All(all) if all.len() == 1));
    }

    #[test]
    fn a_fact_that_is_named_and_absent_is_taken_away_and_others_stay() {
        let (edit, fine) = edited(Some(""), &["a", "c"], &["facts.a", "facts.b.c"]);
        let FactEdit::Some(named) = edit.facts else { panic!("facts by name") };
        let named: Vec<(&str, bool)> = named.iter().map(|(n, f)| (&**n, f.is_some())).collect();
        assert!(fine && edit.display_name.is_none());
        assert_eq!(named, [("a", true), ("b.c", false)]);
    }

    #[test]
    fn a_named_display_name_can_be_emptied_and_a_named_map_too() {
        let (edit, fine) = edited(Some(""), &[], &["display_name", "facts", "facts.a"]);
        assert!(fine && edit.display_name.as_deref() == Some(""));
        assert!(matches!(edit.facts, FactEdit::All(all) if all.is_empty()));
    }

    #[test]
    fn fields_that_are_fixed_or_unknown_are_refused() {
        for path in ["name", "etag", "create_time", "kind", "facts.", "shop.display_name", "*"] {
            assert!(!edited(Some("New"), &[], &[path]).1, "{path}");
        }
        assert!(!edited(None, &[], &["display_name"]).1);
    }
}
