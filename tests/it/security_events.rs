//! The security events in the log (OWASP ASVS 5.0.0, V16.3): each is there, and none says who in clear.

use serde_json::{Value, json};
use tests::log::{Log, capture};
use tests::{PASSWORD, TestApp, event, random_ip};

fn events(log: &Log, name: &str) -> Vec<Value> {
    log.lines().into_iter().filter(|line| line["event"] == name).collect()
}

/// A keyed hash: 16 hexadecimal digits.
fn hash<'a>(line: &'a Value, key: &str) -> &'a str {
    let hash = line[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {line}"));
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    hash
}

#[tokio::test]
async fn failed_and_delayed_log_ins_are_logged_with_keyed_hashes_of_address_and_network() {
    let log = capture();
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    let wrong = async |email: &str, ip: &str| {
        let body = json!({"email": email, "password": "a wrong passphrase indeed"}).to_string();
        app.send(&event("POST", "/api/v1/auth/login", ip, &[], Some(&body))).await
    };
    let (here, there) = (random_ip(), random_ip());
    wrong(&user.email, &here).await.expect(401);
    wrong(&user.email.to_uppercase(), &there).await.expect(401);
    wrong(&other.email, &here).await.expect(401);
    for network in ["2001:db8:7:1::1", "2001:db8:7:1:9::2", "2001:db8:7:2::1"] {
        wrong(&user.email, network).await.expect(401);
    }
    let delayed = wrong(&user.email, &there).await;
    delayed.expect_problem(429, "login_delayed");

    let failed = events(&log, "login_failed");
    let addresses: Vec<_> = failed.iter().map(|line| hash(line, "email.hash")).collect();
    let networks: Vec<_> = failed.iter().map(|line| hash(line, "client.hash")).collect();
    assert_eq!(failed.len(), 6);
    assert_eq!(addresses[0], addresses[1], "one address, however it is written");
    assert_ne!(addresses[0], addresses[2]);
    assert_eq!(networks[0], networks[2], "one network");
    assert_ne!(networks[0], networks[1]);
    assert_eq!(networks[3], networks[4], "IPv6 by its /64");
    assert_ne!(networks[4], networks[5]);
    let told = events(&log, "login_delayed");
    assert_eq!(told.len(), 1);
    assert_eq!((hash(&told[0], "email.hash"), hash(&told[0], "client.hash")), (addresses[0], networks[1]));
    assert_eq!(told[0]["correlation_id"].as_str(), delayed.header("x-request-id"));
}

#[tokio::test]
async fn a_deployment_with_another_secret_makes_other_hashes() {
    let log = capture();
    let app = TestApp::start().await;
    let other = app.sibling_with(&[("JWT_REFRESH_SECRET", "another refresh secret-of-the-tests")]);
    let body = json!({"email": "nobody.at.all@example.com", "password": "a wrong passphrase indeed"});
    for app in [&app, &other] {
        app.anonymous("POST", "/auth/login", Some(&body)).await.expect(401);
    }
    let failed = events(&log, "login_failed");
    assert_ne!(hash(&failed[0], "email.hash"), hash(&failed[1], "email.hash"));
}

#[tokio::test]
async fn registrations_and_ended_sessions_are_logged_with_the_users_id() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = json!(user.id.to_string());
    let registered = events(&log, "user_registered");
    assert_eq!((registered.len(), &registered[0]["user.id"]), (1, &id));
    assert_eq!(registered[0]["level"], "INFO");

    let ended =
        || events(&log, "session_ended").iter().map(|line| line["sessions"].clone()).collect::<Vec<_>>();
    let second = app.log_in(&user).await;
    app.anonymous("POST", "/auth/logout", Some(&json!({"refreshToken": second.refresh}))).await.expect(204);
    assert_eq!(ended(), [json!(1)], "by its refresh token");
    app.anonymous("POST", "/auth/logout", Some(&json!({"refreshToken": second.refresh}))).await.expect(204);
    assert_eq!(ended().len(), 1, "what has ended does not end again");
    let third = app.log_in(&user).await;
    app.call(&third, "POST", "/auth/logout", &[], None).await.expect(204);
    let others = [app.log_in(&user).await, app.log_in(&user).await];
    let list = app.get(&user, "/auth/sessions").await;
    let one = list.items().iter().find(|session| session["current"] == false).unwrap();
    app.delete(&user, &format!("/auth/sessions/{}", one["id"].as_str().unwrap())).await.expect(204);
    app.log_in(&user).await;
    app.delete(&user, "/auth/sessions").await.expect(204);
    assert_eq!(ended(), [json!(1), json!(1), json!(1), json!(2)]);
    assert!(events(&log, "session_ended").iter().all(|line| line["user.id"] == id));
    drop(others);
}

#[tokio::test]
async fn a_cookie_from_another_page_is_logged() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    let cookie = format!("refresh={}", user.refresh);
    let headers = [("cookie", cookie.as_str()), ("origin", "https://evil.example.org")];
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        let answer = app.send(&event("POST", path, &random_ip(), &headers, None)).await;
        answer.expect_problem(403, "csrf_rejected");
        let told = events(&log, "csrf_rejected");
        let last = told.last().unwrap();
        assert_eq!(
            (&last["level"], last["correlation_id"].as_str()),
            (&json!("WARN"), answer.header("x-request-id"))
        );
        hash(last, "client.hash");
    }
    assert_eq!(events(&log, "csrf_rejected").len(), 2);
}

/// A flood of refused requests must not become a flood of lines.
#[tokio::test]
async fn a_limiter_trip_is_logged_once_per_client_policy_and_window() {
    let log = capture();
    let app = TestApp::with(&[
        ("RATE_LIMIT_AUTH_MAX", "2"),
        ("RATE_LIMIT_GENERAL_MAX", "4"),
        ("RATE_LIMIT_WINDOW_SECONDS", "60"),
    ])
    .await;
    let away = app.sibling_with(&[("REDIS_URL", "redis://127.0.0.1:1")]);
    let body = json!({"email": "nobody@example.com", "password": PASSWORD}).to_string();
    let policies =
        || events(&log, "rate_limited").iter().map(|line| line["policy"].clone()).collect::<Vec<_>>();
    for (app, before) in [(&app, 0), (&away, 4)] {
        for (round, ip) in [random_ip(), random_ip()].into_iter().enumerate() {
            for _ in 0..12 {
                app.send(&event("POST", "/api/v1/auth/login", &ip, &[], Some(&body))).await;
            }
            for _ in 0..12 {
                app.send(&event("GET", "/api/v1/auth/me", &ip, &[], None)).await;
            }
            let told = policies();
            assert_eq!(told.len(), before + 2 * (round + 1), "{told:?}");
            assert_eq!(told[told.len() - 2..], [json!("auth"), json!("general")]);
        }
    }
    assert!(events(&log, "rate_limited").iter().all(|line| line["level"] == "WARN"));
}
