//! The method in words and numbers, for anyone to read.
//!
//! Owns the texts around the table; the table itself is the one that scores are computed from, so that the description
//! cannot drift from the computation.

use crate::score::components::{Definition, PILLARS};
use crate::score::{ACTIONS_MAX, Absence, Basis, COVERAGE_MIN_BPS, Confidence, Grade, METHOD, Reason, Unit};

/// A component, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentMethod {
    /// Its name.
    pub name: &'static str,
    /// How its value is computed.
    pub formula: &'static str,
    /// What the value is counted in.
    pub unit: Unit,
    /// The curve: value and points in hundredths, linear between the anchors, held outside of them.
    pub anchors: &'static [(i64, i64)],
    /// Where the data comes from.
    pub basis: Basis,
    /// When it has no value.
    pub missing_when: &'static str,
    /// Where the cut points come from.
    pub source: &'static str,
    /// Whether it is computed yet; if not, it is missing for everyone.
    pub available: bool,
}

/// A pillar, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PillarMethod {
    /// Its name.
    pub name: &'static str,
    /// Its components, in order.
    pub components: Vec<ComponentMethod>,
}

/// The whole method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Name and version.
    pub id: &'static str,
    /// What it is not.
    pub disclaimer: &'static str,
    /// What it is computed from, and what stays out.
    pub inputs: &'static [&'static str],
    /// The months that it looks at.
    pub window: &'static str,
    /// How value becomes points.
    pub points: &'static str,
    /// How points become the score.
    pub score: &'static str,
    /// How coverage is counted.
    pub coverage: &'static str,
    /// The least coverage of a score, in basis points.
    pub coverage_min_bps: i64,
    /// Words for coverage, best first; each knows the least that it needs.
    pub confidence: &'static [Confidence],
    /// Letters, best first; each knows the least score that it needs.
    pub grades: &'static [Grade],
    /// Why there may be no score, in the order in which they are checked.
    pub reasons: &'static [Reason],
    /// Why a component may be missing.
    pub component_reasons: &'static [Absence],
    /// How actions are found.
    pub actions: &'static str,
    /// Most actions in an answer.
    pub actions_max: usize,
    /// The pillars, in order.
    pub pillars: Vec<PillarMethod>,
    /// Published work that the cut points come from.
    pub sources: &'static [&'static str],
}

const DISCLAIMER: &str = "This is not a credit score and not financial advice. It is an open summary of your own records, \
                          computed only from what you entered.";

const INPUTS: &[&str] = &[
    "Only transactions in your own currency; those in others are counted in `excluded` and stay out.",
    "Transfers between your accounts are neither income nor spending.",
    "A refund (income in a category of kind expense) lowers that month's spending, and essential spending if the category \
     is essential; it is not income.",
    "An expense without a category counts as spending, but not as essential.",
    "Splits count part by part; deleted transactions do not count; pending ones do.",
    "Age, sex, origin and address are never used.",
];

const WINDOW: &str = "The full calendar months before the month of `asOf`, at most 12, beginning no earlier than the month of \
                      the first income or expense. A month without any counts as zero.";

const POINTS: &str = "0 to 10000 hundredths of a point, piecewise linear between the anchors and rounded down; outside of them \
                      the end value holds. Ratios are basis points, rounded down.";

const SCORE: &str = "A pillar is the mean of its present components, the score the mean of the present pillars, both rounded \
                     down, then rounded to whole points. What is missing is left out of the mean; it counts neither as 0 \
                     nor as 100. Weights are equal: a plain sum tracks full psychometric models at 98 to 99 % \
                     (Comerton-Forde et al.).";

const COVERAGE: &str = "2500 basis points a pillar, in proportion to its present components.";

const ACTIONS: &str = "For each component below its best, the least change that reaches the next anchor, and the gain in the \
                       score found by scoring again: less spending per month for margin, less essential spending per month \
                       for essentials_load, less variation for income_stability. Best gain first, then the smaller change.";

const SOURCES: &[&str] = &[
    "E. Warren and A. W. Tyagi, All Your Worth, 2005 (the 50/30/20 rule)",
    "Board of Governors of the Federal Reserve System, FEDS Notes, 2018-11-19 (months of liquid savings)",
    "JPMorgan Chase Institute, Weathering Volatility 2.0 (six weeks of cash; variation of family income)",
    "C. Comerton-Forde et al., 2018 (observed and reported financial well-being; equal weights)",
    "Regulation Z, 12 CFR 1026.43, as in force until 2021, and FHA 31/43 (debt-to-income limits)",
    "Consumer Financial Protection Bureau, Ask CFPB (use of credit limits)",
    "Military Lending Act, 80 FR 43560 (36 % rate cap)",
    "Financial Health Network, framework of eight indicators (spend, save, borrow, plan)",
];

/// The method, as scores are computed by it.
pub fn method() -> Method {
    let component = |definition: &Definition| ComponentMethod {
        name: definition.name,
        formula: definition.formula,
        unit: definition.unit,
        anchors: definition.curve.anchors(),
        basis: definition.basis,
        missing_when: definition.missing_when,
        source: definition.source,
        available: definition.available,
    };
    let pillars = PILLARS.iter().map(|pillar| PillarMethod {
        name: pillar.name,
        components: pillar.components.iter().map(component).collect(),
    });
    Method {
        id: METHOD,
        disclaimer: DISCLAIMER,
        inputs: INPUTS,
        window: WINDOW,
        points: POINTS,
        score: SCORE,
        coverage: COVERAGE,
        coverage_min_bps: COVERAGE_MIN_BPS,
        confidence: Confidence::ALL,
        grades: Grade::ALL,
        reasons: Reason::ALL,
        component_reasons: Absence::ALL,
        actions: ACTIONS,
        actions_max: ACTIONS_MAX,
        pillars: pillars.collect(),
        sources: SOURCES,
    }
}
