//! `GET /transactions/summary`: sums by group and currency, never mixed. `finance` says what counts as what.

use std::collections::BTreeMap;
use std::sync::Arc;

use finance::calendar::{Date, Month};
use finance::currency::Currency;
use finance::id::CategoryId;
use finance::summary::{GroupBy, SummaryRow, groups, totals};
use finance::transaction::TransactionType;
use shared::edge::respond::{Answer, decimal};
use shared::edge::{Params, Problem, ProblemType, Signed, query};
use shared::store::categories::Category;
use shared::store::summary::{GROUPS_MAX, Row, SummaryFacts};

use crate::view::{GroupView, SummaryView, TotalView};

pub(crate) async fn get_summary(me: Signed, mut query: Params) -> Result<Answer, Problem> {
    let (from, to) = query.date_range();
    let by = query.word("groupBy").unwrap_or(GroupBy::Month);
    query.finish()?;
    let clock = me.clock().clone();
    let range = Arc::new(move |time_zone: &str| range(from, to, || clock.today(time_zone)));
    let facts = me.store().summary(range, by).await?;
    let facts = facts.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
    query::check_range(facts.from, facts.to).map_err(|error| Problem::fields(vec![error]))?;
    answer(&facts, by)
}

/// Without bounds: the user's current month.
fn range(from: Option<Date>, to: Option<Date>, today: impl Fn() -> Date) -> (Date, Date) {
    let to = to.unwrap_or_else(|| Month::of(today()).last_day());
    (from.unwrap_or_else(|| Month::of(to).first_day()), to)
}

fn answer(facts: &SummaryFacts, by: GroupBy) -> Result<Answer, Problem> {
    let SummaryFacts { rows, categories, .. } = facts;
    if i64::try_from(rows.groups.len()).unwrap_or(i64::MAX) > GROUPS_MAX {
        let detail = format!("there are more than {GROUPS_MAX} groups; take fewer days");
        return Err(Problem::field("/query/to", "too_many_groups", detail));
    }
    let names = names(facts, by);
    let label = |key: Option<&str>| match key {
        Some(key) => names.get(key).cloned().unwrap_or_else(|| key.to_owned()),
        None => "None".to_owned(),
    };
    let overflow =
        |_| Problem::field("/query/to", "out_of_range", "the sums leave their range; take fewer days");
    // A split counts in each of its categories, and once in every other group.
    let count = |row: &Row| if by == GroupBy::Category { row.count } else { row.transactions };
    let groups = groups(&folded(&rows.groups, categories, &label, count)).map_err(overflow)?;
    let totals =
        totals(&folded(&rows.totals, categories, &label, |row| row.transactions)).map_err(overflow)?;
    Ok(Answer::ok(&SummaryView {
        from: facts.from.to_string(),
        to: facts.to.to_string(),
        group_by: by.as_str(),
        groups: groups
            .into_iter()
            .map(|group| GroupView {
                key: Some(group.key).filter(|key| !key.is_empty()),
                label: group.label,
                sums: view(group.currency, group.income, group.expense, group.net, group.count),
            })
            .collect(),
        totals: totals
            .into_iter()
            .map(|total| view(total.currency, total.income, total.expense, total.net, total.count))
            .collect(),
    }))
}

/// What the keys of a grouping are called.
fn names(facts: &SummaryFacts, by: GroupBy) -> BTreeMap<String, String> {
    match by {
        GroupBy::Category => facts
            .categories
            .values()
            .map(|category| (category.id.to_string(), category.name.clone()))
            .collect(),
        GroupBy::Account => {
            facts.account_names.iter().map(|(id, name)| (id.to_string(), name.clone())).collect()
        }
        GroupBy::Month | GroupBy::Merchant | GroupBy::Tag => BTreeMap::new(),
    }
}

/// The rows as `finance` folds them: one for each type. The count goes with the first.
fn folded(
    rows: &[Row],
    categories: &BTreeMap<CategoryId, Category>,
    label: &dyn Fn(Option<&str>) -> String,
    count: impl Fn(&Row) -> i64,
) -> Vec<SummaryRow> {
    let mut folded = Vec::new();
    for row in rows {
        let category = row.category.and_then(|id| categories.get(&id)).map(Category::facts);
        let of = |kind, minor: i64, count| SummaryRow {
            key: row.key.clone().unwrap_or_default(),
            label: label(row.key.as_deref()),
            currency: row.currency,
            kind,
            category,
            amount_minor: i128::from(minor),
            count,
        };
        folded.push(of(TransactionType::Income, row.income, count(row)));
        folded.push(of(TransactionType::Expense, row.expense, 0));
    }
    folded
}

fn view(currency: Currency, income: i64, expense: i64, net: i64, count: i64) -> TotalView {
    TotalView {
        currency: currency.code(),
        income: decimal(income, currency),
        expense: decimal(expense, currency),
        net: decimal(net, currency),
        income_minor: income,
        expense_minor: expense,
        net_minor: net,
        count,
    }
}
