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
mod get_me;
mod list_sessions;
mod log_in;
mod log_out;
mod password;
mod refresh;
mod register;
mod tokens;
mod update_me;
mod view;

use std::sync::Arc;

use axum::Router;
use shared::boot::Boot;
use shared::clock::Clock;
use shared::config::Need;
use shared::edge::cursor::Cursors;
use shared::edge::{Function, LimitClass, Problem, ProblemType, RouteInfo, Routes, Scope, layers};
use shared::store::{Mongo, Store};

pub use body::{EraseMeBody, LogInBody, LogOutBody, RefreshBody, RegisterBody, UpdateMeBody};
pub use contract::contract;
pub use view::{SessionView, SignedInView, TokensOnlyView, TokensView, UserView};

pub const FUNCTION: Function =
    Function { name: "auth", needs: &[Need::Mongo, Need::Redis, Need::Jwt, Need::Auth] };

/// The largest body that any of these routes takes.
const BODY_MAX: usize = 8 * 1024;

struct Parts {
    mongo: Mongo,
    clock: Clock,
    issuer: tokens::Issuer,
    passwords: password::Passwords,
    cookie: cookie::RefreshCookie,
    cursors: Cursors,
    cors_origins: Vec<String>,
    default_currency: finance::currency::Currency,
}

/// What the handlers need. `None` only where the configuration lacks a part that [`FUNCTION`] needs, which init refuses.
#[derive(Clone)]
struct App(Option<Arc<Parts>>);

impl App {
    fn new(boot: &Boot) -> Self {
        let make = || {
            let (jwt, auth) = (boot.config.jwt.as_ref()?, boot.config.auth.as_ref()?);
            Some(Arc::new(Parts {
                mongo: boot.mongo()?,
                clock: boot.clock.clone(),
                issuer: tokens::Issuer::new(jwt, auth, boot.clock.clone()),
                passwords: password::Passwords::new(auth),
                cookie: cookie::RefreshCookie::new(auth),
                cursors: Cursors::from_config(jwt),
                cors_origins: boot.config.cors_origins.clone(),
                default_currency: auth.default_currency,
            }))
        };
        Self(make())
    }

    fn parts(&self) -> Result<&Parts, Problem> {
        self.0.as_deref().ok_or_else(|| Problem::new(ProblemType::Internal))
    }
}

impl Parts {
    fn store(&self, scope: &Scope) -> Store {
        self.mongo.within(scope.mongo_until)
    }
}

fn table() -> Routes<App> {
    Routes::new()
        .post("/auth/register", "register", register::register)
        .public()
        .limit(LimitClass::Auth)
        .body_max(BODY_MAX)
        .post("/auth/login", "log_in", log_in::log_in)
        .public()
        .limit(LimitClass::Auth)
        .body_max(BODY_MAX)
        .post("/auth/refresh", "refresh", refresh::refresh)
        .public()
        .body_max(BODY_MAX)
        .post("/auth/logout", "log_out", log_out::log_out)
        .public()
        .body_max(BODY_MAX)
        .get("/auth/me", "get_me", get_me::get_me)
        .patch("/auth/me", "update_me", update_me::update_me)
        .body_max(BODY_MAX)
        .delete("/auth/me", "erase_me", erase_me::erase_me)
        .body_max(BODY_MAX)
        .get("/auth/sessions", "list_sessions", list_sessions::list_sessions)
        .query(&["limit", "cursor"])
        .delete("/auth/sessions", "end_other_sessions", end_other_sessions::end_other_sessions)
        .delete("/auth/sessions/{id}", "end_session", end_session::end_session)
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), App::new(boot))
}
