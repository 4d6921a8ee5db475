//! The record of a request that carried an `Idempotency-Key`: looked up as the first step of the transaction that makes its
//! effect, written with the answer as the last, so that the effect and its replay are there together.
//! Kept 7 days. Must never be shared between users: the user is part of the record's id.

use std::io::{Read, Write};

use finance::id::UserId;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use mongodb::IndexModel;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};

use super::mongo::{expiring_index, index};
use super::tx::{Tx, TxError, WriteError};
use super::{StoreError, millis, uuid_of};
use crate::crypto;

pub(super) const COLLECTION: &str = "idempotency";
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The largest body that is kept for a replay.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// An answer as a retried request gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether an earlier request was answered so, and this one had no effect.
    pub replayed: bool,
}

/// A request that wants one effect.
#[derive(Clone, Debug)]
pub struct Claim {
    id: [u8; 32],
    fingerprint: [u8; 32],
}

impl Claim {
    /// A user's `key` of a request to `operation` (its method, path and query) with this body.
    pub fn new(user: UserId, operation: &str, key: &str, body: &[u8]) -> Self {
        let user = user.to_string();
        Self {
            id: crypto::sha256(&[user.as_bytes(), b"\n", operation.as_bytes(), b"\n", key.as_bytes()]),
            fingerprint: crypto::sha256(&[&canonical(body)]),
        }
    }

    /// Finds its record.
    pub(super) fn filter(&self) -> Document {
        doc! {"_id": binary(&self.id)}
    }
}

/// The body with its objects' keys sorted and its white space gone, so that the same request is the same bytes.
fn canonical(body: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|value| serde_json::to_vec(&value).ok())
        .unwrap_or_else(|| body.to_vec())
}

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// Looks the key up within the transaction: what its first request was answered, if there was one.
pub(super) async fn find(tx: &mut Tx, claim: &Claim) -> Result<Option<Replay>, TxError> {
    let found = tx.collection(COLLECTION).find_one(claim.filter()).session(&mut tx.session).await?;
    found.map(|record| replay(&record, claim)).transpose()
}

/// What a claim's record says.
///
/// # Errors
/// [`WriteError::KeyReused`] for another request's.
pub(super) fn replay(record: &Document, claim: &Claim) -> Result<Replay, TxError> {
    let fingerprint = record.get_binary_generic("fingerprint").map_err(|_| corrupt())?;
    if fingerprint.as_slice() != claim.fingerprint {
        return Err(WriteError::KeyReused.into());
    }
    Ok(read_answer(record).ok_or_else(corrupt)?)
}

/// Keeps the answer of a request, as the last write of its transaction.
///
/// # Errors
/// [`WriteError::KeyInProgress`]: another transaction has written this key and has not ended.
pub(super) async fn insert(tx: &mut Tx, claim: &Claim, answer: &Replay) -> Result<(), TxError> {
    let mut body = answer.body.as_slice();
    if body.len() > ANSWER_BYTES_MAX {
        // The effect is kept once all the same; a replay then has no body to show.
        body = b"{}";
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .map_err(|error| StoreError::Corrupt(format!("an answer could not be compressed: {error}")))?;
    let headers: Vec<Document> =
        answer.headers.iter().map(|(name, value)| doc! {"name": name, "value": value}).collect();
    let mut record = claim.filter();
    record.extend(doc! {
        "userId": uuid_of(tx.user.uuid()),
        "fingerprint": binary(&claim.fingerprint),
        "expiresAt": millis(tx.now_ms.saturating_add(KEPT_MS)),
        "answer": {"status": i32::from(answer.status), "headers": headers, "body": binary(&compressed)},
    });
    match tx.collection(COLLECTION).insert_one(record).session(&mut tx.session).await {
        Ok(_) => Ok(()),
        Err(error) if is_write_conflict(&error) => Err(WriteError::KeyInProgress.into()),
        Err(error) => Err(error.into()),
    }
}

fn read_answer(record: &Document) -> Option<Replay> {
    let answer = record.get_document("answer").ok()?;
    let mut body = Vec::new();
    DeflateDecoder::new(answer.get_binary_generic("body").ok()?.as_slice()).read_to_end(&mut body).ok()?;
    let headers = answer.get_array("headers").ok()?.iter().filter_map(|header| {
        let header = header.as_document()?;
        Some((header.get_str("name").ok()?.to_owned(), header.get_str("value").ok()?.to_owned()))
    });
    Some(Replay {
        status: u16::try_from(answer.get_i32("status").ok()?).ok()?,
        headers: headers.collect(),
        body,
        replayed: true,
    })
}

pub(super) fn indexes() -> Vec<IndexModel> {
    vec![expiring_index(), index(doc! {"userId": 1})]
}

fn corrupt() -> StoreError {
    StoreError::Corrupt("an idempotency record".into())
}

/// Whether another transaction has written what this one wanted to write.
pub(super) fn is_write_conflict(error: &mongodb::error::Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code == 112,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == 112,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_is_the_same_fingerprint_however_it_is_spaced_or_ordered() {
        let user = UserId::new(uuid::Uuid::from_u128(1));
        let claim = |key: &str, body: &str| Claim::new(user, "POST /transactions", key, body.as_bytes());
        assert_eq!(
            claim("k", "{\"a\":1,\"b\":2}").fingerprint,
            claim("k", "{ \"b\": 2, \"a\": 1 }").fingerprint
        );
        assert_ne!(claim("k", "{\"a\":1}").fingerprint, claim("k", "{\"a\":2}").fingerprint);
        assert_ne!(claim("k", "{}").id, claim("l", "{}").id);
        let other = UserId::new(uuid::Uuid::from_u128(2));
        assert_ne!(claim("k", "{}").id, Claim::new(other, "POST /transactions", "k", b"{}").id);
    }
}
