//! The id in a path. One that is no known id, of whatever form, is a missing resource. Must never answer 400.

use axum::extract::FromRequestParts;
use axum::extract::Path;
use http::request::Parts;

use super::problem::Problem;

/// An id type that a path can name.
pub trait PathId: Sized {
    fn parse_id(text: &str) -> Option<Self>;
}

macro_rules! path_ids {
    ($($type:ty),*) => { $(impl PathId for $type {
        fn parse_id(text: &str) -> Option<Self> { <$type>::parse(text) }
    })* };
}

path_ids!(finance::id::AccountId, finance::id::CategoryId, finance::id::TransactionId);

impl PathId for uuid::Uuid {
    fn parse_id(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
    }
}

/// The `{id}` of the path.
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: PathId + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        T::parse_id(&text).map(Self).ok_or_else(Problem::not_found)
    }
}
