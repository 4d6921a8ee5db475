//! The state of every function that signed-in users call. Must never hold anything of one request.

use std::sync::Arc;

use super::cursor::Cursors;
use crate::boot::{Boot, MissingPart};
use crate::clock::Clock;
use crate::store::Mongo;

/// What the handlers of signed-in users need. Cloning shares it.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

struct Parts {
    mongo: Mongo,
    clock: Clock,
    cursors: Cursors,
}

impl AppState {
    /// # Errors
    /// The configuration lacks MongoDB or the signing keys.
    pub fn new(boot: &Boot) -> Result<Self, MissingPart> {
        let jwt = boot.config.jwt.as_ref().ok_or(MissingPart("jwt"))?;
        let parts =
            Parts { mongo: boot.mongo()?, clock: boot.clock.clone(), cursors: Cursors::from_config(jwt) };
        Ok(Self(Arc::new(parts)))
    }

    pub fn mongo(&self) -> &Mongo {
        &self.0.mongo
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }
}
