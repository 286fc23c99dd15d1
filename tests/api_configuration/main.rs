//! What is configured through ShopService, QuotaService and CaseService, called
//! as the server calls them. Not the wire itself: `tests/grpc` is about that.

mod accounts;
mod events;
mod freezes;
mod operators;
mod reach;
mod setup;
mod shops;
mod usage;
