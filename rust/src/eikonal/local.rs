//! The local solver: the arrival time at one voxel from those of its face neighbours, as ITK computes it.
//!
//! With `t_a` the smaller neighbour on axis a, `h_a` the spacing and F the speed, T solves
//! `sum over upwind axes of ((T - t_a) / h_a)^2 = 1 / F^2`, where an axis is upwind if `t_a < T`.
//!
//! All arithmetic is `f64`; a time is rounded once, when it is stored: to `f32`, which gives the numbers of the `itk`
//! wheel on float images, or not at all (`f64`), which gives those of SimpleITK.

use crate::pixel::Pixel;

/// Storage type of an arrival time.
pub trait Time: Pixel + Default {
    /// "Never reached": half of the largest finite value, as in ITK.
    const FAR: Self;
    /// Infinity.
    const INFINITE: Self;
    /// Not a number.
    const NOT_A_NUMBER: Self;
    /// Whether storing rounds what `f64` arithmetic gives.
    const ROUNDED: bool;
    /// Rounded to this precision.
    fn from_f64(value: f64) -> Self;
    /// The next smaller number.
    fn next_smaller(self) -> Self;
}

macro_rules! impl_time {
    ($t:ident, rounded: $rounded:literal) => {
        impl Time for $t {
            const FAR: Self = $t::MAX / 2.0;
            const INFINITE: Self = $t::INFINITY;
            const NOT_A_NUMBER: Self = $t::NAN;
            const ROUNDED: bool = $rounded;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            fn next_smaller(self) -> Self {
                self.next_down()
            }
        }
    };
}

impl_time!(f32, rounded: true);
impl_time!(f64, rounded: false);

/// The cascade as ITK computes it: sort the axes by time, add them one by one while they are upwind.
///
/// `times` and `inverse_h2` are per axis `(x, y, z)`; ties keep that order. Returns `far` or more where no
/// neighbour is known. A discriminant below zero (cancellation at `time * speed / h` above 1e7, where ITK throws)
/// counts as zero.
pub fn cascade(times: [f64; 3], inverse_h2: [f64; 3], speed: f64, far: f64) -> f64 {
    let mut axes = [(times[0], inverse_h2[0]), (times[1], inverse_h2[1]), (times[2], inverse_h2[2])];
    axes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let slowness = 1.0 / speed;
    let (mut a, mut b, mut c) = (0.0, 0.0, -(slowness * slowness));
    let mut solution = far;
    for (t, w) in axes {
        if solution < t {
            break;
        }
        a += w;
        b += t * w;
        c += t * t * w;
        let discriminant: f64 = b * b - a * c;
        // Not `max`: a NaN, from speed 0 beside an unreached neighbour in `f64`, must stay one.
        solution = (if discriminant < 0.0 { 0.0 } else { discriminant.sqrt() } + b) / a;
    }
    solution
}

/// `1 / h^2` per axis, computed as ITK does: the square of the reciprocal.
pub fn inverse_squares(spacing: [f64; 3]) -> [f64; 3] {
    spacing.map(|h| (1.0 / h) * (1.0 / h))
}

/// One component of the upwind gradient from the times of a voxel and its two neighbours on an axis.
///
/// `None` stands for a neighbour outside or not accepted. Differences in storage precision, division in `f64`,
/// result in `f32`, as in ITK.
#[inline(always)]
pub fn gradient_component<T: Time>(before: Option<T>, here: T, after: Option<T>, spacing: f64) -> f32 {
    let difference = |a: T, b: T| T::from_f64(a.to_f64() - b.to_f64()).to_f64();
    let back = before.map_or(0.0, |t| difference(here, t));
    let ahead = after.map_or(0.0, |t| difference(t, here));
    let steepest = if back.max(-ahead) < 0.0 {
        0.0
    } else if back > -ahead {
        back
    } else {
        ahead
    };
    (steepest / spacing) as f32
}

/// Product of two gradients: each term in `f32`, the sum in `f64`, the result in `f32`.
///
/// The sum starts at +0 as ITK's does (`Iterator::sum` starts at -0 and would give -0 for terms that are all -0).
#[inline(always)]
pub fn product(a: [f32; 3], b: [f32; 3]) -> f32 {
    (0..3).fold(0.0, |sum, axis| sum + f64::from(a[axis] * b[axis])) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: f64 = f32::FAR as f64;

    #[test]
    fn one_neighbour_adds_a_step() {
        assert_eq!(cascade([3.0, FAR, FAR], [1.0; 3], 0.5, FAR), 5.0);
    }

    #[test]
    fn a_neighbour_exactly_as_late_as_the_solution_is_added() {
        let (w, alone) = (inverse_squares([0.5, 1.7, 1.0]), 2.925);
        assert_eq!(cascade([2.3, FAR, FAR], w, 0.8, FAR), alone);
        // One axis more is one rounding more.
        assert_eq!(cascade([2.3, alone, FAR], w, 0.8, FAR), alone.next_up().next_up());
    }

    #[test]
    fn a_discriminant_below_zero_counts_as_zero() {
        // 1e11 mm at speed 1 leave no digit for a step of 1.9 mm.
        let (t, w) = (94_700_000_000.0, inverse_squares([1.9, 1.0, 1.0]));
        assert_eq!(cascade([t, FAR, FAR], w, 1.0, FAR), t * w[0] / w[0]);
    }

    #[test]
    fn two_equal_neighbours_meet_diagonally() {
        let t = cascade([0.0, 0.0, FAR], [1.0; 3], 1.0, FAR);
        assert!((t - 0.5f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn zero_speed_is_never_reached() {
        assert!(cascade([0.0, 0.0, 0.0], [1.0; 3], 0.0, FAR) > FAR);
    }

    #[test]
    fn the_solution_satisfies_the_equation() {
        let (times, h) = ([1.0, 1.2, 1.1], [0.8, 1.5, 1.1]);
        let t = cascade(times, inverse_squares(h), 0.7, FAR);
        let sum: f64 = (0..3).map(|a| ((t - times[a]) / h[a]).max(0.0).powi(2)).sum();
        assert!((sum - 1.0 / 0.49).abs() < 1e-12);
    }

    #[test]
    fn gradient_takes_the_smaller_neighbour() {
        assert_eq!(gradient_component(Some(1.0f32), 3.0, Some(2.0), 1.0), 2.0);
        assert_eq!(gradient_component(Some(2.0f32), 3.0, Some(1.0), 1.0), -2.0);
        assert_eq!(gradient_component(Some(4.0f32), 3.0, None, 1.0), 0.0);
        assert_eq!(gradient_component::<f32>(None, 3.0, None, 1.0), 0.0);
    }

    #[test]
    fn the_product_of_opposite_zeros_is_plus_zero() {
        assert_eq!(product([0.0; 3], [-0.0; 3]).to_bits(), 0);
    }
}
