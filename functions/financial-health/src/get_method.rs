//! `GET /financial-health/method`: the method itself, in the open. Must never differ from what `finance::score` computes:
//! it is printed from the same table.

use finance::score::{ComponentMethod, Method, method};
use serde::Serialize;
use shared::edge::respond::Answer;
use utoipa::ToSchema;

/// How the score is computed: all of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodView {
    /// The method's version.
    pub method: &'static str,
    /// What the score is not.
    pub disclaimer: &'static str,
    /// What it reads.
    pub inputs: Vec<&'static str>,
    /// Which months it looks at.
    pub window: &'static str,
    /// How points are read off the anchors.
    pub points: &'static str,
    /// How the score is made of the points.
    pub score: &'static str,
    /// How coverage is counted.
    pub coverage: &'static str,
    /// The least coverage that has a score, in basis points.
    pub coverage_min: i64,
    /// Coverage in words: the least basis points of each.
    pub confidence: Vec<ThresholdView>,
    /// The score in words: the least points of each.
    pub grades: Vec<ThresholdView>,
    /// Why there may be no score, in the order judged.
    pub reasons: Vec<&'static str>,
    /// Why a component may be missing.
    pub component_reasons: Vec<&'static str>,
    /// How actions are chosen.
    pub actions: &'static str,
    /// The pillars with their components.
    pub pillars: Vec<PillarMethodView>,
    /// What the method stands on.
    pub sources: Vec<&'static str>,
}

/// A word, and the least number that earns it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ThresholdView {
    /// The word.
    pub name: &'static str,
    /// The least number that earns it.
    pub min: i64,
}

/// One pillar of the method.
#[derive(Debug, Serialize, ToSchema)]
pub struct PillarMethodView {
    /// The pillar's name.
    pub name: &'static str,
    /// What its points are made of.
    pub components: Vec<ComponentMethodView>,
}

/// How one component is computed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentMethodView {
    /// The component's name.
    pub name: &'static str,
    /// What is measured.
    pub formula: &'static str,
    /// The unit of the value and of the anchors.
    pub unit: &'static str,
    /// Pairs of value and points in hundredths; straight lines between, rounded down; the end values hold outside.
    pub anchors: Vec<[i64; 2]>,
    /// Where the value comes from.
    pub basis: &'static str,
    /// When it cannot be computed.
    pub missing_when: &'static str,
    /// Where the anchors come from.
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
