//! Where a backup is written, a bucket or a folder, one file at a time and each in parts. Must never leave a file that is
//! only begun, nor a folder that is half a backup: [`Writer::abandon`] takes it back.

use crate::bucket::{Bucket, Upload};
use crate::error::PlaceError;
use crate::folder::{Folder, Part};

/// What a part has at least, the last one apart: S3 wants 5 MB. Some 80 GB are the most of one file (10,000 parts).
pub const PART_BYTES: usize = 8 * 1024 * 1024;

pub enum Place {
    Bucket(Bucket),
    Folder(Folder),
}

enum File {
    Upload(Upload),
    Part(Part),
}

/// Writes the files of one backup.
pub struct Writer<'a> {
    place: &'a Place,
    name: String,
    file: Option<File>,
}

impl<'a> Writer<'a> {
    pub fn new(place: &'a Place, name: &str) -> Self {
        Self { place, name: name.to_owned(), file: None }
    }

    /// Begins a file of the backup.
    ///
    /// # Errors
    /// The place's own.
    pub fn begin(&mut self, path: &str) -> Result<(), PlaceError> {
        self.file = Some(match self.place {
            Place::Bucket(bucket) => File::Upload(bucket.begin(&self.name, path)),
            Place::Folder(folder) => File::Part(folder.begin(&self.name, path)?),
        });
        Ok(())
    }

    /// The next [`PART_BYTES`] or more of the file.
    ///
    /// # Errors
    /// The place's own.
    pub async fn part(&mut self, bytes: Vec<u8>) -> Result<(), PlaceError> {
        match (self.place, &mut self.file) {
            (Place::Bucket(bucket), Some(File::Upload(upload))) => bucket.part(upload, bytes).await,
            (_, Some(File::Part(part))) => part.write(&bytes),
            _ => Err(PlaceError::Ended),
        }
    }

    /// The last bytes; the file is there.
    ///
    /// # Errors
    /// The place's own.
    pub async fn finish(&mut self, bytes: Vec<u8>) -> Result<(), PlaceError> {
        match (self.place, &mut self.file) {
            (Place::Bucket(bucket), Some(File::Upload(upload))) => bucket.finish(upload, bytes).await?,
            (_, Some(File::Part(part))) => part.finish(&bytes)?,
            _ => return Err(PlaceError::Ended),
        }
        self.file = None;
        Ok(())
    }

    /// Takes back the file that is begun, if there is one, and of a folder all of the backup. What is in a bucket may not be
    /// deleted, and is the bucket's lifecycle's to remove.
    pub async fn abandon(self) {
        match (self.place, self.file) {
            (Place::Bucket(bucket), Some(File::Upload(upload))) => bucket.abandon(upload).await,
            (Place::Folder(folder), file) => {
                drop(file);
                folder.remove(&self.name);
            }
            _ => {}
        }
    }
}
