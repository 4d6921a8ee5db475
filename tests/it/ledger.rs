//! The ledger's one promise: totals and balances are what the transactions say, whatever is done, by however many, and
//! whatever breaks off in its midst.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use tests::{Answer, TestApp, User};

/// A generator that gives the same numbers on every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn minor(&mut self) -> i64 {
        1 + (self.next() % 100_000) as i64
    }
}

struct Account {
    id: String,
    currency: &'static str,
    opening: i64,
    opened: &'static str,
}

/// What the API was told, from which balances are computed here a second time.
struct Model {
    accounts: Vec<Account>,
    income: Vec<String>,
    expense: Vec<String>,
    live: BTreeMap<String, Value>,
    deleted: BTreeMap<String, Value>,
}

impl Model {
    async fn new(app: &TestApp, user: &User) -> Self {
        let mut accounts = Vec::new();
        for (currency, opening, opened) in [
            ("USD", 100_000, "2026-01-01"),
            ("USD", -5_000, "2026-03-15"),
            ("EUR", 0, "2026-02-10"),
            ("EUR", 77, "2025-12-31"),
        ] {
            let body = json!({"name": "x", "type": "checking", "currency": currency,
                "openingBalance": {"amountMinor": opening}, "openingDate": opened});
            let id = app.create(user, "/accounts", body).await["id"].as_str().unwrap().to_owned();
            accounts.push(Account { id, currency, opening, opened });
        }
        let (mut income, mut expense) = (Vec::new(), Vec::new());
        for category in app.get(user, "/categories").await.items() {
            let of = if category["kind"] == "income" { &mut income } else { &mut expense };
            of.push(category["id"].as_str().unwrap().to_owned());
        }
        Self { accounts, income, expense, live: BTreeMap::new(), deleted: BTreeMap::new() }
    }

    /// A transaction that fits: plain, refund, split or transfer, also between currencies.
    fn body(&self, random: &mut Random) -> Value {
        let account = random.pick(&self.accounts);
        let minor = random.minor();
        let date = format!("2026-{:02}-{:02}", 1 + random.below(5), 1 + random.below(28));
        let mut body = json!({"accountId": account.id, "amountMinor": minor, "date": date, "description": "x",
            "type": "expense"});
        match random.below(5) {
            0 => {
                body["type"] = json!("income");
                body["categoryId"] = json!(random.pick(&self.income));
            }
            // A refund.
            1 => {
                body["type"] = json!("income");
                body["categoryId"] = json!(random.pick(&self.expense));
            }
            2 if minor >= 3 => {
                let first = 1 + (random.next() % (minor as u64 - 2)) as i64;
                let rest = minor - first;
                let splits: Vec<_> = [first, rest]
                    .iter()
                    .map(|part| json!({"categoryId": random.pick(&self.expense), "amountMinor": part}))
                    .collect();
                body["splits"] = json!(splits);
            }
            3 => {
                let others: Vec<_> = self.accounts.iter().filter(|other| other.id != account.id).collect();
                let other = random.pick(&others);
                body["type"] = json!("transfer");
                body["transferAccountId"] = json!(other.id);
                if other.currency != account.currency {
                    body["transferAmountMinor"] = json!(random.minor());
                }
            }
            _ => body["categoryId"] = json!(random.pick(&self.expense)),
        }
        body
    }

    fn balance(&self, account: &Account) -> i64 {
        let mut balance = account.opening;
        for transaction in self.live.values() {
            if transaction["date"].as_str().unwrap() < account.opened {
                continue;
            }
            let minor = transaction["amountMinor"].as_i64().unwrap();
            if transaction["accountId"] == account.id.as_str() {
                balance += if transaction["type"] == "income" { minor } else { -minor };
            }
            if transaction["transferAccountId"] == account.id.as_str() {
                balance += transaction["transferAmountMinor"].as_i64().unwrap_or(minor);
            }
        }
        balance
    }

    /// Income and spending of each currency: a refund lowers spending.
    fn totals(&self) -> BTreeMap<&'static str, (i64, i64)> {
        let mut totals = BTreeMap::new();
        for transaction in self.live.values().filter(|transaction| transaction["type"] != "transfer") {
            let account =
                self.accounts.iter().find(|account| transaction["accountId"] == account.id.as_str());
            let (income, expense) = totals.entry(account.unwrap().currency).or_insert((0, 0));
            let minor = transaction["amountMinor"].as_i64().unwrap();
            let refund = self.expense.iter().any(|id| transaction["categoryId"] == id.as_str());
            match (transaction["type"] == "income", refund) {
                (true, true) => *expense -= minor,
                (true, false) => *income += minor,
                (false, _) => *expense += minor,
            }
        }
        totals
    }

    async fn assert_agrees(&self, app: &TestApp, user: &User) {
        app.assert_ledger_sound(user).await;
        let list = app.get(user, "/accounts").await;
        for account in &self.accounts {
            let shown = list.items().iter().find(|shown| shown["id"] == account.id.as_str()).unwrap();
            assert_eq!(shown["balanceMinor"], self.balance(account), "{} {}", account.currency, account.id);
        }
        for by in ["month", "category", "account"] {
            let path = format!("/transactions/summary?from=2026-01-01&to=2026-12-31&groupBy={by}");
            let summary = app.get(user, &path).await.json;
            let mut totals = BTreeMap::new();
            for total in summary["totals"].as_array().unwrap() {
                let sums = (total["incomeMinor"].as_i64().unwrap(), total["expenseMinor"].as_i64().unwrap());
                totals.insert(total["currency"].as_str().unwrap().to_owned(), sums);
            }
            let wanted: BTreeMap<_, _> =
                self.totals().into_iter().map(|(currency, sums)| (currency.to_owned(), sums)).collect();
            assert_eq!(totals, wanted, "{by}");
        }
    }
}

/// The members of a body that only one kind has, removed where the other body does not set them.
fn replacing(body: &Value) -> Value {
    let mut patch = body.clone();
    for member in ["categoryId", "splits", "transferAccountId", "transferAmountMinor"] {
        if patch.get(member).is_none() {
            patch[member] = Value::Null;
        }
    }
    patch
}

#[tokio::test]
async fn any_sequence_of_writes_leaves_totals_and_balances_that_a_recomputation_finds() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let mut random = Random(2026);
    let mut model = Model::new(&app, &user).await;
    for step in 0..150 {
        let ids: Vec<String> = model.live.keys().cloned().collect();
        let gone: Vec<String> = model.deleted.keys().cloned().collect();
        match random.below(10) {
            5 | 6 if !ids.is_empty() => {
                let (id, body) = (random.pick(&ids).clone(), model.body(&mut random));
                app.patch(&user, &format!("/transactions/{id}"), &replacing(&body)).await.expect(200);
                model.live.insert(id, body);
            }
            7 if !ids.is_empty() => {
                let id = random.pick(&ids).clone();
                app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
                let body = model.live.remove(&id).unwrap();
                model.deleted.insert(id, body);
            }
            8 if !gone.is_empty() => {
                let id = random.pick(&gone).clone();
                app.call(&user, "POST", &format!("/transactions/{id}/restore"), &[], None).await.expect(200);
                let body = model.deleted.remove(&id).unwrap();
                model.live.insert(id, body);
            }
            9 => {
                let opened = *random.pick(&["2025-12-31", "2026-02-01", "2026-03-31"]);
                let index = random.below(model.accounts.len());
                let account = &mut model.accounts[index];
                let path = format!("/accounts/{}", account.id);
                app.patch(&user, &path, &json!({"openingDate": opened})).await.expect(200);
                account.opened = opened;
            }
            _ => {
                let body = model.body(&mut random);
                let id =
                    app.create(&user, "/transactions", body.clone()).await["id"].as_str().unwrap().to_owned();
                model.live.insert(id, body);
            }
        }
        if step % 30 == 29 {
            model.assert_agrees(&app, &user).await;
        }
    }
    // At last one account goes, its transactions with it to the other of its currency.
    let (from, to) = (model.accounts.remove(3), 2);
    let between = model.live.iter().filter(|(_, body)| {
        body["type"] == "transfer"
            && [&body["accountId"], &body["transferAccountId"]]
                .iter()
                .all(|id| **id == from.id || **id == model.accounts[to].id)
    });
    let between: Vec<String> = between.map(|(id, _)| id.clone()).collect();
    for id in between {
        app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
        model.live.remove(&id);
    }
    app.delete(&user, &format!("/accounts/{}?moveTo={}", from.id, model.accounts[to].id)).await.expect(204);
    for body in model.live.values_mut() {
        for member in ["accountId", "transferAccountId"] {
            if body[member] == from.id.as_str() {
                body[member] = json!(model.accounts[to].id);
            }
        }
    }
    model.assert_agrees(&app, &user).await;
}

async fn counter(app: &TestApp, user: &User) -> i64 {
    let database = app.database().await;
    let id = mongodb::bson::Uuid::from_bytes(*user.id.uuid().as_bytes());
    let ledger =
        database.collection::<Document>("ledgers").find_one(doc! {"_id": id}).await.unwrap().unwrap();
    ledger.get_i64("knowledge").unwrap()
}

/// Whether a write was made; one that was not is told to come again.
fn made(answer: &Answer, status: u16) -> bool {
    if answer.status == 429 {
        answer.expect_problem(429, "write_contention");
        assert_eq!(answer.header("retry-after"), Some("1"));
        return false;
    }
    answer.expect(status);
    true
}

#[tokio::test]
async fn parallel_writers_of_one_user_lose_nothing() {
    let app = TestApp::start().await;
    let other = app.sibling();
    let user = app.register().await;
    let before = counter(&app, &user).await;
    assert_eq!(before, 17, "16 categories and an account");
    let bodies: Vec<_> = (0..20)
        .map(|n| json!({"type": "expense", "amountMinor": 100 + n, "date": "2026-03-05", "description": "x"}))
        .collect();
    let writes = bodies.iter().enumerate().map(|(index, body)| {
        let app = if index % 2 == 0 { &app } else { &other };
        app.post(&user, "/transactions", body)
    });
    let answers = futures_util::future::join_all(writes).await;
    let count = answers.iter().filter(|answer| made(answer, 201)).count();
    assert!(count >= 10, "only {count} of 20 were written");
    let list = app.get(&user, "/transactions").await;
    assert_eq!(list.items().len(), count, "what was answered is there, and nothing else");
    assert_eq!(counter(&app, &user).await, before + count as i64, "each has a number of its own");
    let database = app.database().await;
    let numbers =
        database.collection::<Document>("transactions").distinct("knowledge", doc! {}).await.unwrap();
    assert_eq!(numbers.len(), count);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn parallel_writers_of_one_transaction_agree_on_an_order() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let path = format!("/transactions/{id}");
    let bodies: Vec<_> = (0..10).map(|n| json!({"amountMinor": 1000 + n, "date": "2026-04-05"})).collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| app.patch(&user, &path, body))).await;
    let won: Vec<_> = answers.iter().filter(|answer| made(answer, 200)).collect();
    let mut versions: Vec<_> = won.iter().map(|answer| answer.json["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..2 + won.len() as i64).collect::<Vec<_>>());
    let last = won.iter().max_by_key(|answer| answer.json["version"].as_i64()).unwrap();
    assert_eq!(app.get(&user, &path).await.json, last.json);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_parallel_mix_of_writes_and_erasure_of_an_account_stays_sound() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let from = app.create(&user, "/accounts", json!({"name": "from", "type": "cash"})).await;
    let to = app.create(&user, "/accounts", json!({"name": "to", "type": "cash"})).await;
    let (from, to) = (from["id"].as_str().unwrap(), to["id"].as_str().unwrap());
    let body = json!({"type": "income", "amount": "1.00", "date": "2026-03-05", "description": "x", "accountId": from});
    for _ in 0..3 {
        app.create(&user, "/transactions", body.clone()).await;
    }
    let writes = futures_util::future::join_all((0..6).map(|_| app.post(&user, "/transactions", &body)));
    let path = format!("/accounts/{from}?moveTo={to}");
    let (answers, deleted) = tokio::join!(writes, app.delete(&user, &path));
    assert!(made(&deleted, 204), "the account goes");
    let written = answers.iter().filter(|answer| answer.status == 201).count();
    for refused in answers.iter().filter(|answer| answer.status == 422) {
        refused.expect_fields(&[("/accountId", "unknown_account")]);
    }
    let list = app.get(&user, &format!("/transactions?accountId={to}")).await;
    assert_eq!(list.items().len(), 3 + written, "all of them are on the account that is left");
    app.assert_ledger_sound(&user).await;
}

/// What MongoDB does to the commands that a write sends.
struct Fault {
    command: &'static str,
    /// How often it does it, or how many pass before it always does.
    mode: Document,
    data: Document,
}

fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for command in ["find", "findAndModify", "insert", "update", "commitTransaction"] {
        // A conflict, and a broken connection, that go by themselves; a connection that stays broken.
        let conflict = doc! {"errorCode": 112, "errorLabels": ["TransientTransactionError"]};
        let broken = doc! {"closeConnection": true};
        faults.push(Fault { command, mode: doc! {"times": 2}, data: conflict });
        faults.push(Fault { command, mode: doc! {"times": 1}, data: broken.clone() });
        faults.push(Fault { command, mode: doc! {"skip": 0}, data: broken.clone() });
        if command == "commitTransaction" {
            continue;
        }
        // The server's own deadline, an interruption and a broken connection, also at a later command.
        for (skip, data) in [
            (0, doc! {"errorCode": 262}),
            (1, doc! {"errorCode": 262}),
            (0, doc! {"errorCode": 11601}),
            (2, doc! {"errorCode": 11601}),
            (1, broken.clone()),
            (3, broken),
        ] {
            faults.push(Fault { command, mode: doc! {"skip": skip}, data });
        }
    }
    // A commit that was carried out, and whose answer says that it may not last.
    let concern = doc! {"writeConcernError": {"code": 91, "errmsg": "shutting down"}};
    faults.push(Fault { command: "commitTransaction", mode: doc! {"times": 1}, data: concern.clone() });
    faults.push(Fault { command: "commitTransaction", mode: doc! {"skip": 0}, data: concern });
    faults
}

/// Until the driver has found the server again: after a broken connection it looks anew, which takes a moment.
async fn ready(app: &TestApp, user: &User) {
    let began = Instant::now();
    while app.get(user, "/transactions?limit=1").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "the API does not come back");
    }
}

// One test, because MongoDB has one such fault at a time for all its clients.
#[tokio::test]
async fn a_write_that_mongodb_breaks_off_is_whole_or_absent_and_its_retry_has_one_effect() {
    let home = TestApp::start().await;
    let name = tests::random_name();
    let separator = if home.variables()["MONGODB_URI"].contains('?') { '&' } else { '?' };
    let uri = format!("{}{separator}appName={name}", home.variables()["MONGODB_URI"]);
    let app = home.sibling_with(&[("MONGODB_URI", &uri), ("MONGO_OPERATION_TIMEOUT_MS", "600")]);
    let user = home.register().await;
    let food = home.category(&user, "Food & Dining").await;
    let travel = home.category(&user, "Travel").await;
    let account = home.create(&user, "/accounts", json!({"name": "x", "type": "cash"})).await["id"].clone();
    let admin = home.database().await.client().database("admin");
    let (mut outcomes, mut ours) = (BTreeMap::new(), Vec::new());
    for (index, fault) in faults().into_iter().enumerate() {
        let before = home.get(&user, "/transactions?limit=200").await.items().len();
        let body = json!({"type": "expense", "amount": "3.00", "date": "2026-03-05", "description": "x",
            "accountId": account, "splits": [{"categoryId": food, "amount": "1.00"},
                {"categoryId": travel, "amount": "2.00"}]});
        // The connection is there before the fault, so that the fault meets the write.
        ready(&app, &user).await;
        let mut data = fault.data.clone();
        data.insert("failCommands", vec![fault.command]);
        data.insert("appName", &name);
        let set = doc! {"configureFailPoint": "failCommand", "mode": fault.mode.clone(), "data": data};
        admin.run_command(set).await.unwrap();
        let key = format!("fault-{index}");
        let headers = [("idempotency-key", key.as_str())];
        let answer = app.call(&user, "POST", "/transactions", &headers, Some(&body)).await;
        admin.run_command(doc! {"configureFailPoint": "failCommand", "mode": "off"}).await.unwrap();
        let what = format!("{} {} {}", fault.command, fault.mode, fault.data);
        assert!(
            matches!(answer.status, 201 | 409 | 500 | 503),
            "{what} is answered {}: {}",
            answer.status,
            answer.json
        );
        *outcomes.entry(answer.status).or_insert(0) += 1;
        if answer.status == 500 {
            ours.push(what.clone());
        }
        let text = String::from_utf8(answer.raw.to_vec()).unwrap();
        assert!(!text.contains("failCommand") && !text.to_lowercase().contains("mongo"), "{text}");

        let after = home.get(&user, "/transactions?limit=200").await.items().len();
        if answer.status == 201 {
            assert_eq!(after, before + 1, "{what}: answered, and there");
        }
        assert!(after == before || after == before + 1, "{what}: {before} then {after}");
        home.assert_ledger_sound(&user).await;

        // A client that was told nothing sends it again, until MongoDB has ended what was left open: one effect in all.
        let began = Instant::now();
        let again = loop {
            let again = home.call(&user, "POST", "/transactions", &headers, Some(&body)).await;
            let told_to_wait = matches!(
                again.code(),
                "idempotency_in_progress" | "service_unavailable" | "write_contention"
            );
            if !told_to_wait || began.elapsed() > Duration::from_secs(90) {
                break again;
            }
        };
        assert_eq!(again.status, 201, "{what}: {}", again.json);
        // A commit whose outcome nobody knew may have come after the look.
        assert!(after == before || again.header("idempotency-replayed").is_some(), "{what}");
        assert_eq!(home.get(&user, "/transactions?limit=200").await.items().len(), before + 1, "{what}");
        home.assert_ledger_sound(&user).await;
    }
    assert!(outcomes.get(&201).is_some_and(|count| *count > 10), "conflicts mend themselves: {outcomes:?}");
    assert!(outcomes.keys().any(|status| *status != 201), "the faults reached the writes: {outcomes:?}");
    assert_eq!(ours, Vec::<String>::new(), "a dependency's failure is not ours");
    // A commit that outlasts the budget of a request is answered as it ended, while MongoDB answers others.
    ready(&app, &user).await;
    let set = doc! {"configureFailPoint": "failCommand", "mode": {"times": 1},
    "data": {"failCommands": ["commitTransaction"], "appName": &name, "blockConnection": true, "blockTimeMS": 1_500}};
    admin.run_command(set).await.unwrap();
    let body = json!({"type": "expense", "amount": "3.00", "date": "2026-03-05", "description": "outlasts"});
    let began = Instant::now();
    let made = app.create(&user, "/transactions", body).await;
    assert!(began.elapsed() >= Duration::from_millis(1_500), "the commit was held up");
    home.get(&user, &format!("/transactions/{}", made["id"].as_str().unwrap())).await.expect(200);
    home.assert_ledger_sound(&user).await;
    // The user's wait is bounded whatever MongoDB does.
    let app = app.sibling_with(&[("MONGO_OPERATION_TIMEOUT_MS", "2500")]);
    ready(&app, &user).await;
    let within = Duration::from_secs(3);
    let began = Instant::now();
    let set = doc! {"configureFailPoint": "failCommand", "mode": "alwaysOn",
    "data": {"failCommands": ["commitTransaction", "ping"], "appName": &name, "blockConnection": true, "blockTimeMS": 6_000}};
    admin.run_command(set).await.unwrap();
    let body = json!({"type": "expense", "amount": "3.00", "date": "2026-03-05", "description": "x"});
    let answer = app.post(&user, "/transactions", &body).await;
    let waited = began.elapsed();
    admin.run_command(doc! {"configureFailPoint": "failCommand", "mode": "off"}).await.unwrap();
    answer.expect_problem(503, "service_unavailable");
    assert!(waited < within, "{waited:?}");
    assert!(answer.header("retry-after").is_some());
}
