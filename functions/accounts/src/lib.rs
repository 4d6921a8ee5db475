//! `/accounts`: where the user's money is, with balances that are always the opening balance plus what moved since.
//! Must never compute a balance itself: the ledger keeps it.

mod body;
mod contract;
mod create_account;
mod delete_account;
mod get_account;
mod list_accounts;
mod update_account;
mod view;

use axum::Router;
use shared::boot::{Boot, MissingPart};
use shared::config::Need;
use shared::edge::route::{delete, get, patch, post};
use shared::edge::{AppState, Function, RouteInfo, Routes, layers};

use create_account::create_account;
use delete_account::delete_account;
use get_account::get_account;
use list_accounts::list_accounts;
use update_account::update_account;

pub use body::{CreateAccountBody, UpdateAccountBody};
pub use contract::contract;
pub use view::AccountView;

pub const FUNCTION: Function = Function { name: "accounts", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new([
        get("/accounts", list_accounts).query(&["limit", "cursor", "asOf"]),
        post("/accounts", create_account),
        get("/accounts/{id}", get_account),
        patch("/accounts/{id}", update_account),
        delete("/accounts/{id}", delete_account).query(&["moveTo"]),
    ])
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

/// # Errors
/// The configuration lacks a part that [`FUNCTION`] needs.
pub fn build(boot: &Boot) -> Result<Router, MissingPart> {
    layers::serve(boot, FUNCTION.name, table(), AppState::new(boot)?)
}
