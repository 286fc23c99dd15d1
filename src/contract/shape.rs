//! How texts are written: matchers for the contract's patterns, each proved
//! equal to its regular expression by a test, and words for people. Faster than
//! the expressions and able to say where a text goes wrong.

/// A way to write a text.
pub(super) struct Shape {
    /// The pattern of the annotation that this stands for.
    pattern: &'static str,
    /// What is allowed, to follow the field's name: "must be …".
    pub(super) words: &'static str,
    matches: fn(&str) -> bool,
}

impl Shape {
    /// A shape by its pattern; `matches` has to agree with it.
    pub(super) const fn new(
        pattern: &'static str,
        words: &'static str,
        matches: fn(&str) -> bool,
    ) -> Self {
        Self { pattern, words, matches }
    }

    /// True if the text is written like this.
    pub(super) fn is_match(&self, text: &str) -> bool {
        (self.matches)(text)
    }

    /// True if this is the shape of that pattern. Runs while compiling, where
    /// `==` on texts does not exist.
    #[expect(clippy::indexing_slicing, reason = "evaluated when built, and below both lengths")]
    pub(super) const fn is_for(&self, pattern: &str) -> bool {
        let (mine, other) = (self.pattern.as_bytes(), pattern.as_bytes());
        if mine.len() != other.len() {
            return false;
        }
        let mut at = 0;
        while at < mine.len() {
            if mine[at] != other[at] {
                return false;
            }
            at += 1;
        }
        true
    }
}

/// Text on one line, without control characters (C0 and DEL).
pub(super) static PRINTABLE: Shape = Shape::new(
    "^[^\\x00-\\x1f\\x7f]*$",
    "must not contain control characters such as line breaks",
    is_printable,
);

/// Whether no byte is a control character: eight are looked at at a time.
pub fn is_printable(text: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([0x20; 8]);
    const DELETES: u64 = u64::from_ne_bytes([0x7f; 8]);
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let is_plain = eights.iter().all(|eight| {
        let bytes = u64::from_ne_bytes(*eight);
        // A byte below the one taken from it borrows, which sets its top bit; one
        // that had it set before is no control character.
        let low = bytes.wrapping_sub(SPACES) & !bytes;
        let deletes = bytes ^ DELETES;
        let delete = deletes.wrapping_sub(ONES) & !deletes;
        (low | delete) & TOPS == 0
    });
    is_plain && rest.iter().all(|byte| *byte > 0x1f && *byte != 0x7f)
}

/// The id of a resource.
pub(super) static ID: Shape = Shape::new(
    "^[A-Za-z0-9][A-Za-z0-9._~@+-]{0,127}$",
    "must be a letter or digit, then up to 127 of letters, digits and ._~@+-",
    |text| {
        text.len() <= 128
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~@+-".contains(&byte))
    },
);

/// An exact decimal, with or without a minus.
pub(super) static DECIMAL: Shape = Shape::new(
    "^-?[0-9]{1,18}(\\.[0-9]{1,9})?$",
    "must be a decimal such as -12.50: up to 18 digits, then up to 9 decimals",
    |text| is_decimal(text.strip_prefix('-').unwrap_or(text)),
);

/// An exact decimal that is not negative.
pub(super) static UNSIGNED_DECIMAL: Shape = Shape::new(
    "^[0-9]{1,18}(\\.[0-9]{1,9})?$",
    "must be a decimal such as 12.50, not negative: up to 18 digits, then up to 9 decimals",
    is_decimal,
);

/// A currency code.
pub(super) static CURRENCY: Shape = Shape::new(
    "^[A-Z]{3}$",
    "must be a currency code of three capital letters such as CNY",
    |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
);

fn is_decimal(text: &str) -> bool {
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    is_digits(whole, 18) && decimals.is_none_or(|decimals| is_digits(decimals, 9))
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    static ALL: [&Shape; 5] = [&PRINTABLE, &ID, &DECIMAL, &UNSIGNED_DECIMAL, &CURRENCY];

    fn assert_agree(text: &str) {
        for shape in ALL {
            let regex = Regex::new(shape.pattern).expect("the pattern is a regular expression");
            assert_eq!(shape.is_match(text), regex.is_match(text), "{} {text:?}", shape.pattern);
        }
    }

    #[test]
    fn every_matcher_agrees_with_its_pattern_on_the_edges() {
        let digits = "1".repeat(18);
        let ids = ["a".repeat(128), "a".repeat(129), format!("{digits}.{}", "2".repeat(9))];
        let more = [format!("{digits}1"), format!("1.{}", "2".repeat(10)), format!("-{digits}")];
        for text in ids.iter().chain(&more) {
            assert_agree(text);
        }
        for text in ["", "-", ".", "1.", ".1", "--1", "1.2.3", "+1", "CNY\n", "CNY", "CN", "CNYX"] {
            assert_agree(text);
        }
        for text in ["\u{7f}", "\u{80}", "\u{85}", "\u{2028}", "\0", " ", "é", "-a", "_a", "a\n"] {
            assert_agree(text);
        }
    }

    proptest! {
        #[test]
        fn every_matcher_agrees_with_its_pattern_on_any_text(text in any::<String>()) {
            assert_agree(&text);
        }

        #[test]
        fn every_matcher_agrees_with_its_pattern_on_texts_close_to_it(
            text in "[-]{0,2}[A-Z0-9a._~:@+\\n\\x7f１-]{0,20}[.]?[0-9]{0,11}",
        ) {
            assert_agree(&text);
        }
    }
}
