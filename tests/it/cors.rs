//! Cross-origin requests: an exact allow-list, on every answer.

use tests::{Answer, TestApp, event, random_ip};

const ORIGIN: &str = "https://app.example.com";

async fn send(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    app.send(&event(method, path, &random_ip(), headers, None)).await
}

fn assert_not_allowed(answer: &Answer, what: &str) {
    let granted: Vec<_> =
        answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
    assert!(granted.is_empty(), "{what}: {granted:?}");
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{what}");
}

#[tokio::test]
async fn a_listed_origin_is_allowed_with_credentials_on_every_answer() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "5")]).await;
    let ip = random_ip();
    let mut statuses = Vec::new();
    for (method, path) in [
        ("GET", "/api/v1/health"),
        ("GET", "/api/nothing"),
        ("GET", "/api/v1/accounts"),
        ("PUT", "/api/v1/accounts"),
        ("GET", "/api/v1/health?x=1"),
        ("GET", "/api/v1/health"),
    ] {
        let answer = app.send(&event(method, path, &ip, &[("origin", ORIGIN)], None)).await;
        statuses.push(answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{path}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in [
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Request-Id",
            "Idempotency-Replayed",
            "ETag",
            "Location",
            "Link",
            "Content-Disposition",
        ] {
            assert!(exposed.split(',').any(|part| part.trim() == name), "{name}");
        }
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{path}");
    }
    assert_eq!(statuses, [200, 404, 401, 405, 400, 429]);
}

#[tokio::test]
async fn whatever_only_resembles_a_listed_origin_is_not_allowed() {
    let app = TestApp::start().await;
    for origin in [
        "https://evil.example.org",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.org",
        "https://evil-app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "null",
        "*",
        "",
    ] {
        assert_not_allowed(&send(&app, "GET", "/api/v1/health", &[("origin", origin)]).await, origin);
        let asked = [("origin", origin), ("access-control-request-method", "GET")];
        let preflight = send(&app, "OPTIONS", "/api/v1/accounts", &asked).await;
        assert_eq!(preflight.status, 204);
        assert_not_allowed(&preflight, origin);
    }
    assert_not_allowed(&send(&app, "GET", "/api/v1/health", &[]).await, "no origin");
}

#[tokio::test]
async fn a_preflight_is_answered_204_with_what_the_contract_allows() {
    let app = TestApp::start().await;
    for path in ["/api/v1/transactions", "/api/transactions/x", "/api/v1/auth/login", "/api/v1/nothing"] {
        let headers = [
            ("origin", ORIGIN),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "authorization,x-evil"),
        ];
        let answer = send(&app, "OPTIONS", path, &headers).await;
        assert_eq!(answer.status, 204, "{path}");
        assert!(answer.raw.is_empty());
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, HEAD, POST, PUT, PATCH, DELETE")
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization, content-type, idempotency-key, if-match, x-request-id")
        );
        assert!(answer.header("ratelimit").is_none(), "a preflight counts nowhere");
    }
}

#[tokio::test]
async fn options_that_is_no_preflight_is_another_method() {
    let app = TestApp::start().await;
    let answer = send(&app, "OPTIONS", "/api/v1/accounts", &[("origin", ORIGIN)]).await;
    answer.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn several_origins_can_be_listed_and_none() {
    let app = TestApp::with(&[("CORS_ORIGINS", "https://a.example.com, http://localhost:5173")]).await;
    for origin in ["https://a.example.com", "http://localhost:5173"] {
        let answer = send(&app, "GET", "/api/v1/health", &[("origin", origin)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    let none = app.sibling_with(&[("CORS_ORIGINS", "")]);
    assert_not_allowed(&send(&none, "GET", "/api/v1/health", &[("origin", ORIGIN)]).await, "an empty list");
}
