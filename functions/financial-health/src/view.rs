//! A score as clients see it.

use finance::score::{Action, ActionChange, Component, InputValue, MissingFact, Pillar, Score, method};
use serde::Serialize;
use shared::edge::amount::AmountView;
use utoipa::ToSchema;

/// The financial-health score, with everything that it was computed from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoreView {
    /// 0 to 100; `null` with a reason.
    pub score: Option<i64>,
    /// The score as a word; `null` without a score.
    pub grade: Option<&'static str>,
    /// The method's version.
    pub method: &'static str,
    /// The day that the score is of.
    pub as_of: String,
    /// The months that were looked at; `null` where there are none.
    pub window: Option<WindowView>,
    /// How much of the method the data allows, in basis points.
    pub coverage: i64,
    /// The coverage as a word.
    pub confidence: &'static str,
    /// The four pillars with their components.
    pub pillars: Vec<PillarView>,
    /// What would raise the score most, the best first.
    pub actions: Vec<ActionView>,
    /// What data is missing, and what it would add.
    pub missing: Vec<MissingView>,
    /// Transactions in other currencies, which are in no sum.
    pub excluded: Vec<ExcludedView>,
    /// Why there is no score.
    pub reason: Option<&'static str>,
    /// The user's change counter at the time.
    pub knowledge: i64,
    /// What the score is not.
    pub disclaimer: &'static str,
}

/// Full calendar months, by their first and last day.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    /// The first day of the first month.
    pub from: String,
    /// The last day of the last month.
    pub to: String,
    /// How many months.
    pub months: i64,
}

/// One pillar of the score.
#[derive(Debug, Serialize, ToSchema)]
pub struct PillarView {
    /// The pillar's name.
    pub name: &'static str,
    /// Hundredths of a point; `null` without a component that has any.
    pub points: Option<i64>,
    /// What the points are made of.
    pub components: Vec<ComponentView>,
}

/// One component of a pillar.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentView {
    /// The component's name.
    pub name: &'static str,
    /// Hundredths of a point; `null` with a reason.
    pub points: Option<i64>,
    /// What was measured, in `unit`; `null` with a reason.
    pub value: Option<i64>,
    /// The unit of `value` and of the anchors.
    pub unit: &'static str,
    /// Pairs of value and points in hundredths; straight lines between.
    pub anchors: Vec<[i64; 2]>,
    /// Where the value comes from: observed in the ledger, declared by the user, or both.
    pub basis: &'static str,
    /// The sums that it was computed from, by name.
    pub inputs: std::collections::BTreeMap<&'static str, InputView>,
    /// Where the anchors come from.
    pub source: &'static str,
    /// Why it has no points; absent where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// One sum that a component was computed from: an amount, or a count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum InputView {
    Money(AmountView),
    Count(CountView),
}

/// How many of something.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountView {
    /// The number.
    pub count: i64,
}

/// One change that would raise the score.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    /// The component that it moves.
    pub component: &'static str,
    /// What to change, by the names of the simulation's changes; absent where money does not move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// By how much, each month or once; a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// By how much in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<&'static str>,
    /// Whether the amount is each month's or once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<&'static str>,
    /// By how much in the component's own unit, where money does not move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_change: Option<i64>,
    /// The component's value now.
    pub value: i64,
    /// The value to reach.
    pub anchor: i64,
    /// The points at that value, in hundredths.
    pub points: i64,
    /// Whole points of the score; `null` without a score.
    pub gain: Option<i64>,
}

/// Data that the score lacks.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingView {
    /// What is missing.
    pub what: &'static str,
    /// The components that need it.
    pub components: Vec<&'static str>,
    /// Basis points of coverage gained.
    pub coverage: i64,
    /// The operation that would add it.
    pub call: &'static str,
}

/// Transactions in a currency that the score does not count.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExcludedView {
    /// ISO 4217.
    pub currency: &'static str,
    /// How many transactions.
    pub transactions: i64,
}

impl ScoreView {
    pub fn new(score: &Score, knowledge: i64) -> Self {
        Self {
            score: score.score.map(i64::from),
            grade: score.grade.map(|grade| grade.as_str()),
            method: score.method,
            as_of: score.as_of.to_string(),
            window: score.window.map(|window| WindowView {
                from: window.from.first_day().to_string(),
                to: window.to.last_day().to_string(),
                months: window.months,
            }),
            coverage: score.coverage_bps,
            confidence: score.confidence.as_str(),
            pillars: score.pillars.iter().map(pillar).collect(),
            actions: score.actions.iter().map(action).collect(),
            missing: score
                .missing
                .iter()
                .map(|missing| MissingView {
                    what: missing.what.as_str(),
                    components: missing.components.clone(),
                    coverage: missing.coverage_bps,
                    call: call(missing.what),
                })
                .collect(),
            excluded: score
                .excluded
                .iter()
                .map(|(currency, transactions)| ExcludedView {
                    currency: currency.code(),
                    transactions: *transactions,
                })
                .collect(),
            reason: score.reason.map(|reason| reason.as_str()),
            knowledge,
            disclaimer: method().disclaimer,
        }
    }
}

/// The call that adds what is missing.
fn call(what: MissingFact) -> &'static str {
    match what {
        MissingFact::EarlierTransactions | MissingFact::Income | MissingFact::EssentialSpending => {
            "POST /api/v1/transactions"
        }
    }
}

fn pillar(pillar: &Pillar) -> PillarView {
    PillarView {
        name: pillar.name,
        points: pillar.points,
        components: pillar.components.iter().map(component).collect(),
    }
}

fn action(action: &Action) -> ActionView {
    let (money, per, value_change) = match action.change {
        ActionChange::PerMonth(money) => (Some(money), Some("month"), None),
        ActionChange::Stock(money) => (Some(money), Some("once"), None),
        ActionChange::Value(change) => (None, None, Some(change)),
    };
    ActionView {
        component: action.component,
        kind: action.lever.map(|lever| lever.as_str()),
        amount: money.map(|money| money.to_decimal()),
        amount_minor: money.map(|money| money.minor()),
        currency: money.map(|money| money.currency().code()),
        per,
        value_change,
        value: action.value,
        anchor: action.anchor,
        points: action.points,
        gain: action.gain,
    }
}

fn component(component: &Component) -> ComponentView {
    ComponentView {
        name: component.name,
        points: component.points,
        value: component.value,
        unit: component.unit.as_str(),
        anchors: component.anchors.iter().map(|(x, points)| [*x, *points]).collect(),
        basis: component.basis.as_str(),
        inputs: component
            .inputs
            .iter()
            .map(|(name, value)| {
                let view = match value {
                    InputValue::Money(value) => InputView::Money((*value).into()),
                    InputValue::Count(count) => InputView::Count(CountView { count: *count }),
                };
                (*name, view)
            })
            .collect(),
        source: component.source,
        reason: component.reason.map(|reason| reason.as_str()),
    }
}
