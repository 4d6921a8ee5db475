//! `/transactions`: what was earned, spent and moved. A handler parses and says what it needs; the ledger loads it, lets
//! [`decide`] decide, and saves. Must never write a total or a balance: they move with the transaction.

mod body;
mod contract;
mod create_transaction;
mod decide;
mod delete_transaction;
mod get_summary;
mod get_transaction;
mod input;
mod list_transactions;
mod restore_transaction;
mod update_transaction;
mod view;

use axum::Router;
use shared::boot::{Boot, MissingPart};
use shared::config::Need;
use shared::edge::route::{delete, get, patch, post};
use shared::edge::{AppState, Function, RouteInfo, Routes, layers};

use create_transaction::create_transaction;
use delete_transaction::delete_transaction;
use get_summary::get_summary;
use get_transaction::get_transaction;
use list_transactions::{FILTERS, list_transactions};
use restore_transaction::restore_transaction;
use update_transaction::update_transaction;

pub use body::{CreateTransactionBody, SplitBody, UpdateTransactionBody};
pub use contract::contract;
pub use view::{GroupView, SplitView, SummaryView, TotalView, TransactionView};

pub const FUNCTION: Function =
    Function { name: "transactions", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new([
        post("/transactions", create_transaction),
        get("/transactions", list_transactions).query(FILTERS),
        get("/transactions/summary", get_summary).query(&["from", "to", "groupBy"]),
        get("/transactions/{id}", get_transaction),
        patch("/transactions/{id}", update_transaction),
        delete("/transactions/{id}", delete_transaction),
        post("/transactions/{id}/restore", restore_transaction),
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
