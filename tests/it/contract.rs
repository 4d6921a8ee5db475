//! The API's description against the API: every body's schema is its parser's, and real answers are what their schemas say.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use serde_json::{Map, Value, json};
use shared::edge::{Access, ProblemType, RouteInfo};
use tests::openapi::{self, Described};
use tests::requests;
use tests::{Answer, PASSWORD, TestApp, User, event, random_ip, random_name};

use crate::root;

#[test]
fn every_operation_has_one_contract_and_every_problem_a_place() {
    openapi::document().unwrap();
    let all = openapi::try_operations().unwrap();
    let unique: BTreeSet<&str> = all.iter().map(|described| described.operation.id).collect();
    assert_eq!(all.len(), unique.len(), "an operation is described twice");
    let answered = |kind: &ProblemType| {
        // The one that no operation answers: the method is not one of its path.
        *kind == ProblemType::MethodNotAllowed
            || all.iter().any(|described| described.refusals().contains(kind))
    };
    let nowhere: Vec<&str> =
        ProblemType::ALL.iter().filter(|kind| !answered(kind)).map(|kind| kind.code()).collect();
    assert_eq!(nowhere, Vec::<&str>::new());
}

#[tokio::test]
async fn the_description_has_the_operations_that_are_mounted() {
    let app = TestApp::start().await;
    let mounted: Vec<(&str, &str)> =
        app.operations().into_iter().map(|(function, route)| (function, route.operation)).collect();
    let described = openapi::operations();
    let described: Vec<(&str, &str)> =
        described.iter().map(|described| (described.function, described.operation.id)).collect();
    assert_eq!(mounted, described);
}

#[test]
fn every_route_of_the_code_takes_a_route_of_its_own_function_in_the_template() {
    const ID: &str = "01a1b2c3-0000-7000-8000-000000000001";
    let template = Template::read(&root().join("template.yaml")).unwrap();
    let described = openapi::operations();
    let mut tried = 0;
    for Described { function, route, .. } in &described {
        for base in ["/api", "/api/v1"] {
            let path = format!("{base}{}", route.path.replace("{id}", ID));
            let taken = template.find(route.method.as_str(), &path).expect("$default takes what is left");
            assert_eq!(taken.function, *function, "{} {path} goes to another function", route.method);
            assert_ne!(taken.key, "$default", "{} {path} has no route of its own", route.method);
            tried += 1;
        }
    }
    assert!(tried >= 60, "{tried} routes were tried");
    let with_code: BTreeSet<&str> = described.iter().map(|described| described.function).collect();
    let routed: BTreeSet<&str> = template.route_keys().map(|(_, function)| function).collect();
    assert_eq!(
        routed, with_code,
        "the template routes to a function that has no route, or not to one that has"
    );
}

/// A validator of the keywords that the document uses; a keyword that it does not know fails the test, so that nothing
/// passes unlooked at. Stricter than JSON Schema in one thing: a member that no schema names is an error, because a view
/// that grows without its schema is what it is here to find.
struct Validator<'a> {
    root: &'a Value,
    errors: Vec<String>,
}

impl<'a> Validator<'a> {
    fn follow(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let target = self.root.pointer(reference.strip_prefix('#').unwrap());
                self.follow(target.unwrap_or_else(|| panic!("{reference} is nowhere")))
            }
            None => schema,
        }
    }

    /// The members that a schema names; none where it does not describe an object.
    fn members(&self, schema: &'a Value) -> BTreeSet<&'a str> {
        let schema = self.follow(schema);
        let own = schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str);
        let all = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| self.members(part));
        own.chain(all).collect()
    }

    fn check(&mut self, schema: &'a Value, value: &Value, at: &str) {
        let members = self.members(schema);
        if let Some(object) = value.as_object().filter(|_| !members.is_empty()) {
            for name in object.keys().filter(|name| !members.contains(name.as_str())) {
                self.errors.push(format!("{at}/{name} is not in the schema"));
            }
        }
        self.apply(schema, value, at);
    }

    fn fits(&self, schema: &'a Value, value: &Value) -> bool {
        let mut inner = Validator { root: self.root, errors: Vec::new() };
        inner.check(schema, value, "");
        inner.errors.is_empty()
    }

    fn apply(&mut self, schema: &'a Value, value: &Value, at: &str) {
        let schema = self.follow(schema);
        let mut wrong = Vec::new();
        for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
            let right = match keyword.as_str() {
                "type" => match wanted {
                    Value::Array(types) => types.iter().any(|kind| is_of(kind, value)),
                    kind => is_of(kind, value),
                },
                "enum" => wanted.as_array().unwrap().contains(value),
                "required" => {
                    let names = wanted.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                    let missing: Vec<&str> = names.filter(|name| value.get(name).is_none()).collect();
                    value.is_object() && missing.is_empty()
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().unwrap() {
                        if let Some(member) = value.get(name) {
                            self.check(schema, member, &format!("{at}/{name}"));
                        }
                    }
                    true
                }
                "additionalProperties" if wanted.is_object() => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        self.check(wanted, member, &format!("{at}/{name}"));
                    }
                    true
                }
                "additionalProperties" | "propertyNames" | "description" | "default" | "example" => true,
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{at}/{index}"));
                    }
                    true
                }
                "minItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap())
                }
                "maxItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap())
                }
                "minimum" => value.as_i64().is_none_or(|number| number >= wanted.as_i64().unwrap()),
                "maximum" => value.as_i64().is_none_or(|number| number <= wanted.as_i64().unwrap()),
                "allOf" => {
                    for part in wanted.as_array().unwrap() {
                        self.apply(part, value, at);
                    }
                    true
                }
                "anyOf" | "oneOf" => wanted.as_array().unwrap().iter().any(|part| self.fits(part, value)),
                "format" => value.as_str().is_none_or(|text| has_format(wanted.as_str().unwrap(), text)),
                "pattern" => value.as_str().is_none_or(|text| has_pattern(wanted.as_str().unwrap(), text)),
                other => panic!("{at}: the validator does not know {other}"),
            };
            if !right {
                wrong.push(format!("{at} is {value}, and its {keyword} is {wanted}"));
            }
        }
        self.errors.extend(wrong);
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no JSON type {other}"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "uuid" => uuid::Uuid::try_parse(text).is_ok_and(|id| id.to_string() == text),
        "date" => finance::calendar::parse_date(text).is_some(),
        "date-time" => text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
        "email" => text.contains('@'),
        // Widths of integers, which every JSON integer here has.
        "int32" | "int64" => true,
        other => panic!("no format {other}"),
    }
}

/// The few patterns that answers have.
fn has_pattern(pattern: &str, text: &str) -> bool {
    match pattern {
        "^[A-Z]{3}$" => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        "^/problems/[a-z_]+$" => text.strip_prefix("/problems/").is_some_and(|code| !code.is_empty()),
        "^-?[0-9]+(\\.[0-9]{1,4})?$" => {
            let text = text.strip_prefix('-').unwrap_or(text);
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(whole) && digits(fraction) && fraction.len() <= 4
        }
        other => panic!("no pattern {other}"),
    }
}

/// Fails unless the answer is one that the document has for the operation: its status, its headers and its body.
fn assert_described(document: &Value, route: &RouteInfo, answer: &Answer) {
    let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
    let what = format!("{} {}: {}", route.method, route.path, answer.json);
    let mut validator = Validator { root: document, errors: Vec::new() };
    let response = validator.follow(&operation["responses"][answer.status.to_string()]);
    assert!(response.is_object(), "{} is not described: {what}", answer.status);
    match answer.header("content-type").map(|media| media.split(';').next().unwrap()) {
        Some(media) => {
            let schema = &response["content"][media]["schema"];
            assert!(schema.is_object(), "{media} is not described: {what}");
            validator.check(schema, &answer.json, "");
        }
        None => assert!(response.get("content").is_none() && answer.raw.is_empty(), "{what}"),
    }
    assert_eq!(validator.errors, Vec::<String>::new(), "{what}");
    if answer.header("content-type") == Some("application/problem+json") {
        let codes = response["x-problem-codes"].as_array().unwrap();
        assert!(codes.contains(&answer.json["code"]), "{} is not described: {what}", answer.json["code"]);
    }
    let sometimes = ["Idempotency-Replayed", "Retry-After", "WWW-Authenticate"];
    for name in response["headers"].as_object().into_iter().flat_map(Map::keys) {
        assert!(answer.header(name).is_some() || sometimes.contains(&name.as_str()), "no {name}: {what}");
    }
    for name in ["etag", "location", "set-cookie", "retry-after", "www-authenticate", "idempotency-replayed"]
    {
        let described = response["headers"]
            .as_object()
            .is_some_and(|all| all.keys().any(|known| known.eq_ignore_ascii_case(name)));
        assert!(answer.header(name).is_none() || described, "{name} is not described: {what}");
    }
}

/// What a scenario has made, for the paths and bodies of the operations after it.
#[derive(Default)]
struct Made(BTreeMap<&'static str, String>);

impl Made {
    fn get(&self, name: &str) -> &str {
        &self.0[name]
    }
}

struct Scenario {
    app: TestApp,
    document: Value,
    user: User,
    made: Made,
    seen: BTreeSet<&'static str>,
}

impl Scenario {
    /// Calls an operation, which must succeed as described.
    async fn step(&mut self, operation: &str, id: &str, query: &str, body: Option<Value>) -> Answer {
        let described = openapi::operations();
        let described = described.into_iter().find(|described| described.operation.id == operation).unwrap();
        let Described { route, operation: contract, .. } = described;
        let target = format!("{}{query}", route.path.replace("{id}", id));
        let method = route.method.as_str();
        let answer = match route.access {
            Access::Read | Access::Write => {
                self.app.call(&self.user, method, &target, &[], body.as_ref()).await
            }
            Access::Public => self.app.anonymous(method, &target, body.as_ref()).await,
        };
        assert_eq!(answer.status, contract.answer.status, "{operation}: {}", answer.json);
        assert_described(&self.document, &route, &answer);
        self.seen.insert(route.operation);
        answer
    }

    async fn keep(&mut self, name: &'static str, operation: &str, body: Value) {
        let id = self.step(operation, "", "", Some(body)).await.id();
        self.made.0.insert(name, id);
    }
}

async fn scenario() -> Scenario {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let user = app.register().await;
    let document = openapi::document().unwrap();
    Scenario { app, document, user, made: Made::default(), seen: BTreeSet::new() }
}

#[tokio::test]
async fn a_success_of_every_operation_is_as_described() {
    let mut s = scenario().await;
    s.step("get_health", "", "", None).await;
    s.step("get_method", "", "", None).await;
    let register =
        json!({"email": "Contract@example.com", "password": PASSWORD, "firstName": "Ada", "locale": "en-GB"});
    s.step("register", "", "", Some(register)).await;
    let log_in = json!({"email": s.user.email, "password": PASSWORD});
    let second = s.step("log_in", "", "", Some(log_in.clone())).await;
    let refreshed =
        s.step("refresh", "", "", Some(json!({"refreshToken": second.json["tokens"]["refreshToken"]}))).await;
    s.step("get_me", "", "", None).await;
    s.step("update_me", "", "", Some(json!({"firstName": "Ada", "timeZone": "Europe/London"}))).await;

    money(&mut s).await;
    score(&mut s).await;

    let sessions = s.step("list_sessions", "", "?limit=1", None).await;
    assert!(sessions.json["nextCursor"].is_string(), "{}", sessions.json);
    let other = s.app.get(&s.user, "/auth/sessions").await;
    let other = other.items().iter().find(|session| session["current"] == false).unwrap()["id"].clone();
    s.step("log_out", "", "", Some(json!({"refreshToken": refreshed.json["tokens"]["refreshToken"]}))).await;
    s.step("log_in", "", "", Some(log_in)).await;
    let open = s.app.get(&s.user, "/auth/sessions").await;
    let open =
        open.items().iter().find(|session| session["current"] == false && session["id"] != other).unwrap();
    s.step("end_session", open["id"].as_str().unwrap(), "", None).await;
    s.step("end_other_sessions", "", "", None).await;
    s.step("erase_me", "", "", Some(json!({"password": PASSWORD}))).await;

    let all: BTreeSet<&str> = openapi::operations().iter().map(|described| described.operation.id).collect();
    let missing: Vec<&&str> = all.difference(&s.seen).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "operations without a described success");
}

async fn money(s: &mut Scenario) {
    let card = json!({
        "name": "Card", "type": "credit_card", "currency": "EUR", "openingBalance": {"amount": "-12.50"},
        "openingDate": "2026-01-01", "creditLimit": {"amountMinor": 500_000}, "minimumPayment": {"amount": "25"},
        "interestRateBps": 1_999,
    });
    s.keep("card", "create_account", card).await;
    s.keep(
        "cash",
        "create_account",
        json!({"name": "Cash", "type": "cash", "openingBalance": {"amount": "10"}}),
    )
    .await;
    s.step("list_accounts", "", "?asOf=2026-02-01&limit=2", None).await;
    let (card, cash) = (s.made.get("card").to_owned(), s.made.get("cash").to_owned());
    s.step("get_account", &card, "", None).await;
    s.step("update_account", &card, "", Some(json!({"name": "Gold card", "creditLimit": null}))).await;

    let food = s.app.category(&s.user, "Food & Dining").await;
    s.keep("cafes", "create_category", json!({"name": "Cafés", "kind": "expense", "parentId": food})).await;
    s.step("list_categories", "", "", None).await;
    let cafes = s.made.get("cafes").to_owned();
    s.step("get_category", &cafes, "", None).await;
    s.step("update_category", &cafes, "", Some(json!({"essential": true}))).await;

    let split = json!({
        "type": "expense", "amount": "30.00", "date": "2026-01-10", "description": "Market", "merchant": "Hall",
        "accountId": cash, "tags": ["food"], "notes": "two bags", "externalId": "FIT-1", "originalAmount": "3000",
        "originalCurrency": "JPY",
        "splits": [{"categoryId": food, "amount": "20.00", "notes": "bread"}, {"categoryId": cafes, "amountMinor": 1_000}],
    });
    s.keep("split", "create_transaction", split).await;
    let transfer = json!({
        "type": "transfer", "amount": "100", "accountId": cash, "transferAccountId": card, "transferAmount": "92.10",
        "date": "2026-01-11", "description": "Pay the card",
    });
    s.keep("transfer", "create_transaction", transfer).await;
    s.step("list_transactions", "", "?limit=1&from=2026-01-01&type=expense", None).await;
    s.step("list_transactions", "", "", None).await;
    for group in ["month", "category", "account", "merchant", "tag"] {
        s.step("get_summary", "", &format!("?from=2026-01-01&to=2026-12-31&groupBy={group}"), None).await;
    }
    let split = s.made.get("split").to_owned();
    s.step("get_transaction", &split, "", None).await;
    s.step(
        "update_transaction",
        &split,
        "",
        Some(json!({"description": "Farmers' market", "merchant": null})),
    )
    .await;
    s.step("delete_transaction", &split, "", None).await;
    s.step("restore_transaction", &split, "", None).await;
    s.step("delete_category", &cafes, &format!("?moveTo={food}"), None).await;
    s.keep("empty", "create_account", json!({"name": "Empty", "type": "other"})).await;
    let empty = s.made.get("empty").to_owned();
    s.step("delete_account", &empty, "", None).await;
}

async fn score(s: &mut Scenario) {
    let none = s.step("get_score", "", "", None).await;
    assert!(none.json["score"].is_null(), "{}", none.json);
    let salary = s.app.category(&s.user, "Salary").await;
    let housing = s.app.category(&s.user, "Housing").await;
    for month in 1..=12 {
        for (kind, amount, category) in [("income", "3000", &salary), ("expense", "1400", &housing)] {
            let body = json!({
                "type": kind, "amount": amount, "date": format!("2025-{month:02}-05"), "description": kind, "categoryId": category,
            });
            s.app.create(&s.user, "/transactions", body).await;
        }
    }
    let some = s.step("get_score", "", "?asOf=2026-01-05", None).await;
    assert!(some.json["pillars"].as_array().is_some_and(|pillars| !pillars.is_empty()), "{}", some.json);
    s.step("get_latest_score", "", "?asOf=2026-01-05", None).await;
}

#[tokio::test]
async fn every_private_operation_is_401_without_a_token_as_described() {
    let s = scenario().await;
    let nobody = "01900000-0000-7000-8000-00000000dead";
    for Described { route, .. } in openapi::operations() {
        if route.access == Access::Public {
            continue;
        }
        let answer = s.app.anonymous(route.method.as_str(), &route.path.replace("{id}", nobody), None).await;
        answer.expect_problem(401, "unauthenticated");
        assert_described(&s.document, &route, &answer);
    }
}

/// What a property cannot be.
fn wrong_value(schema: &Value) -> Value {
    if openapi::kind_of(schema) == Some("boolean") { json!("yes") } else { json!(true) }
}

#[tokio::test]
async fn the_properties_of_a_bodys_schema_are_the_fields_of_its_parser() {
    let mut s = scenario().await;
    s.keep("/accounts/{id}", "create_account", json!({"name": "Cash", "type": "cash"})).await;
    s.keep("/categories/{id}", "create_category", json!({"name": "Cafés", "kind": "expense"})).await;
    let expense = json!({"type": "expense", "amount": "1", "description": "x"});
    s.keep("/transactions/{id}", "create_transaction", expense).await;
    for described in openapi::operations() {
        let Some(schema) = described.body_schema() else { continue };
        let route = &described.route;
        let id =
            s.made.0.get(route.path).cloned().unwrap_or_else(|| s.made.get("/transactions/{id}").to_owned());
        let (method, target) = (route.method.as_str(), route.path.replace("{id}", &id));
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let what = format!("{method} {target}");

        let wrong: Map<String, Value> =
            properties.iter().map(|(name, schema)| (name.clone(), wrong_value(schema))).collect();
        if !wrong.is_empty() {
            let answer = s.app.call(&s.user, method, &target, &[], Some(&wrong.into())).await;
            assert_described(&s.document, route, &answer);
            assert_eq!(answer.status, 422, "{what}: {}", answer.json);
            let found: BTreeSet<String> = answer.errors().into_iter().map(|(pointer, _)| pointer).collect();
            let wanted: BTreeSet<String> = properties.keys().map(|name| format!("/{name}")).collect();
            assert_eq!(found, wanted, "{what}");
        }

        let mut extra: Map<String, Value> =
            properties.keys().map(|name| (name.clone(), Value::Null)).collect();
        extra.insert("notAField".into(), json!(1));
        let answer = s.app.call(&s.user, method, &target, &[], Some(&extra.into())).await;
        answer.expect_problem(400, "unknown_field");
        assert_described(&s.document, route, &answer);
        assert_eq!(answer.errors(), [("/notAField".to_owned(), "unknown_field".to_owned())], "{what}");

        // What is required is exactly what an empty body lacks.
        let required: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| format!("/{}", name.as_str().unwrap()))
            .collect();
        assert_eq!(described.is_body_required(), route.method == "PATCH" || !required.is_empty(), "{what}");
        if !required.is_empty() {
            let answer = s.app.call(&s.user, method, &target, &[], Some(&json!({}))).await;
            let found: BTreeSet<String> = answer.errors().into_iter().map(|(pointer, _)| pointer).collect();
            assert_eq!((answer.status, found), (422, required), "{what}");
        }
    }
}

#[tokio::test]
async fn refusals_are_as_described() {
    let s = scenario().await;
    let nobody = "01900000-0000-7000-8000-00000000dead";
    let bearer = format!("Bearer {}", s.user.access);
    for Described { route, .. } in openapi::operations() {
        let (method, target) =
            (route.method.as_str(), format!("/api/v1{}", route.path.replace("{id}", nobody)));
        let bodies = [
            None,
            Some(""),
            Some("{"),
            Some("[]"),
            Some("{}"),
            Some(r#"{"currency":"\u0007","name":"\u0007"}"#),
        ];
        let queries =
            ["", "?limit=0", "?cursor=x", "?asOf=x", "?nothing=1", "?limit=1&limit=1", "?moveTo=x", "?tag="];
        let conditions = [
            ("if-match", "x"),
            ("if-match", "\"0\""),
            ("idempotency-key", ""),
            ("content-type", "text/plain"),
        ];
        let mut calls = Vec::new();
        calls.extend(bodies.map(|body| (String::new(), None, body)));
        calls.extend(queries.map(|query| (query.to_owned(), None, Some("{}"))));
        calls.extend(conditions.map(|header| (String::new(), Some(header), Some("{}"))));
        for (query, header, body) in calls {
            // Erasing or logging out would end the session that the others need; their refusals have tests of their own.
            let body = if route.operation == "log_out" { Some("{") } else { body };
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(header);
            let event = event(method, &format!("{target}{query}"), &random_ip(), &headers, body);
            let answer = s.app.send(&event).await;
            assert_described(&s.document, &route, &answer);
        }
    }
}

/// A field's schema takes null.
fn is_nullable(schema: &Value) -> bool {
    let kinds = schema["type"].as_array().into_iter().flatten();
    let any_of = schema["anyOf"].as_array().into_iter().flatten().map(|part| &part["type"]);
    kinds.chain(any_of).any(|kind| kind == "null")
}

#[tokio::test]
async fn a_field_of_a_patch_is_nullable_exactly_where_null_is_not_refused() {
    let app = TestApp::start().await;
    let mut seen = (0, 0);
    for described in openapi::operations() {
        if described.route.method != "PATCH" {
            continue;
        }
        for (name, schema) in described.body_schema().unwrap()["properties"].as_object().unwrap() {
            let ready = requests::ready(&app, &described.route, "null-in-a-patch").await;
            let mut event: Value = serde_json::from_str(&ready.event).unwrap();
            event["body"] = json!({name: null}).to_string().into();
            event["isBase64Encoded"] = false.into();
            let answer = app.send(&event.to_string()).await;
            let refused = answer.errors().contains(&(format!("/{name}"), "required".to_owned()));
            assert_eq!(refused, !is_nullable(schema), "{} {name}: {}", ready.operation, answer.json);
            if refused { seen.0 += 1 } else { seen.1 += 1 }
        }
    }
    assert!(seen.0 >= 17 && seen.1 >= 17, "{seen:?}");
}

#[tokio::test]
async fn a_field_that_is_left_out_has_the_default_that_its_schema_names() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let mut seen = 0;
    for described in openapi::operations() {
        let Some(schema) = described.body_schema() else { continue };
        let defaults = schema["properties"].as_object().unwrap().iter();
        let defaults: Vec<_> = defaults.filter(|(_, schema)| schema.get("default").is_some()).collect();
        if defaults.is_empty() {
            continue;
        }
        let mut body = described.operation.body.as_ref().unwrap().example.clone();
        for (name, _) in &defaults {
            body.as_object_mut().unwrap().remove(*name);
        }
        if described.operation.id == "create_transaction" {
            body = json!({"type": "expense", "amount": "1.00", "description": "x"});
        }
        let answer = app.post(&user, described.route.path, &body).await;
        answer.expect(201);
        for (name, schema) in defaults {
            assert_eq!(answer.json[name], schema["default"], "{} {name}", described.operation.id);
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[tokio::test]
async fn the_pattern_of_a_header_takes_exactly_what_is_not_refused_for_its_form() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = app.first_account(&user).await;
    let document = openapi::document().unwrap();
    let schema = |name: &str| {
        let schema = &document["components"]["parameters"][name]["schema"];
        jsonschema::validator_for(schema).unwrap()
    };
    let (condition, key) = (schema("IfMatch"), schema("IdempotencyKey"));
    let body = json!({"archived": false});
    for text in [
        "*",
        "\"1\"",
        "W/\"1\"",
        "\"a\", \"b\"",
        "\"a\",W/\"b\"",
        "\"a,b\"",
        "x",
        "\"a b\"",
        "\"a",
        "*, \"a\"",
        "W/x",
    ] {
        let answer = app
            .call(&user, "PATCH", &format!("/accounts/{account}"), &[("if-match", text)], Some(&body))
            .await;
        assert_eq!(
            answer.code() != "invalid_header",
            condition.is_valid(&json!(text)),
            "{text}: {}",
            answer.json
        );
    }
    let long = |length| "k".repeat(length);
    let quoted = |text: &str| format!("\"{text}\"");
    for text in [
        "a".to_owned(),
        "a b".to_owned(),
        "a,b".to_owned(),
        "a\"b".to_owned(),
        quoted("a,b"),
        quoted("a\\\"b"),
        quoted("a\\b"),
        quoted("a\"b"),
        quoted(""),
        quoted("a") + "x",
        "\"a".to_owned(),
        long(255),
        long(256),
        quoted(&long(255)),
        quoted(&long(256)),
    ] {
        let category = json!({"name": random_name(), "kind": "expense"});
        let answer =
            app.call(&user, "POST", "/categories", &[("idempotency-key", &text)], Some(&category)).await;
        assert_eq!(answer.code() != "invalid_header", key.is_valid(&json!(text)), "{text}: {}", answer.json);
    }
}
