//! What the tests share: the whole API in one process ([`app`]), a proxy that brings every fault of a network and stops a
//! process in the midst of a write ([`proxy`]), a valid request of every operation ([`requests`]), Lambda's Runtime API for
//! one process ([`runtime_api`]), batches straight to the
//! ledger ([`batch`]), the log of a test ([`log`]) and what may be in none ([`canary`]), what others are told
//! ([`receiver`]), a folder of a test's own ([`scratch`]), a function full of bugs ([`misbehaving`]), and the API's
//! description ([`openapi`]).
//! Must never be a dependency of what ships.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on fails the test that uses it"
)]

pub mod app;
pub mod batch;
pub mod canary;
pub mod emf;
pub mod fuzz;
pub mod log;
pub mod misbehaving;
pub mod openapi;
pub mod proxy;
pub mod receiver;
pub mod redis_server;
pub mod requests;
pub mod runtime_api;
pub mod scratch;

pub use app::{Answer, Mounted, PASSWORD, TestApp, User, event, random_ip, random_name};

/// Whether the fault suite tries everything (`FAULTS=all`, as `make test-faults` does) or a fixed sample of it.
pub fn tries_every_fault() -> bool {
    shared::config::environment().get("FAULTS").is_some_and(|faults| faults == "all")
}
