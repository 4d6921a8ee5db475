//! `PATCH /accounts/{id}`. The currency of an account cannot change.

use finance::currency::Currency;
use finance::id::AccountId;
use shared::edge::amount::AmountSign;
use shared::edge::body::{Body, Patch};
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, Signed};
use shared::store::accounts::Account;

use crate::body::{UpdateAccountBody, minor};
use crate::view::ok;

pub(crate) async fn update_account(
    me: Signed,
    Id(id): Id<AccountId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateAccountBody>,
) -> Result<Answer, Problem> {
    let store = me.store();
    // The amounts can only be read in the account's currency, which never changes.
    let current = store.find::<Account>(id).await?.ok_or_else(Problem::not_found)?;
    let change = parse_change(body, current.currency)?;
    let changed = store.update(id, condition.into(), move |account| change.clone().apply(account)).await?;
    Ok(ok(&changed))
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
    Problem::unless_empty(errors)?;
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
