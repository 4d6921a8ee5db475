//! Reads of one moment: whatever reads more than once reads here, so that an answer never mixes two states of a ledger.
//!
//! Must never write.

use finance::id::UserId;
use mongodb::options::{DatabaseOptions, ReadConcern};

use super::tx::{Tx, TxError, Work, WriteError};
use super::{Store, StoreError};

impl Store {
    /// Runs `work` on one snapshot of the database, in a session (`readConcern: snapshot`) that no transaction limits.
    pub(crate) async fn read<T: Send + 'static>(&self, user: UserId, work: Work<T>) -> Result<T, StoreError> {
        let store = self.clone();
        let read = self.run(async move {
            let client = store.client().await?;
            let session = client.start_session().snapshot(true).await.map_err(StoreError::from)?;
            // The session alone would leave the client's read concern as it is.
            let options = DatabaseOptions::builder().read_concern(ReadConcern::snapshot()).build();
            let db = client.database_with_options(store.database_of(&client).name(), options);
            let mut tx = Tx { session, db, user, now_ms: store.now_ms(), until: store.until };
            work(&mut tx).await.map_err(|error| match error {
                TxError::Driver(error) => StoreError::from(error).into(),
                TxError::Refused(refused) => refused,
            })
        });
        match read.await {
            Ok(value) => Ok(value),
            Err(WriteError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Corrupt(other.to_string())),
        }
    }
}
