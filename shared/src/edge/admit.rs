//! Admission: limiter and session in parallel, then the method, the access that the route requires, and the query. Must
//! never run a handler.

use std::collections::HashMap;

use axum::extract::Request;
use finance::id::UserId;
use http::{HeaderMap, Method};

use super::caller::{Caller, Callers};
use super::problem::{Problem, ProblemType};
use super::query::Query;
use super::route::{Access, RouteInfo};
use super::scope::Scope;
use crate::boot::{Boot, MissingPart};
use crate::metrics::{self, Metric};
use crate::rate_limit::{LimitClass, RateLimiter, Verdict, client_key};

/// On a request: the secrets have gone without a refresh for too long, so that it must be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretsTooOld;

/// Why every request is refused while [`SecretsTooOld`] holds.
#[derive(Debug, thiserror::Error)]
#[error("the secrets could not be refreshed for an hour")]
struct TooOld;

/// What the limiter and the identity said of one request, kept for its headers and its log line.
#[derive(Default)]
pub(super) struct RequestOutcome {
    pub(super) verdict: Option<Verdict>,
    pub(super) user: Option<UserId>,
}

/// Admits the requests of one function.
pub(super) struct Admission {
    service: &'static str,
    routes: HashMap<(Method, String), RouteInfo>,
    limiter: RateLimiter,
    /// Absent where the function has no private route.
    callers: Option<Callers>,
}

impl Admission {
    /// # Errors
    /// A private route, and no signing keys or no MongoDB.
    pub(super) fn new(
        boot: &Boot,
        service: &'static str,
        table: Vec<RouteInfo>,
    ) -> Result<Self, MissingPart> {
        let private = table.iter().any(|route| route.access != Access::Public);
        let mut routes = HashMap::new();
        for route in table {
            for base in ["/api/v1", "/api"] {
                routes.insert((route.method.clone(), format!("{base}{}", route.path)), route.clone());
            }
        }
        let redis = boot.redis().ok();
        Ok(Self {
            service,
            routes,
            limiter: RateLimiter::new(boot.config.limits, redis, boot.environment.local_logs.clone()),
            callers: if private { Some(Callers::new(boot)?) } else { None },
        })
    }

    /// Limits first, so that a flood of bad tokens is counted; then the method, the token and the query.
    pub(super) async fn admit(
        &self,
        mut request: Request,
        scope: &Scope,
        path: Option<&str>,
        outcome: &mut RequestOutcome,
    ) -> Result<Request, Problem> {
        let route = path.and_then(|path| self.route(request.method(), path)).cloned();
        let class = route.as_ref().map_or(LimitClass::General, |route| route.limit);
        let client = client_key(&scope.source_ip);
        let (verdict, caller) =
            tokio::join!(self.limiter.check(class, &client), self.identify(request.headers(), scope));
        let retry_after = verdict.retry_after;
        if verdict.degraded {
            metrics::count(Metric::LimiterDegraded, self.service);
        }
        outcome.verdict = Some(verdict);
        if let Some(seconds) = retry_after {
            return Err(Problem::new(ProblemType::RateLimited).retry_after(seconds));
        }
        if request.extensions().get::<SecretsTooOld>().is_some() {
            return Err(Problem::new(ProblemType::Unavailable).caused_by(TooOld));
        }
        let Some(path) = path else { return Err(Problem::not_found()) };
        let Some(route) = route else { return Err(self.method_not_allowed(path)) };
        if let Ok(Caller::User(principal)) = &caller {
            outcome.user = Some(principal.user);
        }
        let caller = authorize(caller, route.access)?;
        let query = Query::parse(raw_query(&request), route.query)?;
        let body_max = route.body_max.unwrap_or(scope.body_max);
        let extensions = request.extensions_mut();
        extensions.insert(Scope { body_max, ..scope.clone() });
        extensions.insert(caller);
        extensions.insert(query);
        extensions.insert(route);
        Ok(request)
    }

    fn route(&self, method: &Method, path: &str) -> Option<&RouteInfo> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        self.routes.get(&(method, path.to_owned()))
    }

    fn method_not_allowed(&self, path: &str) -> Problem {
        let mut allowed: Vec<&str> = self
            .routes
            .keys()
            .filter(|(_, known)| known == path)
            .map(|(method, _)| method.as_str())
            .collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        Problem { allow: Some(allowed.join(", ")), ..Problem::new(ProblemType::MethodNotAllowed) }
    }

    async fn identify(&self, headers: &HeaderMap, scope: &Scope) -> Result<Caller, Problem> {
        match &self.callers {
            Some(callers) => callers.identify(headers, scope).await,
            None => Ok(Caller::Anonymous),
        }
    }
}

/// What the route requires of the caller. A session that could not be looked up fails a private route only.
///
/// # Errors
/// 401, 403 `insufficient_scope`, or why the session could not be looked up.
fn authorize(caller: Result<Caller, Problem>, access: Access) -> Result<Caller, Problem> {
    match (caller, access) {
        (Ok(Caller::User(principal)), Access::Write) if !principal.may_write() => {
            tracing::warn!(
                message = "scope refused",
                event = "insufficient_scope",
                user.id = principal.user.to_string()
            );
            Err(Problem::new(ProblemType::InsufficientScope))
        }
        (Ok(Caller::User(principal)), _) => Ok(Caller::User(principal)),
        (Ok(caller), Access::Public) => Ok(caller),
        (Err(_), Access::Public) => Ok(Caller::Unknown),
        (Ok(_), Access::Read | Access::Write) => Err(Problem::new(ProblemType::Unauthenticated)),
        (Err(problem), Access::Read | Access::Write) => Err(problem),
    }
}

/// The query as it came; the URI that lambda_http builds may have joined repeated parameters.
fn raw_query(request: &Request) -> &str {
    request.uri().query().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::caller::{Principal, TokenScope, Via};
    use super::*;

    #[test]
    fn a_read_only_token_reads_and_a_write_with_it_is_insufficient_scope() {
        let by = |via| Caller::User(Principal { user: UserId::new(Uuid::nil()), via });
        let session = by(Via::Session(Uuid::nil()));
        let reader = by(Via::Token(Uuid::nil(), TokenScope::Read));
        let writer = by(Via::Token(Uuid::nil(), TokenScope::ReadWrite));
        let code = |caller, access| authorize(Ok(caller), access).map_err(|problem| problem.kind);
        for caller in [session, writer] {
            assert_eq!(code(caller, Access::Write), Ok(caller));
        }
        assert_eq!(code(reader, Access::Read), Ok(reader));
        assert_eq!(code(reader, Access::Write), Err(ProblemType::InsufficientScope));
        for access in [Access::Read, Access::Write] {
            assert_eq!(code(Caller::Anonymous, access), Err(ProblemType::Unauthenticated));
        }
        assert_eq!(code(Caller::Anonymous, Access::Public), Ok(Caller::Anonymous));
    }
}
