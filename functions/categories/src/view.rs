//! A category as clients see it.

use serde::Serialize;
use shared::edge::respond::Answer;
use shared::store::Entity;
use shared::store::categories::Category;
use utoipa::ToSchema;

/// A category.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryView {
    /// The category's id.
    pub id: String,
    /// What the user calls it.
    pub name: String,
    /// Whether money comes in or goes out under it; never changes.
    pub kind: &'static str,
    /// Whether the user needs it to live: what the score counts as essential.
    pub essential: bool,
    /// The category that it is a part of.
    pub parent_id: Option<String>,
    /// An archived category is not offered for new transactions.
    pub archived: bool,
    /// Grows with each change of the category.
    pub version: i64,
}

impl From<&Category> for CategoryView {
    fn from(category: &Category) -> Self {
        Self {
            id: category.id.to_string(),
            name: category.name.clone(),
            kind: category.kind.as_str(),
            essential: category.essential,
            parent_id: category.parent_id.map(|id| id.to_string()),
            archived: category.archived,
            version: category.stamp.version,
        }
    }
}

pub(crate) fn ok(category: &Category) -> Answer {
    Answer::ok(&CategoryView::from(category)).etag(&category.tag())
}

pub(crate) fn created(category: &Category) -> Answer {
    let location = format!("/api/v1/categories/{}", category.id);
    Answer::created(location, &CategoryView::from(category)).etag(&category.tag())
}
