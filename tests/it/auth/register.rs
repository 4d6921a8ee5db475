//! `POST /auth/register`.

use serde_json::{Value, json};
use tests::{PASSWORD, TestApp, event, random_ip, random_name};

use super::cookie;

async fn register(app: &TestApp, body: &Value) -> tests::Answer {
    app.anonymous("POST", "/auth/register", Some(body)).await
}

#[tokio::test]
async fn a_user_is_answered_with_tokens_and_as_the_contract_shows_one() {
    let app = TestApp::start().await;
    let email = format!("{}@example.com", random_name());
    let body = json!({"email": format!("  {}  ", email.to_uppercase()), "password": PASSWORD, "firstName": " Ada ",
        "lastName": "", "currency": "EUR", "timeZone": "Europe/Vienna", "locale": "de-AT"});
    let answer = register(&app, &body).await;
    answer.expect(201);
    assert_eq!(answer.header("location"), Some("/api/v1/auth/me"));
    let user = &answer.json["user"];
    assert_eq!(user["email"], email, "trimmed and lower-case");
    assert_eq!(
        (&user["firstName"], &user["lastName"], &user["currency"]),
        (&json!("Ada"), &Value::Null, &json!("EUR"))
    );
    assert_eq!((&user["timeZone"], &user["locale"]), (&json!("Europe/Vienna"), &json!("de-AT")));
    assert_eq!(
        (&user["emailVerified"], &user["mfaEnabled"], &user["version"]),
        (&json!(false), &json!(false), &json!(1))
    );
    let mut members: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
    members.sort();
    let contract = [
        "createdAt",
        "currency",
        "email",
        "emailVerified",
        "firstName",
        "id",
        "lastName",
        "locale",
        "mfaEnabled",
        "timeZone",
        "version",
    ];
    assert_eq!(members, contract, "nothing else of a user is shown");
    let tokens = &answer.json["tokens"];
    assert_eq!((&tokens["tokenType"], &tokens["expiresIn"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(tokens["refreshExpiresIn"], 2_592_000);
    let (pair, attributes) = cookie(&answer);
    assert_eq!(pair, format!("refresh={}", tokens["refreshToken"].as_str().unwrap()));
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=2592000"] {
        assert!(attributes.iter().any(|known| known == attribute), "{attribute}");
    }
}

#[tokio::test]
async fn what_is_left_out_has_the_documented_default() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let me = app.get(&user, "/auth/me").await.json;
    assert_eq!(
        (&me["currency"], &me["timeZone"], &me["locale"]),
        (&json!("USD"), &json!("UTC"), &Value::Null)
    );
}

#[tokio::test]
async fn the_access_token_is_a_short_lived_hs256_jwt_with_the_named_claims() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let app = TestApp::start().await;
    let user = app.register().await;
    let part = |index: usize| -> Value {
        let text = user.access.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let (header, claims) = (part(0), part(1));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
    assert!(header["kid"].is_string());
    let mut names: Vec<_> = claims.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "nbf", "sid", "sub"]);
    assert_eq!(claims["sub"], user.id.to_string());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
}

#[tokio::test]
async fn a_secure_cookie_has_the_host_prefix() {
    let app = TestApp::with(&[("SECURE_COOKIES", "true")]).await;
    let body = json!({"email": format!("{}@example.com", random_name()), "password": PASSWORD});
    let answer = register(&app, &body).await;
    let (pair, attributes) = cookie(answer.expect(201));
    assert!(pair.starts_with("__Host-refresh="), "{pair}");
    assert!(attributes.contains(&"Secure".to_owned()) && attributes.contains(&"Path=/".to_owned()));
    assert!(!attributes.iter().any(|attribute| attribute.starts_with("Domain")));
}

#[tokio::test]
async fn a_new_user_begins_with_sixteen_categories_and_one_account() {
    let app = TestApp::start().await;
    let user = app.register_with(json!({"currency": "JPY"})).await;
    let categories = app.get(&user, "/categories").await;
    let names: Vec<_> = categories.items().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let contract = [
        "Salary",
        "Freelance",
        "Investments",
        "Other Income",
        "Housing",
        "Transportation",
        "Food & Dining",
        "Shopping",
        "Entertainment",
        "Healthcare",
        "Education",
        "Utilities",
        "Insurance",
        "Personal Care",
        "Travel",
        "Other Expenses",
    ];
    assert_eq!(names, contract);
    let kinds = categories.items().iter().map(|c| c["kind"] == "income");
    assert_eq!(kinds.filter(|income| *income).count(), 4);
    let accounts = app.get(&user, "/accounts").await;
    assert_eq!(accounts.items().len(), 1);
    let account = &accounts.items()[0];
    assert_eq!(
        (&account["name"], &account["type"], &account["currency"]),
        (&json!("Checking"), &json!("checking"), &json!("JPY"))
    );
    assert_eq!(
        (&account["openingBalance"], &account["balance"], &account["balanceMinor"]),
        (&Value::Null, &Value::Null, &Value::Null),
        "a balance that nobody stated is unknown, not zero"
    );
}

#[tokio::test]
async fn an_address_is_taken_however_it_is_written() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for email in [user.email.clone(), format!(" {} ", user.email.to_uppercase())] {
        let answer = register(&app, &json!({"email": email, "password": PASSWORD})).await;
        answer.expect_problem(409, "email_taken");
    }
}

#[tokio::test]
async fn of_parallel_registrations_of_one_address_one_succeeds() {
    let app = TestApp::start().await;
    let body = json!({"email": format!("{}@example.com", random_name()), "password": PASSWORD}).to_string();
    let events: Vec<_> =
        (0..6).map(|_| event("POST", "/api/v1/auth/register", &random_ip(), &[], Some(&body))).collect();
    let answers = futures_util::future::join_all(events.iter().map(|event| app.send(event))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let app = TestApp::start().await;
    let body = json!({"email": "no-address", "password": 7, "firstName": "a\u{7}b", "currency": "usd",
        "timeZone": "Mars/Olympus", "locale": "english please"});
    register(&app, &body).await.expect_fields(&[
        ("/email", "invalid_email"),
        ("/password", "wrong_type"),
        ("/firstName", "invalid_text"),
        ("/currency", "unknown_currency"),
        ("/timeZone", "unknown_time_zone"),
        ("/locale", "invalid_locale"),
    ]);
    register(&app, &json!({})).await.expect_fields(&[("/email", "required"), ("/password", "required")]);
}

#[tokio::test]
async fn weak_passwords_are_refused_with_a_reason() {
    let app = TestApp::start().await;
    let long = "correct horse ".repeat(10);
    for (password, code) in [
        ("elevenchars", "too_short"),
        (long.as_str(), "too_long"),
        ("aaaaaaaaaaaa", "password_too_common"),
        ("abababababab", "password_too_common"),
        ("123456789012", "password_too_common"),
        ("210987654321", "password_too_common"),
        ("qwertyuiopas", "password_too_common"),
        ("password2026", "password_too_common"),
        ("grace.hopper", "password_too_common"),
    ] {
        let body = json!({"email": "grace.hopper@example.com", "password": password});
        register(&app, &body).await.expect_fields(&[("/password", code)]);
    }
}

#[tokio::test]
async fn passwords_of_names_words_and_rows_are_refused_and_passphrases_accepted() {
    let app = TestApp::start().await;
    let ada = |password: &str| {
        json!({"email": format!("{}@example.com", random_name()), "password": password,
            "firstName": "Ada", "lastName": "Lovelace"})
    };
    for password in [
        "adalovelace12",
        "LovelaceAda!1",
        "passwordpassword1",
        "abcdefghijkl1",
        "qwertzuiopasdf",
        "P4ssword12345678",
    ] {
        let answer = register(&app, &ada(password)).await;
        answer.expect_fields(&[("/password", "password_too_common")]);
    }
    for password in ["correct horse battery staple", "orange bicycle thunder lake", "vier bunte hunde bellen"]
    {
        register(&app, &ada(password)).await.expect(201);
    }
}

#[tokio::test]
async fn spellings_of_one_address_in_nfc_and_nfd_are_one_account() {
    let app = TestApp::start().await;
    let name = random_name();
    let (nfc, nfd) = (format!("{name}\u{e9}@example.com"), format!("{name}e\u{301}@example.com"));
    let user = register(&app, &json!({"email": nfd, "password": PASSWORD})).await;
    user.expect(201);
    assert_eq!(user.json["user"]["email"], nfc);
    register(&app, &json!({"email": nfc, "password": PASSWORD})).await.expect_problem(409, "email_taken");
    for email in [nfc, nfd] {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = app.anonymous("POST", "/auth/login", Some(&body)).await;
        assert_eq!(answer.expect(200).json["user"]["id"], user.json["user"]["id"]);
    }
}

#[tokio::test]
async fn an_international_domain_and_its_ascii_form_are_one_account() {
    let app = TestApp::start().await;
    let name = random_name();
    let spellings = [
        "bücher.example",
        "bu\u{308}cher.example",
        "BÜCHER.Example",
        "xn--bcher-kva.example",
        "bücher。example",
    ];
    let spellings = spellings.map(|domain| format!("{name}@{domain}"));
    let user = register(&app, &json!({"email": spellings[0], "password": PASSWORD})).await;
    assert_eq!(user.expect(201).json["user"]["email"], spellings[3]);
    for email in &spellings {
        let body = json!({"email": email, "password": PASSWORD});
        register(&app, &body).await.expect_problem(409, "email_taken");
        let answer = app.anonymous("POST", "/auth/login", Some(&body)).await;
        assert_eq!(answer.expect(200).json["user"]["id"], user.json["user"]["id"], "{email}");
    }
}

#[tokio::test]
async fn an_address_with_an_invisible_or_control_character_is_refused() {
    let app = TestApp::start().await;
    let invisible = [
        '\u{200b}',
        '\u{ad}',
        '\u{2060}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{200d}',
        '\u{202e}',
        '\u{3164}',
        '\u{e0041}',
        '\u{0}',
        '\u{7f}',
        '\n',
    ];
    for c in invisible {
        for email in
            [format!("a{c}da@example.com"), format!("ada@exa{c}mple.com"), format!("ada@example.com{c}")]
        {
            let body = json!({"email": email, "password": PASSWORD});
            register(&app, &body).await.expect_fields(&[("/email", "invalid_email")]);
        }
    }
}

#[tokio::test]
async fn a_name_that_shows_nothing_is_none() {
    let app = TestApp::start().await;
    let user = app.register_with(json!({"firstName": "\u{200b}\u{ad}", "lastName": " \u{3164} "})).await;
    let me = app.get(&user, "/auth/me").await.json;
    assert_eq!((&me["firstName"], &me["lastName"]), (&Value::Null, &Value::Null));
    let user = app.register_with(json!({"firstName": "Ada"})).await;
    let answer = app.patch(&user, "/auth/me", &json!({"firstName": "\u{2060}"})).await;
    assert_eq!(answer.expect(200).json["firstName"], Value::Null);
}
