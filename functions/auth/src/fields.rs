//! The bodies of `/auth` and the values in them. Must never put a password where a log line or a debug print finds it.

use finance::currency::Currency;
use secrecy::SecretString;
use shared::edge::Rejection;
use shared::edge::body::{FieldValue, Text, TimeZoneName, Value, parse_text, wrong_type};
use shared::edge::json::Json;
use shared::json_body;

use crate::password;

/// An e-mail address, trimmed and lower-case: what accounts are unique by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(pub String);

impl Email {
    /// One `@`, something on both sides, a dot in the domain, no white space or control characters, 254 bytes at most
    /// (RFC 5321, 4.5.3.1.3). More is only known by sending to it.
    pub fn parse(text: &str) -> Option<Self> {
        let email = text.trim().to_lowercase();
        let (local, domain) = email.split_once('@')?;
        let clean =
            !email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"".contains(c));
        let labels = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
        let fits = !local.is_empty() && local.len() <= 64 && email.len() <= 254;
        (clean && labels && fits && !domain.contains('@')).then_some(Self(email))
    }
}

impl FieldValue for Email {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        parse_text(value, pointer, "invalid_email", "an e-mail address", Self::parse)
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "format": "email", "maxLength": 254})
    }
}

/// Text that must not be printed: a password or a token, of any content.
#[derive(Clone, Debug)]
pub struct Secret(pub SecretString);

impl FieldValue for Secret {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        match value {
            Json::Text(text) => Ok(Self(SecretString::from(text.clone()))),
            other => Err(vec![wrong_type(other, pointer, "a string")]),
        }
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string"})
    }
}

/// A new password that the policy takes, whoever's it is.
#[derive(Clone, Debug)]
pub struct NewPassword(pub SecretString);

impl FieldValue for NewPassword {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let secret = Secret::read(value, pointer)?.0;
        password::check(&secret, "", &[], pointer).map_err(|error| vec![error])?;
        Ok(Self(secret))
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "minLength": password::LENGTH_MIN, "maxLength": password::LENGTH_MAX})
    }
}

/// A BCP 47 language tag, by its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(pub String);

impl FieldValue for Locale {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        parse_text(value, pointer, "invalid_locale", "a language tag such as en-US", |text| {
            let subtag =
                |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            let primary = text.split('-').next().is_some_and(|first| {
                (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic())
            });
            (primary && text.len() <= 35 && text.split('-').all(subtag)).then(|| Self(text.to_owned()))
        })
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "maxLength": 35})
    }
}

type Name = Text<0, 100>;

json_body! {
    /// `POST /auth/register`.
    pub struct RegisterBody {
        required email: Email as "email",
        required password: NewPassword as "password",
        optional first_name: Name as "firstName",
        optional last_name: Name as "lastName",
        optional currency: Currency as "currency",
        optional time_zone: TimeZoneName as "timeZone",
        optional locale: Locale as "locale",
    }
}

json_body! {
    /// `POST /auth/login`. A second factor is only looked at where the user has one.
    pub struct LogInBody {
        required email: Secret as "email",
        required password: Secret as "password",
        optional totp: Secret as "totp",
        optional recovery_code: Secret as "recoveryCode",
    }
}

json_body! {
    /// `POST /auth/refresh`; without the token, the cookie's is used.
    pub struct RefreshBody {
        optional refresh_token: Secret as "refreshToken",
    }
}

json_body! {
    /// `POST /auth/logout`; without the token, the cookie's or the bearer's session ends.
    pub struct LogOutBody {
        optional refresh_token: Secret as "refreshToken",
    }
}

json_body! {
    /// `PATCH /auth/me`.
    pub struct UpdateMeBody {
        patch first_name: Name as "firstName",
        patch last_name: Name as "lastName",
        patch currency: Currency as "currency",
        patch time_zone: TimeZoneName as "timeZone",
        patch locale: Locale as "locale",
    }
}

json_body! {
    /// `DELETE /auth/me`.
    pub struct EraseMeBody {
        required password: Secret as "password",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_lower_case() {
        assert_eq!(Email::parse(" Ada@Example.COM ").unwrap().0, "ada@example.com");
        for bad in ["", "a", "a@b", "@b.c", "a@b..c", "a b@c.d", "a@b@c.d", "a@.c", "<a@b.c>", "a\n@b.c"] {
            assert!(Email::parse(bad).is_none(), "{bad}");
        }
    }
}
