//! The nine components: what each measures, by which curve, and when it is missing.
//!
//! Owns the method's table. A component that is not built yet stands in it with its curve and is missing, so that the
//! shape of an answer does not change when it comes.

use crate::currency::Currency;
use crate::curve::{Curve, basis_points, floor_div};
use crate::money::Money;
use crate::score::{
    Basis, Change, ChangeKind, Component, InputValue, Missing, MissingFact, Pillar, Unit, coverage, mean,
};

/// Beyond this much income in a month, in minor units, the variance does not fit 128 bits.
const MONTH_INCOME_MAX: i128 = 100_000_000_000_000;

/// Fewer months than these say nothing about how steady income is.
const STABILITY_MONTHS_MIN: i128 = 6;

/// The sums of a month, in minor units of the base currency. After refunds, spending may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MonthFlow {
    pub(super) income: i128,
    pub(super) spending: i128,
    pub(super) essential: i128,
}

impl MonthFlow {
    fn with(self, change: Change) -> MonthFlow {
        let amount = i128::from(change.amount_minor);
        match change.kind {
            ChangeKind::MonthlyIncome => MonthFlow { income: shifted(self.income, amount), ..self },
            ChangeKind::MonthlySpending => MonthFlow { spending: shifted(self.spending, amount), ..self },
            ChangeKind::MonthlyEssential => {
                let essential = shifted(self.essential, amount);
                // Only as much as really moved: what was not spent cannot be saved.
                let moved = essential.saturating_sub(self.essential);
                MonthFlow { essential, spending: shifted(self.spending, moved), ..self }
            }
            ChangeKind::LiquidSavings | ChangeKind::DebtPayment | ChangeKind::CardBalance => self,
        }
    }
}

/// Never below zero, unless it was: then it stays.
fn shifted(value: i128, change: i128) -> i128 {
    let moved = value.saturating_add(change);
    if change < 0 { moved.max(value.min(0)) } else { moved }
}

/// The window's months, oldest first; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flows {
    pub(super) months: Vec<MonthFlow>,
}

impl Flows {
    pub(super) fn income(&self) -> i128 {
        self.sum(|month| month.income)
    }

    fn spending(&self) -> i128 {
        self.sum(|month| month.spending)
    }

    fn essential(&self) -> i128 {
        self.sum(|month| month.essential)
    }

    fn count(&self) -> i128 {
        i128::try_from(self.months.len()).unwrap_or(0)
    }

    /// Twelve sums of 64-bit rows are far inside 128 bits: never saturates.
    fn sum(&self, of: impl Fn(&MonthFlow) -> i128) -> i128 {
        self.months.iter().map(of).fold(0, i128::saturating_add)
    }
}

/// What components are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) base: Currency,
    pub(super) short_history: bool,
    pub(super) flows: Option<Flows>,
}

impl Facts {
    /// The facts if one thing were different.
    pub(super) fn with(&self, change: Change) -> Facts {
        let months = |flows: &Flows| flows.months.iter().map(|month| month.with(change)).collect();
        Facts { flows: self.flows.as_ref().map(|flows| Flows { months: months(flows) }), ..self.clone() }
    }

    pub(super) fn pillars(&self) -> Vec<Pillar> {
        let pillar = |definition: &PillarDefinition| {
            let components: Vec<_> = definition.components.iter().map(|c| c.component(self)).collect();
            Pillar { name: definition.name, points: pillar_points(&components), components }
        };
        PILLARS.iter().map(pillar).collect()
    }
}

pub(super) fn pillar_points(components: &[Component]) -> Option<i64> {
    mean(components.iter().filter_map(|component| component.points))
}

crate::words! {
    /// Why a component is missing.
    pub enum Absence {
        /// There is no full month yet.
        EmptyWindow = "empty_window",
        /// There are too few months.
        ShortWindow = "short_window",
        /// Nothing came in.
        NoIncome = "no_income",
        /// Nothing essential was spent: more likely unlabelled than true.
        NoEssentials = "no_essentials",
        /// A sum is too large to be said exactly.
        OutOfRange = "out_of_range",
        /// Not built yet.
        NotAvailable = "not_available",
    }
}

impl Absence {
    /// What the user can add. Nothing helps against the last two.
    const fn remedy(self) -> Option<MissingFact> {
        match self {
            Absence::EmptyWindow | Absence::ShortWindow => Some(MissingFact::EarlierTransactions),
            Absence::NoIncome => Some(MissingFact::Income),
            Absence::NoEssentials => Some(MissingFact::EssentialSpending),
            Absence::OutOfRange | Absence::NotAvailable => None,
        }
    }
}

/// A measurement: the value or why there is none, and the sums either way.
pub(super) struct Reading {
    pub(super) value: Result<i64, Absence>,
    inputs: Vec<(&'static str, InputValue)>,
}

impl Reading {
    fn absent(absence: Absence) -> Reading {
        Reading { value: Err(absence), inputs: Vec::new() }
    }

    /// A reading over the window. `sums` are the inputs in money; without a value for them there is none at all.
    fn of(
        facts: &Facts,
        flows: &Flows,
        sums: &[(&'static str, i128)],
        value: Result<i64, Absence>,
    ) -> Reading {
        let money = |(name, sum): &(&'static str, i128)| {
            let minor = i64::try_from(*sum).ok()?;
            Some((*name, InputValue::Money(Money::new(minor, facts.base))))
        };
        let Some(mut inputs) = sums.iter().map(money).collect::<Option<Vec<_>>>() else {
            return Reading::absent(Absence::OutOfRange);
        };
        inputs.push(("months", InputValue::Count(i64::try_from(flows.months.len()).unwrap_or(0))));
        Reading { value, inputs }
    }
}

/// A component of the method.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) curve: Curve,
    pub(super) basis: Basis,
    pub(super) formula: &'static str,
    pub(super) missing_when: &'static str,
    pub(super) source: &'static str,
    /// What a user would change to move it.
    pub(super) lever: Option<ChangeKind>,
    pub(super) available: bool,
    pub(super) read: fn(&Facts) -> Reading,
}

impl Definition {
    fn component(&self, facts: &Facts) -> Component {
        let Reading { value, inputs } = (self.read)(facts);
        Component {
            name: self.name,
            points: value.ok().map(|value| self.curve.at(value)),
            value: value.ok(),
            unit: self.unit,
            anchors: self.curve.anchors(),
            basis: self.basis,
            inputs,
            source: self.source,
            reason: value.err(),
        }
    }
}

/// A pillar of the method.
pub(super) struct PillarDefinition {
    pub(super) name: &'static str,
    pub(super) components: &'static [Definition],
}

/// The method's table, in its order.
pub(super) static PILLARS: [PillarDefinition; 4] = [
    PillarDefinition {
        name: "spend",
        components: &[
            Definition {
                name: "margin",
                unit: Unit::Bps,
                curve: Curve::new(&[(-1000, 0), (-250, 2500), (0, 5000), (500, 7500), (2000, 10_000)]),
                basis: Basis::Observed,
                formula: "floor(10000 * (income - spending) / income), over the window",
                missing_when: "there is no income in the window",
                source: "20 % savings: 50/30/20 (Warren & Tyagi, All Your Worth, 2005); the other cuts are ours",
                lever: Some(ChangeKind::MonthlySpending),
                available: true,
                read: margin,
            },
            Definition {
                name: "essentials_load",
                unit: Unit::Bps,
                curve: Curve::new(&[(5000, 10_000), (7000, 5000), (10_000, 0)]),
                basis: Basis::Observed,
                formula: "floor(10000 * essential spending / income), over the window",
                missing_when: "there is no income, or no essential spending, in the window",
                source: "50 %: 50/30/20 (Warren & Tyagi, All Your Worth, 2005); the other cuts are ours",
                lever: Some(ChangeKind::MonthlyEssential),
                available: true,
                read: essentials_load,
            },
        ],
    },
    PillarDefinition {
        name: "save",
        components: &[
            Definition {
                name: "runway",
                unit: Unit::MonthsX100,
                curve: Curve::new(&[(0, 0), (25, 2500), (100, 5000), (300, 7500), (600, 10_000)]),
                basis: Basis::Mixed,
                formula: "floor(100 * liquid savings / median of monthly essential spending)",
                missing_when: "no liquid balance is known and no savings are declared, or the median essential \
                               spending is not above zero",
                source: "3 to 6 months: FEDS Notes, 2018-11-19; six weeks: JPMorgan Chase Institute, Weathering \
                         Volatility 2.0; the steps are ours",
                lever: None,
                available: false,
                read: not_available,
            },
            Definition {
                name: "buffer_days",
                unit: Unit::Bps,
                curve: Curve::new(&[(2500, 0), (10_000, 10_000)]),
                basis: Basis::Mixed,
                formula: "share of the 90 days before that closed with at least a week's spending in liquid savings",
                missing_when: "no liquid balance is known, or no day counts",
                source: "idea: days below a week's spending, Comerton-Forde et al. 2018; the cuts are ours",
                lever: None,
                available: false,
                read: not_available,
            },
        ],
    },
    PillarDefinition {
        name: "borrow",
        components: &[
            Definition {
                name: "payment_load",
                unit: Unit::Bps,
                curve: Curve::new(&[(0, 10_000), (2000, 8500), (3600, 6000), (4300, 2500), (5000, 0)]),
                basis: Basis::Mixed,
                formula: "floor(10000 * monthly debt payments * months / income); 0 when declared free of debt",
                missing_when: "there is no income, nothing is known of debts, or a debt that is owed lacks its payment",
                source: "36 % and 43 %: usual back-end limits (Regulation Z, 12 CFR 1026.43 until 2021; FHA 31/43); the \
                         other cuts are ours",
                lever: None,
                available: false,
                read: not_available,
            },
            Definition {
                name: "card_use",
                unit: Unit::Bps,
                curve: Curve::new(&[(1000, 10_000), (3000, 7000), (5000, 4000), (9000, 0)]),
                basis: Basis::Mixed,
                formula: "floor(10000 * owed / limits), over the cards with a limit and a known balance",
                missing_when: "there is no card with a limit",
                source: "30 %: CFPB, Ask CFPB; the other cuts are ours",
                lever: None,
                available: false,
                read: not_available,
            },
            Definition {
                name: "cost_of_credit",
                unit: Unit::Bps,
                curve: Curve::new(&[(0, 10_000), (1, 4000), (2500, 0)]),
                basis: Basis::Mixed,
                formula: "floor(10000 * owed at a rate above 36 % / owed at a known rate); 0 when nothing is owed",
                missing_when: "there is no debt with a known rate, unless declared free of debt",
                source: "36 %: Military Lending Act, 80 FR 43560; the other cuts are ours",
                lever: None,
                available: false,
                read: not_available,
            },
        ],
    },
    PillarDefinition {
        name: "plan",
        components: &[
            Definition {
                name: "income_stability",
                unit: Unit::Bps,
                curve: Curve::new(&[(1000, 10_000), (3600, 5000), (7500, 0)]),
                basis: Basis::Observed,
                formula: "coefficient of variation of monthly income: floor(isqrt(10^8 * (n * sum of squares - square of \
                          the sum)) / sum), n months in the window",
                missing_when: "there are fewer than 6 months in the window or no income, or a month's income is beyond \
                               10^14 minor units",
                source: "median family 36 %: JPMorgan Chase Institute; the other cuts are ours",
                lever: None,
                available: true,
                read: income_stability,
            },
            Definition {
                name: "protection",
                unit: Unit::Bps,
                curve: Curve::new(&[(0, 0), (10_000, 10_000)]),
                basis: Basis::Declared,
                formula: "share held of the insurances that apply, of those declared",
                missing_when: "none is declared",
                source: "structure: insurance is one of eight indicators in the Financial Health Network's framework; \
                         the linear curve is ours",
                lever: None,
                available: false,
                read: not_available,
            },
        ],
    },
];

fn margin(facts: &Facts) -> Reading {
    let Some(flows) = &facts.flows else { return Reading::absent(Absence::EmptyWindow) };
    let (income, spending) = (flows.income(), flows.spending());
    let value = ratio(income.saturating_sub(spending), income);
    Reading::of(facts, flows, &[("income", income), ("spending", spending)], value)
}

fn essentials_load(facts: &Facts) -> Reading {
    let Some(flows) = &facts.flows else { return Reading::absent(Absence::EmptyWindow) };
    let (income, essential) = (flows.income(), flows.essential());
    let value = ratio(essential, income);
    let value = if essential == 0 { value.and(Err(Absence::NoEssentials)) } else { value };
    Reading::of(facts, flows, &[("income", income), ("essentials", essential)], value)
}

/// A ratio to the window's income.
fn ratio(part: i128, income: i128) -> Result<i64, Absence> {
    if income <= 0 {
        return Err(Absence::NoIncome);
    }
    basis_points(part, income).ok_or(Absence::OutOfRange)
}

fn income_stability(facts: &Facts) -> Reading {
    let Some(flows) = &facts.flows else { return Reading::absent(Absence::EmptyWindow) };
    let (income, count) = (flows.income(), flows.count());
    if flows.months.iter().any(|month| month.income.unsigned_abs() > MONTH_INCOME_MAX.unsigned_abs()) {
        // What is known to be missing for another reason first is told so.
        let absence = if count < STABILITY_MONTHS_MIN { Absence::ShortWindow } else { Absence::OutOfRange };
        return Reading::absent(absence);
    }
    // n·Σx² − (Σx)² = n²·variance: at most 12·12·10²⁸, and 10⁸ times that is still inside i128.
    let squares = flows.sum(|month| month.income.saturating_mul(month.income));
    let spread = count.saturating_mul(squares).saturating_sub(income.saturating_mul(income));
    let root = |square: i128| square.checked_isqrt().unwrap_or(0);
    let deviation = floor_div(root(spread), count).unwrap_or(0);
    let value = if count < STABILITY_MONTHS_MIN {
        Err(Absence::ShortWindow)
    } else if income <= 0 {
        Err(Absence::NoIncome)
    } else {
        let scaled = root(spread.saturating_mul(100_000_000));
        floor_div(scaled, income).and_then(|value| i64::try_from(value).ok()).ok_or(Absence::OutOfRange)
    };
    Reading::of(facts, flows, &[("income", income), ("standardDeviation", deviation)], value)
}

fn not_available(_: &Facts) -> Reading {
    Reading::absent(Absence::NotAvailable)
}

/// What to add, most coverage first. Each missing component stands under the first thing that it lacks.
pub(super) fn missing(facts: &Facts, pillars: &[Pillar]) -> Vec<Missing> {
    let mut found: Vec<Missing> = Vec::new();
    for definition in PILLARS.iter().flat_map(|pillar| pillar.components) {
        let Err(absence) = (definition.read)(facts).value else { continue };
        let Some(what) = absence.remedy() else { continue };
        match found.iter_mut().find(|missing| missing.what == what) {
            Some(missing) => missing.components.push(definition.name),
            None => found.push(Missing { what, components: vec![definition.name], coverage_bps: 0 }),
        }
    }
    let now = coverage(pillars, |component| component.points.is_some());
    for missing in &mut found {
        let there = |c: &Component| c.points.is_some() || missing.components.contains(&c.name);
        missing.coverage_bps = coverage(pillars, there).saturating_sub(now);
    }
    // A stable sort: the method's order among equals.
    found.sort_by_key(|missing| std::cmp::Reverse(missing.coverage_bps));
    found
}
