//! Access tokens. The input is a token, which must not verify unless this service signed it; or a header and, after a
//! newline, claims, which are signed with the service's own key and must verify only if they say what they must.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use finance::id::UserId;
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::clock::Clock;
use shared::config::{Config, Need};
use shared::crypto;
use shared::identity::AccessTokens;
use uuid::Uuid;

const NOW: i64 = 1_800_000_000;
/// Two of our own machines may differ by so much.
const LEEWAY: i64 = 5;

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let clock = Clock::manual("2027-01-15T08:00:00Z".parse().expect("an instant"));
    assert_eq!(clock.now_ms(), NOW * 1000);
    let Ok(config) = Config::load(&super::variables(), &[Need::Jwt]) else {
        panic!("the checks have a configuration")
    };
    let jwt = config.jwt.expect("it has a signing key");
    let tokens = AccessTokens::new(&jwt, clock);
    let key = jwt.keys[0].key.expose_secret().as_bytes();
    let signed = |header: &[u8], claims: &[u8], key: &[u8]| {
        let signed = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let tag = B64.encode(crypto::hmac_sha256(key, signed.as_bytes()));
        format!("{signed}.{tag}")
    };

    if let Some((header, claims)) = text.split_once('\n') {
        let token = signed(header.as_bytes(), claims.as_bytes(), key);
        if let Some(verified) = tokens.verify(&token) {
            let header: Value = serde_json::from_str(header).expect("what verified is JSON");
            assert_eq!((&header["alg"], &header["typ"]), (&"HS256".into(), &"at+jwt".into()));
            assert_eq!(header["kid"], jwt.keys[0].kid);
            let claims: Value = serde_json::from_str(claims).expect("what verified is JSON");
            assert_eq!(claims["iss"], jwt.issuer);
            assert_eq!(claims["aud"], jwt.audience);
            assert_eq!(claims["sub"], verified.user.to_string());
            assert!(claims["exp"].as_i64().is_some_and(|at| at > NOW), "it has expired");
            assert!(claims["nbf"].as_i64().is_some_and(|at| at <= NOW + LEEWAY), "it is not valid yet");
            assert!(claims["iat"].as_i64().is_some_and(|at| at <= NOW + LEEWAY), "it is not issued yet");
        }
        let forged = signed(header.as_bytes(), claims.as_bytes(), b"a key that this service does not have");
        assert!(tokens.verify(&forged).is_none(), "another key's");
    } else if tokens.verify(text).is_some() {
        // Only a token of the corpus can be one: it must be signed.
        let (signed, tag) = text.rsplit_once('.').expect("a token has three parts");
        assert_eq!(B64.encode(crypto::hmac_sha256(key, signed.as_bytes())), tag);
    }

    let ours = tokens.sign(UserId::new(Uuid::from_u128(7)), Uuid::from_u128(8)).expect("there is a key");
    assert!(tokens.verify(&ours).is_some());
    let at = input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % ours.len();
    let mut altered = ours.clone().into_bytes();
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("it is ASCII");
    assert!(tokens.verify(&altered).is_none(), "altered at {at}");
    assert!(tokens.verify(&ours[..at]).is_none(), "cut at {at}");
}
