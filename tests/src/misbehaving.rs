//! A function whose handlers panic at every place where one can: before it waits for something, after, and in the task of a
//! store. Must never be mounted beside the real ones.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use finance::id::UserId;
use shared::boot::{Boot, MissingPart};
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::respond::Answer;
use shared::edge::route::get;
use shared::edge::{Function, Problem, Routes, Scope, layers};
use shared::store::UserStore;

pub const FUNCTION: Function =
    Function { name: "misbehaving", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

/// What a panic's formatted text holds, and no log may.
pub const TYPED: &str = "what a person typed";

pub fn build(boot: &Boot) -> Result<Router, MissingPart> {
    let routes = Routes::new([
        get("/misbehaving/before", before).public(),
        get("/misbehaving/after", after).public(),
        get("/misbehaving/formatted", formatted).public(),
        get("/misbehaving/store/{id}", store).public(),
        get("/misbehaving/well", well).public(),
    ]);
    layers::serve(boot, FUNCTION.name, routes, AppState::new(boot)?)
}

async fn well() -> Answer {
    Answer::ok(&"well")
}

/// Asked for by an argument: the environment is the configuration's.
pub fn panics_at_start() -> bool {
    std::env::args().any(|argument| argument == "panic")
}

pub async fn panic_alone() {
    panic!("alone")
}

async fn before() -> Answer {
    panic!("before it waits")
}

async fn after() -> Answer {
    tokio::task::yield_now().await;
    panic!("after it waited")
}

async fn formatted() -> Answer {
    let text = TYPED.to_owned();
    panic!("cannot understand {text}")
}

async fn store(
    State(app): State<AppState>,
    Path(user): Path<String>,
    scope: Scope,
) -> Result<Answer, Problem> {
    let user = UserId::parse(&user).expect("an id");
    let store = UserStore::new(app.mongo().within(scope.mongo_until), user);
    let decide = Arc::new(|_: &_| panic!("in the store's task"));
    Ok(store
        .post(None, shared::store::ledger::Need::default(), decide, |_| Answer::ok(&"never").into())
        .await?
        .into())
}
