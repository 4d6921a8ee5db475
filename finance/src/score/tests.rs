//! The method, checked against numbers computed by hand, and its laws.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::calendar::parse_date;
use crate::category::CategoryFacts;
use crate::id::CategoryId;
use crate::score::components::PILLARS;

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn date(text: &str) -> Date {
    parse_date(text).unwrap()
}

const RENT: CategoryFacts = CategoryFacts { kind: CategoryKind::Expense, essential: true };
const FUN: CategoryFacts = CategoryFacts { kind: CategoryKind::Expense, essential: false };
const SALARY: CategoryFacts = CategoryFacts { kind: CategoryKind::Income, essential: false };

fn row(month: Month, facts: CategoryFacts, income: i64, expense: i64) -> MonthRow {
    let id = match facts {
        RENT => 1,
        FUN => 2,
        _ => 3,
    };
    let category = Some((CategoryId::new(Uuid::from_u128(id)), facts));
    MonthRow { month, currency: usd(), category, income, expense, transactions: 1 }
}

/// A year of months, each with (income, essential, other).
fn input(as_of: &str, months: &[(i64, i64, i64)]) -> ScoreInput {
    let as_of = date(as_of);
    let count = u16::try_from(months.len()).unwrap();
    let first = Month::of(as_of).minus(count);
    let mut rows = Vec::new();
    for (month, (income, essential, other)) in Month::range(first, Month::of(as_of).previous()).zip(months) {
        rows.push(row(month, SALARY, *income, 0));
        rows.push(row(month, RENT, 0, *essential));
        rows.push(row(month, FUN, 0, *other));
    }
    ScoreInput { as_of, base: usd(), first_transaction: Some(first.first_day()), months: rows }
}

fn points(score: &Score, name: &str) -> (Option<i64>, Option<i64>, Option<&'static str>) {
    let components = score.pillars.iter().flat_map(|pillar| &pillar.components);
    let found = components.into_iter().find(|component| component.name == name).unwrap();
    (found.value, found.points, found.reason)
}

#[test]
fn a_worked_example() {
    // Six months of 3,000.00 earned, 1,800.00 essential and 900.00 other spending:
    // margin = (18000 - 16200) / 18000 = 1000 bps -> 7500 + floor(500 * 2500 / 1500) = 8333
    // essentials_load = 10800 / 18000 = 6000 bps -> 10000 + floor(1000 * -5000 / 2000) = 7500
    // spend = floor((8333 + 7500) / 2) = 7916; income never varies: 0 bps -> 10000 = plan
    // score = (floor((7916 + 10000) / 2) + 50) / 100 = (8958 + 50) / 100 = 90; coverage = 2500 + 1250
    let score = score(&input("2026-07-15", &[(300_000, 180_000, 90_000); 6]));
    assert_eq!(points(&score, "margin"), (Some(1000), Some(8333), None));
    assert_eq!(points(&score, "essentials_load"), (Some(6000), Some(7500), None));
    assert_eq!(points(&score, "income_stability"), (Some(0), Some(10_000), None));
    assert_eq!(points(&score, "runway"), (None, None, Some("not_available")));
    assert_eq!(score.pillars[0].points, Some(7916));
    assert_eq!((score.score, score.grade, score.reason), (Some(90), Some(Grade::A), None));
    assert_eq!((score.coverage_bps, score.confidence.as_str()), (3750, "low"));
    let window = score.window.unwrap();
    assert_eq!(
        (window.from.to_string(), window.to.to_string(), window.months),
        ("2026-01".into(), "2026-06".into(), 6)
    );
    // To 20 % margin: spending of 2,400.00, so 300.00 less. To half on essentials: a ratio that floors to 5000 bps, so
    // anything under 0.5001 * 18000 = 9001.80: at most 1,500.29 a month, 299.71 less.
    let per_month = |minor| ActionChange::PerMonth(Money::new(minor, usd()));
    let actions: Vec<_> = score.actions.iter().map(|a| (a.component, a.change, a.gain)).collect();
    // Less on essentials lifts the margin too: spend 9999, score 100; 300.00 less on anything: 8750, score 94.
    assert_eq!(
        actions,
        [("essentials_load", per_month(-29_971), Some(10)), ("margin", per_month(-30_000), Some(4))]
    );
}

#[test]
fn the_variation_of_income_is_computed_in_one_step() {
    // 1,000 and 2,000 in turn, six months: n ΣI² - (ΣI)² = 6*15 - 81 = 9 (in 10⁶): isqrt(9e8) = 30000; / 9 = 3333.
    let months: Vec<_> = (0..6).map(|i| (if i % 2 == 0 { 100_000 } else { 200_000 }, 1, 0)).collect();
    let score = score(&input("2026-07-01", &months));
    assert_eq!(points(&score, "income_stability").0, Some(3333));
}

#[test]
fn missing_is_missing_and_the_reasons_come_in_order() {
    let cases = [
        (input("2026-07-15", &[]), Some(Reason::ShortHistory)),
        (input("2026-03-15", &[(1, 1, 1); 2]), Some(Reason::ShortHistory)),
        (input("2026-07-15", &[(0, 10, 10); 6]), Some(Reason::NoIncome)),
        (input("2026-07-15", &[(100, 0, 0); 5]), Some(Reason::LowCoverage)),
        (input("2026-07-15", &[(100, 0, 0); 6]), Some(Reason::LowCoverage)),
        (input("2026-07-15", &[(100, 10, 0); 6]), None),
    ];
    for (input, reason) in cases {
        let scored = score(&input);
        assert_eq!(scored.reason, reason, "{input:?}");
        assert_eq!(scored.score.is_none(), reason.is_some());
        assert_eq!(scored.pillars.iter().map(|pillar| pillar.components.len()).sum::<usize>(), 9);
    }
    let none = score(&ScoreInput { first_transaction: None, ..input("2026-07-15", &[]) });
    assert_eq!((none.window, none.coverage_bps, none.reason), (None, 0, Some(Reason::ShortHistory)));
    assert_eq!(points(&none, "margin"), (None, None, Some("empty_window")));
}

#[test]
fn ninety_days_are_enough_and_eighty_nine_are_not() {
    let of = |first: &str| {
        let input = input("2026-07-15", &[(100, 10, 0); 6]);
        score(&ScoreInput { first_transaction: Some(date(first)), ..input }).reason
    };
    assert_ne!(of("2026-04-16"), Some(Reason::ShortHistory));
    assert_eq!(of("2026-04-17"), Some(Reason::ShortHistory));
}

#[test]
fn a_refund_lowers_spending_and_is_no_income() {
    let mut with_refund = input("2026-07-15", &[(1000, 500, 0); 6]);
    with_refund.months.push(row(Month::parse("2026-03").unwrap(), RENT, 600, 0));
    let scored = score(&with_refund);
    // (6000 - 2400) / 6000 and 2400 / 6000.
    assert_eq!(points(&scored, "margin").0, Some(6000));
    assert_eq!(points(&scored, "essentials_load").0, Some(4000));
    assert_eq!(points(&scored, "income_stability").0, Some(0));
}

#[test]
fn an_expense_without_a_category_counts_as_spending_only() {
    let mut input = input("2026-07-15", &[(1000, 500, 0); 6]);
    input.months.push(MonthRow { category: None, ..row(Month::parse("2026-06").unwrap(), FUN, 0, 600) });
    let scored = score(&input);
    assert_eq!(points(&scored, "margin").0, Some(4000));
    assert_eq!(points(&scored, "essentials_load").0, Some(5000));
}

#[test]
fn other_currencies_stay_out_and_are_named() {
    let mut input = input("2026-07-15", &[(1000, 500, 0); 6]);
    let before = score(&input);
    let eur = Currency::parse("EUR").unwrap();
    input.months.push(MonthRow {
        currency: eur,
        transactions: 4,
        ..row(Month::parse("2026-06").unwrap(), FUN, 0, 9)
    });
    let after = score(&input);
    assert_eq!(after.excluded, [(eur, 4)]);
    assert_eq!(after.pillars, before.pillars);
}

#[test]
fn every_curve_is_sound_and_every_pillar_has_its_components() {
    assert!(PILLARS.iter().flat_map(|pillar| pillar.components).all(|component| component.curve.is_sound()));
    let counts: Vec<_> = PILLARS.iter().map(|pillar| pillar.components.len()).collect();
    assert_eq!(counts, [2, 2, 3, 2]);
    let described: usize = method().pillars.iter().map(|pillar| pillar.components.len()).sum();
    assert_eq!(described, 9);
}

fn months() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    let amount = || prop_oneof![Just(0i64), 1i64..1000, 1i64..10_000_000, 1i64..=10_000_000_000_000];
    prop::collection::vec((amount(), amount(), amount()), 0..14)
}

proptest! {
    #[test]
    fn a_score_is_from_0_to_100_and_its_parts_are_in_range(months in months()) {
        let scored = score(&input("2026-07-15", &months));
        prop_assert!(scored.score.is_none_or(|score| (0..=100).contains(&score)));
        prop_assert!((0..=10_000).contains(&scored.coverage_bps));
        for component in scored.pillars.iter().flat_map(|pillar| &pillar.components) {
            prop_assert!(component.points.is_none_or(|points| (0..=10_000).contains(&points)));
            prop_assert_eq!(component.points.is_none(), component.reason.is_some());
        }
    }

    #[test]
    fn the_order_of_the_rows_is_irrelevant(months in months(), seed in any::<u64>()) {
        let input = input("2026-07-15", &months);
        let mut shuffled = input.clone();
        let count = shuffled.months.len().max(1);
        shuffled.months.rotate_left(usize::try_from(seed % u64::try_from(count).unwrap()).unwrap());
        shuffled.months.reverse();
        prop_assert_eq!(score(&input), score(&shuffled));
    }

    #[test]
    fn an_action_reaches_its_anchor_and_less_does_not(months in months()) {
        let input = input("2026-07-15", &months);
        for action in score(&input).actions {
            let (Some(kind), ActionChange::PerMonth(change)) = (action.lever, action.change) else { continue };
            let reached = |minor: i64| {
                let changed = simulate(&input, &[Change { kind, amount_minor: minor }]);
                points(&changed, action.component).1
            };
            prop_assert!(reached(change.minor()).unwrap() >= action.points);
            prop_assert!(reached(change.minor() + 1).unwrap() < action.points);
        }
    }

    #[test]
    fn less_spending_never_lowers_the_margin(months in months(), less in 0i64..1_000_000) {
        let input = input("2026-07-15", &months);
        let change = Change { kind: ChangeKind::MonthlySpending, amount_minor: -less };
        let margin = |score: &Score| points(score, "margin").1;
        prop_assert!(margin(&simulate(&input, &[change])) >= margin(&score(&input)));
    }
}
