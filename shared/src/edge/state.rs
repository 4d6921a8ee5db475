//! The state of every function that signed-in users call. Must never hold anything of one request.

use std::sync::Arc;

use super::cursor::Cursors;
use super::layers::Scope;
use super::problem::{Problem, ProblemType};
use crate::boot::Boot;
use crate::clock::Clock;
use crate::store::{Mongo, Store};

/// What every function of signed-in users needs. A function that needs less asks [`Boot`] for its parts.
pub struct UserParts {
    pub mongo: Mongo,
    pub clock: Clock,
    pub cursors: Cursors,
}

/// [`UserParts`] as a router's state. Empty only where the configuration lacks a part that the function needs, which
/// init refuses.
#[derive(Clone)]
pub struct AppState(Option<Arc<UserParts>>);

impl AppState {
    pub fn new(boot: &Boot) -> Self {
        let make = || {
            let cursors = Cursors::from_config(boot.config.jwt.as_ref()?);
            Some(Arc::new(UserParts { mongo: boot.mongo()?, clock: boot.clock.clone(), cursors }))
        };
        Self(make())
    }

    /// # Errors
    /// 500: the process was built without what it needs.
    pub fn parts(&self) -> Result<&UserParts, Problem> {
        self.0.as_deref().ok_or_else(|| Problem::new(ProblemType::Internal))
    }
}

impl UserParts {
    /// The stores as this request may use them.
    pub fn store(&self, scope: &Scope) -> Store {
        self.mongo.within(scope.mongo_until)
    }
}
