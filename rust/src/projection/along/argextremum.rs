//! Index of the extremum along an axis: of equal ones the first, as NumPy's `argmax` does.

use super::fold::{Extreme, Fold, Order, dispatch_order, first_number};
use super::lines::{Lines, Slab, VoxelRun};
use crate::cpu::{Vectorize, vectorize};
use crate::error::{Error, Result};
use crate::memory::try_filled;
use crate::projection::Extremum;
use crate::projection::number::Number;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;
use std::marker::PhantomData;

/// Voxel index along the axis of the first largest or smallest voxel of every line of `slab`.
///
/// The index counts from the start of the slab. A line of nothing but NaN gives 0.
///
/// # Errors
/// As [`super::extremum`]; [`Error::TooLarge`] for a line longer than an `i32` can count.
pub fn arg_extremum<T: Number>(
    voxels: &Voxels<'_>,
    slab: &Slab,
    which: Extremum,
    out: &mut [i32],
    control: &TaskControl,
) -> Result<()> {
    let lines = Lines::new(voxels, slab, out.len())?;
    if i32::try_from(lines.depth).is_err() {
        return Err(Error::TooLarge { what: format!("a line of {} voxels", lines.depth) });
    }
    dispatch_order!(which, O => fold::<T, O>(lines, out, control))
}

fn fold<T: Number, O: Order<T>>(lines: Lines<'_, T>, out: &mut [i32], control: &TaskControl) -> Result<()> {
    let chunk = lines.chunk::<(T, i32)>();
    out.par_chunks_mut(chunk).enumerate().try_for_each(|(i, out)| {
        control.check()?;
        let mut best = try_filled(out.len(), O::START)?;
        vectorize(IndexChunk { lines, first: i * chunk, best: &mut best, out, order: PhantomData::<O> });
        Ok(())
    })
}

/// A chunk of output pixels with the best value of each line so far.
struct IndexChunk<'a, T: Number, O> {
    lines: Lines<'a, T>,
    first: usize,
    best: &'a mut [T],
    out: &'a mut [i32],
    order: PhantomData<O>,
}

impl<T: Number, O: Order<T>> Vectorize for IndexChunk<'_, T, O> {
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

impl<T: Number, O: Order<T>> IndexChunk<'_, T, O> {
    #[inline(always)]
    fn fold_along(self) {
        let Self { lines, first, out, .. } = self;
        for (piece, out) in lines.pieces(first, out) {
            for (i, o) in out.iter_mut().enumerate() {
                // SAFETY: the piece's pixels lie inside the output, and every line has `depth` voxels.
                *o = unsafe {
                    let line = lines.along(piece.row, piece.pixel + i);
                    if line.is_dense() {
                        search::<T, O, _>(line.dense(), lines.depth)
                    } else {
                        search::<T, O, _>(line, lines.depth)
                    }
                } as i32;
            }
        }
    }

    #[inline(always)]
    fn fold_across(self) {
        let Self { lines, first, best, out, .. } = self;
        out.fill(0);
        for depth in 0..lines.depth {
            let bests = lines.pieces(first, best).map(|(_, best)| best);
            for ((piece, out), best) in lines.pieces(first, out).zip(bests) {
                // SAFETY: `depth` and the piece's pixels lie inside the slab.
                unsafe {
                    let run = lines.across(depth, piece.row, piece.pixel);
                    if run.is_dense() {
                        fold_row::<T, O, _>(run.dense(), depth, best, out);
                    } else {
                        fold_row::<T, O, _>(run, depth, best, out);
                    }
                }
            }
        }
        skip_leading_nans::<T, O>(lines, first, best, out);
    }
}

/// Index of the first best voxel of a line, 0 if all are NaN: first the value, then where it is.
///
/// # Safety
/// `line` must have `n` voxels.
#[inline(always)]
unsafe fn search<T: Number, O: Order<T>, R: VoxelRun<T>>(line: R, n: usize) -> usize {
    // SAFETY: the caller's promise.
    let best = unsafe { Extreme::<O>::line(line, n, ()) };
    let block = COMPARED_TOGETHER.min(n);
    for start in (0..n).step_by(block) {
        let end = n.min(start + block);
        let mut hit = 0u8;
        for i in start..end {
            // The whole block is compared, without leaving early, so that it can be done in vectors.
            // SAFETY: `i < n`.
            hit |= u8::from(unsafe { line.get(i) } == best);
        }
        if hit > 0 {
            // SAFETY: `i < n`.
            return (start..end).find(|&i| unsafe { line.get(i) == best }).unwrap_or(0);
        }
    }
    0
}

/// Voxels of a line that are compared at once.
const COMPARED_TOGETHER: usize = 64;

/// # Safety
/// `run` must have `out.len()` voxels.
#[inline(always)]
unsafe fn fold_row<T: Number, O: Order<T>, R: VoxelRun<T>>(run: R, depth: usize, best: &mut [T], out: &mut [i32]) {
    for (i, (best, index)) in best.iter_mut().zip(out).enumerate() {
        // SAFETY: `i < out.len()`.
        let value = unsafe { run.get(i) };
        let won = O::beats(value, *best);
        *best = if won { value } else { *best };
        *index = if won { depth as i32 } else { *index };
    }
}

/// Where nothing beat the start, e.g. in a line of NaN and infinity, the first number is the best one.
#[inline(always)]
fn skip_leading_nans<T: Number, O: Order<T>>(lines: Lines<'_, T>, first: usize, best: &mut [T], out: &mut [i32]) {
    if !T::HAS_NAN {
        return;
    }
    let bests = lines.pieces(first, best).map(|(_, best)| best);
    for ((piece, out), best) in lines.pieces(first, out).zip(bests) {
        for (i, index) in out.iter_mut().enumerate().filter(|(i, _)| best[*i] == O::START) {
            // SAFETY: the piece's pixels lie inside the output, and every line has `depth` voxels.
            let found = unsafe { first_number(lines.along(piece.row, piece.pixel + i), lines.depth) };
            *index = found.unwrap_or(0) as i32;
        }
    }
}
