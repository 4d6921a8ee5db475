//! Cursors: nothing opens but what was sealed, for the same user, route and filters. The input is a cursor, or filters
//! and, after a newline, a position.

use finance::id::UserId;
use shared::config::{Config, Need};
use shared::edge::cursor::Cursors;
use shared::store::transactions::TransactionPosition;
use uuid::Uuid;

const ROUTE: &str = "list_transactions";

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let Ok(config) = Config::load(&super::variables(), &[Need::Jwt]) else {
        panic!("the checks have a configuration")
    };
    let cursors = Cursors::from_config(config.jwt.as_ref().expect("it has a signing key"));
    let (user, other) = (UserId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)));

    // A cursor that opens is the one spelling of what it holds.
    if let Ok(position) = cursors.open(user, ROUTE, "", text) {
        assert_eq!(cursors.seal(user, ROUTE, "", &position), text);
    }
    if let Some(position) = TransactionPosition::decode(text) {
        assert_eq!(position.encode(), text);
    }

    let (filters, position) = text.split_once('\n').unwrap_or(("", text));
    let sealed = cursors.seal(user, ROUTE, filters, position);
    assert_eq!(cursors.open(user, ROUTE, filters, &sealed).ok().as_deref(), Some(position));
    assert!(cursors.open(other, ROUTE, filters, &sealed).is_err(), "another user's");
    assert!(cursors.open(user, "list_sessions", filters, &sealed).is_err(), "another list's");
    assert!(cursors.open(user, ROUTE, &format!("{filters}x"), &sealed).is_err(), "another filter's");
    // The lengths in what is authenticated keep filters and position apart.
    assert!(cursors.open(user, ROUTE, &format!("{filters}\n{position}"), &sealed).is_err());
    let at = input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % sealed.len();
    let mut altered = sealed.clone().into_bytes();
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("it is ASCII");
    assert!(cursors.open(user, ROUTE, filters, &altered).is_err(), "altered at {at}");
    assert!(cursors.open(user, ROUTE, filters, &sealed[..at]).is_err(), "cut at {at}");
}
