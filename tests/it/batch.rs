//! The ledger's batches: a batch equals its writes one by one, and takes one number of knowledge for each.

use std::collections::BTreeMap;
use std::time::Duration;

use finance::calendar::parse_date;
use finance::id::{AccountId, CategoryId};
use finance::transaction::TransactionType;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use shared::store::UserStore;
use tests::batch::{self, Shape, Step};
use tests::{TestApp, User};

/// What a step of a drawn sequence does, before it is known to which user's ledger.
#[derive(Clone, Debug)]
struct Draw {
    action: u8,
    target: usize,
    kind: TransactionType,
    account: usize,
    minor: i64,
    month: u8,
    day: u8,
    category: Option<usize>,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let kind = prop_oneof![
        Just(TransactionType::Income),
        Just(TransactionType::Expense),
        Just(TransactionType::Transfer)
    ];
    let draw = (
        0u8..6,
        0usize..40,
        kind,
        0usize..2,
        1i64..1_000_000,
        1u8..5,
        1u8..28,
        proptest::option::of(0usize..3),
    );
    let draw = draw.prop_map(|(action, target, kind, account, minor, month, day, category)| Draw {
        action,
        target,
        kind,
        account,
        minor,
        month,
        day,
        category,
    });
    proptest::collection::vec(draw, 1..40)
}

/// A user's ledger, to which drawn steps are posted.
struct Ledger<'a> {
    app: &'a TestApp,
    user: User,
    store: UserStore,
    accounts: Vec<AccountId>,
    categories: Vec<CategoryId>,
}

impl<'a> Ledger<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let user = app.register().await;
        let second = json!({"name": "second", "type": "savings", "currency": "USD",
            "openingBalance": {"amount": "5.00"}, "openingDate": "2026-02-15"});
        app.create(&user, "/accounts", second).await;
        let ids = |answer: &Value| -> Vec<String> {
            let items = answer["items"].as_array().unwrap().iter();
            items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        let accounts = ids(&app.get(&user, "/accounts").await.json);
        let categories = app.get(&user, "/categories").await.json;
        let expense = categories["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "expense");
        let expense: Vec<CategoryId> =
            expense.take(3).map(|item| CategoryId::parse(item["id"].as_str().unwrap()).unwrap()).collect();
        Self {
            app,
            store: UserStore::new(app.store(Duration::from_secs(30)), user.id),
            user,
            accounts: accounts.iter().map(|id| AccountId::parse(id).unwrap()).collect(),
            categories: expense,
        }
    }

    /// The steps of one batch: each transaction at most once. `alive` are those before it.
    fn steps(&self, draws: &[Draw], alive: &mut BTreeMap<u128, bool>, made: &mut u128) -> Vec<Step> {
        let before = alive.clone();
        let mut touched = std::collections::BTreeSet::new();
        let mut steps = Vec::new();
        for draw in draws {
            let shape = Shape {
                account: self.accounts[draw.account],
                kind: draw.kind,
                amount_minor: draw.minor,
                date: parse_date(&format!("2026-{:02}-{:02}", draw.month, draw.day)).unwrap(),
                category: draw
                    .category
                    .filter(|_| draw.kind == TransactionType::Expense)
                    .map(|n| self.categories[n]),
                to: (draw.kind == TransactionType::Transfer).then(|| self.accounts[1 - draw.account]),
            };
            let named = before.iter().nth(draw.target % before.len().max(1));
            let named = named.filter(|(n, _)| touched.insert(**n));
            let id = |n: u128| batch::id_of(self.accounts[0], n);
            let (n, step) = match (draw.action, named) {
                (3, Some((n, true))) => (*n, Step::Edit(id(*n), shape)),
                (4, Some((n, true))) => (*n, Step::Delete(id(*n))),
                (5, Some((n, false))) => (*n, Step::Restore(id(*n))),
                _ => {
                    *made += 1;
                    (*made, Step::Insert(id(*made), shape))
                }
            };
            alive.insert(n, !matches!(step, Step::Delete(_)));
            steps.push(step);
        }
        steps
    }

    /// What the API shows of it, without the ids that differ from user to user.
    async fn shown(&self) -> Vec<Value> {
        let mut shown = Vec::new();
        for path in ["/accounts", "/accounts?asOf=2026-03-10"] {
            let balances = self.app.get(&self.user, path).await.json["items"].clone();
            shown.extend(balances.as_array().unwrap().iter().map(|account| account["balanceMinor"].clone()));
        }
        for by in ["month", "category", "account"] {
            let path = format!("/transactions/summary?from=2026-01-05&to=2026-12-31&groupBy={by}");
            let mut summary = self.app.get(&self.user, &path).await.json;
            for group in summary["groups"].as_array_mut().unwrap() {
                group["key"] = Value::Null;
            }
            shown.push(summary);
        }
        shown
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_equals_its_writes_one_by_one() {
    let app = TestApp::start().await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let (whole, single) = (Ledger::new(&app).await, Ledger::new(&app).await);
        let mut states = [(BTreeMap::new(), 0u128), (BTreeMap::new(), 0u128)];
        for _ in 0..3 {
            let drawn = draws().new_tree(&mut runner).unwrap().current();
            let steps = whole.steps(&drawn, &mut states[0].0, &mut states[0].1);
            let count = steps.len();
            let posted = batch::post(&whole.store, steps, None).await.unwrap();
            assert_eq!(posted.body, count.to_string().into_bytes());
            for step in single.steps(&drawn, &mut states[1].0, &mut states[1].1) {
                batch::post(&single.store, vec![step], None).await.unwrap();
            }
            assert_eq!(whole.shown().await, single.shown().await, "{drawn:?}");
        }
        for ledger in [&whole, &single] {
            app.assert_ledger_sound(&ledger.user).await;
        }
    }
}

#[tokio::test]
async fn a_batch_with_one_refused_row_writes_nothing_and_keeps_no_key() {
    let app = TestApp::start().await;
    let ledger = Ledger::new(&app).await;
    let before = ledger.shown().await;
    let mut steps = batch::expenses(ledger.accounts[0], 20);
    // A second transaction of an id that is there already.
    steps.push(steps[0].clone());
    assert!(batch::post(&ledger.store, steps, Some("key")).await.is_err());
    assert_eq!(ledger.shown().await, before);
    let posted =
        batch::post(&ledger.store, batch::expenses(ledger.accounts[0], 20), Some("key")).await.unwrap();
    assert!(!posted.replayed);
    let again =
        batch::post(&ledger.store, batch::expenses(ledger.accounts[0], 20), Some("key")).await.unwrap();
    assert!(again.replayed);
    app.assert_ledger_sound(&ledger.user).await;
}
