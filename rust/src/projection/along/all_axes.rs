//! Extrema along x, y and z in one pass over the volume: a third of the memory traffic of three projections.
//!
//! Each thread takes a band of slices. The lines along x and y lie within a slice, so their results are final;
//! of the lines along z each band keeps its own result, and the bands are compared at the end, in their order.

use super::finish;
use super::fold::{Extreme, Order, best_lane, dispatch_order, keep_better};
use super::lines::{Axis, Lines, Slab, Strided, VoxelRun};
use crate::cpu::{Vectorize, vectorize};
use crate::error::Result;
use crate::memory::try_filled;
use crate::projection::Extremum;
use crate::projection::number::Number;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Largest or smallest voxel of every line along each axis: `out` holds the results for x `(z, y)`, y `(z, x)`
/// and z `(y, x)`, the same bytes as three calls of [`super::extremum`] up to the sign of zeros.
///
/// # Errors
/// As [`super::extremum`]; [`crate::Error::OutOfMemory`] for the bands' results.
pub fn extremum_all_axes<T: Number>(
    voxels: &Voxels<'_>,
    which: Extremum,
    out: [&mut [T]; 3],
    control: &TaskControl,
) -> Result<()> {
    dispatch_order!(which, O => all_axes::<T, O>(voxels, out, control))
}

fn all_axes<T: Number, O: Order<T>>(voxels: &Voxels<'_>, out: [&mut [T]; 3], control: &TaskControl) -> Result<()> {
    let slices = Lines::<T>::separate(voxels, &Slab::whole(voxels, Axis::Y), out[1].len())?;
    for (axis, out) in Axis::ALL.into_iter().zip(&out) {
        Lines::<T>::new(voxels, &Slab::whole(voxels, axis), out.len())?;
    }
    let [x, y, z] = out;
    let thick = slices.rows.div_ceil(rayon::current_num_threads());
    let mut planes = try_filled(slices.rows.div_ceil(thick) * z.len(), O::START)?;
    let bands = x.par_chunks_mut(thick * slices.depth).zip(y.par_chunks_mut(thick * slices.width));
    bands.zip(planes.par_chunks_mut(z.len())).enumerate().try_for_each(|(i, ((x, y), z))| {
        let range = i * thick..slices.rows.min((i + 1) * thick);
        SliceBand { slices, first: range.start, x, y, z, order: PhantomData::<O> }.fold(range, control)
    })?;
    z.fill(O::START);
    for plane in planes.chunks(z.len()) {
        z.iter_mut().zip(plane).for_each(|(best, value)| *best = O::better(*best, *value));
    }
    for (axis, out) in Axis::ALL.into_iter().zip([x, y, z]) {
        finish::<T, Extreme<O>>(Lines::new(voxels, &Slab::whole(voxels, axis), out.len())?, 0, out);
    }
    Ok(())
}

/// A band of slices and where its results go.
struct SliceBand<'a, T: Number, O> {
    /// The volume as lines along y: rows are slices, `depth` is y, `width` is x.
    slices: Lines<'a, T>,
    first: usize,
    x: &'a mut [T],
    y: &'a mut [T],
    z: &'a mut [T],
    order: PhantomData<O>,
}

/// Slices taken together, so that the band's result along z is touched less often.
const TOGETHER: usize = 4;

impl<T: Number, O: Order<T>> SliceBand<'_, T, O> {
    fn fold(mut self, range: Range<usize>, control: &TaskControl) -> Result<()> {
        self.y.fill(O::START);
        let whole = range.len() - range.len() % TOGETHER;
        for slice in (range.start..range.start + whole).step_by(TOGETHER) {
            control.check()?;
            vectorize(Slices::<T, O, TOGETHER> { band: &mut self, slice });
        }
        for slice in range.start + whole..range.end {
            vectorize(Slices::<T, O, 1> { band: &mut self, slice });
        }
        Ok(())
    }
}

/// `N` slices of a band.
struct Slices<'b, 'a, T: Number, O, const N: usize> {
    band: &'b mut SliceBand<'a, T, O>,
    slice: usize,
}

impl<T: Number, O: Order<T>, const N: usize> Vectorize for Slices<'_, '_, T, O, N> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { band, slice } = self;
        let SliceBand { slices, first, x, y, z, .. } = band;
        let (width, depth, local) = (slices.width, slices.depth, slice - *first);
        let y = &mut y[local * width..(local + N) * width];
        for row in 0..depth {
            // SAFETY: `row` and the slices lie inside the volume, and each run has `width` voxels.
            let best: [T; N] = unsafe {
                let runs: [Strided<T>; N] = std::array::from_fn(|k| slices.across(row, slice + k, 0));
                let z = &mut z[row * width..(row + 1) * width];
                if runs[0].is_dense() {
                    fold_rows::<T, O, _, N>(runs.map(Strided::dense), y, z)
                } else {
                    fold_rows::<T, O, _, N>(runs, y, z)
                }
            };
            for (k, best) in best.into_iter().enumerate() {
                x[(local + k) * depth + row] = best;
            }
        }
    }
}

/// Folds one row of each of `N` slices into the results along y (`N` rows) and z (one row); returns those along x.
///
/// # Safety
/// Each run must have `z.len()` voxels.
#[inline(always)]
unsafe fn fold_rows<T: Number, O: Order<T>, R: VoxelRun<T>, const N: usize>(
    runs: [R; N],
    y: &mut [T],
    z: &mut [T],
) -> [T; N] {
    let mut x = [T::lanes(O::START); N];
    let (n, lanes) = (z.len(), x[0].as_ref().len());
    let whole = n - n % lanes;
    for start in (0..whole).step_by(lanes) {
        let block = start..start + lanes;
        let mut best_z = lanes_of(&z[block.clone()]);
        for (k, run) in runs.into_iter().enumerate() {
            // SAFETY: the block lies within the rows.
            let values = unsafe { run.lanes(start) };
            let y = &mut y[k * n..(k + 1) * n][block.clone()];
            let mut best_y = lanes_of(y);
            keep_better::<T, O>(&mut best_y, &values);
            y.copy_from_slice(best_y.as_ref());
            keep_better::<T, O>(&mut best_z, &values);
            keep_better::<T, O>(&mut x[k], &values);
        }
        z[block].copy_from_slice(best_z.as_ref());
    }
    std::array::from_fn(|k| {
        (whole..n).fold(best_lane::<T, O>(x[k]), |x, i| {
            // SAFETY: `i < n`.
            let value = unsafe { runs[k].get(i) };
            y[k * n + i] = O::better(y[k * n + i], value);
            z[i] = O::better(z[i], value);
            O::better(x, value)
        })
    })
}

/// The numbers of a slice that has as many as there are lanes.
#[inline(always)]
fn lanes_of<T: Number>(values: &[T]) -> T::Lanes {
    let mut lanes = T::lanes(T::FLOOR);
    lanes.as_mut().copy_from_slice(values);
    lanes
}
