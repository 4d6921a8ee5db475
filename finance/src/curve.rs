//! Curves: how a measured value becomes points.
//!
//! Owns piecewise linear functions over integers, and division that rounds one way for both signs. Never knows what a
//! value means.

/// The most points that a curve gives: hundredths of a hundred.
pub const POINTS_MAX: i64 = 10_000;

/// A monotone piecewise linear curve from a value to points, 0 to [`POINTS_MAX`].
///
/// Between two anchors the line is rounded down; outside of them the end value holds.
///
/// ```
/// use finance::curve::Curve;
///
/// let curve = Curve::new(&[(0, 0), (25, 2500), (100, 5000)]);
/// assert_eq!(curve.at(-3), 0);
/// assert_eq!(curve.at(26), 2533); // 2500 + 2500/75, rounded down
/// assert_eq!(curve.at(1_000), 5000);
/// assert_eq!(curve.next_anchor(26), Some((100, 5000)));
/// assert_eq!(curve.next_anchor(100), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Curve {
    anchors: &'static [(i64, i64)],
}

impl Curve {
    /// A curve through `anchors`, which are to be sound: see [`Curve::is_sound`].
    pub const fn new(anchors: &'static [(i64, i64)]) -> Curve {
        Curve { anchors }
    }

    /// The anchors: value and points.
    pub const fn anchors(&self) -> &'static [(i64, i64)] {
        self.anchors
    }

    /// Whether there are anchors, their values rise, their points never turn, and no points lie outside the range.
    pub fn is_sound(&self) -> bool {
        let rising = self.anchors.is_sorted_by(|(_, a), (_, b)| a <= b);
        let falling = self.anchors.is_sorted_by(|(_, a), (_, b)| a >= b);
        !self.anchors.is_empty()
            && self.anchors.is_sorted_by(|(a, _), (b, _)| a < b)
            && (rising || falling)
            && self.anchors.iter().all(|(_, points)| (0..=POINTS_MAX).contains(points))
    }

    /// The points at `x`.
    pub fn at(&self, x: i64) -> i64 {
        let (Some((_, below)), Some((_, above))) = (self.anchors.first(), self.anchors.last()) else {
            return 0;
        };
        if self.anchors.first().is_some_and(|(first, _)| x <= *first) {
            return *below;
        }
        self.anchors
            .windows(2)
            .find_map(|pair| match pair {
                [from, to] if x < to.0 => Some(between(*from, *to, x)),
                _ => None,
            })
            .unwrap_or(*above)
    }

    /// The nearest anchor with more points than `x` has: where to go, and what it gives. None at the top.
    pub fn next_anchor(&self, x: i64) -> Option<(i64, i64)> {
        let points = self.at(x);
        let better = self.anchors.iter().filter(|(_, anchor_points)| *anchor_points > points);
        better.min_by_key(|(anchor, _)| anchor.abs_diff(x)).copied()
    }
}

fn between((x0, p0): (i64, i64), (x1, p1): (i64, i64), x: i64) -> i64 {
    let [x0, p0, x1, p1, x] = [x0, p0, x1, p1, x].map(i128::from);
    let rise = x.saturating_sub(x0).saturating_mul(p1.saturating_sub(p0));
    let step = floor_div(rise, x1.saturating_sub(x0)).unwrap_or(0);
    // Between two anchors' points, so it fits again.
    i64::try_from(p0.saturating_add(step)).unwrap_or(0)
}

/// `a / b` rounded toward −∞ whatever the signs; none when `b` is zero (or the quotient is the one that does not fit).
pub fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let remainder = a.checked_rem(b)?;
    if remainder != 0 && (remainder < 0) != (b < 0) { quotient.checked_sub(1) } else { Some(quotient) }
}

/// The ratio `a / b` in basis points, rounded toward −∞; none when `b` is zero or the result leaves 64 bits.
pub fn basis_points(a: i128, b: i128) -> Option<i64> {
    i64::try_from(floor_div(a.checked_mul(10_000)?, b)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RISING: Curve = Curve::new(&[(-1000, 0), (-250, 2500), (0, 5000), (500, 7500), (2000, 10_000)]);
    const FALLING: Curve = Curve::new(&[(5000, 10_000), (7000, 5000), (10_000, 0)]);

    #[test]
    fn division_rounds_toward_minus_infinity() {
        for (a, b, expected) in [
            (7, 2, Some(3)),
            (-7, 2, Some(-4)),
            (7, -2, Some(-4)),
            (-7, -2, Some(3)),
            (6, 2, Some(3)),
            (-6, 2, Some(-3)),
            (0, -5, Some(0)),
            (1, 0, None),
            (i128::MIN, -1, None),
        ] {
            assert_eq!(floor_div(a, b), expected, "{a} / {b}");
        }
        assert_eq!(basis_points(1, 3), Some(3333));
        assert_eq!(basis_points(-1, 3), Some(-3334));
        assert_eq!(basis_points(1, 0), None);
        assert_eq!(basis_points(i128::MAX, 1), None);
        assert_eq!(basis_points(i128::from(i64::MAX), 1), None);
    }

    #[test]
    fn anchors_are_met_exactly_and_the_ends_hold() {
        for curve in [RISING, FALLING] {
            for (x, points) in curve.anchors() {
                assert_eq!(curve.at(*x), *points);
            }
        }
        assert_eq!((RISING.at(i64::MIN), RISING.at(i64::MAX)), (0, 10_000));
        assert_eq!((FALLING.at(i64::MIN), FALLING.at(i64::MAX)), (10_000, 0));
    }

    #[test]
    fn between_anchors_the_line_is_rounded_down() {
        assert_eq!(RISING.at(-999), 3); // 2500/750 = 3.33
        assert_eq!(RISING.at(1), 5005);
        assert_eq!(RISING.at(501), 7501); // 2500/1500 = 1.67
        assert_eq!(FALLING.at(5001), 9997); // −2.5 is −3
        assert_eq!(FALLING.at(9999), 1); // 5000 − 4998.33
    }

    #[test]
    fn the_next_anchor_is_toward_more_points() {
        for (curve, x, expected) in [
            (RISING, -5000, Some((-250, 2500))),
            (RISING, -1000, Some((-250, 2500))),
            (RISING, -251, Some((-250, 2500))),
            (RISING, -250, Some((0, 5000))),
            (RISING, 1999, Some((2000, 10_000))),
            (RISING, 2000, None),
            (RISING, i64::MAX, None),
            (FALLING, i64::MAX, Some((7000, 5000))),
            (FALLING, 7001, Some((7000, 5000))),
            (FALLING, 7000, Some((5000, 10_000))),
            (FALLING, 5001, Some((5000, 10_000))),
            (FALLING, 5000, None),
        ] {
            assert_eq!(curve.next_anchor(x), expected, "{x}");
        }
    }

    #[test]
    fn soundness_sees_every_fault() {
        assert!(RISING.is_sound() && FALLING.is_sound());
        assert!(Curve::new(&[(0, 5000)]).is_sound());
        for anchors in [
            &[][..],
            &[(0, 0), (0, 1)],
            &[(1, 0), (0, 1)],
            &[(0, 0), (1, 5), (2, 4)],
            &[(0, 0), (1, 10_001)],
            &[(0, -1), (1, 5)],
        ] {
            assert!(!Curve::new(anchors).is_sound(), "{anchors:?}");
        }
        assert_eq!(Curve::new(&[]).at(5), 0);
        assert_eq!(Curve::new(&[]).next_anchor(5), None);
    }

    proptest! {
        #[test]
        fn division_is_the_greatest_integer_below(a in -10_000_i128..10_000, b in -100_i128..100) {
            prop_assume!(b != 0);
            let q = floor_div(a, b).unwrap();
            let rest = a - q * b;
            let in_range = if b > 0 { 0 <= rest && rest < b } else { b < rest && rest <= 0 };
            prop_assert!(in_range);
        }

        #[test]
        fn curves_are_monotone_and_stay_in_range(a in -20_000_i64..20_000, b in -20_000_i64..20_000) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(RISING.at(low) <= RISING.at(high));
            prop_assert!(FALLING.at(low) >= FALLING.at(high));
            prop_assert!((0..=POINTS_MAX).contains(&RISING.at(a)));
            prop_assert!((0..=POINTS_MAX).contains(&FALLING.at(a)));
        }

        #[test]
        fn nothing_short_of_the_next_anchor_gives_as_much(x in -20_000_i64..20_000, part in 0_i64..20_000) {
            for curve in [RISING, FALLING] {
                if let Some((anchor, points)) = curve.next_anchor(x) {
                    prop_assert_eq!(curve.at(anchor), points);
                    let short = if x < anchor { (x + part).min(anchor - 1) } else { (x - part).max(anchor + 1) };
                    prop_assert!(curve.at(short) < points);
                }
            }
        }
    }
}
