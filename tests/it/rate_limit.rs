//! How often a client may call: exact, shared by all instances through Redis, per instance without it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use shared::metrics::Metric;
use tests::log::capture;
use tests::proxy::{Fault, Proxy};
use tests::{Answer, TestApp, event, random_ip, random_name};

const NO_REDIS: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1:1");

async fn call(app: &TestApp, ip: &str) -> Answer {
    app.send(&event("GET", "/api/v1/financial-health/method", ip, &[], None)).await
}

/// A log-in that fails, of an address that no other attempt is delayed by.
async fn log_in(app: &TestApp, ip: &str) -> Answer {
    let body = json!({"email": format!("{}@example.com", random_name()), "password": "wrong horse battery"});
    app.send(&event("POST", "/api/v1/auth/login", ip, &[], Some(&body.to_string()))).await
}

/// What a `RateLimit` header says of a policy: what remains, and the seconds until more comes.
fn state(answer: &Answer, policy: &str) -> (u64, u64) {
    let header = answer.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit on {}", answer.status));
    let prefix = format!("\"{policy}\";r=");
    let item = header.split(", ").find_map(|item| item.strip_prefix(prefix.as_str()));
    let (remaining, reset) =
        item.unwrap_or_else(|| panic!("no {policy} in {header}")).split_once(";t=").unwrap();
    (remaining.parse().unwrap(), reset.parse().unwrap())
}

#[tokio::test]
async fn the_sixth_log_in_of_an_address_is_429_and_says_when_to_come_again() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "100")]).await;
    let ip = random_ip();
    for attempt in 1..=5 {
        let answer = log_in(&app, &ip).await;
        answer.expect_problem(401, "invalid_credentials");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"auth\";q=5;w=900, \"general\";q=100;w=900"));
        let (remaining, reset) = state(&answer, "auth");
        assert_eq!(remaining, 5 - attempt);
        assert!((1..=900).contains(&reset));
        assert_eq!(state(&answer, "general").0, 100 - attempt, "it counts in general too");
    }
    let refused = log_in(&app, &ip).await;
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((880..=900).contains(&wait), "{wait}");
    assert_eq!(state(&refused, "auth"), (0, wait));
    assert_eq!(state(&refused, "general").0, 95, "a refused call is counted nowhere");

    // Registration shares the count; refresh, logout and everything else have only the general one.
    let register = json!({"email": format!("{}@example.com", random_name()), "password": tests::PASSWORD});
    let answer = app.send(&event("POST", "/api/auth/register", &ip, &[], Some(&register.to_string()))).await;
    answer.expect_problem(429, "rate_limited");
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        let answer = app.send(&event("POST", path, &ip, &[], None)).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"general\";q=100;w=900"));
    }
    log_in(&app, &random_ip()).await.expect_problem(401, "invalid_credentials");
}

#[tokio::test]
async fn of_fifty_calls_at_once_on_two_instances_exactly_the_quota_is_admitted() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "20"), ("REDIS_RESPONSE_TIMEOUT_MS", "9000")]).await;
    let other = app.sibling();
    let ip = random_ip();
    let calls = (0..50).map(|index| call(if index % 2 == 0 { &app } else { &other }, &ip));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 30);
    let mut remaining: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| state(answer, "general").0)
        .collect();
    remaining.sort_unstable();
    assert_eq!(remaining, (0..20).collect::<Vec<_>>(), "each admitted call saw a count of its own");
}

#[tokio::test]
async fn a_refused_call_does_not_extend_the_window() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "3")]).await;
    let ip = random_ip();
    for _ in 0..10 {
        call(&app, &ip).await;
    }
    let client = redis::Client::open(app.variables()["REDIS_URL"].as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}rl:{{{ip}}}:general", app.variables()["REDIS_KEY_PREFIX"]);
    let kept: i64 = redis::cmd("ZCARD").arg(&key).query_async(&mut redis).await.unwrap();
    assert_eq!(kept, 3);
    let lives_ms: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut redis).await.unwrap();
    assert!((1..=900_000).contains(&lives_ms), "it does not stay for ever: {lives_ms}");
}

#[tokio::test]
async fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "2")]).await;
    let net = random_name();
    let net = format!("2001:db8:{}:{}", &net[0..4], &net[4..8]);
    call(&app, &format!("{net}::1")).await.expect(200);
    call(&app, &format!("{net}:ffff:1:2:3")).await.expect(200);
    call(&app, &format!("{net}::3")).await.expect_problem(429, "rate_limited");
    call(&app, &format!("2001:db9:{}::3", &net[9..13])).await.expect(200);
    let ip = random_ip();
    call(&app, &ip).await.expect(200);
    call(&app, &format!("::ffff:{ip}")).await.expect(200);
    call(&app, &ip).await.expect_problem(429, "rate_limited");
}

#[tokio::test]
async fn no_header_makes_another_client() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "4")]).await;
    let ip = random_ip();
    for index in 0..4 {
        let forged = random_ip();
        let by = format!("for={forged}");
        let header = match index {
            0 => ("x-forwarded-for", forged.as_str()),
            1 => ("x-real-ip", forged.as_str()),
            2 => ("forwarded", by.as_str()),
            _ => ("cf-connecting-ip", forged.as_str()),
        };
        app.send(&event("GET", "/api/v1/financial-health/method", &ip, &[header], None)).await.expect(200);
    }
    call(&app, &ip).await.expect_problem(429, "rate_limited");
}

#[tokio::test]
async fn preflights_count_nowhere_and_every_other_answer_does() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "50")]).await;
    let ip = random_ip();
    let preflight = [("origin", "https://app.example.com"), ("access-control-request-method", "GET")];
    for _ in 0..5 {
        app.send(&event("OPTIONS", "/api/v1/accounts", &ip, &preflight, None)).await.expect(204);
    }
    let mut remaining = 50;
    for (method, path, headers, status) in [
        ("GET", "/api/v1/financial-health/method", vec![], 200),
        ("GET", "/api/v1/accounts", vec![], 401),
        ("GET", "/api/v1/accounts", vec![("authorization", "Bearer garbage")], 401),
        ("GET", "/api/v1/nothing", vec![], 404),
        ("PUT", "/api/v1/transactions", vec![], 405),
        ("GET", "/api/health?x=1", vec![], 400),
        ("HEAD", "/api/health", vec![], 200),
    ] {
        let answer = app.send(&event(method, path, &ip, &headers, None)).await;
        remaining -= 1;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(state(&answer, "general").0, remaining, "{method} {path}: one count over all functions");
    }
}

#[tokio::test]
async fn a_flood_of_bad_tokens_is_limited_before_they_are_looked_at() {
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "2")]).await;
    let ip = random_ip();
    let guess = async || {
        app.send(&event("GET", "/api/v1/accounts", &ip, &[("authorization", "Bearer a.b.c")], None)).await
    };
    guess().await.expect_problem(401, "unauthenticated");
    guess().await.expect_problem(401, "unauthenticated");
    guess().await.expect_problem(429, "rate_limited");
}

#[tokio::test]
async fn without_redis_each_instance_limits_by_itself() {
    let log = capture();
    let app = TestApp::with(&[("RATE_LIMIT_GENERAL_MAX", "3"), NO_REDIS]).await;
    let other = app.sibling();
    let ip = random_ip();
    for remaining in (0..3).rev() {
        let answer = call(&app, &ip).await;
        answer.expect(200);
        assert_eq!(state(&answer, "general").0, remaining);
    }
    let refused = call(&app, &ip).await;
    refused.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
    call(&app, &random_ip()).await.expect(200);
    call(&other, &ip).await.expect(200);
    for _ in 0..5 {
        log_in(&other, &random_ip()).await.expect_problem(401, "invalid_credentials");
    }
    assert_eq!(log.metric(Metric::LimiterDegraded), 11, "each of these requests, the refused one too");
}

/// The law of the limiter: in whatever window, not more than the quota is admitted, however many instances ask at once.
/// A call's stamp lies between its sending and its answer, so the n-th answer after a sending must be a window away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_window_ever_admits_more_than_the_quota_over_three_instances() {
    const QUOTA: usize = 7;
    let limits = [("RATE_LIMIT_WINDOW_SECONDS", "1"), ("RATE_LIMIT_GENERAL_MAX", "7")];
    let first = TestApp::with(&limits).await;
    let instances = [first.sibling(), first.sibling(), first].map(Arc::new);
    let ip = random_ip();
    let until = Instant::now() + Duration::from_millis(3_500);
    let clients: Vec<_> = (0..12)
        .map(|client| {
            let (app, ip) = (instances[client % instances.len()].clone(), ip.clone());
            tokio::spawn(async move {
                let mut admitted = Vec::new();
                while Instant::now() < until {
                    let sent = Instant::now();
                    match call(&app, &ip).await.status {
                        200 => admitted.push((sent, Instant::now())),
                        429 => {}
                        other => panic!("{other}"),
                    }
                }
                admitted
            })
        })
        .collect();
    let (mut sent, mut answered) = (Vec::new(), Vec::new());
    for client in clients {
        for (before, after) in client.await.unwrap() {
            sent.push(before);
            answered.push(after);
        }
    }
    sent.sort();
    answered.sort();
    assert!(sent.len() >= 3 * QUOTA, "the window slides: {} were admitted", sent.len());
    for (index, before) in sent.iter().enumerate() {
        if let Some(after) = answered.get(index + QUOTA) {
            let apart = after.duration_since(*before);
            assert!(apart >= Duration::from_secs(1), "{} admitted within {apart:?}", QUOTA + 1);
        }
    }
}

#[tokio::test]
async fn who_waits_as_long_as_told_is_admitted() {
    let app = TestApp::with(&[("RATE_LIMIT_WINDOW_SECONDS", "2"), ("RATE_LIMIT_GENERAL_MAX", "2")]).await;
    let without_redis = app.sibling_with(&[NO_REDIS]);
    for app in [&app, &without_redis] {
        let ip = random_ip();
        for _ in 0..3 {
            call(app, &ip).await.expect(200);
            call(app, &ip).await.expect(200);
            let refused = call(app, &ip).await;
            let wait: u64 = refused.expect(429).header("retry-after").unwrap().parse().unwrap();
            assert!((1..=2).contains(&wait), "{wait}");
            assert_eq!(state(&refused, "general"), (0, wait), "both headers say the same");
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
    }
}

/// The retry of a script whose answer was lost found the request counted, and refused the last one that was admitted.
#[tokio::test]
async fn a_request_whose_count_is_lost_on_the_way_is_not_counted_again() {
    let app = TestApp::start().await;
    let address = app.variables()["REDIS_URL"].trim_start_matches("redis://").to_owned();
    let proxy = Proxy::faulty(address).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let limited = app.sibling_with(&[("REDIS_URL", &url), ("RATE_LIMIT_GENERAL_MAX", "2")]);
    let ip = random_ip();
    assert_eq!(state(call(&limited, &ip).await.expect(200), "general").0, 1);
    let log = capture();
    proxy.set(Fault::ResetOneReply);
    assert_eq!(state(call(&limited, &ip).await.expect(200), "general").0, 0);
    assert_eq!(log.metric(Metric::LimiterDegraded), 0, "Redis counted it, in the end");
    call(&limited, &ip).await.expect(429);
}

#[tokio::test]
async fn redis_keeps_no_key_without_an_end_and_a_lost_script_is_sent_again() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        call(&app, &random_ip()).await.expect(200);
        log_in(&app, &random_ip()).await.expect(401);
    }
    let client = redis::Client::open(app.variables()["REDIS_URL"].as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}*", app.variables()["REDIS_KEY_PREFIX"]);
    let keys: Vec<String> = redis::cmd("KEYS").arg(&pattern).query_async(&mut redis).await.unwrap();
    assert_eq!(keys.len(), 9, "{keys:?}");
    for key in &keys {
        let left_ms: i64 = redis::cmd("PTTL").arg(key).query_async(&mut redis).await.unwrap();
        assert!((1..=900_000).contains(&left_ms), "{key}: {left_ms}");
    }
    redis::cmd("SCRIPT").arg("FLUSH").query_async::<()>(&mut redis).await.unwrap();
    let log = capture();
    call(&app, &random_ip()).await.expect(200);
    assert_eq!(log.metric(Metric::LimiterDegraded), 0);
}

#[tokio::test]
async fn a_window_of_another_length_is_told_and_kept() {
    let app = TestApp::with(&[("RATE_LIMIT_WINDOW_SECONDS", "60"), ("RATE_LIMIT_GENERAL_MAX", "1")]).await;
    let ip = random_ip();
    let answer = call(&app, &ip).await;
    assert_eq!(answer.header("ratelimit-policy"), Some("\"general\";q=1;w=60"));
    let wait: u64 = call(&app, &ip).await.expect(429).header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
}
