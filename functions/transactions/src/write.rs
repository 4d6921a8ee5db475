//! Creating, changing, deleting and restoring a transaction: parse, then let the ledger carry out a decision.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use finance::id::TransactionId;
use shared::edge::body::{Body, OptionalBody};
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{AppState, UserParts};
use shared::edge::{IfMatch, Principal, Problem, ProblemType, Scope};
use shared::store::Claim;
use shared::store::ledger::Ledger;
use shared::store::transactions::StoredTransaction;
use shared::store::users::Users;
use shared::{ids, json_body};

use crate::decide::{self, TransactionInput};
use crate::fields::{CreateTransactionBody, UpdateTransactionBody};
use crate::view::{TransactionView, tag};

json_body! {
    /// The body of an operation that takes none.
    pub struct EmptyBody {}
}

pub(crate) fn shown(record: &StoredTransaction) -> Answer {
    Answer::ok(&TransactionView::from(record)).etag(&tag(record))
}

fn created(record: &StoredTransaction) -> Answer {
    let location = format!("/api/v1/transactions/{}", record.id);
    Answer::created(location, &TransactionView::from(record)).etag(&tag(record))
}

fn gone(_: &StoredTransaction) -> Answer {
    Answer::no_content()
}

pub(crate) async fn create_transaction(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    headers: HeaderMap,
    Body { value: body, raw }: Body<CreateTransactionBody>,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let claim = Claim::from_headers(&headers, &caller, "POST /transactions", &raw)?;
    let today = match body.date {
        Some(date) => date,
        None => users_today(app, &scope, &caller).await?,
    };
    let wanted = TransactionInput::new(body, today).map_err(Problem::fields)?;
    let id = TransactionId::new(ids::new_id(&app.clock));
    let decide = Arc::new(move |loaded: &_| decide::create(&wanted, id, loaded));
    Ok(Ledger::new(app.store(&scope)).write(caller.user, claim, None, decide, created).await?)
}

async fn users_today(
    app: &UserParts,
    scope: &Scope,
    caller: &Principal,
) -> Result<finance::calendar::Date, Problem> {
    let user = Users::new(app.store(scope)).get(caller.user).await?;
    let user = user.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
    Ok(app.clock.today(&user.time_zone))
}

pub(crate) async fn update_transaction(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<TransactionId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateTransactionBody>,
) -> Result<Answer, Problem> {
    let decide = Arc::new(move |loaded: &_| decide::update(&body, &condition, loaded));
    Ok(Ledger::new(app.parts()?.store(&scope)).write(caller.user, None, Some(id), decide, shown).await?)
}

pub(crate) async fn delete_transaction(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<TransactionId>,
    condition: IfMatch,
) -> Result<Answer, Problem> {
    let decide = Arc::new(move |loaded: &_| decide::delete(&condition, loaded));
    Ok(Ledger::new(app.parts()?.store(&scope)).write(caller.user, None, Some(id), decide, gone).await?)
}

pub(crate) async fn restore_transaction(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<TransactionId>,
    headers: HeaderMap,
    OptionalBody(EmptyBody {}): OptionalBody<EmptyBody>,
) -> Result<Answer, Problem> {
    let claim = Claim::from_headers(&headers, &caller, &format!("POST /transactions/{id}/restore"), b"{}")?;
    let decide = Arc::new(decide::restore);
    Ok(Ledger::new(app.parts()?.store(&scope)).write(caller.user, claim, Some(id), decide, shown).await?)
}
