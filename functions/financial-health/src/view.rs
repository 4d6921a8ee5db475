//! A score as clients see it.

use finance::money::Money;
use finance::score::{Component, DISCLAIMER, InputValue, METHOD, Pillar, Score};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoreView {
    /// 0 to 100; `null` with a reason.
    pub score: Option<i64>,
    pub grade: Option<&'static str>,
    pub method: &'static str,
    pub as_of: String,
    pub window: Option<WindowView>,
    /// Basis points.
    pub coverage: i64,
    /// `high`, `medium` or `low`.
    pub confidence: &'static str,
    pub pillars: Vec<PillarView>,
    pub actions: Vec<ActionView>,
    pub missing: Vec<MissingView>,
    pub excluded: Vec<ExcludedView>,
    pub reason: Option<&'static str>,
    /// What the user's ledger stood at.
    pub knowledge: i64,
    pub disclaimer: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    pub from: String,
    pub to: String,
    pub months: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PillarView {
    pub name: &'static str,
    /// Hundredths of a point.
    pub points: Option<i64>,
    pub components: Vec<ComponentView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentView {
    pub name: &'static str,
    /// Hundredths of a point.
    pub points: Option<i64>,
    pub value: Option<i64>,
    pub unit: &'static str,
    /// Pairs of value and points.
    pub anchors: Vec<[i64; 2]>,
    pub basis: &'static str,
    /// The sums that it was computed from, by name.
    pub inputs: std::collections::BTreeMap<&'static str, InputView>,
    pub source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum InputView {
    #[serde(rename_all = "camelCase")]
    Money { amount: String, amount_minor: i64, currency: &'static str },
    Count { count: i64 },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    pub component: &'static str,
    /// What to change, by the names of the simulation's changes.
    pub kind: &'static str,
    /// By how much a month.
    pub amount: String,
    pub amount_minor: i64,
    pub currency: &'static str,
    pub target_value: i64,
    pub target_points: i64,
    /// Whole points of the score.
    pub gain: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MissingView {
    pub component: &'static str,
    /// Basis points of coverage gained.
    pub coverage: i64,
    pub add: &'static str,
    pub call: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ExcludedView {
    pub currency: &'static str,
    pub transactions: i64,
}

fn money(money: Money) -> InputView {
    InputView::Money {
        amount: money.to_decimal(),
        amount_minor: money.minor(),
        currency: money.currency().code(),
    }
}

impl ScoreView {
    pub fn new(score: &Score, knowledge: i64) -> Self {
        Self {
            score: score.score,
            grade: score.grade.map(|grade| grade.as_str()),
            method: METHOD,
            as_of: score.as_of.to_string(),
            window: score.window.map(|window| WindowView {
                from: window.from.to_string(),
                to: window.to.to_string(),
                months: window.months,
            }),
            coverage: score.coverage,
            confidence: score.confidence(),
            pillars: score.pillars.iter().map(pillar).collect(),
            actions: score
                .actions
                .iter()
                .map(|action| ActionView {
                    component: action.component,
                    kind: action.lever.as_str(),
                    amount: action.change.to_decimal(),
                    amount_minor: action.change.minor(),
                    currency: action.change.currency().code(),
                    target_value: action.target_value,
                    target_points: action.target_points,
                    gain: action.gain,
                })
                .collect(),
            missing: score
                .missing
                .iter()
                .map(|missing| MissingView {
                    component: missing.component,
                    coverage: missing.coverage,
                    add: missing.add,
                    call: missing.call,
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
            disclaimer: DISCLAIMER,
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

fn component(component: &Component) -> ComponentView {
    let spec = component.spec;
    ComponentView {
        name: spec.label,
        points: component.points,
        value: component.value,
        unit: spec.unit.as_str(),
        anchors: spec.curve.anchors().iter().map(|(x, points)| [*x, *points]).collect(),
        basis: component.basis.as_str(),
        inputs: component
            .inputs
            .iter()
            .map(|(name, value)| {
                let view = match value {
                    InputValue::Money(value) => money(*value),
                    InputValue::Count(count) => InputView::Count { count: *count },
                };
                (*name, view)
            })
            .collect(),
        source: spec.source,
        reason: component.reason,
    }
}
