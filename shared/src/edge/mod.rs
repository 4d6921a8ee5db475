//! The HTTP door of every function: [`event`] makes requests of events; [`layers`] wraps its router; [`body`], [`query`], [`path`] and [`precondition`] parse what comes in,
//! [`respond`] shapes what goes out, [`problem`] is the one place that turns an error into a status; [`contract`] describes operations.
//!
//! Must never know a rule about money or a collection's name.

mod admit;
pub mod amount;
pub mod body;
mod caller;
pub mod contract;
pub mod cursor;
pub mod event;
mod headers;
pub mod idempotency;
pub mod json;
pub mod layers;
pub mod path;
pub mod precondition;
pub mod problem;
pub mod query;
mod render;
pub mod respond;
pub mod route;
mod scope;
pub mod signed;
pub mod state;

pub use caller::{Caller, Principal, TokenScope, Via};
pub use finance::rejection::Rejection;
pub use idempotency::IdempotencyKey;
pub use scope::Scope;

pub(crate) use admit::SecretsTooOld;
pub use precondition::IfMatch;
pub use problem::{Problem, ProblemType};
pub use route::{Access, Function, Route, RouteInfo, Routes};
pub use signed::{PageRequest, Params, Signed};
pub use state::AppState;

pub use crate::rate_limit::LimitClass;
