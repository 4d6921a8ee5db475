//! Categories: what money is earned with or spent on. A deleted one stays as a tombstone.

use std::collections::BTreeMap;
use std::sync::Arc;

use finance::category::{CategoryFacts, CategoryKind, DEFAULT_CATEGORIES};
use finance::id::{CategoryId, UserId};
use mongodb::IndexModel;
use mongodb::bson::{self, Document, doc};
use serde::{Deserialize, Serialize};

use super::{Claim, Store, StoreError, Tx, TxError, WriteError, id_of, ledger, uuid_of};
use crate::clock::Clock;
use crate::edge::respond::Answer;
use crate::ids;
use finance::rejection::Rejection;

pub(super) const CATEGORIES: &str = "categories";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    pub id: CategoryId,
    pub name: String,
    pub kind: CategoryKind,
    pub essential: bool,
    pub parent_id: Option<CategoryId>,
    pub archived: bool,
    pub version: i64,
    pub knowledge: i64,
}

impl Category {
    pub fn facts(&self) -> CategoryFacts {
        CategoryFacts { kind: self.kind, essential: self.essential }
    }

    /// The categories that a new user has, oldest first.
    pub fn defaults(clock: &Clock) -> Vec<Category> {
        let categories = DEFAULT_CATEGORIES.iter().zip(1i64..).map(|(default, knowledge)| Category {
            id: CategoryId::new(ids::new_id(clock)),
            name: default.name.to_owned(),
            kind: default.kind,
            essential: default.essential,
            parent_id: None,
            archived: false,
            version: 1,
            knowledge,
        });
        categories.collect()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CategoryDoc {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    user_id: bson::Uuid,
    name: String,
    kind: String,
    essential: bool,
    parent_id: Option<bson::Uuid>,
    archived: bool,
    version: i64,
    knowledge: i64,
    deleted: bool,
}

impl CategoryDoc {
    fn new(user: UserId, category: &Category) -> Self {
        Self {
            id: uuid_of(category.id.uuid()),
            user_id: uuid_of(user.uuid()),
            name: category.name.clone(),
            kind: category.kind.as_str().to_owned(),
            essential: category.essential,
            parent_id: category.parent_id.map(|id| uuid_of(id.uuid())),
            archived: category.archived,
            version: category.version,
            knowledge: category.knowledge,
            deleted: false,
        }
    }
}

impl TryFrom<CategoryDoc> for Category {
    type Error = StoreError;
    fn try_from(doc: CategoryDoc) -> Result<Self, StoreError> {
        Ok(Self {
            id: CategoryId::new(id_of(doc.id)),
            name: doc.name,
            kind: CategoryKind::parse(&doc.kind)
                .ok_or_else(|| StoreError::Corrupt("categories.kind".into()))?,
            essential: doc.essential,
            parent_id: doc.parent_id.map(|id| CategoryId::new(id_of(id))),
            archived: doc.archived,
            version: doc.version,
            knowledge: doc.knowledge,
        })
    }
}

pub(super) fn indexes() -> Vec<(&'static str, IndexModel)> {
    vec![(CATEGORIES, IndexModel::builder().keys(doc! {"userId": 1, "deleted": 1, "_id": 1}).build())]
}

pub(super) async fn insert_many(tx: &mut Tx, categories: &[Category]) -> Result<(), TxError> {
    let documents: Vec<_> = categories.iter().map(|category| CategoryDoc::new(tx.user, category)).collect();
    tx.db.collection::<CategoryDoc>(CATEGORIES).insert_many(documents).session(&mut tx.session).await?;
    Ok(())
}

fn mine(user: UserId) -> Document {
    doc! {"userId": uuid_of(user.uuid()), "deleted": false}
}

fn one(user: UserId, id: CategoryId) -> Document {
    doc! {"_id": uuid_of(id.uuid()), "userId": uuid_of(user.uuid()), "deleted": false}
}

/// All categories of the transaction's user.
pub(super) async fn load(tx: &mut Tx) -> Result<BTreeMap<CategoryId, Category>, TxError> {
    let filter = mine(tx.user);
    let mut found = tx.db.collection::<CategoryDoc>(CATEGORIES).find(filter).session(&mut tx.session).await?;
    let mut categories = BTreeMap::new();
    while let Some(next) = found.next(&mut tx.session).await {
        let category = Category::try_from(next?)?;
        categories.insert(category.id, category);
    }
    Ok(categories)
}

/// The categories of one user, within one request.
pub struct Categories {
    store: Store,
}

impl Categories {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Oldest first, at most `limit`, after the one with id `after`.
    pub async fn list(
        &self,
        user: UserId,
        after: Option<CategoryId>,
        limit: i64,
    ) -> Result<Vec<Category>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let mut filter = mine(user);
                if let Some(after) = after {
                    filter.insert("_id", doc! {"$gt": uuid_of(after.uuid())});
                }
                let categories = store.db().await?.collection::<CategoryDoc>(CATEGORIES);
                let mut found = categories.find(filter).sort(doc! {"_id": 1}).limit(limit).await?;
                let mut list = Vec::new();
                while found.advance().await? {
                    list.push(Category::try_from(found.deserialize_current()?)?);
                }
                Ok(list)
            })
            .await
    }

    pub async fn find(&self, user: UserId, id: CategoryId) -> Result<Option<Category>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let categories = store.db().await?.collection::<CategoryDoc>(CATEGORIES);
                categories.find_one(one(user, id)).await?.map(Category::try_from).transpose()
            })
            .await
    }

    /// Adds a category whose parent, if any, is one of the same kind and has none itself.
    pub async fn insert(
        &self,
        user: UserId,
        claim: Option<Claim>,
        category: Category,
        render: fn(&Category) -> Answer,
    ) -> Result<Answer, WriteError> {
        let category = Arc::new(category);
        self.store
            .write(
                user,
                claim,
                Arc::new(move |tx| {
                    let mut category = Category::clone(&category);
                    Box::pin(async move {
                        category.knowledge = tx.next_knowledge(1).await?;
                        check_parent(&load(tx).await?, &category)?;
                        insert_many(tx, std::slice::from_ref(&category)).await?;
                        Ok(render(&category))
                    })
                }),
            )
            .await
    }

    pub async fn update(
        &self,
        user: UserId,
        id: CategoryId,
        fresh: impl Fn(&Category) -> bool + Send + Sync + 'static,
        change: impl Fn(Category) -> Category + Send + Sync + 'static,
    ) -> Result<Category, WriteError> {
        let (fresh, change) = (Arc::new(fresh), Arc::new(change));
        self.store
            .transact(
                user,
                Arc::new(move |tx| {
                    let (fresh, change) = (fresh.clone(), change.clone());
                    Box::pin(async move {
                        let knowledge = tx.next_knowledge(1).await?;
                        let all = load(tx).await?;
                        let current = all.get(&id).cloned().ok_or(WriteError::NotFound)?;
                        if !fresh(&current) {
                            return Err(WriteError::Stale.into());
                        }
                        let version = current.version.saturating_add(1);
                        let changed = Category { version, knowledge, ..change(current) };
                        check_parent(&all, &changed)?;
                        tx.db
                            .collection::<CategoryDoc>(CATEGORIES)
                            .replace_one(one(tx.user, id), CategoryDoc::new(tx.user, &changed))
                            .session(&mut tx.session)
                            .await?;
                        Ok(changed)
                    })
                }),
            )
            .await
    }

    /// Deletes a category; its transactions and subcategories move to `move_to`, without which there may be none.
    pub async fn delete(
        &self,
        user: UserId,
        id: CategoryId,
        fresh: impl Fn(&Category) -> bool + Send + Sync + 'static,
        move_to: Option<CategoryId>,
    ) -> Result<(), WriteError> {
        let fresh = Arc::new(fresh);
        self.store
            .transact(
                user,
                Arc::new(move |tx| {
                    let fresh = fresh.clone();
                    Box::pin(async move { delete(tx, id, &*fresh, move_to).await })
                }),
            )
            .await
    }
}

fn check_parent(all: &BTreeMap<CategoryId, Category>, category: &Category) -> Result<(), WriteError> {
    let Some(parent_id) = category.parent_id else { return Ok(()) };
    let refuse =
        |code, detail: &str| Err(WriteError::Rejected(vec![Rejection::new("/parentId", code, detail)]));
    let Some(parent) = all.get(&parent_id) else {
        return refuse("unknown_category", "is no category of yours");
    };
    if parent.kind != category.kind {
        return refuse("category_kind", "must be of the same kind");
    }
    let has_children = all.values().any(|other| other.parent_id == Some(category.id));
    if parent.id == category.id || parent.parent_id.is_some() || has_children {
        return refuse("too_deep", "categories are at most two levels deep");
    }
    Ok(())
}

async fn delete(
    tx: &mut Tx,
    id: CategoryId,
    fresh: &(dyn Fn(&Category) -> bool + Send + Sync),
    move_to: Option<CategoryId>,
) -> Result<(), TxError> {
    let knowledge = tx.next_knowledge(1).await?;
    let all = load(tx).await?;
    let current = all.get(&id).ok_or(WriteError::NotFound)?;
    if !fresh(current) {
        return Err(WriteError::Stale.into());
    }
    let target = match move_to {
        None => None,
        Some(to) => {
            let target = all.get(&to).filter(|target| target.id != id && target.kind == current.kind);
            Some(target.ok_or_else(|| {
                let detail = "must be another category of yours, of the same kind";
                WriteError::Rejected(vec![Rejection::new("/query/moveTo", "invalid_target", detail)])
            })?)
        }
    };
    let children: Vec<&Category> = all.values().filter(|other| other.parent_id == Some(id)).collect();
    if target.is_none() && !children.is_empty() {
        return Err(WriteError::InUse { count: u64::try_from(children.len()).unwrap_or(u64::MAX) }.into());
    }
    // A child moves below the target, or below its parent where the target is a child itself.
    for child in children {
        let parent =
            target.map(|target| target.parent_id.unwrap_or(target.id)).filter(|parent| *parent != child.id);
        let knowledge = tx.next_knowledge(1).await?;
        let moved = Category {
            parent_id: parent.filter(|parent| *parent != id),
            version: child.version.saturating_add(1),
            knowledge,
            ..child.clone()
        };
        tx.db
            .collection::<CategoryDoc>(CATEGORIES)
            .replace_one(one(tx.user, child.id), CategoryDoc::new(tx.user, &moved))
            .session(&mut tx.session)
            .await?;
    }
    let filter =
        doc! {"userId": uuid_of(tx.user.uuid()), "deleted": false, "categoryIds": uuid_of(id.uuid())};
    ledger::move_all(tx, filter, move_to.is_some(), |mut record| {
        if record.posted.category_id == Some(id) {
            record.posted.category_id = move_to;
        }
        for split in &mut record.posted.splits {
            if let (true, Some(to)) = (split.category_id == id, move_to) {
                split.category_id = to;
            }
        }
        Ok(record)
    })
    .await?;
    tx.collection(CATEGORIES)
        .update_one(
            one(tx.user, id),
            doc! {"$set": {"deleted": true, "knowledge": knowledge}, "$inc": {"version": 1_i64}},
        )
        .session(&mut tx.session)
        .await?;
    Ok(())
}
