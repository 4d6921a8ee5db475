//! One binary for every test that needs the whole API or the whole workspace. Names are sentences; a test has a database of
//! its own and waits for nothing but answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail them as the tests themselves do"
)]

/// The repository's folder.
pub(crate) fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

mod accounts;
mod architecture;
mod auth;
mod backup;
mod batch;
mod categories;
mod commands;
mod configuration;
mod contention;
mod contract;
mod cors;
mod crash;
mod description;
mod doctor;
mod documents;
mod edge;
mod faults;
mod financial_health;
mod golden;
mod health;
mod hostile_input;
mod isolation;
mod lambda;
mod ledger;
mod local_run;
mod logs;
mod matrix;
mod panics;
mod parsers;
mod rate_limit;
mod redis_refusals;
mod reports;
mod secrets;
mod security_events;
mod snapshots;
mod store;
mod strict_input;
mod traces;
mod transactions;
