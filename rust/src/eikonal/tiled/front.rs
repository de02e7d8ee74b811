//! The leader's side of a front: which window comes next, which blocks are in it, which tiles are done.
//!
//! A window is an interval of time. Inside it the blocks of one colour with queued tiles, then those of the other, are
//! visited until no tile is queued; then every time up to its end is final, because whatever changes later is later.
//! All decisions are exact minima and integer counts, so they do not depend on threads.

use super::batch::Counts;
use super::field::{Field, Place};
use super::shape::{BRICKS, LANES};
use super::tile::{Entry, Tile};
use super::visit::{Block, Outbox, Worker, activate};
use crate::eikonal::problem::StopState;
use crate::eikonal::{Seed, StopRule, Time};
use crate::error::Result;
use crate::grid::Spacing3;
use crate::memory::{Budget, Zeroed};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One front and everything the leader knows of it.
pub(crate) struct Front<'a, T: Time> {
    /// What the workers see.
    pub(crate) field: Field<'a, T>,
    /// Where it ends.
    pub(crate) stop: StopState,
    /// Blocks to visit, by colour, as places in `blocks`.
    pub(crate) queue: [Vec<u32>; 2],
    /// Full tiles that have not been looked at yet: they, or tiles around them, can be retired.
    pub(crate) retiring: Vec<u32>,
    /// Whether the front has ended.
    pub(crate) done: bool,
    /// End of the last window that has converged: every time up to here is final.
    pub(crate) settled: Option<T>,
    /// All tiles that ever had memory.
    pub(crate) activated: Vec<u32>,
    /// Work done so far.
    pub(crate) counts: Counts,
    /// Blocks that the front has reached; each is locked by the worker that visits it.
    blocks: Vec<Mutex<Block<T>>>,
    /// For each block of the grid its place in `blocks`, from 1.
    places: Zeroed<AtomicU32>,
    /// Places of blocks with pending times.
    awake: Vec<u32>,
    /// Tiles that became full in the window.
    full: Vec<u32>,
    /// Targets not reached yet, as tile, brick and lane.
    targets: Vec<(u32, usize, usize)>,
    width: Width,
}

/// Where a front starts and ends, and in which steps it advances.
pub(crate) struct Course<'c> {
    pub(crate) seeds: &'c [Seed],
    pub(crate) rule: &'c StopRule,
    /// Width of every window, instead of one that follows the work.
    pub(crate) width: Option<f64>,
}

impl<'a, T: Time> Front<'a, T> {
    /// A front that is about to start; `id` is its number among the fronts of `worker`.
    pub(crate) fn new(
        place: &Place<'a>,
        course: &Course<'_>,
        budget: &Budget,
        id: usize,
        worker: &mut Worker<T>,
    ) -> Result<Self> {
        let field = Field::<T>::new(place, course.seeds, budget)?;
        let size = place.speed.size();
        let stop = course.rule.start(size, T::FAR.to_f64())?;
        let targets = stop.targets().iter().map(|&t| field.grid.locate(size.voxel(t))).collect();
        let mut front = Self {
            width: course
                .width
                .map_or_else(|| Width::first(field.speed_at_seeds(course.seeds), place.spacing), Width::fixed),
            places: Zeroed::new(field.grid.block_count())?,
            field,
            stop,
            targets,
            blocks: Vec::new(),
            awake: Vec::new(),
            queue: [Vec::new(), Vec::new()],
            retiring: Vec::new(),
            full: Vec::new(),
            done: false,
            settled: None,
            activated: Vec::new(),
            counts: Counts::default(),
        };
        let mut tiles: Vec<u32> = front.field.seeds.iter().map(|s| s.tile).collect();
        tiles.dedup();
        for tile in tiles {
            let Some(pointer) = activate(&front.field, id, worker, tile)? else { continue };
            let place = front.place_of(front.field.grid.block(front.field.grid.place(tile)));
            // SAFETY: no phase is running, so the tile is the leader's (I1).
            front.block(place).list(unsafe { &mut *pointer });
            front.block(place).find_earliest();
            front.after_visit(place);
        }
        let outbox = &mut worker.outbox[id];
        if let Some(bad) = outbox.bad.take() {
            return Err(bad.error());
        }
        front.receive(outbox);
        front.advance();
        Ok(front)
    }

    /// A block; between phases the leader may have any, in a phase the worker that claimed it.
    pub(crate) fn block(&self, place: u32) -> MutexGuard<'_, Block<T>> {
        self.blocks[place as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Place in `blocks` of the block with a number; it is made if need be.
    fn place_of(&mut self, number: u32) -> u32 {
        let place = self.places[number as usize].load(Ordering::Relaxed);
        if place > 0 {
            return place - 1;
        }
        self.blocks.push(Mutex::new(Block::new(number)));
        self.places[number as usize].store(self.blocks.len() as u32, Ordering::Relaxed);
        self.blocks.len() as u32 - 1
    }

    /// Queues a block unless it waits already.
    fn queue_block(&mut self, place: u32) {
        let mut block = self.block(place);
        let (number, waiting) = (block.number, std::mem::replace(&mut block.waiting, true));
        drop(block);
        if !waiting {
            self.queue[self.field.grid.block_colour(number)].push(place);
        }
    }

    /// Takes note of a block that was visited.
    pub(crate) fn after_visit(&mut self, place: u32) {
        let mut block = self.block(place);
        block.waiting = false;
        let wakes = block.earliest < T::FAR && !std::mem::replace(&mut block.awake, true);
        drop(block);
        if wakes {
            self.awake.push(place);
        }
    }

    /// Takes in what a worker reports after a phase.
    pub(crate) fn receive(&mut self, outbox: &mut Outbox) {
        #[cfg(feature = "count")]
        {
            self.counts.noted += (outbox.queued.len() + outbox.activated.len() + outbox.full.len()) as u64;
        }
        for queued in outbox.queued.drain(..) {
            let place = self.place_of(queued.block);
            self.block(place).queued.push(queued.tile);
            self.queue_block(place);
        }
        self.activated.append(&mut outbox.activated);
        self.full.append(&mut outbox.full);
        self.counts.add(std::mem::take(&mut outbox.counts));
    }

    /// Whether the window has converged.
    pub(crate) fn converged(&self) -> bool {
        self.queue.iter().all(Vec::is_empty)
    }

    /// Voxels that are final, or nearly so many.
    pub(crate) fn settled_voxels(&self) -> u64 {
        self.counts.settled * LANES as u64
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
            self.width.adapt(self.counts);
        }
        let earliest = self.earliest();
        if earliest >= T::FAR || earliest.to_f64() > self.stop.stop {
            self.done = true;
            return;
        }
        self.note_full_tiles();
        self.open_window(earliest);
    }

    /// The earliest pending time; blocks without any leave the list.
    fn earliest(&mut self) -> T {
        let mut earliest = T::FAR;
        let mut awake = std::mem::take(&mut self.awake);
        awake.retain(|&place| {
            let mut block = self.block(place);
            block.awake = block.earliest < T::FAR;
            earliest = if block.earliest < earliest { block.earliest } else { earliest };
            block.awake
        });
        self.awake = awake;
        earliest
    }

    fn open_window(&mut self, earliest: T) {
        let end = T::from_f64((earliest.to_f64() + self.width.width).min(self.stop.stop));
        // Where the width is below one step of the storage type the window still holds the earliest time.
        let end = if end < earliest { earliest } else { end };
        self.field.window_end = end;
        self.field.window += 1;
        for i in 0..self.awake.len() {
            let place = self.awake[i];
            if self.block(place).earliest <= end {
                self.queue_block(place);
            }
        }
    }

    fn reach_targets(&mut self) {
        let mut times = Vec::new();
        let field = &self.field;
        self.targets.retain(|&(tile, brick, lane)| {
            let Entry::Live(tile) = field.entry(tile) else { return true };
            // SAFETY: no phase is running, so the tile does not change (I1).
            let time = unsafe { (*Tile::times(tile).cast::<[[T; LANES]; BRICKS]>())[brick][lane] };
            let reached = time <= field.window_end;
            if reached {
                times.push(time.to_f64());
            }
            !reached
        });
        times.sort_by(f64::total_cmp);
        times.into_iter().for_each(|time| self.stop.reach(time));
    }

    /// Declares the tiles full that became so in the window. None of their times can lie beyond the stop: the window
    /// has converged before it, and a later target sets it later.
    fn note_full_tiles(&mut self) {
        for tile in self.full.drain(..) {
            if !self.field.is_full(tile) {
                self.field.set_full(tile);
                self.retiring.push(tile);
            }
        }
    }
}

/// How wide windows are, in units of T.
///
/// Wide windows solve bricks again and again before their neighbours are final; narrow ones cost visits and phases.
/// Both are counted, in units of solved bricks, and the width follows the smaller cost. Any other width gives the same
/// times, later.
struct Width {
    width: f64,
    adapts: bool,
    /// Counts at the beginning of the window.
    before: Counts,
    /// Solved, visits, settled and windows, each window counting half as much as the next.
    recent: [f64; 4],
}

/// Bricks solved in the time of a visit.
const VISIT: f64 = 18.0;
/// Bricks solved in the time of beginning a window.
const WINDOW: f64 = 40.0;
/// Solutions of a brick that no width avoids.
const NEEDED: f64 = 6.0;

impl Width {
    /// A first guess: the time to cross a brick at the fastest speed next to the seeds.
    fn first(fastest: f64, spacing: Spacing3) -> Self {
        let smallest = spacing.array().into_iter().fold(f64::INFINITY, f64::min);
        let width = 2.0 * smallest / fastest;
        let width = if width.is_finite() && width > 0.0 { width } else { smallest };
        Self { width, adapts: true, before: Counts::default(), recent: [0.0; 4] }
    }

    /// A width that stays.
    fn fixed(width: f64) -> Self {
        Self { width, adapts: false, before: Counts::default(), recent: [0.0; 4] }
    }

    /// Learns from a window.
    fn adapt(&mut self, now: Counts) {
        let before = std::mem::replace(&mut self.before, now);
        let window = [now.solved - before.solved, now.visits - before.visits, now.settled - before.settled, 1];
        for (recent, count) in self.recent.iter_mut().zip(window) {
            *recent = *recent / 2.0 + count as f64;
        }
        if !self.adapts {
            return;
        }
        let [solved, visits, settled, windows] = self.recent;
        let narrow = VISIT * visits + WINDOW * windows;
        let wide = solved - NEEDED * settled;
        if narrow > 1.25 * wide {
            self.width *= 1.25;
        } else if wide > 1.25 * narrow {
            self.width *= 0.8;
        }
    }
}
