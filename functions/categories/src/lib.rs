//! `/categories`: what money is earned with or spent on. Must never change a category's kind: what it meant in past
//! months would change with it.

mod body;
mod contract;
mod create_category;
mod delete_category;
mod get_category;
mod list_categories;
mod update_category;
mod view;

use axum::Router;
use shared::boot::{Boot, MissingPart};
use shared::config::Need;
use shared::edge::route::{delete, get, patch, post};
use shared::edge::{AppState, Function, RouteInfo, Routes, layers};

use create_category::create_category;
use delete_category::delete_category;
use get_category::get_category;
use list_categories::list_categories;
use update_category::update_category;

pub use body::{CreateCategoryBody, UpdateCategoryBody};
pub use contract::contract;
pub use view::CategoryView;

pub const FUNCTION: Function = Function { name: "categories", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new([
        get("/categories", list_categories).query(&["limit", "cursor"]),
        post("/categories", create_category),
        get("/categories/{id}", get_category),
        patch("/categories/{id}", update_category),
        delete("/categories/{id}", delete_category).query(&["moveTo"]),
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
