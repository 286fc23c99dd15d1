//! One suite for every store, and what only the embedded store has: recovery,
//! damage, durability.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests wait for the disk, and a panic is how they fail"
)]

mod at_rest;
mod backup;
mod behind;
mod damage;
mod every_row;
mod files;
mod implied;
mod key_order;
mod letting_go;
mod made_alone;
mod make;
mod older;
mod places;
mod processes;
mod random;
mod retain_command;
mod retained;
mod suite;
mod syncing;
mod unreadable;
