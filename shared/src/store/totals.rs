//! The totals that the ledger keeps beside its transactions, moved in the same MongoDB transaction as the write that
//! moves them: by month, currency and category, and by account and day. Must never be written on their own.

use std::collections::BTreeMap;

use finance::calendar::{Date, Month, parse_date};
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, UserId};
use finance::ledger::{DayKey, DayTotal, Effects, MonthKey, MonthTotal, account_movement};
use futures_util::TryStreamExt;
use mongodb::IndexModel;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::options::IndexOptions;
use serde::Deserialize;

use super::accounts::{self, Account};
use super::ledger::{self, overflow};
use super::{Store, StoreError, Tx, TxError, id_of, uuid_of};

pub(super) const MONTHLY: &str = "monthly_totals";
pub(super) const DAILY: &str = "daily_totals";

pub(super) fn indexes() -> Vec<(&'static str, IndexModel)> {
    // Only days with income or spending: the first of them is the first transaction of a currency.
    let flows = IndexOptions::builder().partial_filter_expression(doc! {"flows": {"$gt": 0_i64}}).build();
    vec![
        (MONTHLY, IndexModel::builder().keys(doc! {"userId": 1, "month": 1}).build()),
        (DAILY, IndexModel::builder().keys(doc! {"userId": 1, "accountId": 1, "date": 1}).build()),
        (
            DAILY,
            IndexModel::builder().keys(doc! {"userId": 1, "currency": 1, "date": 1}).options(flows).build(),
        ),
    ]
}

fn category_bson(category: Option<CategoryId>) -> Bson {
    category.map_or(Bson::Null, |id| uuid_of(id.uuid()).into())
}

/// Adds what a write moved to the totals and to the balances of the accounts.
pub(super) async fn apply(tx: &mut Tx, effects: &Effects, accounts: &[Account]) -> Result<(), TxError> {
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
    ledger::update_batches(tx, MONTHLY, months.collect()).await?;
    let days = effects.days.iter().map(|(key, total)| {
        let account = uuid_of(key.account.uuid());
        let id = doc! {"u": user, "a": account, "d": key.date.to_string()};
        let moved = doc! {"net": total.net, "count": total.count, "flows": total.flows};
        let first = doc! {
            "userId": user, "accountId": account, "date": key.date.to_string(), "currency": total.currency.code(),
        };
        doc! {"q": {"_id": id}, "u": {"$inc": moved, "$setOnInsert": first}, "upsert": true}
    });
    ledger::update_batches(tx, DAILY, days.collect()).await?;
    for account in accounts {
        let moved = account_movement(effects, account.id, Some(account.opening_date)).map_err(overflow)?;
        accounts::add_movement(tx, account.id, moved).await?;
    }
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
    store: &Store,
    user: UserId,
    accounts: &[Account],
    as_of: Date,
) -> Result<BTreeMap<AccountId, i64>, StoreError> {
    let ranges: Vec<Document> = accounts
        .iter()
        .map(|account| {
            let days = doc! {"$gte": account.opening_date.to_string(), "$lte": as_of.to_string()};
            doc! {"userId": uuid_of(user.uuid()), "accountId": uuid_of(account.id.uuid()), "date": days}
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
    let sums: Vec<Sum> = store
        .collection(DAILY)
        .await?
        .aggregate(pipeline)
        .max_time(store.left())
        .with_type::<Sum>()
        .await?
        .try_collect()
        .await?;
    Ok(sums.into_iter().map(|sum| (AccountId::new(id_of(sum.id)), sum.net)).collect())
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

/// The monthly totals of a user from one month to another, both included; every month where there is no bound.
pub(super) async fn months(
    store: &Store,
    user: UserId,
    range: Option<(Month, Month)>,
) -> Result<BTreeMap<MonthKey, MonthTotal>, StoreError> {
    let mut filter = doc! {"userId": uuid_of(user.uuid())};
    if let Some((from, to)) = range {
        filter.insert("month", doc! {"$gte": from.to_string(), "$lte": to.to_string()});
    }
    let found: Vec<MonthDoc> = store
        .db()
        .await?
        .collection::<MonthDoc>(MONTHLY)
        .find(filter)
        .max_time(store.left())
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(month_of).collect()
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
    store: &Store,
    user: UserId,
    currency: Currency,
    until: Date,
) -> Result<Option<Date>, StoreError> {
    let filter = doc! {
        "userId": uuid_of(user.uuid()), "currency": currency.code(), "flows": {"$gt": 0_i64},
        "date": {"$lte": until.to_string()},
    };
    let found = store
        .db()
        .await?
        .collection::<DayDoc>(DAILY)
        .find_one(filter)
        .sort(doc! {"date": 1})
        .max_time(store.left())
        .await?;
    match found {
        None => Ok(None),
        Some(day) => {
            parse_date(&day.date).map(Some).ok_or_else(|| StoreError::Corrupt("daily_totals.date".into()))
        }
    }
}
