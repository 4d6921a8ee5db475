//! `POST /auth/login`, and the delay that guessing meets.

use serde_json::json;
use tests::{Answer, PASSWORD, TestApp, event, random_ip, random_name};

use super::{app_with_clock, cookie};

async fn log_in(app: &TestApp, email: &str, password: &str) -> Answer {
    app.anonymous("POST", "/auth/login", Some(&json!({"email": email, "password": password}))).await
}

#[tokio::test]
async fn the_right_password_is_answered_with_the_user_tokens_and_the_cookie() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let answer = log_in(&app, &format!(" {} ", user.email.to_uppercase()), PASSWORD).await;
    answer.expect(200);
    assert_eq!(answer.json["user"]["id"], user.id.to_string());
    assert_ne!(answer.json["tokens"]["refreshToken"], user.refresh, "a session of its own");
    let (pair, _) = cookie(&answer);
    assert_eq!(pair, format!("refresh={}", answer.json["tokens"]["refreshToken"].as_str().unwrap()));
}

#[tokio::test]
async fn an_unknown_address_is_answered_as_a_wrong_password_is() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let wrong = log_in(&app, &user.email, "wrong horse battery staple").await;
    let unknown = log_in(&app, &format!("{}@example.com", random_name()), PASSWORD).await;
    let malformed = log_in(&app, "no address at all", PASSWORD).await;
    for answer in [&wrong, &unknown, &malformed] {
        answer.expect_problem(401, "invalid_credentials");
        let without_id = |answer: &Answer| {
            let mut json = answer.json.clone();
            json["instance"] = serde_json::Value::Null;
            json
        };
        assert_eq!(without_id(answer), without_id(&wrong));
        let names = |answer: &Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(answer), names(&wrong));
    }
}

#[tokio::test]
async fn a_password_is_compared_after_nfkc_and_is_never_trimmed() {
    let app = TestApp::start().await;
    let email = format!("{}@example.com", random_name());
    let body = json!({"email": email, "password": " \u{fb03}ne horse battery "});
    app.anonymous("POST", "/auth/register", Some(&body)).await.expect(201);
    log_in(&app, &email, " ffine horse battery ").await.expect(200);
    log_in(&app, &email, "ffine horse battery").await.expect_problem(401, "invalid_credentials");
}

#[tokio::test]
async fn after_the_fifth_failure_in_a_row_an_account_waits_ever_longer() {
    let app = app_with_clock().await;
    let user = app.register().await;
    for _ in 0..5 {
        log_in(&app, &user.email, "wrong horse battery staple")
            .await
            .expect_problem(401, "invalid_credentials");
    }
    // 1, 2, 4 … seconds, and never shorter for the right password.
    for wait in [1, 2, 4, 8] {
        let delayed = log_in(&app, &user.email, PASSWORD).await;
        delayed.expect_problem(429, "login_delayed");
        assert_eq!(delayed.header("retry-after"), Some(wait.to_string().as_str()));
        app.clock.advance_seconds(wait);
        log_in(&app, &user.email, "wrong horse battery staple")
            .await
            .expect_problem(401, "invalid_credentials");
    }
    app.clock.advance_seconds(16);
    log_in(&app, &user.email, PASSWORD).await.expect(200);
    log_in(&app, &user.email, "wrong horse battery staple").await.expect_problem(401, "invalid_credentials");
    log_in(&app, &user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_wait_is_at_most_an_hour() {
    let app = app_with_clock().await;
    let user = app.register().await;
    for _ in 0..20 {
        app.clock.advance_seconds(3600);
        log_in(&app, &user.email, "wrong horse battery staple")
            .await
            .expect_problem(401, "invalid_credentials");
    }
    let delayed = log_in(&app, &user.email, PASSWORD).await;
    delayed.expect_problem(429, "login_delayed");
    assert_eq!(delayed.header("retry-after"), Some("3600"));
}

#[tokio::test]
async fn unknown_addresses_are_delayed_like_known_ones() {
    let app = app_with_clock().await;
    let email = format!("{}@example.com", random_name());
    for _ in 0..5 {
        log_in(&app, &email, PASSWORD).await.expect_problem(401, "invalid_credentials");
    }
    log_in(&app, &email, PASSWORD).await.expect_problem(429, "login_delayed");
}

#[tokio::test]
async fn guesses_made_at_once_share_no_attempt() {
    let app = app_with_clock().await;
    let user = app.register().await;
    let body = json!({"email": user.email, "password": "wrong horse battery staple"}).to_string();
    let events: Vec<_> =
        (0..12).map(|_| event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body))).collect();
    let answers = futures_util::future::join_all(events.iter().map(|event| app.send(event))).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5, "five passwords are looked at, the other calls wait");
    assert_eq!(answers.iter().filter(|answer| answer.code() == "login_delayed").count(), 7);
}

/// A reservation without a delay was kept as "from now on": an attempt that had read its clock a moment before was delayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_log_ins_made_at_once_do_not_delay_each_other() {
    let app = TestApp::start().await;
    for _ in 0..10 {
        let user = app.register().await;
        let body = json!({"email": user.email, "password": PASSWORD}).to_string();
        let events: Vec<_> =
            (0..4).map(|_| event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body))).collect();
        for answer in futures_util::future::join_all(events.iter().map(|event| app.send(event))).await {
            answer.expect(200);
        }
    }
}

#[tokio::test]
async fn a_hash_of_older_settings_is_made_anew_at_log_in() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let dearer = app.sibling_with(&[("ARGON2_MEMORY_KIB", "16384")]);
    let users = app.database().await.collection::<mongodb::bson::Document>("users");
    let hash = async || {
        let found = users.find_one(mongodb::bson::doc! {"email": &user.email}).await.unwrap().unwrap();
        found.get_str("passwordHash").unwrap().to_owned()
    };
    assert!(hash().await.contains("m=8192,"));
    dearer.log_in(&user).await;
    let anew = hash().await;
    assert!(anew.contains("m=16384,"), "{anew}");
    dearer.log_in(&user).await;
    assert_eq!(hash().await, anew, "a hash of today's settings stays");
}

#[tokio::test]
async fn a_password_in_the_place_of_an_address_does_not_come_back() {
    let app = TestApp::start().await;
    let answer = log_in(&app, "my secret passphrase", "and another one").await;
    let text = String::from_utf8(answer.raw.to_vec()).unwrap();
    assert!(!text.contains("secret passphrase") && !text.contains("another one"), "{text}");
}

#[tokio::test]
async fn a_missing_password_is_named() {
    let app = TestApp::start().await;
    let answer = app.anonymous("POST", "/auth/login", Some(&json!({"email": ["a"]}))).await;
    answer.expect_fields(&[("/email", "wrong_type"), ("/password", "required")]);
}

/// The sixth reservation found five that had no outcome yet, and was taken for one after five failures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_right_log_ins_at_once_than_free_failures_wait_for_an_outcome() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let user = app.register().await;
        let body = json!({"email": user.email, "password": PASSWORD}).to_string();
        let events: Vec<_> =
            (0..8).map(|_| event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body))).collect();
        for answer in futures_util::future::join_all(events.iter().map(|event| app.send(event))).await {
            answer.expect(200);
        }
    }
}

#[tokio::test]
async fn fifty_wrong_log_ins_at_once_get_five_passwords_looked_at() {
    let app = app_with_clock().await;
    let user = app.register().await;
    let body = json!({"email": user.email, "password": "wrong horse battery staple"}).to_string();
    let events: Vec<_> =
        (0..50).map(|_| event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body))).collect();
    let answers = futures_util::future::join_all(events.iter().map(|event| app.send(event))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.code() == "login_delayed").count(), 45);
}

/// An attempt whose process ended has no outcome; others do not wait for it longer than a request lives.
#[tokio::test]
async fn a_reservation_without_an_outcome_delays_the_next_and_holds_nobody_for_long() {
    let app = app_with_clock().await;
    let user = app.register().await;
    for _ in 0..5 {
        log_in(&app, &user.email, "wrong horse battery staple").await.expect(401);
    }
    let guards = app.database().await.collection::<mongodb::bson::Document>("login_guards");
    let pending = mongodb::bson::doc! {"$set": {"pending": 3_i64}};
    guards.update_many(mongodb::bson::doc! {}, pending).await.unwrap();
    let waited = std::time::Instant::now();
    log_in(&app, &user.email, PASSWORD).await.expect_problem(429, "login_delayed");
    let waited = waited.elapsed().as_millis();
    assert!((900..2400).contains(&waited), "{waited} ms");
    app.clock.advance_seconds(60);
    log_in(&app, &user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_address_stored_in_an_older_form_is_found_once_it_is_migrated() {
    use mongodb::bson::{Document, doc};
    let app = TestApp::start().await;
    let users = app.database().await.collection::<Document>("users");
    let store_as = async |user: &tests::User, email: &str| {
        let update = doc! {"$set": {"email": email}};
        users.update_one(doc! {"email": &user.email}, update).await.unwrap();
    };
    let name = random_name();
    let (decomposed, twin) = (app.register().await, app.register().await);
    let (domain, invisible) = (app.register().await, app.register().await);
    store_as(&decomposed, &format!("{name}e\u{301}@example.com")).await;
    store_as(&domain, &format!("{name}@bücher.example")).await;
    store_as(&invisible, &format!("{name}\u{200b}@example.com")).await;
    for _ in 0..2 {
        shared::store::indexes::migrate(&app.boot.mongo().unwrap()).await.unwrap();
    }
    for (email, user) in [
        (format!("{name}\u{e9}@example.com"), &decomposed),
        (format!("{name}e\u{301}@example.com"), &decomposed),
        (format!("{name}@bücher.example"), &domain),
        (format!("{name}@xn--bcher-kva.example"), &domain),
        // No form of today: found as it was stored.
        (format!("{name}\u{200b}@example.com"), &invisible),
    ] {
        let answer = log_in(&app, &email, PASSWORD).await;
        assert_eq!(answer.expect(200).json["user"]["id"], user.id.to_string(), "{email}");
        let again = json!({"email": email, "password": PASSWORD});
        let refused = app.anonymous("POST", "/auth/register", Some(&again)).await;
        assert!(matches!(refused.code(), "email_taken" | "invalid_fields"), "{}", refused.json);
    }
    let (etag, changed) = (app.get(&decomposed, "/auth/me").await, app.get(&twin, "/auth/me").await);
    assert_eq!((etag.header("etag"), changed.header("etag")), (Some("\"2\""), Some("\"1\"")));
    // Two users of one address stay two: nobody can decide for them.
    store_as(&twin, &format!("{name}e\u{301}@example.com")).await;
    shared::store::indexes::migrate(&app.boot.mongo().unwrap()).await.unwrap();
    app.get(&twin, "/auth/me").await.expect(200);
}
