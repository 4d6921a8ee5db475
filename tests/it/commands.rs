//! How many commands MongoDB gets for one request, counted on the wire: a request's cost in round trips, which does not
//! grow with what the user has (docs/performance.md lists the figures).

use serde_json::{Value, json};
use tests::proxy::{Proxy, Stop};
use tests::{TestApp, User};

/// An API whose MongoDB is behind a proxy that counts, and a user of it.
struct Counted {
    app: TestApp,
    behind: TestApp,
    proxy: Proxy,
    user: User,
}

impl Counted {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let proxy = Proxy::start(app.mongodb_address(), Stop::Never).await.unwrap();
        let uri =
            format!("mongodb://127.0.0.1:{}/?directConnection=true&serverMonitoringMode=poll", proxy.port);
        let behind = app.sibling_with(&[("MONGODB_URI", &uri)]);
        let user = app.register().await;
        Self { app, behind, proxy, user }
    }

    /// The commands of one request. A request before it opens the connections, which cost commands of their own.
    async fn commands(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> usize {
        self.behind.get(&self.user, "/auth/me").await.expect(200);
        let before = self.proxy.commands();
        let answer = self.behind.call(&self.user, method, path, headers, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.json);
        self.proxy.commands() - before
    }

    /// Gives the user as many accounts and categories as a user may have, but for one of each.
    async fn fill(&self) {
        for index in 0..60 {
            let account =
                json!({"name": format!("a{index}"), "type": "cash", "openingBalance": {"amount": "1.00"}});
            self.app.create(&self.user, "/accounts", account).await;
            let category = json!({"name": format!("c{index}"), "kind": "expense"});
            self.app.create(&self.user, "/categories", category).await;
        }
    }

    /// The request of each kind, and its commands.
    async fn each(&self) -> Vec<(&'static str, usize)> {
        let category = self.app.category(&self.user, "Shopping").await;
        let dated = json!({"type": "expense", "amount": "1.00", "description": "x", "date": "2026-03-05",
            "categoryId": category});
        let today = json!({"type": "expense", "amount": "1.00", "description": "x", "categoryId": category});
        let created = self.app.create(&self.user, "/transactions", dated.clone()).await;
        let path = format!("/transactions/{}", created["id"].as_str().unwrap());
        let key = format!("{path}-{}", self.proxy.commands());
        let edit = json!({"amount": "2.00", "date": "2026-04-05"});
        vec![
            ("create", self.commands("POST", "/transactions", &[], Some(&dated)).await),
            (
                "create with a key",
                self.commands("POST", "/transactions", &[("idempotency-key", &key)], Some(&dated)).await,
            ),
            ("create without a date", self.commands("POST", "/transactions", &[], Some(&today)).await),
            ("update", self.commands("PATCH", &path, &[], Some(&edit)).await),
            ("get", self.commands("GET", &path, &[], None).await),
            ("list", self.commands("GET", "/transactions", &[], None).await),
            (
                "list with two filters",
                self.commands("GET", "/transactions?q=x&type=expense", &[], None).await,
            ),
            ("accounts", self.commands("GET", "/accounts?limit=200", &[], None).await),
            (
                "accounts as of a day",
                self.commands("GET", "/accounts?limit=200&asOf=2026-05-01", &[], None).await,
            ),
            ("summary", self.commands("GET", "/transactions/summary", &[], None).await),
            (
                "summary with ragged ends by category",
                self.commands(
                    "GET",
                    "/transactions/summary?from=2026-02-10&to=2026-05-10&groupBy=category",
                    &[],
                    None,
                )
                .await,
            ),
            (
                "summary by account",
                self.commands("GET", "/transactions/summary?from=2026-03-01&groupBy=account", &[], None)
                    .await,
            ),
            ("score", self.commands("GET", "/financial-health", &[], None).await),
        ]
    }
}

#[tokio::test]
async fn a_request_sends_few_commands_and_no_more_with_many_accounts_and_categories() {
    let counted = Counted::start().await;
    let few = counted.each().await;
    counted.fill().await;
    let many = counted.each().await;
    assert_eq!(few, many, "with one account, with many");
    let limits = [
        ("create", 8),
        ("create with a key", 8),
        ("create without a date", 8),
        ("update", 9),
        ("get", 2),
        ("list", 2),
        ("list with two filters", 2),
        ("accounts", 2),
        ("accounts as of a day", 3),
        ("summary", 4),
        ("summary with ragged ends by category", 4),
        ("summary by account", 4),
        ("score", 5),
    ];
    for ((name, count), (limited, most)) in few.iter().zip(limits) {
        assert_eq!(*name, limited);
        assert!(*count <= most, "{name} sends {count} commands, at most {most}: {few:?}");
    }
}
