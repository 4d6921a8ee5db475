//! Passwords as hashes (Argon2id, RFC 9106). A password is normalised by NFKC and keyed with the pepper (HMAC-SHA-256)
//! before it is hashed, so that the database alone is not enough to try passwords. Must never log or keep one.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use shared::config::AuthConfig;
use shared::crypto;
use shared::edge::{Problem, ProblemType};
use unicode_normalization::UnicodeNormalization;

/// Bytes of a salt and of a tag (RFC 9106, 3.1).
const SALT_LENGTH: usize = 16;
const TAG_LENGTH: usize = 32;

/// Hashes and verifies, off the async thread, one at a time: a Lambda environment has one request, and the working memory
/// is kept between them. Freed and taken again, the allocator would keep several times as much.
pub(crate) struct Passwords {
    pepper: SecretString,
    params: Params,
    blocks: Arc<Mutex<Vec<Block>>>,
}

impl Passwords {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        let params =
            Params::new(config.argon2_memory_kib, config.argon2_iterations, 1, None).unwrap_or_default();
        Self { pepper: config.pepper.clone(), params, blocks: Arc::default() }
    }

    /// What is hashed: base64url of HMAC-SHA-256(pepper, NFKC(password)).
    fn keyed(&self, password: &SecretString) -> String {
        let normal: String = password.expose_secret().nfkc().collect();
        let key = self.pepper.expose_secret().as_bytes();
        URL_SAFE_NO_PAD.encode(crypto::hmac_sha256(key, normal.as_bytes()))
    }

    /// The Argon2id tag of a password, computed where it does not hold up the async thread.
    async fn tag(&self, password: &SecretString, params: Params, salt: Vec<u8>) -> Option<[u8; TAG_LENGTH]> {
        let (keyed, blocks) = (self.keyed(password), self.blocks.clone());
        let computed = tokio::task::spawn_blocking(move || {
            let mut blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.resize(params.block_count(), Block::default());
            let mut tag = [0u8; TAG_LENGTH];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into_with_memory(keyed.as_bytes(), &salt, &mut tag, blocks.as_mut_slice())
                .ok()
                .map(|()| tag)
        });
        computed.await.ok().flatten()
    }

    /// A PHC string with a random salt.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, Problem> {
        let mut salt = [0u8; SALT_LENGTH];
        crypto::fill_random(&mut salt);
        let tag = self.tag(password, self.params.clone(), salt.to_vec()).await;
        let tag = tag.ok_or_else(|| Problem::new(ProblemType::Internal))?;
        Ok(format!("{}${}${}", self.prefix(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag)))
    }

    /// Whether a password is the one of a PHC string. Without one, the same work is done for nothing, so that an unknown
    /// account answers as slowly as a known one.
    pub(crate) async fn verify(&self, password: &SecretString, phc: Option<&str>) -> bool {
        let kept = phc.and_then(|phc| {
            let hash = PasswordHash::new(phc).ok()?;
            let params = Params::try_from(&hash).ok()?;
            Some((params, hash.salt?.to_vec(), hash.hash?.as_bytes().to_vec()))
        });
        let (params, salt, expected) =
            kept.unwrap_or_else(|| (self.params.clone(), vec![0; SALT_LENGTH], Vec::new()));
        let tag = self.tag(password, params, salt).await;
        tag.is_some_and(|tag| crypto::equal(&tag, &expected))
    }

    fn prefix(&self) -> String {
        format!("$argon2id$v=19$m={},t={},p=1", self.params.m_cost(), self.params.t_cost())
    }

    /// Whether a hash was made with other parameters than today's.
    pub(crate) fn is_outdated(&self, phc: &str) -> bool {
        !phc.starts_with(&format!("{}$", self.prefix()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(memory_kib: u32) -> Passwords {
        let params = Params::new(memory_kib, 1, 1, None).unwrap();
        Passwords { pepper: SecretString::from("p".repeat(32)), params, blocks: Arc::default() }
    }

    #[tokio::test]
    async fn two_long_passwords_that_differ_in_the_last_character_differ() {
        let weak = passwords(8192);
        let long = |last: &str| SecretString::from(format!("{}{last}", "x".repeat(127)));
        let hash = weak.hash(&long("a")).await.unwrap();
        assert!(weak.verify(&long("a"), Some(&hash)).await);
        assert!(!weak.verify(&long("b"), Some(&hash)).await);
        assert!(!weak.verify(&long("a"), None).await);
        assert!(hash.starts_with("$argon2id$v=19$m=8192,t=1,p=1$"));
        assert!(!weak.is_outdated(&hash));
        let stronger = passwords(16384);
        assert!(stronger.is_outdated(&hash));
        assert!(
            stronger.verify(&long("a"), Some(&hash)).await,
            "an older hash is verified with its own parameters"
        );
    }
}
