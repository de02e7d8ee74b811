//! Arrival times as a dense array: tiles are written as they retire, the rest at the end.
//!
//! A finished march leaves in the array what ITK leaves: accepted voxels (T <= stop) their time, their neighbours a
//! tentative time solved from accepted neighbours only, everything else [`Time::FAR`]. All of it follows from the
//! final times and the stop.

use super::drive::Sink;
use super::field::Field;
use super::shape::{Mask, NONE, Shape, VOXELS, WIDTH, any, count, for_each};
use super::slot::{Slot, UNTOUCHED, WALL, load, slot_of};
use super::solve::{Batch, solve_anisotropic, solve_isotropic};
use super::window::Front;
use crate::eikonal::Time;
use crate::eikonal::team::Team;
use crate::error::{Error, Result};
use crate::grid::Size3;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A dense array that several workers fill, each voxel by one of them.
pub(crate) struct DenseTimes<'o, T> {
    base: *mut T,
    size: Size3,
    strides: [usize; 3],
    accepted: AtomicU64,
    lifetime: PhantomData<&'o mut [T]>,
}

// SAFETY: distinct tiles are distinct elements, and a tile is written by one worker.
unsafe impl<T: Send> Sync for DenseTimes<'_, T> {}

impl<'o, T: Time> DenseTimes<'o, T> {
    /// The array `out` of a volume of `size`, with its axes seen in the order `order`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the length is not that of the volume.
    pub(crate) fn new(out: &'o mut [T], size: Size3, order: [usize; 3]) -> Result<Self> {
        if out.len() != size.voxels() {
            let (got, expected) = (out.len().to_string(), size.voxels().to_string());
            return Err(Error::Mismatch { what: "length of the result", got, expected });
        }
        let strides = order.map(|a| size.strides()[a]);
        let size = Size3::new(order.map(|a| size.array()[a]))?;
        Ok(Self { base: out.as_mut_ptr(), size, strides, accepted: AtomicU64::new(0), lifetime: PhantomData })
    }

    /// Number of accepted voxels written so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Writes a row along the first axis.
    ///
    /// # Safety
    /// The row must lie inside, and no other worker may write it.
    #[inline(always)]
    unsafe fn write_row(&self, start: [usize; 3], row: impl ExactSizeIterator<Item = T>) {
        debug_assert!(start[0] + row.len() <= self.size.x() && start[1] < self.size.y() && start[2] < self.size.z());
        let offset: usize = (0..3).map(|a| start[a] * self.strides[a]).sum();
        // SAFETY: inside and ours, by the caller's promise.
        unsafe {
            let to = self.base.add(offset);
            if self.strides[0] == 1 {
                row.enumerate().for_each(|(i, v)| to.add(i).write(v));
            } else {
                row.enumerate().for_each(|(i, v)| to.add(i * self.strides[0]).write(v));
            }
        }
    }

    /// Writes `n` octets of a row whose voxels lie side by side.
    ///
    /// # Safety
    /// As for [`DenseTimes::write_row`]; the octets must be readable.
    #[inline(always)]
    unsafe fn write_octets(&self, start: [usize; 3], row: *const T, n: usize) {
        let offset: usize = (0..3).map(|a| start[a] * self.strides[a]).sum();
        for octet in 0..n {
            // SAFETY: inside and ours, by the caller's promise.
            unsafe {
                let values = row.add(octet * WIDTH).cast::<[T; WIDTH]>().read();
                self.base.add(offset + octet * WIDTH).cast::<[T; WIDTH]>().write(values);
            }
        }
    }

    /// Writes the inner times of a slot.
    ///
    /// # Safety
    /// The slot must be the caller's.
    unsafe fn write_slot<H: Shape>(&self, field: &Field<'_, T, H>, slot: *mut Slot<T, H>) {
        // SAFETY: the slot is ours, and so are the voxels of its tile; extents keep rows inside.
        unsafe {
            let (start, extent) = field.grid.extent((*slot).tile);
            let times = Slot::times(slot).cast_const();
            for z in 0..extent[2] {
                for y in 0..extent[1] {
                    let row = times.add(usize::from(H::POSITION[y * H::STRIDE[1] + z * H::STRIDE[2]]));
                    let place = [start[0], start[1] + y, start[2] + z];
                    if extent[0] == H::BOX[0] && self.strides[0] == 1 {
                        self.write_octets(place, row, H::OCTETS_X);
                    } else {
                        self.write_row(place, (0..extent[0]).map(|x| row.add(x).read()));
                    }
                }
            }
        }
    }

    /// Writes what no worker has written yet: tiles still in their slots, and [`Time::FAR`] where nobody came.
    pub(crate) fn finish<H: Shape>(&self, team: &Team, front: &Front<'_, T, H>) {
        let [nx, ny, nz] = front.field.grid.tiles;
        let next = AtomicUsize::new(0);
        team.execute(&|_| {
            let mut batch = Batch::new();
            loop {
                let row = next.fetch_add(1, Ordering::Relaxed);
                if row >= ny * nz {
                    return;
                }
                self.finish_row(front, (row * nx) as u32, &mut batch);
            }
        });
    }

    /// Finishes one row of tiles along the first axis; runs of untouched tiles are filled together.
    fn finish_row<H: Shape>(&self, front: &Front<'_, T, H>, first: u32, batch: &mut Batch<T>) {
        let field = &front.field;
        let mut far_from = None;
        for tile in first..first + field.grid.tiles[0] as u32 {
            let entry = load(&field.directory[tile as usize]);
            let untouched = entry == UNTOUCHED || entry == WALL;
            if untouched {
                far_from.get_or_insert(tile);
                continue;
            }
            if let Some(from) = far_from.take() {
                self.fill_far(field, from, tile);
            }
            if let Some(slot) = slot_of::<T, H>(entry) {
                // SAFETY: the march is over and each row of tiles is finished by one worker.
                unsafe {
                    settle(field, slot, front.stop.stop, batch);
                    self.count(slot, front.stop.stop);
                    self.write_slot(field, slot);
                }
            }
        }
        if let Some(from) = far_from {
            self.fill_far(field, from, first + field.grid.tiles[0] as u32);
        }
    }

    fn fill_far<H: Shape>(&self, field: &Field<'_, T, H>, from: u32, to: u32) {
        let (start, extent) = field.grid.extent(from);
        let (last, last_extent) = field.grid.extent(to - 1);
        let length = last[0] + last_extent[0] - start[0];
        for z in 0..extent[2] {
            for y in 0..extent[1] {
                // SAFETY: rows of untouched tiles lie inside and are filled by this worker only.
                unsafe {
                    self.write_row([start[0], start[1] + y, start[2] + z], std::iter::repeat_n(T::FAR, length));
                }
            }
        }
    }

    /// Counts accepted voxels of a slot.
    ///
    /// # Safety
    /// The slot must be the caller's.
    unsafe fn count<H: Shape>(&self, slot: *mut Slot<T, H>, stop: f64) {
        let mut accepted = 0;
        // SAFETY: the slot is ours.
        unsafe {
            for_each(&(*slot).released, |bit| {
                let time = Slot::times(slot).add(usize::from(H::POSITION[bit])).read();
                accepted += u64::from(time.to_f64() <= stop);
            });
        }
        self.accepted.fetch_add(accepted, Ordering::Relaxed);
    }
}

impl<T: Time, H: Shape> Sink<T, H> for DenseTimes<'_, T> {
    unsafe fn retire(&self, front: &Front<'_, T, H>, _: usize, slot: *mut Slot<T, H>) -> Result<()> {
        // SAFETY: the slot is the caller's.
        unsafe {
            self.write_slot(&front.field, slot);
            self.accepted.fetch_add(count(&(*slot).released) as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Replaces times beyond the stop by what the accepted neighbours alone give.
///
/// # Safety
/// The slot must be the caller's.
pub(crate) unsafe fn settle<T: Time, H: Shape>(
    field: &Field<'_, T, H>,
    slot: *mut Slot<T, H>,
    stop: f64,
    batch: &mut Batch<T>,
) {
    if stop >= T::FAR.to_f64() {
        return;
    }
    // SAFETY: the slot is ours; positions and their neighbours lie within the padded times.
    unsafe {
        let slot = &mut *slot;
        let times = slot.padded();
        let at = |bit: usize| times.add(usize::from(H::POSITION[bit]));
        let late = beyond(slot, |bit| at(bit).read().to_f64() > stop);
        if !any(&late) {
            return;
        }
        let known = |position: *mut T| Some(position.read()).filter(|t| t.to_f64() <= stop).unwrap_or(T::FAR);
        let mut n = 0;
        for_each(&late, |bit| {
            for axis in 0..3 {
                let (before, after) = (known(at(bit).sub(H::PITCH[axis])), known(at(bit).add(H::PITCH[axis])));
                batch.nearest[axis][n] = if before < after { before } else { after };
            }
            batch.speed[n] = slot.speed[bit];
            n += 1;
        });
        if field.isotropic {
            solve_isotropic(batch, n, field.inverse_h2);
        } else {
            solve_anisotropic(batch, n, field.inverse_h2);
        }
        let mut n = 0;
        for_each(&late, |bit| {
            let tentative = batch.solution[n];
            at(bit).write(if tentative < T::FAR { tentative } else { T::FAR });
            n += 1;
        });
    }
}

/// Voxels that can be reached and for which `test` holds.
fn beyond<T: Time, H: Shape>(slot: &Slot<T, H>, test: impl Fn(usize) -> bool) -> Mask {
    let mut mask = NONE;
    for bit in 0..VOXELS {
        let open = slot.blocked[bit / 64] >> (bit % 64) & 1 == 0;
        mask[bit / 64] |= u64::from(open && test(bit)) << (bit % 64);
    }
    mask
}
