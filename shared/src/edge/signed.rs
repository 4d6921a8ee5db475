//! What a handler of a signed-in user asks for: [`Signed`] for the caller and the store as that user sees it, [`Params`] for
//! the query with every bad parameter at once, [`PageRequest`] for where a page of a list begins.
//!
//! Must never answer for a caller who is not signed in: 401 comes from here before a handler runs.

use axum::extract::{FromRef, FromRequestParts};
use finance::calendar::Date;
use finance::id::{AccountId, CategoryId, UserId};
use finance::rejection::Rejection;
use finance::words::Word;
use http::request::Parts;
use uuid::Uuid;

use super::caller::Principal;
use super::cursor::PageStart;
use super::problem::{Problem, ProblemType};
use super::query::Query;
use super::respond::Page;
use super::route::RouteInfo;
use super::scope::Scope;
use super::state::AppState;
use crate::clock::Clock;
use crate::store::transactions::TransactionPosition;
use crate::store::users::{User, Users};
use crate::store::{Store, UserStore};

/// A request of a signed-in user.
pub struct Signed {
    pub principal: Principal,
    pub scope: Scope,
    state: AppState,
    operation: &'static str,
}

impl<S: Send + Sync> FromRequestParts<S> for Signed
where
    AppState: FromRef<S>,
{
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let route = parts.extensions.get::<RouteInfo>();
        let operation =
            route.map(|route| route.operation).ok_or_else(|| Problem::new(ProblemType::Internal))?;
        Ok(Self {
            principal: Principal::from_request_parts(parts, state).await?,
            scope: Scope::from_request_parts(parts, state).await?,
            state: AppState::from_ref(state),
            operation,
        })
    }
}

impl Signed {
    pub fn user(&self) -> UserId {
        self.principal.user
    }

    pub fn clock(&self) -> &Clock {
        self.state.clock()
    }

    /// The store as this user sees it, within the request's MongoDB time.
    pub fn store(&self) -> UserStore {
        UserStore::new(self.unscoped_store(), self.user())
    }

    /// The whole store, for what is not of one user (sessions, users).
    pub fn unscoped_store(&self) -> Store {
        self.state.mongo().within(self.scope.mongo_until)
    }

    /// The user's own record.
    ///
    /// # Errors
    /// 401 where the user was erased since the session was looked up: the token is dead.
    pub async fn profile(&self) -> Result<User, Problem> {
        let user = Users::new(self.unscoped_store()).get(self.user()).await?;
        user.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))
    }
}

/// A place in a list, as its cursor holds it.
pub trait Position: Sized {
    fn encode(&self) -> String;
    fn decode(text: &str) -> Option<Self>;
}

macro_rules! id_positions {
    ($($id:ty = $parse:expr;)*) => { $(impl Position for $id {
        fn encode(&self) -> String {
            self.to_string()
        }
        fn decode(text: &str) -> Option<Self> {
            $parse(text)
        }
    })* };
}

id_positions! {
    AccountId = AccountId::parse;
    CategoryId = CategoryId::parse;
    Uuid = |text| Uuid::try_parse(text).ok();
}

impl Position for TransactionPosition {
    fn encode(&self) -> String {
        TransactionPosition::encode(self)
    }
    fn decode(text: &str) -> Option<Self> {
        TransactionPosition::decode(text)
    }
}

/// The query of a request. It collects every bad parameter; [`Params::finish`] or [`Params::page`] answers them all.
pub struct Params {
    query: Query,
    errors: Vec<Rejection>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await.unwrap_or_else(|never| match never {});
        Ok(Self { query, errors: Vec::new() })
    }
}

impl Params {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    /// A parameter that `parser` reads; `wanted` completes "must be …".
    pub fn parsed<T>(
        &mut self,
        name: &str,
        wanted: &str,
        parser: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.query.parsed(&mut self.errors, name, wanted, parser)
    }

    /// A word of a closed set.
    pub fn word<T: Word>(&mut self, name: &str) -> Option<T> {
        self.query.word(&mut self.errors, name)
    }

    /// A civil date.
    pub fn date(&mut self, name: &str) -> Option<Date> {
        self.query.date(&mut self.errors, name)
    }

    /// `from` and `to`, each a date, in this order.
    pub fn date_range(&mut self) -> (Option<Date>, Option<Date>) {
        self.query.date_range(&mut self.errors)
    }

    /// Adds a refusal of what the parameters say together.
    pub fn reject(&mut self, rejection: Rejection) {
        self.errors.push(rejection);
    }

    /// # Errors
    /// 422 with every bad parameter.
    pub fn finish(self) -> Result<(), Problem> {
        Problem::unless_empty(self.errors)
    }

    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 with every bad parameter; 400 `invalid_cursor`.
    pub fn page<P: Position>(mut self, me: &Signed) -> Result<PageRequest<P>, Problem> {
        let limit = self.query.page_size(&mut self.errors);
        let start = |query: &Query| me.state.cursors().page(me.user(), me.operation, query, P::decode);
        Problem::unless_empty(self.errors)?;
        Ok(PageRequest { start: start(&self.query)?, limit })
    }
}

/// Which page of a list is asked for.
pub struct PageRequest<P> {
    start: PageStart<P>,
    /// How many items the page holds at most.
    pub limit: i64,
}

impl<P: Position> PageRequest<P> {
    /// The last position of the page before; none for the first page.
    pub fn after(&self) -> Option<&P> {
        self.start.after.as_ref()
    }

    /// A page that ends with `next`, if the list goes on.
    pub fn page<T>(&self, items: Vec<T>, next: Option<&P>) -> Page<T> {
        Page { items, next_cursor: next.map(|next| self.start.next(&next.encode())) }
    }

    /// Cuts what was found, one more than the page holds, to the page; answers where the next one begins.
    pub fn cut<T>(&self, mut found: Vec<T>, position: impl Fn(&T) -> P) -> (Vec<T>, Option<P>) {
        let wanted = usize::try_from(self.limit).unwrap_or(0);
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| more).map(position);
        (found, next)
    }
}
