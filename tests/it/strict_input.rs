//! What a client may write and what not, where a looser reading would let two requests be taken for one, or one for
//! another: searches, pointers, cursors, paths, keys, dates and texts.

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use shared::store::refold::refold_terms;
use tests::{Answer, TestApp, User, event, random_ip};

/// The most errors that a problem lists.
const ERRORS_MAX: usize = 50;
/// An answer to a request that was refused for its form fits into this many bytes, whatever the request holds.
const PROBLEM_BYTES_MAX: usize = 16 * 1024;

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(app: &TestApp, user: &User, q: &str) -> Answer {
    app.get(user, &format!("/transactions?q={}", percent(q))).await
}

/// How many transactions a search finds.
async fn found(app: &TestApp, user: &User, q: &str) -> usize {
    search(app, user, q).await.expect(200).items().len()
}

/// A user with one transaction of this description.
async fn described(app: &TestApp, description: &str) -> User {
    let user = app.register().await;
    app.expense(&user, "1.00", "2026-03-05", description).await;
    user
}

fn expense() -> Value {
    json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "x"})
}

#[tokio::test]
async fn a_search_without_a_word_is_422_and_not_the_whole_ledger() {
    let app = TestApp::start().await;
    let user = described(&app, "Pizza 5").await;
    for q in ["🍕", "!!!", "€", "", " ", "\u{301}", "\u{200b}", ".*", "^", "\u{feff}\u{2060}"] {
        search(&app, &user, q).await.expect_fields(&[("/query/q", "invalid_parameter")]);
    }
    assert_eq!(found(&app, &user, "pizza 🍕 !!!").await, 1);
    assert_eq!(found(&app, &user, "5").await, 1);
}

#[tokio::test]
async fn a_search_of_more_than_ten_words_or_200_code_points_is_422() {
    let app = TestApp::start().await;
    let user = described(&app, "a b c d e f g h i j k").await;
    assert_eq!(found(&app, &user, "a b c d e f g h i j").await, 1);
    // Distinct words count.
    assert_eq!(found(&app, &user, &"a A b ".repeat(33)).await, 1);
    search(&app, &user, "a b c d e f g h i j k").await.expect_fields(&[("/query/q", "too_many")]);
    assert_eq!(found(&app, &user, &format!("a{}", " ".repeat(199))).await, 1);
    search(&app, &user, &"a ".repeat(101)).await.expect_fields(&[("/query/q", "too_long")]);
    search(&app, &user, &"é".repeat(201)).await.expect_fields(&[("/query/q", "too_long")]);
    assert_eq!(found(&app, &user, &"é".repeat(200)).await, 0);
    // Three thousand words in six kilobytes.
    let many: String = (0..3000).map(|n| format!("{} ", char::from(b'a' + (n % 26) as u8))).collect();
    search(&app, &user, &many).await.expect_fields(&[("/query/q", "too_long")]);
}

#[tokio::test]
async fn a_search_folds_case_in_full_and_the_accents_of_latin_greek_and_cyrillic() {
    let app = TestApp::start().await;
    for (text, hits) in [
        (
            "Goethestraße",
            &["GOETHESTRASSE", "goethestrasse", "Goethestraße", "GOETHESTRAẞE", "goethestraß"][..],
        ),
        ("GOETHESTRASSE", &["Goethestraße"]),
        ("ΟΔΥΣΣΕΥΣ", &["οδυσσευς", "οδυσσευσ", "Ὀδυσσεύς"]),
        ("Łódź Ørsted Đà Nẵng Æther", &["lodz", "orsted", "da nang", "aether", "ØRSTED"]),
        ("Œuvre İstanbul ışık Þór ðæl", &["oeuvre", "istanbul", "isik", "ISIK", "thor", "dael"]),
        ("Ёлка й", &["елка", "ЁЛКА", "и"]),
        ("ﬁnance ＡＢＣ №5", &["finance", "abc", "no5"]),
        ("super\u{ad}market", &["supermarket", "super\u{200d}market"]),
    ] {
        let user = described(&app, text).await;
        for q in hits {
            assert_eq!(found(&app, &user, q).await, 1, "{q} in {text}");
        }
    }
}

#[tokio::test]
async fn a_search_keeps_the_marks_of_indic_scripts_and_kana() {
    let app = TestApp::start().await;
    for (text, hits, misses) in [
        ("がくせい", &["がく", "か\u{3099}くせい"][..], &["かくせい", "か"][..]),
        ("किताब", &["किताब", "कि"], &["कताब", "काताब"]),
        ("ক্ষমা", &["ক্ষমা"], &["কষমা"]),
        ("ปลา", &["ปลา"], &[]),
    ] {
        let user = described(&app, text).await;
        for q in hits {
            assert_eq!(found(&app, &user, q).await, 1, "{q} in {text}");
        }
        for q in misses {
            assert_eq!(found(&app, &user, q).await, 0, "{q} in {text}");
        }
    }
}

#[tokio::test]
async fn the_last_word_of_the_longest_notes_is_found() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let mut notes: String = (0..).map(|n| format!("word{n} ")).take(480).collect();
    notes.push_str("zuletzt");
    assert!(notes.len() > 3_500 && notes.len() <= 4_000, "{}", notes.len());
    let mut body = expense();
    body["notes"] = json!(notes);
    app.create(&user, "/transactions", body).await;
    assert_eq!(found(&app, &user, "zuletzt word0 word439").await, 1);
    // One word as long as the field.
    let mut body = expense();
    body["notes"] = json!("長".repeat(4_000));
    app.create(&user, "/transactions", body).await;
    assert_eq!(found(&app, &user, &"長".repeat(200)).await, 1);
}

#[tokio::test]
async fn terms_that_an_earlier_release_stored_are_found_after_a_migration_which_changes_nothing_else() {
    let app = TestApp::start().await;
    let user = described(&app, "Goethestraße").await;
    let deleted = app.expense(&user, "1.00", "2026-03-05", "Goethestraße 2").await["id"].clone();
    let deleted = deleted.as_str().unwrap();
    app.delete(&user, &format!("/transactions/{deleted}")).await.expect(204);
    let before = app.get(&user, "/transactions").await.json;
    let transactions = app.database().await.collection::<Document>("transactions");
    let earlier = doc! {"$set": {"terms": ["g", "goethestr", "goethestraße"]}};
    assert_eq!(transactions.update_many(doc! {}, earlier).await.unwrap().modified_count, 2);
    assert_eq!(found(&app, &user, "goethestrasse").await, 0);
    let mongo = app.boot.mongo().unwrap();
    assert_eq!(refold_terms(&mongo).await.unwrap(), 2);
    assert_eq!(refold_terms(&mongo).await.unwrap(), 0);
    assert_eq!(found(&app, &user, "goethestrasse").await, 1);
    assert_eq!(app.get(&user, "/transactions").await.json, before);
    app.post(&user, &format!("/transactions/{deleted}/restore"), &json!({})).await.expect(200);
    assert_eq!(found(&app, &user, "goethestrasse").await, 2);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_list_of_errors_ends_at_fifty_and_says_how_many_were_left_out() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let shown = |answer: &Answer, left_out: usize| {
        assert_eq!(answer.errors().len(), ERRORS_MAX, "{}", answer.json);
        assert_eq!(answer.json["errorsOmitted"], left_out);
        assert!(answer.raw.len() < PROBLEM_BYTES_MAX, "{}", answer.raw.len());
    };
    // Eight kilobytes, and no token.
    let fields: Vec<String> = (0..1000).map(|n| format!("\"{n:x}\":0")).collect();
    let body = format!("{{{}}}", fields.join(","));
    let answer = app.send(&event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body))).await;
    answer.expect_problem(400, "unknown_field");
    shown(&answer, 950);
    let query: Vec<String> = (0..2000).map(|n| format!("{n:x}")).collect();
    let answer = app.get(&user, &format!("/transactions?{}", query.join("&"))).await;
    answer.expect_problem(400, "invalid_query");
    shown(&answer, 1950);
    let mut body = expense();
    body["tags"] = json!(vec![1; 1000]);
    let answer = app.post(&user, "/transactions", &body).await;
    answer.expect_problem(422, "invalid_fields");
    shown(&answer, 950);
    // One kind of refusal names the problem, though most of it is left out.
    body["tags"] = json!(vec!["\u{0}"; 60]);
    let answer = app.post(&user, "/transactions", &body).await;
    answer.expect_problem(422, "invalid_text");
    shown(&answer, 10);
    body["tags"] = json!(vec![1; ERRORS_MAX]);
    let answer = app.post(&user, "/transactions", &body).await;
    assert_eq!((answer.errors().len(), &answer.json["errorsOmitted"]), (ERRORS_MAX, &Value::Null));
}

#[tokio::test]
async fn a_pointer_made_of_a_clients_name_is_escaped_and_a_long_name_is_no_part_of_it() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let answer = app.get(&user, "/transactions?a~b/c=1&%7E=1&%2F%7e1=1").await;
    answer.expect_problem(400, "invalid_query").expect_errors(&[
        ("/query/a~0b~1c", "unknown_parameter"),
        ("/query/~0", "unknown_parameter"),
        ("/query/~1~01", "unknown_parameter"),
    ]);
    let long = "n".repeat(5_000);
    let answer = app.get(&user, &format!("/transactions?{long}=1")).await;
    answer.expect_problem(400, "invalid_query").expect_errors(&[("/query", "unknown_parameter")]);
    assert!(answer.raw.len() < 1024, "{}", answer.raw.len());
    let mut body = expense();
    body[&long] = json!(1);
    body["splits"] = json!([{"amount": "1.00"}, {"~/": 1, "~".repeat(200): 1}]);
    let answer = app.post(&user, "/transactions", &body).await;
    answer.expect_problem(400, "unknown_field").expect_errors(&[
        ("", "unknown_field"),
        ("/splits/1/~0~1", "unknown_field"),
        ("/splits/1", "unknown_field"),
    ]);
    assert!(answer.raw.len() < 2048, "{}", answer.raw.len());
}

#[tokio::test]
async fn a_cursor_of_a_value_with_a_line_feed_is_of_no_other_filters() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for _ in 0..2 {
        app.expense(&user, "1.00", "2026-03-05", "alpha type expense").await;
    }
    let page = app.get(&user, "/transactions?limit=1&q=alpha%0Atype%3Dexpense").await;
    let cursor = page.expect(200).text("nextCursor");
    assert!(!cursor.is_empty());
    let with = |query: &str| format!("/transactions?{query}&limit=1&cursor={cursor}");
    app.get(&user, &with("q=alpha%0Atype%3Dexpense")).await.expect(200);
    for query in ["q=alpha&type=expense", "type=expense&q=alpha", "q=alpha%0Atype%3Dexpense&tag=x", "q=alpha"]
    {
        app.get(&user, &with(query)).await.expect_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn a_path_with_dot_segments_or_an_escaped_slash_reaches_no_route() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let bearer = format!("Bearer {}", user.access);
    for path in [
        "/api/v1/auth/x/../me",
        "/api/v1/auth/./me",
        "/api/v1/auth/me/.",
        "/api/v1/auth/me/x/..",
        "/api/v1/x/../auth/me",
        "/api/v1/../v1/auth/me",
        "/../api/v1/auth/me",
        "/api/v1/auth/%2e%2e/auth/me",
        "/api/v1/auth/x/%2E%2e/me",
        "/api/v1/auth/x/.%2e/me",
        "/api/v1/auth/%2e/me",
        "/api/v1/auth/x%2f..%2fme",
        "/api/v1/auth/x/..%2fme",
        "/api/v1/auth%2fme",
        "/api/v1%2Fauth/me",
        "/api/v1/auth/x\\..\\me",
        "/api/v1/auth/x/..\\me",
        "/api/v1/auth\\me",
        "/api/v1/auth%5cme",
        "/api/v1/auth/x/.\t./me",
        "/api/v1/auth//me",
        "/api/v1/auth/me/",
    ] {
        // At the function itself, whatever API Gateway makes of the path.
        let text = event("GET", path, &user.ip, &[("authorization", &bearer)], None);
        app.invoke("auth", &text).await.expect_problem(404, "not_found");
    }
    let text = event("GET", "/api/v1/auth/me", &user.ip, &[("authorization", &bearer)], None);
    app.invoke("auth", &text).await.expect(200);
    // Dots that are no segment of their own are part of a name.
    let text = event("GET", "/api/v1/auth/..me", &user.ip, &[], None);
    app.invoke("auth", &text).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn an_idempotency_key_given_twice_is_400_and_not_one_key_with_a_comma() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let post = async |key: &str| {
        app.call(&user, "POST", "/transactions", &[("idempotency-key", key)], Some(&expense())).await
    };
    for key in [
        "one,two",
        "one, two",
        ",",
        "one,",
        "\"a\",\"b\"",
        "\"a\", \"b\"",
        "\"a\"b\"",
        "\"a",
        "\"a\\",
        "\"a\\\"",
        "\"a\\b\"",
        "\"\"",
        "\"",
        "\"a\";q=1",
        "",
        " ",
    ] {
        post(key).await.expect_problem(400, "invalid_header");
    }
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 0);
    for (key, same) in [("one", "\"one\""), ("\"one,two\"", " \"one,two\" "), ("\"a\\\"b\\\\\"", "a\"b\\")] {
        let first = post(key).await.expect(201).id();
        let again = post(same).await;
        assert_eq!(
            (again.expect(201).id(), again.header("idempotency-replayed")),
            (first, Some("true")),
            "{key}"
        );
    }
}

#[tokio::test]
async fn utf8_without_its_hyphen_is_a_charset_of_json_too() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let patch = async |kind: &str| {
        let body = json!({"firstName": "Ada"});
        app.call(&user, "PATCH", "/auth/me", &[("content-type", kind)], Some(&body)).await
    };
    for charset in ["utf8", "UTF8", "\"utf8\"", "\"Utf8\"", "utf-8", "\"UTF-8\""] {
        patch(&format!("application/json; charset={charset}")).await.expect(200);
        patch(&format!("application/json;CharSet={charset}")).await.expect(200);
    }
    for charset in ["utf16", "\"utf8", "utf8\"", "utf 8", "", "\"\"", "utf-8,utf-16"] {
        patch(&format!("application/json; charset={charset}"))
            .await
            .expect_problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_time_zone_of_no_place_or_offset_is_refused() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for zone in [
        "Factory",
        "factory",
        "posixrules",
        "localtime",
        "Etc/Unknown",
        "posix/UTC",
        "right/UTC",
        "+01:00",
        "leapseconds",
    ] {
        app.patch(&user, "/auth/me", &json!({"timeZone": zone}))
            .await
            .expect_fields(&[("/timeZone", "unknown_time_zone")]);
    }
    for zone in ["Europe/Vienna", "UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires"] {
        assert_eq!(app.patch(&user, "/auth/me", &json!({"timeZone": zone})).await.json["timeZone"], zone);
    }
}

#[tokio::test]
async fn a_range_whose_from_is_after_its_to_is_422() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for path in ["/transactions", "/transactions/summary"] {
        app.get(&user, &format!("{path}?from=2026-03-03&to=2026-03-02"))
            .await
            .expect_fields(&[("/query/from", "out_of_range")]);
        app.get(&user, &format!("{path}?from=2026-03-03&to=2026-03-03")).await.expect(200);
    }
}

#[tokio::test]
async fn a_limit_that_is_no_canonical_number_is_422() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for path in ["/transactions", "/accounts", "/categories", "/auth/sessions"] {
        for limit in ["%2B5", "+5", "007", "01", "0", "", "5.0", "5%20", "1e1", "٥", "-5", "0x5"] {
            app.get(&user, &format!("{path}?limit={limit}"))
                .await
                .expect_fields(&[("/query/limit", "invalid_parameter")]);
        }
        for limit in ["1", "10", "200"] {
            app.get(&user, &format!("{path}?limit={limit}")).await.expect(200);
        }
    }
    for amount in ["007", "+1", "-1", "1.", ".5", "1.00001", "1e3", "-0", "99999999999999999999"] {
        app.get(&user, &format!("/transactions?minAmount={}&maxAmount={}", percent(amount), percent(amount)))
            .await
            .expect_fields(&[
                ("/query/minAmount", "invalid_parameter"),
                ("/query/maxAmount", "invalid_parameter"),
            ]);
    }
}

#[tokio::test]
async fn a_date_before_1900_or_after_2199_is_422_in_bodies_and_queries() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let dated = |date: &str| {
        let mut body = expense();
        body["date"] = json!(date);
        body
    };
    for date in ["1899-12-31", "2200-01-01", "0001-01-01", "9999-12-31", "2200-02-29"] {
        let exists = date != "2200-02-29";
        let (body, query) = if exists {
            ("date_out_of_range", "date_out_of_range")
        } else {
            ("invalid_date", "invalid_parameter")
        };
        app.post(&user, "/transactions", &dated(date)).await.expect_fields(&[("/date", body)]);
        app.post(&user, "/accounts", &json!({"name": "x", "type": "cash", "openingDate": date}))
            .await
            .expect_fields(&[("/openingDate", body)]);
        for path in [
            "/transactions?from",
            "/transactions?to",
            "/transactions/summary?from",
            "/transactions/summary?to",
            "/accounts?asOf",
            "/financial-health?asOf",
        ] {
            let name = path.rsplit('?').next().unwrap();
            app.get(&user, &format!("{path}={date}"))
                .await
                .expect_fields(&[(&format!("/query/{name}"), query)]);
        }
    }
    for date in ["1900-01-01", "2199-12-31"] {
        app.create(&user, "/transactions", dated(date)).await;
        app.get(&user, &format!("/transactions?from={date}&to={date}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_required_text_that_shows_nothing_is_422_and_controls_are_refused_and_never_removed() {
    let app = TestApp::start().await;
    let user = app.register().await;
    // Of Default_Ignorable_Code_Point and White_Space, alone and together.
    for text in [
        " ",
        "\u{a0}",
        "\u{3000}\u{2003}",
        "\u{200b}",
        "\u{200d}\u{feff}",
        "\u{ad}",
        "\u{34f}",
        "\u{2060}",
        "\u{3164}",
        "\u{115f}",
        "\u{180e}",
        "\u{fe0f}",
        "\u{e0001}\u{e007f}",
        "\u{202e} \u{2066}",
        "\u{ffa0}",
    ] {
        let mut body = expense();
        for member in ["description", "externalId"] {
            body[member] = json!(text);
        }
        body["tags"] = json!(["x", text]);
        app.post(&user, "/transactions", &body).await.expect_fields(&[
            ("/description", "invalid_text"),
            ("/externalId", "invalid_text"),
            ("/tags/1", "invalid_text"),
        ]);
        app.post(&user, "/accounts", &json!({"name": text, "type": "cash"}))
            .await
            .expect_fields(&[("/name", "invalid_text")]);
        app.post(&user, "/categories", &json!({"name": text, "kind": "expense"}))
            .await
            .expect_fields(&[("/name", "invalid_text")]);
    }
    for control in ["\u{0}", "\u{7}", "\u{1b}", "\u{7f}", "\u{85}", "\u{9f}"] {
        let mut body = expense();
        body["description"] = json!(format!("{control} shown"));
        app.post(&user, "/transactions", &body).await.expect_fields(&[("/description", "invalid_text")]);
    }
    // What shows something keeps what does not.
    let mut body = expense();
    body["description"] = json!("👩\u{200d}🚀\u{fe0f}");
    let made = app.create(&user, "/transactions", body).await;
    assert_eq!(made["description"], "👩\u{200d}🚀\u{fe0f}");
}
