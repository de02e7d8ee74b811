//! The leader's side of a front: which window comes next, which tiles are in it, which are done.
//!
//! A window is an interval of time. Inside it the blocks of one colour with queued tiles, then those of the other, are
//! visited until no tile is queued; then every time up to its end is final, because whatever changes later lies
//! beyond. All decisions are exact minima and integer counts, so they do not depend on threads.

use super::field::{Field, Ticket, TileGrid};
use super::shape::Shape;
use super::slot::{Budget, RETIRED, Slot, load, slot_of};
use super::visit::{Outbox, Worker, activate};
use crate::eikonal::speed::Speed;
use crate::eikonal::stop::StopState;
use crate::eikonal::{Seed, StopRule, Time};
use crate::error::Result;
use crate::grid::Spacing3;
use std::sync::atomic::Ordering;

/// One front and everything the leader knows of it.
pub(crate) struct Front<'a, T: Time, H: Shape> {
    /// What the workers see.
    pub(crate) field: Field<'a, T, H>,
    /// Where it ends.
    pub(crate) stop: StopState,
    /// Tiles to visit, by the colour of their block.
    pub(crate) queue: [Vec<Ticket>; 2],
    /// Slots to be written out in the next phase; their tiles are already marked as retired.
    pub(crate) retiring: Vec<*mut Slot<T, H>>,
    /// Whether the front has ended.
    pub(crate) done: bool,
    /// End of the last window that has converged: every time up to here is final.
    pub(crate) settled: Option<T>,
    /// Voxels released so far.
    pub(crate) released: u64,
    /// Voxels solved so far, counting repetitions.
    pub(crate) evaluations: u64,
    /// Tiles that have a slot.
    pub(crate) active: Vec<*mut Slot<T, H>>,
    /// Full tiles: those of this window, and those of windows before.
    full: [Vec<u32>; 2],
    /// Targets not reached yet, as tile and bit.
    targets: Vec<(u32, usize)>,
    width: f64,
    /// Counters at the beginning of the window.
    mark: (u64, u64),
}

// SAFETY: the pointers lead to slots of the front's own pool, used as the colour rule says.
unsafe impl<T: Time, H: Shape> Send for Front<'_, T, H> {}
// SAFETY: while workers share a front they read it; what they write (slots) follows the colour rule.
unsafe impl<T: Time, H: Shape> Sync for Front<'_, T, H> {}

/// A window that released fewer voxels was too narrow.
const FEW: u64 = 1000;

impl<'a, T: Time, H: Shape> Front<'a, T, H> {
    /// A front that is about to start; `id` is its number among the fronts of `worker`.
    pub(crate) fn new(
        speed: &'a Speed<'a>,
        spacing: Spacing3,
        seeds: &[Seed],
        rule: &StopRule,
        budget: &Budget,
        id: usize,
        worker: &mut Worker<T, H>,
    ) -> Result<Self> {
        let field = Field::<T, H>::new(speed, spacing, seeds, budget)?;
        let stop = rule.start(speed.size(), T::FAR.to_f64())?;
        let size = speed.size();
        let targets = stop.targets().iter().map(|&t| field.grid.locate(size.voxel(t))).collect();
        let mut front = Self {
            width: first_width(&field, spacing, seeds),
            field,
            stop,
            targets,
            queue: [Vec::new(), Vec::new()],
            retiring: Vec::new(),
            done: false,
            settled: None,
            released: 0,
            evaluations: 0,
            active: Vec::new(),
            full: [Vec::new(), Vec::new()],
            mark: (0, 0),
        };
        let mut tiles: Vec<u32> = front.field.seeds.iter().map(|s| s.tile).collect();
        tiles.dedup();
        for tile in tiles {
            activate(&front.field, id, worker, tile)?;
        }
        front.receive(&mut worker.outbox[id], 0);
        front.advance();
        Ok(front)
    }

    /// Takes in what a worker has to tell after a phase of `colour`.
    pub(crate) fn receive(&mut self, outbox: &mut Outbox<T, H>, colour: usize) {
        self.queue[1 - colour].append(&mut outbox.queued);
        self.active.append(&mut outbox.activated);
        self.full[0].append(&mut outbox.full);
        self.evaluations += std::mem::take(&mut outbox.evaluations);
        self.released += std::mem::take(&mut outbox.released);
    }

    /// Whether the window has converged.
    pub(crate) fn converged(&self) -> bool {
        self.queue.iter().all(Vec::is_empty)
    }

    /// Ends the window and begins the next one, or ends the front.
    pub(crate) fn advance(&mut self) {
        if self.field.window > 0 {
            self.settled = Some(self.field.window_end);
            self.reach_targets();
            if self.field.window_end.to_f64() >= self.stop.stop {
                self.done = true;
                return;
            }
            self.adapt_width();
        }
        let earliest = self.earliest();
        if earliest >= T::FAR || earliest.to_f64() > self.stop.stop {
            self.done = true;
            return;
        }
        self.retire_full_tiles();
        self.open_window(earliest);
    }

    fn earliest(&self) -> T {
        let mut earliest = T::FAR;
        for &slot in &self.active {
            // SAFETY: no phase is running, so nobody writes slots; active slots are live.
            let own = unsafe { (*slot).earliest };
            earliest = if own < earliest { own } else { earliest };
        }
        earliest
    }

    fn open_window(&mut self, earliest: T) {
        let end = T::from_f64((earliest.to_f64() + self.width).min(self.stop.stop));
        // Where the width is below one step of the storage type the window still holds the earliest time.
        self.field.window_end = if end < earliest { earliest } else { end };
        self.field.window += 1;
        self.mark = (self.evaluations, self.released);
        for &slot in &self.active {
            // SAFETY: as in `earliest`.
            let (own, tile) = unsafe { ((*slot).earliest, (*slot).tile) };
            if own <= self.field.window_end {
                self.field.queued[tile as usize].store(1, Ordering::Relaxed);
                let place = self.field.grid.place(tile);
                let colour = TileGrid::<H>::colour(self.field.grid.block(place));
                self.queue[colour].push(self.field.grid.ticket(tile, place));
            }
        }
    }

    /// Narrower if voxels were solved too often, wider if the window released little. Between 4.6 and 5.6 solutions a
    /// voxel the work on voxels and that on visits balance; any other band gives the same times, later.
    fn adapt_width(&mut self) {
        let (evaluations, released) = (self.evaluations - self.mark.0, self.released - self.mark.1);
        if released < FEW {
            self.width *= 1.5;
        } else if evaluations * 10 < released * 46 {
            self.width *= 1.25;
        } else if evaluations * 10 > released * 56 {
            self.width *= 0.8;
        }
    }

    fn reach_targets(&mut self) {
        let mut times = Vec::new();
        let directory = &self.field.directory;
        self.targets.retain(|&(tile, bit)| {
            let Some(slot) = slot_of::<T, H>(load(&directory[tile as usize])) else { return true };
            // SAFETY: no phase is running; the slot is live.
            let (released, time) = unsafe {
                let times = Slot::times(slot).add(usize::from(H::POSITION[bit]));
                ((*slot).released[bit / 64] >> (bit % 64) & 1 == 1, times.read())
            };
            if released {
                times.push(time.to_f64());
            }
            !released
        });
        times.sort_by(f64::total_cmp);
        times.into_iter().for_each(|time| self.stop.reach(time));
    }

    /// Retires tiles that were full before this window began: none of their times can lie beyond the stop, because
    /// no target that could set it had been reached then.
    fn retire_full_tiles(&mut self) {
        let [now, before] = &mut self.full;
        let retired = before.len();
        for tile in before.drain(..) {
            let entry = &self.field.directory[tile as usize];
            if let Some(slot) = slot_of::<T, H>(load(entry)) {
                self.retiring.push(slot);
                entry.store(RETIRED, Ordering::Relaxed);
            }
        }
        std::mem::swap(now, before);
        if retired > 0 {
            let directory = &self.field.directory;
            // SAFETY: no phase is running; slots in the list are live or were retired just now.
            self.active.retain(|&slot| load(&directory[unsafe { (*slot).tile } as usize]) != RETIRED);
        }
    }
}

/// A first guess: the time to cross one voxel at the fastest speed next to the seeds.
fn first_width<T: Time, H: Shape>(field: &Field<'_, T, H>, spacing: Spacing3, seeds: &[Seed]) -> f64 {
    let smallest = spacing.array().into_iter().fold(f64::INFINITY, f64::min);
    let fastest = field.speed_at_seeds(seeds);
    let width = smallest / fastest;
    if width.is_finite() && width > 0.0 { width } else { smallest }
}
