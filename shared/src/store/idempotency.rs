//! The record of a request that carried an `Idempotency-Key`: claimed as the first write of the transaction that makes
//! its effect, completed with the answer as the last, so that the effect and its replay are there together.
//! Kept 7 days. Must never be shared between users: the user is part of the record's id.

use std::io::{Read, Write};

use finance::id::UserId;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use http::HeaderMap;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::ReturnDocument;

use super::{StoreError, Tx, TxError, WriteError, millis, uuid_of};
use crate::crypto;
use crate::edge::idempotency::parse_key;
use crate::edge::respond::Answer;
use crate::edge::{Principal, Problem};

pub(super) const COLLECTION: &str = "idempotency";
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The largest body that is kept for a replay.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A request that wants one effect.
#[derive(Clone, Debug)]
pub struct Claim {
    id: [u8; 32],
    fingerprint: [u8; 32],
}

impl Claim {
    /// Reads the key of a request to `operation` (its method, path and query).
    ///
    /// # Errors
    /// See [`parse_key`].
    pub fn from_headers(
        headers: &HeaderMap,
        principal: &Principal,
        operation: &str,
        body: &[u8],
    ) -> Result<Option<Self>, Problem> {
        let Some(key) = parse_key(headers)? else { return Ok(None) };
        Ok(Some(Self::new(principal.user, operation, &key, body)))
    }

    fn new(user: UserId, operation: &str, key: &str, body: &[u8]) -> Self {
        let user = user.to_string();
        Self {
            id: crypto::sha256(&[user.as_bytes(), b"\n", operation.as_bytes(), b"\n", key.as_bytes()]),
            fingerprint: crypto::sha256(&[&canonical(body)]),
        }
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

/// Claims the key within the transaction, or answers what its first request was answered.
pub(super) async fn claim(tx: &mut Tx, claim: &Claim) -> Result<Option<Answer>, TxError> {
    let record = doc! {
        "userId": uuid_of(tx.user.uuid()),
        "fingerprint": binary(&claim.fingerprint),
        "expiresAt": millis(tx.now_ms.saturating_add(KEPT_MS)),
    };
    let found = tx
        .collection(COLLECTION)
        .find_one_and_update(doc! {"_id": binary(&claim.id)}, doc! {"$setOnInsert": record})
        .upsert(true)
        .return_document(ReturnDocument::Before)
        .session(&mut tx.session)
        .await;
    let existing = match found {
        Ok(existing) => existing,
        // Another transaction holds this key and has not ended.
        Err(error) if is_write_conflict(&error) => return Err(WriteError::KeyInProgress.into()),
        Err(error) => return Err(error.into()),
    };
    let Some(existing) = existing else { return Ok(None) };
    let fingerprint = existing.get_binary_generic("fingerprint").map_err(|_| corrupt())?;
    if fingerprint.as_slice() != claim.fingerprint {
        return Err(WriteError::KeyReused.into());
    }
    read_answer(&existing).ok_or_else(|| corrupt().into()).map(Some)
}

/// Keeps the answer with the claim.
pub(super) async fn complete(tx: &mut Tx, claim: &Claim, answer: &Answer) -> Result<(), TxError> {
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
    let answer = doc! {"status": i32::from(answer.status), "headers": headers, "body": binary(&compressed)};
    tx.collection(COLLECTION)
        .update_one(doc! {"_id": binary(&claim.id)}, doc! {"$set": {"answer": answer}})
        .session(&mut tx.session)
        .await?;
    Ok(())
}

fn read_answer(record: &Document) -> Option<Answer> {
    let answer = record.get_document("answer").ok()?;
    let mut body = Vec::new();
    DeflateDecoder::new(answer.get_binary_generic("body").ok()?.as_slice()).read_to_end(&mut body).ok()?;
    let headers = answer.get_array("headers").ok()?.iter().filter_map(|header| {
        let header = header.as_document()?;
        Some((header.get_str("name").ok()?.to_owned(), header.get_str("value").ok()?.to_owned()))
    });
    Some(Answer {
        status: u16::try_from(answer.get_i32("status").ok()?).ok()?,
        headers: headers.collect(),
        body,
    })
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
