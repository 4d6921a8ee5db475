//! `POST /accounts`.

use finance::currency::Currency;
use finance::id::AccountId;
use shared::clock::Clock;
use shared::edge::amount::AmountSign;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IdempotencyKey, Problem, Signed};
use shared::ids;
use shared::store::Replay;
use shared::store::accounts::Account;

use crate::body::{CreateAccountBody, minor};
use crate::view::created;

pub(crate) async fn create_account(
    me: Signed,
    key: IdempotencyKey,
    Body { value: body, raw }: Body<CreateAccountBody>,
) -> Result<Answer, Problem> {
    let user = me.profile().await?;
    let account = new_account(me.clock(), body, user.currency, &user.time_zone)?;
    let render = |account: &Account| Replay::from(created(account));
    Ok(me.store().insert(key.claim(&raw), account, render).await?.into())
}

fn new_account(
    clock: &Clock,
    body: CreateAccountBody,
    users_currency: Currency,
    time_zone: &str,
) -> Result<Account, Problem> {
    let currency = body.currency.unwrap_or(users_currency);
    let mut errors = Vec::new();
    let opening = minor(
        &mut errors,
        body.opening_balance.as_ref(),
        currency,
        "/openingBalance/amount",
        AmountSign::Any,
    );
    let limit = minor(
        &mut errors,
        body.credit_limit.as_ref(),
        currency,
        "/creditLimit/amount",
        AmountSign::NotNegative,
    );
    let payment = minor(
        &mut errors,
        body.minimum_payment.as_ref(),
        currency,
        "/minimumPayment/amount",
        AmountSign::NotNegative,
    );
    Problem::unless_empty(errors)?;
    let opening_date = body.opening_date.unwrap_or_else(|| clock.today(time_zone));
    let id = AccountId::new(ids::new_id(clock));
    Ok(Account {
        opening_minor: opening,
        credit_limit_minor: limit,
        interest_rate_bps: body.interest_rate_bps.map(|rate| rate.0),
        minimum_payment_minor: payment,
        archived: body.archived,
        ..Account::new(id, body.name.0, body.kind, currency, opening_date)
    })
}
