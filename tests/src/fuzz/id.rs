//! Ids and currency codes: each has one spelling.

use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId, UserId};
use shared::edge::path::PathId;
use uuid::Uuid;

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let spelled = AccountId::parse(text).map(|id| id.to_string());
    let hyphen = |index: usize| [8, 13, 18, 23].contains(&index);
    let canonical = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match byte {
            b'-' => hyphen(index),
            b'0'..=b'9' | b'a'..=b'f' => !hyphen(index),
            _ => false,
        });
    assert_eq!(spelled.as_deref(), canonical.then_some(text));
    for other in [
        CategoryId::parse(text).map(|id| id.to_string()),
        TransactionId::parse(text).map(|id| id.to_string()),
        UserId::parse(text).map(|id| id.to_string()),
        <Uuid as PathId>::parse_id(text).map(|id| id.to_string()),
    ] {
        assert_eq!(other, spelled, "{text}");
    }
}

pub(super) fn check_currency(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let found = Currency::parse(text);
    let listed = Currency::all().iter().find(|currency| currency.code() == text);
    assert_eq!(found, listed.copied(), "{text}");
    assert!(found.is_none_or(|currency| currency.exponent() <= 4));
}
