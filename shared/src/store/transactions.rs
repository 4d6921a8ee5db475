//! Transactions as they are kept and found. Written only by [`super::ledger`], which moves the totals with them.

use std::collections::BTreeSet;

use finance::calendar::{Date, parse_date};
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId, UserId};
use finance::money::comparable_e4;
use finance::transaction::{Split, Transaction, TransactionStatus, TransactionType, TransferLeg};
use futures_util::TryStreamExt;
use mongodb::IndexModel;
use mongodb::bson::{self, Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{CollectionOptions, IndexOptions, ReadConcern};
use serde::{Deserialize, Serialize};

use super::entity::UserStore;
use super::mongo::index;
use super::search_terms::{self, PREFIX_LENGTH_MAX};
use super::tx::{Tx, TxError};
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
    /// The strong entity tag.
    pub fn tag(&self) -> String {
        self.version.to_string()
    }

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
}

/// What the indexes find a transaction by, and what a summary sums. No read takes them along.
const DERIVED: [&str; 5] = ["accountIds", "categoryIds", "terms", "amountE4", "parts"];

/// The projection of every read of whole transactions.
pub(super) fn stored_fields() -> Document {
    DERIVED.iter().map(|name| ((*name).to_owned(), Bson::Int32(0))).collect()
}

fn derived(record: &StoredTransaction) -> Document {
    let posted = &record.posted;
    let parts = posted.parts();
    let categories: BTreeSet<CategoryId> = parts.iter().filter_map(|(category, _)| *category).collect();
    let accounts: Vec<_> = posted.accounts().map(|id| uuid_of(id.uuid())).collect();
    let parts: Vec<Document> = parts
        .iter()
        .map(|(category, minor)| {
            let category = category.map_or(Bson::Null, |id| uuid_of(id.uuid()).into());
            doc! {"categoryId": category, "amountMinor": *minor}
        })
        .collect();
    doc! {
        "accountIds": accounts,
        "categoryIds": categories.iter().map(|id| uuid_of(id.uuid())).collect::<Vec<_>>(),
        "terms": terms_of(
            &record.description,
            record.merchant.as_deref(),
            &record.tags,
            record.notes.as_deref(),
        ),
        "amountE4": to_e4(posted.amount_minor, posted.currency),
        // What each part counts for, so that a summary needs no case for splits.
        "parts": parts,
    }
}

/// A transaction as it is stored, with what it is found by.
pub(super) fn to_document(user: UserId, record: &StoredTransaction) -> Result<Document, StoreError> {
    let mut document = bson::serialize_to_document(&TransactionDoc::new(user, record))?;
    document.extend(derived(record));
    Ok(document)
}

impl TransactionDoc {
    fn new(user: UserId, record: &StoredTransaction) -> Self {
        let posted = &record.posted;
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
pub(super) fn indexes() -> Vec<IndexModel> {
    let live = || IndexOptions::builder().partial_filter_expression(doc! {"deleted": false}).build();
    let mut indexes: Vec<_> = ["accountIds", "categoryIds", "type", "status", "tags", "terms"]
        .into_iter()
        .map(|field| {
            let keys = doc! {"userId": 1, field: 1, "date": -1, "_id": -1};
            IndexModel::builder().keys(keys).options(live()).build()
        })
        .collect();
    // Tombstones follow a move of their account or category.
    for field in ["accountIds", "categoryIds"] {
        let dead = IndexOptions::builder().partial_filter_expression(doc! {"deleted": true}).build();
        let keys = doc! {"userId": 1, field: 1};
        indexes.push(IndexModel::builder().keys(keys).options(dead).build());
    }
    // The user's changes in their order; the one index that has tombstones and live ones alike.
    indexes.push(index(doc! {"userId": 1, "knowledge": 1}));
    // The amount is in the key, so that a range of amounts is decided before a document is read.
    let by_date = doc! {"userId": 1, "date": -1, "_id": -1, "amountE4": 1};
    indexes.push(IndexModel::builder().keys(by_date).options(live()).build());
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
pub struct TransactionPosition {
    pub date: Date,
    pub id: TransactionId,
}

impl TransactionPosition {
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
    pub transactions: Vec<StoredTransaction>,
    pub next: Option<TransactionPosition>,
}

impl UserStore {
    /// A transaction that is not deleted.
    pub async fn transaction(&self, id: TransactionId) -> Result<Option<StoredTransaction>, StoreError> {
        let store = self.store.clone();
        let filter = doc! {"_id": uuid_of(id.uuid()), "userId": uuid_of(self.user.uuid()), "deleted": false};
        self.store
            .run(async move {
                let records = store.db().await?.collection::<TransactionDoc>(TRANSACTIONS);
                let found = records.find_one(filter).projection(stored_fields()).await?;
                found.map(StoredTransaction::try_from).transpose()
            })
            .await
    }

    /// Newest first (date, then id). A page whose filters meet nothing in the documents that one page may examine is
    /// short, and says where to go on.
    pub async fn transactions(
        &self,
        filter: Filter,
        after: Option<TransactionPosition>,
        limit: i64,
    ) -> Result<TransactionPage, StoreError> {
        let (store, user) = (self.store.clone(), self.user);
        self.store.run(async move { list(&store, user, &filter, after, limit).await }).await
    }
}

/// Reads transactions within a transaction, deleted ones too, in no order.
pub(super) async fn load(tx: &mut Tx, filter: Document) -> Result<Vec<StoredTransaction>, TxError> {
    let records = tx.db.collection::<TransactionDoc>(TRANSACTIONS);
    let mut found =
        records.find(filter).projection(stored_fields()).batch_size(1000).session(&mut tx.session).await?;
    let mut list = Vec::new();
    while let Some(next) = found.next(&mut tx.session).await {
        list.push(StoredTransaction::try_from(next?)?);
    }
    Ok(list)
}

/// The condition of the documents behind a position, in the list's order.
fn begin_after(indexed: &mut Document, after: &TransactionPosition) {
    let (date, id) = (after.date.to_string(), uuid_of(after.id.uuid()));
    // The bound on the date lets the index start there; the rest decides among those of the same day.
    let mut bound = indexed.get_document("date").cloned().unwrap_or_default();
    if bound.get_str("$lte").map_or(true, |to| date.as_str() < to) {
        bound.insert("$lte", date.clone());
    }
    indexed.insert("date", bound);
    indexed
        .insert("$or", vec![doc! {"date": {"$lt": date.clone()}}, doc! {"date": date, "_id": {"$lt": id}}]);
}

/// The rows of a page, one more than it holds, and behind them, where they are fewer, the last document that the page may
/// examine: one pipeline on one snapshot, so that no row is lost between the two.
fn pipeline(indexed: &Document, rest: Document, limit: i64) -> Vec<Document> {
    let order = doc! {"date": -1, "_id": -1};
    let mut rows = vec![doc! {"$match": indexed.clone()}, doc! {"$sort": order.clone()}];
    let page = doc! {"$limit": limit.saturating_add(1)};
    if rest.is_empty() {
        rows.extend([page, doc! {"$project": stored_fields()}]);
        return rows;
    }
    let last = vec![
        doc! {"$match": indexed.clone()},
        doc! {"$sort": order},
        doc! {"$skip": EXAMINED_MAX - 1},
        doc! {"$limit": 1},
        doc! {"$project": {"date": 1, LAST_EXAMINED: {"$literal": true}}},
    ];
    rows.extend([
        doc! {"$limit": EXAMINED_MAX},
        doc! {"$match": rest},
        doc! {"$project": stored_fields()},
        doc! {"$unionWith": {"coll": TRANSACTIONS, "pipeline": last}},
        // A full page asks for no more, so that the second part never runs.
        page,
    ]);
    rows
}

/// Marks the last document that a page may examine.
const LAST_EXAMINED: &str = "lastExamined";

async fn list(
    store: &Store,
    user: UserId,
    filter: &Filter,
    after: Option<TransactionPosition>,
    limit: i64,
) -> Result<TransactionPage, StoreError> {
    let (mut indexed, rest) = filter.split(user);
    if let Some(after) = after {
        begin_after(&mut indexed, &after);
    }
    let snapshot = CollectionOptions::builder().read_concern(ReadConcern::snapshot()).build();
    let collection = store.db().await?.collection_with_options::<RawDocumentBuf>(TRANSACTIONS, snapshot);
    let found = collection
        .aggregate(pipeline(&indexed, rest, limit))
        // One more than can come, so that the cursor ends with its first batch.
        .batch_size(u32::try_from(limit).unwrap_or(0).saturating_add(2))
        .max_time(store.left())
        .with_type::<RawDocumentBuf>()
        .await?;
    let found: Vec<RawDocumentBuf> = found.try_collect().await?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let mut transactions = Vec::with_capacity(found.len().min(wanted));
    let mut examined = None;
    let more = found.len() > wanted;
    for document in found {
        if document.get_bool(LAST_EXAMINED).is_ok() {
            let place: Place = bson::deserialize_from_slice(document.as_bytes())?;
            examined = Some(place.try_into()?);
        } else if transactions.len() < wanted {
            let document: TransactionDoc = bson::deserialize_from_slice(document.as_bytes())?;
            transactions.push(StoredTransaction::try_from(document)?);
        }
    }
    let full = more && transactions.len() == wanted;
    let next = match transactions.last() {
        Some(last) if full => Some(TransactionPosition { date: last.posted.date, id: last.id }),
        // A full page whose one more document is the mark goes on behind its last row, too.
        _ => examined,
    };
    Ok(TransactionPage { transactions, next })
}

/// Where a document stands in the list's order.
#[derive(Deserialize)]
struct Place {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    date: String,
}

impl TryFrom<Place> for TransactionPosition {
    type Error = StoreError;
    fn try_from(place: Place) -> Result<Self, StoreError> {
        let date = parse_date(&place.date).ok_or_else(|| StoreError::Corrupt("transactions.date".into()))?;
        Ok(Self { date, id: TransactionId::new(id_of(place.id)) })
    }
}
