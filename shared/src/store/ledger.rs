//! Posts transactions, any number in one MongoDB transaction, with everything that they move: totals, balances, the user's
//! knowledge, and the idempotency record. A pure function of the caller decides what is posted; it is given what it needs
//! and nothing else.
//!
//! Must never write a transaction without its effects, nor decide what may be posted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::ledger::{Effects, account_movement};
use mongodb::bson::{Document, doc};

use super::accounts::{self, Account};
use super::categories::Category;
use super::entity::{self, Entity, UserStore};
use super::idempotency::{self, Claim, Replay};
use super::reference::{documents, entities};
use super::transactions::{self, StoredTransaction, TRANSACTIONS};
use super::tx::{Tx, TxError, WriteError, work};
use super::{StoreError, batches, counter, totals, users, uuid_of};

/// One transaction as it was and as it will be: an insertion (`before` is `None`), an edit, a tombstone or a restoration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: Option<StoredTransaction>,
    pub after: StoredTransaction,
}

/// All that one request changes, each transaction once.
pub type Plan = Vec<Change>;

/// What a decision is made from. Accounts and categories of the named transactions are loaded with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub transactions: BTreeSet<TransactionId>,
    pub accounts: BTreeSet<AccountId>,
    /// The user's first account: the oldest that is not archived.
    pub first_account: bool,
    pub categories: BTreeSet<CategoryId>,
}

/// What was loaded, within the transaction that carries the decision out.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Deleted ones too.
    pub transactions: BTreeMap<TransactionId, StoredTransaction>,
    pub accounts: BTreeMap<AccountId, Account>,
    pub first_account: Option<AccountId>,
    pub categories: BTreeMap<CategoryId, Category>,
    /// The user's own currency and IANA time zone.
    pub currency: Currency,
    pub time_zone: String,
    pub now_ms: i64,
}

/// Decides what is posted. Pure: it may run more than once.
pub type Decide = Arc<dyn Fn(&Loaded) -> Result<Plan, WriteError> + Send + Sync>;

impl UserStore {
    /// Posts what `decide` makes of what `need` names, and answers what `render` makes of the posted transactions, in the
    /// plan's order.
    ///
    /// # Errors
    /// What `decide` refuses; nothing is written then.
    pub async fn post(
        &self,
        claim: Option<Claim>,
        need: Need,
        decide: Decide,
        render: fn(&[StoredTransaction]) -> Replay,
    ) -> Result<Replay, WriteError> {
        let state = (claim, Arc::new(need), decide);
        let work = work(state, move |tx, (claim, need, decide)| {
            Box::pin(async move {
                let loaded = match load(tx, &need, claim.as_ref()).await? {
                    Found::Replay(replay) => return Ok(replay),
                    Found::Loaded(loaded) => loaded,
                };
                let plan = decide(&loaded)?;
                let answer = render(&carry_out(tx, plan, &loaded.accounts).await?);
                if let Some(claim) = &claim {
                    idempotency::insert(tx, claim, &answer).await?;
                }
                Ok(answer)
            })
        });
        self.store.transact(self.user, work).await
    }
}

enum Found {
    /// The request was answered before.
    Replay(Replay),
    Loaded(Loaded),
}

/// Loads what is needed: one command for the named transactions, where there are any, and one for all the rest.
async fn load(tx: &mut Tx, need: &Need, claim: Option<&Claim>) -> Result<Found, TxError> {
    let mut named = Need::clone(need);
    let mut loaded = BTreeMap::new();
    if !need.transactions.is_empty() {
        let ids: Vec<_> = need.transactions.iter().map(|id| uuid_of(id.uuid())).collect();
        let filter = doc! {"_id": {"$in": ids}, "userId": uuid_of(tx.user.uuid())};
        for record in transactions::load(tx, filter).await? {
            named.accounts.extend(record.posted.accounts());
            named.categories.extend(record.posted.parts().iter().filter_map(|(category, _)| *category));
            loaded.insert(record.id, record);
        }
    }
    let pipeline = references(tx, &named, claim);
    let mut found = tx.collection(users::USERS).aggregate(pipeline).session(&mut tx.session).await?;
    let document = found.next(&mut tx.session).await.transpose()?.ok_or(WriteError::UserGone)?;
    if let (Some(claim), Some(record)) = (claim, documents(&document, "replay").next()) {
        return Ok(Found::Replay(idempotency::replay(record, claim)?));
    }
    let mut accounts: Vec<Account> = entities(&document, "accounts")?;
    let first: Vec<Account> = entities(&document, "firstAccount")?;
    let first_account = first.first().map(|account| account.id);
    accounts.extend(first);
    let categories: Vec<Category> = entities(&document, "categories")?;
    let corrupt = |field: &str| StoreError::Corrupt(format!("users.{field}"));
    let currency = document.get_str("currency").ok().and_then(Currency::parse);
    Ok(Found::Loaded(Loaded {
        transactions: loaded,
        accounts: accounts.into_iter().map(|account| (account.id, account)).collect(),
        first_account,
        categories: categories.into_iter().map(|category| (category.id, category)).collect(),
        currency: currency.ok_or_else(|| corrupt("currency"))?,
        time_zone: document.get_str("timeZone").map_err(|_| corrupt("timeZone"))?.to_owned(),
        now_ms: tx.now_ms,
    }))
}

/// The user with the accounts and categories that are named, the first account and the claim's record: one command.
fn references(tx: &Tx, need: &Need, claim: Option<&Claim>) -> Vec<Document> {
    let lookup = |collection: &str, pipeline: Vec<Document>, name: &str| {
        doc! {"$lookup": {"from": collection, "pipeline": pipeline, "as": name}}
    };
    let mine = |ids: Vec<mongodb::bson::Uuid>| {
        let mut filter = entity::mine(tx.user);
        filter.insert("_id", doc! {"$in": ids});
        vec![doc! {"$match": filter}]
    };
    let mut steps = vec![
        doc! {"$match": {"_id": uuid_of(tx.user.uuid())}},
        doc! {"$project": {"currency": 1, "timeZone": 1}},
    ];
    if !need.accounts.is_empty() {
        let ids = need.accounts.iter().map(|id| uuid_of(id.uuid())).collect();
        steps.push(lookup(Account::COLLECTION, mine(ids), "accounts"));
    }
    if need.first_account {
        let mut filter = entity::mine(tx.user);
        filter.insert("archived", false);
        let first = vec![doc! {"$match": filter}, doc! {"$sort": {"_id": 1}}, doc! {"$limit": 1}];
        steps.push(lookup(Account::COLLECTION, first, "firstAccount"));
    }
    if !need.categories.is_empty() {
        let ids = need.categories.iter().map(|id| uuid_of(id.uuid())).collect();
        steps.push(lookup(Category::COLLECTION, mine(ids), "categories"));
    }
    if let Some(claim) = claim {
        steps.push(lookup(idempotency::COLLECTION, vec![doc! {"$match": claim.filter()}], "replay"));
    }
    steps
}

/// Writes a plan with everything that it moves. `accounts` has at least those whose balance it may move. Answers the
/// transactions as they are now.
pub(super) async fn carry_out(
    tx: &mut Tx,
    plan: Plan,
    accounts: &BTreeMap<AccountId, Account>,
) -> Result<Vec<StoredTransaction>, TxError> {
    let count = i64::try_from(plan.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut knowledge = counter::next(tx, count).await?.saturating_sub(count);
    let mut effects = Effects::default();
    let (mut inserts, mut updates, mut written) = (Vec::new(), Vec::new(), Vec::with_capacity(plan.len()));
    for Change { before, mut after } in plan {
        knowledge = knowledge.saturating_add(1);
        after.knowledge = knowledge;
        let before_live = before.as_ref().and_then(StoredTransaction::live);
        effects.add(&Effects::change(before_live, after.live())?)?;
        let document = transactions::to_document(tx.user, &after)?;
        if before.is_some() {
            let filter = doc! {"_id": uuid_of(after.id.uuid()), "userId": uuid_of(tx.user.uuid())};
            updates.push(doc! {"q": filter, "u": document});
        } else {
            inserts.push(document);
        }
        written.push(after);
    }
    if !inserts.is_empty() {
        tx.collection(TRANSACTIONS).insert_many(inserts).session(&mut tx.session).await?;
    }
    batches::update(tx, TRANSACTIONS, updates).await?;
    totals::apply(tx, &effects).await?;
    accounts::add_movements(tx, &movements(&effects, accounts)?).await?;
    Ok(written)
}

/// How far each account's balance moves; those that do not move are left out.
fn movements(
    effects: &Effects,
    accounts: &BTreeMap<AccountId, Account>,
) -> Result<Vec<(AccountId, i64)>, TxError> {
    let touched: BTreeSet<AccountId> = effects.days.keys().map(|key| key.account).collect();
    let mut moved = Vec::new();
    for id in touched {
        let account = accounts.get(&id);
        let opening: Option<Date> = account.map(|account| account.opening_date);
        let opening = opening.ok_or_else(|| StoreError::Corrupt("a transaction's account".into()))?;
        let minor = account_movement(effects, id, Some(opening))?;
        if minor != 0 {
            moved.push((id, minor));
        }
    }
    Ok(moved)
}
