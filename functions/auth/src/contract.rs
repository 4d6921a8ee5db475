//! What `/auth` promises. Must never describe what the code does not do: the document's tests compare.

use serde_json::json;
use shared::edge::ProblemType::{
    CsrfRejected, EmailTaken, InvalidCredentials, InvalidRefreshToken, LoginDelayed, PasswordTooCommon,
    RefreshSuperseded, RefreshTokenReused, Unauthenticated,
};
use shared::edge::contract::{Contract, Credential, Operation, example};

use crate::body::{EraseMeBody, LogInBody, LogOutBody, RefreshBody, RegisterBody, UpdateMeBody};
use crate::view::{SessionView, SignedInView, TokensOnlyView, TokensView, UserView};

fn user() -> UserView {
    UserView {
        id: example::USER.to_owned(),
        email: example::EMAIL.to_owned(),
        email_verified: false,
        first_name: Some("Ada".to_owned()),
        last_name: Some("Lovelace".to_owned()),
        currency: "USD",
        time_zone: "Europe/London".to_owned(),
        locale: Some("en-GB".to_owned()),
        mfa_enabled: false,
        created_at: example::INSTANT.to_owned(),
        version: 1,
    }
}

fn tokens() -> TokensView {
    TokensView {
        access_token: example::ACCESS_TOKEN.to_owned(),
        token_type: "Bearer",
        expires_in: 900,
        refresh_token: example::REFRESH_TOKEN.to_owned(),
        refresh_expires_in: 2_592_000,
    }
}

fn signed_in() -> SignedInView {
    SignedInView { user: user(), tokens: tokens() }
}

fn session() -> SessionView {
    SessionView {
        id: example::SESSION.to_owned(),
        created_at: example::INSTANT.to_owned(),
        last_used_at: example::INSTANT.to_owned(),
        ip: "203.0.113.7".to_owned(),
        user_agent: "Mozilla/5.0".to_owned(),
        current: true,
    }
}

/// Registering, signing in and out.
fn entering() -> Vec<Operation> {
    let refresh_token = json!({"refreshToken": example::REFRESH_TOKEN});
    vec![
        Operation::new(
            "register",
            "Register a user",
            "Creates a user with a first account and the usual categories, and signs the user in.",
        )
        .body::<RegisterBody>(json!({
            "email": example::EMAIL, "password": example::PASSWORD, "firstName": "Ada", "lastName": "Lovelace",
            "currency": "USD", "timeZone": "Europe/London", "locale": "en-GB",
        }))
        .answers(201, "Registered.", signed_in())
        .headers(&["Location", "Set-Cookie"])
        .problems(&[EmailTaken, PasswordTooCommon]),
        Operation::new(
            "log_in",
            "Sign in",
            "Begins a session. An unknown address and a wrong password are answered alike; after several failures of one \
             account the next attempt must wait.",
        )
        .body::<LogInBody>(json!({"email": example::EMAIL, "password": example::PASSWORD}))
        .answers(200, "Signed in.", signed_in())
        .headers(&["Set-Cookie"])
        .problems(&[InvalidCredentials, LoginDelayed]),
        Operation::new(
            "refresh",
            "Renew the tokens",
            "New tokens for a refresh token, which is used up. One that was used before ends its session. The token comes in \
             the body, or from an allowed page in the cookie.",
        )
        .optional_body::<RefreshBody>(refresh_token.clone())
        .answers(200, "Renewed.", TokensOnlyView { tokens: tokens() })
        .headers(&["Set-Cookie"])
        .reads(&[Credential::RefreshCookie])
        .problems(&[InvalidRefreshToken, RefreshTokenReused, CsrfRejected, RefreshSuperseded]),
        Operation::new(
            "log_out",
            "Sign out",
            "Ends the session of the refresh token in the body, of the cookie, or of the bearer, in this order.",
        )
        .optional_body::<LogOutBody>(refresh_token)
        .headers(&["Set-Cookie"])
        .reads(&[Credential::RefreshCookie, Credential::Bearer])
        .problems(&[Unauthenticated, CsrfRejected]),
    ]
}

/// The function's operations.
pub fn contract() -> Contract {
    let mut operations = entering();
    operations.extend([
        Operation::new("get_me", "Read the user", "The signed-in user.")
            .answers(200, "The user.", user())
            .headers(&["ETag"]),
        Operation::new(
            "update_me",
            "Change the user",
            "Changes the fields that are given and leaves the others (RFC 7396).",
        )
        .body::<UpdateMeBody>(json!({"firstName": "Ada", "locale": "en-GB"}))
        .answers(200, "Changed.", UserView { version: 2, ..user() })
        .headers(&["ETag"])
        .conditional(),
        Operation::new(
            "erase_me",
            "Erase the user",
            "Erases the user and everything of theirs, for good. Every session ends.",
        )
        .body::<EraseMeBody>(json!({"password": example::PASSWORD}))
        .headers(&["Set-Cookie"])
        .conditional()
        .problems(&[InvalidCredentials, LoginDelayed]),
        Operation::new("list_sessions", "List the sessions", "Where the user is signed in.")
            .pages("SessionPage", vec![session()])
            .sample_query("?limit=50"),
        Operation::new(
            "end_other_sessions",
            "End the other sessions",
            "Ends every session of the user but the one of this request.",
        ),
        Operation::new(
            "end_session",
            "End a session",
            "Ends one session of the user; its tokens work no more.",
        )
        .id("The session's id.", example::SESSION),
    ]);
    Contract::new("Users, their tokens and their sessions.", operations).words(
        "TokensView",
        "tokenType",
        ["Bearer"],
    )
}
