//! The product of the gradients of two fronts on one tile.
//!
//! Gradients follow from final times ([`crate::eikonal::march::gradient`] says why), so no gradient image exists: the
//! times of both fronts are laid out with a halo and the product is computed once, row by row.

use super::drive::Sink;
use super::shape::{Face, Mask, NONE, Shape, VOXELS, for_each, without};
use super::slot::{Budget, Plain, Pool, RETIRED, Slot, UNTOUCHED, load, slot_of};
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
    /// Nothing kept yet.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { pool: Pool::new(budget) }
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
    #[inline(always)]
    pub(crate) fn load<H: Shape>(&mut self, front: &Front<'_, f32, H>, tile: u32) {
        let settled = if front.done { f32::FAR } else { front.settled.unwrap_or(-1.0) };
        self.limit = settled.min(at_most(front.stop.stop)).min(f32::FAR.next_down());
        let entry = load(&front.field.directory[tile as usize]);
        if let Some(slot) = slot_of::<f32, H>(entry) {
            // The halo of a slot holds every time its neighbours have released, so that it need not be gathered.
            // SAFETY: no phase is running, so the slot does not change; it holds `PADDED` times.
            unsafe { Slot::times(slot).copy_to_nonoverlapping(self.times.as_mut_ptr(), H::PADDED) };
        } else {
            self.gather(front, tile, entry);
        }
        self.decided = if front.done { [u64::MAX; 8] } else { self.decide::<H>(entry, settled) };
    }

    /// Lays out a tile without a slot from itself and its neighbours.
    fn gather<H: Shape>(&mut self, front: &Front<'_, f32, H>, tile: u32, entry: usize) {
        let (grid, directory) = (&front.field.grid, &front.field.directory);
        self.times[..H::PADDED].fill(f32::FAR);
        if let Some(kept) = kept_of(entry) {
            for row in (0..VOXELS).step_by(H::BOX[0]) {
                let at = usize::from(H::POSITION[row]);
                self.times[at..at + H::BOX[0]].copy_from_slice(&kept.times[row..row + H::BOX[0]]);
            }
        }
        for face in Face::ALL {
            let Some(other) = grid.across(tile, grid.place(tile), face) else { continue };
            let (other, back) = (load(&directory[other as usize]), face.opposite());
            for_each(back.voxels::<H>(), |bit| {
                self.times[back.halo::<H>(usize::from(H::POSITION[bit]))] = time_at::<H>(other, bit);
            });
        }
    }

    /// Voxels whose time is final, or that no front can enter.
    #[inline(always)]
    fn decide<H: Shape>(&self, entry: usize, settled: f32) -> Mask {
        if entry == UNTOUCHED {
            return NONE;
        }
        let Some(slot) = slot_of::<f32, H>(entry) else { return [u64::MAX; 8] };
        // SAFETY: no phase is running, so the slot does not change.
        let mut decided = unsafe { without(&(*slot).blocked, &(*slot).pending) };
        for row in (0..VOXELS).step_by(H::BOX[0]) {
            let at = usize::from(H::POSITION[row]);
            for (x, time) in self.times[at..at + H::BOX[0]].iter().enumerate() {
                decided[row / 64] |= u64::from(*time <= settled) << (row % 64 + x);
            }
        }
        decided
    }
}

/// The largest `f32` that is not above `value`.
fn at_most(value: f64) -> f32 {
    let rounded = value as f32;
    if f64::from(rounded) > value { rounded.next_down() } else { rounded }
}

/// The kept times of a retired tile.
#[inline(always)]
fn kept_of<'a>(entry: usize) -> Option<&'a Kept> {
    let kept = (entry & !RETIRED) as *const Kept;
    // SAFETY: an odd entry with an address was made by `retire`, is never written again, and lives as long as the
    // sink, which outlives every look at the directory.
    if entry & RETIRED != 0 { unsafe { kept.as_ref() } } else { None }
}

/// Time of a voxel of a tile in whatever state.
#[inline(always)]
fn time_at<H: Shape>(entry: usize, bit: usize) -> f32 {
    match slot_of::<f32, H>(entry) {
        // SAFETY: no phase is running, so the slot does not change; positions lie within the padded times.
        Some(slot) => unsafe { Slot::times(slot).add(usize::from(H::POSITION[bit])).read() },
        None => kept_of(entry).map_or(f32::FAR, |kept| kept.times[bit]),
    }
}

/// Products of the gradients of two fronts on one tile.
pub(crate) type Products = [f32; VOXELS];

/// One row of a tile, as long as any shape's.
type Row = [f32; 32];

/// Fills `products`; 0 where either front did not come.
#[inline(always)]
pub(crate) fn multiply<H: Shape>(first: &Layout, second: &Layout, spacing: [f64; 3], products: &mut Products) {
    for row in (0..VOXELS).step_by(H::BOX[0]) {
        let at = usize::from(H::POSITION[row]);
        let (one, two) = (&first.times[at..at + H::BOX[0]], &second.times[at..at + H::BOX[0]]);
        let products = &mut products[row..row + H::BOX[0]];
        let mut earliest = [f32::FAR; 2];
        for x in 0..H::BOX[0] {
            earliest = [earliest[0].min(one[x]), earliest[1].min(two[x])];
        }
        if earliest[0] > first.limit || earliest[1] > second.limit {
            products.fill(0.0);
            continue;
        }
        let mut sum = [0.0f64; 32];
        for (axis, h) in spacing.into_iter().enumerate() {
            let a = components::<H>(first, at, H::PITCH[axis], h);
            let b = components::<H>(second, at, H::PITCH[axis], h);
            for x in 0..H::BOX[0] {
                sum[x] += f64::from(a[x] * b[x]);
            }
        }
        for x in 0..H::BOX[0] {
            let met = (one[x] <= first.limit) & (two[x] <= second.limit);
            products[x] = if met { sum[x] as f32 } else { 0.0 };
        }
    }
}

/// One component of the upwind gradient of a row; [`crate::eikonal::upwind::gradient_component`] without branches.
#[inline(always)]
fn components<H: Shape>(front: &Layout, at: usize, pitch: usize, h: f64) -> Row {
    let row = |from: usize| &front.times[from..from + H::BOX[0]];
    let (before, here, after) = (row(at - pitch), row(at), row(at + pitch));
    let mut out = [0.0; 32];
    for x in 0..H::BOX[0] {
        let back = if before[x] <= front.limit { here[x] - before[x] } else { 0.0 };
        let ahead = if after[x] <= front.limit { here[x] - after[x] } else { 0.0 };
        let steepest = if back > ahead { back } else { -ahead };
        let larger = if back > ahead { back } else { ahead };
        out[x] = (f64::from(if larger < 0.0 { 0.0 } else { steepest }) / h) as f32;
    }
    out
}
