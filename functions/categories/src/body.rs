//! The bodies of `/categories`.

use finance::category::CategoryKind;
use finance::id::CategoryId;
use shared::edge::body::Text;
use shared::json_body;

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
