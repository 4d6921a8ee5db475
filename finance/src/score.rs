//! The financial-health score, method `fhi-1`: monthly sums in, points and their reasons out.
//!
//! Owns the method. The same input gives the same answer for ever: integers only, no clock (`as_of` is an input), and a
//! change of the rules is a new method beside this one. What is missing leaves its pillar's mean; it never counts as
//! nothing and never as full marks. It is neither a credit score nor advice.

mod actions;
mod components;
mod method;

use crate::calendar::{Date, Month, days_between};
use crate::category::{CategoryFacts, CategoryKind};
use crate::currency::Currency;
use crate::curve::floor_div;
use crate::id::CategoryId;
use crate::money::Money;

pub use components::Absence;
pub use method::{ComponentMethod, Method, PillarMethod, method};

use components::{Facts, Flows, MonthFlow};

/// The method's name and version.
pub const METHOD: &str = "fhi-1";

/// Most months in a window.
pub const WINDOW_MONTHS_MAX: u16 = 12;

/// Days since the first transaction before which nothing is scored.
pub const HISTORY_DAYS_MIN: i64 = 90;

/// The least coverage, in basis points, of a score.
pub const COVERAGE_MIN_BPS: i64 = 3_000;

/// Most actions in an answer.
pub const ACTIONS_MAX: usize = 5;

/// What each pillar weighs in the coverage, in basis points.
const PILLAR_COVERAGE_BPS: i64 = 2_500;

/// A monthly total with what is known of its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthRow {
    /// The month.
    pub month: Month,
    /// The currency of the sums.
    pub currency: Currency,
    /// What the transactions were for, if that is known.
    pub category: Option<(CategoryId, CategoryFacts)>,
    /// The sum of what was typed `income`, in minor units.
    pub income: i64,
    /// The sum of what was typed `expense`, in minor units.
    pub expense: i64,
    /// How many distinct transactions: [`crate::ledger::MonthTotal::transactions`].
    pub transactions: i64,
}

/// All that a score is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreInput {
    /// The day that the score is of.
    pub as_of: Date,
    /// The user's currency.
    pub base: Currency,
    /// The earliest income or expense in the base currency dated `as_of` or before. A later one counts as none.
    pub first_transaction: Option<Date>,
    /// Monthly totals in any order; those outside of [`reach`] are ignored.
    pub months: Vec<MonthRow>,
}

/// The full calendar months that a score looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub from: Month,
    /// The last.
    pub to: Month,
    /// How many: 1 to 12.
    pub months: i64,
}

crate::words! {
    /// A score's letter, best first.
    pub enum Grade {
        /// 80 and above.
        A = "A",
        /// 65 and above.
        B = "B",
        /// 50 and above.
        C = "C",
        /// 35 and above.
        D = "D",
        /// Below.
        E = "E",
    }
}

impl Grade {
    /// The least score, in whole points, that earns it.
    pub const fn min_score(self) -> u8 {
        match self {
            Grade::A => 80,
            Grade::B => 65,
            Grade::C => 50,
            Grade::D => 35,
            Grade::E => 0,
        }
    }

    /// The grade of a score.
    pub fn of(score: u8) -> Grade {
        Grade::ALL.iter().copied().find(|grade| score >= grade.min_score()).unwrap_or(Grade::E)
    }
}

crate::words! {
    /// How much of the method the data covers, best first.
    pub enum Confidence {
        /// From 7,500 basis points.
        High = "high",
        /// From 5,000 basis points.
        Medium = "medium",
        /// Less.
        Low = "low",
    }
}

impl Confidence {
    /// The least coverage, in basis points, that earns it.
    pub const fn min_coverage_bps(self) -> i64 {
        match self {
            Confidence::High => 7_500,
            Confidence::Medium => 5_000,
            Confidence::Low => 0,
        }
    }

    /// The confidence of a coverage in basis points.
    pub fn of(coverage_bps: i64) -> Confidence {
        let found = Confidence::ALL.iter().copied().find(|step| coverage_bps >= step.min_coverage_bps());
        found.unwrap_or(Confidence::Low)
    }
}

crate::words! {
    /// Why there is no score, in the order in which they are checked: the first that holds is given.
    pub enum Reason {
        /// The first transaction is less than 90 days old, or there is none.
        ShortHistory = "short_history",
        /// Nothing came in.
        NoIncome = "no_income",
        /// Less than 3,000 basis points are covered.
        LowCoverage = "low_coverage",
    }
}

crate::words! {
    /// What a component's value is counted in.
    pub enum Unit {
        /// Hundredths of a per cent.
        Bps = "bps",
        /// Hundredths of a month.
        MonthsX100 = "months_x100",
    }
}

crate::words! {
    /// Where a component's data comes from.
    pub enum Basis {
        /// From the ledger.
        Observed = "observed",
        /// From what the user declared.
        Declared = "declared",
        /// From both.
        Mixed = "mixed",
    }
}

/// A number that a component was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputValue {
    /// An amount in the base currency.
    Money(Money),
    /// A count.
    Count(i64),
}

/// One measured thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name: `margin`.
    pub name: &'static str,
    /// Hundredths of a point, 0 to 10,000; none when it is missing.
    pub points: Option<i64>,
    /// What was measured; none when it is missing.
    pub value: Option<i64>,
    /// What the value is counted in.
    pub unit: Unit,
    /// The curve: value and points.
    pub anchors: &'static [(i64, i64)],
    /// Where the data comes from.
    pub basis: Basis,
    /// The sums it was computed from, by name.
    pub inputs: Vec<(&'static str, InputValue)>,
    /// Where the cut points come from.
    pub source: &'static str,
    /// Why it is missing.
    pub reason: Option<Absence>,
}

/// A side of financial health: the mean of its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pillar {
    /// Its name: `spend`, `save`, `borrow` or `plan`.
    pub name: &'static str,
    /// The mean of the present components, rounded down; none when all are missing.
    pub points: Option<i64>,
    /// All of them, missing ones too.
    pub components: Vec<Component>,
}

/// How far an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionChange {
    /// By this much more (or, negative, less) in every month.
    PerMonth(Money),
    /// By this much more (or less), once.
    Stock(Money),
    /// By this much in the component's own unit: no sum of money moves it alone.
    Value(i64),
}

/// The least change that lifts a component to its next anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The component.
    pub component: &'static str,
    /// What to change, as [`simulate`] takes it; none when money does not move it.
    pub lever: Option<ChangeKind>,
    /// By how much. No smaller change of the lever reaches the anchor.
    pub change: ActionChange,
    /// The component's value now.
    pub value: i64,
    /// The anchor: its value.
    pub anchor: i64,
    /// The anchor: its points.
    pub points: i64,
    /// By how much the score rises, found by scoring again; none when there is no score.
    pub gain: Option<i64>,
}

crate::words! {
    /// Something that the user could add.
    pub enum MissingFact {
        /// Transactions of earlier months.
        EarlierTransactions = "earlier_transactions",
        /// Income in the window.
        Income = "income",
        /// Expenses in categories that are essential.
        EssentialSpending = "essential_spending",
    }
}

/// What the user could add, and what it would bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: MissingFact,
    /// The components that need it.
    pub components: Vec<&'static str>,
    /// How much coverage they would add.
    pub coverage_bps: i64,
}

/// A score and all that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100, or none: see `reason`.
    pub score: Option<u8>,
    /// The letter, with the score.
    pub grade: Option<Grade>,
    /// [`METHOD`].
    pub method: &'static str,
    /// The day that it is of.
    pub as_of: Date,
    /// The months looked at; none when there is no full one.
    pub window: Option<Window>,
    /// How much of the method the data covers.
    pub coverage_bps: i64,
    /// The same, in a word.
    pub confidence: Confidence,
    /// All four, with all nine components, in the method's order.
    pub pillars: Vec<Pillar>,
    /// What would raise it: best first, at most five.
    pub actions: Vec<Action>,
    /// What to add: most coverage first.
    pub missing: Vec<Missing>,
    /// How many transactions of the months in [`reach`] stay out since they are in another currency.
    pub excluded: Vec<(Currency, i64)>,
    /// Why there is no score.
    pub reason: Option<Reason>,
}

impl Score {
    /// Every component, in the method's order.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.pillars.iter().flat_map(|pillar| &pillar.components)
    }
}

crate::words! {
    /// What [`simulate`] can change.
    pub enum ChangeKind {
        /// Income of every month.
        MonthlyIncome = "monthlyIncome",
        /// Spending of every month.
        MonthlySpending = "monthlySpending",
        /// Essential spending of every month, and with it all spending.
        MonthlyEssential = "monthlyEssential",
        /// Liquid savings, now and on all days looked at.
        LiquidSavings = "liquidSavings",
        /// The monthly payments on debts.
        DebtPayment = "debtPayment",
        /// What is owed on cards.
        CardBalance = "cardBalance",
    }
}

/// One thing that would be different. Amounts are signed, in the base currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub kind: ChangeKind,
    /// By how much more (or, negative, less). No month is taken below zero.
    pub amount_minor: i64,
}

/// The full months before `as_of`'s, at most twelve, beginning no earlier than the first transaction's month. None when
/// there is no such month, or no transaction by then.
pub fn window(as_of: Date, first: Option<Date>) -> Option<Window> {
    let first = first.filter(|first| *first <= as_of)?;
    let (earliest, to) = reach(as_of);
    let from = earliest.max(Month::of(first));
    (from <= to).then(|| Window { from, to, months: Month::count(from, to) })
}

/// The first and last month that a score of `as_of` can look at: the twelve full months before. A store that reads the
/// totals of these reads enough, for the window and for what is excluded.
pub fn reach(as_of: Date) -> (Month, Month) {
    let current = Month::of(as_of);
    (current.minus(WINDOW_MONTHS_MAX), current.previous())
}

/// The days of a history: the first of each of the last `months` months, this one included, newest first.
pub fn history_dates(today: Date, months: u16) -> Vec<Date> {
    let current = Month::of(today);
    (0..months).map(|back| current.minus(back).first_day()).collect()
}

/// The score.
pub fn score(input: &ScoreInput) -> Score {
    answer(input, &facts(input))
}

/// The score if these things were different.
pub fn simulate(input: &ScoreInput, changes: &[Change]) -> Score {
    let changed = changes.iter().fold(facts(input), |facts, change| facts.with(*change));
    answer(input, &changed)
}

fn answer(input: &ScoreInput, facts: &Facts) -> Score {
    let pillars = facts.pillars();
    let headline = Headline::of(facts, &pillars);
    Score {
        score: headline.score,
        grade: headline.score.map(Grade::of),
        method: METHOD,
        as_of: input.as_of,
        window: window(input.as_of, input.first_transaction),
        coverage_bps: headline.coverage_bps,
        confidence: Confidence::of(headline.coverage_bps),
        actions: actions::actions(facts, &pillars, &headline),
        missing: components::missing(facts, &pillars),
        pillars,
        excluded: excluded(input),
        reason: headline.reason,
    }
}

/// The sums of the window, with refunds where they belong.
fn facts(input: &ScoreInput) -> Facts {
    let first = input.first_transaction.filter(|first| *first <= input.as_of);
    let short_history = first.is_none_or(|first| days_between(first, input.as_of) < HISTORY_DAYS_MIN);
    let flows = window(input.as_of, first).map(|window| {
        let months = Month::range(window.from, window.to).map(|month| {
            let rows = input.months.iter().filter(|row| row.month == month && row.currency == input.base);
            rows.fold(MonthFlow::default(), add_row)
        });
        Flows { months: months.collect() }
    });
    Facts { base: input.base, short_history, flows }
}

fn add_row(flow: MonthFlow, row: &MonthRow) -> MonthFlow {
    let (income, expense) = (i128::from(row.income), i128::from(row.expense));
    let facts = row.category.map(|(_, facts)| facts);
    let of_expense_kind = facts.is_some_and(|facts| facts.kind == CategoryKind::Expense);
    let essential = of_expense_kind && facts.is_some_and(|facts| facts.essential);
    // Income in an expense category is a refund: less spending, not income.
    let spending = if of_expense_kind { expense.saturating_sub(income) } else { expense };
    MonthFlow {
        income: flow.income.saturating_add(if of_expense_kind { 0 } else { income }),
        spending: flow.spending.saturating_add(spending),
        essential: flow.essential.saturating_add(if essential { spending } else { 0 }),
    }
}

fn excluded(input: &ScoreInput) -> Vec<(Currency, i64)> {
    let (from, to) = reach(input.as_of);
    let mut counts = std::collections::BTreeMap::<Currency, i64>::new();
    for row in &input.months {
        if row.currency != input.base && from <= row.month && row.month <= to {
            let count = counts.entry(row.currency).or_default();
            *count = count.saturating_add(row.transactions);
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// The number at the top, and why it may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Headline {
    score: Option<u8>,
    coverage_bps: i64,
    reason: Option<Reason>,
}

impl Headline {
    fn of(facts: &Facts, pillars: &[Pillar]) -> Headline {
        let coverage_bps = coverage(pillars, |component| component.points.is_some());
        let reason = if facts.short_history {
            Some(Reason::ShortHistory)
        } else if facts.flows.as_ref().is_none_or(|flows| flows.income() == 0) {
            Some(Reason::NoIncome)
        } else if coverage_bps < COVERAGE_MIN_BPS {
            Some(Reason::LowCoverage)
        } else {
            None
        };
        let points = mean(pillars.iter().filter_map(|pillar| pillar.points));
        // Rounded to the whole point: (points + 50) / 100 is at most 100.
        let rounded = points.and_then(|points| points.saturating_add(50).checked_div(100));
        let score = rounded.filter(|_| reason.is_none()).and_then(|score| u8::try_from(score).ok());
        Headline { score, coverage_bps, reason }
    }
}

/// The coverage if exactly the components that `present` names were there.
fn coverage(pillars: &[Pillar], present: impl Fn(&Component) -> bool) -> i64 {
    let of_pillar = |pillar: &Pillar| {
        let count = |n: usize| i64::try_from(n).unwrap_or(0);
        let there = count(pillar.components.iter().filter(|component| present(component)).count());
        let all = count(pillar.components.len());
        there.saturating_mul(PILLAR_COVERAGE_BPS).checked_div(all).unwrap_or(0)
    };
    pillars.iter().map(of_pillar).fold(0, i64::saturating_add)
}

/// The mean, rounded down; none of nothing.
fn mean(points: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, count) = points.fold((0_i128, 0_i128), |(sum, count), points| {
        (sum.saturating_add(i128::from(points)), count.saturating_add(1))
    });
    i64::try_from(floor_div(sum, count)?).ok()
}

#[cfg(test)]
mod tests;
