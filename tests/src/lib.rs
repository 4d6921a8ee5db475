//! What the tests share: the whole API in one process ([`app`]), a proxy that stops a process in the midst of a write
//! ([`proxy`]), Lambda's Runtime API for one process ([`runtime_api`]), the log of a test ([`log`]), and the API's description ([`openapi`]).
//! Must never be a dependency of what ships.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on fails the test that uses it"
)]

pub mod app;
pub mod fuzz;
pub mod log;
pub mod openapi;
pub mod proxy;
pub mod runtime_api;

pub use app::{Answer, Mounted, PASSWORD, TestApp, User, event, random_ip, random_name};
