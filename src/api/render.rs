//! Renders a policy's texts: fills in what stands in braces.

/// Replaces every `{name}` by what `lookup` gives, or a dash if it gives nothing.
pub fn fill(template: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                text.push_str(lookup(name).as_deref().unwrap_or("—"));
                rest = after;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_replaced_and_unknown_ones_are_dashes() {
        let lookup = |name: &str| (name == "limit").then(|| "500.00".to_owned());
        assert_eq!(fill("at most {limit}, {what}.", lookup), "at most 500.00, —.");
        assert_eq!(fill("{ no end", lookup), "{ no end");
    }
}
