//! Sliding thick slab: for every voxel the extremum of a window along an axis (van Herk 1992; Gil and Werman
//! 1993). Three comparisons a voxel, however thick the window is.
//!
//! The window of voxel `k` is `k - before ..= k + after`, cut at the ends of the axis. Windows are taken in blocks
//! as long as the window: a window is the end of one block and the start of the next, so the extremum of
//! suffixes of the first (kept) and of the growing prefix of the second is all that is needed.

use super::fold::{Order, dispatch_order, first_number};
use super::lines::{Axis, Lines, Slab, Strided, VoxelRun};
use crate::cpu::{Vectorize, vectorize};
use crate::error::{Error, Result};
use crate::memory::{DisjointPart, DisjointWriter, try_filled};
use crate::projection::Extremum;
use crate::projection::number::Number;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use ndarray::ArrayViewMut3;
use rayon::prelude::*;
use std::marker::PhantomData;

/// Extremum over a window of `width` voxels along `axis` around every voxel, into `out` (x fastest).
///
/// An even window has one voxel more before than after. A window of nothing but NaN gives the lowest finite
/// number for a maximum, the highest for a minimum.
///
/// # Errors
/// [`Error::BadArgument`] for a width of 0 or beyond the axis, [`Error::Mismatch`] where `out` does not fit,
/// [`Error::Cancelled`], [`Error::OutOfMemory`].
pub fn sliding_extremum<T: Number>(
    voxels: &Voxels<'_>,
    axis: Axis,
    width: usize,
    which: Extremum,
    out: &mut [T],
    control: &TaskControl,
) -> Result<()> {
    let n = voxels.size().array()[axis as usize];
    if width == 0 || width > n {
        let got = format!("{width} on an axis of {n} voxels");
        return Err(Error::BadArgument { name: "thickness", got, allowed: "1 to the number of voxels along the axis" });
    }
    Error::check_lengths("output voxels", out.len(), voxels.size().voxels())?;
    dispatch_order!(which, O => slide::<T, O>(voxels, axis, width, out, control))
}

/// Bytes that the kept suffixes of one strip may take.
const STRIP_BYTES: usize = 256 << 10;

fn slide<T: Number, O: Order<T>>(
    voxels: &Voxels<'_>,
    axis: Axis,
    width: usize,
    out: &mut [T],
    control: &TaskControl,
) -> Result<()> {
    let whole = Slab::whole(voxels, axis);
    let outputs: usize = whole.output_size(voxels).iter().product();
    let lines = Lines::separate(voxels, &whole, outputs)?;
    let [x, y, z] = voxels.size().array();
    let array = ArrayViewMut3::from_shape((z, y, x), out)
        .map_err(|error| Error::Internal(format!("the result has another shape: {error}")))?;
    // Along the lines' pixels, rows and depth, as they are written.
    let [row, pixel] = axis.others();
    let writer = DisjointWriter::new(array).permuted([pixel as usize, row as usize, axis as usize]);
    let strip = (STRIP_BYTES / size_of::<T>() / width).clamp(16, lines.width.max(16)).min(lines.width);
    let strips = lines.width.div_ceil(strip);
    (0..lines.rows * strips).into_par_iter().try_for_each(|i| {
        control.check()?;
        let (row, pixel) = (i / strips, i % strips * strip);
        let pixels = strip.min(lines.width - pixel);
        let mut kept = try_filled((width + 1) * pixels, O::START)?;
        // SAFETY: strips do not overlap.
        let out = unsafe { writer.part([pixel, row, 0], [pixels, 1, lines.depth])? };
        vectorize(Strip { lines, out, row, pixel, pixels, width, kept: &mut kept, order: PhantomData::<O> });
        Ok(())
    })
}

/// Neighbouring lines of one output row, done together.
struct Strip<'a, T: Number, O> {
    lines: Lines<'a, T>,
    /// Voxels of the output: along the pixels of the strip, one row, along the axis.
    out: DisjointPart<'a, T>,
    row: usize,
    pixel: usize,
    pixels: usize,
    width: usize,
    /// `width` suffixes of each line, then the prefix of the next block.
    kept: &'a mut [T],
    order: PhantomData<O>,
}

impl<T: Number, O: Order<T>> Vectorize for Strip<'_, T, O> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        // Window `start` counts from the first one, which begins `before` voxels ahead of the axis.
        for block in (0..self.lines.depth).step_by(self.width) {
            self.keep_suffixes(block);
            self.emit_windows(block);
        }
    }
}

impl<T: Number, O: Order<T>> Strip<'_, T, O> {
    fn before(&self) -> usize {
        self.width / 2
    }

    /// The voxels of this strip at padded position `position`, where the axis has some.
    #[inline(always)]
    fn voxels_at(&self, position: usize) -> Option<Strided<T>> {
        let depth = position.checked_sub(self.before()).filter(|&d| d < self.lines.depth)?;
        // SAFETY: `depth` and the strip lie inside.
        Some(unsafe { self.lines.across(depth, self.row, self.pixel) })
    }

    #[inline(always)]
    fn keep_suffixes(&mut self, block: usize) {
        let n = self.pixels;
        for q in (0..self.width).rev() {
            let voxels = self.voxels_at(block + q);
            let (head, tail) = self.kept.split_at_mut((q + 1) * n);
            let suffix = &mut head[q * n..];
            if q + 1 < self.width {
                suffix.copy_from_slice(&tail[..n])
            } else {
                suffix.fill(O::START)
            }
            // SAFETY: `voxels_at` gave a run of `n` voxels.
            unsafe { take::<T, O>(voxels, suffix) };
        }
        self.kept[self.width * n..].fill(O::START);
    }

    #[inline(always)]
    fn emit_windows(&mut self, block: usize) {
        let n = self.pixels;
        for q in 0..self.width.min(self.lines.depth - block) {
            let next = self.voxels_at(block + self.width + q);
            let (suffixes, prefix) = self.kept.split_at(self.width * n);
            let (suffixes, prefix) = (&suffixes[q * n..(q + 1) * n], &prefix[..n]);
            let window = Window { lines: self.lines, before: self.before(), width: self.width, depth: block + q };
            self.out.fill_row(0, block + q, n, |i| {
                let best = O::better(suffixes[i], prefix[i]);
                if T::HAS_NAN && best == O::START {
                    window.apply_nan_rule::<O>(self.row, self.pixel + i, best)
                } else {
                    best
                }
            });
            // SAFETY: `voxels_at` gave a run of `n` voxels.
            unsafe { take::<T, O>(next, &mut self.kept[self.width * n..]) };
        }
    }
}

/// The window around voxel `depth` of a line.
struct Window<'a, T> {
    lines: Lines<'a, T>,
    before: usize,
    width: usize,
    depth: usize,
}

impl<T: Number> Window<'_, T> {
    /// The NaN rule, for a window in which nothing beat `best`.
    #[inline(always)]
    fn apply_nan_rule<O: Order<T>>(&self, row: usize, pixel: usize, best: T) -> T {
        let first = self.depth.saturating_sub(self.before);
        let end = (self.depth + self.width - self.before).min(self.lines.depth);
        // SAFETY: the window was cut to the axis, the line lies inside.
        let found = unsafe { first_number(self.lines.along_from(first, row, pixel), end - first) };
        if found.is_none() { O::NOTHING } else { best }
    }
}

/// # Safety
/// The run must have `best.len()` voxels.
#[inline(always)]
unsafe fn take<T: Number, O: Order<T>>(run: Option<Strided<T>>, best: &mut [T]) {
    match run {
        // SAFETY: the caller's promise.
        Some(run) if run.is_dense() => unsafe { take_all::<T, O, _>(run.dense(), best) },
        // SAFETY: the caller's promise.
        Some(run) => unsafe { take_all::<T, O, _>(run, best) },
        None => {}
    }
}

/// # Safety
/// The run must have `best.len()` voxels.
#[inline(always)]
unsafe fn take_all<T: Number, O: Order<T>, R: VoxelRun<T>>(run: R, best: &mut [T]) {
    for (i, b) in best.iter_mut().enumerate() {
        // SAFETY: `i < best.len()`.
        *b = O::better(*b, unsafe { run.get(i) });
    }
}
