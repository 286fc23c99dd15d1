//! The gRPC surface: wire ⇄ domain, who may call what, statuses. Judges
//! nothing and stores nothing.

pub mod auth;
pub mod batch;
pub mod case_service;
pub mod content;
pub mod convert;
pub mod convert_account;
pub mod convert_freeze;
pub mod convert_operator;
pub mod convert_order;
pub mod convert_payout;
pub mod convert_shop;
pub mod convert_usage;
pub mod event_service;
pub mod freeze_reads;
pub mod identity;
pub mod lookup;
pub mod mask;
pub mod page;
pub mod payout_reads;
pub mod payout_service;
pub mod policy;
pub mod policy_reading;
pub mod policy_service;
pub mod problems;
pub mod quota_reads;
pub mod quota_service;
pub mod receipt;
pub mod render;
pub mod revision_reads;
pub mod service;
pub mod shop_reads;
pub mod shop_service;
pub mod status;
pub mod workers;
