//! Backups in an S3 bucket, below `backups/<name>/`: each file in parts of 8 MB, sealed with the key that is named or else as
//! the bucket is set up, each part with a SHA-256 that S3 checks. Also what a restore reads of it. Must never delete an object, nor tell what one holds.

use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, ServerSideEncryption,
};
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::error::PlaceError;
use crate::folder::Part;
use crate::manifest;

/// What every backup's key begins with; the function may write nowhere else.
pub const PREFIX: &str = "backups";

const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// What one attempt at one part may take.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 4;
/// What taking an upload back may take, all attempts together.
const ABANDON_TIME_MAX: Duration = Duration::from_secs(10);

pub struct Bucket {
    client: Client,
    name: String,
    kms_key_id: Option<String>,
}

/// A file that is being uploaded.
pub(crate) struct Upload {
    key: String,
    /// Absent while all of it fits into one part.
    id: Option<String>,
    /// The upload's own beginning, until its id is known. In a task of its own: who gives up waiting must still take it back.
    creating: Option<JoinHandle<Result<String, PlaceError>>>,
    parts: Vec<CompletedPart>,
    /// The part that is on its way while the next one is made.
    sending: Option<JoinHandle<Result<CompletedPart, PlaceError>>>,
}

impl Bucket {
    /// Opens no socket before the first use.
    pub async fn open(name: &str, kms_key_id: Option<&str>) -> Self {
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIME_MAX)
                    .operation_attempt_timeout(ATTEMPT_TIME_MAX)
                    .build(),
            )
            .load()
            .await;
        // Another endpoint has no names of buckets below its own.
        let by_path = sdk.endpoint_url().is_some();
        // A file in parts has a hash of its parts' hashes only, which the SDK could not compare: the manifest has its own.
        let config = aws_sdk_s3::config::Builder::from(&sdk)
            .force_path_style(by_path)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(config),
            name: name.to_owned(),
            kms_key_id: kms_key_id.map(str::to_owned),
        }
    }

    pub(crate) fn begin(&self, name: &str, path: &str) -> Upload {
        Upload { key: key(name, path), id: None, creating: None, parts: Vec::new(), sending: None }
    }

    /// Sends a part on its way, after the one before has arrived.
    pub(crate) async fn part(&self, upload: &mut Upload, bytes: Vec<u8>) -> Result<(), PlaceError> {
        let id = match &upload.id {
            Some(id) => id.clone(),
            None => self.create(upload).await?,
        };
        upload.arrived().await?;
        let number = i32::try_from(upload.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        let sending = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(&upload.key)
            .upload_id(id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(body(bytes));
        upload.sending = Some(tokio::spawn(async move {
            let sent = sending.send().await.map_err(|error| refused("take a part", error))?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_sha256(sent.checksum_sha256)
                .build())
        }));
        Ok(())
    }

    /// With a key of ours. Without one nothing is asked for: a word alone would take the account's key for S3 in place of
    /// the bucket's own.
    fn sealed(&self) -> Option<ServerSideEncryption> {
        self.kms_key_id.is_some().then_some(ServerSideEncryption::AwsKms)
    }

    async fn create(&self, upload: &mut Upload) -> Result<String, PlaceError> {
        let creating = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(&upload.key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(self.sealed())
            .set_ssekms_key_id(self.kms_key_id.clone());
        upload.creating = Some(tokio::spawn(async move {
            let created = creating.send().await.map_err(|error| refused("begin an upload", error))?;
            Ok(created.upload_id.unwrap_or_default())
        }));
        upload.created().await
    }

    pub(crate) async fn finish(&self, upload: &mut Upload, bytes: Vec<u8>) -> Result<(), PlaceError> {
        if upload.id.is_none() {
            return self.put(&upload.key, bytes).await;
        }
        if !bytes.is_empty() {
            self.part(upload, bytes).await?;
        }
        upload.arrived().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone())).build();
        self.client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(&upload.key)
            .set_upload_id(upload.id.clone())
            .multipart_upload(parts)
            .send()
            .await
            .map_err(|error| refused("complete an upload", error))?;
        Ok(())
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), PlaceError> {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(self.sealed())
            .set_ssekms_key_id(self.kms_key_id.clone())
            .body(body(bytes))
            .send()
            .await
            .map_err(|error| refused("take a file", error))?;
        Ok(())
    }

    pub(crate) async fn abandon(&self, mut upload: Upload) {
        let abandoned = async {
            drop(upload.created().await);
            if let Some(sending) = upload.sending {
                sending.abort();
            }
            let Some(id) = upload.id else { return };
            let abort =
                self.client.abort_multipart_upload().bucket(&self.name).key(&upload.key).upload_id(id);
            drop(abort.send().await);
        };
        drop(tokio::time::timeout(ABANDON_TIME_MAX, abandoned).await);
    }

    /// The names of all backups, whole or not, the newest first.
    ///
    /// # Errors
    /// S3's own.
    pub async fn names(&self) -> Result<Vec<String>, PlaceError> {
        let prefix = format!("{PREFIX}/");
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(&prefix).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused("list the backups", error))?;
            let found = page.common_prefixes().iter().filter_map(|found| found.prefix());
            let names_of_ours = found.map(|found| found[prefix.len()..].trim_end_matches('/'));
            names.extend(names_of_ours.filter(|name| manifest::is_plain(name)).map(str::to_owned));
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// The text of a backup's manifest.
    ///
    /// # Errors
    /// There is none: it is no backup. S3's own.
    pub async fn manifest(&self, name: &str) -> Result<Vec<u8>, PlaceError> {
        let mut text = Vec::new();
        self.read(name, manifest::FILE, manifest::BYTES_MAX, |bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })
        .await?;
        Ok(text)
    }

    /// Copies a file of `bytes` to `to`.
    ///
    /// # Errors
    /// It is not there, or larger. S3's own.
    pub async fn fetch(&self, name: &str, path: &str, bytes: u64, to: &Path) -> Result<(), PlaceError> {
        let mut part = Part::create(to.to_owned())?;
        self.read(name, path, bytes, |chunk| part.write(chunk)).await?;
        part.finish(&[])
    }

    async fn read(
        &self,
        name: &str,
        path: &str,
        bytes_max: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), PlaceError>,
    ) -> Result<(), PlaceError> {
        let mut get = self.client.get_object().bucket(&self.name).key(key(name, path));
        if path == manifest::FILE {
            get = get.checksum_mode(ChecksumMode::Enabled);
        }
        let got = get.send().await.map_err(|error| match error {
            SdkError::ServiceError(of) if of.err().is_no_such_key() => {
                PlaceError::Missing(format!("{path} in {name}"))
            }
            error => refused("give a file", error),
        })?;
        let mut body = got.body;
        let mut read = 0u64;
        while let Some(chunk) = body.next().await {
            let broken =
                |_| PlaceError::Bucket { action: "give a whole file", code: "broken off".to_owned() };
            let chunk = chunk.map_err(broken)?;
            read = read.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if read > bytes_max {
                return Err(PlaceError::TooLarge(format!("{path} in {name}")));
            }
            take(&chunk)?;
        }
        Ok(())
    }
}

impl Upload {
    /// Waits until the upload has begun, if it is beginning.
    async fn created(&mut self) -> Result<String, PlaceError> {
        let Some(creating) = &mut self.creating else { return Err(PlaceError::Ended) };
        let created = creating.await;
        // Whatever it was: a task that has ended may not be asked again.
        self.creating = None;
        let id = created.map_err(|_| PlaceError::Ended)??;
        self.id = Some(id.clone());
        Ok(id)
    }

    /// Waits until the part on its way has arrived.
    async fn arrived(&mut self) -> Result<(), PlaceError> {
        if let Some(sending) = &mut self.sending {
            let part = sending.await.map_err(|_| PlaceError::Ended)??;
            self.parts.push(part);
            self.sending = None;
        }
        Ok(())
    }
}

fn key(name: &str, path: &str) -> String {
    format!("{PREFIX}/{name}/{path}")
}

/// In memory whole, so that its hash stands in a header before it.
fn body(bytes: Vec<u8>) -> ByteStream {
    ByteStream::from(Bytes::from(bytes))
}

/// S3's own code, never its message: that may quote what it was asked.
fn refused<E, R>(action: &'static str, error: SdkError<E, R>) -> PlaceError
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    let kind = match &error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        _ => "an answer that cannot be read",
    };
    let code = error.code().unwrap_or(kind).to_owned();
    PlaceError::Bucket { action, code }
}
