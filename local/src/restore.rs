//! A backup by hand (`make backup`), and a backup back into an empty database (`make restore`): fetched, checked to its last
//! byte, put in, counted, its indexes made, its ledgers audited. Must never write before everything is checked, into a
//! database that holds a document of others, nor leave half a restore that looks whole.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use backup::bucket::{Bucket, PREFIX};
use backup::error::PlaceError;
use backup::export::{self, BackupError, Written};
use backup::folder::{Folder, Part};
use backup::manifest::{self, Collection, Manifest, hex};
use backup::place::Place;
use flate2::read::MultiGzDecoder;
use shared::boot::Boot;
use shared::crypto::{Sha256, sha256};
use shared::store::dump::Target;
use shared::store::{Mongo, indexes};

use crate::workspace::make_folder;

/// How long one step with MongoDB may take; making an index of a large collection is one.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long a backup by hand may take. MongoDB keeps its moment for less, as a rule.
const BACKUP_PATIENCE: Duration = Duration::from_secs(3_600);
/// Documents that are put in at once: the first of the two that is reached.
const BATCH_DOCUMENTS: usize = 1_000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// The largest document that MongoDB has, with some room for its own.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024 + 16 * 1024;
/// A document has its length and its end.
const DOCUMENT_BYTES_MIN: usize = 5;

/// Where a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a bucket; without a name the newest that is whole.
    Bucket {
        bucket: String,
        name: Option<String>,
    },
    Folder(PathBuf),
}

impl Source {
    /// `latest`, `s3://<bucket>/backups/<name>` or a folder.
    ///
    /// # Errors
    /// One line that says what it may be.
    pub fn parse(from: &str, bucket: Option<&str>) -> Result<Self> {
        const MAY_BE: &str = "which backup? FROM=s3://<bucket>/backups/<name>, FROM=latest with BUCKET=<bucket>, or FROM=<folder>";
        match (from.trim(), bucket) {
            ("", _) | ("latest", None) => bail!(MAY_BE),
            ("latest", Some(bucket)) => Ok(Self::Bucket { bucket: bucket.to_owned(), name: None }),
            (from, _) => {
                let Some(rest) = from.strip_prefix("s3://") else { return Ok(Self::Folder(from.into())) };
                match rest.trim_end_matches('/').split('/').collect::<Vec<_>>()[..] {
                    [bucket, PREFIX, name] if !bucket.is_empty() && !name.is_empty() => {
                        Ok(Self::Bucket { bucket: bucket.to_owned(), name: Some(name.to_owned()) })
                    }
                    _ => bail!(MAY_BE),
                }
            }
        }
    }
}

/// Where `make backup` writes: `s3://<bucket>` or a folder.
///
/// # Errors
/// One line that says what it may be.
pub async fn place(to: &str, kms_key_id: Option<&str>) -> Result<Place> {
    match (to.trim(), to.trim().strip_prefix("s3://").map(|bucket| bucket.trim_end_matches('/'))) {
        ("", _) => bail!("where to? TO=s3://<bucket> or TO=<folder>"),
        (_, Some(bucket)) if bucket.is_empty() || bucket.contains('/') => {
            bail!("TO=s3://<bucket> names a bucket alone: a backup's name is its time")
        }
        (_, Some(bucket)) => Ok(Place::Bucket(Bucket::open(bucket, kms_key_id).await)),
        (folder, None) => Ok(Place::Folder(Folder::new(folder))),
    }
}

/// Backs the database up, as the scheduled function does, unless it is stopped.
///
/// # Errors
/// MongoDB's or the place's own.
pub async fn back_up(
    boot: &Boot,
    place: &Place,
    stopped: impl Future<Output = ()>,
) -> Result<Written, BackupError> {
    export::back_up(boot, place, Instant::now() + BACKUP_PATIENCE, stopped).await
}

/// A backup in a folder, checked to its last byte.
#[derive(Debug)]
pub struct Checked {
    folder: PathBuf,
    manifest: Manifest,
    /// What the database is marked with while it is restored.
    id: String,
}

/// Copies a backup out of its bucket into a folder of its own below `home`; files that are there already, and right, stay.
///
/// # Errors
/// There is no such backup, or it has no manifest. S3's own.
pub async fn fetch(bucket: &str, name: Option<&str>, home: &Path, tell: impl Fn(String)) -> Result<PathBuf> {
    let source = Bucket::open(bucket, None).await;
    let (name, text) = match name {
        // It is the name of a folder here, too.
        Some(name) if !manifest::is_plain(name) => bail!("{name:?} is no backup's name"),
        Some(name) => (name.to_owned(), source.manifest(name).await.map_err(without_manifest)?),
        None => newest(&source, &tell).await?,
    };
    let manifest = Manifest::parse(&text)?;
    let folder = home.join(&name);
    make_folder(home)?;
    tell(format!("Fetching {name} from {bucket}, {} files", manifest.files().count()));
    for file in manifest.files() {
        let to = folder.join(&file.path);
        if check_file(&folder, file).is_err() {
            source.fetch(&name, &file.path, file.bytes, &to).await?;
        }
    }
    Part::create(folder.join(manifest::FILE))?.finish(&text)?;
    Ok(folder)
}

/// The newest backup that has a manifest.
async fn newest(source: &Bucket, tell: impl Fn(String)) -> Result<(String, Vec<u8>)> {
    for name in source.names().await? {
        match source.manifest(&name).await {
            Ok(text) => return Ok((name, text)),
            Err(PlaceError::Missing(_)) => tell(format!("{name} has no manifest: it is no backup")),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("there is no backup in the bucket")
}

fn without_manifest(error: PlaceError) -> anyhow::Error {
    match error {
        PlaceError::Missing(what) => {
            anyhow::anyhow!("there is no {what}: a backup without its manifest is none")
        }
        error => error.into(),
    }
}

/// Checks every file of a backup: its size, its hash, and that it holds as many documents as the manifest says.
///
/// # Errors
/// One line that says what is wrong with it.
pub fn check(folder: &Path) -> Result<Checked> {
    let path = folder.join(manifest::FILE);
    let size = std::fs::metadata(&path).map(|found| found.len());
    let text = match size {
        Ok(bytes) if bytes > manifest::BYTES_MAX => bail!("{} is no manifest", path.display()),
        Ok(_) => std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?,
        Err(_) => bail!(
            "there is no {}: a backup without its manifest is none{}",
            path.display(),
            newest_below(folder)
                .map(|newest| format!(". Is it FROM={}?", newest.display()))
                .unwrap_or_default()
        ),
    };
    let manifest = Manifest::parse(&text)?;
    for file in manifest.files() {
        check_file(folder, file)?;
    }
    for collection in &manifest.collections {
        let mut documents = Documents::open(folder, collection)?;
        let mut count = 0u64;
        while documents.next()?.is_some() {
            count = count.saturating_add(1);
        }
        if count != collection.documents {
            let (path, wanted) = (&collection.data.path, collection.documents);
            bail!("{path} holds {count} documents, and the manifest says {wanted}");
        }
    }
    let hash = hex(&sha256(&[&text]));
    let id = format!("{} ({})", manifest.created_at, hash.get(..12).unwrap_or_default());
    Ok(Checked { folder: folder.to_owned(), manifest, id })
}

/// The newest backup in a folder of backups, for who named that.
fn newest_below(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter(|path| path.join(manifest::FILE).is_file()).max()
}

fn check_file(folder: &Path, file: &manifest::File) -> Result<()> {
    let path = folder.join(&file.path);
    let open = || -> std::io::Result<(u64, String)> {
        let mut source = File::open(&path)?;
        let mut hash = Sha256::default();
        let (mut buffer, mut bytes) = (vec![0u8; 64 * 1024], 0u64);
        loop {
            let count = source.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
            hash.update(read);
            bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok((bytes, hex(&hash.finish())))
    };
    let (bytes, hash) = open().with_context(|| format!("{} cannot be read", path.display()))?;
    if (bytes, hash.as_str()) != (file.bytes, file.sha256.as_str()) {
        bail!("{} is not what was written: its bytes are not those of the manifest", path.display());
    }
    Ok(())
}

/// The documents of a file, each as its bytes.
struct Documents {
    source: Box<dyn Read + Send>,
    path: String,
}

impl Documents {
    fn open(folder: &Path, collection: &Collection) -> Result<Self> {
        let path = folder.join(&collection.data.path);
        let file = File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let source = Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file))));
        Ok(Self { source, path: collection.data.path.clone() })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        next_document(&mut self.source).with_context(|| format!("{} is no file of documents", self.path))
    }
}

/// The next document of a stream of BSON; `None` at its end, which is between two documents only.
fn next_document(source: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut document = Vec::new();
    source.take(4).read_to_end(&mut document)?;
    if document.is_empty() {
        return Ok(None);
    }
    let length = document.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
    let length = length.and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|bytes| (DOCUMENT_BYTES_MIN..=DOCUMENT_BYTES_MAX).contains(bytes))
    else {
        return Err(broken("a document has no length that one can have"));
    };
    let rest = u64::try_from(length - 4).unwrap_or(u64::MAX);
    source.take(rest).read_to_end(&mut document)?;
    if document.len() != length || document.last() != Some(&0) {
        return Err(broken("it ends within a document"));
    }
    Ok(Some(document))
}

/// What a restore brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Each collection and its documents, as counted in the database.
    pub collections: Vec<(String, u64)>,
}

impl Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, documents) in &self.collections {
            writeln!(f, "  {documents:>10}  {name}")?;
        }
        let all: u64 = self.collections.iter().map(|(_, documents)| documents).sum();
        write!(f, "  {all:>10}  together, as the manifest says")
    }
}

/// Puts a backup into an empty database, counts what is there, and makes the indexes. `again` first removes the collections
/// of an unfinished restore.
///
/// # Errors
/// The database is not empty. Or somebody else writes to it, or MongoDB does not answer; then it is marked as one that is
/// being restored.
pub async fn restore(boot: &Boot, backup: &Checked, again: bool, tell: impl Fn(String)) -> Result<Restored> {
    let mongo = boot.mongo().context("MONGODB_URI is missing")?;
    let store = || mongo.for_duration(PATIENCE);
    match store().target().await.context("the database cannot be looked at")? {
        Target::Empty => {}
        Target::Unfinished(of) if again => {
            tell(format!("Removing the collections of the unfinished restore of {of}"));
            store().undo_restore().await.context("they could not be removed")?;
        }
        Target::Unfinished(of) => bail!(
            "a restore of the backup of {of} did not come to its end: FRESH=1 make restore FROM=… removes its \
             collections, with whatever is in them, and begins anew"
        ),
        Target::Filled(name) => bail!(
            "the database holds documents already (in {name}), and a backup is restored into an empty one: name another \
             by MONGODB_DATABASE or MONGODB_URI"
        ),
    }
    let names: Vec<String> = backup.manifest.collections.iter().map(|of| of.name.clone()).collect();
    store().begin_restore(&backup.id, &names).await.context("the restore could not begin")?;
    store().bare_collections(names.clone()).await.context("the collections could not be made")?;
    let mut restored = Restored::default();
    for collection in &backup.manifest.collections {
        fill(&mongo, &backup.folder, collection).await?;
        let count = store().count_documents(&collection.name).await.context("nothing could be counted")?;
        if count != collection.documents {
            let (name, wanted) = (&collection.name, collection.documents);
            bail!(
                "{name} holds {count} documents now, and the manifest says {wanted}: who else writes to it?"
            );
        }
        restored.collections.push((collection.name.clone(), count));
    }
    if let Some(name) = store().filled_beside(names).await.context("nothing could be counted")? {
        bail!("{name} holds documents, and the manifest has no such collection: who else writes to it?");
    }
    // After the documents: quicker, and what has expired is not removed before it is counted.
    indexes::migrate_within(&mongo, PATIENCE).await.context("the indexes could not be made")?;
    store().end_restore().await.context("the mark of the restore could not be taken away")?;
    Ok(restored)
}

async fn fill(mongo: &Mongo, folder: &Path, collection: &Collection) -> Result<()> {
    let mut documents = Documents::open(folder, collection)?;
    let (mut batch, mut bytes) = (Vec::new(), 0usize);
    loop {
        let next = documents.next()?;
        let ended = next.is_none();
        if let Some(document) = next {
            bytes = bytes.saturating_add(document.len());
            batch.push(document);
        }
        if !batch.is_empty() && (ended || batch.len() >= BATCH_DOCUMENTS || bytes >= BATCH_BYTES) {
            let (store, full) = (mongo.for_duration(PATIENCE), std::mem::take(&mut batch));
            let put = store.insert_documents(&collection.name, full).await;
            put.with_context(|| format!("documents of {} could not be put in", collection.name))?;
            bytes = 0;
        }
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_the_newest_one_of_a_bucket_or_a_folder() {
        let named = Source::Bucket { bucket: "b".to_owned(), name: Some("2026".to_owned()) };
        assert_eq!(Source::parse("s3://b/backups/2026/", None).unwrap(), named);
        let newest = Source::Bucket { bucket: "b".to_owned(), name: None };
        assert_eq!(Source::parse(" latest ", Some("b")).unwrap(), newest);
        assert_eq!(Source::parse("a/b", None).unwrap(), Source::Folder("a/b".into()));
        for bad in ["", "latest", "s3://b", "s3://b/other/x", "s3:///backups/x", "s3://b/backups/x/y"] {
            assert!(Source::parse(bad, None).unwrap_err().to_string().contains("FROM=latest"), "{bad}");
        }
    }

    fn all(mut bytes: &[u8]) -> std::io::Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        while let Some(document) = next_document(&mut bytes)? {
            found.push(document);
        }
        Ok(found)
    }

    #[test]
    fn a_stream_of_documents_ends_between_two_of_them_only() {
        let documents: Vec<Vec<u8>> = [5u32, 6, 300]
            .iter()
            .map(|length| {
                let mut document = length.to_le_bytes().to_vec();
                document.resize(usize::try_from(*length).unwrap(), 0);
                document
            })
            .collect();
        let whole = documents.concat();
        assert_eq!(all(&whole).unwrap(), documents);
        let ends = [0, 5, 11, whole.len()];
        for end in 0..=whole.len() {
            assert_eq!(all(&whole[..end]).is_ok(), ends.contains(&end), "{end}");
        }
        for length in [0u32, 4, 17_000_000, u32::MAX] {
            assert!(all(&length.to_le_bytes()).is_err(), "{length}");
        }
        assert!(all(&[6, 0, 0, 0, 0, 1]).is_err(), "a document ends with a zero");
    }
}
