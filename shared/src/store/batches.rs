//! Many updates of one collection in few round trips, within a transaction; each must have its effect.

use mongodb::bson::{Document, doc};

use super::StoreError;
use super::tx::{Tx, TxError};

/// Updates that one round trip carries.
const BATCH: usize = 1000;

/// Sends update statements (`{q, u, upsert}`), many in a round trip.
///
/// # Errors
/// MongoDB's, or one of the updates found nothing.
pub(super) async fn update(tx: &mut Tx, collection: &str, updates: Vec<Document>) -> Result<(), TxError> {
    for batch in updates.chunks(BATCH) {
        let command = doc! {"update": collection, "updates": batch.to_vec()};
        let answer = tx.db.run_command(command).session(&mut tx.session).await?;
        // Unlike the driver's own writes, a command answers an error of one of its updates as a success.
        if let Some(error) = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            let code = error.as_document().and_then(|error| error.get_i32("code").ok()).unwrap_or_default();
            return Err(
                StoreError::Corrupt(format!("an update of {collection} failed with code {code}")).into()
            );
        }
        if answer.get_i32("n").ok() != i32::try_from(batch.len()).ok() {
            return Err(
                StoreError::Corrupt(format!("a batch of updates of {collection} was not whole")).into()
            );
        }
    }
    Ok(())
}
