//! Everything that touches the outside world, in the order in which a request meets it:
//! [`lambda`] runs a function's process, [`boot`] is what it is built from, [`reload`] keeps its secrets fresh; [`edge`] is its HTTP door; [`identity`] says who is
//! calling; [`rate_limit`] how often; [`store`] keeps what it knows. [`telemetry`] and [`metrics`] tell of it in the log, [`observability`]
//! tells others where that is switched on. [`clock`] and [`ids`] are the only sources of time
//! and of identity; [`text`] is what Unicode says of characters, [`email`] the one form of an address.
//!
//! Must never: hold a rule about money (that is `finance`), or a shape of one endpoint's JSON (that is its function).

pub mod boot;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod edge;
pub mod email;
pub mod identity;
pub mod ids;
pub mod lambda;
pub mod metrics;
pub(crate) mod observability;
pub mod rate_limit;
pub mod reload;
pub mod secrets;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod text;
