//! Single values: numbers without floats, enum names, JSON's split characters.

use std::borrow::Cow;

use prost_reflect::EnumDescriptor;

/// A whole number as protobuf JSON allows it to be written (`5`, `-5`, `5.0`,
/// `5e3`), exactly. None for anything else: no sign `+`, no leading zeros, no
/// other bases.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let dangling = mantissa.ends_with('.') || whole.is_empty();
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if dangling || leading_zero || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut value: i128 = format!("{whole}{fraction}").parse().ok()?;
    if value != 0 {
        let power = 10_i128.checked_pow(shift.unsigned_abs())?;
        if shift >= 0 {
            value = value.checked_mul(power)?;
        } else {
            (value % power == 0).then_some(())?;
            value /= power;
        }
    }
    Some(if negative { -value } else { value })
}

/// The prefix of an enum's values, `DECISION_`: what comes before
/// `UNSPECIFIED` in its zero value.
fn enum_prefix(descriptor: &EnumDescriptor) -> Option<String> {
    let zero = descriptor.values().find(|value| value.number() == 0)?;
    zero.name().strip_suffix("UNSPECIFIED").filter(|p| !p.is_empty()).map(str::to_owned)
}

/// The name without the enum's prefix: `DENY` for `DECISION_DENY`.
pub(crate) fn short_enum_name<'a>(descriptor: &EnumDescriptor, name: &'a str) -> &'a str {
    match enum_prefix(descriptor) {
        Some(prefix) => name.strip_prefix(prefix.as_str()).unwrap_or(name),
        None => name,
    }
}

/// The number of an enum value by its full name, its short name or its number.
pub(super) fn enum_number(descriptor: &EnumDescriptor, text: &str) -> Option<i32> {
    let named = descriptor
        .values()
        .find(|value| value.name() == text || short_enum_name(descriptor, value.name()) == text);
    if let Some(value) = named {
        return Some(value.number());
    }
    let number = i32::try_from(integer(text)?).ok()?;
    descriptor.get_value(number).map(|value| value.number())
}

/// Replaces `\ud83d\ude00`, which JSON allows and YAML does not, by the
/// character it stands for.
pub(super) fn join_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        if let Some(character) = surrogate_pair(escape) {
            joined.push(character);
            rest = escape.get(12..).unwrap_or_default();
        } else {
            // The escaped character too, so that `\\u` is not taken for `\u`.
            let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
            joined.push_str(escape.get(..length).unwrap_or_default());
            rest = escape.get(length..).unwrap_or_default();
        }
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

fn surrogate_pair(escape: &str) -> Option<char> {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut decoded = char::decode_utf16([unit(0)?, unit(6)?]);
    let character = decoded.next()?.ok()?;
    // A pair makes one character; two units that each make their own are not one.
    decoded.next().is_none().then_some(character)
}
