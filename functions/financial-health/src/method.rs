//! `GET /financial-health/method`: the method itself, in the open. Must never differ from what `finance::score` computes:
//! it is printed from the same table.

use finance::score::{ComponentMethod, Method, method};
use serde::Serialize;
use shared::edge::respond::Answer;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodView {
    pub method: &'static str,
    pub disclaimer: &'static str,
    pub inputs: Vec<&'static str>,
    pub window: &'static str,
    pub points: &'static str,
    pub score: &'static str,
    pub coverage: &'static str,
    /// Basis points.
    pub coverage_min: i64,
    pub confidence: Vec<ThresholdView>,
    pub grades: Vec<ThresholdView>,
    /// Why there may be no score, in the order judged.
    pub reasons: Vec<&'static str>,
    /// Why a component may be missing.
    pub component_reasons: Vec<&'static str>,
    pub actions: &'static str,
    pub pillars: Vec<PillarMethodView>,
    pub sources: Vec<&'static str>,
}

/// A word, and the least number that earns it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ThresholdView {
    pub name: &'static str,
    pub min: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PillarMethodView {
    pub name: &'static str,
    pub components: Vec<ComponentMethodView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentMethodView {
    pub name: &'static str,
    pub formula: &'static str,
    pub unit: &'static str,
    /// Pairs of value and points in hundredths; straight lines between, rounded down; the end values hold outside.
    pub anchors: Vec<[i64; 2]>,
    pub basis: &'static str,
    pub missing_when: &'static str,
    pub source: &'static str,
    /// Whether it is computed yet; one that is not is missing, never 0.
    pub available: bool,
}

pub(crate) async fn get_method() -> Answer {
    Answer::ok(&MethodView::from(method()))
}

impl From<Method> for MethodView {
    fn from(method: Method) -> Self {
        let confidence = method
            .confidence
            .iter()
            .map(|step| ThresholdView { name: step.as_str(), min: step.min_coverage_bps() });
        let grades = method.grades.iter();
        let grades =
            grades.map(|grade| ThresholdView { name: grade.as_str(), min: i64::from(grade.min_score()) });
        let pillars = method.pillars.iter().map(|pillar| PillarMethodView {
            name: pillar.name,
            components: pillar.components.iter().map(ComponentMethodView::from).collect(),
        });
        Self {
            method: method.id,
            disclaimer: method.disclaimer,
            inputs: method.inputs.to_vec(),
            window: method.window,
            points: method.points,
            score: method.score,
            coverage: method.coverage,
            coverage_min: method.coverage_min_bps,
            confidence: confidence.collect(),
            grades: grades.collect(),
            reasons: method.reasons.iter().map(|reason| reason.as_str()).collect(),
            component_reasons: method.component_reasons.iter().map(|reason| reason.as_str()).collect(),
            actions: method.actions,
            pillars: pillars.collect(),
            sources: method.sources.to_vec(),
        }
    }
}

impl From<&ComponentMethod> for ComponentMethodView {
    fn from(component: &ComponentMethod) -> Self {
        Self {
            name: component.name,
            formula: component.formula,
            unit: component.unit.as_str(),
            anchors: component.anchors.iter().map(|(x, points)| [*x, *points]).collect(),
            basis: component.basis.as_str(),
            missing_when: component.missing_when,
            source: component.source,
            available: component.available,
        }
    }
}
