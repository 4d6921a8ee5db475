//! What every owned, versioned document has in common, and the store as one user sees it: finding, listing, following,
//! inserting and changing entities of any kind. Nothing here can be asked without a user.
//!
//! Must never know what an entity means: its own file says how it is stored, and what must hold before it is written.

use finance::id::{AccountId, CategoryId, UserId};
use futures_util::TryStreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use mongodb::IndexModel;
use mongodb::bson::{self, Document, doc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::idempotency::{Claim, Replay};
use super::mongo::index;
use super::tx::{Tx, TxError, WriteError, work};
use super::{Store, StoreError, counter, id_of, millis, uuid_of};

/// What a write gives every entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// 1 for a new entity, one more with each change.
    pub version: i64,
    /// The user's change counter at the last write.
    pub knowledge: i64,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// Milliseconds since 1970.
    pub updated_at_ms: i64,
}

/// The id of an entity.
pub trait EntityId: Copy + Send + Sync + 'static {
    fn from_uuid(uuid: Uuid) -> Self;
    fn to_uuid(self) -> Uuid;
}

macro_rules! entity_ids {
    ($($id:ty),*) => { $(impl EntityId for $id {
        fn from_uuid(uuid: Uuid) -> Self {
            <$id>::new(uuid)
        }
        fn to_uuid(self) -> Uuid {
            self.uuid()
        }
    })* };
}

entity_ids!(AccountId, CategoryId);

/// A kind of owned, versioned document.
pub trait Entity: Clone + Send + Sync + Sized + 'static {
    /// The collection.
    const COLLECTION: &'static str;
    /// The name in the delta feed, in limits and in messages.
    const KIND: &'static str;
    /// How many a user may have.
    const MAX: u64;
    type Id: EntityId;
    /// The fields of its own, as they are stored.
    type Fields: Serialize + DeserializeOwned;

    fn id(&self) -> Self::Id;
    fn stamp(&self) -> Stamp;
    fn stamp_mut(&mut self) -> &mut Stamp;
    fn to_fields(&self) -> Self::Fields;
    /// # Errors
    /// Fields that no write of ours makes.
    fn from_fields(id: Self::Id, stamp: Stamp, fields: Self::Fields) -> Result<Self, StoreError>;

    /// The strong entity tag: it changes whenever a client would see other bytes.
    fn tag(&self) -> String {
        self.stamp().version.to_string()
    }

    /// Checks what must hold before `after` is written, and completes what only the database knows.
    fn prepare<'a>(
        tx: &'a mut Tx,
        before: Option<&'a Self>,
        after: &'a mut Self,
    ) -> BoxFuture<'a, Result<(), TxError>> {
        let _ = (tx, before, after);
        std::future::ready(Ok(())).boxed()
    }
}

/// The versions of an entity that a request accepts (`If-Match`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    Any,
    /// One of these tags.
    OneOf(Vec<String>),
}

impl Expected {
    pub fn allows(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|known| known == tag),
        }
    }

    /// # Errors
    /// [`WriteError::Stale`].
    pub fn check(&self, tag: &str) -> Result<(), WriteError> {
        if self.allows(tag) { Ok(()) } else { Err(WriteError::Stale) }
    }
}

/// An entity as it is stored.
pub(super) fn to_document<E: Entity>(user: UserId, entity: &E) -> Result<Document, StoreError> {
    let stamp = entity.stamp();
    let mut document = doc! {"_id": uuid_of(entity.id().to_uuid()), "userId": uuid_of(user.uuid())};
    document.extend(bson::serialize_to_document(&entity.to_fields())?);
    document.extend(doc! {
        "version": stamp.version, "knowledge": stamp.knowledge, "deleted": false,
        "createdAt": millis(stamp.created_at_ms), "updatedAt": millis(stamp.updated_at_ms),
    });
    Ok(document)
}

/// An entity as it was stored.
pub(super) fn from_document<E: Entity>(document: Document) -> Result<E, StoreError> {
    let corrupt = |field: &str| StoreError::Corrupt(format!("{}.{field}", E::COLLECTION));
    let id = document.get("_id").and_then(uuid_in).ok_or_else(|| corrupt("_id"))?;
    // Documents of the first releases have no times; an id holds the time at which it was made.
    let made = i64::try_from(id.as_u128() >> 80).unwrap_or(0);
    let time = |name: &str| document.get_datetime(name).map_or(made, |at| at.timestamp_millis());
    let stamp = Stamp {
        version: document.get_i64("version").map_err(|_| corrupt("version"))?,
        knowledge: document.get_i64("knowledge").map_err(|_| corrupt("knowledge"))?,
        created_at_ms: time("createdAt"),
        updated_at_ms: time("updatedAt"),
    };
    E::from_fields(E::Id::from_uuid(id), stamp, bson::deserialize_from_document(document)?)
}

fn uuid_in(value: &bson::Bson) -> Option<Uuid> {
    match value {
        bson::Bson::Binary(binary) => binary.clone().to_uuid().ok().map(id_of),
        _ => None,
    }
}

/// The indexes of any entity's collection: its list, and the user's changes in their order.
pub(super) fn indexes() -> Vec<IndexModel> {
    vec![index(doc! {"userId": 1, "deleted": 1, "_id": 1}), index(doc! {"userId": 1, "knowledge": 1})]
}

/// The user's entities that are not deleted.
pub(super) fn mine(user: UserId) -> Document {
    doc! {"userId": uuid_of(user.uuid()), "deleted": false}
}

fn one<E: Entity>(user: UserId, id: E::Id) -> Document {
    doc! {"_id": uuid_of(id.to_uuid()), "userId": uuid_of(user.uuid()), "deleted": false}
}

/// Reads one within a transaction.
///
/// # Errors
/// [`WriteError::NotFound`].
pub(super) async fn get<E: Entity>(tx: &mut Tx, id: E::Id) -> Result<E, TxError> {
    let found = tx.collection(E::COLLECTION).find_one(one::<E>(tx.user, id)).session(&mut tx.session).await?;
    Ok(from_document(found.ok_or(WriteError::NotFound)?)?)
}

/// Reads all that match a filter within a transaction, by id.
pub(super) async fn get_all<E: Entity>(tx: &mut Tx, filter: Document) -> Result<Vec<E>, TxError> {
    let collection = tx.collection(E::COLLECTION);
    let mut found =
        collection.find(filter).sort(doc! {"_id": 1}).batch_size(1000).session(&mut tx.session).await?;
    let mut list = Vec::new();
    while let Some(next) = found.next(&mut tx.session).await {
        list.push(from_document(next?)?);
    }
    Ok(list)
}

/// Writes a new version of an entity that was read in this transaction.
pub(super) async fn put<E: Entity>(tx: &mut Tx, entity: &E) -> Result<(), TxError> {
    let document = to_document(tx.user, entity)?;
    let filter = one::<E>(tx.user, entity.id());
    tx.collection(E::COLLECTION).replace_one(filter, document).session(&mut tx.session).await?;
    Ok(())
}

/// Writes new entities.
pub(super) async fn put_new<E: Entity>(tx: &mut Tx, entities: &[E]) -> Result<(), TxError> {
    let user = tx.user;
    let documents: Result<Vec<_>, _> = entities.iter().map(|entity| to_document(user, entity)).collect();
    tx.collection(E::COLLECTION).insert_many(documents?).session(&mut tx.session).await?;
    Ok(())
}

/// Leaves a tombstone of an entity that was read in this transaction.
pub(super) async fn bury<E: Entity>(tx: &mut Tx, id: E::Id, knowledge: i64) -> Result<(), TxError> {
    let set = doc! {"deleted": true, "knowledge": knowledge, "updatedAt": millis(tx.now_ms)};
    let update = doc! {"$set": set, "$inc": {"version": 1_i64}};
    tx.collection(E::COLLECTION).update_one(one::<E>(tx.user, id), update).session(&mut tx.session).await?;
    Ok(())
}

/// The store as one user sees it, within one request.
#[derive(Clone)]
pub struct UserStore {
    pub(super) store: Store,
    pub(super) user: UserId,
}

/// What changed, as the delta feed hands it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<E: Entity> {
    pub id: Uuid,
    pub knowledge: i64,
    /// Absent once it is deleted.
    pub value: Option<E>,
}

impl UserStore {
    pub fn new(store: Store, user: UserId) -> Self {
        Self { store, user }
    }

    pub fn user(&self) -> UserId {
        self.user
    }

    /// One that is not deleted.
    pub async fn find<E: Entity>(&self, id: E::Id) -> Result<Option<E>, StoreError> {
        let (store, filter) = (self.store.clone(), one::<E>(self.user, id));
        self.store
            .run(async move {
                let found = store.collection(E::COLLECTION).await?.find_one(filter).await?;
                found.map(from_document).transpose()
            })
            .await
    }

    /// Oldest first, at most `limit`, after the one with id `after`.
    pub async fn list<E: Entity>(&self, after: Option<E::Id>, limit: i64) -> Result<Vec<E>, StoreError> {
        let (store, mut filter) = (self.store.clone(), mine(self.user));
        if let Some(after) = after {
            filter.insert("_id", doc! {"$gt": uuid_of(after.to_uuid())});
        }
        let order = doc! {"_id": 1};
        self.store
            .run(async move {
                read_page::<E>(&store, filter, order, limit).await?.map(from_document).collect()
            })
            .await
    }

    /// What changed after a number of the user's knowledge, tombstones too, in the order of change; at most `limit`.
    pub async fn changed_since<E: Entity>(
        &self,
        knowledge: i64,
        limit: i64,
    ) -> Result<Vec<Changed<E>>, StoreError> {
        let store = self.store.clone();
        let filter = doc! {"userId": uuid_of(self.user.uuid()), "knowledge": {"$gt": knowledge}};
        let order = doc! {"knowledge": 1};
        self.store
            .run(async move {
                let found = read_page::<E>(&store, filter, order, limit).await?;
                found.map(changed).collect::<Result<Vec<_>, _>>()
            })
            .await
    }

    /// Adds an entity.
    ///
    /// # Errors
    /// [`WriteError::LimitReached`], or what [`Entity::prepare`] refuses.
    pub async fn insert<E: Entity>(
        &self,
        claim: Option<Claim>,
        new: E,
        render: fn(&E) -> Replay,
    ) -> Result<Replay, WriteError> {
        let work = work((new, render), |tx, (new, render)| Box::pin(insert(tx, new, render)));
        self.store.write(self.user, claim, work).await
    }

    /// Changes an entity.
    ///
    /// # Errors
    /// [`WriteError::NotFound`], [`WriteError::Stale`], or what [`Entity::prepare`] refuses.
    pub async fn update<E: Entity>(
        &self,
        id: E::Id,
        expected: Expected,
        change: impl Fn(E) -> E + Clone + Send + Sync + 'static,
    ) -> Result<E, WriteError> {
        let work = work((expected, change), move |tx, (expected, change)| {
            Box::pin(async move {
                let before: E = get(tx, id).await?;
                expected.check(&before.tag())?;
                let mut after = change(before.clone());
                E::prepare(tx, Some(&before), &mut after).await?;
                let stamp = before.stamp();
                *after.stamp_mut() = Stamp {
                    version: stamp.version.saturating_add(1),
                    knowledge: counter::next(tx, 1).await?,
                    updated_at_ms: tx.now_ms,
                    ..stamp
                };
                put(tx, &after).await?;
                Ok(after)
            })
        });
        self.store.transact(self.user, work).await
    }
}

/// Reads a page in one command.
async fn read_page<E: Entity>(
    store: &Store,
    filter: Document,
    order: Document,
    limit: i64,
) -> Result<std::vec::IntoIter<Document>, StoreError> {
    let collection = store.collection(E::COLLECTION).await?;
    let batch = u32::try_from(limit).unwrap_or(u32::MAX);
    let found = collection.find(filter).sort(order).limit(limit).batch_size(batch).max_time(store.left());
    Ok(found.await?.try_collect::<Vec<_>>().await?.into_iter())
}

fn changed<E: Entity>(document: Document) -> Result<Changed<E>, StoreError> {
    let corrupt = |field: &str| StoreError::Corrupt(format!("{}.{field}", E::COLLECTION));
    let deleted = document.get_bool("deleted").map_err(|_| corrupt("deleted"))?;
    Ok(Changed {
        id: document.get("_id").and_then(uuid_in).ok_or_else(|| corrupt("_id"))?,
        knowledge: document.get_i64("knowledge").map_err(|_| corrupt("knowledge"))?,
        value: if deleted { None } else { Some(from_document(document)?) },
    })
}

async fn insert<E: Entity>(tx: &mut Tx, mut new: E, render: fn(&E) -> Replay) -> Result<Replay, TxError> {
    let collection = tx.collection(E::COLLECTION);
    let there = collection.count_documents(mine(tx.user)).limit(E::MAX).session(&mut tx.session).await?;
    if there >= E::MAX {
        return Err(WriteError::LimitReached { kind: E::KIND, max: E::MAX }.into());
    }
    E::prepare(tx, None, &mut new).await?;
    let knowledge = counter::next(tx, 1).await?;
    *new.stamp_mut() = Stamp { version: 1, knowledge, created_at_ms: tx.now_ms, updated_at_ms: tx.now_ms };
    put_new(tx, std::slice::from_ref(&new)).await?;
    Ok(render(&new))
}
