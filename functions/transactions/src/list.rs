//! Finding transactions: one by its id, or a page of those that a filter meets.

use axum::extract::State;
use finance::calendar::parse_date;
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::transaction::{TransactionStatus, TransactionType};
use shared::edge::AppState;
use shared::edge::body::{FieldValue, Text};
use shared::edge::json::Json;
use shared::edge::path::Id;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{Principal, Problem, Rejection, Scope};
use shared::store::search_terms;
use shared::store::transactions::{Filter, Position, Transactions};

use crate::view::TransactionView;
use crate::write::shown;

pub(crate) async fn get_transaction(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<TransactionId>,
) -> Result<Answer, Problem> {
    let found = Transactions::new(app.parts()?.store(&scope)).find(caller.user, id).await?;
    found.as_ref().map(shown).ok_or_else(Problem::not_found)
}

pub(crate) async fn list_transactions(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let limit = query.page_size(&mut errors);
    let filter = parse_filter(&query, &mut errors);
    query::finish(errors)?;
    let page = app.cursors.page(caller.user, "list_transactions", &query, Position::decode)?;
    let found =
        Transactions::new(app.store(&scope)).list(caller.user, filter, page.after.clone(), limit).await?;
    let next_cursor = found.next.map(|position| page.next(&position.encode()));
    Ok(Answer::ok(&Page { items: found.records.iter().map(TransactionView::from).collect(), next_cursor }))
}

fn parse_filter(query: &Query, errors: &mut Vec<Rejection>) -> Filter {
    const DATE: &str = "a date YYYY-MM-DD";
    const AMOUNT: &str = "a decimal amount such as 12.34";
    // As tags are stored.
    let some_text =
        |text: &str| Text::<1, 50>::read(&Json::Text(text.to_owned()), "").ok().map(|text| text.0);
    Filter {
        from: query.parsed(errors, "from", DATE, parse_date),
        to: query.parsed(errors, "to", DATE, parse_date),
        account: query.parsed(errors, "accountId", "an account's id", AccountId::parse),
        category: query.parsed(errors, "categoryId", "a category's id", CategoryId::parse),
        kind: query.parsed(errors, "type", "income, expense or transfer", TransactionType::parse),
        status: query.parsed(errors, "status", "pending, cleared or reconciled", TransactionStatus::parse),
        tag: query.parsed(errors, "tag", "a tag", some_text),
        amount_min_e4: query.parsed(errors, "minAmount", AMOUNT, parse_e4),
        amount_max_e4: query.parsed(errors, "maxAmount", AMOUNT, parse_e4),
        words: query.get("q").map(search_terms::words).unwrap_or_default(),
    }
}

/// A decimal of at most four places, in ten-thousandths: the scale on which amounts of all currencies compare.
fn parse_e4(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<4}").parse().ok()?;
    whole.checked_mul(10_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_on_one_scale() {
        assert_eq!(parse_e4("12.34"), Some(123_400));
        assert_eq!(parse_e4("0.0001"), Some(1));
        assert_eq!(parse_e4("7"), Some(70_000));
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1.00001", "+1", "99999999999999999999"] {
            assert_eq!(parse_e4(bad), None, "{bad}");
        }
    }
}
