//! Texts as rows, records and keys have them. Nearly all are short: ids, names of
//! facts, reasons. Those up to 23 bytes are kept where they stand, without memory
//! of their own, so that copying and comparing them touches nothing else; longer
//! ones are shared.

/// A text that never changes. Cheap to copy.
pub type Text = smol_str::SmolStr;
