//! The OpenAPI document and the list of problems, assembled from what the code says of itself: the functions' route
//! tables, the bodies' schemas, the views' schemas, the problem types. Only what no code can say stands here: each
//! operation's summary, body, answer and own problems ([`rows`]). Must never describe what a parser or a view does not do.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use finance::account::AccountKind;
use finance::category::CategoryKind;
use finance::score::{Confidence, Grade, Reason};
use finance::summary::GroupBy;
use finance::transaction::{TransactionStatus, TransactionType};
use finance::words::Word;
use serde_json::{Map, Value, json};
use shared::edge::body::{FieldValue, JsonBody, object_schema};
use shared::edge::query::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use shared::edge::{Access, LimitClass, ProblemType, RouteInfo};
use utoipa::ToSchema;

/// Every function's name and routes.
pub fn functions() -> Vec<(&'static str, Vec<RouteInfo>)> {
    macro_rules! exported {
        ($($package:ident),*) => { vec![$(($package::FUNCTION.name, $package::routes())),*] };
    }
    exported!(health, auth, accounts, categories, transactions, financial_health)
}

/// A named schema.
#[derive(Clone)]
struct Named {
    name: String,
    schema: Value,
}

/// What an operation's request and answer are.
pub struct Row {
    pub operation: &'static str,
    summary: &'static str,
    body: Option<Named>,
    body_required: bool,
    status: u16,
    success: &'static str,
    view: Option<String>,
    schemas: Vec<Named>,
    headers: Vec<&'static str>,
    idempotent: bool,
    conditional: bool,
    problems: Vec<ProblemType>,
}

impl Row {
    fn new(operation: &'static str, summary: &'static str) -> Self {
        Self {
            operation,
            summary,
            body: None,
            body_required: false,
            status: 204,
            success: "Done; there is no body.",
            view: None,
            schemas: Vec::new(),
            headers: Vec::new(),
            idempotent: false,
            conditional: false,
            problems: Vec::new(),
        }
    }

    fn body<T: JsonBody>(mut self, name: &str) -> Self {
        self.body = Some(Named { name: name.to_owned(), schema: T::schema() });
        self.body_required = true;
        self
    }

    /// A body that may be left out.
    fn optional_body(mut self, name: &str, schema: Value) -> Self {
        self.body = Some(Named { name: name.to_owned(), schema });
        self
    }

    fn answers<V: ToSchema>(mut self, status: u16, success: &'static str) -> Self {
        (self.status, self.success) = (status, success);
        self.view = Some(self.add::<V>());
        self
    }

    /// One page of `V`.
    fn pages<V: ToSchema>(mut self, page: &str) -> Self {
        (self.status, self.success) = (200, "One page.");
        let item = self.add::<V>();
        let schema = json!({
            "type": "object",
            "required": ["items", "nextCursor"],
            "properties": {
                "items": {"type": "array", "items": reference(&item)},
                "nextCursor": {"type": ["string", "null"], "description": "`cursor` of the next page; `null` on the last."},
            },
        });
        self.schemas.push(Named { name: page.to_owned(), schema });
        self.view = Some(page.to_owned());
        self
    }

    fn add<V: ToSchema>(&mut self) -> String {
        let mut found = Vec::new();
        V::schemas(&mut found);
        found.push((V::name().into_owned(), V::schema()));
        let name = V::name().into_owned();
        self.schemas.extend(
            found
                .into_iter()
                // A schema that cannot be written would be missing, and the document's own check says so.
                .filter_map(|(name, schema)| {
                    Some(Named { name, schema: serde_json::to_value(schema).ok()? })
                }),
        );
        name
    }

    /// Headers of the successful answer beyond those of every answer.
    fn headers(mut self, names: &[&'static str]) -> Self {
        self.headers.extend(names);
        self
    }

    /// Takes `Idempotency-Key`.
    fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self.headers(&["Idempotency-Replayed"])
    }

    /// Takes `If-Match`.
    fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// What it may be refused for beyond what its route says.
    fn problems(mut self, own: &[ProblemType]) -> Self {
        self.problems.extend(own);
        self
    }

    /// The status of success, and the name of its answer's schema.
    pub fn success(&self) -> (u16, Option<&str>) {
        (self.status, self.view.as_deref())
    }

    /// The schema of the body that the operation takes.
    pub fn body_schema(&self) -> Option<&Value> {
        self.body.as_ref().map(|body| &body.schema)
    }

    pub fn is_body_required(&self) -> bool {
        self.body_required
    }

    /// Every problem that the operation may answer with.
    pub fn refusals(&self, route: &RouteInfo) -> Vec<ProblemType> {
        use ProblemType::*;
        let mut all = vec![InvalidQuery, RateLimited, Internal, Unavailable, DeadlineExceeded];
        let mut when = |holds: bool, problems: &[ProblemType]| {
            if holds {
                all.extend(problems);
            }
        };
        when(route.access == Access::Private, &[Unauthenticated]);
        when(route.method != http::Method::GET, &[WriteContention]);
        when(route.path.contains("{id}"), &[NotFound]);
        when(route.query.contains(&"cursor"), &[InvalidCursor]);
        when(!route.query.is_empty(), &[InvalidFields]);
        when(
            self.body.is_some(),
            &[InvalidJson, UnknownField, BodyTooLarge, UnsupportedMediaType, InvalidFields],
        );
        when(self.idempotent, &[InvalidHeader, IdempotencyInProgress, IdempotencyKeyReused]);
        when(self.conditional, &[InvalidHeader, StaleVersion]);
        all.extend(&self.problems);
        // In the order of their declaration, which is that of their statuses.
        ProblemType::ALL.iter().copied().filter(|kind| all.contains(kind)).collect()
    }
}

/// Every operation's row.
pub fn rows() -> Vec<Row> {
    use ProblemType::*;
    const SIGNED_IN: &[&str] = &["Set-Cookie"];
    const MADE: &[&str] = &["Location", "ETag"];
    vec![
        Row::new("get_health", "Whether MongoDB and Redis answer")
            .answers::<health::HealthView>(200, "Both answer."),
        Row::new("register", "A new user, signed in")
            .body::<auth::RegisterBody>("RegisterBody")
            .answers::<auth::SignedInView>(201, "Registered.")
            .headers(&["Location"])
            .headers(SIGNED_IN)
            .problems(&[EmailTaken, PasswordTooCommon, InvalidText]),
        Row::new("log_in", "Signs a user in")
            .body::<auth::LogInBody>("LogInBody")
            .answers::<auth::SignedInView>(200, "Signed in.")
            .headers(SIGNED_IN)
            .problems(&[InvalidCredentials, LoginDelayed]),
        Row::new("refresh", "New tokens for a refresh token; the old one is used up")
            .optional_body("RefreshBody", <auth::RefreshBody as JsonBody>::schema())
            .answers::<auth::TokensOnlyView>(200, "Rotated.")
            .headers(SIGNED_IN)
            .problems(&[InvalidRefreshToken, RefreshTokenReused, CsrfRejected, RefreshSuperseded]),
        Row::new("log_out", "Ends the session of the body's token, of the cookie or of the bearer")
            .optional_body("LogOutBody", <auth::LogOutBody as JsonBody>::schema())
            .headers(SIGNED_IN)
            .problems(&[Unauthenticated, CsrfRejected]),
        Row::new("get_me", "The signed-in user")
            .answers::<auth::UserView>(200, "The user.")
            .headers(&["ETag"]),
        Row::new("update_me", "Changes the user (RFC 7396)")
            .body::<auth::UpdateMeBody>("UpdateMeBody")
            .answers::<auth::UserView>(200, "Changed.")
            .headers(&["ETag"])
            .conditional()
            .problems(&[InvalidText]),
        Row::new("erase_me", "Erases the user and everything of theirs")
            .body::<auth::EraseMeBody>("EraseMeBody")
            .headers(SIGNED_IN)
            .conditional()
            .problems(&[InvalidCredentials, LoginDelayed]),
        Row::new("list_sessions", "Where the user is signed in").pages::<auth::SessionView>("SessionPage"),
        Row::new("end_other_sessions", "Ends every session but this one"),
        Row::new("end_session", "Ends a session"),
        Row::new("list_accounts", "The accounts; with `asOf`, with the balances at the close of that day")
            .pages::<accounts::AccountView>("AccountPage"),
        Row::new("create_account", "A new account")
            .body::<accounts::CreateAccountBody>("CreateAccountBody")
            .answers::<accounts::AccountView>(201, "Created.")
            .headers(MADE)
            .idempotent()
            .problems(&[CurrencyMismatch, InvalidText]),
        Row::new("get_account", "One account")
            .answers::<accounts::AccountView>(200, "The account.")
            .headers(&["ETag"]),
        Row::new("update_account", "Changes an account (RFC 7396)")
            .body::<accounts::UpdateAccountBody>("UpdateAccountBody")
            .answers::<accounts::AccountView>(200, "Changed.")
            .headers(&["ETag"])
            .conditional()
            .problems(&[CurrencyMismatch, InvalidText]),
        Row::new("delete_account", "Deletes an account; `moveTo` takes its transactions")
            .conditional()
            .problems(&[InUse, TooManyTransactions, CurrencyMismatch, CategoryKindMismatch]),
        Row::new("list_categories", "The categories").pages::<categories::CategoryView>("CategoryPage"),
        Row::new("create_category", "A new category")
            .body::<categories::CreateCategoryBody>("CreateCategoryBody")
            .answers::<categories::CategoryView>(201, "Created.")
            .headers(MADE)
            .idempotent()
            .problems(&[CategoryKindMismatch, InvalidText]),
        Row::new("get_category", "One category")
            .answers::<categories::CategoryView>(200, "The category.")
            .headers(&["ETag"]),
        Row::new("update_category", "Changes a category (RFC 7396)")
            .body::<categories::UpdateCategoryBody>("UpdateCategoryBody")
            .answers::<categories::CategoryView>(200, "Changed.")
            .headers(&["ETag"])
            .conditional()
            .problems(&[CategoryKindMismatch, InvalidText]),
        Row::new("delete_category", "Deletes a category; `moveTo` takes its transactions and subcategories")
            .conditional()
            .problems(&[InUse, TooManyTransactions, CategoryKindMismatch]),
        Row::new("create_transaction", "A new transaction")
            .body::<transactions::CreateTransactionBody>("CreateTransactionBody")
            .answers::<transactions::TransactionView>(201, "Created.")
            .headers(MADE)
            .idempotent()
            .problems(&[CurrencyMismatch, CategoryKindMismatch, AccountRequired, InvalidText]),
        Row::new("list_transactions", "Transactions, the newest first; every filter given must hold")
            .pages::<transactions::TransactionView>("TransactionPage")
            .problems(&[InvalidText]),
        Row::new("get_summary", "Sums by group and currency, never mixed")
            .answers::<transactions::SummaryView>(200, "The sums."),
        Row::new("get_transaction", "One transaction")
            .answers::<transactions::TransactionView>(200, "The transaction.")
            .headers(&["ETag"]),
        Row::new("update_transaction", "Changes a transaction (RFC 7396)")
            .body::<transactions::UpdateTransactionBody>("UpdateTransactionBody")
            .answers::<transactions::TransactionView>(200, "Changed.")
            .headers(&["ETag"])
            .conditional()
            .problems(&[CurrencyMismatch, CategoryKindMismatch, InvalidText]),
        Row::new("delete_transaction", "Deletes a transaction; it can be restored").conditional(),
        Row::new("restore_transaction", "Brings a deleted transaction back")
            .optional_body("EmptyBody", object_schema(Map::new(), Vec::new()))
            .answers::<transactions::TransactionView>(200, "Restored.")
            .headers(&["ETag"])
            .idempotent()
            .problems(&[NotDeleted, CategoryKindMismatch]),
        Row::new("get_score", "The financial-health score, now or as of a date")
            .answers::<financial_health::ScoreView>(200, "The score, or why there is none."),
        Row::new("get_latest_score", "The same as `get_score`, for older clients")
            .answers::<financial_health::ScoreView>(200, "The score, or why there is none."),
        Row::new("get_method", "How the score is computed")
            .answers::<financial_health::MethodView>(200, "The method."),
    ]
}

const DECIMAL: &str = "^-?[0-9]+(\\.[0-9]{1,4})?$";

/// What a query parameter takes, whichever route it is of.
fn parameter(name: &str) -> Option<Value> {
    Some(match name {
        "limit" => {
            json!({"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE_DEFAULT})
        }
        "cursor" => json!({"type": "string"}),
        "asOf" | "from" | "to" => json!({"type": "string", "format": "date"}),
        "accountId" | "categoryId" | "moveTo" => json!({"type": "string", "format": "uuid"}),
        "type" => TransactionType::schema(),
        "status" => TransactionStatus::schema(),
        "tag" => json!({"type": "string", "minLength": 1, "maxLength": 50}),
        "minAmount" | "maxAmount" => json!({"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,4})?$"}),
        "q" => json!({"type": "string"}),
        "groupBy" => json!({"type": "string", "enum": GroupBy::NAMES, "default": "month"}),
        _ => return None,
    })
}

/// The closed sets of words that views hold as text.
fn closed_sets() -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    vec![
        ("HealthView", "status", &["healthy", "unhealthy"]),
        ("ServicesView", "mongodb", &["connected", "disconnected"]),
        ("ServicesView", "redis", &["connected", "disconnected"]),
        ("TokensView", "tokenType", &["Bearer"]),
        ("AccountView", "type", AccountKind::NAMES),
        ("CategoryView", "kind", CategoryKind::NAMES),
        ("TransactionView", "type", TransactionType::NAMES),
        ("TransactionView", "status", TransactionStatus::NAMES),
        ("SummaryView", "groupBy", GroupBy::NAMES),
        ("ScoreView", "grade", Grade::NAMES),
        ("ScoreView", "confidence", Confidence::NAMES),
        ("ScoreView", "reason", Reason::NAMES),
        ("ActionView", "per", &["month", "once"]),
    ]
}

/// The form of a view's text, by its member's name: one name means one thing in the whole API.
fn form(member: &str) -> Option<(&'static str, &'static str)> {
    Some(match member {
        "id" | "accountId" | "categoryId" | "parentId" | "transferAccountId" => ("format", "uuid"),
        "date" | "openingDate" | "asOf" | "from" | "to" => ("format", "date"),
        "createdAt" | "updatedAt" | "lastUsedAt" | "timestamp" => ("format", "date-time"),
        "email" => ("format", "email"),
        "amount" | "balance" | "income" | "expense" | "net" | "transferAmount" | "originalAmount" => {
            ("pattern", DECIMAL)
        }
        "currency" | "originalCurrency" => ("pattern", "^[A-Z]{3}$"),
        _ => return None,
    })
}

fn is_text(schema: &Value) -> bool {
    schema["type"] == "string" || schema["type"] == json!(["string", "null"])
}

/// Adds what the views' types cannot say: forms of text, everywhere; closed sets, where they are declared.
fn refine(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties.iter_mut() {
            if let Some((keyword, value)) = form(name).filter(|_| is_text(property)) {
                property[keyword] = value.into();
            }
        }
    }
    let below: Vec<&mut Value> = match schema {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    below.into_iter().for_each(refine);
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// # Errors
    /// Two schemas want one name.
    fn add(&mut self, Named { name, schema }: Named) -> Result<()> {
        let known = self.0.entry(name.clone()).or_insert_with(|| schema.clone());
        ensure!(*known == schema, "two schemas are called {name}");
        Ok(())
    }
}

/// The document.
///
/// # Errors
/// A route without a row, a row without a route, or a parameter, a name or a word that nothing explains.
pub fn document() -> Result<Value> {
    let mut schemas = Schemas(BTreeMap::new());
    let (mut paths, mut responses) = (Map::new(), Map::new());
    let mut rows = rows();
    for (function, routes) in functions() {
        for route in routes {
            let at = rows.iter().position(|row| row.operation == route.operation);
            let row =
                at.with_context(|| format!("{} has no row in tests/src/openapi.rs", route.operation))?;
            let row = rows.swap_remove(row);
            for named in row.schemas.iter().chain(&row.body) {
                schemas.add(named.clone())?;
            }
            let item = paths.entry(route.path).or_insert_with(|| json!({}));
            item[route.method.as_str().to_lowercase()] = operation(function, &route, &row, &mut responses)?;
        }
    }
    if let Some(row) = rows.first() {
        bail!("no route is called {}", row.operation);
    }
    for schema in schemas.0.values_mut() {
        refine(schema);
    }
    for (owner, member, words) in closed_sets() {
        let schema =
            schemas.0.get_mut(owner).and_then(|schema| schema.pointer_mut(&format!("/properties/{member}")));
        let schema = schema
            .filter(|schema| is_text(schema))
            .with_context(|| format!("{owner} has no text {member}"))?;
        let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
        if schema["type"] != "string" {
            words.push(Value::Null);
        }
        schema["enum"] = words.into();
    }
    schemas.add(Named { name: "Problem".into(), schema: problem_schema() })?;
    Ok(sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "FinTrack Pro API",
            "version": "v1",
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": INTRODUCTION,
        },
        "servers": [
            {"url": "/api/v1"},
            {"url": "/api", "description": "The same, for older clients."},
        ],
        "tags": functions().iter().map(|(name, _)| json!({"name": name})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "responses": responses,
            "parameters": parameters(),
            "headers": headers(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "refreshCookie": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-refresh",
                    "description": "`refresh` where cookies are not secure (development). From an allowed page only.",
                },
            },
        },
    })))
}

const INTRODUCTION: &str = "Money is a decimal string beside its currency, never a JSON number with a fraction. Every GET also answers HEAD. \
     Every answer carries the security headers and `X-Request-Id`; an error is a problem (RFC 9457), listed in problems.md. \
     An unknown path is 404, and a method that a path does not have 405 with `Allow`.";

fn operation(function: &str, route: &RouteInfo, row: &Row, shared: &mut Map<String, Value>) -> Result<Value> {
    let mut parameters = vec![json!({"$ref": "#/components/parameters/RequestId"})];
    if route.path.contains("{id}") {
        parameters.push(json!({"$ref": "#/components/parameters/Id"}));
    }
    for name in route.query {
        let schema = parameter(name).with_context(|| format!("the query parameter {name} has no schema"))?;
        parameters.push(json!({"name": name, "in": "query", "schema": schema}));
    }
    if row.idempotent {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    if row.conditional {
        parameters.push(json!({"$ref": "#/components/parameters/IfMatch"}));
    }
    let mut operation = json!({
        "operationId": route.operation,
        "summary": row.summary,
        "tags": [function],
        "parameters": parameters,
        "responses": responses(route, row, shared),
        "security": security(route),
        "x-rate-limit": match route.limit {
            LimitClass::General => json!(["general"]),
            LimitClass::Auth => json!(["general", "auth"]),
            LimitClass::Heavy => json!(["general", "heavy"]),
        },
    });
    if let Some(body) = &row.body {
        let mut content = json!({"application/json": {"schema": reference(&body.name)}});
        if route.method == http::Method::PATCH {
            content["application/merge-patch+json"] = json!({"schema": reference(&body.name)});
        }
        operation["requestBody"] = json!({"required": row.body_required, "content": content});
        if let Some(bytes) = route.body_max {
            operation["requestBody"]["description"] = format!("At most {bytes} bytes.").into();
        }
    }
    Ok(operation)
}

fn security(route: &RouteInfo) -> Value {
    match (route.access, route.operation) {
        (Access::Private, _) => json!([{"bearer": []}]),
        (Access::Public, "refresh") => json!([{}, {"refreshCookie": []}]),
        (Access::Public, "log_out") => json!([{}, {"refreshCookie": []}, {"bearer": []}]),
        (Access::Public, _) => json!([]),
    }
}

/// The responses of an operation. Refusals go into `shared`, by their status and codes: most are those of many operations.
fn responses(route: &RouteInfo, row: &Row, shared: &mut Map<String, Value>) -> Value {
    const ALWAYS: [&str; 3] = ["X-Request-Id", "RateLimit", "RateLimit-Policy"];
    let headers = |names: &[&str]| -> Map<String, Value> {
        let of = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
        ALWAYS.iter().chain(names).map(of).collect()
    };
    let mut responses = Map::new();
    let mut success = json!({"description": row.success, "headers": headers(&row.headers)});
    if let Some(view) = &row.view {
        success["content"] = json!({"application/json": {"schema": reference(view)}});
    }
    responses.insert(row.status.to_string(), success);
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for kind in row.refusals(route) {
        by_status.entry(kind.status()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let codes: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
        let titles: Vec<String> =
            kinds.iter().map(|kind| format!("`{}`: {}.", kind.code(), kind.title())).collect();
        let schema = json!({"allOf": [reference("Problem"), {"properties": {"code": {"enum": codes}}}]});
        let retry: &[&str] =
            if matches!(status, 429 | 503 | 504) || codes.contains(&"idempotency_in_progress") {
                &["Retry-After"]
            } else {
                &[]
            };
        let authenticate: &[&str] =
            if codes.contains(&"unauthenticated") { &["WWW-Authenticate"] } else { &[] };
        let mut response = json!({
            "description": titles.join(" "),
            "headers": headers(&[retry, authenticate].concat()),
            "content": {"application/problem+json": {"schema": schema}},
        });
        if (route.operation, status) == ("get_health", 503) {
            response["description"] = "Not both answer, or a problem.".into();
            response["content"]["application/json"] = json!({"schema": reference("HealthView")});
            responses.insert(status.to_string(), response);
            continue;
        }
        let name = format!("{status}.{}", codes.join("."));
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        shared.insert(name, response);
    }
    responses.into()
}

fn parameters() -> Value {
    json!({
        "Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}},
        "RequestId": {
            "name": "X-Request-Id", "in": "header",
            "description": "Comes back on the answer and stands in every log line; one of another form is replaced.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "The same key with the same request has one effect, and is answered as the first was, for 7 days.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        },
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "The change is only made if the resource still has one of these tags.",
            "schema": {"type": "string"},
        },
    })
}

fn headers() -> Value {
    let text = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": text("The request's name in every log line."),
        "RateLimit": text("What is left, as `\"general\";r=57;t=431`."),
        "RateLimit-Policy": text("The policies, as `\"general\";q=100;w=900`."),
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
        "WWW-Authenticate": text("`Bearer`, with `unauthenticated`."),
        "ETag": text("The strong tag for `If-Match`."),
        "Location": text("Where the new resource is."),
        "Idempotency-Replayed": text("`true` on a replay."),
        "Set-Cookie": text("The refresh token's cookie, or its removal."),
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": {"type": "string", "pattern": "^/problems/[a-z_]+$"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "The request's id."},
            "code": {"type": "string", "description": "Stable: what a client switches on."},
            "errors": {
                "type": "array",
                "description": "Every bad field at once, at most 50.",
                "maxItems": 50,
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "A JSON pointer into the body, or `/query/` and a parameter's name. An unknown name too long to be one of ours is left out of it.",
                        },
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                },
            },
            "errorsOmitted": {
                "type": "integer",
                "minimum": 1,
                "description": "How many errors were left out of `errors`, where there are more than 50.",
            },
        },
    })
}

/// The same value with its members in order, whatever order serde_json was built to keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            members.into_iter().collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect::<Vec<_>>().into(),
        other => other,
    }
}

/// `docs/openapi.json`.
///
/// # Errors
/// As [`document`].
pub fn openapi_json() -> Result<String> {
    Ok(serde_json::to_string_pretty(&document()?)? + "\n")
}

/// `docs/problems.md`.
pub fn problems_md() -> String {
    let rows = rows();
    let routes: Vec<RouteInfo> = functions().into_iter().flat_map(|(_, routes)| routes).collect();
    let mut text = String::from(
        "# Problems\n\n\
         Every error is `application/problem+json` (RFC 9457) with a `code` that does not change: clients switch on it. Its\n\
         `type` is `/problems/<code>`. `make docs` writes this file from the code.\n\n\
         | Code | Status | Title | Operations |\n|---|---|---|---|\n",
    );
    for kind in ProblemType::ALL {
        let of: Vec<&str> = routes
            .iter()
            .filter(|route| {
                rows.iter().any(|row| row.operation == route.operation && row.refusals(route).contains(kind))
            })
            .map(|route| route.operation)
            .collect();
        let mut of = match of.len() {
            0 => Vec::new(),
            all if all == routes.len() => vec!["all".to_owned()],
            _ => of.iter().map(|operation| format!("`{operation}`")).collect(),
        };
        match kind {
            ProblemType::NotFound => of.push("any unknown path".into()),
            ProblemType::MethodNotAllowed => of.push("any path, with a method that it does not have".into()),
            _ => {}
        }
        text.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            kind.code(),
            kind.status(),
            kind.title(),
            of.join(", ")
        ));
    }
    text
}
