//! `/financial-health`: the score, with its reasons, and the method itself. Reads monthly totals only. Must never compute
//! anything that `finance::score` does not say, nor call itself a credit score or advice.

mod contract;
mod method;
mod view;

use axum::Router;
use axum::extract::State;
use finance::score::{MonthRow, ScoreInput, score};
use shared::boot::Boot;
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::query::{self, Query};
use shared::edge::respond::Answer;
use shared::edge::{Function, Principal, Problem, ProblemType, RouteInfo, Routes, Scope, layers};
use shared::store::score::ScoreFacts;
use shared::store::users::Users;

pub use contract::contract;
pub use method::{ComponentMethodView, MethodView, PillarMethodView, ThresholdView};
pub use view::{
    ActionView, ComponentView, ExcludedView, InputView, MissingView, PillarView, ScoreView, WindowView,
};

pub const FUNCTION: Function =
    Function { name: "financial-health", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new()
        .get("/financial-health", "get_score", get_score)
        .query(&["asOf"])
        .get("/financial-health/latest", "get_latest_score", get_score)
        .query(&["asOf"])
        .get("/financial-health/method", "get_method", method::get_method)
        .public()
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), AppState::new(boot))
}

async fn get_score(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let as_of = query.date(&mut errors, "asOf");
    query::finish(errors)?;
    let store = app.store(&scope);
    let user = Users::new(store.clone()).get(caller.user).await?;
    let user = user.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
    let today = app.clock.today(&user.time_zone);
    let as_of = as_of.unwrap_or(today);
    if as_of > today {
        return Err(Problem::field("/query/asOf", "out_of_range", "must not be after today"));
    }
    let facts = store.score_facts(caller.user, user.currency, as_of).await?;
    let knowledge = facts.knowledge;
    let input = ScoreInput {
        as_of,
        base: user.currency,
        first_transaction: facts.first_transaction,
        months: rows(facts),
    };
    Ok(Answer::ok(&ScoreView::new(&score(&input), knowledge)))
}

fn rows(facts: ScoreFacts) -> Vec<MonthRow> {
    let ScoreFacts { months, categories, .. } = facts;
    let row = |(key, total): (finance::ledger::MonthKey, finance::ledger::MonthTotal)| MonthRow {
        month: key.month,
        currency: key.currency,
        category: key.category.and_then(|id| categories.get(&id).map(|category| (id, category.facts()))),
        income: total.income,
        expense: total.expense,
        transactions: total.transactions,
    };
    months.into_iter().map(row).collect()
}
