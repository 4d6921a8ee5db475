//! The route table: what a function answers, for whom, how often, with which query. One builder makes both the axum
//! router and the table, so that they cannot differ. Must never hold a handler's logic.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
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
    /// A live session's access token is.
    Private,
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

/// Builds a function's router and its table of routes together.
pub struct Routes<S> {
    router: Router<S>,
    table: Vec<RouteInfo>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    #[expect(clippy::new_without_default, reason = "a function without routes is no default")]
    pub fn new() -> Self {
        Self { router: Router::new(), table: Vec::new() }
    }

    /// Adds a private operation; [`Routes::public`], [`Routes::limit`], [`Routes::query`] and [`Routes::body_max`]
    /// change the one added last.
    pub fn on<H, T>(mut self, method: Method, path: &'static str, operation: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        self.router = self.router.route(path, on(filter, handler));
        self.table.push(RouteInfo {
            method,
            path,
            operation,
            access: Access::Private,
            limit: LimitClass::General,
            query: &[],
            body_max: None,
        });
        self
    }

    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, op: &'static str, handler: H) -> Self {
        self.on(Method::GET, path, op, handler)
    }
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        op: &'static str,
        handler: H,
    ) -> Self {
        self.on(Method::POST, path, op, handler)
    }
    pub fn patch<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        op: &'static str,
        handler: H,
    ) -> Self {
        self.on(Method::PATCH, path, op, handler)
    }
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        op: &'static str,
        handler: H,
    ) -> Self {
        self.on(Method::DELETE, path, op, handler)
    }

    fn last(mut self, change: impl FnOnce(&mut RouteInfo)) -> Self {
        if let Some(route) = self.table.last_mut() {
            change(route);
        }
        self
    }

    pub fn public(self) -> Self {
        self.last(|route| route.access = Access::Public)
    }
    pub fn limit(self, class: LimitClass) -> Self {
        self.last(|route| route.limit = class)
    }
    pub fn query(self, parameters: &'static [&'static str]) -> Self {
        self.last(|route| route.query = parameters)
    }
    pub fn body_max(self, bytes: usize) -> Self {
        self.last(|route| route.body_max = Some(bytes))
    }

    pub fn table(&self) -> &[RouteInfo] {
        &self.table
    }

    pub fn into_table(self) -> Vec<RouteInfo> {
        self.table
    }

    pub(crate) fn into_parts(self) -> (Router<S>, Vec<RouteInfo>) {
        (self.router, self.table)
    }
}
