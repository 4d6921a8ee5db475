//! The HTTP door of every function: [`event`] makes requests of events; [`layers`] wraps its router; [`body`], [`query`], [`path`] and [`precondition`] parse what comes in,
//! [`respond`] shapes what goes out, [`problem`] is the one place that turns an error into a status; [`contract`] describes operations.
//!
//! Must never know a rule about money or a collection's name.

pub mod amount;
pub mod body;
pub mod contract;
pub mod cursor;
pub mod event;
pub mod idempotency;
pub mod json;
pub mod layers;
pub mod path;
pub mod precondition;
pub mod problem;
pub mod query;
pub mod respond;
pub mod route;
pub mod state;

pub use finance::rejection::Rejection;
pub use layers::{Caller, Principal, Scope};
pub use precondition::IfMatch;
pub use problem::{Problem, ProblemType};
pub use route::{Access, Function, RouteInfo, Routes};
pub use state::{AppState, UserParts};

pub use crate::rate_limit::LimitClass;
