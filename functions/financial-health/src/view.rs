//! A score as clients see it.

use finance::money::Money;
use finance::score::{Action, ActionChange, Component, InputValue, Pillar, Score, method};
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

/// Full calendar months, by their first and last day.
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
    Money {
        amount: String,
        amount_minor: i64,
        currency: &'static str,
    },
    Count {
        count: i64,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionView {
    pub component: &'static str,
    /// What to change, by the names of the simulation's changes; absent where money does not move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// By how much, each month or once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<&'static str>,
    /// `month`, or `once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<&'static str>,
    /// By how much in the component's own unit, where money does not move it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_change: Option<i64>,
    /// The component's value now, and the anchor to reach.
    pub value: i64,
    pub anchor: i64,
    /// The anchor's points.
    pub points: i64,
    /// Whole points of the score; `null` without a score.
    pub gain: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MissingView {
    pub what: &'static str,
    pub components: Vec<&'static str>,
    /// Basis points of coverage gained.
    pub coverage: i64,
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
                    what: missing.what,
                    components: missing.components.clone(),
                    coverage: missing.coverage_bps,
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
            disclaimer: method().disclaimer,
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
                    InputValue::Money(value) => money(*value),
                    InputValue::Count(count) => InputView::Count { count: *count },
                };
                (*name, view)
            })
            .collect(),
        source: component.source,
        reason: component.reason.map(|reason| reason.as_str()),
    }
}
