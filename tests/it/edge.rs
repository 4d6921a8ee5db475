//! The HTTP door beyond what the route table alone says: every field of every body, the limits of bodies, encodings and
//! the deadline.

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::tower::ServiceExt;
use lambda_http::{Context, RequestExt};
use serde_json::{Value, json};
use tests::{Answer, PASSWORD, TestApp, User, event, random_ip, random_name};

/// Sends a body as it is, with a content type.
async fn send(app: &TestApp, user: &User, method: &str, path: &str, kind: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {}", user.access);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
    app.send(&event(method, &format!("/api/v1{path}"), &user.ip, &headers, Some(body))).await
}

async fn post(app: &TestApp, user: &User, body: &str) -> Answer {
    send(app, user, "POST", "/transactions", "application/json", body).await
}

#[tokio::test]
async fn no_field_of_any_body_takes_an_operator_or_another_type() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let user = app.register().await;
    let account = app.first_account(&user).await;
    let category = app.category(&user, "Travel").await;
    let transaction = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let before = app.get(&user, "/transactions").await.json;
    let mut tried = 0;
    for described in tests::openapi::operations() {
        let Some(schema) = described.body_schema() else { continue };
        let route = described.route;
        let id = match route.path.split('/').nth(1) {
            Some("accounts") => &account,
            Some("categories") => &category,
            _ => &transaction,
        };
        let target = route.path.replace("{id}", id);
        for (name, _) in schema["properties"].as_object().unwrap() {
            let operators = [
                json!({"$ne": null}),
                json!({"$gt": ""}),
                json!({"$where": "sleep(1000)"}),
                json!({"$regex": ".*"}),
                json!([{"$gt": ""}]),
                json!([[["x"]]]),
                json!(12.5),
                json!(1e300),
            ];
            for value in operators {
                let mut body = json!({});
                body[name] = value.clone();
                let answer = app.call(&user, route.method.as_str(), &target, &[], Some(&body)).await;
                let what = format!("{} {name} {value}: {} {}", route.operation, answer.status, answer.json);
                // A field that is an object names what it does not know of one.
                assert!(
                    matches!((answer.status, answer.code()), (422, _) | (400, "unknown_field")),
                    "{what}"
                );
                let pointer = format!("/{name}");
                assert!(answer.errors().iter().any(|(at, _)| at.starts_with(&pointer)), "{what}");
                tried += 1;
            }
        }
    }
    assert!(tried > 400, "{tried}");
    assert_eq!(app.get(&user, "/transactions").await.json, before);
    app.get(&user, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn bodies_are_taken_to_their_limit_and_no_further() {
    let app = TestApp::with(&[("MAX_BODY_BYTES", "2000"), ("RATE_LIMIT_AUTH_MAX", "1000")]).await;
    let user = app.register().await;
    let padded = |size: usize| {
        let text = json!({"type": "expense", "amount": "1.00", "description": "x"}).to_string();
        format!("{text}{}", " ".repeat(size - text.len()))
    };
    post(&app, &user, &padded(2000)).await.expect(201);
    post(&app, &user, &padded(2001)).await.expect_problem(413, "body_too_large");
    let log_in = |size: usize| {
        let text = json!({"email": "x@example.com", "password": "wrong horse battery"}).to_string();
        format!("{text}{}", " ".repeat(size - text.len()))
    };
    let auth =
        async |size: usize| send(&app, &user, "POST", "/auth/login", "application/json", &log_in(size)).await;
    auth(8192).await.expect_problem(401, "invalid_credentials");
    auth(8193).await.expect_problem(413, "body_too_large");
    // The type is judged before the size.
    send(&app, &user, "POST", "/transactions", "text/csv", &padded(2001))
        .await
        .expect_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn nesting_is_taken_to_depth_32() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    post(&app, &user, &nested(32)).await.expect_problem(400, "unknown_field");
    post(&app, &user, &nested(33)).await.expect_problem(400, "invalid_json");
    // Far deeper than any stack.
    post(&app, &user, &"[".repeat(60_000)).await.expect_problem(400, "invalid_json");
}

#[tokio::test]
async fn json_comes_as_json_and_a_patch_also_as_a_merge_patch() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = "{\"firstName\":\"Ada\"}";
    for kind in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=UTF-8",
        "application/merge-patch+json",
    ] {
        send(&app, &user, "PATCH", "/auth/me", kind, body).await.expect(200);
    }
    for kind in [
        "text/json",
        "application/json; charset=utf-16",
        "application/json-patch+json",
        "multipart/form-data",
    ] {
        send(&app, &user, "PATCH", "/auth/me", kind, body)
            .await
            .expect_problem(415, "unsupported_media_type");
    }
    let account = json!({"name": "x", "type": "cash"}).to_string();
    send(&app, &user, "POST", "/accounts", "application/merge-patch+json", &account)
        .await
        .expect_problem(415, "unsupported_media_type");
}

/// Nothing was refused for its type, which nobody had named.
#[tokio::test]
async fn a_call_without_a_body_is_empty_and_not_of_a_wrong_type() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for path in ["/transactions", "/accounts", "/categories"] {
        app.call(&user, "POST", path, &[], None).await.expect_problem(400, "invalid_json");
        let plain = [("content-type", "text/plain")];
        app.call(&user, "POST", path, &plain, None).await.expect_problem(400, "invalid_json");
    }
}

#[tokio::test]
async fn a_base64_body_is_the_same_body() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let encoded = |bytes: &[u8]| {
        let bearer = format!("Bearer {}", user.access);
        let text = STANDARD.encode(bytes);
        let event = event("POST", "/api/v1/accounts", &user.ip, &[("authorization", &bearer)], Some(&text));
        let mut event: Value = serde_json::from_str(&event).unwrap();
        event["isBase64Encoded"] = json!(true);
        event.to_string()
    };
    let made = app.send(&encoded("{\"name\":\"Sparbüchse\",\"type\":\"cash\"}".as_bytes())).await;
    assert_eq!(made.expect(201).json["name"], "Sparbüchse");
    app.send(&encoded(b"{\"name\":\"\xff\",\"type\":\"cash\"}")).await.expect_problem(400, "invalid_json");
    app.send(&encoded(b"\xef\xbb\xbf{}")).await.expect_problem(400, "invalid_json");
}

#[tokio::test]
async fn unknown_fields_are_named_by_escaped_pointers_before_any_value_is_judged() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"type": 5, "a/b~c": 1, "$set": {"x": 1}, "userId": "x", "__proto__": {}});
    let answer = app.post(&user, "/transactions", &body).await;
    answer.expect_problem(400, "unknown_field");
    answer.expect_errors(&[
        ("/a~1b~0c", "unknown_field"),
        ("/$set", "unknown_field"),
        ("/userId", "unknown_field"),
        ("/__proto__", "unknown_field"),
    ]);
}

#[tokio::test]
async fn a_query_that_is_no_percent_encoded_utf8_is_400() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for query in ["q=%zz", "q=%f", "q=%ff", "%ff=1"] {
        app.get(&user, &format!("/transactions?{query}")).await.expect_problem(400, "invalid_query");
    }
    app.get(&user, "/transactions?q=a%20b&&").await.expect(200);
}

#[tokio::test]
async fn a_token_counts_in_one_well_formed_header_only() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let with = async |value: &str| {
        app.send(&event("GET", "/api/v1/auth/me", &user.ip, &[("authorization", value)], None)).await
    };
    with(&format!("Bearer {}", user.access)).await.expect(200);
    with(&format!("bearer {}", user.access)).await.expect(200);
    for bad in [
        user.access.clone(),
        format!("Basic {}", user.access),
        format!("Bearer {}=", user.access),
        format!("Bearer {} {}", user.access, user.access),
        format!("Bearer {},Bearer {}", user.access, user.access),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", user.refresh),
        format!("Bearer {}", "a".repeat(9000)),
    ] {
        with(&bad).await.expect_problem(401, "unauthenticated");
    }
    // Neither a query parameter nor a cookie is a bearer.
    let cookie = format!("access={}", user.access);
    app.send(&event("GET", "/api/v1/auth/me", &user.ip, &[("cookie", &cookie)], None))
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_answer_is_out_before_lambda_ends_the_invocation() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let call = async |name: &str, text: String, left_ms: i64| {
        let function = app.functions.iter().find(|function| function.name == name).unwrap();
        let mut context = Context::default();
        context.deadline = (app.clock.now_ms() + left_ms).unsigned_abs();
        let request = lambda_http::request::from_str(&text).unwrap().with_lambda_context(context);
        let response = function.router.clone().oneshot(request).await.unwrap();
        (response.status().as_u16(), response.headers().get("retry-after").is_some())
    };
    let list = || app.event(&user, "GET", "/transactions", &[], None);
    let body = json!({"email": format!("{}@example.com", random_name()), "password": PASSWORD}).to_string();
    let register = || event("POST", "/api/v1/auth/register", &random_ip(), &[], Some(&body));
    assert_eq!(call("transactions", list(), 9_000).await, (200, false));
    // Less than the margin is left: the deadline has passed.
    for left_ms in [200, -5_000] {
        // MongoDB's time is over at the same moment: whichever is noticed first, the answer is the same.
        for (name, text) in [("auth", register()), ("transactions", list())] {
            let (status, says_when) = call(name, text, left_ms).await;
            assert_eq!((status, says_when), (504, true), "{name}");
        }
    }
    // What was refused so has not happened.
    app.send(&register()).await.expect(201);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let get = app.get(&user, "/accounts").await;
    let head = app.call(&user, "HEAD", "/accounts", &[], None).await;
    assert_eq!((head.status, head.header("content-type")), (200, get.header("content-type")));
    assert!(head.raw.is_empty());
}
