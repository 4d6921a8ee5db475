//! One function for each parser that meets what a client (or whoever sets the environment, or holds the backups) wrote.
//! Each takes any bytes and asserts the parser's laws, not only that it returns. `tests/corpus/<parser>` holds its reviewed
//! inputs, which a plain test runs, as they are and mutated; `fuzz/` hands the same functions to a coverage-guided fuzzer
//! (`make fuzz`).
//! Must never need a database, nor depend on the time of day.

mod address;
mod body;
mod configuration;
mod cursor;
mod date;
mod event;
mod header;
mod id;
mod json;
mod jwt;
mod manifest;
mod money;
mod query;
mod words;

use std::collections::HashMap;

use crate::app::settings;

/// A parser's check: it panics where a law does not hold.
pub type Check = fn(&[u8]);

/// Every parser, by the name of its corpus and of its fuzz target.
pub const TARGETS: &[(&str, Check)] = &[
    ("address", address::check),
    ("body", body::check),
    ("configuration", configuration::check),
    ("currency", id::check_currency),
    ("cursor", cursor::check),
    ("date", date::check),
    ("event", event::check),
    ("id", id::check),
    ("idempotency_key", header::check_idempotency_key),
    ("if_match", header::check_if_match),
    ("json", json::check),
    ("jwt", jwt::check),
    ("manifest", manifest::check),
    ("money", money::check),
    ("query", query::check),
    ("words", words::check),
];

/// Runs the check of that name.
pub fn run(name: &str, input: &[u8]) {
    let check = TARGETS.iter().find(|(known, _)| *known == name);
    check.unwrap_or_else(|| panic!("there is no parser {name}")).1(input);
}

/// What parsers of text are given: bytes that are no UTF-8 never reach them.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// The environment of the checks: no database is there, and the keys never change, so that corpora can hold what they
/// sealed.
fn variables() -> HashMap<String, String> {
    let mut variables = settings("secret-of-the-fuzzed-parsers-0123456789");
    let own = [
        ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true"),
        ("MONGO_SERVER_SELECTION_TIMEOUT_MS", "1"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("RATE_LIMIT_GENERAL_MAX", "100000000"),
        ("RATE_LIMIT_AUTH_MAX", "100000000"),
    ];
    variables.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables
}
