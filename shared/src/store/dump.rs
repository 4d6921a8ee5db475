//! The whole database, out of it as of one moment and into an empty one, as bytes: what a backup is made of. The one reading
//! that is of all users at once. Must never interpret a document, nor put one into a database that holds others.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{Acknowledgment, DatabaseOptions, ReadConcern, WriteConcern};
use mongodb::{ClientSession, Collection, Database, SessionCursor};

use super::{Store, StoreError};

/// What the name of a file of documents ends in, for `mongorestore --gzip`.
pub const DATA_ENDING: &str = "bson.gz";
/// Holds one document while the database is being restored, and does not exist otherwise.
const RESTORING: &str = "restoring";
const RESTORING_ID: &str = "restoring";
/// Documents that MongoDB is asked for at once; it hands out at most 16 MB of them.
const BATCH: u32 = 1_000;

/// Server errors of a moment that is no longer kept: SnapshotTooOld, SnapshotUnavailable.
const MOMENT_GONE: &[i32] = &[239, 246];
/// The server error of a key that is there already: DuplicateKey.
const DUPLICATE: i32 = 11_000;

/// Why the whole database was not read, or not written.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("mongodb no longer keeps the moment of the export; it keeps minSnapshotHistoryWindowInSeconds")]
    MomentGone,
    #[error("the database has no collection: is MONGODB_DATABASE right?")]
    NoCollection,
    #[error("the database is being restored")]
    BeingRestored,
    #[error("the database holds documents already, in {0}")]
    NotEmpty(String),
}

impl super::mongo::StoreOutcome for WholeError {
    fn is_auth_failure(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_auth_failure())
    }
}

impl From<mongodb::error::Error> for WholeError {
    fn from(error: mongodb::error::Error) -> Self {
        match error.kind.as_ref() {
            mongodb::error::ErrorKind::Command(command) if MOMENT_GONE.contains(&command.code) => {
                Self::MomentGone
            }
            _ => Self::Store(error.into()),
        }
    }
}

/// A moment of the cluster: seconds since the epoch, and which operation of that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub seconds: u32,
    pub increment: u32,
}

/// A collection and what MongoDB's own tools must know to make it anew.
#[derive(Clone, Debug)]
pub struct Described {
    pub name: String,
    /// Its options and indexes in MongoDB's extended JSON, as `mongodump` writes them.
    pub metadata: Vec<u8>,
}

/// The database as of one moment, whatever is written meanwhile.
pub struct Export {
    session: ClientSession,
    db: Database,
    moment: Moment,
}

/// The documents of one collection, one after the other.
pub struct Documents<'a> {
    cursor: SessionCursor<RawDocumentBuf>,
    session: &'a mut ClientSession,
}

impl Store {
    /// Fixes the moment. MongoDB keeps it for `minSnapshotHistoryWindowInSeconds` (300 unless it is told otherwise); the
    /// time of this view of the store bounds nothing of the export itself.
    ///
    /// # Errors
    /// The database is being restored or has no collection, or MongoDB does not answer.
    pub async fn export(&self) -> Result<Export, WholeError> {
        self.expect_whole().await?;
        let client = self.client().await?;
        let session = client.start_session().snapshot(true).await?;
        // The session alone would leave the client's read concern as it is.
        let options = DatabaseOptions::builder().read_concern(ReadConcern::snapshot()).build();
        let db = client.database_with_options(self.db().await?.name(), options);
        let mut export = Export { session, db, moment: Moment { seconds: 0, increment: 0 } };
        // The first reading of a collection that exists fixes the moment of all others.
        for name in own_collections(&export.db).await? {
            let any = export.db.collection::<Document>(&name);
            any.find_one(doc! {}).projection(doc! {"_id": 1}).session(&mut export.session).await?;
            if export.session.snapshot_time().is_some() {
                break;
            }
        }
        let fixed = export.session.snapshot_time().ok_or(WholeError::NoCollection)?;
        // Half a database is no backup.
        let markers = export.db.collection::<Document>(RESTORING);
        if markers.find_one(doc! {}).session(&mut export.session).await?.is_some() {
            return Err(WholeError::BeingRestored);
        }
        export.moment = Moment { seconds: fixed.time, increment: fixed.increment };
        Ok(export)
    }

    /// Whether there is a database to speak of.
    ///
    /// # Errors
    /// It is being restored, or has no collection: another was meant. MongoDB does not answer.
    pub async fn expect_whole(&self) -> Result<(), WholeError> {
        let store = self.clone();
        self.run(async move {
            let db = store.db().await?;
            if db.collection::<Document>(RESTORING).find_one(doc! {}).await?.is_some() {
                return Err(WholeError::BeingRestored);
            }
            if own_collections(&db).await?.is_empty() { Err(WholeError::NoCollection) } else { Ok(()) }
        })
        .await
    }
}

impl Export {
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.db.name()
    }

    /// Every collection, in the order of their names. Asked for after the moment was fixed: one that is made later is of no
    /// document, or MongoDB refuses to read it; one that is missed would be missed in silence.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub async fn collections(&self) -> Result<Vec<Described>, WholeError> {
        let mut found = Vec::new();
        let mut listed = self.db.run_cursor_command(doc! {"listCollections": 1}).await?;
        while listed.advance().await? {
            let one = listed.deserialize_current()?;
            let name = one.get_str("name").unwrap_or_default();
            if one.get_str("type").is_ok_and(|kind| kind == "collection")
                && !name.starts_with("system.")
                && name != RESTORING
            {
                found.push(self.described(name, &one).await?);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    async fn described(&self, name: &str, listed: &Document) -> Result<Described, WholeError> {
        let mut indexes = Vec::new();
        let mut found = self.db.run_cursor_command(doc! {"listIndexes": name}).await?;
        while found.advance().await? {
            indexes.push(Bson::Document(found.deserialize_current()?));
        }
        let uuid = match listed.get_document("info").ok().and_then(|info| info.get("uuid")) {
            Some(Bson::Binary(binary)) if binary.subtype == BinarySubtype::Uuid => {
                binary.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            _ => String::new(),
        };
        let options = listed.get_document("options").cloned().unwrap_or_default();
        let metadata = doc! {"options": options, "indexes": indexes, "uuid": uuid, "collectionName": name,
        "type": "collection"};
        let metadata = serde_json::to_vec(&metadata)
            .map_err(|error| StoreError::Corrupt(format!("its options cannot be written: {error}")))?;
        Ok(Described { name: name.to_owned(), metadata })
    }

    /// The documents of a collection, in no order.
    ///
    /// # Errors
    /// MongoDB does not answer, or no longer keeps the moment.
    pub async fn documents(&mut self, collection: &str) -> Result<Documents<'_>, WholeError> {
        let collection: Collection<RawDocumentBuf> = self.db.collection(collection);
        let found = collection.find(doc! {}).batch_size(BATCH);
        let cursor = found.session(&mut self.session).await?;
        Ok(Documents { cursor, session: &mut self.session })
    }
}

impl Documents<'_> {
    /// The next document's bytes, as BSON.
    ///
    /// # Errors
    /// MongoDB does not answer, or no longer keeps the moment.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, WholeError> {
        let more = self.cursor.advance(self.session).await?;
        Ok(more.then(|| self.cursor.current().as_bytes()))
    }
}

/// What a restore meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// No collection holds a document.
    Empty,
    /// A restore of this backup began and did not come to its end.
    Unfinished(String),
    /// This collection holds documents.
    Filled(String),
}

impl Store {
    /// What the database is to a restore.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub async fn target(&self) -> Result<Target, WholeError> {
        let store = self.clone();
        self.run(async move {
            let db = store.db().await?;
            let marker = db.collection::<Document>(RESTORING).find_one(doc! {"_id": RESTORING_ID}).await?;
            if let Some(marker) = marker {
                return Ok(Target::Unfinished(marker.get_str("backup").unwrap_or_default().to_owned()));
            }
            Ok(filled_beside(&db, &[]).await?.map_or(Target::Empty, Target::Filled))
        })
        .await
    }

    /// Marks an empty database as one that is being restored, with these collections: until the end it is no database to
    /// back up, nor to restore another backup into. The mark keeps nobody from writing.
    ///
    /// # Errors
    /// It is not empty, or another restore has begun. MongoDB does not answer: then it may be marked, with no collection that
    /// could be removed unless it was empty.
    pub async fn begin_restore(&self, backup: &str, collections: &[String]) -> Result<(), WholeError> {
        match self.target().await? {
            Target::Empty => {}
            Target::Unfinished(_) => return Err(WholeError::BeingRestored),
            Target::Filled(name) => return Err(WholeError::NotEmpty(name)),
        }
        let store = self.clone();
        let marker = doc! {"_id": RESTORING_ID, "backup": backup, "collections": []};
        let named = doc! {"$set": {"collections": collections}};
        self.run(async move {
            let db = store.whole_db().await?;
            let markers = db.collection::<Document>(RESTORING);
            match markers.insert_one(marker).await {
                Err(error) if is_duplicate(&error) => return Err(WholeError::BeingRestored),
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            // Who wrote between the two is not to be taken for the backup's.
            if let Some(name) = filled_beside(&db, &[]).await? {
                markers.drop().await?;
                return Err(WholeError::NotEmpty(name));
            }
            markers.update_one(doc! {"_id": RESTORING_ID}, named).await?;
            Ok(())
        })
        .await
    }

    /// Removes the collections that an unfinished restore was to bring, whoever wrote into them, and the mark last. Of a
    /// database without the mark it removes nothing.
    ///
    /// # Errors
    /// Another collection holds documents: then nothing is removed. MongoDB does not answer; then the mark is still there.
    pub async fn undo_restore(&self) -> Result<(), WholeError> {
        let store = self.clone();
        self.run(async move {
            let db = store.whole_db().await?;
            let markers = db.collection::<Document>(RESTORING);
            let Some(marker) = markers.find_one(doc! {"_id": RESTORING_ID}).await? else { return Ok(()) };
            // A mark that names none allows nothing to be removed but itself.
            let brought: Vec<String> = marker.get_array("collections").map_or_else(
                |_| Vec::new(),
                |names| names.iter().filter_map(Bson::as_str).map(str::to_owned).collect(),
            );
            if let Some(name) = filled_beside(&db, &brought).await? {
                return Err(WholeError::NotEmpty(name));
            }
            for name in &brought {
                db.collection::<Document>(name).drop().await?;
            }
            Ok(markers.drop().await?)
        })
        .await
    }

    /// A collection that holds documents and is none of these.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub async fn filled_beside(&self, names: Vec<String>) -> Result<Option<String>, WholeError> {
        let store = self.clone();
        self.run(async move { filled_beside(&store.db().await?, &names).await }).await
    }

    /// The database without the limit of a request's writes on how long the other members may take: after a batch of a
    /// restore they may be seconds behind. The time of this view of the store is the limit.
    async fn whole_db(&self) -> Result<Database, StoreError> {
        let all = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
        let options = DatabaseOptions::builder().write_concern(all).build();
        let db = self.db().await?;
        Ok(db.client().database_with_options(db.name(), options))
    }

    /// Makes the collections of a database that [`Store::begin_restore`] found empty, or takes the indexes off those that a
    /// migration made there: one of them would remove what has expired while it comes back.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub async fn bare_collections(&self, names: Vec<String>) -> Result<(), WholeError> {
        let store = self.clone();
        self.run(async move {
            let db = store.whole_db().await?;
            let there = own_collections(&db).await?;
            for name in names {
                if there.contains(&name) {
                    db.collection::<Document>(&name).drop_indexes().await?;
                } else {
                    db.create_collection(&name).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Puts documents into a collection, each as its bytes are.
    ///
    /// # Errors
    /// Bytes that are no document, or MongoDB does not answer.
    pub async fn insert_documents(
        &self,
        collection: &str,
        documents: Vec<Vec<u8>>,
    ) -> Result<(), WholeError> {
        let (store, name) = (self.clone(), collection.to_owned());
        self.run(async move {
            let documents: Result<Vec<_>, _> =
                documents.into_iter().map(RawDocumentBuf::from_bytes).collect();
            let documents = documents.map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let db = store.whole_db().await?;
            db.collection::<RawDocumentBuf>(&name).insert_many(documents).await?;
            Ok(())
        })
        .await
    }

    /// How many documents a collection holds.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub async fn count_documents(&self, collection: &str) -> Result<u64, WholeError> {
        let (store, name) = (self.clone(), collection.to_owned());
        self.run(async move {
            Ok(store.db().await?.collection::<Document>(&name).count_documents(doc! {}).await?)
        })
        .await
    }

    /// Takes the mark away: the database is whole.
    ///
    /// # Errors
    /// MongoDB does not answer; then the mark is still there.
    pub async fn end_restore(&self) -> Result<(), WholeError> {
        let store = self.clone();
        self.run(async move { Ok(store.whole_db().await?.collection::<Document>(RESTORING).drop().await?) })
            .await
    }
}

async fn own_collections(db: &Database) -> Result<Vec<String>, WholeError> {
    let mut names = db.list_collection_names().await?;
    names.retain(|name| !name.starts_with("system.") && name != RESTORING);
    names.sort_unstable();
    Ok(names)
}

/// The first collection that holds a document and is none of `names`.
async fn filled_beside(db: &Database, names: &[String]) -> Result<Option<String>, WholeError> {
    for name in own_collections(db).await? {
        if !names.contains(&name) && db.collection::<Document>(&name).find_one(doc! {}).await?.is_some() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn is_duplicate(error: &mongodb::error::Error) -> bool {
    use mongodb::error::{ErrorKind, WriteFailure};
    matches!(error.kind.as_ref(), ErrorKind::Write(WriteFailure::WriteError(write)) if write.code == DUPLICATE)
}
