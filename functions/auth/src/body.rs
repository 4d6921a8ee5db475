//! The bodies of `/auth` and the values in them. Must never put a password where a log line or a debug print finds it.

use finance::currency::Currency;
use secrecy::SecretString;
use shared::edge::Rejection;
use shared::edge::body::{FieldValue, Text, TimeZoneName, Value, parse_text, wrong_type};
use shared::edge::json::Json;
use shared::json_body;
use shared::text;

use crate::email::Email;
use crate::policy;

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
        policy::check(&secret, pointer).map_err(|error| vec![error])?;
        Ok(Self(secret))
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "minLength": policy::LENGTH_MIN, "maxLength": policy::LENGTH_MAX})
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
        serde_json::json!({"type": "string", "maxLength": 35, "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"})
    }
}

/// A first or last name. One that shows nothing is empty, which counts as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub String);

impl FieldValue for Name {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let name = Text::<0, 100>::read(value, pointer)?.0;
        Ok(Self(if text::shows_nothing(&name) { String::new() } else { name }))
    }
    fn schema() -> Value {
        Text::<0, 100>::schema()
    }
}

json_body! {
    /// A new user.
    pub struct RegisterBody {
        /// The address to sign in with; upper and lower case are one.
        required email: Email as "email",
        /// A new password, which must not be a common one nor made of the address or the names.
        required password: NewPassword as "password",
        /// The first name; empty counts as none.
        optional first_name: Name as "firstName",
        /// The last name; empty counts as none.
        optional last_name: Name as "lastName",
        /// What new accounts are in, ISO 4217; without it, the service's own.
        optional currency: Currency as "currency",
        /// What days and months are the user's by, IANA; without it, UTC.
        optional time_zone: TimeZoneName as "timeZone",
        /// How the user wants to read, BCP 47.
        optional locale: Locale as "locale",
    }
}

json_body! {
    /// Credentials. A second factor is only looked at where the user has one.
    pub struct LogInBody {
        /// The user's address.
        required email: Secret as "email",
        /// The user's password.
        required password: Secret as "password",
        /// The code of an authenticator app.
        optional totp: Secret as "totp",
        /// One of the codes for when there is no authenticator.
        optional recovery_code: Secret as "recoveryCode",
    }
}

json_body! {
    /// The refresh token to renew; without it, the cookie's is used.
    pub struct RefreshBody {
        /// The refresh token of the last answer.
        optional refresh_token: Secret as "refreshToken",
    }
}

json_body! {
    /// The session to end, by its refresh token; without it, the cookie's or the bearer's ends.
    pub struct LogOutBody {
        /// The refresh token of the last answer.
        optional refresh_token: Secret as "refreshToken",
    }
}

json_body! {
    /// A change of the user (RFC 7396).
    pub struct UpdateMeBody {
        /// The first name; empty counts as none.
        patch first_name: Name as "firstName",
        /// The last name; empty counts as none.
        patch last_name: Name as "lastName",
        /// What new accounts are in, and what the score is computed in; ISO 4217.
        change currency: Currency as "currency",
        /// What days and months are the user's by; IANA.
        change time_zone: TimeZoneName as "timeZone",
        /// How the user wants to read, BCP 47.
        patch locale: Locale as "locale",
    }
}

json_body! {
    /// What confirms that it is the user who erases itself.
    pub struct EraseMeBody {
        /// The user's password.
        required password: Secret as "password",
    }
}
