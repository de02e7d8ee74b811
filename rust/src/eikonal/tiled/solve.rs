//! The local solver of the tiles: eight voxels at once, one square root each.
//!
//! With the three neighbour times sorted, `a0 <= a1 <= a2`, inverse squared spacings `s_i` and slowness
//! `w = 1 / F^2`, the upwind solution relative to `a0` uses `d_i = a_i - a0` and `d12 = a2 - a1`:
//!
//! ```text
//! e1 = w - s0 d1^2                     axis 1 is upwind (its own solution would be >= a1) if e1 >= 0
//! e2 = w - s0 d2^2 - s1 d12^2          axis 2 is upwind if e2 >= 0; then axis 1 is too, because d2 >= d1
//! A = s0 + [e1 >= 0] s1 + [e2 >= 0] s2;  B = [e1 >= 0] s1 d1 + [e2 >= 0] s2 d2
//! D = s0 w + s1 max(e1, 0) + s2 max(e2, 0);  T = a0 + (B + sqrt(D)) / A
//! ```
//!
//! It is ITK's cascade ([`crate::eikonal::local::cascade`]) without its cancellation: `D` is the discriminant as a sum
//! of terms that are not negative. Equal spacings are factored out. Selects, never multiplication by a 0/1 mask:
//! unreached neighbours may square to infinity.
//!
//! # Why the bits are ITK's, on every processor
//!
//! Both forms round correctly up to a bound, [`Steps::reach`], in units in the last place of `f64`. A time is stored as
//! `f32`: the two can only be stored differently if the middle between two neighbouring `f32` lies within that bound
//! of the solution. Where it does (once in 150 voxels where speed and spacing are 1, which makes ties, once in 1e3 to
//! 1e5 elsewhere) the cascade itself is computed, operation by operation, and decides. Products may therefore be fused
//! with additions where a processor can; the stored bits do not depend on it.
//!
//! The bound, with `u = 2^-53`: the cascade computes `D = B^2 - A C` from terms of the size of `B^2 <= (T sum s)^2` with
//! about 15 roundings, and `sqrt(D) >= sqrt(s_min) / F`, so its solution `(B + sqrt(D)) / A` is off by at most
//! `15/2 u (sum s) T^2 F / sqrt(s_min)`. Units in the last place of T are at least `u T`; and T is at most a step,
//! `1 / (F sqrt(s_min))`, later than its earliest neighbour. The form above is off by a few units.
//!
//! With `f64` storage nothing is rounded, so nothing is in doubt: the form above decides, without fused operations.

use super::lanes::{Lanes, Vector, Wide};
use crate::eikonal::Time;
use crate::eikonal::axes::Axes;
use crate::eikonal::local::inverse_squares;
use crate::grid::Spacing3;
use crate::pixel::Pixel;

/// Spacings as the solver needs them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// `1 / h^2` per axis.
    pub(crate) inverse_h2: [f64; 3],
    /// `h^2` of the first axis, for spacings that are the same along all.
    h2: f64,
    /// Whether the spacing is the same along all axes.
    pub(crate) equal: bool,
    /// `8 sum s / sqrt(s_min)`, `8 sum s / s_min`: see [`Steps::reach`].
    slack: [f64; 2],
    /// Inner axis of each axis of the caller, in whose order the cascade adds.
    axes: Axes,
}

/// The longest reach: it covers every number.
const EVERYTHING: i64 = 1 << 28;

impl Steps {
    /// Spacings of a volume whose axes are seen in the order `axes`.
    pub(crate) fn new(spacing: Spacing3, axes: Axes) -> Self {
        let h = spacing.array();
        let s = inverse_squares(h);
        let (sum, least) = (s[0] + s[1] + s[2], s[0].min(s[1]).min(s[2]));
        let slack = [8.0 * sum / least.sqrt(), 8.0 * sum / least];
        Self { inverse_h2: s, h2: 1.0 / s[0], equal: h[0] == h[1] && h[1] == h[2], slack, axes }
    }

    /// How many units in the last place the cascade and the form above may differ, for solutions from neighbours that
    /// are not later than `latest` at speeds up to `fastest`. A power of two.
    pub(crate) fn reach(&self, latest: f64, fastest: f64) -> i64 {
        let units = 64.0 + self.slack[0] * latest * fastest + self.slack[1];
        // Not a number, from 0 times infinity, is beyond every bound too.
        if units < EVERYTHING as f64 { (units as u64).next_power_of_two() as i64 } else { EVERYTHING }
    }
}

/// Three vectors in ascending order.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn sorted<V: Vector>([x, y, z]: [V; 3]) -> [V; 3] {
    // SAFETY: the same promise.
    unsafe {
        let (low, high) = (V::min(x, y), V::max(x, y));
        let (first, middle) = (V::min(low, z), V::max(low, z));
        [first, V::min(middle, high), V::max(middle, high)]
    }
}

/// c + a * b.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn mul_add<L: Lanes>(a: L::Wide, b: L::Wide, c: L::Wide) -> L::Wide {
    // SAFETY: the same promise.
    unsafe { if L::Time::ROUNDED { Wide::mul_add_loosely(a, b, c) } else { Wide::add(c, Wide::mul(a, b)) } }
}

/// c - a * b.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn mul_sub<L: Lanes>(a: L::Wide, b: L::Wide, c: L::Wide) -> L::Wide {
    // SAFETY: the same promise.
    unsafe { if L::Time::ROUNDED { Wide::mul_sub_loosely(a, b, c) } else { Wide::sub(c, Wide::mul(a, b)) } }
}

/// Solutions from the smaller neighbour along each axis, before rounding. Infinite or NaN where the speed is 0.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(crate) unsafe fn solve<L: Lanes, const EQUAL: bool>(
    nearest: [L::Times; 3],
    speed: L::Times,
    steps: &Steps,
) -> L::Wide {
    // SAFETY: the same promise.
    unsafe { if EQUAL { equal_axes::<L>(nearest, speed, steps) } else { unequal_axes::<L>(nearest, speed, steps) } }
}

/// [`solve`] for equal spacings.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn equal_axes<L: Lanes>(nearest: [L::Times; 3], speed: L::Times, steps: &Steps) -> L::Wide {
    // SAFETY: the same promise.
    unsafe {
        let [a0, a1, a2] = sorted(nearest);
        let (a0, a1, a2, f) = (L::widen(a0), L::widen(a1), L::widen(a2), L::widen(speed));
        let w = Wide::div(L::Wide::splat(steps.h2), Wide::mul(f, f));
        let (d1, d2, d12) = (Wide::sub(a1, a0), Wide::sub(a2, a0), Wide::sub(a2, a1));
        let e1 = mul_sub::<L>(d1, d1, w);
        let e2 = mul_sub::<L>(d12, d12, mul_sub::<L>(d2, d2, w));
        let zero = L::Wide::splat(0.0);
        let half = Wide::unless_negative(e1, L::Wide::splat(0.5), L::Wide::splat(1.0));
        let inverse = Wide::unless_negative(e2, L::Wide::splat(1.0 / 3.0), half);
        let b = Wide::add(Wide::unless_negative(e1, d1, zero), Wide::unless_negative(e2, d2, zero));
        let d = Wide::add(Wide::unless_negative(e1, e1, zero), w);
        let d = Wide::add(Wide::unless_negative(e2, e2, zero), d);
        mul_add::<L>(Wide::add(b, Wide::sqrt(d)), inverse, a0)
    }
}

/// [`solve`] for any spacings.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn unequal_axes<L: Lanes>(nearest: [L::Times; 3], speed: L::Times, steps: &Steps) -> L::Wide {
    // SAFETY: the same promise.
    unsafe {
        let f = L::widen(speed);
        let w = Wide::div(L::Wide::splat(1.0), Wide::mul(f, f));
        let [(a0, s0), (a1, s1), (a2, s2)] = sorted_pairs::<L>(nearest, steps.inverse_h2);
        let (d1, d2, d12) = (Wide::sub(a1, a0), Wide::sub(a2, a0), Wide::sub(a2, a1));
        let e1 = mul_sub::<L>(s0, Wide::mul(d1, d1), w);
        let e2 = mul_sub::<L>(s1, Wide::mul(d12, d12), mul_sub::<L>(s0, Wide::mul(d2, d2), w));
        let zero = L::Wide::splat(0.0);
        let (s1, s2) = (Wide::unless_negative(e1, s1, zero), Wide::unless_negative(e2, s2, zero));
        let (d1, d2) = (Wide::unless_negative(e1, d1, zero), Wide::unless_negative(e2, d2, zero));
        let (e1, e2) = (Wide::unless_negative(e1, e1, zero), Wide::unless_negative(e2, e2, zero));
        let a = Wide::add(s0, Wide::add(s1, s2));
        let b = mul_add::<L>(s2, d2, Wide::mul(s1, d1));
        let d = mul_add::<L>(s2, e2, mul_add::<L>(s1, e1, Wide::mul(s0, w)));
        Wide::add(a0, Wide::div(Wide::add(b, Wide::sqrt(d)), a))
    }
}

/// Times and inverse squared spacings, sorted by time; equal times stay in the order given.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn sorted_pairs<L: Lanes>(times: [L::Times; 3], s: [f64; 3]) -> [(L::Wide, L::Wide); 3] {
    // SAFETY: the same promise.
    unsafe {
        let pair = |axis: usize| (L::widen(times[axis]), L::Wide::splat(s[axis]));
        let (x, y, z) = (pair(0), pair(1), pair(2));
        let (first, second) = ordered::<L::Wide>(x, y);
        let (second, third) = ordered::<L::Wide>(second, z);
        let (first, second) = ordered::<L::Wide>(first, second);
        [first, second, third]
    }
}

/// Both pairs, the one with the smaller first number first; as given where they are equal.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn ordered<W: Wide>(a: (W, W), b: (W, W)) -> ((W, W), (W, W)) {
    // SAFETY: the same promise.
    unsafe {
        let swap = W::less(b.0, a.0);
        let (low, high) = (W::select(swap, b.1, a.1), W::select(swap, a.1, b.1));
        ((W::min(b.0, a.0), low), (W::max(b.0, a.0), high))
    }
}

/// The cascade of ITK for eight voxels: the operations of [`crate::eikonal::local::cascade`] in the same order.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(crate) unsafe fn cascade<L: Lanes>(nearest: [L::Times; 3], speed: L::Times, steps: &Steps) -> L::Times {
    // SAFETY: the same promise.
    unsafe {
        let sorted = sorted_pairs::<L>(steps.axes.outer(nearest), steps.axes.outer(steps.inverse_h2));
        let slowness = Wide::div(L::Wide::splat(1.0), L::widen(speed));
        let zero = L::Wide::splat(0.0);
        let (mut a, mut b) = (zero, zero);
        let mut c = Wide::sub(zero, Wide::mul(slowness, slowness));
        let mut solution = L::Wide::splat(L::Time::FAR.to_f64());
        for (t, w) in sorted {
            a = Wide::add(a, w);
            b = Wide::add(b, Wide::mul(t, w));
            c = Wide::add(c, Wide::mul(Wide::mul(t, t), w));
            let discriminant = Wide::sub(Wide::mul(b, b), Wide::mul(a, c));
            let negative = L::Wide::less(discriminant, zero);
            let root = L::Wide::select(negative, zero, Wide::sqrt(discriminant));
            // Times ascend: once a solution is earlier than its next neighbour it is earlier than the one after.
            let done = L::Wide::less(solution, t);
            solution = L::Wide::select(done, solution, Wide::div(Wide::add(root, b), a));
        }
        L::narrow(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Size3;

    fn steps(spacing: [f64; 3]) -> Steps {
        Steps::new(Spacing3::new(spacing).unwrap(), Axes::thinnest_last(Size3::new([9; 3]).unwrap()))
    }

    /// `64 + 8 sum s / sqrt(s_min) T F + 8 sum s / s_min` with s = 1 / h^2, up to the next power of two.
    #[test]
    fn a_reach_grows_with_time_speed_and_unequal_spacing() {
        let (equal, unequal) = (steps([1.0; 3]), steps([1.0, 1.0, 2.0]));
        let reaches = [0.0, 1.0, 100.0, 2000.0].map(|latest| equal.reach(latest, 2.0));
        assert_eq!(reaches, [128, 256, 8192, 131_072]);
        // 64 + 36 * 100 * 3 + 72 and 64 + 36 * 0.5 + 72
        assert_eq!((unequal.reach(100.0, 3.0), unequal.reach(1.0, 0.5), unequal.reach(0.0, 1.0)), (16_384, 256, 256));
        assert_eq!([1e9, f64::INFINITY, f64::NAN].map(|latest| equal.reach(latest, 2.0)), [EVERYTHING; 3]);
        assert!(EVERYTHING > i64::from(u8::MAX) << 20);
    }
}
