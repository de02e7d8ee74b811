//! Phase A: how fast phi changes at each active voxel.
//!
//! Eight active voxels are computed side by side, each with the operations of [`super`] in their order.

use super::fields::Fields;
use super::lattice::{Lattice, Offset};
use super::sampling::{Around, Sampler};
use crate::simd::{Constants, Kernel, LANES, Single, narrow, widen};
use fearless_simd::prelude::*;

/// Which terms move the surface, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    pub(super) propagation: f32,
    pub(super) curvature: f32,
    pub(super) advection: f32,
    /// The smaller of the two principal curvatures rather than their sum.
    pub(super) minimal: bool,
    /// Where the gradient vanishes minimal curvature is the mean one rather than NaN.
    pub(super) guarded: bool,
    /// Whether the speed multiplies the curvature.
    pub(super) curvature_uses_speed: bool,
}

impl Terms {
    /// Whether a term uses the speed.
    pub(super) fn needs_speed(&self) -> bool {
        self.propagation != 0.0 || (self.curvature != 0.0 && self.curvature_uses_speed)
    }
}

/// The largest changes met, which bound the time step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Largest {
    pub(super) advection: f32,
    pub(super) propagation: f32,
    pub(super) curvature: f32,
}

impl Largest {
    /// The larger of both, term by term.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            advection: self.advection.max(other.advection),
            propagation: self.propagation.max(other.propagation),
            curvature: self.curvature.max(other.curvature),
        }
    }

    /// The time step that moves no voxel by more than a sixth of the smallest spacing by a term.
    pub(super) fn time_step(self, lattice: &Lattice) -> f64 {
        const SHARE: f64 = 1.0 / 6.0;
        let moved = f64::from(self.advection + self.propagation);
        let curved = f64::from(self.curvature);
        let step = match (moved > 0.0, curved > 0.0) {
            (true, true) => (SHARE / moved).min(SHARE / curved),
            (true, false) => SHARE / moved,
            (false, true) => SHARE / curved,
            (false, false) => 0.0,
        };
        step / lattice.spacing.iter().fold(0.0, |largest: f64, h| largest.max(1.0 / h))
    }
}

/// Rates of change of a piece of the list of active voxels.
pub(super) struct Update<'a> {
    pub(super) lattice: &'a Lattice,
    pub(super) fields: &'a Fields,
    pub(super) terms: Terms,
    pub(super) phi: &'a [f32],
    pub(super) active: &'a [Offset],
    pub(super) rates: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = Largest;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Largest {
        let Self { lattice, fields, terms, phi, active, rates } = self;
        let equations = Equations::new(simd, lattice, fields, terms);
        let mut maxima = Maxima::new(simd);
        for (active, rates) in active.chunks(LANES).zip(rates.chunks_mut(LANES)) {
            let mut places = [active[0] as usize; LANES];
            places.iter_mut().zip(active).for_each(|(place, at)| *place = *at as usize);
            let rate = equations.rate(phi, &places, &mut maxima);
            rates.copy_from_slice(&rate.as_slice()[..rates.len()]);
        }
        maxima.reduce()
    }
}

/// [`Largest`] of each lane.
struct Maxima<S: Simd> {
    advection: Single<S>,
    propagation: Single<S>,
    curvature: Single<S>,
}

impl<S: Simd> Maxima<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let zero = Single::splat(simd, 0.0);
        Self { advection: zero, propagation: zero, curvature: zero }
    }

    fn reduce(self) -> Largest {
        let largest = |lanes: Single<S>| lanes.as_slice().iter().fold(0.0, |a: f32, b| a.max(*b));
        Largest {
            advection: largest(self.advection),
            propagation: largest(self.propagation),
            curvature: largest(self.curvature),
        }
    }
}

/// Raises `largest` to the magnitude of `value`; NaN does not count.
#[inline(always)]
fn raise<S: Simd>(largest: &mut Single<S>, value: Single<S>) {
    let magnitude = value.abs();
    *largest = magnitude.simd_gt(*largest).select(magnitude, *largest);
}

/// The pairs of axes that span the planes xy, xz, yz.
const PLANES: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 2]];

/// First differences of phi, in mm per mm.
struct Slopes<S: Simd> {
    central: [Single<S>; 3],
    forward: [Single<S>; 3],
    backward: [Single<S>; 3],
}

/// The equations of an evolution, ready for vectors.
struct Equations<'a, S: Simd> {
    simd: S,
    sampler: Sampler<'a, S>,
    terms: Terms,
    /// `1 / spacing`.
    k: [f64; 3],
}

impl<'a, S: Simd> Equations<'a, S> {
    #[inline(always)]
    fn new(simd: S, lattice: &'a Lattice, fields: &'a Fields, terms: Terms) -> Self {
        let k = lattice.spacing.map(|h| 1.0 / h);
        Self { simd, sampler: Sampler::new(simd, lattice, fields, terms), terms, k }
    }

    /// d phi / dt at eight voxels.
    #[inline(always)]
    fn rate(&self, phi: &[f32], places: &[usize; LANES], maxima: &mut Maxima<S>) -> Single<S> {
        let index = self.sampler.coordinates(places);
        let around = self.sampler.read_phi(phi, places, &index);
        let slopes = self.slopes(&around);
        let points = self.sampler.nearest_points(&around, &index);
        let (speed, advection) = self.sampler.read_fields(&points);
        let zero = self.simd.single(0.0);
        let (mut curvature_term, mut propagation_term, mut advection_term) = (zero, zero, zero);
        if self.terms.curvature != 0.0 {
            curvature_term = self.curvature(&around, &slopes) * self.simd.single(self.terms.curvature);
            if self.terms.curvature_uses_speed {
                curvature_term *= speed;
            }
            raise(&mut maxima.curvature, curvature_term);
        }
        if self.terms.advection != 0.0 {
            advection_term = self.advection_term(&slopes, &advection, &mut maxima.advection);
        }
        if self.terms.propagation != 0.0 {
            let step = self.simd.single(self.terms.propagation) * speed;
            raise(&mut maxima.propagation, step);
            propagation_term = step * self.upwind_norm(&slopes, step);
        }
        (curvature_term - propagation_term) - advection_term
    }

    /// `f32(difference * k)`.
    #[inline(always)]
    fn per_mm(&self, difference: Single<S>, axis: usize) -> Single<S> {
        narrow(widen(difference) * self.simd.double(self.k[axis]))
    }

    #[inline(always)]
    fn slopes(&self, around: &Around<S>) -> Slopes<S> {
        let zero = self.simd.single(0.0);
        let mut slopes = Slopes { central: [zero; 3], forward: [zero; 3], backward: [zero; 3] };
        for a in 0..3 {
            let (before, q, behind) = (around.before(a), around.centre(), around.behind(a));
            let half = self.simd.double(0.5) * widen(behind - before);
            slopes.central[a] = narrow(half * self.simd.double(self.k[a]));
            slopes.forward[a] = self.per_mm(behind - q, a);
            slopes.backward[a] = self.per_mm(q - before, a);
        }
        slopes
    }

    /// Second differences along (x, y, z).
    #[inline(always)]
    fn straight(&self, around: &Around<S>) -> [Single<S>; 3] {
        let mut straight = [self.simd.single(0.0); 3];
        for a in 0..3 {
            let sum = widen(around.behind(a) + around.before(a));
            let twice = self.simd.double(2.0) * widen(around.centre());
            straight[a] = narrow((sum - twice) * self.simd.double(self.k[a] * self.k[a]));
        }
        straight
    }

    /// Mixed second differences in the planes xy, xz, yz.
    #[inline(always)]
    fn mixed(&self, around: &Around<S>) -> [Single<S>; 3] {
        let mut mixed = [self.simd.single(0.0); 3];
        for (plane, [a, b]) in PLANES.into_iter().enumerate() {
            let [mm, mp, pm, pp] = around.edges(plane);
            let quarter = self.simd.double(0.25) * widen(((mm - mp) - pm) + pp);
            mixed[plane] = narrow((quarter * self.simd.double(self.k[a])) * self.simd.double(self.k[b]));
        }
        mixed
    }

    /// The sum of the principal curvatures, or the smaller one.
    #[inline(always)]
    fn curvature(&self, around: &Around<S>, slopes: &Slopes<S>) -> Single<S> {
        let (d, straight, mixed) = (&slopes.central, self.straight(around), self.mixed(around));
        let mut sum = self.simd.single(0.0);
        for (a, b, plane) in [(0, 1, 0), (0, 2, 1), (1, 0, 0), (1, 2, 2), (2, 0, 1), (2, 1, 2)] {
            sum -= (d[a] * d[b]) * mixed[plane];
            sum += (straight[b] * d[a]) * d[a];
        }
        let square = ((self.simd.single(1e-6) + d[0] * d[0]) + d[1] * d[1]) + d[2] * d[2];
        let mean = sum / square;
        if self.terms.minimal { self.minimal(mean, d, &straight, &mixed) } else { mean }
    }

    /// The smaller principal curvature from the sum of both.
    #[inline(always)]
    fn minimal(
        &self,
        mean: Single<S>,
        d: &[Single<S>; 3],
        straight: &[Single<S>; 3],
        mixed: &[Single<S>; 3],
    ) -> Single<S> {
        let [xx, yy, zz] = *straight;
        let [xy, zx, yz] = *mixed;
        let across = ((d[0] * d[1]) * (zx * yz - xy * zz) + (d[1] * d[2]) * (zx * xy - yz * xx))
            + (d[2] * d[0]) * (yz * xy - zx * yy);
        let along = ((self.simd.single(2.0) * across + (d[0] * d[0]) * (yy * zz - yz * yz))
            + (d[1] * d[1]) * (xx * zz - zx * zx))
            + (d[2] * d[2]) * (yy * xx - xy * xy);
        let square = (d[0] * d[0] + d[1] * d[1]) + d[2] * d[2];
        let zero = self.simd.single(0.0);
        let gauss = along / square;
        let rest = mean * mean - gauss;
        let root = rest.simd_lt(zero).select(zero, rest).sqrt();
        let minimal = mean - root;
        if self.terms.guarded { square.simd_eq(zero).select(mean, minimal) } else { minimal }
    }

    /// V against the upwind differences.
    #[inline(always)]
    fn advection_term(&self, slopes: &Slopes<S>, advection: &[Single<S>; 3], largest: &mut Single<S>) -> Single<S> {
        let zero = self.simd.single(0.0);
        let weight = self.simd.single(self.terms.advection);
        let mut sum = zero;
        for a in 0..3 {
            let weighted = weight * advection[a];
            let upwind = weighted.simd_gt(zero).select(slopes.backward[a], slopes.forward[a]);
            sum += advection[a] * upwind;
            raise(largest, weighted);
        }
        sum * weight
    }

    /// Length of the gradient from upwind differences, for a surface that moves with `step`.
    #[inline(always)]
    fn upwind_norm(&self, slopes: &Slopes<S>, step: Single<S>) -> Single<S> {
        let zero = self.simd.single(0.0);
        let growing = step.simd_gt(zero);
        let mut sum = zero;
        for a in 0..3 {
            let (backward, forward) = (slopes.backward[a], slopes.forward[a]);
            let rise = growing.select(backward, forward);
            let fall = growing.select(forward, backward);
            let rise = rise.simd_lt(zero).select(zero, rise);
            let fall = fall.simd_gt(zero).select(zero, fall);
            let (of_backward, of_forward) = (growing.select(rise, fall), growing.select(fall, rise));
            sum += of_backward * of_backward + of_forward * of_forward;
        }
        sum.sqrt()
    }
}
