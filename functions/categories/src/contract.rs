//! What `/categories` promises. Must never describe what the code does not do: the document's tests compare.

use finance::category::CategoryKind;
use finance::id::CategoryId;
use serde_json::json;
use shared::edge::ProblemType::{CategoryKindMismatch, InUse, LimitReached, TooManyTransactions};
use shared::edge::contract::{Contract, Operation, Parameter, example};

use crate::{CategoryView, CreateCategoryBody, UpdateCategoryBody};

const ID: &str = "The category's id.";

fn view(name: &str) -> CategoryView {
    CategoryView {
        id: example::CATEGORY.to_owned(),
        name: name.to_owned(),
        kind: "expense",
        essential: false,
        parent_id: None,
        archived: false,
        version: 1,
    }
}

/// The function's operations.
pub fn contract() -> Contract {
    let operations = vec![
        Operation::new(
            "list_categories",
            "List the categories",
            "The user's categories in the order in which they were made, archived ones too.",
        )
        .pages("CategoryPage", vec![view("Cafés")])
        .sample_query("?limit=50"),
        Operation::new(
            "create_category",
            "Create a category",
            "Creates a category. One with a parent is a subcategory of it; there are two levels.",
        )
        .body::<CreateCategoryBody>(json!({"name": "Cafés", "kind": "expense", "essential": false}))
        .answers(201, "Created.", view("Cafés"))
        .headers(&["Location", "ETag"])
        .idempotent()
        .problems(&[LimitReached, CategoryKindMismatch]),
        Operation::new("get_category", "Read a category", "One category.")
            .id(ID, example::CATEGORY)
            .answers(200, "The category.", view("Cafés"))
            .headers(&["ETag"]),
        Operation::new(
            "update_category",
            "Change a category",
            "Changes the fields that are given and leaves the others (RFC 7396). The kind cannot change: what it meant in \
             past months would change with it.",
        )
        .id(ID, example::CATEGORY)
        .body::<UpdateCategoryBody>(json!({"name": "Coffee", "essential": true}))
        .answers(200, "Changed.", CategoryView { essential: true, version: 2, ..view("Coffee") })
        .headers(&["ETag"])
        .conditional()
        .problems(&[CategoryKindMismatch]),
        Operation::new(
            "delete_category",
            "Delete a category",
            "Deletes a category. One that transactions or subcategories use is 409 `in_use`, unless `moveTo` names the \
             category that takes them.",
        )
        .id(ID, example::CATEGORY)
        .parameter(Parameter::of::<CategoryId>(
            "moveTo",
            "The category of the same kind that takes the transactions and subcategories.",
            example::OTHER_CATEGORY,
        ))
        .sample_query(format!("?moveTo={}", example::OTHER_CATEGORY))
        .conditional()
        .problems(&[InUse, TooManyTransactions, CategoryKindMismatch]),
    ];
    Contract::new("What money is earned with or spent on.", operations)
        .words_of::<CategoryKind>("CategoryView", "kind")
}
