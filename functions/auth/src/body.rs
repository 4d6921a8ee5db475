//! The bodies of `/auth` and the values in them. Must never put a password where a log line or a debug print finds it.

use finance::currency::Currency;
use secrecy::SecretString;
use shared::edge::Rejection;
use shared::edge::body::{FieldValue, Text, TimeZoneName, Value, parse_text, wrong_type};
use shared::edge::json::Json;
use shared::json_body;

use crate::email::Email;
use crate::password;

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
