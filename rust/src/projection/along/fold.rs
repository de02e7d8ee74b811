//! What is done with the voxels of a line.
//!
//! A [`Fold`] works in two ways that the kernels of `mod.rs` choose between: `step` takes one voxel of each of
//! many lines, in the order of the axis; `line` takes a whole line at once. For extrema both give the same. Sums
//! of floating point are rounded in NumPy's order: one after the other by `step`, pairwise by `line` (Higham,
//! "The accuracy of floating point summation", 1993; blocks as in NumPy's reduction of a contiguous axis).

use super::lines::VoxelRun;
use crate::projection::number::{Number, Summand};
use std::marker::PhantomData;

/// A way to make one number of a line. Everything is `#[inline(always)]`, see [`crate::cpu::Vectorize`].
pub(super) trait Fold<T: Number>: Sized {
    /// The running result, which is also the output's type.
    type Acc: Copy + Send + Sync;
    /// What differs from line to line, e.g. the mean when deviations are summed.
    type Param: Copy + Send + Sync;
    /// The result of no voxel.
    const START: Self::Acc;

    /// Takes one voxel.
    fn step(acc: Self::Acc, value: T, param: Self::Param) -> Self::Acc;

    /// As [`fold_each`], with as many running results as there are lanes.
    ///
    /// # Safety
    /// Each run must have these voxels.
    #[inline(always)]
    unsafe fn block<R: VoxelRun<T>, const N: usize>(
        accs: &mut [Self::Acc],
        runs: [R; N],
        first: usize,
        params: impl Fn(usize) -> Self::Param,
    ) {
        // SAFETY: the caller's promise.
        unsafe { fold_each::<T, Self, R, N>(accs, runs, first, params) }
    }

    /// Takes the `n` voxels of a line.
    ///
    /// # Safety
    /// `run` must have `n` voxels.
    unsafe fn line<R: VoxelRun<T>>(run: R, n: usize, param: Self::Param) -> Self::Acc;

    /// Takes several lines of `n` voxels each, side by side where that is faster.
    ///
    /// # Safety
    /// Each run must have `n` voxels.
    #[inline(always)]
    unsafe fn lines<R: VoxelRun<T>, const N: usize>(
        runs: [R; N],
        n: usize,
        params: [Self::Param; N],
    ) -> [Self::Acc; N] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|k| unsafe { Self::line(runs[k], n, params[k]) })
    }

    /// The last touch, once all `n` voxels of the line are taken; `line` finds it again where that is needed.
    ///
    /// # Safety
    /// What `line` returns must have `n` voxels.
    unsafe fn finish<R: VoxelRun<T>>(acc: Self::Acc, line: impl FnOnce() -> R, n: usize) -> Self::Acc;
}

/// Takes the voxels from `first` on of several runs, one after the other: as many of each as there are running results.
///
/// # Safety
/// Each run must have these voxels.
#[inline(always)]
pub(super) unsafe fn fold_each<T: Number, F: Fold<T>, R: VoxelRun<T>, const N: usize>(
    accs: &mut [F::Acc],
    runs: [R; N],
    first: usize,
    params: impl Fn(usize) -> F::Param,
) {
    for (k, acc) in accs.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *acc = runs.into_iter().fold(*acc, |acc, run| F::step(acc, unsafe { run.get(first + k) }, params(k)));
    }
}

/// An order in which one value beats another.
pub(super) trait Order<T: Number> {
    /// What every number beats or equals.
    const START: T;
    /// Result of a line of nothing but NaN.
    const NOTHING: T;
    /// `value` where it beats `best`, else `best`; NaN never beats. Compiles to one instruction: written by way of `beats`
    /// it takes nearly twice as long for `i16`.
    fn better(best: T, value: T) -> T;
    /// Whether `value` beats `best`.
    fn beats(value: T, best: T) -> bool;
}

/// Largest value.
pub(super) struct Max;
/// Smallest value.
pub(super) struct Min;

/// Runs `$body` with the type alias `$o` bound to the order of `$which`.
macro_rules! dispatch_order {
    ($which:expr, $o:ident => $body:expr) => {
        match $which {
            $crate::projection::Extremum::Max => {
                type $o = $crate::projection::along::fold::Max;
                $body
            }
            $crate::projection::Extremum::Min => {
                type $o = $crate::projection::along::fold::Min;
                $body
            }
        }
    };
}

pub(super) use dispatch_order;

impl<T: Number> Order<T> for Max {
    const START: T = T::FLOOR;
    const NOTHING: T = T::LOWEST;
    #[inline(always)]
    fn better(best: T, value: T) -> T {
        if best < value { value } else { best }
    }
    #[inline(always)]
    fn beats(value: T, best: T) -> bool {
        best < value
    }
}

impl<T: Number> Order<T> for Min {
    const START: T = T::CEILING;
    const NOTHING: T = T::HIGHEST;
    #[inline(always)]
    fn better(best: T, value: T) -> T {
        if value < best { value } else { best }
    }
    #[inline(always)]
    fn beats(value: T, best: T) -> bool {
        value < best
    }
}

/// Index of the first voxel of a line that is a number.
///
/// # Safety
/// `run` must have `n` voxels.
#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
pub(super) unsafe fn first_number<T: Number, R: VoxelRun<T>>(run: R, n: usize) -> Option<usize> {
    // SAFETY: the caller's promise.
    (0..n).find(|&i| unsafe { run.get(i) == run.get(i) })
}

/// Lines that are read side by side where each is contiguous, from places far apart: a processor fetches ahead in several
/// pages at once, and one page alone gives only two thirds of the memory's speed.
pub(super) const STREAMS: usize = 2;

/// Times [`LANE_BYTES`] of a line that are folded side by side: enough to hide the latency of a comparison, and for
/// [`STREAMS`] lines still no more registers than AVX2 has, so that none is kept in memory.
///
/// [`LANE_BYTES`]: crate::projection::number::LANE_BYTES
const TOGETHER: usize = 2;

/// Extremum of the kind `O`.
pub(super) struct Extreme<O>(PhantomData<O>);

impl<T: Number, O: Order<T>> Fold<T> for Extreme<O> {
    type Acc = T;
    type Param = ();
    const START: T = O::START;

    #[inline(always)]
    fn step(acc: T, value: T, (): ()) -> T {
        O::better(acc, value)
    }

    /// By whole vectors: left to the compiler, small numbers are compared one at a time, because results could overlap voxels.
    #[inline(always)]
    unsafe fn block<R: VoxelRun<T>, const N: usize>(
        accs: &mut [T],
        runs: [R; N],
        first: usize,
        _params: impl Fn(usize),
    ) {
        let mut best = T::lanes(O::START);
        best.as_mut().copy_from_slice(accs);
        for run in runs {
            // SAFETY: the caller's promise.
            keep_better::<T, O>(&mut best, &unsafe { run.lanes(first) });
        }
        accs.copy_from_slice(best.as_ref());
    }

    #[inline(always)]
    unsafe fn line<R: VoxelRun<T>>(run: R, n: usize, (): ()) -> T {
        // SAFETY: the caller's promise.
        unsafe { best_of_lines::<T, O, R, 1>([run], n)[0] }
    }

    #[inline(always)]
    unsafe fn lines<R: VoxelRun<T>, const N: usize>(runs: [R; N], n: usize, _params: [(); N]) -> [T; N] {
        // SAFETY: the caller's promise.
        unsafe { best_of_lines::<T, O, R, N>(runs, n) }
    }

    #[inline(always)]
    unsafe fn finish<R: VoxelRun<T>>(acc: T, line: impl FnOnce() -> R, n: usize) -> T {
        // SAFETY: the caller's promise.
        if T::HAS_NAN && acc == O::START && unsafe { first_number(line(), n) }.is_none() { O::NOTHING } else { acc }
    }
}

/// # Safety
/// Each run must have `n` voxels.
#[inline(always)]
unsafe fn best_of_lines<T: Number, O: Order<T>, R: VoxelRun<T>, const N: usize>(runs: [R; N], n: usize) -> [T; N] {
    let mut best = [[T::lanes(O::START); TOGETHER]; N];
    let lanes = best[0][0].as_ref().len();
    let whole = n - n % (TOGETHER * lanes);
    for start in (0..whole).step_by(TOGETHER * lanes) {
        for (best, run) in best.iter_mut().zip(runs) {
            for (i, best) in best.iter_mut().enumerate() {
                // SAFETY: `start + TOGETHER * lanes <= n`.
                let values = unsafe { run.lanes(start + i * lanes) };
                keep_better::<T, O>(best, &values);
            }
        }
    }
    std::array::from_fn(|k| {
        let [mut first, rest @ ..] = best[k];
        rest.iter().for_each(|rest| keep_better::<T, O>(&mut first, rest));
        // SAFETY: `i < n`.
        (whole..n).fold(best_lane::<T, O>(first), |best, i| O::better(best, unsafe { runs[k].get(i) }))
    })
}

/// Keeps in each lane the better of two values.
#[inline(always)]
pub(super) fn keep_better<T: Number, O: Order<T>>(best: &mut T::Lanes, values: &T::Lanes) {
    for (best, value) in best.as_mut().iter_mut().zip(values.as_ref()) {
        *best = O::better(*best, *value);
    }
}

/// The best of all lanes, by halves so that it stays in vectors.
#[inline(always)]
pub(super) fn best_lane<T: Number, O: Order<T>>(mut lanes: T::Lanes) -> T {
    let lanes = lanes.as_mut();
    let mut half = lanes.len() / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = O::better(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// What is added up over a line.
pub(super) trait Term<T: Number> {
    /// Type of the sum.
    type Sum: Summand + Send + Sync;
    /// See [`Fold::Param`].
    type Param: Copy + Send + Sync;
    /// The share of one voxel.
    fn term(value: T, param: Self::Param) -> Self::Sum;
    /// The output for the sum of `n` terms.
    fn output(sum: Self::Sum, n: usize) -> Self::Sum;
}

/// The sum itself.
pub(super) struct Total;
/// The mean.
pub(super) struct Mean;
/// The square root of the mean squared deviation from the parameter.
pub(super) struct Deviation;

impl<T: Number> Term<T> for Total
where
    T::Sum: Send + Sync,
{
    type Sum = T::Sum;
    type Param = ();
    #[inline(always)]
    fn term(value: T, (): ()) -> T::Sum {
        value.widen()
    }
    #[inline(always)]
    fn output(sum: T::Sum, _n: usize) -> T::Sum {
        sum
    }
}

impl<T: Number> Term<T> for Mean {
    type Sum = f64;
    type Param = ();
    #[inline(always)]
    fn term(value: T, (): ()) -> f64 {
        value.to_f64()
    }
    #[inline(always)]
    fn output(sum: f64, n: usize) -> f64 {
        sum / n as f64
    }
}

impl<T: Number> Term<T> for Deviation {
    type Sum = f64;
    type Param = f64;
    #[inline(always)]
    fn term(value: T, mean: f64) -> f64 {
        let deviation = value.to_f64() - mean;
        deviation * deviation
    }
    #[inline(always)]
    fn output(sum: f64, n: usize) -> f64 {
        (sum / n as f64).sqrt()
    }
}

/// Sum of the terms `K`.
pub(super) struct Adding<K>(PhantomData<K>);

impl<T: Number, K: Term<T>> Fold<T> for Adding<K> {
    type Acc = K::Sum;
    type Param = K::Param;
    const START: K::Sum = K::Sum::ZERO;

    #[inline(always)]
    fn step(acc: K::Sum, value: T, param: K::Param) -> K::Sum {
        acc.plus(K::term(value, param))
    }

    #[inline(always)]
    unsafe fn line<R: VoxelRun<T>>(run: R, n: usize, param: K::Param) -> K::Sum {
        // SAFETY: the caller's promise.
        unsafe { pairwise::<T, K, R>(run, n, param) }
    }

    #[inline(always)]
    unsafe fn finish<R: VoxelRun<T>>(acc: K::Sum, _line: impl FnOnce() -> R, n: usize) -> K::Sum {
        K::output(acc, n)
    }
}

/// Longest block that is summed without halving.
const PAIRWISE_BLOCK: usize = 128;

/// Sum by halves, a stack instead of recursion so that it can be inlined.
///
/// # Safety
/// `run` must have `n` voxels.
#[inline(always)]
unsafe fn pairwise<T: Number, K: Term<T>, R: VoxelRun<T>>(run: R, n: usize, param: K::Param) -> K::Sum {
    // Pieces still to do, as (start, length, halvings above it that wait for this right half).
    let mut pieces = [(0, 0, 0usize); 64];
    let mut left_sums = [K::Sum::ZERO; 64];
    let (mut waiting, mut kept) = (1, 0);
    pieces[0] = (0, n, 0);
    loop {
        waiting -= 1;
        let (start, mut length, mut closes) = pieces[waiting];
        while length > PAIRWISE_BLOCK {
            let half = length / 2 - length / 2 % 8;
            pieces[waiting] = (start + half, length - half, closes + 1);
            waiting += 1;
            (length, closes) = (half, 0);
        }
        // SAFETY: the piece lies within the `n` voxels.
        let mut sum = unsafe { block::<T, K, R>(run, start, length, param) };
        for _ in 0..closes {
            kept -= 1;
            sum = left_sums[kept].plus(sum);
        }
        if waiting == 0 {
            return sum;
        }
        left_sums[kept] = sum;
        kept += 1;
    }
}

/// Sum of up to [`PAIRWISE_BLOCK`] voxels in eight lanes.
///
/// # Safety
/// `run` must have the voxels `start .. start + length`.
#[inline(always)]
unsafe fn block<T: Number, K: Term<T>, R: VoxelRun<T>>(run: R, start: usize, length: usize, param: K::Param) -> K::Sum {
    let mut s = [K::Sum::ZERO; 8];
    let whole = length - length % 8;
    for first in (start..start + whole).step_by(8) {
        for (lane, sum) in s.iter_mut().enumerate() {
            // SAFETY: `first + lane < start + whole`.
            *sum = sum.plus(K::term(unsafe { run.get(first + lane) }, param));
        }
    }
    let mut sum = s[0].plus(s[1]).plus(s[2].plus(s[3])).plus(s[4].plus(s[5]).plus(s[6].plus(s[7])));
    for i in start + whole..start + length {
        // SAFETY: `i < start + length`.
        sum = sum.plus(K::term(unsafe { run.get(i) }, param));
    }
    sum
}
