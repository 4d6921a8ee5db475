//! `/financial-health`: the score, with its reasons, and the method itself. Reads monthly totals only. Must never compute
//! anything that `finance::score` does not say, nor call itself a credit score or advice.

mod contract;
mod get_method;
mod get_score;
mod view;

use axum::Router;
use shared::boot::{Boot, MissingPart};
use shared::config::Need;
use shared::edge::route::get;
use shared::edge::{AppState, Function, RouteInfo, Routes, layers};

use get_method::get_method;
use get_score::get_score;

pub use contract::contract;
pub use get_method::{ComponentMethodView, MethodView, PillarMethodView, ThresholdView};
pub use view::{
    ActionView, ComponentView, ExcludedView, InputView, MissingView, PillarView, ScoreView, WindowView,
};

pub const FUNCTION: Function =
    Function { name: "financial-health", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new([
        get("/financial-health", get_score).query(&["asOf"]),
        get("/financial-health/latest", get_score).named("get_latest_score").query(&["asOf"]),
        get("/financial-health/method", get_method).public(),
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
