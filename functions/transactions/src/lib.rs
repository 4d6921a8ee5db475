//! `/transactions`: what was earned, spent and moved. Handlers parse, the ledger loads, [`decide`] decides, the ledger
//! saves. Must never write a total or a balance: they move with the transaction.

mod contract;
mod decide;
mod fields;
mod list;
mod summary;
mod view;
mod write;

use axum::Router;
use shared::boot::Boot;
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::{Function, RouteInfo, Routes, layers};

pub use contract::contract;
pub use fields::{CreateTransactionBody, SplitBody, UpdateTransactionBody};
pub use summary::{GroupView, SummaryView, TotalView};
pub use view::{SplitView, TransactionView};

pub const FUNCTION: Function =
    Function { name: "transactions", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new()
        .post("/transactions", "create_transaction", write::create_transaction)
        .get("/transactions", "list_transactions", list::list_transactions)
        .query(&[
            "limit",
            "cursor",
            "from",
            "to",
            "accountId",
            "categoryId",
            "type",
            "status",
            "tag",
            "minAmount",
            "maxAmount",
            "q",
        ])
        .get("/transactions/summary", "get_summary", summary::get_summary)
        .query(&["from", "to", "groupBy"])
        .get("/transactions/{id}", "get_transaction", list::get_transaction)
        .patch("/transactions/{id}", "update_transaction", write::update_transaction)
        .delete("/transactions/{id}", "delete_transaction", write::delete_transaction)
        .post("/transactions/{id}/restore", "restore_transaction", write::restore_transaction)
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), AppState::new(boot))
}
