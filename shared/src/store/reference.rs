//! What an answer names beside its rows: the user's own settings, the counter, the categories and, where they are asked for,
//! the accounts, in one command. Must never be read outside the snapshot or transaction of the rows.

use std::collections::BTreeMap;

use finance::currency::Currency;
use finance::id::CategoryId;
use mongodb::bson::{Bson, Document, doc};

use super::accounts::Account;
use super::categories::Category;
use super::entity::{self, Entity};
use super::tx::{Tx, TxError};
use super::{StoreError, counter, users, uuid_of};

/// The user and what belongs to the user's lists.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) currency: Currency,
    pub(super) time_zone: String,
    pub(super) knowledge: i64,
    pub(super) categories: BTreeMap<CategoryId, Category>,
    /// Empty unless they were asked for.
    pub(super) accounts: Vec<Account>,
}

/// `None`: the user is gone.
pub(super) async fn load(tx: &mut Tx, accounts: bool) -> Result<Option<Reference>, TxError> {
    let user = uuid_of(tx.user.uuid());
    let mine = vec![doc! {"$match": entity::mine(tx.user)}];
    let lookup = |collection: &str, pipeline: Vec<Document>| {
        doc! {"$lookup": {"from": collection, "pipeline": pipeline, "as": collection}}
    };
    let mut steps = vec![
        doc! {"$match": {"_id": user}},
        doc! {"$project": {"currency": 1, "timeZone": 1}},
        lookup(counter::LEDGERS, vec![doc! {"$match": {"_id": user}}]),
        lookup(Category::COLLECTION, mine.clone()),
    ];
    if accounts {
        steps.push(lookup(Account::COLLECTION, mine));
    }
    let left = tx.left();
    let users = tx.collection(users::USERS);
    let mut found = users.aggregate(steps).max_time(left).session(&mut tx.session).await?;
    let Some(document) = found.next(&mut tx.session).await.transpose()? else { return Ok(None) };
    let corrupt = |field: &str| StoreError::Corrupt(format!("users.{field}"));
    let ledger = documents(&document, counter::LEDGERS).next().ok_or_else(|| corrupt("ledger"))?;
    let categories: Vec<Category> = entities(&document, Category::COLLECTION)?;
    Ok(Some(Reference {
        currency: document
            .get_str("currency")
            .ok()
            .and_then(Currency::parse)
            .ok_or_else(|| corrupt("currency"))?,
        time_zone: document.get_str("timeZone").map_err(|_| corrupt("timeZone"))?.to_owned(),
        knowledge: counter::knowledge_in(ledger)?,
        categories: categories.into_iter().map(|category| (category.id, category)).collect(),
        accounts: entities(&document, Account::COLLECTION)?,
    }))
}

/// The entities of an array.
pub(super) fn entities<E: Entity>(document: &Document, name: &str) -> Result<Vec<E>, StoreError> {
    documents(document, name).cloned().map(entity::from_document).collect()
}

/// The documents of an array.
pub(super) fn documents<'a>(document: &'a Document, name: &str) -> impl Iterator<Item = &'a Document> {
    document.get_array(name).into_iter().flatten().filter_map(Bson::as_document)
}
