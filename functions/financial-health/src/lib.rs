//! `/financial-health`.
use axum::Router;
use shared::boot::{Boot, UserApp};
use shared::config::Need;
use shared::edge::{Function, RouteInfo, Routes, layers};

pub const FUNCTION: Function =
    Function { name: "financial-health", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<UserApp> {
    Routes::new()
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), UserApp::new(boot))
}
