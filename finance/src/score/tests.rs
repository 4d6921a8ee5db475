//! The method held to its text: a whole example by hand, each rule by itself, and the laws that no input may break.
#![expect(clippy::inconsistent_digit_grouping, reason = "in 1200_00 the cents stand apart from the dollars")]

use super::*;
use crate::curve::{Curve, POINTS_MAX};
use crate::money::AMOUNT_MINOR_MAX;
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

const EXPENSE: CategoryKind = CategoryKind::Expense;
const SALARY: CategoryFacts = CategoryFacts { kind: CategoryKind::Income, essential: false };
const HOUSING: CategoryFacts = CategoryFacts { kind: EXPENSE, essential: true };
const SHOPPING: CategoryFacts = CategoryFacts { kind: EXPENSE, essential: false };

fn row(month: &str, facts: Option<CategoryFacts>, income: i64, expense: i64) -> MonthRow {
    // One id a kind of category is enough: no rule reads it.
    let category = facts.map(|facts| (CategoryId::new(Uuid::from_u128(1)), facts));
    let month = Month::parse(month).unwrap();
    MonthRow { month, currency: Currency::USD, category, income, expense, transactions: 1 }
}

fn input(months: Vec<MonthRow>) -> ScoreInput {
    ScoreInput {
        as_of: date(2026, 7, 15),
        base: Currency::USD,
        first_transaction: Some(date(2026, 1, 10)),
        months,
    }
}

const HALF_YEAR: [&str; 6] = ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"];

/// Half a year of a household, in dollars. Every month 3,000 of salary (3,600 in June), 1,200 of rent and 450 of food,
/// 900 of shopping; in March 100 without a category; in June a refund of 60 for shopping.
fn household() -> ScoreInput {
    let mut months = Vec::new();
    for month in HALF_YEAR {
        let salary = if month == "2026-06" { 3600_00 } else { 3000_00 };
        months.push(row(month, Some(SALARY), salary, 0));
        months.push(row(month, Some(HOUSING), 0, 1200_00));
        months.push(row(month, Some(HOUSING), 0, 450_00));
        months.push(row(month, Some(SHOPPING), 0, 900_00));
    }
    months.push(row("2026-03", None, 0, 100_00));
    months.push(row("2026-06", Some(SHOPPING), 60_00, 0));
    input(months)
}

fn component<'a>(score: &'a Score, name: &str) -> &'a Component {
    score.components().find(|component| component.name == name).unwrap()
}

fn reading(score: &Score, name: &str) -> (Option<i64>, Option<i64>, Option<&'static str>) {
    let component = component(score, name);
    (component.value, component.points, component.reason.map(Absence::as_str))
}

fn curve(name: &str) -> Curve {
    let all = components::PILLARS.iter().flat_map(|pillar| pillar.components);
    all.into_iter().find(|definition| definition.name == name).unwrap().curve
}

/// Worked by hand:
///
/// ΣI = 5·3,000 + 3,600 = 18,600. ΣE = 6·(1,200 + 450) = 9,900. ΣS = 9,900 + 6·900 + 100 − 60 = 15,340.
/// - margin: 10,000·(18,600 − 15,340)/18,600 = 1752.7 → 1752; 7500 + (1752 − 500)·2500/1500 = 7500 + 2086.7 → 9586.
/// - essentials_load: 10,000·9,900/18,600 = 5322.6 → 5322; 10000 − 322·5000/2000 = 9195.
/// - income_stability, in units of 600: incomes 5,5,5,5,5,6, sum 31, squares 161, 6·161 − 31² = 5;
///   10,000·√5/31 = 721.3 → 721, under the first anchor → 10000. Deviation: 600·√5/6 = 223.606 → 223.60.
///
/// spend = (9586 + 9195)/2 = 9390.5 → 9390; plan = 10000; their mean 9695; (9695 + 50)/100 → 97, grade A.
/// Coverage: all of spend 2500, half of plan 1250: 3750, low.
///
/// Actions. essentials_load to 5000 bps: E/I < 0.5001, so E ≤ 9,301.85, 598.15 less, 99.6917 a month → 99.70 (6·99.69 =
/// 598.14 falls short). Then E = 9,301.80 → 5000 bps → 10000 points, S = 14,741.80, margin 2074 bps → 10000: score 100, +3.
/// margin to 2000 bps: S ≤ 14,880, 460 less, 76.6667 a month → 76.67; spend = (10000 + 9195)/2 = 9597, mean 9798,
/// score 98, +1.
#[test]
fn a_household_by_hand() {
    let score = score(&household());
    assert_eq!(reading(&score, "margin"), (Some(1752), Some(9586), None));
    assert_eq!(reading(&score, "essentials_load"), (Some(5322), Some(9195), None));
    assert_eq!(reading(&score, "income_stability"), (Some(721), Some(10_000), None));
    let points: Vec<_> = score.pillars.iter().map(|pillar| (pillar.name, pillar.points)).collect();
    assert_eq!(points, [("spend", Some(9390)), ("save", None), ("borrow", None), ("plan", Some(10_000))]);
    assert_eq!((score.score, score.grade, score.reason), (Some(97), Some(Grade::A), None));
    assert_eq!((score.coverage_bps, score.confidence), (3750, Confidence::Low));
    let window = score.window.unwrap();
    assert_eq!(
        (window.from.to_string(), window.to.to_string(), window.months),
        ("2026-01".into(), "2026-06".into(), 6)
    );
    assert_eq!((score.method, score.as_of), ("fhi-1", date(2026, 7, 15)));
    assert!(score.missing.is_empty() && score.excluded.is_empty());

    let usd = |minor| Money::new(minor, Currency::USD);
    let money = |minor| InputValue::Money(usd(minor));
    let months = ("months", InputValue::Count(6));
    let inputs = |name| component(&score, name).inputs.clone();
    assert_eq!(inputs("margin"), [("income", money(18_600_00)), ("spending", money(15_340_00)), months]);
    assert_eq!(
        inputs("essentials_load"),
        [("income", money(18_600_00)), ("essentials", money(9_900_00)), months]
    );
    assert_eq!(
        inputs("income_stability"),
        [("income", money(18_600_00)), ("standardDeviation", money(223_60)), months]
    );

    assert_eq!(
        score.actions,
        [
            Action {
                component: "essentials_load",
                lever: Some(ChangeKind::MonthlyEssential),
                change: ActionChange::PerMonth(usd(-99_70)),
                value: 5322,
                anchor: 5000,
                points: 10_000,
                gain: Some(3),
            },
            Action {
                component: "margin",
                lever: Some(ChangeKind::MonthlySpending),
                change: ActionChange::PerMonth(usd(-76_67)),
                value: 1752,
                anchor: 2000,
                points: 10_000,
                gain: Some(1),
            },
        ]
    );
}

/// Half a year, each month with the same income, essential and other spending.
fn even(income: i64, essential: i64, other: i64) -> ScoreInput {
    let rows = |month| {
        [
            row(month, Some(SALARY), income, 0),
            row(month, Some(HOUSING), 0, essential),
            row(month, Some(SHOPPING), 0, other),
        ]
    };
    input(HALF_YEAR.into_iter().flat_map(rows).collect())
}

/// Six months of 3,000 earned, 1,800 essential and 900 other spending:
/// - margin = (18000 − 16200) / 18000 = 1000 bps → 7500 + floor(500 · 2500 / 1500) = 8333
/// - essentials_load = 10800 / 18000 = 6000 bps → 10000 + floor(1000 · −5000 / 2000) = 7500
/// - spend = floor((8333 + 7500) / 2) = 7916; income never varies: 0 bps → 10000 = plan
/// - score = (floor((7916 + 10000) / 2) + 50) / 100 = (8958 + 50) / 100 = 90
///
/// To 20 % margin: spending of 2,400, so 300.00 less a month. To half on essentials: a ratio that floors to 5000 bps, so
/// anything under 0.5001 · 18000 = 9001.80: at most 1,500.29 a month, 299.71 less. That lifts the margin too: spend 9999,
/// score 100; 300.00 less on anything: spend 8750, score 94.
#[test]
fn an_even_half_year_by_hand() {
    let score = score(&even(3000_00, 1800_00, 900_00));
    assert_eq!(reading(&score, "margin"), (Some(1000), Some(8333), None));
    assert_eq!(reading(&score, "essentials_load"), (Some(6000), Some(7500), None));
    assert_eq!(reading(&score, "income_stability"), (Some(0), Some(10_000), None));
    assert_eq!((score.pillars[0].points, score.score, score.grade), (Some(7916), Some(90), Some(Grade::A)));
    let per_month = |minor| ActionChange::PerMonth(Money::new(minor, Currency::USD));
    let actions: Vec<_> = score.actions.iter().map(|a| (a.component, a.change, a.gain)).collect();
    assert_eq!(
        actions,
        [("essentials_load", per_month(-299_71), Some(10)), ("margin", per_month(-300_00), Some(4))]
    );
}

#[test]
fn a_household_without_essentials_is_not_covered_enough() {
    assert_eq!(score(&even(100, 0, 0)).reason, Some(Reason::LowCoverage));
    assert_eq!(score(&even(100, 10, 0)).reason, None);
}

#[test]
fn all_nine_components_are_listed_in_the_methods_order() {
    let expected = [
        ("spend", vec!["margin", "essentials_load"]),
        ("save", vec!["runway", "buffer_days"]),
        ("borrow", vec!["payment_load", "card_use", "cost_of_credit"]),
        ("plan", vec!["income_stability", "protection"]),
    ];
    for score in [score(&household()), score(&ScoreInput { first_transaction: None, ..input(Vec::new()) })] {
        let names =
            |pillar: &Pillar| (pillar.name, pillar.components.iter().map(|c| c.name).collect::<Vec<_>>());
        assert_eq!(score.pillars.iter().map(names).collect::<Vec<_>>(), expected);
        for name in ["runway", "buffer_days", "payment_load", "card_use", "cost_of_credit", "protection"] {
            assert_eq!(reading(&score, name), (None, None, Some("not_available")));
        }
    }
}

#[test]
fn the_window_is_the_full_months_before_but_not_before_the_first_transaction() {
    let as_of = date(2026, 7, 15);
    for (first, expected) in [
        (None, None),
        (Some(date(2026, 7, 1)), None),
        (Some(date(2026, 7, 16)), None), // after as_of: none yet
        (Some(date(2026, 6, 30)), Some(("2026-06", 1))),
        (Some(date(2026, 1, 31)), Some(("2026-01", 6))),
        (Some(date(2025, 7, 1)), Some(("2025-07", 12))),
        (Some(date(1999, 1, 1)), Some(("2025-07", 12))),
    ] {
        let found = window(as_of, first).map(|w| (w.from.to_string(), w.months));
        assert_eq!(found, expected.map(|(from, months)| (from.to_owned(), months)), "{first:?}");
        assert!(window(as_of, first).is_none_or(|w| w.to.to_string() == "2026-06"));
    }
    let (from, to) = reach(date(2026, 1, 1));
    assert_eq!((from.to_string(), to.to_string()), ("2025-01".into(), "2025-12".into()));
}

#[test]
fn a_history_is_the_first_days_of_months_newest_first() {
    let dates = history_dates(date(2026, 2, 28), 3);
    assert_eq!(dates, [date(2026, 2, 1), date(2026, 1, 1), date(2025, 12, 1)]);
    assert!(history_dates(date(2026, 2, 28), 0).is_empty());
}

#[test]
fn only_the_window_in_the_base_currency_counts() {
    let euro = Currency::parse("EUR").unwrap();
    let before = score(&household());
    let mut more = household();
    more.months.push(row("2025-12", Some(SHOPPING), 0, 999_999)); // before the first transaction's month
    more.months.push(row("2026-07", Some(SHOPPING), 0, 999_999)); // as_of's own month
    more.months.push(MonthRow { currency: euro, transactions: 7, ..row("2026-03", Some(SALARY), 5, 0) });
    more.months.push(MonthRow { currency: euro, transactions: 2, ..row("2025-07", Some(SALARY), 5, 0) });
    more.months.push(MonthRow { currency: euro, transactions: 9, ..row("2025-06", Some(SALARY), 5, 0) });
    more.months.push(MonthRow { currency: euro, transactions: 9, ..row("2026-07", Some(SALARY), 5, 0) });
    let after = score(&more);
    assert_eq!(after.excluded, [(euro, 9)]);
    assert_eq!(Score { excluded: Vec::new(), ..after }, before);
}

#[test]
fn foreign_transactions_are_told_even_when_there_is_nothing_else() {
    let euro = Currency::parse("EUR").unwrap();
    let months = vec![MonthRow { currency: euro, ..row("2026-03", Some(SALARY), 5, 0) }];
    let score = score(&ScoreInput { first_transaction: None, ..input(months) });
    assert_eq!((score.excluded.as_slice(), score.window), ([(euro, 1)].as_slice(), None));
}

/// What a row adds to the month: income, spending, essential spending.
#[test]
fn refunds_lower_spending_and_are_not_income() {
    let transport = HOUSING;
    for (row, expected) in [
        (row("2026-01", Some(SALARY), 100, 0), (100, 0, 0)),
        (row("2026-01", None, 100, 0), (100, 0, 0)),
        (row("2026-01", None, 0, 100), (0, 100, 0)),
        (row("2026-01", Some(SHOPPING), 0, 100), (0, 100, 0)),
        (row("2026-01", Some(transport), 0, 100), (0, 100, 100)),
        (row("2026-01", Some(SHOPPING), 30, 100), (0, 70, 0)),
        (row("2026-01", Some(transport), 130, 100), (0, -30, -30)),
        // A category whose kind was changed after the fact keeps its expenses as spending.
        (row("2026-01", Some(SALARY), 100, 40), (100, 40, 0)),
    ] {
        let flow = add_row(MonthFlow::default(), &row);
        assert_eq!((flow.income, flow.spending, flow.essential), expected, "{row:?}");
    }
}

#[test]
fn the_first_reason_that_holds_is_told() {
    let no_income =
        |first| ScoreInput { first_transaction: first, ..input(vec![row("2026-06", Some(HOUSING), 0, 100)]) };
    // 89 and 90 days before 2026-07-15.
    let (late, early) = (date(2026, 4, 17), date(2026, 4, 16));
    for (input, expected) in [
        (no_income(None), Some(Reason::ShortHistory)),
        (no_income(Some(date(2026, 8, 1))), Some(Reason::ShortHistory)),
        (no_income(Some(late)), Some(Reason::ShortHistory)),
        (no_income(Some(early)), Some(Reason::NoIncome)),
        // Three months: spend alone, 2500 of coverage.
        (ScoreInput { first_transaction: Some(early), ..household() }, Some(Reason::LowCoverage)),
        (ScoreInput { first_transaction: Some(late), ..household() }, Some(Reason::ShortHistory)),
        (household(), None),
    ] {
        let score = score(&input);
        assert_eq!(score.reason, expected, "{input:?}");
        assert_eq!(score.score.is_none(), expected.is_some());
        assert_eq!(score.grade.is_none(), expected.is_some());
        assert_eq!(score.components().count(), 9);
        assert!(score.actions.iter().all(|action| action.gain.is_some() == score.score.is_some()));
    }
}

#[test]
fn an_empty_window_leaves_every_component_missing() {
    let score = score(&ScoreInput { first_transaction: Some(date(2026, 7, 2)), ..household() });
    assert_eq!((score.window, score.coverage_bps, score.reason), (None, 0, Some(Reason::ShortHistory)));
    for name in ["margin", "essentials_load", "income_stability"] {
        assert_eq!(reading(&score, name), (None, None, Some("empty_window")));
    }
    assert!(score.actions.is_empty());
    let missing = Missing {
        what: MissingFact::EarlierTransactions,
        components: vec!["margin", "essentials_load", "income_stability"],
        coverage_bps: 3750,
    };
    assert_eq!(score.missing, [missing]);
}

#[test]
fn what_is_missing_is_listed_by_the_coverage_it_brings() {
    let none = score(&input(Vec::new()));
    let lines: Vec<_> = none.missing.iter().map(|m| (m.what, m.components.clone(), m.coverage_bps)).collect();
    // Without income the essentials lack income first.
    let all = vec!["margin", "essentials_load", "income_stability"];
    assert_eq!(lines, [(MissingFact::Income, all, 3750)]);

    let incomes = ["2026-05", "2026-06"].map(|month| row(month, Some(SALARY), 100, 0)).to_vec();
    let short = score(&ScoreInput { first_transaction: Some(date(2026, 5, 1)), ..input(incomes) });
    let lines: Vec<_> =
        short.missing.iter().map(|m| (m.what, m.components.clone(), m.coverage_bps)).collect();
    assert_eq!(
        lines,
        [
            (MissingFact::EssentialSpending, vec!["essentials_load"], 1250),
            (MissingFact::EarlierTransactions, vec!["income_stability"], 1250),
        ]
    );
}

#[test]
fn essentials_that_cancel_out_are_missing_but_negative_ones_are_not() {
    let months =
        |refund| input(vec![row("2026-06", Some(SALARY), 100, 0), row("2026-06", Some(HOUSING), refund, 50)]);
    assert_eq!(reading(&score(&months(50)), "essentials_load"), (None, None, Some("no_essentials")));
    assert_eq!(reading(&score(&months(80)), "essentials_load"), (Some(-3000), Some(10_000), None));
    assert_eq!(reading(&score(&months(80)), "margin"), (Some(13_000), Some(10_000), None));
}

#[test]
fn stability_needs_six_months_and_a_countable_income() {
    let with = |first, months| score(&ScoreInput { first_transaction: Some(first), ..input(months) });
    let january = date(2026, 1, 1);
    let steady: Vec<_> = HALF_YEAR.map(|month| row(month, Some(SALARY), 100_000, 0)).to_vec();
    assert_eq!(reading(&with(january, steady.clone()), "income_stability"), (Some(0), Some(10_000), None));
    let five = with(date(2026, 2, 1), steady.clone());
    assert_eq!(reading(&five, "income_stability"), (None, None, Some("short_window")));
    assert_eq!(reading(&with(january, Vec::new()), "income_stability"), (None, None, Some("no_income")));

    // 1,000 and 2,000 in turn: n·ΣI² − (ΣI)² = 6·15 − 81 = 9 (in 10⁶); isqrt(9·10⁸) = 30000; / 9 = 3333.
    let turns = HALF_YEAR.iter().enumerate();
    let turns =
        turns.map(|(at, month)| row(month, Some(SALARY), if at % 2 == 0 { 1000_00 } else { 2000_00 }, 0));
    assert_eq!(reading(&with(january, turns.collect()), "income_stability").0, Some(3333));

    // All of it in one month of six: √(6·1 − 1) = 2.236 → 22360, far beyond the last anchor.
    let once = vec![row("2026-02", Some(SALARY), 100_000, 0)];
    assert_eq!(reading(&with(january, once), "income_stability"), (Some(22_360), Some(0), None));

    // The largest countable income, twelve times, is still exact; one unit more is refused.
    let year: Vec<_> =
        Month::range(Month::parse("2025-07").unwrap(), Month::parse("2026-06").unwrap()).collect();
    let incomes = |largest| -> Vec<_> {
        let income = |(at, month): (usize, &Month)| {
            row(&month.to_string(), Some(SALARY), if at % 2 == 0 { largest } else { 0 }, 0)
        };
        year.iter().enumerate().map(income).collect()
    };
    let most = 100_000_000_000_000;
    // Every second month: deviation equals the mean.
    let first = date(2025, 7, 1);
    assert_eq!(reading(&with(first, incomes(most)), "income_stability"), (Some(10_000), Some(0), None));
    let beyond = with(first, incomes(most + 1));
    assert_eq!(reading(&beyond, "income_stability"), (None, None, Some("out_of_range")));
    assert_eq!(reading(&beyond, "margin"), (Some(10_000), Some(10_000), None));
}

#[test]
fn sums_that_cannot_be_said_are_missing_not_wrong() {
    let huge =
        vec![row("2026-05", Some(SALARY), i64::MAX, 0), row("2026-06", Some(SALARY), i64::MAX, i64::MAX)];
    let score = score(&input(huge));
    assert_eq!(reading(&score, "margin"), (None, None, Some("out_of_range")));
    assert_eq!(score.reason, Some(Reason::LowCoverage));
    let poor = vec![row("2026-06", Some(SALARY), 1, 0), row("2026-06", None, 0, i64::MAX)];
    assert_eq!(reading(&super::score(&input(poor)), "margin"), (None, None, Some("out_of_range")));
}

#[test]
fn an_uneven_income_is_an_action_without_money() {
    // 100 and 300 by turns: mean 200, deviation 100, 5000 bps; 5000 − 1400·5000/3900 = 3205.1 → 5000 + floor(−1794.9) = 3205.
    let months = HALF_YEAR.iter().enumerate();
    let months = months.map(|(at, month)| row(month, Some(SALARY), if at % 2 == 0 { 100 } else { 300 }, 0));
    let score = score(&input(months.collect()));
    assert_eq!(reading(&score, "income_stability"), (Some(5000), Some(3205), None));
    let [action] = score.actions.as_slice() else { panic!("{:?}", score.actions) };
    // Coverage is 2500 here: no score, so no gain.
    assert_eq!((action.lever, action.change, action.anchor), (None, ActionChange::Value(-1400), 3600));
    assert_eq!((action.points, action.gain), (5000, None));
}

#[test]
fn grades_and_confidence_begin_at_their_least() {
    for (score, grade) in [
        (100, "A"),
        (80, "A"),
        (79, "B"),
        (65, "B"),
        (64, "C"),
        (50, "C"),
        (49, "D"),
        (35, "D"),
        (34, "E"),
        (0, "E"),
    ] {
        assert_eq!(Grade::of(score).as_str(), grade, "{score}");
    }
    for (bps, word) in
        [(10_000, "high"), (7500, "high"), (7499, "medium"), (5000, "medium"), (4999, "low"), (0, "low")]
    {
        assert_eq!(Confidence::of(bps).as_str(), word, "{bps}");
    }
}

#[test]
fn the_table_of_the_method_is_sound_and_described() {
    let method = method();
    assert_eq!(method.id, METHOD);
    assert!(
        method.disclaimer.contains("not a credit score")
            && method.disclaimer.contains("not financial advice")
    );
    let scored = score(&household());
    let described: Vec<_> =
        method.pillars.iter().flat_map(|p| &p.components).map(|c| (c.name, c.anchors)).collect();
    assert_eq!(described, scored.components().map(|c| (c.name, c.anchors)).collect::<Vec<_>>());
    for component in method.pillars.iter().flat_map(|p| &p.components) {
        let curve = curve(component.name);
        assert!(curve.is_sound(), "{}", component.name);
        let best = curve.anchors().iter().map(|(_, points)| *points).max();
        assert_eq!(best, Some(POINTS_MAX), "{}", component.name);
        for text in [component.formula, component.missing_when, component.source] {
            assert!(!text.is_empty() && !text.contains("  "), "{text:?}");
        }
    }
    let available: Vec<_> =
        method.pillars.iter().flat_map(|p| &p.components).filter(|c| c.available).map(|c| c.name).collect();
    assert_eq!(available, ["margin", "essentials_load", "income_stability"]);
}

#[test]
fn changes_move_every_month_but_none_below_zero() {
    let change = |kind, amount_minor| Change { kind, amount_minor };
    let simulated = |changes: &[Change]| simulate(&household(), changes);
    assert_eq!(simulated(&[]), score(&household()));

    // Spending 0: margin 10000 bps. Essentials stay as they are.
    let frugal = simulated(&[change(ChangeKind::MonthlySpending, i64::MIN)]);
    assert_eq!(reading(&frugal, "margin").0, Some(10_000));
    assert_eq!(reading(&frugal, "essentials_load").0, Some(5322));
    // Essentials 0: only what was essential is saved: 18,600 − (15,340 − 9,900) = 13,160 of 18,600.
    let homeless = simulated(&[change(ChangeKind::MonthlyEssential, -1_000_000_00)]);
    assert_eq!(reading(&homeless, "margin").0, Some(7075));
    assert_eq!(reading(&homeless, "essentials_load"), (None, None, Some("no_essentials")));
    // 500 more a month: I = 21,600.
    let raised = simulated(&[change(ChangeKind::MonthlyIncome, 500_00)]);
    assert_eq!(reading(&raised, "margin").0, Some(2898));
    assert_eq!(reading(&raised, "essentials_load").0, Some(4583));
    let idle = simulated(&[change(ChangeKind::MonthlyIncome, i64::MIN)]);
    assert_eq!(idle.reason, Some(Reason::NoIncome));
}

#[test]
fn a_month_that_is_below_zero_stays_there() {
    let refunded = input(vec![row("2026-06", Some(SALARY), 100, 0), row("2026-06", Some(SHOPPING), 50, 0)]);
    let less = simulate(&refunded, &[Change { kind: ChangeKind::MonthlySpending, amount_minor: -10 }]);
    assert_eq!(component(&less, "margin").value, component(&score(&refunded), "margin").value);
    // January to May go to 10 each, June from −50 to −40.
    let more = simulate(&refunded, &[Change { kind: ChangeKind::MonthlySpending, amount_minor: 10 }]);
    assert_eq!(component(&more, "margin").value, Some(9000));
}

/// Amounts from pennies to the largest, with the odd month of nothing.
fn any_amount() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0_i64), 2 => 1_i64..100, 6 => 1_i64..1_000_000, 1 => 1_i64..=AMOUNT_MINOR_MAX]
}

fn any_row() -> impl Strategy<Value = MonthRow> {
    let facts = [None, Some(SALARY), Some(SALARY), Some(HOUSING), Some(HOUSING), Some(SHOPPING)];
    let euro = Currency::parse("EUR").unwrap();
    (
        (2025_i16..=2026, 1_i8..=12),
        proptest::sample::select(vec![Currency::USD, Currency::USD, Currency::USD, euro]),
        proptest::sample::select(facts.to_vec()),
        any_amount(),
        any_amount(),
    )
        .prop_map(|((year, month), currency, facts, income, expense)| {
            // Mostly the plain case: income in income categories, expenses in the others.
            let (income, expense) = match facts.map(|f| f.kind) {
                Some(CategoryKind::Income) => (income, 0),
                Some(EXPENSE) => (income / 20, expense),
                None => (income, expense),
            };
            MonthRow { currency, ..row(&format!("{year}-{month:02}"), facts, income, expense) }
        })
}

fn any_input() -> impl Strategy<Value = ScoreInput> {
    let first = prop_oneof![
        1 => Just(None),
        9 => (2024_i16..=2026, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| Some(date(y, m, d))),
    ];
    (proptest::collection::vec(any_row(), 0..80), first, (7_i8..=12, 1_i8..=28)).prop_map(
        |(months, first_transaction, (month, day))| ScoreInput {
            as_of: date(2026, month, day),
            base: Currency::USD,
            first_transaction,
            months,
        },
    )
}

/// Rows of any size whatever: nothing may overflow or panic.
fn wild_input() -> impl Strategy<Value = ScoreInput> {
    let wild = (any_row(), any::<i64>(), any::<i64>(), any::<i64>())
        .prop_map(|(row, income, expense, transactions)| MonthRow { income, expense, transactions, ..row });
    (any_input(), proptest::collection::vec(wild, 0..20))
        .prop_map(|(input, months)| ScoreInput { months, ..input })
}

fn check_answer(score: &Score) -> Result<(), TestCaseError> {
    prop_assert!(score.score.is_none_or(|score| score <= 100));
    prop_assert_eq!(score.score.is_some(), score.reason.is_none());
    prop_assert_eq!(score.score.is_some(), score.grade.is_some());
    prop_assert!((0..=10_000).contains(&score.coverage_bps));
    prop_assert_eq!(score.components().count(), 9);
    prop_assert!(score.actions.len() <= ACTIONS_MAX);
    prop_assert!(score.missing.iter().all(|missing| missing.coverage_bps > 0));
    for component in score.components() {
        prop_assert!(component.points.is_none_or(|points| (0..=POINTS_MAX).contains(&points)));
        prop_assert_eq!(component.points.is_some(), component.value.is_some());
        prop_assert_eq!(component.points.is_some(), component.reason.is_none());
        prop_assert_eq!(component.points, component.value.map(|value| curve(component.name).at(value)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answer_keeps_its_ranges(input in any_input()) {
        check_answer(&score(&input))?;
    }

    #[test]
    fn no_rows_however_wild_overflow(input in wild_input(), amount in any::<i64>()) {
        check_answer(&score(&input))?;
        for kind in ChangeKind::ALL.iter().copied() {
            check_answer(&simulate(&input, &[Change { kind, amount_minor: amount }, Change { kind, amount_minor: amount }]))?;
        }
    }

    #[test]
    fn the_order_of_rows_is_irrelevant(
        pair in any_input().prop_flat_map(|input| {
            let shuffled = Just(input.months.clone()).prop_shuffle();
            (Just(input), shuffled)
        }),
    ) {
        let (input, months) = pair;
        prop_assert_eq!(score(&input), score(&ScoreInput { months, ..input }));
    }

    /// The score is a mean of what is there: with the missing left out, it lies between the least and the most.
    #[test]
    fn what_is_missing_never_counts_as_nothing(input in any_input()) {
        let score = score(&input);
        let present: Vec<_> = score.components().filter_map(|component| component.points).collect();
        for pillar in &score.pillars {
            let own: Vec<_> = pillar.components.iter().filter_map(|component| component.points).collect();
            let expected = (!own.is_empty()).then(|| own.iter().sum::<i64>() / own.len() as i64);
            prop_assert_eq!(pillar.points, expected);
        }
        if let Some(score) = score.score {
            let (least, most) = (present.iter().min().unwrap(), present.iter().max().unwrap());
            // A point either way for the roundings.
            prop_assert!(i64::from(score) * 100 + 100 >= *least && i64::from(score) * 100 <= most + 100);
        }
    }

    #[test]
    fn an_action_reaches_its_anchor_and_nothing_smaller_does(input in any_input()) {
        let before = score(&input);
        for action in &before.actions {
            let (Some(kind), ActionChange::PerMonth(money)) = (action.lever, action.change) else {
                prop_assert_eq!(action.component, "income_stability");
                continue;
            };
            prop_assert!(money.minor() < 0);
            let after = simulate(&input, &[Change { kind, amount_minor: money.minor() }]);
            prop_assert!(component(&after, action.component).points.unwrap() >= action.points);
            let gain = after.score.zip(before.score).map(|(after, before)| i64::from(after) - i64::from(before));
            prop_assert_eq!(gain, action.gain);
            prop_assert!(gain.is_none_or(|gain| gain >= 0), "less spending never costs points");
            let short = simulate(&input, &[Change { kind, amount_minor: money.minor() + 1 }]);
            prop_assert!(component(&short, action.component).points.unwrap() < action.points);
        }
    }

    #[test]
    fn actions_come_by_gain_then_by_size(input in any_input()) {
        let score = score(&input);
        prop_assert!(score.actions.is_sorted_by_key(|action| std::cmp::Reverse(action.gain)));
        for component in score.components() {
            let has_action = score.actions.iter().any(|action| action.component == component.name);
            let improvable = component.points.is_some_and(|points| points < POINTS_MAX);
            prop_assert!(improvable || !has_action);
        }
    }

    #[test]
    fn spending_less_never_lowers_the_score(input in any_input(), less in 0_i64..1_000_000) {
        let before = score(&input);
        let after = simulate(&input, &[Change { kind: ChangeKind::MonthlySpending, amount_minor: -less }]);
        prop_assert!(after.score >= before.score);
        prop_assert!(component(&after, "margin").points >= component(&before, "margin").points);
    }

    #[test]
    fn a_simulation_of_nothing_is_the_score(input in any_input()) {
        for kind in ChangeKind::ALL.iter().copied() {
            prop_assert_eq!(simulate(&input, &[Change { kind, amount_minor: 0 }]), score(&input));
        }
    }
}
