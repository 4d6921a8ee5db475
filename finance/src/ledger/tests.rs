//! Laws of the totals: whatever the writes, folding their changes gives what the final transactions give.

use super::*;
use crate::transaction::{Split, TransferLeg};
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

fn account(n: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(n))
}

fn category(n: u128) -> CategoryId {
    CategoryId::new(Uuid::from_u128(n))
}

/// Accounts 0 and 1 are in dollars, 2 and 3 in yen.
fn currency_of(n: u128) -> Currency {
    Currency::parse(if n < 2 { "USD" } else { "JPY" }).unwrap()
}

fn flow(kind: TransactionType, amount_minor: i64) -> Transaction {
    Transaction {
        account_id: account(0),
        kind,
        amount_minor,
        currency: Currency::USD,
        date: date(2026, 1, 31),
        category_id: Some(category(1)),
        splits: Vec::new(),
        transfer: None,
    }
}

fn month_key(category_id: Option<CategoryId>) -> MonthKey {
    MonthKey { month: Month::parse("2026-01").unwrap(), currency: Currency::USD, category: category_id }
}

#[test]
fn an_expense_moves_its_month_and_its_day() {
    let effects = Effects::of(&flow(TransactionType::Expense, 500)).unwrap();
    let month = MonthTotal { income: 0, expense: 500, count: 1, transactions: 1 };
    assert_eq!(effects.months, BTreeMap::from([(month_key(Some(category(1))), month)]));
    let key = DayKey { account: account(0), date: date(2026, 1, 31) };
    let day = DayTotal { currency: Currency::USD, net: -500, count: 1, flows: 1 };
    assert_eq!(effects.days, BTreeMap::from([(key, day)]));
}

#[test]
fn a_split_is_counted_by_part_and_once_as_a_transaction() {
    let part = |n, amount_minor| Split { category_id: category(n), amount_minor, notes: None };
    let split = Transaction {
        category_id: None,
        splits: vec![part(2, 100), part(1, 150), part(2, 250)],
        ..flow(TransactionType::Expense, 500)
    };
    let effects = Effects::of(&split).unwrap();
    let two = MonthTotal { income: 0, expense: 350, count: 2, transactions: 1 };
    let one = MonthTotal { income: 0, expense: 150, count: 1, transactions: 0 };
    assert_eq!(
        effects.months,
        BTreeMap::from([(month_key(Some(category(1))), one), (month_key(Some(category(2))), two)])
    );
    assert_eq!(effects.days.values().map(|d| (d.net, d.count)).collect::<Vec<_>>(), [(-500, 1)]);
}

#[test]
fn a_transfer_moves_both_accounts_and_no_month() {
    let leg = TransferLeg { account_id: account(2), amount_minor: 70_000, currency: currency_of(2) };
    let transfer =
        Transaction { category_id: None, transfer: Some(leg), ..flow(TransactionType::Transfer, 500) };
    let effects = Effects::of(&transfer).unwrap();
    assert!(effects.months.is_empty());
    assert_eq!(account_movement(&effects, account(0), None), Ok(-500));
    assert_eq!(account_movement(&effects, account(2), None), Ok(70_000));
    assert!(effects.days.values().all(|day| day.flows == 0 && day.count == 1));
}

#[test]
fn a_change_that_moves_no_total_is_zero() {
    let before = flow(TransactionType::Expense, 500);
    assert!(Effects::change(Some(&before), Some(&before.clone())).unwrap().is_zero());
    assert!(Effects::change(None, None).unwrap().is_zero());
    let deleted = Effects::change(Some(&before), None).unwrap();
    let mut back = Effects::change(None, Some(&before)).unwrap();
    back.add(&deleted).unwrap();
    assert!(back.is_zero());
}

#[test]
fn a_new_date_moves_the_amount_from_one_day_to_the_other() {
    let before = flow(TransactionType::Expense, 500);
    let after = Transaction { date: date(2026, 2, 1), ..before.clone() };
    let change = Effects::change(Some(&before), Some(&after)).unwrap();
    assert_eq!(change.months.values().map(|m| m.expense).collect::<Vec<_>>(), [-500, 500]);
    assert_eq!(change.days.values().map(|d| d.net).collect::<Vec<_>>(), [500, -500]);
    assert_eq!(account_movement(&change, account(0), None), Ok(0));
}

#[test]
fn what_precedes_the_opening_balance_is_already_in_it() {
    let effects = Effects::of(&flow(TransactionType::Income, 500)).unwrap();
    for (opening, moved) in [
        (None, 500),
        (Some(date(2026, 1, 30)), 500),
        (Some(date(2026, 1, 31)), 500),
        (Some(date(2026, 2, 1)), 0),
    ] {
        assert_eq!(account_movement(&effects, account(0), opening), Ok(moved), "{opening:?}");
        assert_eq!(account_movement(&effects, account(1), opening), Ok(0));
    }
}

#[test]
fn an_overflow_is_an_error_and_changes_nothing() {
    let mut effects = Effects::of(&flow(TransactionType::Income, i64::MAX)).unwrap();
    let before = effects.clone();
    assert_eq!(effects.add(&before.clone()), Err(Overflow));
    assert_eq!(effects, before);
}

#[test]
fn an_account_in_two_currencies_is_an_error() {
    let mut effects = Effects::of(&flow(TransactionType::Income, 1)).unwrap();
    let yen = Transaction { currency: currency_of(2), ..flow(TransactionType::Income, 1) };
    assert_eq!(effects.add(&Effects::of(&yen).unwrap()), Err(Overflow));
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let kinds = [TransactionType::Income, TransactionType::Expense, TransactionType::Transfer];
    (
        proptest::sample::select(kinds.to_vec()),
        (0_u128..4, 1_u128..4),
        1_i64..1_000_000,
        1_i64..1_000_000,
        (1_i8..=3, 1_i8..=5),
        proptest::option::of(0_u128..3),
        proptest::collection::vec((0_u128..3, 1_i64..1000), 0..4),
    )
        .prop_map(|(kind, (from, step), amount, arriving, (month, day), category_id, parts)| {
            let transfer = kind == TransactionType::Transfer;
            let splits: Vec<_> = parts
                .iter()
                .filter(|_| !transfer)
                .map(|(n, a)| Split { category_id: category(*n), amount_minor: *a, notes: None })
                .collect();
            let to = (from + step) % 4;
            let (currency, other) = (currency_of(from), currency_of(to));
            let amount_minor =
                if splits.is_empty() { amount } else { splits.iter().map(|s| s.amount_minor).sum() };
            let arriving = if currency == other { amount_minor } else { arriving };
            Transaction {
                account_id: account(from),
                kind,
                amount_minor,
                currency,
                date: date(2026, month, day),
                category_id: category_id.filter(|_| !transfer && splits.is_empty()).map(category),
                splits,
                transfer: transfer.then(|| TransferLeg {
                    account_id: account(to),
                    amount_minor: arriving,
                    currency: other,
                }),
            }
        })
}

/// A ledger computed from its transactions alone.
fn recomputed<'a>(transactions: impl Iterator<Item = &'a Transaction>) -> Effects {
    let mut effects = Effects::default();
    for transaction in transactions {
        effects.add(&Effects::of(transaction).unwrap()).unwrap();
    }
    effects
}

proptest! {
    #[test]
    fn folding_changes_equals_recomputation_after_any_sequence_of_writes(
        writes in proptest::collection::vec((0_usize..5, proptest::option::of(any_transaction())), 0..40),
    ) {
        let mut slots: [Option<Transaction>; 5] = Default::default();
        let mut kept = Effects::default();
        for (slot, after) in writes {
            kept.add(&Effects::change(slots[slot].as_ref(), after.as_ref()).unwrap()).unwrap();
            slots[slot] = after;
        }
        prop_assert_eq!(&kept, &recomputed(slots.iter().flatten()));
        prop_assert!(kept.months.values().all(|m| !m.is_zero()) && kept.days.values().all(|d| !d.is_zero()));
    }

    #[test]
    fn the_order_of_transactions_is_irrelevant(
        pair in proptest::collection::vec(any_transaction(), 0..20)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(recomputed(pair.0.iter()), recomputed(pair.1.iter()));
    }

    #[test]
    fn days_and_months_tell_the_same_story(all in proptest::collection::vec(any_transaction(), 0..20)) {
        let effects = recomputed(all.iter());
        for currency in [currency_of(0), currency_of(2)] {
            let months = || effects.months.iter().filter(|(key, _)| key.currency == currency).map(|(_, m)| m);
            let flows = all.iter().filter(|t| t.currency == currency && t.kind != TransactionType::Transfer);
            prop_assert_eq!(months().map(|m| m.transactions).sum::<i64>(), flows.count() as i64);
            let crossing: i64 = all
                .iter()
                .filter_map(|t| t.transfer.map(|leg| (t, leg)))
                .filter(|(t, leg)| t.currency != leg.currency)
                .map(|(t, leg)| if t.currency == currency { -t.amount_minor } else { leg.amount_minor })
                .sum();
            let net = effects.days.values().filter(|d| d.currency == currency).map(|d| d.net).sum::<i64>();
            // A transfer within the currency sums to nothing.
            prop_assert_eq!(net, months().map(|m| m.income - m.expense).sum::<i64>() + crossing);
        }
    }

    #[test]
    fn movement_is_the_sum_of_the_account(all in proptest::collection::vec(any_transaction(), 0..20), day in 1_i8..=5) {
        let effects = recomputed(all.iter());
        let opening = date(2026, 2, day);
        for n in 0..4 {
            let expected: i64 = all
                .iter()
                .filter(|t| t.date >= opening)
                .map(|t| {
                    let own = if t.kind == TransactionType::Income { t.amount_minor } else { -t.amount_minor };
                    let own = if t.account_id == account(n) { own } else { 0 };
                    own + t.transfer.filter(|leg| leg.account_id == account(n)).map_or(0, |leg| leg.amount_minor)
                })
                .sum();
            prop_assert_eq!(account_movement(&effects, account(n), Some(opening)), Ok(expected));
        }
    }
}
