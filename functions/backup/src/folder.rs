//! Backups in a folder, `<folder>/<name>/`, as they are in a bucket. Only their owner may read them. Must never show a file
//! under its name before it is whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::PlaceError;

pub struct Folder(PathBuf);

/// A file that is being written. Dropped before it is finished, it is taken back.
pub struct Part {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    finished: bool,
}

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn begin(&self, name: &str, path: &str) -> Result<Part, PlaceError> {
        let path = self.0.join(name).join(path);
        Part::create(path)
    }

    /// Removes what there is of a backup that was given up.
    pub(crate) fn remove(&self, name: &str) {
        drop(std::fs::remove_dir_all(self.0.join(name)));
    }
}

impl Part {
    /// Begins a file, and makes the folders above it.
    ///
    /// # Errors
    /// The file system's own.
    pub fn create(path: PathBuf) -> Result<Self, PlaceError> {
        let mut temporary = path.clone().into_os_string();
        temporary.push(".part");
        let temporary = PathBuf::from(temporary);
        let open = || {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)
        };
        let file = open().map_err(|error| of_file(&path, error))?;
        Ok(Self { path, temporary, file, finished: false })
    }

    /// # Errors
    /// The file system's own.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PlaceError> {
        self.file.write_all(bytes).map_err(|error| of_file(&self.path, error))
    }

    /// # Errors
    /// The file system's own.
    pub fn finish(&mut self, bytes: &[u8]) -> Result<(), PlaceError> {
        self.write(bytes)?;
        let named = self.file.sync_all().and_then(|()| std::fs::rename(&self.temporary, &self.path));
        named.map_err(|error| of_file(&self.path, error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            drop(std::fs::remove_file(&self.temporary));
        }
    }
}

fn of_file(path: &Path, source: std::io::Error) -> PlaceError {
    PlaceError::Folder { path: path.display().to_string(), source }
}
