//! Who is calling: verifies access tokens (RFC 9068 profile, HS256, RFC 8725). Must never issue one to a user that it has
//! not been told of, and never answer a request itself: the edge decides what an invalid token means for a route.
//! Issuing belongs to functions/auth, which signs through [`AccessTokens::sign`].

use finance::id::UserId;
use http::{HeaderMap, header};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::JwtConfig;
use crate::ids;

/// The longest token that is looked at. Ours are some 450 bytes.
const TOKEN_LENGTH_MAX: usize = 4096;
/// Seconds of clock skew that `nbf` may show between two of our own machines.
const LEEWAY_SECONDS: i64 = 5;
const TOKEN_TYPE: &str = "at+jwt";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// A token that verified. Whether its session still lives is MongoDB's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    pub user: UserId,
    pub session: Uuid,
}

/// What a request shows of who is calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    Nothing,
    /// Two headers, or one that is no bearer token.
    Unreadable,
    Token(&'a str),
}

/// The token of the request's one `Authorization` header (RFC 6750, 2.1).
pub(crate) fn bearer_token(headers: &HeaderMap) -> Credential<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Credential::Nothing,
        (Some(value), None) => value,
        _ => return Credential::Unreadable,
    };
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    match parts.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, token)) => Credential::Token(token.trim()),
        None => Credential::Unreadable,
    }
}

/// Why a token does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No key of ours signed it; a newer one may have.
    Key,
    /// Whatever else: no key would make it valid.
    Token,
}

/// Signs and verifies access tokens.
pub struct AccessTokens {
    keys: Vec<(String, EncodingKey, DecodingKey)>,
    issuer: String,
    audience: String,
    ttl_seconds: i64,
    clock: Clock,
}

impl AccessTokens {
    pub fn new(config: &JwtConfig, clock: Clock) -> Self {
        let keys = config
            .keys
            .iter()
            .map(|key| {
                let secret = key.key.expose_secret().as_bytes();
                (key.kid.clone(), EncodingKey::from_secret(secret), DecodingKey::from_secret(secret))
            })
            .collect();
        Self {
            keys,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            ttl_seconds: i64::try_from(config.access_ttl.as_secs()).unwrap_or(900),
            clock,
        }
    }

    pub fn ttl_seconds(&self) -> i64 {
        self.ttl_seconds
    }

    /// A token for a session, signed with the active key. `None` only if no key is configured.
    pub fn sign(&self, user: UserId, session: Uuid) -> Option<String> {
        let (kid, key, _) = self.keys.first()?;
        let now = self.clock.now_ms() / 1000;
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.to_string(),
            sid: session.to_string(),
            jti: ids::new_id(&self.clock).to_string(),
            iat: now,
            nbf: now,
            exp: now + self.ttl_seconds,
        };
        jsonwebtoken::encode(&header, &claims, key).ok()
    }

    /// Verifies a token: algorithm, type, key id, signature, issuer, audience and times.
    pub fn verify(&self, token: &str) -> Option<VerifiedToken> {
        self.check(token).ok()
    }

    /// [`AccessTokens::verify`], and why not.
    pub(crate) fn check(&self, token: &str) -> Result<VerifiedToken, Refusal> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(Refusal::Token);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Token)?;
        // An extension that must be understood (RFC 7515, 4.1.11) is none of ours.
        let known = header.typ.as_deref() == Some(TOKEN_TYPE) && header.crit.is_none();
        if !known || header.alg != Algorithm::HS256 {
            return Err(Refusal::Token);
        }
        let kid = header.kid.ok_or(Refusal::Token)?;
        let (_, _, key) = self.keys.iter().find(|(known, ..)| *known == kid).ok_or(Refusal::Key)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub", "nbf"]);
        // The times are checked below against our clock, which a test can move.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = match jsonwebtoken::decode::<Claims>(token, key, &validation) {
            Ok(decoded) => decoded.claims,
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => return Err(Refusal::Key),
            Err(_) => return Err(Refusal::Token),
        };
        let now = self.clock.now_ms() / 1000;
        if claims.exp <= now || claims.nbf > now + LEEWAY_SECONDS || claims.iat > now + LEEWAY_SECONDS {
            return Err(Refusal::Token);
        }
        // No token of ours lives longer than it would if it were signed now.
        if claims.exp.saturating_sub(claims.iat) > self.ttl_seconds {
            return Err(Refusal::Token);
        }
        let user = UserId::parse(&claims.sub).ok_or(Refusal::Token)?;
        let session = Uuid::try_parse(&claims.sid).map_err(|_| Refusal::Token)?;
        Ok(VerifiedToken { user, session })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    use jiff::Timestamp;
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::config::JwtKey;
    use crate::crypto;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn tokens(keys: &[(&str, &str)], clock: &Clock) -> AccessTokens {
        let keys =
            keys.iter().map(|(kid, key)| JwtKey { kid: kid.to_string(), key: SecretString::from(*key) });
        let config = JwtConfig {
            keys: keys.collect(),
            issuer: "iss".into(),
            audience: "aud".into(),
            access_ttl: Duration::from_secs(900),
        };
        AccessTokens::new(&config, clock.clone())
    }

    fn clock() -> Clock {
        Clock::manual(Timestamp::from_second(1_800_000_000).unwrap())
    }

    fn forge(header: &str, claims: &str, secret: &str) -> String {
        let signed = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let tag = B64.encode(crypto::hmac_sha256(secret.as_bytes(), signed.as_bytes()));
        format!("{signed}.{tag}")
    }

    const HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt","kid":"a"}"#;

    fn claims() -> serde_json::Value {
        let id = "01900000-0000-7000-8000-000000000001";
        json!({"iss": "iss", "aud": "aud", "sub": id, "sid": id, "jti": id, "iat": 1_800_000_000,
               "nbf": 1_800_000_000, "exp": 1_800_000_900})
    }

    #[test]
    fn a_token_lives_for_its_time_and_an_older_key_still_verifies() {
        let clock = clock();
        let user = UserId::new(Uuid::from_u128(7));
        let token = tokens(&[("a", SECRET)], &clock).sign(user, Uuid::from_u128(8)).unwrap();
        let rotated = tokens(&[("b", "another secret of thirty-two chars"), ("a", SECRET)], &clock);
        assert_eq!(rotated.verify(&token), Some(VerifiedToken { user, session: Uuid::from_u128(8) }));
        clock.advance_seconds(899);
        assert!(rotated.verify(&token).is_some());
        clock.advance_seconds(1);
        assert!(rotated.verify(&token).is_none(), "an expired token has no leeway");
    }

    #[test]
    fn only_a_token_of_another_key_is_worth_a_look_for_newer_keys() {
        let clock = clock();
        let tokens = tokens(&[("a", SECRET)], &clock);
        let text = claims().to_string();
        let other = "another secret of thirty-two chars";
        let unknown = forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"b"}"#, &text, other);
        assert_eq!(tokens.check(&unknown), Err(Refusal::Key));
        assert_eq!(tokens.check(&forge(HEADER, &text, other)), Err(Refusal::Key));
        for token in [forge(r#"{"alg":"none","typ":"at+jwt","kid":"b"}"#, &text, other), "garbage".to_owned()]
        {
            assert_eq!(tokens.check(&token), Err(Refusal::Token), "{token}");
        }
        clock.advance_seconds(3600);
        assert_eq!(tokens.check(&forge(HEADER, &text, SECRET)), Err(Refusal::Token), "expired");
    }

    #[test]
    fn the_rejection_table() {
        let tokens = tokens(&[("a", SECRET)], &clock());
        let good = claims();
        assert!(tokens.verify(&forge(HEADER, &good.to_string(), SECRET)).is_some(), "the forge itself works");
        let with = |name: &str, value: serde_json::Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims.to_string()
        };
        let text = good.to_string();
        let cases = [
            ("alg none", forge(r#"{"alg":"none","typ":"at+jwt","kid":"a"}"#, &text, SECRET)),
            ("alg HS512", forge(r#"{"alg":"HS512","typ":"at+jwt","kid":"a"}"#, &text, SECRET)),
            ("alg RS256", forge(r#"{"alg":"RS256","typ":"at+jwt","kid":"a"}"#, &text, SECRET)),
            ("no kid", forge(r#"{"alg":"HS256","typ":"at+jwt"}"#, &text, SECRET)),
            ("unknown kid", forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"../../dev/null"}"#, &text, SECRET)),
            ("crit", forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"a","crit":["exp"]}"#, &text, SECRET)),
            (
                "jwk",
                forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"a","jwk":{"kty":"oct","k":"eA"}}"#, &text, "x"),
            ),
            ("jku", forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"a","jku":"https://x"}"#, &text, "x")),
            ("x5u", forge(r#"{"alg":"HS256","typ":"at+jwt","kid":"a","x5u":"https://x"}"#, &text, "x")),
            ("other typ", forge(r#"{"alg":"HS256","typ":"JWT","kid":"a"}"#, &text, SECRET)),
            ("other key", forge(HEADER, &text, "another secret of thirty-two chars")),
            ("other issuer", forge(HEADER, &with("iss", "x".into()), SECRET)),
            ("other audience", forge(HEADER, &with("aud", "x".into()), SECRET)),
            ("expired", forge(HEADER, &with("exp", 1_800_000_000.into()), SECRET)),
            ("fractional exp", forge(HEADER, &with("exp", json!(1_800_000_900.5)), SECRET)),
            ("negative exp", forge(HEADER, &with("exp", json!(-1)), SECRET)),
            ("a longer life", forge(HEADER, &with("exp", 1_800_000_901.into()), SECRET)),
            ("a life begun earlier", forge(HEADER, &with("iat", 1_799_999_999.into()), SECRET)),
            ("not yet", forge(HEADER, &with("nbf", 1_800_000_060.into()), SECRET)),
            ("no subject", forge(HEADER, &with("sub", serde_json::Value::Null), SECRET)),
            ("duplicate claim", forge(HEADER, &text.replacen('{', r#"{"exp":9999999999,"#, 1), SECRET)),
            ("too long", forge(HEADER, &with("jti", "x".repeat(8000).into()), SECRET)),
            ("no signature", format!("{}.{}.", B64.encode(HEADER), B64.encode(&text))),
            ("no dots", "abc".to_owned()),
            ("padding", format!("{}=", forge(HEADER, &text, SECRET))),
        ];
        for (name, token) in cases {
            assert!(tokens.verify(&token).is_none(), "{name} must be refused");
        }
    }
}
