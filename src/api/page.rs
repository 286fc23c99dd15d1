//! Pages of listings: sizes, tokens, and where a page ends. A token is the
//! place of the last row with a check of which listing it belongs to; callers
//! treat it as opaque.

use sha2::{Digest, Sha256};

use crate::domain::refusal::{Reason, Refusal};

/// Rows on a page if the caller does not say.
const DEFAULT: usize = 50;

/// Most bytes of the rows on a page, as they are encoded: clients refuse
/// answers of more than 4 MiB unless they are told otherwise.
pub const MOST_BYTES: usize = 3 * 1024 * 1024;

/// Rows read at once while a page is filled: they may be large, and the page
/// may end before all of them are on it.
pub const CHUNK: usize = 128;

/// What an element of a repeated field takes beside its own bytes, at most.
const AROUND_A_ROW: usize = 6;

/// How many rows a caller asks for. The contract has bounded it.
pub fn size(page_size: i32) -> usize {
    match usize::try_from(page_size) {
        Ok(0) | Err(_) => DEFAULT,
        Ok(size) => size,
    }
}

/// A listing: a method, and what of its request says which rows there are and
/// in which order. A token of another one is not taken.
#[derive(Clone, Debug)]
pub struct Listing(Sha256);

impl Listing {
    /// Of a method, under a parent, with its filters.
    pub fn of(method: &str, parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in [method].iter().chain(parts) {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest)
    }

    /// The token of the page behind a place.
    pub fn token(&self, place: &str) -> String {
        format!("{}.{place}", self.check(place))
    }

    /// The place behind which the page of a token begins. `None`: at the
    /// beginning.
    ///
    /// # Errors
    /// If no page of this listing gave the token.
    pub fn place<'a>(&self, token: &'a str) -> Result<Option<&'a str>, Refusal> {
        if token.is_empty() {
            return Ok(None);
        }
        let (check, place) = token.split_once('.').ok_or_else(not_a_token)?;
        if check == self.check(place) { Ok(Some(place)) } else { Err(not_a_token()) }
    }

    /// Finds mistakes; it is no secret.
    fn check(&self, place: &str) -> String {
        let digest = self.0.clone().chain_update(place).finalize();
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// That a token is not one that a page of the listing gave.
pub fn not_a_token() -> Refusal {
    Refusal::new(Reason::PageTokenInvalid, "The page token is not one that this listing gave.")
        .at("page_token", "Send next_page_token of the page before, or leave it empty.")
}

/// A page that is being filled.
#[derive(Debug)]
pub struct Filling<T> {
    rows: Vec<T>,
    size: usize,
    bytes: usize,
    last: String,
    is_full: bool,
}

impl<T> Filling<T> {
    /// An empty one for so many rows.
    pub fn new(size: usize) -> Self {
        Self { rows: Vec::new(), size, bytes: 0, last: String::new(), is_full: false }
    }

    /// Puts a row on the page, if there is room: for one of any size there is.
    /// `place` is where the next page would go on, `bytes` its size.
    pub fn push(&mut self, place: impl ToString, bytes: usize, row: T) -> bool {
        let more = self.bytes + bytes + AROUND_A_ROW;
        if self.rows.len() >= self.size || (more > MOST_BYTES && !self.rows.is_empty()) {
            self.is_full = true;
            return false;
        }
        self.bytes = more;
        self.last = place.to_string();
        self.rows.push(row);
        true
    }

    /// How many rows to read next: no more than one that is not needed.
    pub fn wanted(&self) -> usize {
        CHUNK.min(self.size + 1 - self.rows.len().min(self.size))
    }

    /// The rows, and the token of the next page if there is more.
    pub fn end(self, listing: &Listing) -> (Vec<T>, String) {
        let token = if self.is_full { listing.token(&self.last) } else { String::new() };
        (self.rows, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_by_the_listing_that_gave_it_and_by_no_other() {
        let listing = Listing::of("ListShops", &["platforms/p"]);
        let token = listing.token("s.1");
        assert_eq!(listing.place(&token).ok(), Some(Some("s.1")));
        assert_eq!(listing.place("").ok(), Some(None));
        for other in [
            Listing::of("ListShops", &["platforms/q"]),
            Listing::of("ListFreezes", &["platforms/p"]),
            Listing::of("ListShops", &["platforms/p", ""]),
            Listing::of("ListShopsplatforms/p", &[]),
        ] {
            assert!(other.place(&token).is_err());
        }
        for text in ["s.1", "s", "0", ".", &token.replace("s.1", "s.2"), &format!("{token}x")] {
            assert!(listing.place(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_ends_when_it_is_large_and_has_one_row_at_least() {
        let fill = |bytes: usize| {
            let mut page = Filling::new(10);
            let on_it = (0..20).take_while(|n| page.push(n, bytes, *n)).count();
            (on_it, page.end(&Listing::of("", &[])).1.is_empty())
        };
        assert_eq!(fill(100), (10, false));
        assert_eq!(fill(MOST_BYTES / 3 - 100), (3, false));
        assert_eq!(fill(2 * MOST_BYTES), (1, false));
        let mut last = Filling::new(10);
        assert!(last.push("a", 1, ()));
        assert_eq!(last.end(&Listing::of("", &[])).1, "");
    }
}
