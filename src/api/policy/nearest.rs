//! "Did you mean": the known name nearest to an unknown one.

/// Longest name that is compared with known ones: theirs are no longer.
const LONGEST: usize = 64;

/// Ends a sentence about an unknown name with the nearest known one, or with
/// all of them if they are few.
pub fn hint<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.filter(|name| !name.is_empty()).collect();
    let nearest = known
        .iter()
        .filter(|_| unknown.len() <= LONGEST)
        .map(|name| (distance(unknown, name), *name))
        .filter(|(distance, name)| *distance <= 1.max(name.len().max(unknown.len()) / 3))
        .min();
    match nearest {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None if known.len() <= 12 => format!("; there are `{}`", known.join("`, `")),
        None => String::new(),
    }
}

/// Edits that make one text the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let edited = (diagonal + usize::from(a != *b)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = edited;
            left = edited;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        let known = ["order-paid", "order-id", "app"];
        assert_eq!(hint("order-payd", known.into_iter()), "; did you mean `order-paid`?");
        assert_eq!(hint("zzz", known.into_iter()), "; there are `order-paid`, `order-id`, `app`");
        assert_eq!(hint("zzz", [].into_iter()), "; there are none");
    }
}
