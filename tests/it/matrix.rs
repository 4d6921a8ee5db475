//! What holds for every route, driven by the table that the functions export: a new route enters by itself.

use serde_json::json;
use tests::app::{Answer, TestApp, User, event, random_ip};

const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-permitted-cross-domain-policies", "none"),
    ("cache-control", "no-store"),
];

/// A path of the route, its ids those of nobody.
fn path(template: &str) -> String {
    template.replace("{id}", "01900000-0000-7000-8000-00000000dead")
}

fn assert_owed_headers(answer: &Answer, what: &str) {
    for (name, value) in HEADERS {
        assert_eq!(answer.header(name), Some(*value), "{what}: {name}");
    }
    assert!(answer.header("permissions-policy").is_some(), "{what}");
    assert!(answer.header("x-request-id").is_some(), "{what}");
    assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none(), "{what}");
}

fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{what}: {}", answer.json);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    assert_eq!(answer.json["type"], format!("/problems/{code}"), "{what}");
    assert_eq!(answer.json["status"], status, "{what}");
    assert_eq!(answer.json["instance"].as_str(), answer.header("x-request-id"), "{what}");
    assert_owed_headers(answer, what);
}

fn takes_body(method: &str, path: &str) -> bool {
    // These take none, or may go without.
    let optional = path.ends_with("/restore") || path.ends_with("/logout") || path.ends_with("/refresh");
    matches!(method, "POST" | "PATCH" | "PUT") && !optional
}

async fn call(
    app: &TestApp,
    user: &User,
    method: &str,
    target: &str,
    content_type: &str,
    body: &str,
) -> Answer {
    let bearer = format!("Bearer {}", user.access);
    let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
    app.send(&event(method, target, &user.ip, &headers, Some(body))).await
}

#[tokio::test]
async fn a_private_route_is_401_without_a_live_session_and_a_public_one_is_not() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let user = app.register().await;
    let ended = app.log_in(&user).await;
    assert_eq!(app.call(&ended, "POST", "/auth/logout", &[], None).await.status, 204);
    let mut public = Vec::new();
    for (_, route) in app.operations() {
        let method = route.method.as_str();
        let what = format!("{method} {}", route.path);
        let without = app.anonymous(method, &path(route.path), None).await;
        if route.access == shared::edge::Access::Public {
            public.push(route.operation);
            // Logging out needs something to log out of: a token in the body, a cookie or a bearer.
            assert!(without.code() != "unauthenticated" || route.operation == "log_out", "{what}");
            continue;
        }
        assert_problem(&without, 401, "unauthenticated", &what);
        for token in ["garbage", "a.b.c", ended.access.as_str()] {
            let user = User { access: token.to_owned(), ..user.clone() };
            let answer = app.call(&user, method, &path(route.path), &[], None).await;
            assert_problem(&answer, 401, "unauthenticated", &what);
        }
    }
    // This list may only shrink.
    let allowed = ["get_health", "get_method", "log_in", "log_out", "refresh", "register"];
    public.sort_unstable();
    assert_eq!(public, allowed);
}

#[tokio::test]
async fn every_route_answers_under_both_bases_with_the_owed_headers() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let user = app.register().await;
    for (_, route) in app.operations() {
        let method = route.method.as_str();
        if method != "GET" {
            continue;
        }
        let bearer = format!("Bearer {}", user.access);
        let mut statuses = Vec::new();
        for base in ["/api/v1", "/api"] {
            let target = format!("{base}{}", path(route.path));
            let answer =
                app.send(&event(method, &target, &user.ip, &[("authorization", &bearer)], None)).await;
            assert_owed_headers(&answer, &target);
            statuses.push(answer.status);
            let head = app.send(&event("HEAD", &target, &user.ip, &[("authorization", &bearer)], None)).await;
            assert_eq!(head.status, answer.status, "HEAD {target}");
        }
        assert_eq!(statuses[0], statuses[1], "{}", route.path);
    }
}

#[tokio::test]
async fn a_limited_an_unavailable_and_a_written_answer_have_the_owed_headers() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "1")]).await;
    let ip = random_ip();
    let ask = async || app.send(&event("GET", "/api/v1/financial-health/method", &ip, &[], None)).await;
    ask().await.expect(200);
    assert_problem(&ask().await, 429, "rate_limited", "limited");
    let app = TestApp::start().await;
    let user = app.register().await;
    let made = app.post(&user, "/accounts", &json!({"name": "x", "type": "cash"})).await;
    assert_owed_headers(made.expect(201), "a write");
    let away = app.sibling_with(&[
        ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true"),
        ("MONGO_SERVER_SELECTION_TIMEOUT_MS", "300"),
    ]);
    assert_problem(&away.get(&user, "/accounts").await, 503, "service_unavailable", "away");
}

#[tokio::test]
async fn an_unknown_path_is_404_and_an_unknown_method_is_405_with_allow() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for target in ["/api/v1/nothing", "/nothing", "/", "/api/v1", "/api/v1/accounts/x/y", "/api/v2/accounts"]
    {
        let answer = app.send(&event("GET", target, &random_ip(), &[], None)).await;
        assert_problem(&answer, 404, "not_found", target);
    }
    for (_, route) in app.operations() {
        for method in ["PUT", "TRACE", "CONNECT", "PROPFIND"] {
            let answer = app.call(&user, method, &path(route.path), &[], Some(&json!({}))).await;
            assert_problem(&answer, 405, "method_not_allowed", route.path);
            let allow = answer.header("allow").unwrap_or_default().to_owned();
            assert!(
                allow.split(", ").any(|method| method == route.method.as_str()),
                "{}: {allow}",
                route.path
            );
            assert!(!allow.contains(method), "{}: {allow}", route.path);
        }
    }
}

#[tokio::test]
async fn an_id_of_nobody_or_of_no_form_is_404() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for (_, route) in app.operations().into_iter().filter(|(_, route)| route.path.contains("{id}")) {
        let method = route.method.as_str();
        for id in ["01900000-0000-7000-8000-00000000dead", "1", "x", "%7B%7D", "..%2f", "%00"] {
            let body = if method == "PATCH" { Some(json!({})) } else { None };
            let target = route.path.replace("{id}", id);
            let answer = app.call(&user, method, &target, &[], body.as_ref()).await;
            assert_problem(&answer, 404, "not_found", &format!("{method} {target}"));
        }
    }
}

#[tokio::test]
async fn unknown_and_repeated_query_parameters_are_400() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let user = app.register().await;
    for (_, route) in app.operations() {
        let method = route.method.as_str();
        let body = takes_body(method, route.path).then(|| json!({}));
        let target = format!("{}?limit[$ne]=1", path(route.path));
        let answer = app.call(&user, method, &target, &[], body.as_ref()).await;
        assert_problem(&answer, 400, "invalid_query", &target);
        if let Some(parameter) = route.query.first() {
            let target = format!("{}?{parameter}=1&{parameter}=2", path(route.path));
            let answer = app.call(&user, method, &target, &[], body.as_ref()).await;
            assert_problem(&answer, 400, "invalid_query", &target);
            assert_eq!(answer.errors(), [(format!("/query/{parameter}"), "repeated_parameter".to_owned())]);
        }
    }
}

#[tokio::test]
async fn a_bad_body_is_judged_in_the_contracts_order() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000"), ("RATE_LIMIT_GENERAL_MAX", "100000")]).await;
    let user = app.register().await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let malformed = [
        "",
        " ",
        "{",
        "{}x",
        "nul",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{'a':1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":01}",
        "[1,]",
        &deep,
    ];
    for (_, route) in app.operations() {
        let method = route.method.as_str();
        if !takes_body(method, route.path) {
            continue;
        }
        let target = format!("/api/v1{}", path(route.path));
        let what = format!("{method} {target}");
        for content_type in ["text/plain", "application/xml", "application/json; charset=latin1", ""] {
            let answer = call(&app, &user, method, &target, content_type, "{}").await;
            assert!(matches!(answer.status, 415 | 404), "{what} {content_type}: {}", answer.json);
        }
        if route.path.contains("{id}") {
            continue;
        }
        for body in malformed {
            let answer = call(&app, &user, method, &target, "application/json", body).await;
            assert_problem(&answer, 400, "invalid_json", &format!("{what} {body:?}"));
        }
        let answer = call(&app, &user, method, &target, "application/json", "{\"$where\":1,\"_id\":2}").await;
        assert_problem(&answer, 400, "unknown_field", &what);
        assert_eq!(answer.errors().len(), 2, "{what}: every unknown field is named");
        for body in ["[]", "1", "null", "\"x\""] {
            let answer = call(&app, &user, method, &target, "application/json", body).await;
            assert_problem(&answer, 422, "invalid_fields", &format!("{what} {body}"));
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
        let answer = call(&app, &user, method, &target, "application/json", &large).await;
        assert_problem(&answer, 413, "body_too_large", &what);
    }
}

#[tokio::test]
async fn a_request_id_is_kept_only_if_it_is_one() {
    let app = TestApp::start().await;
    for (given, kept) in
        [("abcdEFGH-1234", true), ("short", false), ("has space in it", false), ("under_score_1", false)]
    {
        let answer =
            app.send(&event("GET", "/api/v1/health", &random_ip(), &[("x-request-id", given)], None)).await;
        assert_eq!(answer.header("x-request-id") == Some(given), kept, "{given}");
    }
}

#[tokio::test]
async fn only_a_listed_origin_is_allowed_and_a_preflight_counts_nowhere() {
    let app = TestApp::start().await;
    let ip = random_ip();
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://app.example.com.attacker.net", false),
        ("https://app.example.com/", false),
        ("http://app.example.com", false),
        ("https://app.example.com:444", false),
        ("https://APP.example.com", false),
        ("null", false),
    ] {
        let preflight = [("origin", origin), ("access-control-request-method", "POST")];
        let answer = app.send(&event("OPTIONS", "/api/v1/transactions", &ip, &preflight, None)).await;
        assert_eq!(answer.status, 204, "{origin}");
        assert_owed_headers(&answer, origin);
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin));
        assert!(answer.header("vary").unwrap().contains("Origin"));
        assert!(answer.header("ratelimit").is_none());
        let answer = app.send(&event("GET", "/api/v1/health", &ip, &[("origin", origin)], None)).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), allowed.then_some("true"));
    }
}
