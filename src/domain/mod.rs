//! The nouns of Bursar and what is always true of them. Pure: no I/O, no
//! clock, no wire, no store. Everything else depends on this; this depends on
//! nothing.

pub mod account;
pub mod allowed;
pub mod amount;
pub mod cell;
pub mod change;
pub mod condition;
pub mod decision;
pub mod event;
pub mod finding;
pub mod freeze;
pub mod instant;
pub mod key;
pub mod layout;
pub mod limit;
mod line;
pub mod meter;
pub mod minted;
pub mod name;
pub mod named;
pub mod operator;
pub mod order;
pub mod payout;
pub mod placing;
pub mod plan;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod row;
pub mod scope;
mod shelf;
pub mod shop;
pub mod template;
pub mod text;
pub mod told;
pub mod value;
pub mod who;
pub mod window;
