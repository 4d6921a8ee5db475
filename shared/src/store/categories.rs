//! Categories as they are stored: what money is earned with or spent on. Must never decide which category may be below
//! which: `finance::category` does.

use finance::category::{CategoryFacts, CategoryKind, CategoryNode, DEFAULT_CATEGORIES, check_parent};
use finance::id::CategoryId;
use futures_util::future::{BoxFuture, FutureExt};
use mongodb::bson;
use serde::{Deserialize, Serialize};

use super::entity::{self, Entity, Stamp};
use super::tx::{Tx, TxError};
use super::{StoreError, id_of, uuid_of};
use crate::clock::Clock;
use crate::ids;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    pub id: CategoryId,
    pub name: String,
    pub kind: CategoryKind,
    pub essential: bool,
    pub parent_id: Option<CategoryId>,
    pub archived: bool,
    pub stamp: Stamp,
}

impl Category {
    pub fn facts(&self) -> CategoryFacts {
        CategoryFacts { kind: self.kind, essential: self.essential }
    }

    pub fn node(&self) -> CategoryNode {
        CategoryNode { id: self.id, kind: self.kind, parent: self.parent_id }
    }

    /// The categories that a new user has, oldest first.
    pub fn defaults(clock: &Clock) -> Vec<Category> {
        let categories = DEFAULT_CATEGORIES.iter().map(|default| Category {
            id: CategoryId::new(ids::new_id(clock)),
            name: default.name.to_owned(),
            kind: default.kind,
            essential: default.essential,
            parent_id: None,
            archived: false,
            stamp: Stamp::default(),
        });
        categories.collect()
    }
}

/// A category's own fields, as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryFields {
    name: String,
    kind: String,
    essential: bool,
    parent_id: Option<bson::Uuid>,
    archived: bool,
}

impl Entity for Category {
    const COLLECTION: &'static str = "categories";
    const KIND: &'static str = "category";
    const MAX: u64 = 500;
    type Id = CategoryId;
    type Fields = CategoryFields;

    fn id(&self) -> CategoryId {
        self.id
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn stamp_mut(&mut self) -> &mut Stamp {
        &mut self.stamp
    }

    fn to_fields(&self) -> CategoryFields {
        CategoryFields {
            name: self.name.clone(),
            kind: self.kind.as_str().to_owned(),
            essential: self.essential,
            parent_id: self.parent_id.map(|id| uuid_of(id.uuid())),
            archived: self.archived,
        }
    }

    fn from_fields(id: CategoryId, stamp: Stamp, fields: CategoryFields) -> Result<Self, StoreError> {
        Ok(Self {
            id,
            name: fields.name,
            kind: CategoryKind::parse(&fields.kind)
                .ok_or_else(|| StoreError::Corrupt("categories.kind".into()))?,
            essential: fields.essential,
            parent_id: fields.parent_id.map(|id| CategoryId::new(id_of(id))),
            archived: fields.archived,
            stamp,
        })
    }

    /// A parent is of the same kind and has none itself.
    fn prepare<'a>(
        tx: &'a mut Tx,
        _: Option<&'a Self>,
        after: &'a mut Self,
    ) -> BoxFuture<'a, Result<(), TxError>> {
        async move {
            if after.parent_id.is_some() {
                let all: Vec<Category> = entity::get_all(tx, entity::mine(tx.user)).await?;
                let nodes: Vec<_> = all.iter().map(Category::node).collect();
                check_parent(&nodes, after.node()).map_err(|refused| vec![refused])?;
            }
            Ok(())
        }
        .boxed()
    }
}
