//! Actions: the least change that lifts a component to its next anchor.
//!
//! Owns the inversion of the method. Finds a change by scoring, not by a formula of its own, so that what it promises is
//! what a new score gives.

use std::cmp::Reverse;

use crate::curve::POINTS_MAX;
use crate::money::Money;
use crate::score::components::{Definition, Facts, PILLARS, pillar_points};
use crate::score::{ACTIONS_MAX, Action, ActionChange, Change, ChangeKind, Headline, Pillar};

pub(super) fn actions(facts: &Facts, pillars: &[Pillar], now: &Headline) -> Vec<Action> {
    let definitions = PILLARS.iter().flat_map(|pillar| pillar.components);
    let mut found: Vec<_> = definitions.filter_map(|d| action(facts, pillars, now, d)).collect();
    // A stable sort: the method's order among equals.
    found.sort_by_key(|action| (Reverse(action.gain), size(action.change)));
    found.truncate(ACTIONS_MAX);
    found
}

/// The order of changes that bring the same: those in money first, the smaller first.
fn size(change: ActionChange) -> (u8, u64) {
    match change {
        ActionChange::PerMonth(money) | ActionChange::Stock(money) => (0, money.minor().unsigned_abs()),
        ActionChange::Value(value) => (1, value.unsigned_abs()),
    }
}

fn action(facts: &Facts, pillars: &[Pillar], now: &Headline, definition: &Definition) -> Option<Action> {
    let value = (definition.read)(facts).value.ok()?;
    if definition.curve.at(value) >= POINTS_MAX {
        return None;
    }
    let (anchor, points) = definition.curve.next_anchor(value)?;
    let (change, after) = match definition.lever {
        Some(lever) => {
            let change = least_change(facts, definition, lever, points)?;
            let changed = facts.with(change);
            let after = Headline::of(&changed, &changed.pillars());
            (ActionChange::PerMonth(Money::new(change.amount_minor, facts.base)), after)
        }
        None => {
            let lifted = lifted(pillars, definition.name, points);
            (ActionChange::Value(anchor.saturating_sub(value)), Headline::of(facts, &lifted))
        }
    };
    let gain = |after: u8, now: u8| i64::from(after).saturating_sub(i64::from(now));
    Some(Action {
        component: definition.name,
        lever: definition.lever,
        change,
        value,
        anchor,
        points,
        gain: after.score.zip(now.score).map(|(after, now)| gain(after, now)),
    })
}

/// The least reduction per month that gives `points`. Every lever so far is a spending: less of it never lowers the
/// component, so halving the interval finds the least. Nothing if even a reduction to zero does not reach it, or
/// reaches it only where the component has no value.
fn least_change(facts: &Facts, definition: &Definition, kind: ChangeKind, points: i64) -> Option<Change> {
    let by = |less: i64| Change { kind, amount_minor: less.saturating_neg() };
    let points_at =
        |less: i64| (definition.read)(&facts.with(by(less))).value.map(|v| definition.curve.at(v));
    let months = &facts.flows.as_ref()?.months;
    let most = months.iter().map(|month| month.spending.max(month.essential)).max()?;
    let (mut short, mut enough) = (0_i64, i64::try_from(most).ok()?);
    while enough.abs_diff(short) > 1 {
        let middle = short.midpoint(enough);
        if points_at(middle).is_ok_and(|found| found < points) {
            short = middle;
        } else {
            enough = middle;
        }
    }
    points_at(enough).is_ok_and(|found| found >= points).then(|| by(enough))
}

/// The pillars if one component had these points.
fn lifted(pillars: &[Pillar], name: &str, points: i64) -> Vec<Pillar> {
    let mut pillars = pillars.to_vec();
    for pillar in &mut pillars {
        for component in pillar.components.iter_mut().filter(|component| component.name == name) {
            component.points = Some(points);
        }
        pillar.points = pillar_points(&pillar.components);
    }
    pillars
}
