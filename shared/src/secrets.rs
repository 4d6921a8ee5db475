//! Reads secrets from AWS Secrets Manager at init. Must never log a value, and never be asked for when `SECRETS_ID` is
//! unset: then the environment holds them.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
use futures_util::future::try_join_all;

/// How long init may wait for Secrets Manager.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the secrets could not be read. Names the secret's id, never a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("secret {id} could not be read: {reason}")]
    Unreadable { id: String, reason: String },
    #[error("secret {id} is not a flat JSON object of strings")]
    NotAnObject { id: String },
    #[error("Secrets Manager did not answer within 2 s")]
    Timeout,
}

/// The merged variables of the comma-separated `ids`, fetched in parallel; a later id wins.
pub async fn fetch(ids: &str) -> Result<HashMap<String, String>, SecretsError> {
    tokio::time::timeout(FETCH_TIMEOUT, fetch_all(ids)).await.map_err(|_| SecretsError::Timeout)?
}

async fn fetch_all(ids: &str) -> Result<HashMap<String, String>, SecretsError> {
    let client =
        aws_sdk_secretsmanager::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
    let secrets = try_join_all(ids.map(|id| fetch_one(&client, id))).await?;
    Ok(secrets.into_iter().flatten().collect())
}

async fn fetch_one(
    client: &aws_sdk_secretsmanager::Client,
    id: &str,
) -> Result<HashMap<String, String>, SecretsError> {
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        let error = error.into_service_error();
        let reason = error.meta().code().unwrap_or("no answer").to_owned();
        SecretsError::Unreadable { id: id.to_owned(), reason }
    })?;
    parse(answer.secret_string().unwrap_or_default())
        .ok_or_else(|| SecretsError::NotAnObject { id: id.to_owned() })
}

/// A flat JSON object; numbers and booleans count as their text, an object value (`JWT_KEYS`) as its JSON.
fn parse(text: &str) -> Option<HashMap<String, String>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    Some(
        object
            .into_iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect(),
    )
}
