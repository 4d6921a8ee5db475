//! `GET /transactions/summary`: sums by group and currency, never mixed. `finance` says what counts as what.

use std::collections::BTreeMap;

use axum::extract::State;
use finance::calendar::{Date, Month};
use finance::currency::Currency;
use finance::id::CategoryId;
use finance::summary::{GroupBy, SummaryRow, groups, totals};
use finance::transaction::TransactionType;
use serde::Serialize;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, decimal};
use shared::edge::{AppState, UserParts};
use shared::edge::{Principal, Problem, ProblemType, Scope};
use shared::store::accounts::Accounts;
use shared::store::categories::{Categories, Category};
use shared::store::summary::{GROUPS_MAX, Row, Summaries};
use shared::store::users::Users;
use utoipa::ToSchema;

/// The sums of one group in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// The month, the id or the text; `null` for transactions without one.
    pub key: Option<String>,
    /// The group's name for people.
    pub label: String,
    /// Its sums.
    #[serde(flatten)]
    pub sums: TotalView,
}

/// Sums in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotalView {
    /// ISO 4217.
    pub currency: &'static str,
    /// What came in, as a decimal.
    pub income: String,
    /// What went out less refunds, as a decimal.
    pub expense: String,
    /// Income less expenses, as a decimal.
    pub net: String,
    /// Income in minor units.
    pub income_minor: i64,
    /// Expenses in minor units.
    pub expense_minor: i64,
    /// Income less expenses in minor units.
    pub net_minor: i64,
    /// How many transactions are in the sums.
    pub count: i64,
}

/// Sums over a range of days. Transfers are in none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView {
    /// The first day.
    pub from: String,
    /// The last day, which is in the sums.
    pub to: String,
    /// What the groups are by.
    pub group_by: &'static str,
    /// The sums of each group and currency.
    pub groups: Vec<GroupView>,
    /// The sums of everything, one for each currency.
    pub totals: Vec<TotalView>,
}

/// The most accounts or categories whose names are looked up.
const NAMES_MAX: i64 = 10_000;

pub(crate) async fn get_summary(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let (from, to) = query.date_range(&mut errors);
    let by = query.word(&mut errors, "groupBy").unwrap_or(GroupBy::Month);
    query::finish(errors)?;
    let (from, to) = range(app, &scope, &caller, from, to).await?;
    let store = app.store(&scope);
    let (rows, categories) = (Summaries::new(store.clone()), Categories::new(store.clone()));
    let (rows, categories) = tokio::try_join!(
        rows.rows(caller.user, from, to, by),
        categories.list(caller.user, None, NAMES_MAX)
    )?;
    if i64::try_from(rows.groups.len()).unwrap_or(i64::MAX) > GROUPS_MAX {
        let detail = format!("there are more than {GROUPS_MAX} groups; take fewer days");
        return Err(Problem::field("/query/to", "too_many_groups", detail));
    }
    let categories: BTreeMap<CategoryId, Category> =
        categories.into_iter().map(|category| (category.id, category)).collect();
    let names = names(by, &categories, &store, &caller).await?;
    let label = |key: Option<&str>| match key {
        Some(key) => names.get(key).cloned().unwrap_or_else(|| key.to_owned()),
        None => "None".to_owned(),
    };
    let overflow =
        |_| Problem::field("/query/to", "out_of_range", "the sums leave their range; take fewer days");
    // A split counts in each of its categories, and once in every other group.
    let count = |row: &Row| if by == GroupBy::Category { row.count } else { row.transactions };
    let groups = groups(&folded(&rows.groups, &categories, &label, count)).map_err(overflow)?;
    let totals =
        totals(&folded(&rows.totals, &categories, &label, |row| row.transactions)).map_err(overflow)?;
    Ok(Answer::ok(&SummaryView {
        from: from.to_string(),
        to: to.to_string(),
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

/// Without bounds: the user's current month.
async fn range(
    app: &UserParts,
    scope: &Scope,
    caller: &Principal,
    from: Option<Date>,
    to: Option<Date>,
) -> Result<(Date, Date), Problem> {
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        _ => {
            let user = Users::new(app.store(scope)).get(caller.user).await?;
            let user = user.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
            let today = app.clock.today(&user.time_zone);
            let to = to.unwrap_or_else(|| Month::of(today).last_day());
            (from.unwrap_or_else(|| Month::of(to).first_day()), to)
        }
    };
    // Again, with the bound that was not given.
    query::check_range(from, to).map_err(|error| Problem::fields(vec![error]))?;
    Ok((from, to))
}

/// What the keys of a grouping are called.
async fn names(
    by: GroupBy,
    categories: &BTreeMap<CategoryId, Category>,
    store: &shared::store::Store,
    caller: &Principal,
) -> Result<BTreeMap<String, String>, Problem> {
    Ok(match by {
        GroupBy::Category => {
            categories.values().map(|category| (category.id.to_string(), category.name.clone())).collect()
        }
        GroupBy::Account => {
            let accounts = Accounts::new(store.clone()).list(caller.user, None, NAMES_MAX).await?;
            accounts.into_iter().map(|account| (account.id.to_string(), account.name)).collect()
        }
        GroupBy::Month | GroupBy::Merchant | GroupBy::Tag => BTreeMap::new(),
    })
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
