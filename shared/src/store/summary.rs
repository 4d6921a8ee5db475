//! The sums that a summary is made of. Whole months grouped by month or category come from the kept totals, so that their
//! cost does not grow with the history; the rest is summed by MongoDB over the transactions of the range.
//!
//! Must never decide what counts as income or spending: `finance` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use finance::calendar::{Date, Month};
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId};
use finance::summary::GroupBy;
use mongodb::bson::{self, Bson, Document, doc};
use serde::Deserialize;

use super::categories::Category;
use super::entity::UserStore;
use super::transactions::TRANSACTIONS;
use super::tx::{Tx, TxError, work};
use super::{StoreError, id_of, reference, totals, uuid_of};

/// A sum of parts of one group, currency and category; amounts in minor units, by the transactions' own type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The month, the id or the text; `None` where the transaction has none.
    pub key: Option<String>,
    pub currency: Currency,
    pub category: Option<CategoryId>,
    pub income: i64,
    pub expense: i64,
    /// Parts: a split counts in each of its categories.
    pub count: i64,
    /// Distinct transactions.
    pub transactions: i64,
}

/// The most rows that a summary reads; more of them would not fit an answer.
pub const GROUPS_MAX: i64 = 10_000;

/// The groups' rows, and those of the totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub groups: Vec<Row>,
    pub totals: Vec<Row>,
}

/// All that a summary is made of, as of one moment.
#[derive(Clone, Debug)]
pub struct SummaryFacts {
    pub from: Date,
    pub to: Date,
    pub rows: Rows,
    pub categories: BTreeMap<CategoryId, Category>,
    /// Of the accounts, where they are grouped by.
    pub account_names: BTreeMap<AccountId, String>,
}

/// Says which dates are summed, from the user's IANA time zone.
pub type RangeOf = Arc<dyn Fn(&str) -> (Date, Date) + Send + Sync>;

impl UserStore {
    /// The sums of all income and expenses of the dates that `range` names, both included. `None`: the user is gone.
    pub async fn summary(&self, range: RangeOf, by: GroupBy) -> Result<Option<SummaryFacts>, StoreError> {
        let work = work(range, move |tx, range| Box::pin(async move { facts(tx, &*range, by).await }));
        self.store.read(self.user, work).await
    }
}

async fn facts(
    tx: &mut Tx,
    range: &(dyn Fn(&str) -> (Date, Date) + Send + Sync),
    by: GroupBy,
) -> Result<Option<SummaryFacts>, TxError> {
    let Some(known) = reference::load(tx, by == GroupBy::Account).await? else { return Ok(None) };
    let (from, to) = range(&known.time_zone);
    let rows = rows(tx, from, to, by).await?;
    let account_names = known.accounts.into_iter().map(|account| (account.id, account.name)).collect();
    Ok(Some(SummaryFacts { from, to, rows, categories: known.categories, account_names }))
}

async fn rows(tx: &mut Tx, from: Date, to: Date, by: GroupBy) -> Result<Rows, TxError> {
    if !matches!(by, GroupBy::Month | GroupBy::Category) {
        return over_transactions(tx, &[(from, to)], by).await;
    }
    let (whole, ragged) = cut(from, to);
    let mut rows = over_transactions(tx, &ragged, by).await?;
    if let Some(months) = whole {
        for (key, total) in totals::months(tx, months).await? {
            let group = match by {
                GroupBy::Month => Some(key.month.to_string()),
                _ => key.category.map(|id| id.to_string()),
            };
            let row = Row {
                key: group,
                currency: key.currency,
                category: key.category,
                income: total.income,
                expense: total.expense,
                count: total.count,
                transactions: total.transactions,
            };
            if (row.income, row.expense, row.count) != (0, 0, 0) {
                rows.totals.push(Row { key: None, ..row.clone() });
                rows.groups.push(row);
            }
        }
    }
    Ok(rows)
}

/// The first and the last whole month of a range.
type WholeMonths = Option<(Month, Month)>;

/// Cuts a range into its whole months and the days before and after them.
fn cut(from: Date, to: Date) -> (WholeMonths, Vec<(Date, Date)>) {
    let first = if Month::of(from).first_day() == from { Month::of(from) } else { Month::of(from).next() };
    let last = if Month::of(to).last_day() == to { Month::of(to) } else { Month::of(to).previous() };
    if first > last {
        return (None, if from <= to { vec![(from, to)] } else { Vec::new() });
    }
    let mut ragged = Vec::new();
    if from < first.first_day() {
        ragged.push((from, first.previous().last_day()));
    }
    if last.last_day() < to {
        ragged.push((last.next().first_day(), to));
    }
    (Some((first, last)), ragged)
}

#[derive(Deserialize)]
struct Group {
    #[serde(rename = "_id")]
    id: GroupId,
    income: i64,
    expense: i64,
    count: i64,
    transactions: i64,
}

#[derive(Deserialize)]
struct GroupId {
    key: Option<Bson>,
    currency: String,
    category: Option<bson::Uuid>,
}

/// What one pipeline answers: the groups and the totals, of the same documents.
#[derive(Deserialize)]
struct Facets {
    groups: Vec<Group>,
    totals: Vec<Group>,
}

async fn over_transactions(tx: &mut Tx, ranges: &[(Date, Date)], by: GroupBy) -> Result<Rows, TxError> {
    if ranges.is_empty() {
        return Ok(Rows::default());
    }
    let ranges: Vec<Document> = ranges
        .iter()
        .map(|(from, to)| doc! {"date": {"$gte": from.to_string(), "$lte": to.to_string()}})
        .collect();
    let matched = doc! {
        "userId": uuid_of(tx.user.uuid()), "deleted": false, "type": {"$in": ["income", "expense"]}, "$or": ranges,
    };
    let key: Bson = match by {
        GroupBy::Month => doc! {"$substrBytes": ["$date", 0, 7]}.into(),
        GroupBy::Category => "$parts.categoryId".into(),
        GroupBy::Account => "$accountId".into(),
        GroupBy::Merchant => "$merchant".into(),
        GroupBy::Tag => "$tags".into(),
    };
    let group = |key: Bson| {
        let of = |kind: &str| {
            let is_kind = doc! {"$eq": ["$type", kind]};
            doc! {"$sum": {"$cond": [is_kind, "$parts.amountMinor", 0_i64]}}
        };
        doc! {"$group": {
            "_id": {"key": key, "currency": "$currency", "category": "$parts.categoryId"},
            "income": of("income"),
            "expense": of("expense"),
            "count": {"$sum": 1_i64},
            "transactions": {"$sum": {"$cond": [{"$eq": ["$part", 0_i64]}, 1_i64, 0_i64]}},
        }}
    };
    let facet = |before: Option<Document>, key: Bson| {
        let steps = [before, Some(group(key))].into_iter().flatten();
        steps.chain([doc! {"$limit": GROUPS_MAX + 1}]).collect::<Vec<_>>()
    };
    // What has no tag is a group of its own.
    let tagged = doc! {"$unwind": {"path": "$tags", "preserveNullAndEmptyArrays": true}};
    let by_tag = (by == GroupBy::Tag).then_some(tagged);
    let pipeline = vec![
        doc! {"$match": matched},
        doc! {"$project": {
            "type": 1, "currency": 1, "date": 1, "accountId": 1, "merchant": 1, "tags": 1, "parts": 1,
        }},
        doc! {"$unwind": {"path": "$parts", "includeArrayIndex": "part"}},
        doc! {"$facet": {"groups": facet(by_tag, key), "totals": facet(None, Bson::Null)}},
    ];
    let left = tx.left();
    let transactions = tx.collection(TRANSACTIONS);
    let aggregate = transactions.aggregate(pipeline).max_time(left).with_type::<Facets>();
    let mut found = aggregate.session(&mut tx.session).await?;
    let Some(facets) = found.next(&mut tx.session).await.transpose()? else { return Ok(Rows::default()) };
    Ok(Rows {
        groups: facets.groups.into_iter().map(row).collect::<Result<_, _>>()?,
        totals: facets.totals.into_iter().map(row).collect::<Result<_, _>>()?,
    })
}

fn row(group: Group) -> Result<Row, StoreError> {
    let corrupt = || StoreError::Corrupt("a summary's group".into());
    let key = match group.id.key {
        None | Some(Bson::Null) => None,
        Some(Bson::String(text)) => Some(text),
        Some(Bson::Binary(binary)) => {
            Some(uuid::Uuid::from_slice(&binary.bytes).map_err(|_| corrupt())?.to_string())
        }
        Some(_) => return Err(corrupt()),
    };
    Ok(Row {
        key,
        currency: Currency::parse(&group.id.currency).ok_or_else(corrupt)?,
        category: group.id.category.map(|id| CategoryId::new(id_of(id))),
        income: group.income,
        expense: group.expense,
        count: group.count,
        transactions: group.transactions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use finance::calendar::parse_date;

    fn check(from: &str, to: &str, whole: Option<(&str, &str)>, ragged: &[(&str, &str)]) {
        let date = |text: &str| parse_date(text).unwrap();
        let month = |text: &str| Month::parse(text).unwrap();
        let expected = whole.map(|(a, b)| (month(a), month(b)));
        let days: Vec<_> = ragged.iter().map(|(a, b)| (date(a), date(b))).collect();
        assert_eq!(cut(date(from), date(to)), (expected, days), "{from}..{to}");
    }

    #[test]
    fn a_range_is_cut_into_whole_months_and_the_days_around_them() {
        check("2026-01-01", "2026-03-31", Some(("2026-01", "2026-03")), &[]);
        check(
            "2026-01-15",
            "2026-04-02",
            Some(("2026-02", "2026-03")),
            &[("2026-01-15", "2026-01-31"), ("2026-04-01", "2026-04-02")],
        );
        check("2026-01-15", "2026-01-20", None, &[("2026-01-15", "2026-01-20")]);
        check("2026-01-15", "2026-02-14", None, &[("2026-01-15", "2026-02-14")]);
        check("2026-02-01", "2026-02-28", Some(("2026-02", "2026-02")), &[]);
    }
}
