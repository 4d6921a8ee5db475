//! Writes a backup: each collection as its BSON and its metadata, both gzip'd, as `mongorestore --gzip` reads them; then
//! the manifest. Must never hold a collection in memory, nor write a manifest of what is not all there.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use shared::boot::Boot;
use shared::clock;
use shared::crypto::Sha256;
use shared::store::dump::{DATA_ENDING, Described, Export, WholeError};

use crate::error::PlaceError;
use crate::manifest::{self, Collection, FORMAT, File, Manifest, ManifestError, Moment, hex};
use crate::place::{PART_BYTES, Place, Writer};

/// How hard gzip tries: the moment is kept for five minutes only, so that time counts for more than bytes.
const COMPRESSION: u32 = 3;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("MONGODB_URI or BACKUP_BUCKET is missing")]
    NotConfigured,
    #[error("the database could not be read")]
    Database(#[source] WholeError),
    #[error("the backup could not be written")]
    Place(#[from] PlaceError),
    #[error("the time is over")]
    OutOfTime,
    #[error("stopped before it was whole")]
    Stopped,
    #[error("the manifest could not be written")]
    Json(#[from] serde_json::Error),
    #[error("the manifest is one that could not be read again")]
    Manifest(#[from] ManifestError),
    #[error("gzip failed")]
    Gzip(#[from] std::io::Error),
}

impl From<WholeError> for BackupError {
    fn from(error: WholeError) -> Self {
        Self::Database(error)
    }
}

impl BackupError {
    /// The error and its sources, for the log.
    pub fn chain(&self) -> String {
        let mut chain = vec![self.to_string()];
        let mut next = self.source();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain.dedup();
        chain.join(": ")
    }
}

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub name: String,
    pub documents: u64,
    /// As they are stored, the manifest apart.
    pub bytes: u64,
}

/// Writes the whole database to a place, until `until` or until it is `stopped`; then it takes back the file that it is at,
/// and in a folder all of itself. Its name is the time.
///
/// # Errors
/// MongoDB's or the place's own, or there was not enough time. What was written by then has no manifest; but where it was the
/// manifest itself whose answer was lost, the bucket may have a whole backup.
pub async fn back_up(
    boot: &Boot,
    place: &Place,
    until: Instant,
    stopped: impl Future<Output = ()>,
) -> Result<Written, BackupError> {
    let began_ms = boot.clock.now_ms();
    let name = clock::file_name(began_ms);
    let mongo = boot.mongo().map_err(|_| BackupError::NotConfigured)?;
    let store = mongo.for_duration(until.saturating_duration_since(Instant::now()));
    let mut writer = Writer::new(place, &name);
    let write = async {
        let mut export = store.export().await?;
        write_all(&mut export, &mut writer, began_ms).await
    };
    let written = tokio::select! {
        biased;
        () = stopped => Err(BackupError::Stopped),
        written = tokio::time::timeout_at(until.into(), write) => written.unwrap_or(Err(BackupError::OutOfTime)),
    };
    match written {
        Ok(manifest) => {
            let documents = manifest.collections.iter().map(|of| of.documents).sum();
            let bytes = manifest.files().map(|file| file.bytes).sum();
            Ok(Written { name, documents, bytes })
        }
        Err(error) => {
            writer.abandon().await;
            Err(error)
        }
    }
}

async fn write_all(
    export: &mut Export,
    writer: &mut Writer<'_>,
    began_ms: i64,
) -> Result<Manifest, BackupError> {
    let mut collections = Vec::new();
    for described in export.collections().await? {
        collections.push(write_collection(export, writer, described).await?);
    }
    let moment = export.moment();
    let manifest = Manifest {
        format: FORMAT,
        created_at: clock::rfc3339(began_ms),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: export.database().to_owned(),
        moment: Moment { seconds: moment.seconds, increment: moment.increment },
        collections,
    };
    let text = serde_json::to_vec_pretty(&manifest)?;
    // What a restore would refuse is no backup.
    Manifest::parse(&text)?;
    writer.begin(manifest::FILE)?;
    writer.finish(text).await?;
    Ok(manifest)
}

async fn write_collection(
    export: &mut Export,
    writer: &mut Writer<'_>,
    described: Described,
) -> Result<Collection, BackupError> {
    let database = export.database().to_owned();
    let path = |ending: &str| manifest::path(&database, &described.name, ending);
    let mut metadata = Zipped::begin(writer, path(manifest::METADATA))?;
    metadata.write(&described.metadata).await?;
    let metadata = metadata.finish().await?;
    let mut data = Zipped::begin(writer, path(DATA_ENDING))?;
    let mut documents = 0u64;
    let mut found = export.documents(&described.name).await?;
    while let Some(document) = found.next().await? {
        documents = documents.saturating_add(1);
        data.write(document).await?;
    }
    let data = data.finish().await?;
    Ok(Collection { name: described.name, documents, data, metadata })
}

/// A file that is compressed, hashed and handed on in parts as it grows.
struct Zipped<'a, 'b> {
    writer: &'a mut Writer<'b>,
    path: String,
    encoder: GzEncoder<Vec<u8>>,
    hash: Sha256,
    bytes: u64,
}

impl<'a, 'b> Zipped<'a, 'b> {
    fn begin(writer: &'a mut Writer<'b>, path: String) -> Result<Self, BackupError> {
        writer.begin(&path)?;
        let encoder = GzEncoder::new(Vec::new(), Compression::new(COMPRESSION));
        Ok(Self { writer, path, encoder, hash: Sha256::default(), bytes: 0 })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.encoder.write_all(bytes)?;
        if self.encoder.get_ref().len() >= PART_BYTES {
            let part = std::mem::take(self.encoder.get_mut());
            self.count(&part);
            self.writer.part(part).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<File, BackupError> {
        self.encoder.try_finish()?;
        let last = std::mem::take(self.encoder.get_mut());
        self.count(&last);
        self.writer.finish(last).await?;
        Ok(File { path: self.path, bytes: self.bytes, sha256: hex(&self.hash.finish()) })
    }

    fn count(&mut self, part: &[u8]) {
        self.hash.update(part);
        self.bytes = self.bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
}
