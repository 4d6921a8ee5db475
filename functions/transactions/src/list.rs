//! Finding transactions: one by its id, or a page of those that a filter meets.

use std::collections::BTreeSet;

use axum::extract::State;
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::money::parse_comparable_e4;
use shared::edge::AppState;
use shared::edge::path::Id;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{Principal, Problem, Rejection, Scope};
use shared::store::search_terms;
use shared::store::transactions::{Filter, Position, Transactions};

use crate::fields::Tag;
use crate::view::TransactionView;
use crate::write::shown;

/// The longest search, in code points, and the most distinct words of one.
pub(crate) const SEARCH_LENGTH_MAX: usize = 200;
const SEARCH_WORDS_MAX: usize = 10;

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
    const AMOUNT: &str = "a decimal amount such as 12.34";
    let (from, to) = query.date_range(errors);
    Filter {
        from,
        to,
        account: query.parsed(errors, "accountId", "an account's id", AccountId::parse),
        category: query.parsed(errors, "categoryId", "a category's id", CategoryId::parse),
        kind: query.word(errors, "type"),
        status: query.word(errors, "status"),
        tag: query.parsed(errors, "tag", "a tag", |text| Tag::parse(text).ok().map(|tag| tag.0)),
        amount_min_e4: query.parsed(errors, "minAmount", AMOUNT, parse_comparable_e4),
        amount_max_e4: query.parsed(errors, "maxAmount", AMOUNT, parse_comparable_e4),
        words: query.get("q").map(|q| parse_search(q, errors)).unwrap_or_default(),
    }
}

/// The distinct words of a search; a bad one adds an error.
fn parse_search(text: &str, errors: &mut Vec<Rejection>) -> Vec<String> {
    let mut refuse = |code, detail| errors.push(Rejection::new("/query/q", code, detail));
    if text.chars().count() > SEARCH_LENGTH_MAX {
        refuse("too_long", format!("must have at most {SEARCH_LENGTH_MAX} characters"));
        return Vec::new();
    }
    let words: BTreeSet<String> = search_terms::words(text).into_iter().collect();
    match words.len() {
        0 => refuse("invalid_parameter", "must have a letter or a digit".to_owned()),
        count if count > SEARCH_WORDS_MAX => {
            refuse("too_many", format!("must have at most {SEARCH_WORDS_MAX} distinct words"));
        }
        _ => {}
    }
    // The longest first: it finds the fewest, and the index answers the first.
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words
}
