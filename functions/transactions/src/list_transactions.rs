//! `GET /transactions`: a page of those that a filter matches.

use std::collections::BTreeSet;

use finance::id::{AccountId, CategoryId};
use finance::money::parse_comparable_e4;
use finance::rejection::Rejection;
use shared::edge::respond::Answer;
use shared::edge::{Params, Problem, Signed};
use shared::store::search_terms;
use shared::store::transactions::Filter;

use crate::body::Tag;
use crate::view::TransactionView;

/// The longest search, in characters, and the most distinct words of one.
pub(crate) const SEARCH_LENGTH_MAX: usize = 200;
const SEARCH_WORDS_MAX: usize = 10;

/// The parameters of a list.
pub(crate) const FILTERS: &[&str] = &[
    "limit",
    "cursor",
    "from",
    "to",
    "accountId",
    "categoryId",
    "type",
    "status",
    "tag",
    "minAmount",
    "maxAmount",
    "q",
];

pub(crate) async fn list_transactions(me: Signed, mut query: Params) -> Result<Answer, Problem> {
    let filter = parse_filter(&mut query);
    let page = query.page(&me)?;
    let found = me.store().transactions(filter, page.after().cloned(), page.limit).await?;
    let items = found.transactions.iter().map(TransactionView::from).collect();
    Ok(Answer::ok(&page.page(items, found.next.as_ref())))
}

fn parse_filter(query: &mut Params) -> Filter {
    const AMOUNT: &str = "a decimal amount such as 12.34";
    let (from, to) = query.date_range();
    Filter {
        from,
        to,
        account: query.parsed("accountId", "an account's id", AccountId::parse),
        category: query.parsed("categoryId", "a category's id", CategoryId::parse),
        kind: query.word("type"),
        status: query.word("status"),
        tag: query.parsed("tag", "a tag", |text| Tag::parse(text).ok().map(|tag| tag.0)),
        amount_min_e4: query.parsed("minAmount", AMOUNT, parse_comparable_e4),
        amount_max_e4: query.parsed("maxAmount", AMOUNT, parse_comparable_e4),
        words: parse_search(query),
    }
}

/// The distinct words of a search; a bad one adds an error.
fn parse_search(query: &mut Params) -> Vec<String> {
    let Some(text) = query.text("q").map(str::to_owned) else { return Vec::new() };
    let mut refuse = |code, detail| query.reject(Rejection::new("/query/q", code, detail));
    if text.chars().count() > SEARCH_LENGTH_MAX {
        refuse("too_long", format!("must have at most {SEARCH_LENGTH_MAX} characters"));
        return Vec::new();
    }
    let words: BTreeSet<String> = search_terms::words(&text).into_iter().collect();
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
