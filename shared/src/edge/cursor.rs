//! Opaque cursors: a position in one list of one user, authenticated, bound to the route and its filters (HMAC-SHA-256,
//! key derived from the signing key). Must never be readable as a promise: only this module takes one apart.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use finance::id::UserId;

use secrecy::ExposeSecret;

use super::problem::{Problem, ProblemType};
use super::query::Query;
use crate::config::JwtConfig;
use crate::crypto;

const TAG_LENGTH: usize = 16;

/// Makes and opens cursors. The first key signs; any opens.
#[derive(Clone)]
pub struct Cursors {
    keys: Vec<[u8; 32]>,
}

impl Cursors {
    pub fn new(secrets: &[&[u8]]) -> Self {
        Self { keys: secrets.iter().map(|secret| crypto::derive_key(secret, "fintrack cursor v1")).collect() }
    }

    pub fn from_config(jwt: &JwtConfig) -> Self {
        let secrets: Vec<&[u8]> = jwt.keys.iter().map(|key| key.key.expose_secret().as_bytes()).collect();
        Self::new(&secrets)
    }

    /// Where the page that a query asks for begins, and how its next cursor is made.
    ///
    /// # Errors
    /// 400 `invalid_cursor`.
    pub fn page<P>(
        &self,
        user: UserId,
        route: &'static str,
        query: &Query,
        position: impl FnOnce(&str) -> Option<P>,
    ) -> Result<PageStart<P>, Problem> {
        let filters = query.filters();
        let after = match query.get("cursor") {
            None => None,
            Some(cursor) => {
                let text = self.open(user, route, &filters, cursor)?;
                Some(position(&text).ok_or_else(|| Problem::new(ProblemType::InvalidCursor))?)
            }
        };
        Ok(PageStart { after, cursors: self.clone(), user, route, filters })
    }

    fn bound(user: UserId, route: &str, filters: &str, position: &str) -> Vec<u8> {
        // Lengths keep two different bindings from spelling the same bytes.
        format!("{user}\n{}:{route}\n{}:{filters}\n{position}", route.len(), filters.len()).into_bytes()
    }

    /// Seals a position.
    pub fn seal(&self, user: UserId, route: &str, filters: &str, position: &str) -> String {
        let key = self.keys.first().copied().unwrap_or_default();
        let tag = crypto::hmac_sha256(&key, &Self::bound(user, route, filters, position));
        let mut bytes = tag[..TAG_LENGTH].to_vec();
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// 400 `invalid_cursor` for anything that this user, route and filters did not get.
    pub fn open(&self, user: UserId, route: &str, filters: &str, cursor: &str) -> Result<String, Problem> {
        self.try_open(user, route, filters, cursor).ok_or_else(|| Problem::new(ProblemType::InvalidCursor))
    }

    fn try_open(&self, user: UserId, route: &str, filters: &str, cursor: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, position) = bytes.split_at_checked(TAG_LENGTH)?;
        let position = std::str::from_utf8(position).ok()?;
        let bound = Self::bound(user, route, filters, position);
        self.keys.iter().any(|key| crypto::hmac_matches(key, &bound, tag)).then(|| position.to_owned())
    }
}

/// The beginning of one page.
pub struct PageStart<P> {
    /// The last position of the page before.
    pub after: Option<P>,
    cursors: Cursors,
    user: UserId,
    route: &'static str,
    filters: String,
}

impl<P> PageStart<P> {
    /// The cursor behind a position.
    pub fn next(&self, position: &str) -> String {
        self.cursors.seal(self.user, self.route, &self.filters, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_for_its_user_route_and_filters() {
        let cursors = Cursors::new(&[b"a secret of more than thirty-two characters"]);
        let rotated = Cursors::new(&[b"another", b"a secret of more than thirty-two characters"]);
        let user = UserId::new(uuid::Uuid::from_u128(1));
        let other = UserId::new(uuid::Uuid::from_u128(2));
        let cursor = cursors.seal(user, "list", "q=a\n", "2026-01-01|x");
        assert_eq!(cursors.open(user, "list", "q=a\n", &cursor).unwrap(), "2026-01-01|x");
        assert!(rotated.open(user, "list", "q=a\n", &cursor).is_ok(), "an older key still opens");
        assert!(cursors.open(other, "list", "q=a\n", &cursor).is_err());
        assert!(cursors.open(user, "list2", "q=a\n", &cursor).is_err());
        assert!(cursors.open(user, "list", "q=b\n", &cursor).is_err());
        for index in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            // The last character has bits that decode to nothing; base64 refuses those that are set.
            assert!(altered == cursor || cursors.open(user, "list", "q=a\n", &altered).is_err(), "{index}");
        }
    }
}
