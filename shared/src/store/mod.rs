//! What the service knows, in MongoDB and Redis. The only place that names a collection or says `bson`; every query
//! carries the user's id. Translates driver errors at its border: nobody above sees one.
//!
//! Must never decide a rule about money (it calls `finance`), nor know an HTTP status.

pub mod accounts;
pub mod audit;
mod balances;
mod batches;
pub mod categories;
mod counter;
pub mod dump;
pub mod entity;
pub mod erasure;
pub mod idempotency;
pub mod indexes;
pub mod ledger;
mod mongo;
pub mod moves;
pub mod redis;
mod reference;
pub mod refold;
pub mod registration;
mod registry;
pub mod score;
pub mod search_terms;
pub mod sessions;
mod snapshot;
pub mod summary;
mod totals;
pub mod transactions;
mod turns;
mod tx;
pub mod users;
mod write;

pub use entity::{Entity, Expected, UserStore};
pub use idempotency::{Claim, Replay};
pub use mongo::{Mongo, Store};
pub use tx::WriteError;

pub(crate) use mongo::{id_of, millis, uuid_of};

/// Why a store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("mongodb does not answer")]
    Unavailable(#[source] mongodb::error::Error),
    #[error("mongodb refuses the credentials")]
    CredentialsRefused(#[source] mongodb::error::Error),
    #[error("mongodb took longer than the request may")]
    TimedOut,
    #[error("mongodb holds or answered something unexpected: {0}")]
    Corrupt(String),
}

impl From<mongodb::error::Error> for StoreError {
    fn from(error: mongodb::error::Error) -> Self {
        use mongodb::error::ErrorKind;
        match error.kind.as_ref() {
            ErrorKind::BsonDeserialization(_)
            | ErrorKind::BsonSerialization(_)
            | ErrorKind::InvalidArgument { .. } => Self::Corrupt(error.to_string()),
            ErrorKind::Authentication { .. } => Self::CredentialsRefused(error),
            ErrorKind::Command(command) if REFUSED.contains(&command.code) => Self::CredentialsRefused(error),
            ErrorKind::Command(command) if TIME_SPENT.contains(&command.code) => Self::TimedOut,
            ErrorKind::Command(command)
                if !error.contains_label("RetryableWriteError")
                    && !error.contains_label("TransientTransactionError")
                    && !PASSING.contains(&command.code) =>
            {
                Self::Corrupt(format!("command failed with code {}", command.code))
            }
            _ => Self::Unavailable(error),
        }
    }
}

impl From<mongodb::bson::error::Error> for StoreError {
    fn from(error: mongodb::bson::error::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// Server errors of spent time: MaxTimeMSExpired, ExceededTimeLimit.
const TIME_SPENT: &[i32] = &[50, 262];

/// Server errors of credentials that are no longer, or not yet, good: Unauthorized, AuthenticationFailed.
const REFUSED: &[i32] = &[13, 18];

/// Server errors that pass by themselves: hosts and networks (6, 7, 89, 9001), locks (24, 46), cursors and plans that were ended (43, 175, 237), shutdown and elections (91, 189, 10107, 11600, 11602,
/// 13435, 13436), interruption (11601), conflicts (112), pools (202, 225), transactions that were ended (225, 251, 290).
const PASSING: &[i32] = &[
    6, 7, 24, 43, 46, 89, 91, 112, 134, 175, 189, 202, 225, 237, 251, 256, 290, 9001, 10107, 11600, 11601,
    11602, 13435, 13436,
];
