//! One suite for every store, and what only the embedded store has: recovery,
//! damage, durability.

mod damage;
mod every_row;
mod key_order;
mod make;
mod places;
mod processes;
mod random;
mod suite;
mod syncing;
