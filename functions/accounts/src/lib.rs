//! `/accounts`: where the user's money is, with balances that are always the opening balance plus what moved since.
//! Must never compute a balance itself: the ledger keeps it.

mod contract;
mod fields;
mod routes;
mod view;

use axum::Router;
use shared::boot::Boot;
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::{Function, RouteInfo, Routes, layers};

pub use contract::contract;
pub use fields::{CreateAccountBody, UpdateAccountBody};
pub use view::AccountView;

pub const FUNCTION: Function = Function { name: "accounts", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new()
        .get("/accounts", "list_accounts", routes::list_accounts)
        .query(&["limit", "cursor", "asOf"])
        .post("/accounts", "create_account", routes::create_account)
        .get("/accounts/{id}", "get_account", routes::get_account)
        .patch("/accounts/{id}", "update_account", routes::update_account)
        .delete("/accounts/{id}", "delete_account", routes::delete_account)
        .query(&["moveTo"])
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), AppState::new(boot))
}
