//! The local solver of the tiles: many voxels at once, one square root each.
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
//! It is ITK's cascade ([`crate::eikonal::upwind::cascade`]) without its cancellation: `D` is the discriminant as a
//! sum of terms that are not negative. ITK's own form loses about `T F / h` units in the last place of `f64`. Where
//! that could move the result to another `f32`, which happens once in 500 solutions where speed and spacing are 1
//! (ties), once in 1e4 to 1e6 elsewhere, the voxel is solved again by the cascade itself, so the stored bits are
//! always ITK's. Equal spacings are factored out, which leaves one square root and one division (F^2 is exact in
//! `f64`). Arithmetic is `f64`, no fused multiply-add, so every instruction set gives the same bits. Selects, never
//! multiplication by a 0/1 mask: unreached neighbours may square to infinity.

use super::shape::VOXELS;
use crate::eikonal::Time;
use crate::eikonal::upwind::cascade;

/// Voxels of the largest batch.
pub(crate) const LARGEST: usize = 4 * VOXELS;

/// Places of a batch: eight voxels may be written at once beyond the last.
const ROOM: usize = LARGEST + LANES;

/// Voxels to solve, side by side.
#[repr(align(64))]
pub(crate) struct Batch<T> {
    /// Smaller neighbour time along each axis.
    pub(crate) nearest: [[T; ROOM]; 3],
    /// Speed of each voxel.
    pub(crate) speed: [T; ROOM],
    /// The solutions.
    pub(crate) solution: [T; ROOM],
    /// 1 where the solution could round differently.
    doubt: [u8; ROOM],
}

impl<T: Time> Batch<T> {
    /// An empty batch.
    pub(crate) fn new() -> Box<Self> {
        let none = [T::default(); ROOM];
        Box::new(Self { nearest: [none; 3], speed: none, solution: none, doubt: [0; ROOM] })
    }
}

/// Batches are rounded up to this many voxels, so that vector loops have no scalar rest.
const LANES: usize = 16;

/// Bound on the difference between the cascade and the form above, per unit of `T (1 + T F / h)`.
///
/// The cascade's discriminant `B^2 - A C` has an error of a few `f64` units of `B^2`; its root is at least `h / F`
/// times the smallest `s`, so the solution is off by a few units of `T (T F / h)`. Sixteen units are allowed for.
const SLACK: f64 = 16.0 * f64::EPSILON;

#[inline(always)]
fn min<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

#[inline(always)]
fn max<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { b } else { a }
}

/// One voxel, squared spacing `h2` along all axes.
#[inline(always)]
fn equal_axes<T: Time>([x, y, z]: [T; 3], f: f64, h2: f64) -> f64 {
    let w = h2 / (f * f);
    let (low, high) = (min(x, y), max(x, y));
    let (a0, middle) = (min(low, z), max(low, z));
    let (a1, a2) = (min(middle, high), max(middle, high));
    let (a0, a1, a2) = (a0.to_f64(), a1.to_f64(), a2.to_f64());
    let (d1, d2, d12) = (a1 - a0, a2 - a0, a2 - a1);
    let (e1, e2) = (w - d1 * d1, w - (d2 * d2 + d12 * d12));
    let (m1, m2) = (e1 >= 0.0, e2 >= 0.0);
    let half = if m1 { 0.5 } else { 1.0 };
    let inverse = if m2 { 1.0 / 3.0 } else { half };
    let b = if m1 { d1 } else { 0.0 } + if m2 { d2 } else { 0.0 };
    a0 + (b + (w + max(e1, 0.0) + max(e2, 0.0)).sqrt()) * inverse
}

/// One voxel, inverse squared spacing `s` along each axis.
#[inline(always)]
fn unequal_axes<T: Time>(times: [T; 3], f: f64, s: [f64; 3]) -> f64 {
    let [x, y, z] = times.map(T::to_f64);
    let w = 1.0 / (f * f);
    let swap = y < x;
    let (low, sl) = (min(x, y), if swap { s[1] } else { s[0] });
    let (high, sh) = (max(x, y), if swap { s[0] } else { s[1] });
    let swap = z < low;
    let (a0, s0) = (min(low, z), if swap { s[2] } else { sl });
    let (middle, sm) = (max(low, z), if swap { sl } else { s[2] });
    let swap = high < middle;
    let (a1, s1) = (min(middle, high), if swap { sh } else { sm });
    let (a2, s2) = (max(middle, high), if swap { sm } else { sh });
    let (d1, d2, d12) = (a1 - a0, a2 - a0, a2 - a1);
    let (e1, e2) = (w - s0 * (d1 * d1), w - (s0 * (d2 * d2) + s1 * (d12 * d12)));
    let (m1, m2) = (e1 >= 0.0, e2 >= 0.0);
    let a = s0 + if m1 { s1 } else { 0.0 } + if m2 { s2 } else { 0.0 };
    let b = if m1 { s1 * d1 } else { 0.0 } + if m2 { s2 * d2 } else { 0.0 };
    a0 + (b + (s0 * w + s1 * max(e1, 0.0) + s2 * max(e2, 0.0)).sqrt()) / a
}

/// Whether the cascade could round to another number than `u`: 0 or 1.
#[inline(always)]
fn doubtful<T: Time>(u: f64, f: f64, inverse_h: f64) -> u8 {
    let slack = SLACK * u * (1.0 + u * f * inverse_h);
    let (low, high) = (T::from_f64(u - slack).to_f64(), T::from_f64(u + slack).to_f64());
    u8::from(low < high)
}

/// Solves the first `n` voxels of the batch with `one`; a flat loop, which the compiler turns into vectors.
#[inline(always)]
fn solve_with<T: Time>(batch: &mut Batch<T>, n: usize, s: [f64; 3], one: impl Fn([T; 3], f64) -> f64 + Copy) {
    let n = n.next_multiple_of(LANES).min(LARGEST);
    let inverse_h = s[0].max(s[1]).max(s[2]).sqrt();
    let Batch { nearest: [x, y, z], speed, solution, doubt } = batch;
    let (x, y, z, speed) = (&x[..n], &y[..n], &z[..n], &speed[..n]);
    let (solution, doubt) = (&mut solution[..n], &mut doubt[..n]);
    let mut doubts = 0;
    for i in 0..n {
        let f = speed[i].to_f64();
        let u = one([x[i], y[i], z[i]], f);
        solution[i] = T::from_f64(u);
        if T::ROUNDED {
            doubt[i] = doubtful::<T>(u, f, inverse_h);
            doubts |= doubt[i];
        }
    }
    if doubts != 0 {
        resolve(batch, n, s);
    }
}

/// Solves again, by the cascade, the voxels whose result could round differently.
#[cold]
#[inline(never)]
fn resolve<T: Time>(batch: &mut Batch<T>, n: usize, s: [f64; 3]) {
    for i in (0..n).filter(|i| batch.doubt[*i] != 0) {
        let (times, f) = ([0, 1, 2].map(|axis| batch.nearest[axis][i].to_f64()), batch.speed[i].to_f64());
        batch.solution[i] = T::from_f64(cascade(times, s, f, T::FAR.to_f64()));
    }
}

/// Solves the first `n` voxels of the batch, `s` the same inverse squared spacing along all axes.
#[inline(always)]
pub(crate) fn solve_isotropic<T: Time>(batch: &mut Batch<T>, n: usize, s: [f64; 3]) {
    let h2 = 1.0 / s[0];
    solve_with(batch, n, s, |times, f| equal_axes(times, f, h2));
}

/// Solves the first `n` voxels of the batch, `s` the inverse squared spacing along each axis.
#[inline(always)]
pub(crate) fn solve_anisotropic<T: Time>(batch: &mut Batch<T>, n: usize, s: [f64; 3]) {
    solve_with(batch, n, s, |times, f| unequal_axes(times, f, s));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eikonal::upwind::{cascade, inverse_squares};
    use proptest::prelude::*;

    fn solve(times: [f32; 3], speed: f32, spacing: [f64; 3]) -> f32 {
        let mut batch = Batch::<f32>::new();
        (0..3).for_each(|a| batch.nearest[a][0] = times[a]);
        let s = inverse_squares(spacing);
        batch.speed[0] = speed;
        if spacing[0] == spacing[1] && spacing[1] == spacing[2] {
            solve_isotropic(&mut batch, 1, s);
        } else {
            solve_anisotropic(&mut batch, 1, s);
        }
        batch.solution[0]
    }

    fn time() -> impl Strategy<Value = f32> {
        prop_oneof![8 => 0f32..50.0, 1 => Just(f32::FAR)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn one_square_root_gives_the_bits_of_the_cascade(
            times in [time(), time(), time()],
            speed in 0.01f32..4.0,
            spacing in prop_oneof![Just([1.0; 3]), Just([0.7; 3]), [0.5f64..2.0, 0.5f64..2.0, 0.5f64..5.0]],
        ) {
            prop_assume!(times.iter().any(|t| *t < f32::FAR));
            let far = f64::from(f32::FAR);
            let expected = cascade(times.map(f64::from), inverse_squares(spacing), f64::from(speed), far) as f32;
            prop_assert_eq!(solve(times, speed, spacing), expected);
        }
    }

    #[test]
    fn nothing_known_gives_nothing() {
        for spacing in [[1.0; 3], [1.0, 2.0, 3.0]] {
            assert!(solve([f32::FAR; 3], 1.0, spacing) >= f32::FAR);
        }
    }
}
