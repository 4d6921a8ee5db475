//! `/categories`: what money is earned with or spent on. Must never change a category's kind: what it meant in past
//! months would change with it.

mod contract;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use finance::category::CategoryKind;
use finance::id::CategoryId;
use serde::Serialize;
use shared::boot::Boot;
use shared::config::Need;
use shared::edge::AppState;
use shared::edge::body::{Body, Text};
use shared::edge::path::Id;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{Function, IfMatch, Principal, Problem, RouteInfo, Routes, Scope, layers};
use shared::store::Claim;
use shared::store::categories::{Categories, Category};
use shared::{ids, json_body};
use utoipa::ToSchema;

pub use contract::contract;

pub const FUNCTION: Function = Function { name: "categories", needs: &[Need::Mongo, Need::Redis, Need::Jwt] };

fn table() -> Routes<AppState> {
    Routes::new()
        .get("/categories", "list_categories", list_categories)
        .query(&["limit", "cursor"])
        .post("/categories", "create_category", create_category)
        .get("/categories/{id}", "get_category", get_category)
        .patch("/categories/{id}", "update_category", update_category)
        .delete("/categories/{id}", "delete_category", delete_category)
        .query(&["moveTo"])
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

pub fn build(boot: &Boot) -> Router {
    layers::serve(boot, FUNCTION.name, table(), AppState::new(boot))
}

type Name = Text<1, 100>;

json_body! {
    /// A new category.
    pub struct CreateCategoryBody {
        /// What the user calls it.
        required name: Name as "name",
        /// Whether money comes in or goes out under it. It cannot change later.
        required kind: CategoryKind as "kind",
        /// Whether the user needs it to live: what the score counts as essential.
        default essential: bool as "essential" = false,
        /// The category that it is a part of, of the same kind and without a parent itself.
        optional parent_id: CategoryId as "parentId",
        /// An archived category is not offered for new transactions.
        default archived: bool as "archived" = false,
    }
}

json_body! {
    /// A change of a category (RFC 7396). Its kind cannot change.
    pub struct UpdateCategoryBody {
        /// What the user calls it.
        change name: Name as "name",
        /// Whether the user needs it to live: what the score counts as essential.
        change essential: bool as "essential",
        /// The category that it is a part of, of the same kind and without a parent itself; `null` for none.
        patch parent_id: CategoryId as "parentId",
        /// An archived category is not offered for new transactions.
        change archived: bool as "archived",
    }
}

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
            version: category.version,
        }
    }
}

fn tag(category: &Category) -> String {
    category.version.to_string()
}

fn shown(category: &Category) -> Answer {
    Answer::ok(&CategoryView::from(category)).etag(&tag(category))
}

fn created(category: &Category) -> Answer {
    let location = format!("/api/v1/categories/{}", category.id);
    Answer::created(location, &CategoryView::from(category)).etag(&tag(category))
}

async fn list_categories(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let limit = query.page_size(&mut errors);
    query::finish(errors)?;
    let page = app.cursors.page(caller.user, "list_categories", &query, CategoryId::parse)?;
    let found =
        Categories::new(app.store(&scope)).list(caller.user, page.after, limit.saturating_add(1)).await?;
    let (items, next_cursor) = page.cut(found, limit, |category| category.id.to_string());
    Ok(Answer::ok(&Page { items: items.iter().map(CategoryView::from).collect(), next_cursor }))
}

async fn get_category(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<CategoryId>,
) -> Result<Answer, Problem> {
    let found = Categories::new(app.parts()?.store(&scope)).find(caller.user, id).await?;
    found.as_ref().map(shown).ok_or_else(Problem::not_found)
}

async fn create_category(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    headers: HeaderMap,
    Body { value: body, raw }: Body<CreateCategoryBody>,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let claim = Claim::from_headers(&headers, &caller, "POST /categories", &raw)?;
    let category = Category {
        id: CategoryId::new(ids::new_id(&app.clock)),
        name: body.name.0,
        kind: body.kind,
        essential: body.essential,
        parent_id: body.parent_id,
        archived: body.archived,
        version: 1,
        knowledge: 0,
    };
    Ok(Categories::new(app.store(&scope)).insert(caller.user, claim, category, created).await?)
}

async fn update_category(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<CategoryId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateCategoryBody>,
) -> Result<Answer, Problem> {
    let fresh = move |category: &Category| condition.allows(&tag(category));
    let change = move |category: Category| {
        let body = body.clone();
        Category {
            name: body.name.map_or(category.name, |name| name.0),
            essential: body.essential.unwrap_or(category.essential),
            parent_id: body.parent_id.apply(category.parent_id),
            archived: body.archived.unwrap_or(category.archived),
            ..category
        }
    };
    let categories = Categories::new(app.parts()?.store(&scope));
    Ok(shown(&categories.update(caller.user, id, fresh, change).await?))
}

async fn delete_category(
    State(app): State<AppState>,
    scope: Scope,
    caller: Principal,
    Id(id): Id<CategoryId>,
    condition: IfMatch,
    query: Query,
) -> Result<Answer, Problem> {
    let mut errors = Vec::new();
    let move_to = query.parsed(&mut errors, "moveTo", "a category's id", CategoryId::parse);
    query::finish(errors)?;
    let fresh = move |category: &Category| condition.allows(&tag(category));
    Categories::new(app.parts()?.store(&scope)).delete(caller.user, id, fresh, move_to).await?;
    Ok(Answer::no_content())
}
