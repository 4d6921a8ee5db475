//! A function whose handlers panic at every place where one can: before it waits for something, after, and in the task of a
//! store. Must never be mounted beside the real ones.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use finance::id::UserId;
use shared::boot::Boot;
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::respond::Answer;
use shared::edge::route::Routes;
use shared::edge::{Function, Problem, Scope, layers};
use shared::store::ledger::Ledger;

pub const FUNCTION: Function =
    Function { name: "misbehaving", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

/// What a panic's formatted text holds, and no log may.
pub const TYPED: &str = "what a person typed";

pub fn build(boot: &Boot) -> Router {
    let routes = Routes::new()
        .get("/misbehaving/before", "before", before)
        .public()
        .get("/misbehaving/after", "after", after)
        .public()
        .get("/misbehaving/formatted", "formatted", formatted)
        .public()
        .get("/misbehaving/store/{id}", "store", store)
        .public()
        .get("/misbehaving/well", "well", async || Answer::ok(&"well"))
        .public();
    layers::serve(boot, FUNCTION.name, routes, AppState::new(boot))
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
    let ledger = Ledger::new(app.parts()?.store(&scope));
    let user = UserId::parse(&user).expect("an id");
    let decide = Arc::new(|_: &_| panic!("in the store's task"));
    Ok(ledger.write(user, None, None, decide, |_| Answer::ok(&"never")).await?)
}
