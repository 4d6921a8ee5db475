//! The totals that the ledger keeps beside its transactions, moved in the same MongoDB transaction as the write that
//! moves them: by month, currency and category, and by account and day. Must never be written on their own.

use std::collections::BTreeMap;

use finance::calendar::{Date, Month, parse_date};
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId};
use finance::ledger::{DayKey, DayTotal, Effects, MonthKey, MonthTotal};
use mongodb::IndexModel;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::options::IndexOptions;
use serde::Deserialize;

use super::mongo::index;
use super::tx::{Tx, TxError};
use super::{StoreError, batches, id_of, uuid_of};

/// Documents that are asked for at once: all that one read may find, so that it is one command.
const ONE_BATCH: u32 = 100_000;

pub(super) const MONTHLY: &str = "monthly_totals";
pub(super) const DAILY: &str = "daily_totals";

pub(super) fn monthly_indexes() -> Vec<IndexModel> {
    vec![index(doc! {"userId": 1, "month": 1})]
}

pub(super) fn daily_indexes() -> Vec<IndexModel> {
    // Only days with income or spending: the first of them is the first transaction of a currency.
    let flows = IndexOptions::builder().partial_filter_expression(doc! {"flows": {"$gt": 0_i64}}).build();
    vec![
        index(doc! {"userId": 1, "accountId": 1, "date": 1}),
        IndexModel::builder().keys(doc! {"userId": 1, "currency": 1, "date": 1}).options(flows).build(),
    ]
}

fn category_bson(category: Option<CategoryId>) -> Bson {
    category.map_or(Bson::Null, |id| uuid_of(id.uuid()).into())
}

/// Adds what a write moved to the totals.
pub(super) async fn apply(tx: &mut Tx, effects: &Effects) -> Result<(), TxError> {
    let user = uuid_of(tx.user.uuid());
    let months = effects.months.iter().map(|(key, total)| {
        let id = doc! {"u": user, "m": key.month.to_string(), "c": key.currency.code(), "k": category_bson(key.category)};
        let moved = doc! {
            "income": total.income, "expense": total.expense, "count": total.count, "transactions": total.transactions,
        };
        let first = doc! {
            "userId": user, "month": key.month.to_string(), "currency": key.currency.code(),
            "categoryId": category_bson(key.category),
        };
        doc! {"q": {"_id": id}, "u": {"$inc": moved, "$setOnInsert": first}, "upsert": true}
    });
    batches::update(tx, MONTHLY, months.collect()).await?;
    let days = effects.days.iter().map(|(key, total)| {
        let account = uuid_of(key.account.uuid());
        let id = doc! {"u": user, "a": account, "d": key.date.to_string()};
        let moved = doc! {"net": total.net, "count": total.count, "flows": total.flows};
        let first = doc! {
            "userId": user, "accountId": account, "date": key.date.to_string(), "currency": total.currency.code(),
        };
        doc! {"q": {"_id": id}, "u": {"$inc": moved, "$setOnInsert": first}, "upsert": true}
    });
    batches::update(tx, DAILY, days.collect()).await?;
    Ok(())
}

/// The sum of an account's daily nets from `since` on, within a transaction.
pub(super) async fn movement_since(tx: &mut Tx, account: AccountId, since: Date) -> Result<i64, TxError> {
    let filter = doc! {
        "userId": uuid_of(tx.user.uuid()), "accountId": uuid_of(account.uuid()), "date": {"$gte": since.to_string()},
    };
    let pipeline = vec![doc! {"$match": filter}, doc! {"$group": {"_id": null, "net": {"$sum": "$net"}}}];
    let mut found = tx.collection(DAILY).aggregate(pipeline).session(&mut tx.session).await?;
    match found.next(&mut tx.session).await.transpose()? {
        None => Ok(0),
        Some(sum) => sum.get_i64("net").map_err(|_| StoreError::Corrupt("daily_totals.net".into()).into()),
    }
}

/// What each account had moved from its opening date to the close of `as_of`.
pub(super) async fn movements_until(
    tx: &mut Tx,
    accounts: &[(AccountId, Date)],
    as_of: Date,
) -> Result<BTreeMap<AccountId, i64>, TxError> {
    let user = uuid_of(tx.user.uuid());
    let ranges: Vec<Document> = accounts
        .iter()
        .map(|(id, opening_date)| {
            let days = doc! {"$gte": opening_date.to_string(), "$lte": as_of.to_string()};
            doc! {"userId": user, "accountId": uuid_of(id.uuid()), "date": days}
        })
        .collect();
    if ranges.is_empty() {
        return Ok(BTreeMap::new());
    }
    let pipeline = vec![
        doc! {"$match": {"$or": ranges}},
        doc! {"$group": {"_id": "$accountId", "net": {"$sum": "$net"}}},
    ];
    #[derive(Deserialize)]
    struct Sum {
        #[serde(rename = "_id")]
        id: bson::Uuid,
        net: i64,
    }
    let left = tx.left();
    let mut found = tx
        .collection(DAILY)
        .aggregate(pipeline)
        .max_time(left)
        .batch_size(ONE_BATCH)
        .with_type::<Sum>()
        .session(&mut tx.session)
        .await?;
    let mut sums = BTreeMap::new();
    while let Some(next) = found.next(&mut tx.session).await {
        let sum = next?;
        sums.insert(AccountId::new(id_of(sum.id)), sum.net);
    }
    Ok(sums)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MonthDoc {
    month: String,
    currency: String,
    category_id: Option<bson::Uuid>,
    income: i64,
    expense: i64,
    count: i64,
    transactions: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DayDoc {
    account_id: bson::Uuid,
    date: String,
    currency: String,
    net: i64,
    count: i64,
    flows: i64,
}

/// The monthly totals of the user from one month to another, both included.
pub(super) async fn months(
    tx: &mut Tx,
    (from, to): (Month, Month),
) -> Result<BTreeMap<MonthKey, MonthTotal>, TxError> {
    let filter = doc! {
        "userId": uuid_of(tx.user.uuid()), "month": {"$gte": from.to_string(), "$lte": to.to_string()},
    };
    let left = tx.left();
    let monthly = tx.db.collection::<MonthDoc>(MONTHLY);
    let mut found =
        monthly.find(filter).max_time(left).batch_size(ONE_BATCH).session(&mut tx.session).await?;
    let mut months = BTreeMap::new();
    while let Some(next) = found.next(&mut tx.session).await {
        let (key, total) = month_of(next?)?;
        months.insert(key, total);
    }
    Ok(months)
}

fn month_of(doc: MonthDoc) -> Result<(MonthKey, MonthTotal), StoreError> {
    let corrupt = || StoreError::Corrupt("monthly_totals".into());
    let key = MonthKey {
        month: Month::parse(&doc.month).ok_or_else(corrupt)?,
        currency: Currency::parse(&doc.currency).ok_or_else(corrupt)?,
        category: doc.category_id.map(|id| CategoryId::new(id_of(id))),
    };
    let total = MonthTotal {
        income: doc.income,
        expense: doc.expense,
        count: doc.count,
        transactions: doc.transactions,
    };
    Ok((key, total))
}

/// All totals of the transaction's user, those that are zero left out: what a check of the ledger compares.
pub(super) async fn load(tx: &mut Tx) -> Result<Effects, TxError> {
    let filter = doc! {"userId": uuid_of(tx.user.uuid())};
    let mut totals = Effects::default();
    let monthly = tx.db.collection::<MonthDoc>(MONTHLY);
    let mut found = monthly.find(filter.clone()).session(&mut tx.session).await?;
    while let Some(next) = found.next(&mut tx.session).await {
        let (key, total) = month_of(next?)?;
        if total != MonthTotal::default() {
            totals.months.insert(key, total);
        }
    }
    let daily = tx.db.collection::<DayDoc>(DAILY);
    let mut found = daily.find(filter).session(&mut tx.session).await?;
    while let Some(next) = found.next(&mut tx.session).await {
        let doc = next?;
        let corrupt = || StoreError::Corrupt("daily_totals".into());
        let key = DayKey {
            account: AccountId::new(id_of(doc.account_id)),
            date: parse_date(&doc.date).ok_or_else(corrupt)?,
        };
        let currency = Currency::parse(&doc.currency).ok_or_else(corrupt)?;
        if (doc.net, doc.count, doc.flows) != (0, 0, 0) {
            totals.days.insert(key, DayTotal { currency, net: doc.net, count: doc.count, flows: doc.flows });
        }
    }
    Ok(totals)
}

/// The date of the user's earliest income or expense in a currency, at `until` or before.
pub(super) async fn first_flow(
    tx: &mut Tx,
    currency: Currency,
    until: Date,
) -> Result<Option<Date>, TxError> {
    let filter = doc! {
        "userId": uuid_of(tx.user.uuid()), "currency": currency.code(), "flows": {"$gt": 0_i64},
        "date": {"$lte": until.to_string()},
    };
    let left = tx.left();
    let daily = tx.db.collection::<DayDoc>(DAILY);
    let found = daily.find_one(filter).sort(doc! {"date": 1}).max_time(left).session(&mut tx.session).await?;
    let date = |day: DayDoc| parse_date(&day.date).ok_or(StoreError::Corrupt("daily_totals.date".into()));
    Ok(found.map(date).transpose()?)
}
