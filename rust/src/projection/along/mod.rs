//! Projection along an axis at memory speed.
//!
//! Two kernels. Where neighbouring lines lie side by side in memory (axes y and z of an image), a chunk of output
//! that fits the second-level cache is folded with a few voxels of each line per pass. Where the line itself
//! is contiguous (axis x), each line is folded in vector lanes. The output is split over threads, a line never.

mod all_axes;
mod argextremum;
mod fold;
mod lines;
mod sliding;

pub use all_axes::extremum_all_axes;
pub use argextremum::arg_extremum;
pub use lines::{Axis, Slab};
pub use sliding::sliding_extremum;

use super::Extremum;
use super::number::{LANE_BYTES, Number};
use crate::cpu::{Vectorize, vectorize};
use crate::error::Result;
use crate::memory::try_filled;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use fold::{Adding, Deviation, Extreme, Fold, Mean, STREAMS, Total, dispatch_order, fold_each};
use lines::{Dense, Lines, Piece, Strided, VoxelRun};
use rayon::prelude::*;

/// Largest or smallest voxel of every line of `slab`, into `out` (rows, width).
///
/// # Errors
/// [`crate::Error::BadArgument`] for a slab outside the volume, [`crate::Error::Mismatch`] where `out` has another size or
/// another pixel type, [`crate::Error::Cancelled`].
pub fn extremum<T: Number>(
    voxels: &Voxels<'_>,
    slab: &Slab,
    which: Extremum,
    out: &mut [T],
    control: &TaskControl,
) -> Result<()> {
    let lines = Lines::new(voxels, slab, out.len())?;
    dispatch_order!(which, O => fold::<T, Extreme<O>>(lines, Params::Same(()), out, control))
}

/// Sum of every line of `slab`; 64-bit integers wrap.
///
/// # Errors
/// As [`extremum`].
pub fn sum<T: Number>(voxels: &Voxels<'_>, slab: &Slab, out: &mut [T::Sum], control: &TaskControl) -> Result<()> {
    let lines = Lines::new(voxels, slab, out.len())?;
    fold::<T, Adding<Total>>(lines, Params::Same(()), out, control)
}

/// Mean of every line of `slab`, computed in double precision.
///
/// # Errors
/// As [`extremum`].
pub fn mean<T: Number>(voxels: &Voxels<'_>, slab: &Slab, out: &mut [f64], control: &TaskControl) -> Result<()> {
    let lines = Lines::<T>::new(voxels, slab, out.len())?;
    fold::<T, Adding<Mean>>(lines, Params::Same(()), out, control)
}

/// Population standard deviation of every line of `slab`, from the mean squared deviation (two passes).
///
/// # Errors
/// As [`extremum`]; [`crate::Error::OutOfMemory`] for the means.
pub fn std<T: Number>(voxels: &Voxels<'_>, slab: &Slab, out: &mut [f64], control: &TaskControl) -> Result<()> {
    let mut means = try_filled(out.len(), 0.0)?;
    mean::<T>(voxels, slab, &mut means, control)?;
    let lines = Lines::<T>::new(voxels, slab, out.len())?;
    fold::<T, Adding<Deviation>>(lines, Params::Each(&means), out, control)
}

/// The parameter of each line.
#[derive(Clone, Copy)]
enum Params<'a, P> {
    Same(P),
    Each(&'a [P]),
}

impl<P: Copy> Params<'_, P> {
    #[inline(always)]
    fn get(self, i: usize) -> P {
        match self {
            Params::Same(p) => p,
            Params::Each(all) => all[i],
        }
    }
}

fn fold<T: Number, F: Fold<T>>(
    lines: Lines<'_, T>,
    params: Params<'_, F::Param>,
    out: &mut [F::Acc],
    control: &TaskControl,
) -> Result<()> {
    let chunk = lines.chunk::<F::Acc>();
    out.par_chunks_mut(chunk).enumerate().try_for_each(|(i, out)| {
        control.check()?;
        vectorize(OutputChunk::<T, F> { lines, params, first: i * chunk, out });
        Ok(())
    })
}

/// A chunk of output pixels: `out` starts at pixel `first` of the whole output.
struct OutputChunk<'a, T: Number, F: Fold<T>> {
    lines: Lines<'a, T>,
    params: Params<'a, F::Param>,
    first: usize,
    out: &'a mut [F::Acc],
}

impl<T: Number, F: Fold<T>> Vectorize for OutputChunk<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        if self.lines.run_along_memory() {
            self.fold_along();
        } else {
            self.fold_across();
        }
    }
}

/// Voxels of each line that one pass takes: fewer passes over the output, still few enough streams for the
/// prefetcher.
const PASS: usize = 4;

impl<T: Number, F: Fold<T>> OutputChunk<'_, T, F> {
    /// Folds line after line, those of the halves of the chunk side by side.
    #[inline(always)]
    fn fold_along(self) {
        let Self { lines, params, first, out } = self;
        for (piece, out) in lines.pieces(first, out) {
            let share = out.len() / STREAMS;
            for i in 0..share {
                // SAFETY: the piece's pixels lie inside the output.
                let done = unsafe { fold_lines::<T, F, STREAMS>(lines, params, piece, i, share) };
                done.into_iter().enumerate().for_each(|(k, acc)| out[i + k * share] = acc);
            }
            for (i, o) in out.iter_mut().enumerate().skip(share * STREAMS) {
                // SAFETY: as above.
                [*o] = unsafe { fold_lines::<T, F, 1>(lines, params, piece, i, 0) };
            }
        }
    }

    /// Folds all lines of the chunk at once; two rows of output at a time where each reads memory from front to back.
    #[inline(always)]
    fn fold_across(self) {
        let Self { lines, params, first, out } = self;
        let together = if lines.row_by_row() { STREAMS * lines.width } else { out.len() };
        for (i, out) in out.chunks_mut(together).enumerate() {
            OutputChunk::<T, F> { lines, params, first: first + i * together, out }.fold_together();
        }
    }

    /// Folds all lines of the chunk at once.
    #[inline(always)]
    fn fold_together(self) {
        let Self { lines, params, first, out } = self;
        out.fill(F::START);
        // What is read from front to back is read voxel by voxel: several rows of a page at once stop the prefetcher.
        let passes = if lines.row_by_row() { 0 } else { lines.depth - lines.depth % PASS };
        for depth in (0..passes).step_by(PASS) {
            fold_pass::<T, F, PASS>(lines, depth, params, first, out);
        }
        for depth in passes..lines.depth {
            fold_pass::<T, F, 1>(lines, depth, params, first, out);
        }
        finish::<T, F>(lines, first, out);
    }
}

/// The last touch of the lines from pixel `first` on, once all their voxels are taken.
#[inline(always)]
fn finish<T: Number, F: Fold<T>>(lines: Lines<'_, T>, first: usize, out: &mut [F::Acc]) {
    for (piece, out) in lines.pieces(first, out) {
        for (i, o) in out.iter_mut().enumerate() {
            // SAFETY: the piece's pixels lie inside the output, and every line has `depth` voxels.
            *o = unsafe { F::finish(*o, || lines.along(piece.row, piece.pixel + i), lines.depth) };
        }
    }
}

/// Folds the lines `first`, `first + apart`, ... of the piece, `N` in all.
///
/// # Safety
/// The lines must lie inside the piece.
#[inline(always)]
unsafe fn fold_lines<T: Number, F: Fold<T>, const N: usize>(
    lines: Lines<'_, T>,
    params: Params<'_, F::Param>,
    piece: Piece,
    first: usize,
    apart: usize,
) -> [F::Acc; N] {
    // SAFETY: the caller's promise; `finish_lines` reads the voxels of these lines.
    unsafe {
        let runs: [Strided<T>; N] = std::array::from_fn(|k| lines.along(piece.row, piece.pixel + first + k * apart));
        let params = std::array::from_fn(|k| params.get(piece.first + first + k * apart));
        if runs[0].is_dense() {
            finish_lines::<T, F, _, N>(runs.map(Strided::dense), lines.depth, params)
        } else {
            finish_lines::<T, F, _, N>(runs, lines.depth, params)
        }
    }
}

/// # Safety
/// Each run must have `n` voxels.
#[inline(always)]
unsafe fn finish_lines<T: Number, F: Fold<T>, R: VoxelRun<T>, const N: usize>(
    runs: [R; N],
    n: usize,
    params: [F::Param; N],
) -> [F::Acc; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let folded = F::lines(runs, n, params);
        std::array::from_fn(|k| F::finish(folded[k], || runs[k], n))
    }
}

/// Takes the voxels `depth .. depth + N` of each line of the chunk.
#[inline(always)]
fn fold_pass<T: Number, F: Fold<T>, const N: usize>(
    lines: Lines<'_, T>,
    depth: usize,
    params: Params<'_, F::Param>,
    first: usize,
    out: &mut [F::Acc],
) {
    for (piece, out) in lines.pieces(first, out) {
        // SAFETY: `depth + N <= lines.depth` and the chunk's pixels lie inside the output.
        unsafe {
            let runs: [Strided<T>; N] = std::array::from_fn(|k| lines.across(depth + k, piece.row, piece.pixel));
            if runs[0].is_dense() {
                let runs: [Dense<T>; N] = runs.map(Strided::dense);
                fold_rows::<T, F, _, N>(runs, params, piece.first, out);
            } else {
                fold_rows::<T, F, _, N>(runs, params, piece.first, out);
            }
        }
    }
}

/// # Safety
/// Each run must have `out.len()` voxels.
#[inline(always)]
unsafe fn fold_rows<T: Number, F: Fold<T>, R: VoxelRun<T>, const N: usize>(
    runs: [R; N],
    params: Params<'_, F::Param>,
    first: usize,
    out: &mut [F::Acc],
) {
    // As many at a time as are known beforehand, so that they become vectors without a check of their number.
    let lanes = LANE_BYTES / size_of::<T>();
    let whole = out.len() - out.len() % lanes;
    let (blocks, rest) = out.split_at_mut(whole);
    for (block, start) in blocks.chunks_exact_mut(lanes).zip((0..).step_by(lanes)) {
        // SAFETY: the block's voxels are less than the length of the output.
        unsafe { F::block(block, runs, start, |k| params.get(first + start + k)) };
    }
    // SAFETY: as above.
    unsafe { fold_each::<T, F, R, N>(rest, runs, whole, |k| params.get(first + whole + k)) };
}

#[cfg(test)]
mod tests;
