//! What a backup consists of: `manifest.json`, written last and read first. Its form is a contract with backups of years
//! ago: a field that is added or changed is another format. Must never hold anything of a document.

use serde::{Deserialize, Serialize};
use shared::store::dump::DATA_ENDING;

/// The file's name, in the backup's folder.
pub const FILE: &str = "manifest.json";
/// The one form that is written.
pub const FORMAT: u32 = 1;
/// What the name of a collection's second file ends in; the first one's is the store's to say.
pub(crate) const METADATA: &str = "metadata.json.gz";
/// The most bytes of a manifest: a database has few collections.
pub const BYTES_MAX: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// When the backup began, RFC 3339.
    pub created_at: String,
    /// The version of what wrote it.
    pub version: String,
    pub database: String,
    pub moment: Moment,
    pub collections: Vec<Collection>,
}

/// The moment of the cluster that every file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Since the epoch.
    pub seconds: u32,
    /// Which operation of that second.
    pub increment: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    pub name: String,
    pub documents: u64,
    /// The documents as BSON, one after the other, gzip'd.
    pub data: File,
    /// Options and indexes as `mongodump` writes them, gzip'd.
    pub metadata: File,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Relative to the manifest, with `/`.
    pub path: String,
    pub bytes: u64,
    /// Of the file as it is stored, in hexadecimal.
    pub sha256: String,
}

/// Why a text is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{FILE} is no manifest: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("{FILE} is of format {0}, and this version reads {FORMAT}")]
    OtherFormat(u32),
    #[error("{FILE} names a file outside its folder")]
    OutsideItsFolder,
    #[error("{FILE} names a file that is not of its collection")]
    OfAnother,
    #[error("{FILE} names a collection or a file twice")]
    Twice,
}

impl Manifest {
    /// # Errors
    /// It is none, of another format, or names what cannot be.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(text)?;
        if format != FORMAT {
            return Err(ManifestError::OtherFormat(format));
        }
        let manifest: Self = serde_json::from_slice(text)?;
        if !manifest.files().all(|file| is_inside(&file.path)) {
            return Err(ManifestError::OutsideItsFolder);
        }
        let is_own = |of: &Collection| {
            (&of.data.path, &of.metadata.path)
                == (
                    &path(&manifest.database, &of.name, DATA_ENDING),
                    &path(&manifest.database, &of.name, METADATA),
                )
        };
        if !manifest.collections.iter().all(is_own) {
            return Err(ManifestError::OfAnother);
        }
        let mut names: Vec<&str> = manifest.collections.iter().map(|of| of.name.as_str()).collect();
        let mut paths: Vec<&str> = manifest.files().map(|file| file.path.as_str()).collect();
        for list in [&mut names, &mut paths] {
            let before = list.len();
            list.sort_unstable();
            list.dedup();
            if list.len() < before {
                return Err(ManifestError::Twice);
            }
        }
        Ok(manifest)
    }

    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.collections.iter().flat_map(|collection| [&collection.data, &collection.metadata])
    }
}

/// Where a collection's documents and its metadata are, relative to the manifest.
pub(crate) fn path(database: &str, collection: &str, ending: &str) -> String {
    format!("{database}/{collection}.{ending}")
}

/// `folder/file` of plain names: nothing that leads out of the folder, whatever the system makes of it.
fn is_inside(path: &str) -> bool {
    path.split('/').all(is_plain)
}

/// A name that leads nowhere else.
pub fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(plain) && !name.bytes().all(|byte| byte == b'.')
}

/// Bytes as hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |path: &str| File { path: path.to_owned(), bytes: 1, sha256: "00".to_owned() };
        Manifest {
            format: FORMAT,
            created_at: "2026-11-25T03:00:00Z".to_owned(),
            version: "0.0.0".to_owned(),
            database: "fintrack".to_owned(),
            moment: Moment { seconds: 1, increment: 2 },
            collections: vec![Collection {
                name: "users".to_owned(),
                documents: 3,
                data: file(&path("fintrack", "users", DATA_ENDING)),
                metadata: file("fintrack/users.metadata.json.gz"),
            }],
        }
    }

    fn refused(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut value = serde_json::to_value(manifest()).unwrap();
        change(&mut value);
        Manifest::parse(value.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_vec(&manifest()).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest());
    }

    #[test]
    fn another_format_is_told_as_one_whatever_else_it_holds() {
        let said = refused(|value| *value = serde_json::json!({"format": 2, "files": []}));
        assert!(said.contains("format 2"), "{said}");
    }

    #[test]
    fn what_names_a_file_elsewhere_is_refused() {
        for path in ["../users", "/etc/passwd", "a//b", "a/./b", "a/..", "", "a\\b", "C:a", "a/b c"] {
            let said = refused(|value| value["collections"][0]["data"]["path"] = path.into());
            assert!(said.contains("outside"), "{path}: {said}");
        }
    }

    #[test]
    fn what_names_another_collections_file_is_refused() {
        for pointer in ["/collections/0/name", "/database"] {
            let said = refused(|value| *value.pointer_mut(pointer).unwrap() = "other".into());
            assert!(said.contains("not of its collection"), "{pointer}: {said}");
        }
    }

    #[test]
    fn what_names_a_thing_twice_or_an_unknown_one_is_refused() {
        let twice = |value: &mut serde_json::Value| {
            let first = value["collections"][0].clone();
            value["collections"].as_array_mut().unwrap().push(first);
        };
        assert!(refused(twice).contains("twice"));
        assert!(refused(|value| value["keys"] = 1.into()).contains("unknown field"));
    }
}
