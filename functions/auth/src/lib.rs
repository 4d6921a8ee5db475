//! `/auth`: registers users, issues and rotates their tokens, ends their sessions, and erases them.
//! Must never say whether an address has an account except where the contract does (409 `email_taken`), and never keep
//! a password or a refresh token: only hashes.

mod authenticate;
mod body;
mod contract;
mod cookie;
mod email;
mod end_other_sessions;
mod end_session;
mod erase_me;
mod events;
mod get_me;
mod list_sessions;
mod log_in;
mod log_out;
mod password;
mod policy;
mod refresh;
mod register;
mod tokens;
mod update_me;
mod view;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use shared::boot::{Boot, MissingPart};
use shared::clock::Clock;
use shared::config::Need;
use shared::edge::route::{delete, get, patch, post};
use shared::edge::{AppState, Function, LimitClass, RouteInfo, Routes, Scope, layers};
use shared::store::Store;

use end_other_sessions::end_other_sessions;
use end_session::end_session;
use erase_me::erase_me;
use get_me::get_me;
use list_sessions::list_sessions;
use log_in::log_in;
use log_out::log_out;
use refresh::refresh;
use register::register;
use update_me::update_me;

pub use body::{EraseMeBody, LogInBody, LogOutBody, RefreshBody, RegisterBody, UpdateMeBody};
pub use contract::contract;
pub use view::{SessionView, SignedInView, TokensOnlyView, TokensView, UserView};

pub const FUNCTION: Function =
    Function { name: "auth", needs: &[Need::Mongo, Need::Redis, Need::Jwt, Need::Auth] };

/// The largest body that any of these routes takes.
const BODY_MAX: usize = 8 * 1024;

/// What the handlers need. Cloning shares it.
#[derive(Clone)]
struct App(Arc<Parts>);

struct Parts {
    state: AppState,
    clock: Clock,
    issuer: tokens::Issuer,
    events: events::Events,
    passwords: password::Passwords,
    cookie: cookie::RefreshCookie,
    cors_origins: Vec<String>,
    default_currency: finance::currency::Currency,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<App> for AppState {
    fn from_ref(app: &App) -> Self {
        app.state.clone()
    }
}

impl App {
    fn new(boot: &Boot) -> Result<Self, MissingPart> {
        let jwt = boot.config.jwt.as_ref().ok_or(MissingPart("jwt"))?;
        let auth = boot.config.auth.as_ref().ok_or(MissingPart("auth"))?;
        Ok(Self(Arc::new(Parts {
            state: AppState::new(boot)?,
            clock: boot.clock.clone(),
            issuer: tokens::Issuer::new(jwt, auth, boot.clock.clone()),
            events: events::Events::new(auth),
            passwords: password::Passwords::new(auth),
            cookie: cookie::RefreshCookie::new(auth),
            cors_origins: boot.config.cors_origins.clone(),
            default_currency: auth.default_currency,
        })))
    }
}

impl Parts {
    fn store(&self, scope: &Scope) -> Store {
        self.state.mongo().within(scope.mongo_until)
    }
}

fn table() -> Routes<App> {
    Routes::new([
        post("/auth/register", register).public().limit(LimitClass::Auth).body_max(BODY_MAX),
        post("/auth/login", log_in).public().limit(LimitClass::Auth).body_max(BODY_MAX),
        post("/auth/refresh", refresh).public().body_max(BODY_MAX),
        post("/auth/logout", log_out).public().body_max(BODY_MAX),
        get("/auth/me", get_me),
        patch("/auth/me", update_me).body_max(BODY_MAX),
        delete("/auth/me", erase_me).body_max(BODY_MAX),
        get("/auth/sessions", list_sessions).query(&["limit", "cursor"]),
        delete("/auth/sessions", end_other_sessions),
        delete("/auth/sessions/{id}", end_session),
    ])
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

/// # Errors
/// The configuration lacks a part that [`FUNCTION`] needs.
pub fn build(boot: &Boot) -> Result<Router, MissingPart> {
    layers::serve(boot, FUNCTION.name, table(), App::new(boot)?)
}
