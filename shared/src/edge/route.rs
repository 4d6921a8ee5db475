//! The route table: what a function answers, for whom, how often, with which query. Each route is a value that makes both the axum
//! router and the table, so that they cannot differ. Must never hold a handler's logic.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use http::Method;

use crate::config::Need;
use crate::rate_limit::LimitClass;

/// One Lambda function: its name is its package, its directory, its template key and its first path segment.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub name: &'static str,
    pub needs: &'static [Need],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No token is needed.
    Public,
    /// A credential that may read is needed.
    Read,
    /// A credential that may write is needed.
    Write,
}

/// One operation of the API.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    pub method: Method,
    /// Below the base path, as `/transactions/{id}`.
    pub path: &'static str,
    /// `<verb>_<resource>`: the handler's and the OpenAPI operation's name.
    pub operation: &'static str,
    pub access: Access,
    pub limit: LimitClass,
    /// The query parameters that it takes; any other is refused.
    pub query: &'static [&'static str],
    /// The largest body in bytes; `None` takes the configured `MAX_BODY_BYTES`.
    pub body_max: Option<usize>,
}

/// A route and its handler.
pub struct Route<S> {
    info: RouteInfo,
    handler: MethodRouter<S>,
}

macro_rules! methods {
    ($($method:ident = $name:ident, $access:ident;)*) => { $(
        /// A private operation, named as its handler; [`Route::public`] and the like change it.
        pub fn $method<H, T, S>(path: &'static str, handler: H) -> Route<S>
        where
            H: Handler<T, S>,
            T: 'static,
            S: Clone + Send + Sync + 'static,
        {
            let operation = function_name::<H>();
            let info = RouteInfo {
                method: Method::$name,
                path,
                operation,
                access: Access::$access,
                limit: LimitClass::General,
                query: &[],
                body_max: None,
            };
            Route { info, handler: routing::$method(handler) }
        }
    )* };
}

methods! {
    get = GET, Read;
    post = POST, Write;
    put = PUT, Write;
    patch = PATCH, Write;
    delete = DELETE, Write;
}

/// The last segment of a function's path: its own name.
fn function_name<H>() -> &'static str {
    std::any::type_name::<H>().rsplit("::").next().unwrap_or_default()
}

impl<S> Route<S> {
    /// No token is needed.
    pub fn public(mut self) -> Self {
        self.info.access = Access::Public;
        self
    }

    /// A second route of a handler, under a name of its own.
    pub fn named(mut self, operation: &'static str) -> Self {
        self.info.operation = operation;
        self
    }

    pub fn limit(mut self, class: LimitClass) -> Self {
        self.info.limit = class;
        self
    }

    pub fn query(mut self, parameters: &'static [&'static str]) -> Self {
        self.info.query = parameters;
        self
    }

    pub fn body_max(mut self, bytes: usize) -> Self {
        self.info.body_max = Some(bytes);
        self
    }
}

/// All routes of a function.
pub struct Routes<S>(Vec<Route<S>>);

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new(routes: impl IntoIterator<Item = Route<S>>) -> Self {
        Self(routes.into_iter().collect())
    }

    pub fn into_table(self) -> Vec<RouteInfo> {
        self.0.into_iter().map(|route| route.info).collect()
    }

    pub(crate) fn into_parts(self) -> (Router<S>, Vec<RouteInfo>) {
        let mut router = Router::new();
        let mut table = Vec::new();
        for Route { info, handler } in self.0 {
            router = router.route(info.path, handler);
            table.push(info);
        }
        (router, table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn list_budgets() {}

    #[test]
    fn an_operation_has_its_handlers_name_and_a_modifier_changes_its_own_route() {
        let routes: Routes<()> = Routes::new([
            get("/budgets", list_budgets).query(&["limit"]).public(),
            post("/budgets", list_budgets).named("create_budget"),
        ]);
        let table = routes.into_table();
        assert_eq!((table[0].operation, table[0].access), ("list_budgets", Access::Public));
        assert_eq!((table[1].operation, table[1].access), ("create_budget", Access::Write));
        assert!(table[1].query.is_empty());
    }
}
