//! Sliding thick slab: for every voxel the extremum of a window along an axis (van Herk 1992; Gil and Werman
//! 1993). Three comparisons a voxel, however thick the window is.
//!
//! The window of voxel `k` is `k - before ..= k + after`, cut at the ends of the axis. Windows are taken in blocks
//! as long as the window: a window is the end of one block and the start of the next, so the extremum of
//! suffixes of the first (kept) and of the growing prefix of the second is all that is needed.

use super::Extremum;
use super::fold::{Max, Min, Order, first_number};
use super::lines::{Axis, Lines, Run, Slab, Strided};
use super::number::Number;
use super::simd::{Kernel, dispatch};
use crate::error::{Error, Result};
use crate::memory::try_filled;
use crate::task::TaskControl;
use crate::voxels::Voxels;
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
    if out.len() != voxels.size().voxels() {
        let (got, expected) = (out.len().to_string(), voxels.size().voxels().to_string());
        return Err(Error::Mismatch { what: "output voxels", got, expected });
    }
    match which {
        Extremum::Max => slide::<T, Max>(voxels, axis, width, out, control),
        Extremum::Min => slide::<T, Min>(voxels, axis, width, out, control),
    }
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
    let steps = output_steps(voxels, axis);
    let strip = (STRIP_BYTES / size_of::<T>() / width).clamp(16, lines.width.max(16)).min(lines.width);
    let strips = lines.width.div_ceil(strip);
    let target = Target { base: out.as_mut_ptr(), steps };
    (0..lines.rows * strips).into_par_iter().try_for_each(|i| {
        control.check()?;
        let (row, pixel) = (i / strips, i % strips * strip);
        let pixels = strip.min(lines.width - pixel);
        let mut kept = try_filled((width + 1) * pixels, O::START)?;
        dispatch(Strip { lines, target, row, pixel, pixels, width, kept: &mut kept, order: PhantomData::<O> });
        Ok(())
    })
}

/// Elements between neighbours of the output along (depth, row, pixel).
fn output_steps(voxels: &Voxels<'_>, axis: Axis) -> [usize; 3] {
    let strides = voxels.size().strides();
    let [row, pixel] = axis.others();
    [strides[axis as usize], strides[row as usize], strides[pixel as usize]]
}

/// The output, of which each strip writes its own voxels.
#[derive(Clone, Copy)]
struct Target<T> {
    base: *mut T,
    steps: [usize; 3],
}

// SAFETY: strips write disjoint voxels of a slice that `slide` borrows mutably for as long as they run.
unsafe impl<T: Send> Send for Target<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T: Number> Target<T> {
    /// # Safety
    /// The indices must lie inside and no other strip may write this voxel.
    #[inline(always)]
    unsafe fn set(&self, depth: usize, row: usize, pixel: usize, value: T) {
        let offset = depth * self.steps[0] + row * self.steps[1] + pixel * self.steps[2];
        // SAFETY: the caller's promise.
        unsafe { self.base.add(offset).write(value) };
    }
}

/// Neighbouring lines of one output row, done together.
struct Strip<'a, T: Number, O> {
    lines: Lines<'a, T>,
    target: Target<T>,
    row: usize,
    pixel: usize,
    pixels: usize,
    width: usize,
    /// `width` suffixes of each line, then the prefix of the next block.
    kept: &'a mut [T],
    order: PhantomData<O>,
}

impl<T: Number, O: Order<T>> Kernel for Strip<'_, T, O> {
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
            for (i, (s, p)) in suffixes[q * n..(q + 1) * n].iter().zip(prefix.iter()).enumerate() {
                let best = O::better(*s, *p);
                let value = if T::HAS_NAN && best == O::START { self.settle(block + q, i, best) } else { best };
                // SAFETY: the voxel lies inside and belongs to this strip.
                unsafe { self.target.set(block + q, self.row, self.pixel + i, value) };
            }
            // SAFETY: `voxels_at` gave a run of `n` voxels.
            unsafe { take::<T, O>(next, &mut self.kept[self.width * n..]) };
        }
    }

    /// The NaN rule for the window of voxel `depth`, which nothing beat.
    #[inline(always)]
    fn settle(&self, depth: usize, i: usize, best: T) -> T {
        let first = depth.saturating_sub(self.before());
        let end = (depth + self.width - self.before()).min(self.lines.depth);
        // SAFETY: the window was cut to the axis, the strip lies inside.
        let found = unsafe { first_number(self.lines.along_from(first, self.row, self.pixel + i), end - first) };
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
unsafe fn take_all<T: Number, O: Order<T>, R: Run<T>>(run: R, best: &mut [T]) {
    for (i, b) in best.iter_mut().enumerate() {
        // SAFETY: `i < best.len()`.
        *b = O::better(*b, unsafe { run.get(i) });
    }
}
