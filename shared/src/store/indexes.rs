//! The indexes of every collection, made by the migration and never on a cold start. Each collection's file
//! names its own; each query's index is proved by `explain` in the tests.

use mongodb::bson::doc;
use std::time::Duration;

use super::registry::COLLECTIONS;
use super::{Mongo, StoreError, erasure, users};

/// What making the indexes of a database may take that is small, or has them already.
const TIME: Duration = Duration::from_secs(60);

/// Creates collections and indexes that are missing, brings e-mail addresses into their one form, and finishes
/// erasures that were cut off, within 60 s. Safe to repeat.
///
/// # Errors
/// MongoDB that is away, or is no replica set (a standalone server has no transactions).
pub async fn migrate(mongo: &Mongo) -> Result<(), StoreError> {
    migrate_within(mongo, TIME).await
}

/// The same for a database that is full and has no index yet.
///
/// # Errors
/// The same.
pub async fn migrate_within(mongo: &Mongo, time: Duration) -> Result<(), StoreError> {
    let store = mongo.for_duration(time);
    let work = store.clone();
    store
        .run(async move {
            let db = work.db().await?;
            let hello = db.run_command(doc! {"hello": 1}).await?;
            if !hello.contains_key("setName") && hello.get_str("msg").ok() != Some("isdbgrid") {
                return Err(StoreError::Corrupt(
                    "mongodb must be a replica set: it has no transactions".into(),
                ));
            }
            let existing = db.list_collection_names().await?;
            for collection in COLLECTIONS {
                let name = collection.name;
                // A collection cannot be made within a transaction that conflicts with another one's.
                if !existing.iter().any(|known| known == name) {
                    db.create_collection(name).await?;
                }
                let models = (collection.indexes)();
                if !models.is_empty() {
                    db.collection::<mongodb::bson::Document>(name).create_indexes(models).await?;
                }
            }
            Ok(())
        })
        .await?;
    users::normalize_emails(&store).await?;
    erasure::finish_pending(&store).await
}
