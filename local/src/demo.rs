//! A demo user with two years of plausible data, made through the public routers: the same checks, the same totals, the
//! same idempotency as any client. The data of a month depends on the month alone, so a second run adds nothing.
//!
//! Must never write to a database, nor use up a limit of 127.0.0.1: the routers here have limits of their own (off), and
//! the requests come from an address reserved for documentation.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};
use shared::clock::Clock;

use crate::console;
use crate::functions::Functions;
use crate::gateway::{Backend, Gateway};
use crate::template::Template;
use crate::workspace::{Variables, Workspace};

pub const EMAIL: &str = "demo@example.com";
pub const PASSWORD: &str = "amber-Falcon-quiet-Harbour";

const CURRENCY: &str = "USD";
const MONTHS: i32 = 24;
/// RFC 5737: an address that nobody has.
const SOURCE_IP: &str = "192.0.2.1";
/// The largest limit that the configuration takes: as good as none.
const NO_LIMIT: &str = "100000000";

// ---- the data --------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Account {
    Checking,
    Savings,
    Card,
    Loan,
}

impl Account {
    const ALL: [Self; 4] = [Self::Checking, Self::Savings, Self::Card, Self::Loan];

    fn name(self) -> &'static str {
        match self {
            Self::Checking => "Checking",
            Self::Savings => "Rainy day savings",
            Self::Card => "Credit card",
            Self::Loan => "Car loan",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Savings => "savings",
            Self::Card => "credit_card",
            Self::Loan => "loan",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Income(&'static str),
    Expense(&'static str),
    /// Money back: lowers the spending of its category.
    Refund(&'static str),
    TransferTo(Account),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    date: Date,
    account: Account,
    kind: Kind,
    minor: i64,
    description: String,
    merchant: Option<&'static str>,
}

/// One calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    first: Date,
}

impl Month {
    /// The last month that is over on `today`.
    fn last_full(today: Date) -> Self {
        Self { first: today.first_of_month() }.back(1)
    }

    fn back(self, months: i32) -> Self {
        Self { first: self.first.checked_sub(months.months()).unwrap_or(self.first) }
    }

    fn last_day(self) -> Date {
        self.first.last_of_month()
    }

    /// A day of the month; one that it lacks is its last.
    fn day(self, day: i64) -> Date {
        let last = i64::from(self.first.days_in_month());
        self.first.checked_add((day.clamp(1, last) - 1).days()).unwrap_or(self.first)
    }

    fn number(self) -> i8 {
        self.first.month()
    }

    /// Years since 2020: wages and prices rise with them.
    fn years(self) -> i64 {
        i64::from(self.first.year()) - 2020
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, integer, the same everywhere.
struct Dice(u64);

impl Dice {
    fn of(month: Month) -> Self {
        let seed = i64::from(month.first.year()) * 12 + i64::from(month.first.month());
        Self(seed.unsigned_abs().wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both possible.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.next() % span).unwrap_or(0)
    }

    fn percent(&mut self, chance: i64) -> bool {
        self.between(1, 100) <= chance
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let last = i64::try_from(from.len()).unwrap_or(1) - 1;
        usize::try_from(self.between(0, last))
            .ok()
            .and_then(|index| from.get(index).copied())
            .unwrap_or("Somewhere")
    }
}

/// All that happens in a month, save the card's payment, which depends on the month before.
fn spending(month: Month) -> Vec<Entry> {
    let mut dice = Dice::of(month);
    let mut entries = Vec::new();
    let years = month.years();
    let mut add = |day: i64, account, kind, minor: i64, description: String, merchant| {
        entries.push(Entry { date: month.day(day), account, kind, minor, description, merchant });
    };
    use Account::{Card, Checking, Loan, Savings};
    use Kind::{Expense, Income, Refund, TransferTo};

    add(
        25,
        Checking,
        Income("Salary"),
        412_000 + 14_500 * years,
        "Monthly salary".into(),
        Some("Northwind Traders"),
    );
    if month.number() == 12 {
        add(18, Checking, Income("Salary"), 120_000, "Year-end bonus".into(), Some("Northwind Traders"));
    }
    if dice.percent(60) {
        let client = dice.pick(&["Contoso", "Fabrikam", "Tailspin Toys", "Adventure Works"]);
        let fee = dice.between(25, 140) * 1_000;
        add(
            dice.between(4, 24),
            Checking,
            Income("Freelance"),
            fee,
            format!("Invoice paid by {client}"),
            Some(client),
        );
    }
    if matches!(month.number(), 3 | 6 | 9 | 12) {
        add(20, Savings, Income("Investments"), 1_450 + 120 * years, "Interest".into(), None);
    }

    add(1, Checking, Expense("Housing"), 138_000 + 2_500 * years, "Rent".into(), Some("Maple Street Homes"));
    let winter = i64::from(matches!(month.number(), 11 | 12 | 1 | 2 | 3)) * 4_200;
    add(
        4,
        Checking,
        Expense("Utilities"),
        6_150 + winter + dice.between(0, 1_800),
        "Electricity and heating".into(),
        Some("City Power"),
    );
    add(6, Checking, Expense("Utilities"), 4_990, "Internet".into(), Some("Fibre One"));
    add(9, Checking, Expense("Utilities"), 2_500, "Mobile phone".into(), Some("Telco"));
    add(
        3,
        Checking,
        Expense("Insurance"),
        9_240 + 150 * years,
        "Health and liability insurance".into(),
        Some("Umbrella Mutual"),
    );

    for _ in 0..dice.between(8, 10) {
        let shop = dice.pick(&["Green Grocer", "Corner Market", "Fresh Fields", "Bakery Lane"]);
        add(
            dice.between(1, 31),
            Card,
            Expense("Food & Dining"),
            dice.between(1_850, 9_650),
            "Groceries".into(),
            Some(shop),
        );
    }
    for _ in 0..dice.between(4, 6) {
        let place = dice.pick(&["Noodle House", "Trattoria Roma", "Café Central", "Taco Stand"]);
        add(
            dice.between(1, 31),
            Card,
            Expense("Food & Dining"),
            dice.between(950, 5_400),
            "Eating out".into(),
            Some(place),
        );
    }
    add(1, Checking, Expense("Transportation"), 4_900, "Transit pass".into(), Some("Metro"));
    for _ in 0..dice.between(1, 3) {
        add(
            dice.between(2, 30),
            Card,
            Expense("Transportation"),
            dice.between(3_900, 7_200),
            "Fuel".into(),
            Some("Fuel Stop"),
        );
    }
    for _ in 0..dice.between(1, 3) {
        let shop = dice.pick(&["Department Store", "Bookshop", "Hardware Store", "Shoe Box"]);
        add(
            dice.between(2, 29),
            Card,
            Expense("Shopping"),
            dice.between(1_490, 16_900),
            "Shopping".into(),
            Some(shop),
        );
    }
    add(12, Card, Expense("Entertainment"), 1_299, "Streaming".into(), Some("Streamly"));
    for _ in 0..dice.between(0, 2) {
        let place = dice.pick(&["Cinema", "Concert Hall", "Bowling Lanes"]);
        add(
            dice.between(3, 30),
            Card,
            Expense("Entertainment"),
            dice.between(1_200, 6_800),
            "Evening out".into(),
            Some(place),
        );
    }
    add(
        dice.between(8, 20),
        Card,
        Expense("Personal Care"),
        dice.between(2_200, 4_800),
        "Hairdresser".into(),
        Some("Salon"),
    );
    if dice.percent(30) {
        add(
            dice.between(2, 28),
            Card,
            Expense("Healthcare"),
            dice.between(1_800, 12_500),
            "Pharmacy and doctor".into(),
            Some("Pharmacy"),
        );
    }
    if dice.percent(20) {
        add(
            dice.between(2, 28),
            Checking,
            Expense("Education"),
            dice.between(6_000, 28_000),
            "Course".into(),
            Some("Open Campus"),
        );
    }
    if matches!(month.number(), 7 | 12) {
        add(
            dice.between(3, 12),
            Card,
            Expense("Travel"),
            dice.between(48_000, 125_000),
            "Holiday".into(),
            Some("Sunny Travels"),
        );
    }
    if dice.percent(25) {
        add(
            dice.between(16, 28),
            Card,
            Refund("Shopping"),
            dice.between(1_400, 7_900),
            "Refund for a return".into(),
            Some("Department Store"),
        );
    }

    add(15, Checking, TransferTo(Loan), 32_000, "Car loan payment".into(), None);
    add(
        15,
        Loan,
        Expense("Other Expenses"),
        4_100 + dice.between(0, 300),
        "Car loan interest".into(),
        Some("Auto Credit"),
    );
    add(27, Checking, TransferTo(Savings), dice.between(90, 140) * 1_000, "To savings".into(), None);

    entries.sort_by_key(|entry| (entry.date, entry.account));
    entries
}

/// What a month leaves to pay on the card.
fn card_bill(month: Month) -> i64 {
    let on_card = spending(month).into_iter().filter(|entry| entry.account == Account::Card);
    on_card.map(|entry| if matches!(entry.kind, Kind::Refund(_)) { -entry.minor } else { entry.minor }).sum()
}

/// A month with the payment of the card's bill of the month before.
fn entries(month: Month) -> Vec<Entry> {
    let mut entries = spending(month);
    entries.push(Entry {
        date: month.day(5),
        account: Account::Checking,
        kind: Kind::TransferTo(Account::Card),
        minor: card_bill(month.back(1)),
        description: "Credit card bill".into(),
        merchant: None,
    });
    entries
}

/// What an account holds on the morning of the first month, in minor units.
fn opening(account: Account, first: Month) -> i64 {
    match account {
        Account::Checking => 315_000,
        Account::Savings => 540_000,
        Account::Card => -card_bill(first.back(1)),
        Account::Loan => -1_480_000,
    }
}

/// `-1234` is `-12.34`: the currency has two decimals.
fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

// ---- the client ------------------------------------------------------------------------------------------------------

/// The public API, called in this process.
struct Client {
    gateway: Gateway,
    token: Option<String>,
}

impl Client {
    fn new(workspace: &Workspace, variables: &Variables) -> Result<Self> {
        let mut variables = variables.clone();
        for name in ["RATE_LIMIT_GENERAL_MAX", "RATE_LIMIT_AUTH_MAX", "RATE_LIMIT_HEAVY_MAX"] {
            variables.insert(name.to_owned(), NO_LIMIT.to_owned());
        }
        let template = Template::read(&workspace.template())?;
        let backend = Backend::InProcess(Functions::mount(&variables)?);
        Ok(Self { gateway: Gateway::new(template, backend), token: None })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value)> {
        let mut request =
            Request::builder().method(method).uri(format!("/api/v1{path}")).header("host", "localhost");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                body.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let response = self.gateway.call(request.body(body)?, SOURCE_IP).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok((parts.status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        match self.send(Method::GET, path, None, None).await? {
            (status, body) if status.is_success() => Ok(body),
            (status, body) => Err(unexpected(&Method::GET, path, status, &body)),
        }
    }

    async fn write(&self, method: Method, path: &str, key: &str, body: Value) -> Result<Value> {
        match self.send(method.clone(), path, Some(key), Some(body)).await? {
            (status, body) if status.is_success() => Ok(body),
            (status, body) => Err(unexpected(&method, path, status, &body)),
        }
    }

    /// Every item of a list.
    async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let mut answer = self.get(&format!("{path}{mark}limit=200{page}")).await?;
            if let Some(Value::Array(page)) = answer.get_mut("items").map(Value::take) {
                items.extend(page);
            }
            match answer.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Registers the demo user; says whether it is new.
    async fn register(&mut self) -> Result<bool> {
        let body = json!({
            "email": EMAIL, "password": PASSWORD, "firstName": "Demo", "lastName": "User", "currency": CURRENCY,
        });
        let path = "/auth/register";
        match self.send(Method::POST, path, None, Some(body)).await? {
            (StatusCode::CREATED, body) => {
                self.keep_token(&body);
                Ok(true)
            }
            (StatusCode::CONFLICT, _) => Ok(false),
            (status, body) => Err(unexpected(&Method::POST, path, status, &body)),
        }
    }

    async fn log_in(&mut self) -> Result<()> {
        let path = "/auth/login";
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        match self.send(Method::POST, path, None, Some(body)).await? {
            (StatusCode::OK, body) => {
                self.keep_token(&body);
                Ok(())
            }
            (StatusCode::UNAUTHORIZED, _) => bail!(
                "{EMAIL} exists with another password (or second factor): delete that user, or start empty with make run FRESH=1"
            ),
            (status, body) => Err(unexpected(&Method::POST, path, status, &body)),
        }
    }

    fn keep_token(&mut self, body: &Value) {
        self.token = body.pointer("/tokens/accessToken").and_then(Value::as_str).map(str::to_owned);
    }

    async fn close(self) {
        if let Backend::InProcess(functions) = self.gateway.backend()
            && let Ok(mongo) = functions.boot().mongo()
        {
            mongo.shutdown().await;
        }
    }
}

/// What an answer says went wrong, in one line.
fn unexpected(method: &Method, path: &str, status: StatusCode, body: &Value) -> anyhow::Error {
    let code =
        body.get("code").or_else(|| body.get("message")).and_then(Value::as_str).unwrap_or("no reason given");
    let errors =
        body.get("errors").filter(|errors| errors.as_array().is_some_and(|errors| !errors.is_empty()));
    let errors = errors.map(|errors| format!(" {errors}")).unwrap_or_default();
    anyhow!("demo data: {method} {path} answered {} {code}{errors}", status.as_u16())
}

/// Makes sure that the demo user exists.
///
/// # Errors
/// An answer that is neither 201 nor `email_taken`.
pub async fn login(workspace: &Workspace, variables: &Variables) -> Result<()> {
    let mut client = Client::new(workspace, variables)?;
    let is_new = client.register().await?;
    client.close().await;
    console::say(if is_new { "The demo user is made" } else { "The demo user is there" });
    Ok(())
}

/// An access token of the demo user.
///
/// # Errors
/// An answer that is not 200.
pub async fn access_token(workspace: &Workspace, variables: &Variables) -> Result<String> {
    let mut client = Client::new(workspace, variables)?;
    if !client.register().await? {
        client.log_in().await?;
    }
    let token = client.token.clone().context("demo data: the login has no access token")?;
    client.close().await;
    Ok(token)
}

/// Fills the demo user with two years of data that end with the last full month.
///
/// # Errors
/// The first answer that is not what it should be.
pub async fn fill(workspace: &Workspace, variables: &Variables) -> Result<()> {
    let mut client = Client::new(workspace, variables)?;
    if !client.register().await? {
        client.log_in().await?;
    }
    let last = Month::last_full(Clock::system().today("UTC"));
    let first = last.back(MONTHS - 1);
    let accounts = open_accounts(&client, first).await?;
    let categories = categories(&client).await?;
    let (mut added, mut there) = (0usize, 0usize);
    for index in (0..MONTHS).rev() {
        let month = last.back(index);
        let (new, old) = fill_month(&client, month, &accounts, &categories).await?;
        added += new;
        there += old;
        let done = MONTHS - index;
        console::progress(
            format_args!(
                "Demo data: {month} ({done} of {MONTHS} months), {added} transactions added, {there} were there"
            ),
            index == 0,
        );
    }
    let score = client.get("/financial-health").await?;
    let grade = score.get("grade").and_then(Value::as_str).unwrap_or("none");
    let points =
        score.get("score").and_then(Value::as_u64).map_or("unknown".to_owned(), |score| score.to_string());
    client.close().await;
    console::say(format_args!(
        "Its financial health: {points} of 100 (grade {grade}). Log in as {EMAIL} / {PASSWORD}"
    ));
    Ok(())
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("demo data: an answer has no {name}"))
}

/// The ids of the demo's accounts, opened where they are missing.
async fn open_accounts(client: &Client, first: Month) -> Result<HashMap<Account, String>> {
    let known = client.list("/accounts").await?;
    let mut accounts = HashMap::new();
    for account in Account::ALL {
        let found =
            known.iter().find(|known| known.get("name").and_then(Value::as_str) == Some(account.name()));
        let facts = json!({
            "openingBalance": { "amount": decimal(opening(account, first)) },
            "openingDate": first.first.to_string(),
        });
        let key = format!("demo-account-{}", account.kind());
        let id = match found {
            // The account that every new user has knows no balance yet.
            Some(found) if found.get("openingBalance").is_none_or(Value::is_null) => {
                let id = field(found, "id")?.to_owned();
                client.write(Method::PATCH, &format!("/accounts/{id}"), &key, facts).await?;
                id
            }
            Some(found) => field(found, "id")?.to_owned(),
            None => {
                let mut body = facts;
                body["name"] = account.name().into();
                body["type"] = account.kind().into();
                body["currency"] = CURRENCY.into();
                match account {
                    Account::Card => {
                        body["creditLimit"] = json!({ "amount": "5000.00" });
                        body["interestRateBps"] = 1_890.into();
                    }
                    Account::Loan => {
                        body["interestRateBps"] = 590.into();
                        body["minimumPayment"] = json!({ "amount": "320.00" });
                    }
                    Account::Checking | Account::Savings => {}
                }
                field(&client.write(Method::POST, "/accounts", &key, body).await?, "id")?.to_owned()
            }
        };
        accounts.insert(account, id);
    }
    Ok(accounts)
}

async fn categories(client: &Client) -> Result<HashMap<String, String>> {
    let mut categories = HashMap::new();
    for category in client.list("/categories").await? {
        categories.insert(field(&category, "name")?.to_owned(), field(&category, "id")?.to_owned());
    }
    Ok(categories)
}

/// Adds what a month lacks: how many were added, how many were there. Compared by content, since keys are forgotten
/// after a week.
async fn fill_month(
    client: &Client,
    month: Month,
    accounts: &HashMap<Account, String>,
    categories: &HashMap<String, String>,
) -> Result<(usize, usize)> {
    let path = format!("/transactions?from={}&to={}", month.first, month.last_day());
    let mut known: HashMap<(String, String, i64), usize> = HashMap::new();
    for transaction in client.list(&path).await? {
        let minor = transaction.get("amountMinor").and_then(Value::as_i64).unwrap_or_default();
        let key =
            (field(&transaction, "date")?.to_owned(), field(&transaction, "description")?.to_owned(), minor);
        *known.entry(key).or_default() += 1;
    }
    let (mut added, mut there) = (0, 0);
    for (index, entry) in entries(month).into_iter().enumerate() {
        let seen = known.entry((entry.date.to_string(), entry.description.clone(), entry.minor)).or_default();
        if *seen > 0 {
            *seen -= 1;
            there += 1;
            continue;
        }
        let body = transaction(&entry, accounts, categories)?;
        client.write(Method::POST, "/transactions", &format!("demo-{month}-{index}"), body).await?;
        added += 1;
    }
    Ok((added, there))
}

fn transaction(
    entry: &Entry,
    accounts: &HashMap<Account, String>,
    categories: &HashMap<String, String>,
) -> Result<Value> {
    let account = |account: Account| accounts.get(&account).context("demo data: an account is missing");
    let mut body = json!({
        "accountId": account(entry.account)?,
        "amount": decimal(entry.minor),
        "currency": CURRENCY,
        "date": entry.date.to_string(),
        "description": entry.description,
    });
    let (kind, category) = match entry.kind {
        Kind::Income(category) | Kind::Refund(category) => ("income", Some(category)),
        Kind::Expense(category) => ("expense", Some(category)),
        Kind::TransferTo(to) => {
            body["transferAccountId"] = account(to)?.as_str().into();
            ("transfer", None)
        }
    };
    body["type"] = kind.into();
    if let Some(category) = category {
        let id = categories
            .get(category)
            .with_context(|| format!("demo data: the category {category} is missing"))?;
        body["categoryId"] = id.as_str().into();
    }
    if let Some(merchant) = entry.merchant {
        body["merchant"] = merchant.into();
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(year: i16, number: i8) -> Month {
        Month { first: jiff::civil::date(year, number, 1) }
    }

    #[test]
    fn a_month_depends_on_itself_alone() {
        assert_eq!(entries(month(2025, 3)), entries(month(2025, 3)));
        assert_ne!(entries(month(2025, 3)), entries(month(2025, 4)));
        assert_eq!(Month::last_full(jiff::civil::date(2026, 1, 31)), month(2025, 12));
        assert_eq!(
            Month::last_full(jiff::civil::date(2024, 3, 31)).last_day(),
            jiff::civil::date(2024, 2, 29)
        );
    }

    #[test]
    fn every_month_of_a_decade_is_plausible() {
        for index in 0..120 {
            let month = month(2033, 1).back(index);
            let entries = entries(month);
            assert!((28..=50).contains(&entries.len()), "{month} has {} entries", entries.len());
            for entry in &entries {
                assert!(entry.minor > 0, "{month}: {entry:?}");
                assert!(entry.date >= month.first && entry.date <= month.last_day(), "{month}: {entry:?}");
            }
            let sum = |wanted: fn(&Kind) -> bool| -> i64 {
                entries.iter().filter(|entry| wanted(&entry.kind)).map(|entry| entry.minor).sum()
            };
            let (income, spent) =
                (sum(|kind| matches!(kind, Kind::Income(_))), sum(|kind| matches!(kind, Kind::Expense(_))));
            assert!(spent > income / 3 && spent < income * 5 / 4, "{month}: {income} in, {spent} out");
        }
    }

    #[test]
    fn the_loan_and_the_checking_account_stay_on_their_side_of_zero() {
        for last in [month(2026, 10), month(2027, 6), month(2028, 12)] {
            let first = last.back(MONTHS - 1);
            let mut balances = Account::ALL.map(|account| (account, opening(account, first))).to_vec();
            for index in (0..MONTHS).rev() {
                for entry in entries(last.back(index)) {
                    let sign = if matches!(entry.kind, Kind::Income(_) | Kind::Refund(_)) { 1 } else { -1 };
                    for (account, balance) in &mut balances {
                        if *account == entry.account {
                            *balance += sign * entry.minor;
                        }
                        if entry.kind == Kind::TransferTo(*account) {
                            *balance += entry.minor;
                        }
                    }
                }
                for (account, balance) in &balances {
                    let owed = matches!(account, Account::Card | Account::Loan);
                    assert!((*balance < 0) == owed, "{account:?} is at {balance} after {index} months to go");
                }
            }
        }
    }

    #[test]
    fn amounts_are_written_exactly() {
        for (minor, text) in
            [(0, "0.00"), (5, "0.05"), (123_456, "1234.56"), (-1_480_000, "-14800.00"), (-7, "-0.07")]
        {
            assert_eq!(decimal(minor), text);
        }
    }
}
