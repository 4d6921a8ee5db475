//! The whole API on one machine, for people who develop it: the databases ([`servers`], fetched by [`fetch`] where the
//! machine has none), the HTTP API that API Gateway is in AWS ([`gateway`] with the events of [`apigw`] and the routes of
//! [`template`]), the functions in this process or as the real binaries ([`lambda`]), log files ([`logs`]), demo data
//! ([`demo`]), the check of every ledger ([`doctor`]), backups by hand and back ([`restore`]) and who is erased again then
//! ([`erase`]); for tests also the AWS APIs ([`aws`]). [`run`] puts them together.
//!
//! The only place that starts processes. Must never be a dependency of a function: production knows nothing of it.

pub mod apigw;
pub mod aws;
pub mod configuration;
pub mod console;
pub mod demo;
pub mod doctor;
pub mod erase;
pub mod fetch;
pub mod functions;
pub mod gateway;
pub mod lambda;
pub mod logs;
pub mod process;
pub mod restore;
pub mod run;
pub mod secrets;
pub mod servers;
pub mod signals;
pub mod template;
pub mod workspace;
