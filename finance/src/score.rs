//! The financial-health score, method `fhi-1`: from monthly totals to a number that explains itself. Integer arithmetic
//! only, no clock: the same inputs give the same bytes.
//!
//! Must never read a transaction, count a missing component as 0 or as 100, or be taken for a credit score or advice.

use std::collections::BTreeMap;

use crate::calendar::{Date, Month, days_between};
use crate::category::{CategoryFacts, CategoryKind};
use crate::currency::Currency;
use crate::curve::{Curve, basis_points};
use crate::id::CategoryId;
use crate::money::Money;

/// The method's name; a later one has another, and this one stays.
pub const METHOD: &str = "fhi-1";

/// The longest window, in months.
pub const WINDOW_MONTHS_MAX: u16 = 12;
/// A history that is shorter gives no score.
const HISTORY_DAYS_MIN: i64 = 90;
/// Basis points of coverage below which there is no score.
const COVERAGE_MIN: i64 = 3_000;
/// Months that a coefficient of variation needs.
const STABILITY_MONTHS_MIN: i64 = 6;
/// Minor units of a month's income beyond which the squares would leave their range.
const INCOME_MAX: i64 = 100_000_000_000_000;
const ACTIONS_MAX: usize = 5;

/// What a component's value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Basis points: hundredths of a percent.
    BasisPoints,
    /// Hundredths of a month.
    MonthsX100,
}

impl Unit {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::BasisPoints => "bps",
            Unit::MonthsX100 => "months_x100",
        }
    }
}

/// Where a component's data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The ledger.
    Observed,
    /// The user's word.
    Declared,
    /// Both.
    Mixed,
}

impl Basis {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Observed => "observed",
            Basis::Declared => "declared",
            Basis::Mixed => "mixed",
        }
    }
}

/// The nine components, in the table's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentName {
    /// What is left of income.
    Margin,
    /// Essential spending against income.
    EssentialsLoad,
    /// Months that liquid money would last.
    Runway,
    /// Days that closed with a week's spending at hand.
    BufferDays,
    /// Debt payments against income.
    PaymentLoad,
    /// Cards' balances against their limits.
    CardUse,
    /// Debt at a high rate.
    CostOfCredit,
    /// Variation of income.
    IncomeStability,
    /// Insurances held.
    Protection,
}

/// What the method says of one component, whatever the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComponentSpec {
    /// Which.
    pub name: ComponentName,
    /// Its name on the wire.
    pub label: &'static str,
    /// The pillar that it is a part of.
    pub pillar: &'static str,
    /// What its value is counted in.
    pub unit: Unit,
    /// From value to points.
    pub curve: Curve,
    /// What the value is.
    pub definition: &'static str,
    /// Where the curve's cut points come from.
    pub source: &'static str,
    /// Whether this version computes it.
    pub available: bool,
}

/// The pillars, in order.
pub const PILLARS: [&str; 4] = ["spend", "save", "borrow", "plan"];

/// Every component, in the table's order.
pub const COMPONENTS: [ComponentSpec; 9] = [
    ComponentSpec {
        name: ComponentName::Margin,
        label: "margin",
        pillar: "spend",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(-1000, 0), (-250, 2500), (0, 5000), (500, 7500), (2000, 10_000)]),
        definition: "(income - spending) / income over the window",
        source: "20 % savings: 50/30/20 (Warren & Tyagi, All Your Worth, 2005); other steps are ours",
        available: true,
    },
    ComponentSpec {
        name: ComponentName::EssentialsLoad,
        label: "essentials_load",
        pillar: "spend",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(5000, 10_000), (7000, 5000), (10_000, 0)]),
        definition: "essential spending / income over the window",
        source: "50 %: 50/30/20 (Warren & Tyagi, All Your Worth, 2005); other steps are ours",
        available: true,
    },
    ComponentSpec {
        name: ComponentName::Runway,
        label: "runway",
        pillar: "save",
        unit: Unit::MonthsX100,
        curve: Curve::new(&[(0, 0), (25, 2500), (100, 5000), (300, 7500), (600, 10_000)]),
        definition: "liquid money / the median month's essential spending",
        source: "3 to 6 months: FEDS Notes 2018-11-19; six weeks: JPMorgan Chase Institute, Weathering Volatility 2.0; \
                 steps are ours",
        available: false,
    },
    ComponentSpec {
        name: ComponentName::BufferDays,
        label: "buffer_days",
        pillar: "save",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(2500, 0), (10_000, 10_000)]),
        definition: "share of the last 90 days that closed with at least a week's spending at hand",
        source: "days below a week's spending: Comerton-Forde et al., 2018; cuts are ours",
        available: false,
    },
    ComponentSpec {
        name: ComponentName::PaymentLoad,
        label: "payment_load",
        pillar: "borrow",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(0, 10_000), (2000, 8500), (3600, 6000), (4300, 2500), (5000, 0)]),
        definition: "monthly debt payments / monthly income",
        source: "36/43: usual back-end limits (Regulation Z 1026.43 until 2021; FHA 31/43); other steps are ours",
        available: false,
    },
    ComponentSpec {
        name: ComponentName::CardUse,
        label: "card_use",
        pillar: "borrow",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(1000, 10_000), (3000, 7000), (5000, 4000), (9000, 0)]),
        definition: "owed on cards / their limits",
        source: "30 %: CFPB, Ask CFPB; other steps are ours",
        available: false,
    },
    ComponentSpec {
        name: ComponentName::CostOfCredit,
        label: "cost_of_credit",
        pillar: "borrow",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(0, 10_000), (1, 4000), (2500, 0)]),
        definition: "owed at more than 36 % a year / owed at a known rate",
        source: "36 %: Military Lending Act, 80 FR 43560; other steps are ours",
        available: false,
    },
    ComponentSpec {
        name: ComponentName::IncomeStability,
        label: "income_stability",
        pillar: "plan",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(1000, 10_000), (3600, 5000), (7500, 0)]),
        definition: "coefficient of variation of monthly income over the window",
        source: "median family 36 %: JPMorgan Chase Institute; other steps are ours",
        available: true,
    },
    ComponentSpec {
        name: ComponentName::Protection,
        label: "protection",
        pillar: "plan",
        unit: Unit::BasisPoints,
        curve: Curve::new(&[(0, 0), (10_000, 10_000)]),
        definition: "share held of the insurances that apply",
        source: "insurance is one of eight indicators of the Financial Health Network's framework; linear is ours",
        available: false,
    },
];

/// Said wherever the score is.
pub const DISCLAIMER: &str = "Not a credit score and not financial advice.";

/// One row of the kept totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthRow {
    /// The month.
    pub month: Month,
    /// The currency of the sums.
    pub currency: Currency,
    /// What it was for; nothing where no category was given.
    pub category: Option<(CategoryId, CategoryFacts)>,
    /// Sum of the parts of type income, in minor units.
    pub income: i64,
    /// Sum of the parts of type expense, in minor units.
    pub expense: i64,
    /// Distinct transactions.
    pub transactions: i64,
}

/// Everything that a score is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreInput {
    /// The civil date that it is asked for.
    pub as_of: Date,
    /// The user's currency; all others stay out.
    pub base: Currency,
    /// The earliest income or expense in the base currency, at `as_of` or before.
    pub first_transaction: Option<Date>,
    /// The totals of the months before `as_of`'s, in any order; rows outside the window are passed over.
    pub months: Vec<MonthRow>,
}

/// Full calendar months, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first month.
    pub from: Month,
    /// The last month.
    pub to: Month,
    /// How many: 1 to 12.
    pub months: i64,
}

/// A sum that a component was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputValue {
    /// An amount of the base currency.
    Money(Money),
    /// A number of something.
    Count(i64),
}

/// One component, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What the method says of it.
    pub spec: &'static ComponentSpec,
    /// Hundredths of a point, 0 to 10,000; nothing without data.
    pub points: Option<i64>,
    /// In the spec's unit.
    pub value: Option<i64>,
    /// Where the data come from.
    pub basis: Basis,
    /// The sums that it was computed from.
    pub inputs: Vec<(&'static str, InputValue)>,
    /// Why there are no points.
    pub reason: Option<&'static str>,
}

/// One pillar: the floor of the mean of its present components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pillar {
    /// Its name on the wire.
    pub name: &'static str,
    /// Hundredths of a point, 0 to 10,000; nothing where no component is present.
    pub points: Option<i64>,
    /// All its components, present or not.
    pub components: Vec<Component>,
}

/// A ≥ 80, B ≥ 65, C ≥ 50, D ≥ 35, E below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// 80 or more.
    A,
    /// 65 or more.
    B,
    /// 50 or more.
    C,
    /// 35 or more.
    D,
    /// Less than 35.
    E,
}

impl Grade {
    fn of(score: i64) -> Grade {
        match score {
            80.. => Grade::A,
            65.. => Grade::B,
            50.. => Grade::C,
            35.. => Grade::D,
            _ => Grade::E,
        }
    }

    /// Its letter.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::A => "A",
            Grade::B => "B",
            Grade::C => "C",
            Grade::D => "D",
            Grade::E => "E",
        }
    }
}

/// Why there is no score; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Less than 90 days since the first transaction, or none.
    ShortHistory,
    /// No income in the window.
    NoIncome,
    /// Too few components have data.
    LowCoverage,
}

impl Reason {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::ShortHistory => "short_history",
            Reason::NoIncome => "no_income",
            Reason::LowCoverage => "low_coverage",
        }
    }
}

/// What an action changes, by the names of the simulation's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lever {
    /// Spending of every month of the window, not below 0.
    MonthlySpending,
    /// Essential spending of every month, not below 0; spending moves with it.
    MonthlyEssential,
}

impl Lever {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Lever::MonthlySpending => "monthlySpending",
            Lever::MonthlyEssential => "monthlyEssential",
        }
    }
}

/// The least change that lifts a component to its next anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// The component that it lifts.
    pub component: &'static str,
    /// What to change.
    pub lever: Lever,
    /// By how much a month: negative.
    pub change: Money,
    /// The value to reach.
    pub target_value: i64,
    /// The points at that value.
    pub target_points: i64,
    /// How many whole points the score would gain.
    pub gain: i64,
}

/// What to add so that more of the score can be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The component that it gives data to.
    pub component: &'static str,
    /// Basis points of coverage gained.
    pub coverage: i64,
    /// What to add.
    pub add: &'static str,
    /// The API call that adds it.
    pub call: &'static str,
}

/// The score and everything that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100.
    pub score: Option<i64>,
    /// With the score.
    pub grade: Option<Grade>,
    /// Why there is none.
    pub reason: Option<Reason>,
    /// The date asked for.
    pub as_of: Date,
    /// The months that it looks at.
    pub window: Option<Window>,
    /// Basis points of the components that have data, by pillar.
    pub coverage: i64,
    /// In order.
    pub pillars: Vec<Pillar>,
    /// Best first, at most five.
    pub actions: Vec<Action>,
    /// Most coverage first.
    pub missing: Vec<Missing>,
    /// Transactions in other currencies, in the twelve months before.
    pub excluded: Vec<(Currency, i64)>,
}

impl Score {
    /// `high` from 7,500 bps of coverage, `medium` from 5,000, else `low`.
    pub fn confidence(&self) -> &'static str {
        match self.coverage {
            7_500.. => "high",
            5_000.. => "medium",
            _ => "low",
        }
    }
}

/// The window of a score: the full months before `as_of`'s, at most twelve, from the first transaction's month on.
pub fn window(as_of: Date, first_transaction: Option<Date>) -> Option<Window> {
    let this = Month::of(as_of);
    let from = this.minus(WINDOW_MONTHS_MAX).max(Month::of(first_transaction?));
    (from < this).then(|| {
        let to = this.previous();
        Window { from, to, months: Month::count(from, to) }
    })
}

/// One month of the series, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flows {
    income: i64,
    spending: i64,
    essential: i64,
}

/// The months of a window, zero where nothing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series {
    months: Vec<Flows>,
}

impl Series {
    fn of(input: &ScoreInput, window: Option<Window>) -> Series {
        let Some(window) = window else { return Series { months: Vec::new() } };
        let mut months: BTreeMap<Month, Flows> =
            Month::range(window.from, window.to).map(|month| (month, Flows::default())).collect();
        for row in input.months.iter().filter(|row| row.currency == input.base) {
            if let Some(flows) = months.get_mut(&row.month) {
                flows.take(row);
            }
        }
        Series { months: months.into_values().collect() }
    }

    fn sum(&self, of: impl Fn(&Flows) -> i64) -> i128 {
        self.months.iter().map(|flows| i128::from(of(flows))).sum()
    }

    /// The same months with a change of every one; a change never takes a month below 0.
    fn with(&self, lever: Lever, change: i64) -> Series {
        let moved = |value: i64| value.saturating_add(change).max(value.min(0));
        let months = self.months.iter().map(|flows| match lever {
            Lever::MonthlySpending => Flows { spending: moved(flows.spending), ..*flows },
            Lever::MonthlyEssential => {
                let essential = moved(flows.essential);
                let step = essential.saturating_sub(flows.essential);
                Flows { essential, spending: flows.spending.saturating_add(step), ..*flows }
            }
        });
        Series { months: months.collect() }
    }
}

impl Flows {
    /// A refund (income in a category of expenses) lowers spending and is not income.
    fn take(&mut self, row: &MonthRow) {
        let kind = row.category.map(|(_, facts)| facts.kind);
        let essential = row.category.is_some_and(|(_, facts)| facts.essential);
        let spent = if kind == Some(CategoryKind::Expense) {
            row.expense.saturating_sub(row.income)
        } else {
            self.income = self.income.saturating_add(row.income);
            row.expense
        };
        self.spending = self.spending.saturating_add(spent);
        if essential {
            self.essential = self.essential.saturating_add(spent);
        }
    }
}

/// A value, or why there is none.
type Measured = Result<i64, &'static str>;

fn measure(name: ComponentName, series: &Series) -> Measured {
    let income = series.sum(|flows| flows.income);
    if series.months.is_empty() {
        return Err("empty_window");
    }
    let ratio = |a: i128| basis_points(a, income).ok_or("out_of_range");
    match name {
        _ if income <= 0 => Err("no_income"),
        ComponentName::Margin => ratio(income.saturating_sub(series.sum(|flows| flows.spending))),
        ComponentName::EssentialsLoad => match series.sum(|flows| flows.essential) {
            0 => Err("no_essential_spending"),
            essential => ratio(essential),
        },
        ComponentName::IncomeStability => variation(series),
        _ => Err("not_available"),
    }
}

/// floor(isqrt(10⁸·(n·ΣI² − (ΣI)²)) / ΣI): the coefficient of variation in basis points, in one step.
fn variation(series: &Series) -> Measured {
    let n = i64::try_from(series.months.len()).unwrap_or(i64::MAX);
    if n < STABILITY_MONTHS_MIN {
        return Err("short_window");
    }
    if series.months.iter().any(|flows| flows.income.unsigned_abs() > INCOME_MAX.unsigned_abs()) {
        return Err("out_of_range");
    }
    // At most 12·12·10²⁸·10⁸ < 2¹²⁷.
    let sum = series.sum(|flows| flows.income);
    let squares: i128 = series.months.iter().map(|flows| i128::from(flows.income).saturating_pow(2)).sum();
    let spread = i128::from(n).saturating_mul(squares).saturating_sub(sum.saturating_pow(2));
    let root = u128::try_from(spread.saturating_mul(100_000_000)).map_err(|_| "out_of_range")?.isqrt();
    let sum = u128::try_from(sum).map_err(|_| "out_of_range")?;
    root.checked_div(sum).and_then(|value| i64::try_from(value).ok()).ok_or("out_of_range")
}

fn component(spec: &'static ComponentSpec, series: &Series, base: Currency) -> Component {
    let measured = if spec.available { measure(spec.name, series) } else { Err("not_available") };
    let money = |name, sum: i128| i64::try_from(sum).ok().map(|sum| (name, InputValue::Money(Money::new(sum, base))));
    let income = || money("income", series.sum(|flows| flows.income));
    let inputs: Vec<_> = match spec.name {
        ComponentName::Margin => vec![income(), money("spending", series.sum(|flows| flows.spending))],
        ComponentName::EssentialsLoad => vec![income(), money("essential", series.sum(|flows| flows.essential))],
        ComponentName::IncomeStability => {
            let n = i64::try_from(series.months.len()).unwrap_or(i64::MAX);
            vec![income(), Some(("months", InputValue::Count(n)))]
        }
        _ => Vec::new(),
    };
    Component {
        spec,
        points: measured.ok().map(|value| spec.curve.at(value)),
        value: measured.ok(),
        basis: Basis::Observed,
        inputs: inputs.into_iter().flatten().collect(),
        reason: measured.err(),
    }
}

/// The floor of the mean; nothing of nothing.
fn mean(points: impl Iterator<Item = i64>) -> Option<i64> {
    let points: Vec<i64> = points.collect();
    let count = i64::try_from(points.len()).ok()?;
    points.iter().sum::<i64>().checked_div(count)
}

fn pillars(series: &Series, base: Currency) -> Vec<Pillar> {
    let pillar = |name: &'static str| {
        let specs = COMPONENTS.iter().filter(|spec| spec.pillar == name);
        let components: Vec<_> = specs.map(|spec| component(spec, series, base)).collect();
        let points = mean(components.iter().filter_map(|component| component.points));
        Pillar { name, points, components }
    };
    PILLARS.into_iter().map(pillar).collect()
}

/// (mean of the present pillars + 50) / 100, whatever the coverage.
fn headline(pillars: &[Pillar]) -> Option<i64> {
    mean(pillars.iter().filter_map(|pillar| pillar.points)).and_then(|points| points.checked_add(50)?.checked_div(100))
}

/// Σ over pillars of 2500 × present / all, each floored.
fn coverage(pillars: &[Pillar], counted: impl Fn(&Component) -> bool) -> i64 {
    let of = |pillar: &Pillar| {
        let all = i64::try_from(pillar.components.len()).ok()?;
        let present = pillar.components.iter().filter(|component| counted(component)).count();
        i64::try_from(present).ok()?.checked_mul(2500)?.checked_div(all)
    };
    pillars.iter().filter_map(of).sum()
}

/// Computes the score.
pub fn score(input: &ScoreInput) -> Score {
    let window = window(input.as_of, input.first_transaction);
    let series = Series::of(input, window);
    let pillars = pillars(&series, input.base);
    let coverage = coverage(&pillars, |component| component.points.is_some());
    let short = input.first_transaction.is_none_or(|first| days_between(first, input.as_of) < HISTORY_DAYS_MIN);
    let reason = if short {
        Some(Reason::ShortHistory)
    } else if series.sum(|flows| flows.income) <= 0 {
        Some(Reason::NoIncome)
    } else if coverage < COVERAGE_MIN {
        Some(Reason::LowCoverage)
    } else {
        None
    };
    let value = headline(&pillars).filter(|_| reason.is_none());
    Score {
        score: value,
        grade: value.map(Grade::of),
        reason,
        as_of: input.as_of,
        window,
        coverage,
        actions: value.map_or_else(Vec::new, |value| actions(&series, &pillars, value, input.base)),
        missing: missing(&pillars, coverage),
        pillars,
        excluded: excluded(input),
    }
}

fn excluded(input: &ScoreInput) -> Vec<(Currency, i64)> {
    let this = Month::of(input.as_of);
    let mut counts: BTreeMap<Currency, i64> = BTreeMap::new();
    for row in &input.months {
        if row.currency != input.base && row.month < this && row.month >= this.minus(WINDOW_MONTHS_MAX) {
            let count = counts.entry(row.currency).or_default();
            *count = count.saturating_add(row.transactions);
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn actions(series: &Series, pillars: &[Pillar], before: i64, base: Currency) -> Vec<Action> {
    let components = pillars.iter().flat_map(|pillar| &pillar.components);
    let mut actions: Vec<Action> =
        components.filter_map(|component| action(series, component, before, base)).collect();
    // The sort is stable: what ties keeps the table's order.
    actions.sort_by_key(|action| (std::cmp::Reverse(action.gain), action.change.minor().unsigned_abs()));
    actions.truncate(ACTIONS_MAX);
    actions
}

fn action(series: &Series, component: &Component, before: i64, base: Currency) -> Option<Action> {
    let lever = match component.spec.name {
        ComponentName::Margin => Lever::MonthlySpending,
        ComponentName::EssentialsLoad => Lever::MonthlyEssential,
        // What money a month does not move.
        _ => return None,
    };
    let (target_value, target_points) = component.spec.curve.next_anchor(component.value?)?;
    let reaches = |less: i64| {
        let changed = series.with(lever, less.checked_neg()?);
        let points = component.spec.curve.at(measure(component.spec.name, &changed).ok()?);
        Some(points >= target_points)
    };
    let most = series.months.iter().map(|flows| match lever {
        Lever::MonthlySpending => flows.spending,
        Lever::MonthlyEssential => flows.essential,
    });
    let least = least(most.max()?, |less| reaches(less) != Some(false))?;
    // The least cut may take the component away altogether (nothing essential is left): then there is no action.
    reaches(least).filter(|reached| *reached)?;
    let change = least.checked_neg()?;
    let after = headline(&pillars_of(series, lever, change, base))?;
    Some(Action {
        component: component.spec.label,
        lever,
        change: Money::new(change, base),
        target_value,
        target_points,
        gain: after.checked_sub(before)?,
    })
}

fn pillars_of(series: &Series, lever: Lever, change: i64, base: Currency) -> Vec<Pillar> {
    pillars(&series.with(lever, change), base)
}

/// The least number from 1 to `most` for which a condition holds that, once it holds, holds on.
fn least(most: i64, holds: impl Fn(i64) -> bool) -> Option<i64> {
    if most < 1 || !holds(most) {
        return None;
    }
    let (mut low, mut high) = (1i64, most);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Some(low)
}

fn missing(pillars: &[Pillar], now: i64) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    for component in pillars.iter().flat_map(|pillar| &pillar.components) {
        let add = match (component.spec.name, component.reason) {
            (_, None) | (_, Some("not_available" | "out_of_range")) => continue,
            (ComponentName::IncomeStability, Some("short_window")) => "transactions of at least six months",
            (_, Some("no_essential_spending")) => "expenses in essential categories",
            _ => "income of a past month",
        };
        let with = coverage(pillars, |other| other.points.is_some() || other.spec.name == component.spec.name);
        missing.push(Missing {
            component: component.spec.label,
            coverage: with.saturating_sub(now),
            add,
            call: "POST /api/v1/transactions",
        });
    }
    missing.sort_by_key(|missing| std::cmp::Reverse(missing.coverage));
    missing
}

#[cfg(test)]
mod tests;
