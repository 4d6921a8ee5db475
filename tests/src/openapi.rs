//! The OpenAPI document and the list of problems, assembled from what the code says of itself: each function's routes and
//! contract, and the problem types. Must never describe an operation: its function's `contract.rs` does.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use local::functions::apis;
use serde_json::{Map, Value, json};
use shared::edge::body::ID_PATTERN;
use shared::edge::contract::{
    AnswerContract, Credential, ERROR_CODES, Named, Operation, Parameter, Words, example, problem_example,
    problem_schemas, reference,
};
use shared::edge::{Access, LimitClass, ProblemType, RouteInfo};

/// An operation with its route.
#[derive(Clone, Debug)]
pub struct Described {
    pub function: &'static str,
    pub route: RouteInfo,
    pub operation: Operation,
}

impl Described {
    /// The schema of the body that the operation takes, its references followed.
    pub fn body_schema(&self) -> Option<Value> {
        Some(self.followed(&self.operation.body.as_ref()?.schema))
    }

    pub fn is_body_required(&self) -> bool {
        self.operation.body.as_ref().is_some_and(|body| body.required)
    }

    /// Every problem that the operation may answer with.
    pub fn refusals(&self) -> Vec<ProblemType> {
        self.operation.refusals(&self.route)
    }

    fn followed(&self, schema: &Value) -> Value {
        match schema {
            Value::Object(members) => match members.get("$ref").and_then(Value::as_str) {
                Some(name) => {
                    let name = name.rsplit('/').next();
                    let named = self.operation.schemas.iter().find(|named| Some(&*named.name) == name);
                    named.map_or(Value::Null, |named| self.followed(&named.schema))
                }
                None => members.iter().map(|(name, value)| (name.clone(), self.followed(value))).collect(),
            },
            Value::Array(items) => items.iter().map(|item| self.followed(item)).collect(),
            other => other.clone(),
        }
    }
}

/// The JSON type of a schema, beside null.
pub fn kind_of(schema: &Value) -> Option<&str> {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str())
}

/// Every operation with its route, in the order of the functions and their routes.
///
/// # Errors
/// A route that no contract describes, or an operation of a contract that no route has.
pub fn try_operations() -> Result<Vec<Described>> {
    let mut all = Vec::new();
    for (function, api) in apis() {
        let mut operations = (api.contract)().operations;
        for route in (api.routes)() {
            let at = operations.iter().position(|operation| operation.id == route.operation);
            let at =
                at.with_context(|| format!("{}'s contract has no {}", function.name, route.operation))?;
            all.push(Described { function: function.name, route, operation: operations.swap_remove(at) });
        }
        if let Some(operation) = operations.first() {
            bail!("{} has no route {}", function.name, operation.id);
        }
    }
    Ok(all)
}

/// As [`try_operations`].
pub fn operations() -> Vec<Described> {
    try_operations().expect("every operation has a route and a contract")
}

const DECIMAL: &str = "^-?[0-9]+(\\.[0-9]{1,4})?$";

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

/// Adds the forms of text that the views' types cannot say. The description of what may be null stands beside the choice,
/// where a reader looks for it, and not in one branch.
fn refine(schema: &mut Value) {
    let described = schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
    let description = described
        .filter(|branch| branch["$ref"].is_string())
        .find_map(|branch| branch.as_object_mut()?.remove("description"));
    if let Some(description) = description {
        schema["description"] = description;
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties.iter_mut() {
            if let Some((keyword, value)) = form(name).filter(|_| is_text(property))
                && property.get(keyword).is_none()
            {
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

#[derive(Default)]
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// # Errors
    /// Two schemas want one name.
    fn add(&mut self, Named { name, schema }: Named) -> Result<()> {
        let known = self.0.entry(name.clone()).or_insert_with(|| schema.clone());
        ensure!(*known == schema, "two schemas are called {name}");
        Ok(())
    }

    /// # Errors
    /// There is no such member of text.
    fn close(&mut self, Words { view, member, words }: Words) -> Result<()> {
        let schema =
            self.0.get_mut(view).and_then(|schema| schema.pointer_mut(&format!("/properties/{member}")));
        let schema = schema
            .filter(|schema| is_text(schema))
            .with_context(|| format!("{view} has no text {member}"))?;
        let mut words: Vec<Value> = words.into_iter().map(Value::from).collect();
        if schema["type"] != "string" {
            words.push(Value::Null);
        }
        schema["enum"] = words.into();
        Ok(())
    }
}

/// The document.
///
/// # Errors
/// A route without a contract, a contract without a route, or a parameter, a name or a word that nothing explains.
pub fn document() -> Result<Value> {
    let mut schemas = Schemas::default();
    let (mut paths, mut responses) = (Map::new(), Map::new());
    let all = try_operations()?;
    for described in &all {
        let Described { route, operation, .. } = described;
        for named in &operation.schemas {
            schemas.add(named.clone())?;
        }
        if let Some(body) = &operation.body {
            schemas.add(Named::new(body.name, body.schema.clone()))?;
        }
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_lowercase()] = path_item(described, &mut responses)?;
    }
    schemas.0.values_mut().for_each(refine);
    for words in apis().flat_map(|(_, api)| (api.contract)().words) {
        schemas.close(words)?;
    }
    for named in problem_schemas() {
        schemas.add(named)?;
    }
    let tags = apis().map(|(function, api)| {
        let description = (api.contract)().description;
        json!({"name": function.name, "description": description})
    });
    Ok(sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "FinTrack Pro API",
            "version": "v1",
            "contact": {"name": "FinTrack Pro"},
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": INTRODUCTION,
        },
        "servers": [
            {"url": "/api/v1", "description": "The API."},
            {"url": "/api", "description": "The same, for older clients."},
        ],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "responses": responses,
            "examples": problem_examples(&all),
            "parameters": parameters(),
            "headers": headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "`accessToken` of a registration, a log-in or a refresh.",
                },
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

/// The parameters of an operation.
///
/// # Errors
/// The route's query parameters are not those of the contract.
fn parameters_of(route: &RouteInfo, operation: &Operation) -> Result<Vec<Value>> {
    let mut parameters = vec![json!({"$ref": "#/components/parameters/RequestId"})];
    ensure!(
        route.path.contains("{id}") == operation.path_id.is_some(),
        "{}: its contract does not say what its path's id is",
        operation.id
    );
    if let Some((description, example)) = operation.path_id {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "description": description,
            "schema": {"type": "string", "format": "uuid", "pattern": ID_PATTERN}, "example": example,
        }));
    }
    let known = |name: &&str| operation.query.iter().find(|parameter| parameter.name == *name);
    for name in route.query {
        let Parameter { description, schema, example, .. } =
            known(name).with_context(|| format!("{} does not describe {name}", operation.id))?;
        parameters.push(json!({
            "name": name, "in": "query", "description": description, "schema": schema, "example": example,
        }));
    }
    ensure!(route.query.len() == operation.query.len(), "{} describes more than it takes", operation.id);
    if operation.idempotent {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    if operation.conditional {
        parameters.push(json!({"$ref": "#/components/parameters/IfMatch"}));
    }
    Ok(parameters)
}

fn path_item(described: &Described, shared: &mut Map<String, Value>) -> Result<Value> {
    let Described { function, route, operation } = described;
    let mut item = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [function],
        "parameters": parameters_of(route, operation)?,
        "responses": responses(described, shared),
        "security": security(route, operation),
        "x-rate-limit": match route.limit {
            LimitClass::General => json!(["general"]),
            LimitClass::Auth => json!(["general", "auth"]),
            LimitClass::Heavy => json!(["general", "heavy"]),
        },
    });
    if let Some(body) = &operation.body {
        let media = json!({"schema": reference(body.name), "example": body.example});
        let mut content = json!({"application/json": media});
        if route.method == http::Method::PATCH {
            content["application/merge-patch+json"] = media;
        }
        item["requestBody"] = json!({"required": body.required, "content": content});
        if let Some(bytes) = route.body_max {
            item["requestBody"]["description"] = format!("At most {bytes} bytes.").into();
        }
    }
    Ok(item)
}

fn security(route: &RouteInfo, operation: &Operation) -> Value {
    if route.access != Access::Public {
        return json!([{"bearer": []}]);
    }
    let mut ways: Vec<Value> = operation
        .credentials
        .iter()
        .map(|credential| match credential {
            Credential::RefreshCookie => json!({"refreshCookie": []}),
            Credential::Bearer => json!({"bearer": []}),
        })
        .collect();
    if !ways.is_empty() {
        ways.insert(0, json!({}));
    }
    ways.into()
}

fn headers_of(names: &[&str]) -> Map<String, Value> {
    const ALWAYS: [&str; 3] = ["X-Request-Id", "RateLimit", "RateLimit-Policy"];
    let of = |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    ALWAYS.iter().chain(names).map(of).collect()
}

fn answer(answer: &AnswerContract) -> Value {
    let mut response = json!({"description": answer.description, "headers": headers_of(&answer.headers)});
    if let Some((view, example)) = &answer.view {
        response["content"] = json!({"application/json": {"schema": reference(view), "example": example}});
    }
    response
}

/// The response of one status with problems. `x-problem-codes` lists which: client generators make one model of all.
fn refusal(kinds: &[ProblemType]) -> Value {
    let codes: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
    let titles: Vec<String> =
        kinds.iter().map(|kind| format!("`{}`: {}.", kind.code(), kind.title())).collect();
    let example = |kind: &ProblemType| {
        let code = kind.code();
        (code.to_owned(), json!({"$ref": format!("#/components/examples/{code}")}))
    };
    let examples: Map<String, Value> = kinds.iter().map(example).collect();
    let waits = |kind: &ProblemType| {
        matches!(kind.status(), 429 | 503 | 504) || *kind == ProblemType::IdempotencyInProgress
    };
    let mut names = Vec::new();
    if kinds.iter().any(waits) {
        names.push("Retry-After");
    }
    if kinds.contains(&ProblemType::Unauthenticated) {
        names.push("WWW-Authenticate");
    }
    json!({
        "description": titles.join(" "),
        "headers": headers_of(&names),
        "content": {"application/problem+json": {"schema": reference("Problem"), "examples": examples}},
        "x-problem-codes": codes,
    })
}

/// The responses of an operation. Refusals go into `shared`, by their status and codes: most are those of many operations.
fn responses(described: &Described, shared: &mut Map<String, Value>) -> Value {
    let operation = &described.operation;
    let mut responses = Map::new();
    responses.insert(operation.answer.status.to_string(), answer(&operation.answer));
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for kind in described.refusals() {
        by_status.entry(kind.status()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let mut response = refusal(&kinds);
        if let Some(other) = operation.other.as_ref().filter(|other| other.status == status) {
            let shown = answer(other);
            response["description"] = shown["description"].clone();
            response["content"]["application/json"] = shown["content"]["application/json"].clone();
            responses.insert(status.to_string(), response);
            continue;
        }
        let codes: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
        let name = format!("{status}.{}", codes.join("."));
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        shared.insert(name, response);
    }
    responses.into()
}

/// An example of each problem that an operation answers.
fn problem_examples(all: &[Described]) -> Value {
    let answered: Vec<ProblemType> = all.iter().flat_map(Described::refusals).collect();
    ProblemType::ALL
        .iter()
        .filter(|kind| answered.contains(kind))
        .map(|kind| {
            let example = json!({"summary": kind.title(), "value": problem_example(*kind)});
            (kind.code().to_owned(), example)
        })
        .collect::<Map<_, _>>()
        .into()
}

fn parameters() -> Value {
    json!({
        "RequestId": {
            "name": "X-Request-Id", "in": "header",
            "description": "Comes back on the answer and stands in every log line; one of another form is replaced.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"},
            "example": example::REQUEST,
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "The same key with the same request has one effect, and is answered as the first was, for 7 days. \
                            Bare, or in quotes (RFC 9651), as a key with a comma must be.",
            "schema": {
                "type": "string", "minLength": 1,
                "pattern": "^([!#-+.-~-][ -+.-~-]{0,254}|\"([ !#-\\[\\]-~]|\\\\[\"\\\\]){1,255}\")$",
            },
            "example": "6d1f0a52-import-17",
        },
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "The change is only made if the resource still has one of these tags; `*` is any.",
            "schema": {
                "type": "string",
                "pattern": "^(\\*|(W/)?\"[^\" \\t]*\"([ \\t]*,[ \\t]*(W/)?\"[^\" \\t]*\")*)$",
            },
            "example": "\"3\"",
        },
    })
}

fn headers() -> Value {
    let text = |description: &str, example: &str| json!({"description": description, "schema": {"type": "string"}, "example": example});
    json!({
        "X-Request-Id": text("The request's name in every log line.", example::REQUEST),
        "RateLimit": text("What is left of each policy, and the seconds until it is whole again.", "\"general\";r=57;t=431"),
        "RateLimit-Policy": text("The policies: how many requests in how many seconds.", "\"general\";q=100;w=900"),
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}, "example": 1},
        "WWW-Authenticate": text("How to authenticate, with `unauthenticated`.", "Bearer"),
        "ETag": text("The strong tag for `If-Match`.", "\"3\""),
        "Location": text("Where the new resource is.", &format!("/api/v1/accounts/{}", example::ACCOUNT)),
        "Idempotency-Replayed": text("`true` on a replay.", "true"),
        "Set-Cookie": text(
            "The refresh token's cookie, or its removal.",
            "__Host-refresh=…; Path=/; Secure; HttpOnly; SameSite=Strict",
        ),
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
///
/// # Errors
/// As [`try_operations`].
pub fn problems_md() -> Result<String> {
    let operations = try_operations()?;
    let mut text = String::from(
        "# Problems\n\n\
         Every error is `application/problem+json` (RFC 9457) with a `code` that does not change: clients switch on it. Its\n\
         `type` is `/problems/<code>`. `make docs` writes this file from the code.\n\n\
         | Code | Status | Title | Operations |\n|---|---|---|---|\n",
    );
    for kind in ProblemType::ALL {
        let of: Vec<&str> = operations
            .iter()
            .filter(|described| described.refusals().contains(kind))
            .map(|described| described.operation.id)
            .collect();
        let mut of = match of.len() {
            0 => Vec::new(),
            all if all == operations.len() => vec!["all".to_owned()],
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
    text.push_str(
        "\n## Codes of refused values\n\n\
         A problem that refuses values lists them in `errors`, each with one of these codes.\n\n\
         | Code | Meaning |\n|---|---|\n",
    );
    for (code, meaning) in ERROR_CODES {
        text.push_str(&format!("| `{code}` | {meaning} |\n"));
    }
    Ok(text)
}
