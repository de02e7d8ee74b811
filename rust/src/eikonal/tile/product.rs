//! The product of the gradients of two fronts on one tile.
//!
//! Gradients follow from final times ([`crate::eikonal::march::gradient`] says why), so no gradient image exists: the
//! times of both fronts are laid out with a halo and the product is computed once, row by row.

use super::drive::Sink;
use super::shape::{Face, Mask, NONE, Shape, VOXELS, for_each, without};
use super::slot::{Plain, Pool, RETIRED, Slot, UNTOUCHED, load, slot_of};
use super::window::Front;
use crate::eikonal::Time;
use crate::error::Result;
use std::sync::atomic::Ordering;

/// Times of a retired tile.
#[repr(C, align(64))]
pub(crate) struct Kept {
    times: [f32; VOXELS],
}

impl Plain for Kept {}

/// A sink that keeps the times of retired tiles in memory, a fifth of a slot each.
pub(crate) struct KeptTimes {
    pool: Pool<Kept>,
}

impl KeptTimes {
    /// Nothing kept yet; at most `limit` bytes.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { pool: Pool::new(limit) }
    }
}

impl<H: Shape> Sink<f32, H> for KeptTimes {
    unsafe fn retire(&self, front: &Front<'_, f32, H>, _: usize, slot: *mut Slot<f32, H>) -> Result<()> {
        let kept = self.pool.take_one()?;
        // SAFETY: the slot is the caller's, the block fresh; positions lie within the padded times.
        unsafe {
            let times = Slot::times(slot);
            for bit in 0..VOXELS {
                (*kept).times[bit] = times.add(usize::from(H::POSITION[bit])).read();
            }
            let entry = &front.field.directory[(*slot).tile as usize];
            entry.store(kept as usize | RETIRED, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Largest number of padded times of any shape.
const ROOM: usize = 34 * 18 * 3;

/// Times of one front on a tile with halo, and what is known of them.
pub(crate) struct Layout {
    times: [f32; ROOM],
    /// Voxels whose fate is decided: accepted, or never to be.
    pub(crate) decided: Mask,
    /// Times up to here are accepted.
    limit: f32,
}

impl Layout {
    /// An empty layout.
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self { times: [f32::FAR; ROOM], decided: NONE, limit: 0.0 })
    }

    /// Lays out the times of a front on `tile`. No phase may be running.
    pub(crate) fn load<H: Shape>(&mut self, front: &Front<'_, f32, H>, tile: u32) {
        self.times[..H::PADDED].fill(f32::FAR);
        let settled = if front.done { f32::FAR } else { front.settled.unwrap_or(-1.0) };
        self.limit = settled.min(at_most(front.stop.stop)).min(f32::FAR.next_down());
        let (grid, directory) = (&front.field.grid, &front.field.directory);
        let entry = load(&directory[tile as usize]);
        for_each(&[u64::MAX; 8], |bit| {
            self.times[usize::from(H::POSITION[bit])] = time_at::<H>(entry, bit);
        });
        for face in Face::ALL {
            let Some(other) = grid.across(tile, grid.place(tile), face) else { continue };
            let (other, back) = (load(&directory[other as usize]), face.opposite());
            for_each(back.voxels::<H>(), |bit| {
                self.times[back.halo::<H>(usize::from(H::POSITION[bit]))] = time_at::<H>(other, bit);
            });
        }
        self.decided = if front.done { [u64::MAX; 8] } else { self.decide::<H>(entry, settled) };
    }

    /// Voxels whose time is final, or that no front can enter.
    fn decide<H: Shape>(&self, entry: usize, settled: f32) -> Mask {
        if entry == UNTOUCHED {
            return NONE;
        }
        let Some(slot) = slot_of::<f32, H>(entry) else { return [u64::MAX; 8] };
        // SAFETY: no phase is running, so the slot does not change.
        let mut decided = unsafe { without(&(*slot).blocked, &(*slot).pending) };
        for_each(&[u64::MAX; 8], |bit| {
            let known = self.times[usize::from(H::POSITION[bit])] <= settled;
            decided[bit / 64] |= u64::from(known) << (bit % 64);
        });
        decided
    }
}

/// The largest `f32` that is not above `value`.
fn at_most(value: f64) -> f32 {
    let rounded = value as f32;
    if f64::from(rounded) > value { rounded.next_down() } else { rounded }
}

/// Time of a voxel of a tile in whatever state.
#[inline(always)]
fn time_at<H: Shape>(entry: usize, bit: usize) -> f32 {
    if let Some(slot) = slot_of::<f32, H>(entry) {
        // SAFETY: no phase is running, so the slot does not change; positions lie within the padded times.
        return unsafe { Slot::times(slot).add(usize::from(H::POSITION[bit])).read() };
    }
    let kept = (entry & !RETIRED) as *const Kept;
    if entry & RETIRED != 0 && !kept.is_null() {
        // SAFETY: an odd entry with an address was made by `retire`, and kept blocks live as long as the fronts.
        return unsafe { (*kept).times[bit] };
    }
    f32::FAR
}

/// Products of the gradients of two fronts on one tile.
pub(crate) type Products = [f32; VOXELS];

/// Fills `products`; 0 where either front did not come.
#[inline(always)]
pub(crate) fn multiply<H: Shape>(first: &Layout, second: &Layout, spacing: [f64; 3], products: &mut Products) {
    for row in (0..VOXELS).step_by(H::BOX[0]) {
        let at = usize::from(H::POSITION[row]);
        for x in 0..H::BOX[0] {
            let mut sum = 0.0f64;
            for (axis, h) in spacing.into_iter().enumerate() {
                let a = component(first, at + x, H::PITCH[axis], h);
                let b = component(second, at + x, H::PITCH[axis], h);
                sum += f64::from(a * b);
            }
            let met = first.times[at + x] <= first.limit && second.times[at + x] <= second.limit;
            products[row + x] = if met { sum as f32 } else { 0.0 };
        }
    }
}

/// One component of the upwind gradient; [`crate::eikonal::upwind::gradient_component`] without branches.
#[inline(always)]
fn component(front: &Layout, at: usize, pitch: usize, h: f64) -> f32 {
    let (before, here, after) = (front.times[at - pitch], front.times[at], front.times[at + pitch]);
    let back = if before <= front.limit { here - before } else { 0.0 };
    let ahead = if after <= front.limit { after - here } else { 0.0 };
    let steepest = if back > -ahead { back } else { ahead };
    let larger = if back > -ahead { back } else { -ahead };
    (f64::from(if larger < 0.0 { 0.0 } else { steepest }) / h) as f32
}
