//! Transactions as they are kept and found. Written only by [`super::ledger`], which moves the totals with them.

use std::collections::BTreeSet;

use finance::calendar::{Date, parse_date};
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId, UserId};
use finance::money::comparable_e4;
use finance::transaction::{Split, Transaction, TransactionStatus, TransactionType, TransferLeg};
use futures_util::TryStreamExt;
use mongodb::IndexModel;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::options::IndexOptions;
use serde::{Deserialize, Serialize};

use super::search_terms::{self, PREFIX_LENGTH_MAX};
use super::{Store, StoreError, id_of, millis, uuid_of};

pub(super) const TRANSACTIONS: &str = "transactions";

/// The most documents that a page examines before it is answered short.
const EXAMINED_MAX: i64 = 10_000;

/// A transaction with everything that its user said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransaction {
    pub id: TransactionId,
    /// What the ledger knows of it.
    pub posted: Transaction,
    pub status: TransactionStatus,
    pub description: String,
    pub merchant: Option<String>,
    pub notes: Option<String>,
    pub tags: Vec<String>,
    /// What was paid in another currency: information only.
    pub original: Option<(i64, Currency)>,
    pub external_id: Option<String>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub deleted_at_ms: Option<i64>,
    pub version: i64,
    pub knowledge: i64,
}

impl StoredTransaction {
    /// What counts in totals and balances; nothing once deleted.
    pub fn live(&self) -> Option<&Transaction> {
        self.deleted_at_ms.is_none().then_some(&self.posted)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SplitDoc {
    category_id: bson::Uuid,
    amount_minor: i64,
    notes: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionDoc {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    user_id: bson::Uuid,
    account_id: bson::Uuid,
    #[serde(rename = "type")]
    kind: String,
    amount_minor: i64,
    currency: String,
    date: String,
    status: String,
    description: String,
    merchant: Option<String>,
    category_id: Option<bson::Uuid>,
    notes: Option<String>,
    tags: Vec<String>,
    splits: Vec<SplitDoc>,
    transfer_account_id: Option<bson::Uuid>,
    transfer_amount_minor: Option<i64>,
    transfer_currency: Option<String>,
    original_amount_minor: Option<i64>,
    original_currency: Option<String>,
    external_id: Option<String>,
    created_at: bson::DateTime,
    updated_at: bson::DateTime,
    deleted_at: Option<bson::DateTime>,
    deleted: bool,
    version: i64,
    knowledge: i64,
    // What the indexes find it by.
    account_ids: Vec<bson::Uuid>,
    category_ids: Vec<bson::Uuid>,
    terms: Vec<String>,
    amount_e4: i64,
    /// What each part counts for, so that a summary needs no case for splits.
    parts: Vec<Document>,
}

impl TransactionDoc {
    pub(super) fn new(user: UserId, record: &StoredTransaction) -> Self {
        let posted = &record.posted;
        let parts = posted.parts();
        let categories: BTreeSet<CategoryId> = parts.iter().filter_map(|(category, _)| *category).collect();
        let mut account_ids = vec![uuid_of(posted.account_id.uuid())];
        account_ids.extend(posted.transfer.as_ref().map(|leg| uuid_of(leg.account_id.uuid())));
        Self {
            id: uuid_of(record.id.uuid()),
            user_id: uuid_of(user.uuid()),
            account_id: uuid_of(posted.account_id.uuid()),
            kind: posted.kind.as_str().to_owned(),
            amount_minor: posted.amount_minor,
            currency: posted.currency.code().to_owned(),
            date: posted.date.to_string(),
            status: record.status.as_str().to_owned(),
            description: record.description.clone(),
            merchant: record.merchant.clone(),
            category_id: posted.category_id.map(|id| uuid_of(id.uuid())),
            notes: record.notes.clone(),
            tags: record.tags.clone(),
            splits: posted
                .splits
                .iter()
                .map(|split| SplitDoc {
                    category_id: uuid_of(split.category_id.uuid()),
                    amount_minor: split.amount_minor,
                    notes: split.notes.clone(),
                })
                .collect(),
            transfer_account_id: posted.transfer.as_ref().map(|leg| uuid_of(leg.account_id.uuid())),
            transfer_amount_minor: posted.transfer.as_ref().map(|leg| leg.amount_minor),
            transfer_currency: posted.transfer.as_ref().map(|leg| leg.currency.code().to_owned()),
            original_amount_minor: record.original.map(|(minor, _)| minor),
            original_currency: record.original.map(|(_, currency)| currency.code().to_owned()),
            external_id: record.external_id.clone(),
            created_at: millis(record.created_at_ms),
            updated_at: millis(record.updated_at_ms),
            deleted_at: record.deleted_at_ms.map(millis),
            deleted: record.deleted_at_ms.is_some(),
            version: record.version,
            knowledge: record.knowledge,
            account_ids,
            category_ids: categories.iter().map(|id| uuid_of(id.uuid())).collect(),
            terms: terms_of(
                &record.description,
                record.merchant.as_deref(),
                &record.tags,
                record.notes.as_deref(),
            ),
            amount_e4: to_e4(posted.amount_minor, posted.currency),
            parts: parts
                .iter()
                .map(|(category, minor)| {
                    let category = category.map_or(Bson::Null, |id| uuid_of(id.uuid()).into());
                    doc! {"categoryId": category, "amountMinor": *minor}
                })
                .collect(),
        }
    }
}

/// What a transaction is found by, from all of its texts.
pub(super) fn terms_of(
    description: &str,
    merchant: Option<&str>,
    tags: &[String],
    notes: Option<&str>,
) -> Vec<String> {
    let texts = [description].into_iter().chain(merchant).chain(tags.iter().map(String::as_str));
    // The notes last: what is beyond the bound of terms is of the longest text.
    search_terms::terms(texts.chain(notes))
}

/// An amount on the scale that all currencies share; the largest amount of the API fits by far.
fn to_e4(minor: i64, currency: Currency) -> i64 {
    i64::try_from(comparable_e4(minor, currency)).unwrap_or(i64::MAX)
}

impl TryFrom<TransactionDoc> for StoredTransaction {
    type Error = StoreError;
    fn try_from(doc: TransactionDoc) -> Result<Self, StoreError> {
        let corrupt = |field: &str| StoreError::Corrupt(format!("transactions.{field}"));
        let currency = |code: &str| Currency::parse(code).ok_or_else(|| corrupt("currency"));
        let transfer = match (doc.transfer_account_id, doc.transfer_amount_minor, doc.transfer_currency) {
            (Some(account), Some(amount_minor), Some(code)) => Some(TransferLeg {
                account_id: AccountId::new(id_of(account)),
                amount_minor,
                currency: currency(&code)?,
            }),
            _ => None,
        };
        let original = match (doc.original_amount_minor, doc.original_currency) {
            (Some(minor), Some(code)) => Some((minor, currency(&code)?)),
            _ => None,
        };
        let splits = doc.splits.into_iter().map(|split| Split {
            category_id: CategoryId::new(id_of(split.category_id)),
            amount_minor: split.amount_minor,
            notes: split.notes,
        });
        Ok(Self {
            id: TransactionId::new(id_of(doc.id)),
            posted: Transaction {
                account_id: AccountId::new(id_of(doc.account_id)),
                kind: TransactionType::parse(&doc.kind).ok_or_else(|| corrupt("type"))?,
                amount_minor: doc.amount_minor,
                currency: currency(&doc.currency)?,
                date: parse_date(&doc.date).ok_or_else(|| corrupt("date"))?,
                category_id: doc.category_id.map(|id| CategoryId::new(id_of(id))),
                splits: splits.collect(),
                transfer,
            },
            status: TransactionStatus::parse(&doc.status).ok_or_else(|| corrupt("status"))?,
            description: doc.description,
            merchant: doc.merchant,
            notes: doc.notes,
            tags: doc.tags,
            original,
            external_id: doc.external_id,
            created_at_ms: doc.created_at.timestamp_millis(),
            updated_at_ms: doc.updated_at.timestamp_millis(),
            deleted_at_ms: doc.deleted_at.map(|at| at.timestamp_millis()),
            version: doc.version,
            knowledge: doc.knowledge,
        })
    }
}

/// One index for each filter alone, each in the list's order and without tombstones.
pub(super) fn indexes() -> Vec<(&'static str, IndexModel)> {
    let live = || IndexOptions::builder().partial_filter_expression(doc! {"deleted": false}).build();
    let mut indexes: Vec<_> = ["accountIds", "categoryIds", "type", "status", "tags", "terms"]
        .into_iter()
        .map(|field| {
            let keys = doc! {"userId": 1, field: 1, "date": -1, "_id": -1};
            (TRANSACTIONS, IndexModel::builder().keys(keys).options(live()).build())
        })
        .collect();
    // The amount is in the key, so that a range of amounts is decided before a document is read.
    let by_date = doc! {"userId": 1, "date": -1, "_id": -1, "amountE4": 1};
    indexes.push((TRANSACTIONS, IndexModel::builder().keys(by_date).options(live()).build()));
    indexes
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub from: Option<Date>,
    pub to: Option<Date>,
    pub account: Option<AccountId>,
    pub category: Option<CategoryId>,
    pub kind: Option<TransactionType>,
    pub status: Option<TransactionStatus>,
    pub tag: Option<String>,
    /// In ten-thousandths of the currency's unit.
    pub amount_min_e4: Option<i64>,
    pub amount_max_e4: Option<i64>,
    /// Folded words; each must begin a word of the transaction.
    pub words: Vec<String>,
}

/// Where a page begins: after this transaction, in the list's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub date: Date,
    pub id: TransactionId,
}

impl Position {
    pub fn encode(&self) -> String {
        format!("{}|{}", self.date, self.id)
    }

    pub fn decode(text: &str) -> Option<Self> {
        let (date, id) = text.split_once('|')?;
        Some(Self { date: parse_date(date)?, id: TransactionId::parse(id)? })
    }
}

impl Filter {
    /// The one condition that an index answers in the list's order, and the rest, which is checked on what it finds.
    fn split(&self, user: UserId) -> (Document, Document) {
        let mut conditions: Vec<(&str, Bson)> = Vec::new();
        if let Some(account) = self.account {
            conditions.push(("accountIds", uuid_of(account.uuid()).into()));
        }
        if let Some(category) = self.category {
            conditions.push(("categoryIds", uuid_of(category.uuid()).into()));
        }
        if let Some(tag) = &self.tag {
            conditions.push(("tags", tag.clone().into()));
        }
        let terms = self.words.iter().map(|word| search_terms::prefix(word, PREFIX_LENGTH_MAX).to_owned());
        conditions.extend(terms.map(|term| ("terms", term.into())));
        if let Some(status) = self.status {
            conditions.push(("status", status.as_str().into()));
        }
        if let Some(kind) = self.kind {
            conditions.push(("type", kind.as_str().into()));
        }
        let mut indexed = doc! {"userId": uuid_of(user.uuid()), "deleted": false};
        let mut rest: Vec<Document> = Vec::new();
        for (index, (field, value)) in conditions.into_iter().enumerate() {
            if index == 0 {
                indexed.insert(field, value);
            } else {
                rest.push(doc! {field: value});
            }
        }
        // A word longer than the stored prefixes: what the prefix found must also begin with all of it.
        for word in self.words.iter().filter(|word| word.chars().count() > PREFIX_LENGTH_MAX) {
            // Folded words are letters, digits and marks: nothing in them is special to a pattern.
            rest.push(doc! {"terms": {"$regex": format!("^{word}")}});
        }
        let mut amount = Document::new();
        amount.extend(self.amount_min_e4.map(|min| ("$gte".to_owned(), min.into())));
        amount.extend(self.amount_max_e4.map(|max| ("$lte".to_owned(), max.into())));
        if !amount.is_empty() {
            // Alone it goes with the index by date, which holds it; beside another filter it is checked afterwards.
            let alone = indexed.len() == 2 && rest.is_empty();
            if alone {
                indexed.insert("amountE4", amount);
            } else {
                rest.push(doc! {"amountE4": amount});
            }
        }
        let mut date = Document::new();
        date.extend(self.from.map(|from| ("$gte".to_owned(), from.to_string().into())));
        date.extend(self.to.map(|to| ("$lte".to_owned(), to.to_string().into())));
        if !date.is_empty() {
            indexed.insert("date", date);
        }
        (
            indexed,
            if rest.is_empty() {
                Document::new()
            } else {
                doc! {"$and": rest}
            },
        )
    }
}

/// One page, and where the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPage {
    pub records: Vec<StoredTransaction>,
    pub next: Option<Position>,
}

/// The transactions of one user, within one request.
pub struct Transactions {
    store: Store,
}

impl Transactions {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// A transaction that is not deleted.
    pub async fn find(
        &self,
        user: UserId,
        id: TransactionId,
    ) -> Result<Option<StoredTransaction>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let filter =
                    doc! {"_id": uuid_of(id.uuid()), "userId": uuid_of(user.uuid()), "deleted": false};
                let records = store.db().await?.collection::<TransactionDoc>(TRANSACTIONS);
                records.find_one(filter).await?.map(StoredTransaction::try_from).transpose()
            })
            .await
    }

    /// Newest first (date, then id). A page whose filters meet nothing in the documents that one page may examine is
    /// short, and says where to go on.
    pub async fn list(
        &self,
        user: UserId,
        filter: Filter,
        after: Option<Position>,
        limit: i64,
    ) -> Result<TransactionPage, StoreError> {
        let store = self.store.clone();
        self.store.run(async move { list(&store, user, &filter, after, limit).await }).await
    }
}

fn position_of(doc: &TransactionDoc) -> Result<Position, StoreError> {
    let date = parse_date(&doc.date).ok_or_else(|| StoreError::Corrupt("transactions.date".into()))?;
    Ok(Position { date, id: TransactionId::new(id_of(doc.id)) })
}

async fn list(
    store: &Store,
    user: UserId,
    filter: &Filter,
    after: Option<Position>,
    limit: i64,
) -> Result<TransactionPage, StoreError> {
    let (mut indexed, rest) = filter.split(user);
    if let Some(after) = after {
        let (date, id) = (after.date.to_string(), uuid_of(after.id.uuid()));
        // The bound on the date lets the index start there; the rest decides among those of the same day.
        let mut bound = indexed.get_document("date").cloned().unwrap_or_default();
        if bound.get_str("$lte").map_or(true, |to| date.as_str() < to) {
            bound.insert("$lte", date.clone());
        }
        indexed.insert("date", bound);
        indexed.insert(
            "$or",
            vec![doc! {"date": {"$lt": date.clone()}}, doc! {"date": date, "_id": {"$lt": id}}],
        );
    }
    let collection = store.db().await?.collection::<TransactionDoc>(TRANSACTIONS);
    let order = doc! {"date": -1, "_id": -1};
    let wanted = usize::try_from(limit).unwrap_or(0);
    let mut found: Vec<TransactionDoc> = if rest.is_empty() {
        collection
            .find(indexed)
            .sort(order)
            .limit(limit.saturating_add(1))
            .max_time(store.left())
            .await?
            .try_collect()
            .await?
    } else {
        let pipeline = vec![
            doc! {"$match": indexed.clone()},
            doc! {"$sort": order.clone()},
            doc! {"$limit": EXAMINED_MAX},
            doc! {"$match": rest},
            doc! {"$limit": limit.saturating_add(1)},
        ];
        let mut found: Vec<TransactionDoc> = collection
            .aggregate(pipeline)
            .max_time(store.left())
            .with_type::<TransactionDoc>()
            .await?
            .try_collect()
            .await?;
        if found.len() <= wanted {
            // Short: the list goes on behind the last document that was examined, if there is one.
            let last = collection
                .find_one(indexed)
                .sort(order)
                .skip(EXAMINED_MAX.unsigned_abs() - 1)
                .max_time(store.left())
                .await?;
            let next = last.as_ref().map(position_of).transpose()?;
            let records = found.drain(..).map(StoredTransaction::try_from).collect::<Result<_, _>>()?;
            return Ok(TransactionPage { records, next });
        }
        found
    };
    let more = found.len() > wanted;
    found.truncate(wanted);
    let next = if more { found.last().map(position_of).transpose()? } else { None };
    Ok(TransactionPage {
        records: found.into_iter().map(StoredTransaction::try_from).collect::<Result<_, _>>()?,
        next,
    })
}
