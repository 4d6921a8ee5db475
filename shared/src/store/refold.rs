//! Brings the stored search terms of every transaction to what [`super::search_terms`] makes of its texts today: an
//! operator's task after a release that folds otherwise. Must never change what a user wrote, a version or a counter.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::bson::{self, Bson, Document, doc};
use serde::Deserialize;

use super::transactions::{TRANSACTIONS, terms_of};
use super::{Mongo, StoreError};

/// How many transactions are read at once, and how long that and their updates may take.
const BATCH: i64 = 1_000;
const BATCH_TIME: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Texts {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    description: String,
    merchant: Option<String>,
    notes: Option<String>,
    tags: Vec<String>,
    terms: Vec<String>,
    version: i64,
}

/// Replaces the terms that are not today's, of every user and tombstone. Answers how many transactions had some. Safe to
/// repeat, and beside writes: a transaction that is edited meanwhile gets its terms by the edit.
///
/// # Errors
/// MongoDB that is away; what was done until then stays.
pub async fn refold_terms(mongo: &Mongo) -> Result<u64, StoreError> {
    let mut changed: u64 = 0;
    let mut after = None;
    loop {
        let store = mongo.for_duration(BATCH_TIME);
        let work = store.clone();
        let from: Document = after.map(|id| doc! {"_id": {"$gt": id}}).unwrap_or_default();
        let (last, replaced) = store
            .run(async move {
                let collection = work.db().await?.collection::<Texts>(TRANSACTIONS);
                let fields =
                    doc! {"description": 1, "merchant": 1, "notes": 1, "tags": 1, "terms": 1, "version": 1};
                let found =
                    collection.find(from).sort(doc! {"_id": 1}).limit(BATCH).projection(fields).await?;
                let found: Vec<Texts> = found.try_collect().await?;
                let mut replaced: u64 = 0;
                for one in &found {
                    let terms =
                        terms_of(&one.description, one.merchant.as_deref(), &one.tags, one.notes.as_deref());
                    if terms != one.terms {
                        let same = doc! {"_id": one.id, "version": one.version};
                        let updated = collection.update_one(same, doc! {"$set": {"terms": terms}}).await?;
                        replaced = replaced.saturating_add(updated.modified_count);
                    }
                }
                Ok::<_, StoreError>((found.last().map(|one| Bson::from(one.id)), replaced))
            })
            .await?;
        changed = changed.saturating_add(replaced);
        after = last;
        if after.is_none() {
            return Ok(changed);
        }
    }
}
