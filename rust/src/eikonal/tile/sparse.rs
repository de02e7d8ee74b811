//! Arrival times of accepted voxels only, for fronts that stay within a vessel: nothing is as large as the volume.

use super::drive::Sink;
use super::shape::{Shape, for_each, place_in_tile};
use super::slot::Slot;
use super::window::Front;
use crate::eikonal::Time;
use crate::error::{Error, Result};
use crate::grid::Size3;
use std::sync::{Mutex, PoisonError};

/// Times of accepted voxels, tile by tile in no particular order.
pub(crate) struct SparseTimes<T> {
    strides: [usize; 3],
    found: Mutex<Vec<(u64, T)>>,
}

impl<T: Time> SparseTimes<T> {
    /// Nothing found yet in a volume of `size`, its axes seen in the order `order`.
    pub(crate) fn new(size: Size3, order: [usize; 3]) -> Self {
        Self { strides: order.map(|a| size.strides()[a]), found: Mutex::new(Vec::new()) }
    }

    /// Adds the accepted voxels of a slot.
    ///
    /// # Safety
    /// The slot must be the caller's.
    unsafe fn add<H: Shape>(&self, front: &Front<'_, T, H>, slot: *mut Slot<T, H>) -> Result<()> {
        let mut found = Vec::new();
        // SAFETY: the slot is ours; positions lie within the padded times.
        unsafe {
            let (start, _) = front.field.grid.extent((*slot).tile);
            for_each(&(*slot).released, |bit| {
                let time = Slot::times(slot).add(usize::from(H::POSITION[bit])).read();
                if time.to_f64() <= front.stop.stop {
                    let v = place_in_tile::<H>(bit);
                    let offset: usize = (0..3).map(|a| (start[a] + v[a]) * self.strides[a]).sum();
                    found.push((offset as u64, time));
                }
            });
        }
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = (all.len() + found.len()) as u128 * size_of::<(u64, T)>() as u128;
        all.try_reserve(found.len()).map_err(|_| Error::OutOfMemory { bytes })?;
        all.append(&mut found);
        Ok(())
    }

    /// Adds what is still in slots, and gives offsets and times in memory order.
    pub(crate) fn finish<H: Shape>(self, front: &Front<'_, T, H>) -> Result<(Vec<u64>, Vec<T>)> {
        for &slot in &front.active {
            // SAFETY: the march is over; active slots are live and nobody uses them.
            unsafe { self.add(front, slot)? };
        }
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_unstable_by_key(|(offset, _)| *offset);
        Ok(found.into_iter().unzip())
    }
}

impl<T: Time, H: Shape> Sink<T, H> for SparseTimes<T> {
    unsafe fn retire(&self, front: &Front<'_, T, H>, _: usize, slot: *mut Slot<T, H>) -> Result<()> {
        // SAFETY: the slot is the caller's.
        unsafe { self.add(front, slot) }
    }
}
