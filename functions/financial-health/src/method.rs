//! `GET /financial-health/method`: the method itself, in the open. Must never differ from what `finance::score` computes:
//! it is printed from the same table.

use finance::score::{COMPONENTS, DISCLAIMER, METHOD, PILLARS};
use serde::Serialize;
use shared::edge::respond::Answer;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodView {
    pub method: &'static str,
    pub disclaimer: &'static str,
    pub pillars: Vec<&'static str>,
    pub components: Vec<ComponentMethodView>,
    pub scoring: &'static str,
    pub grades: &'static str,
    pub window: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentMethodView {
    pub name: &'static str,
    pub pillar: &'static str,
    pub unit: &'static str,
    /// Pairs of value and points in hundredths; straight lines between, rounded down; the end values hold outside.
    pub anchors: Vec<[i64; 2]>,
    pub definition: &'static str,
    pub source: &'static str,
    /// Whether this version computes it; one that is not computed counts as missing, never as 0.
    pub available: bool,
}

pub(crate) async fn get_method() -> Answer {
    let components = COMPONENTS.iter().map(|spec| ComponentMethodView {
        name: spec.label,
        pillar: spec.pillar,
        unit: spec.unit.as_str(),
        anchors: spec.curve.anchors().iter().map(|(x, points)| [*x, *points]).collect(),
        definition: spec.definition,
        source: spec.source,
        available: spec.available,
    });
    Answer::ok(&MethodView {
        method: METHOD,
        disclaimer: DISCLAIMER,
        pillars: PILLARS.to_vec(),
        components: components.collect(),
        scoring: "A pillar is the floor of the mean of its present components, the score the mean of the present \
                  pillars, rounded; all weigh the same. Missing data leave the mean; they never count as 0 or 100.",
        grades: "A from 80, B from 65, C from 50, D from 35, E below",
        window: "The full calendar months before the date, at most twelve, from the month of the first transaction on",
    })
}
