//! The operations of `/accounts`.

use axum::extract::State;
use axum::http::HeaderMap;
use finance::currency::Currency;
use finance::id::AccountId;
use shared::edge::amount::AmountSign;
use shared::edge::body::{Body, Patch};
use shared::edge::path::Id;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{AppState, UserParts};
use shared::edge::{IfMatch, Principal, Problem, ProblemType, Scope};
use shared::ids;
use shared::store::Claim;
use shared::store::accounts::{Account, Accounts};
use shared::store::users::Users;

use crate::fields::{CreateAccountBody, UpdateAccountBody, minor};
use crate::view::{AccountView, tag};

fn shown(account: &Account) -> Answer {
    Answer::ok(&AccountView::from(account)).etag(&tag(account))
}

fn created(account: &Account) -> Answer {
    Answer::created(format!("/api/v1/accounts/{}", account.id), &AccountView::from(account))
        .etag(&tag(account))
}

pub(crate) async fn list_accounts(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let limit = query.page_size(&mut errors);
    let as_of = query.date(&mut errors, "asOf");
    query::finish(errors)?;
    let page = app.cursors.page(caller.user, "list_accounts", &query, AccountId::parse)?;
    let accounts = Accounts::new(app.store(&scope));
    let found = accounts.list(caller.user, page.after, limit.saturating_add(1)).await?;
    let (items, next_cursor) = page.cut(found, limit, |account| account.id.to_string());
    let items = match as_of {
        None => items.iter().map(AccountView::from).collect(),
        Some(as_of) => {
            let at_close = accounts.at_close_of(caller.user, items, as_of).await?;
            at_close.iter().map(|(account, balance)| AccountView::with_balance(account, *balance)).collect()
        }
    };
    Ok(Answer::ok(&Page { items, next_cursor }))
}

pub(crate) async fn get_account(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<AccountId>,
) -> Result<Answer, Problem> {
    let found = Accounts::new(app.parts()?.store(&scope)).find(caller.user, id).await?;
    found.as_ref().map(shown).ok_or_else(Problem::not_found)
}

pub(crate) async fn create_account(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    headers: HeaderMap,
    Body { value: body, raw }: Body<CreateAccountBody>,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let claim = Claim::from_headers(&headers, &caller, "POST /accounts", &raw)?;
    let store = app.store(&scope);
    let user = Users::new(store.clone()).get(caller.user).await?;
    let user = user.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
    let account = new_account(app, body, user.currency, &user.time_zone)?;
    Ok(Accounts::new(store).insert(caller.user, claim, account, created).await?)
}

fn new_account(
    app: &UserParts,
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
    query::finish(errors)?;
    Ok(Account {
        id: AccountId::new(ids::new_id(&app.clock)),
        name: body.name.0,
        kind: body.kind,
        currency,
        opening_minor: opening,
        opening_date: body.opening_date.unwrap_or_else(|| app.clock.today(time_zone)),
        credit_limit_minor: limit,
        interest_rate_bps: body.interest_rate_bps.map(|rate| rate.0),
        minimum_payment_minor: payment,
        archived: body.archived,
        movement_minor: 0,
        version: 1,
        knowledge: 0,
    })
}

pub(crate) async fn update_account(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<AccountId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateAccountBody>,
) -> Result<Answer, Problem> {
    let accounts = Accounts::new(app.parts()?.store(&scope));
    // The amounts can only be read in the account's currency, which never changes.
    let current = accounts.find(caller.user, id).await?.ok_or_else(Problem::not_found)?;
    let change = parse_change(body, current.currency)?;
    let fresh = move |account: &Account| condition.allows(&tag(account));
    let changed =
        accounts.update(caller.user, id, fresh, move |account| change.clone().apply(account)).await?;
    Ok(shown(&changed))
}

/// A parsed change, amounts in minor units.
#[derive(Clone)]
struct Change {
    body: UpdateAccountBody,
    opening_minor: Option<i64>,
    credit_limit_minor: Option<i64>,
    minimum_payment_minor: Option<i64>,
}

fn parse_change(body: UpdateAccountBody, currency: Currency) -> Result<Change, Problem> {
    let mut errors = Vec::new();
    let opening =
        minor(&mut errors, body.opening_balance.value(), currency, "/openingBalance/amount", AmountSign::Any);
    let limit = minor(
        &mut errors,
        body.credit_limit.value(),
        currency,
        "/creditLimit/amount",
        AmountSign::NotNegative,
    );
    let payment = minor(
        &mut errors,
        body.minimum_payment.value(),
        currency,
        "/minimumPayment/amount",
        AmountSign::NotNegative,
    );
    query::finish(errors)?;
    Ok(Change { body, opening_minor: opening, credit_limit_minor: limit, minimum_payment_minor: payment })
}

impl Change {
    fn apply(self, account: Account) -> Account {
        let amount = |patch: &Patch<_>, new: Option<i64>, current: Option<i64>| match patch {
            Patch::Keep => current,
            Patch::Clear | Patch::Set(_) => new,
        };
        Account {
            opening_minor: amount(&self.body.opening_balance, self.opening_minor, account.opening_minor),
            credit_limit_minor: amount(
                &self.body.credit_limit,
                self.credit_limit_minor,
                account.credit_limit_minor,
            ),
            minimum_payment_minor: amount(
                &self.body.minimum_payment,
                self.minimum_payment_minor,
                account.minimum_payment_minor,
            ),
            name: self.body.name.map_or(account.name, |name| name.0),
            kind: self.body.kind.unwrap_or(account.kind),
            opening_date: self.body.opening_date.unwrap_or(account.opening_date),
            interest_rate_bps: match self.body.interest_rate_bps {
                Patch::Keep => account.interest_rate_bps,
                Patch::Clear => None,
                Patch::Set(rate) => Some(rate.0),
            },
            archived: self.body.archived.unwrap_or(account.archived),
            ..account
        }
    }
}

pub(crate) async fn delete_account(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<AccountId>,
    condition: IfMatch,
    query: Query,
) -> Result<Answer, Problem> {
    let mut errors = Vec::new();
    let move_to = query.parsed(&mut errors, "moveTo", "an account's id", AccountId::parse);
    query::finish(errors)?;
    let fresh = move |account: &Account| condition.allows(&tag(account));
    Accounts::new(app.parts()?.store(&scope)).delete(caller.user, id, fresh, move_to).await?;
    Ok(Answer::no_content())
}
