//! Pages of listings: sizes and tokens. A token is the last id of the page
//! before; callers treat it as opaque.

use crate::domain::{
    name::Id,
    refusal::{Reason, Refusal},
};

/// Rows on a page if the caller does not say.
const DEFAULT: usize = 50;

/// How many rows a caller asks for. The contract has bounded it.
pub fn size(page_size: i32) -> usize {
    match usize::try_from(page_size) {
        Ok(0) | Err(_) => DEFAULT,
        Ok(size) => size,
    }
}

/// Where to go on. `None`: at the beginning.
///
/// # Errors
/// If the token is not one that a page gave.
pub fn token(page_token: &str) -> Result<Option<Id>, Refusal> {
    if page_token.is_empty() {
        return Ok(None);
    }
    let id = Id::parse(page_token).ok_or_else(not_a_token)?;
    Ok(Some(id))
}

/// That a token is not one that a page gave.
pub fn not_a_token() -> Refusal {
    Refusal::new(Reason::PageTokenInvalid, "The page token is not one that a page gave.")
        .at("page_token", "Send next_page_token of the page before, or leave it empty.")
}

/// Cuts rows that were read one further than the page, and gives the token for
/// the next page if there was one further.
pub fn cut<T>(mut rows: Vec<T>, size: usize, id: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let more = rows.len() > size;
    rows.truncate(size);
    let token = if more { rows.last().map(id).unwrap_or_default() } else { String::new() };
    (rows, token)
}
