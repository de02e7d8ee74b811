//! Visits: a worker alone with the tiles of a block, until none of them is queued.
//!
//! Inside a block the colours of tiles alternate, as those of blocks do outside: tiles that are visited together never
//! touch, so their order has no influence. A visit settles the tile ([`super::batch`]), then marks bricks of the six
//! tiles around and queues them: in the same block for the next round, in another block for the next phase.
//!
//! Blocks are for the cache: from one phase to the next a front of a large volume has left it, from one round to the
//! next a block has not.

use super::batch::{Batch, Counts, TILES, Visited};
use super::field::Field;
use super::grid::TileGrid;
use super::lanes::Lanes;
use super::shape::{BRICKS, Bits, FACES, LANES, opposite};
use super::tile::{Entry, Tile, UNLISTED};
use crate::eikonal::Time;
use crate::eikonal::speed::BadSpeed;
use crate::error::{Error, Result};
use crate::memory::prefetch;
use std::sync::atomic::Ordering;

/// What one worker keeps between phases.
pub(crate) struct Worker<T: Time> {
    /// Tiles ready for use, one list per front.
    pub(crate) free: Vec<Vec<*mut Tile<T>>>,
    /// What the leader has to know, one per front.
    pub(crate) outbox: Vec<Outbox>,
    /// Tiles of the block to visit, by colour.
    local: [Vec<u32>; 2],
    /// The first error of a phase.
    pub(crate) error: Option<Error>,
    batch: Box<Batch<T>>,
}

/// What a worker reports to the leader after a phase.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Tiles to visit in the next phase, in other blocks.
    pub(crate) queued: Vec<QueuedTile>,
    /// Tiles visited for the first time.
    pub(crate) activated: Vec<u32>,
    /// Tiles in which every voxel that can be reached is within the window.
    pub(crate) full: Vec<u32>,
    /// The first bad speed that was read.
    pub(crate) bad: Option<BadSpeed>,
    /// Work done.
    pub(crate) counts: Counts,
}

/// A tile that is to be visited, and the number of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuedTile {
    pub(crate) block: u32,
    pub(crate) tile: u32,
}

/// A block that a front has reached.
pub(crate) struct Block<T> {
    /// Number of the block.
    pub(crate) number: u32,
    /// Window in which it was last visited.
    opened: u32,
    /// Tiles queued from other blocks.
    pub(crate) queued: Vec<u32>,
    /// Tiles with pending times, and the earliest of each.
    pending: Vec<(u32, T)>,
    /// The earliest of all pending times.
    pub(crate) earliest: T,
    /// Bricks solved in the last visit, as a guess at the work of the next one.
    pub(crate) work: u64,
    /// Whether it is to be visited.
    pub(crate) waiting: bool,
    /// Whether the leader's list of blocks with pending times has it.
    pub(crate) awake: bool,
}

impl<T: Time> Block<T> {
    /// A block that nobody has visited.
    pub(crate) fn new(number: u32) -> Self {
        let (queued, pending) = (Vec::new(), Vec::new());
        Self { number, opened: 0, queued, pending, earliest: T::FAR, work: 0, waiting: false, awake: false }
    }

    /// Notes the earliest pending time of a tile.
    #[inline(always)]
    pub(crate) fn list(&mut self, tile: &mut Tile<T>) {
        if tile.listed != UNLISTED {
            self.pending[tile.listed as usize].1 = tile.earliest;
        } else if tile.earliest < T::FAR {
            tile.listed = self.pending.len() as u32;
            self.pending.push((tile.number, tile.earliest));
        }
    }

    /// Finds the earliest of all pending times.
    pub(crate) fn find_earliest(&mut self) {
        self.earliest = self.pending.iter().fold(T::FAR, |least, (_, t)| if *t < least { *t } else { least });
    }

    /// Takes the tiles with times within the window out of the list and queues them.
    fn open(&mut self, field: &Field<'_, T>, local: &mut [Vec<u32>; 2]) {
        self.opened = field.window;
        let mut i = 0;
        while i < self.pending.len() {
            let (number, earliest) = self.pending[i];
            if earliest > field.window_end {
                i += 1;
                continue;
            }
            self.pending.swap_remove(i);
            if let Some((moved, _)) = self.pending.get(i) {
                // SAFETY: a listed tile of this block, which is ours (I2).
                unsafe { unlist(field, *moved, i as u32) };
            }
            // SAFETY: as above.
            unsafe { unlist(field, number, UNLISTED) };
            if earliest < T::FAR && field.queue_own(number) {
                local[TileGrid::colour(field.grid.place(number))].push(number);
            }
        }
    }
}

/// Notes in a tile where it is in the list.
///
/// # Safety
/// The tile must be the caller's (I2).
unsafe fn unlist<T: Time>(field: &Field<'_, T>, tile: u32, listed: u32) {
    if let Entry::Live(tile) = field.entry(tile) {
        // SAFETY: live, and ours by the caller's promise.
        unsafe { (*tile).listed = listed };
    }
}

// SAFETY: the pointers lead to tiles of a pool that outlives the workers; who may use a tile when: I1 to I3.
unsafe impl<T: Time> Send for Worker<T> {}

impl<T: Time> Worker<T> {
    /// A worker for `fronts` fronts.
    pub(crate) fn new(fronts: usize) -> Self {
        Self {
            free: (0..fronts).map(|_| Vec::new()).collect(),
            outbox: (0..fronts).map(|_| Outbox::default()).collect(),
            local: [Vec::new(), Vec::new()],
            error: None,
            batch: Batch::new(),
        }
    }
}

/// Visits the queued tiles of a block, and those of the block that are queued meanwhile, until none is left.
///
/// # Safety
/// The block has the colour of the phase and is the caller's (I2), and the processor has the instructions.
#[inline(always)]
pub(crate) unsafe fn visit_block<L: Lanes>(
    field: &Field<'_, L::Time>,
    front: usize,
    worker: &mut Worker<L::Time>,
    block: &mut Block<L::Time>,
) {
    let before = worker.batch.counts;
    // Sorted: the order in which other workers have queued them must not decide the order of visits.
    block.queued.sort_unstable();
    for tile in block.queued.drain(..) {
        worker.local[TileGrid::colour(field.grid.place(tile))].push(tile);
    }
    if block.opened != field.window {
        block.open(field, &mut worker.local);
    }
    let mut colour = 0;
    while worker.local.iter().any(|tiles| !tiles.is_empty()) {
        let mut tiles = std::mem::take(&mut worker.local[colour]);
        let mut chunks = tiles.chunks(TILES).peekable();
        while let Some(tiles) = chunks.next() {
            chunks.peek().into_iter().copied().flatten().for_each(|tile| approach(field, *tile));
            // SAFETY: the same promises; the tiles are of one colour.
            unsafe { visit::<L>(field, front, worker, block, tiles) };
        }
        tiles.clear();
        worker.local[colour] = tiles;
        colour = 1 - colour;
    }
    block.find_earliest();
    let counts = &mut worker.batch.counts;
    block.work = counts.solved - before.solved;
    worker.outbox[front].counts.add(std::mem::take(counts));
}

/// Asks for the pending times of a tile that is about to be visited for the first time in the window, and for their speeds.
#[inline(always)]
fn approach<T: Time>(field: &Field<'_, T>, tile: u32) {
    let Entry::Live(tile) = field.entry(tile) else { return };
    // SAFETY: a live tile of the block, which is ours (I2).
    let tile = unsafe { &*tile };
    if tile.released < field.window_end {
        let pending = tile.touched & tile.later;
        for brick in Bits(pending) {
            prefetch(&raw const tile.times.0[brick]);
            prefetch(&raw const tile.speeds.0[brick]);
        }
    }
}

/// Visits up to [`TILES`] tiles of one colour.
///
/// # Safety
/// As for [`visit_block`]; the tiles are of the block.
#[inline(always)]
unsafe fn visit<L: Lanes>(
    field: &Field<'_, L::Time>,
    front: usize,
    worker: &mut Worker<L::Time>,
    block: &mut Block<L::Time>,
    tiles: &[u32],
) {
    for number in tiles {
        if let Some(tile) = enter(field, front, worker, *number) {
            // SAFETY: the tile is of our block (I2), those around it rest (I3).
            unsafe { worker.batch.add::<L>(field, tile, field.across((*tile).place())) };
        }
    }
    let Worker { batch, outbox, local, .. } = worker;
    // SAFETY: the tiles were added under these promises.
    unsafe {
        if field.steps.equal {
            batch.settle::<L, true>(field.window_end, &field.steps);
        } else {
            batch.settle::<L, false>(field.window_end, &field.steps);
        }
        let mut i = 0;
        while let Some(visited) = batch.leave(i) {
            i += 1;
            let tile = &mut *visited.tile;
            block.list(tile);
            if tile.later == 0 {
                outbox[front].full.push(tile.number);
            }
            if visited.marks != [0; FACES] {
                mark_neighbours(field, block.number, &visited, &mut outbox[front], local);
            }
        }
    }
    batch.clear();
}

/// Finds a queued tile, or gives it memory; `None` where there is nothing to do.
#[inline(always)]
fn enter<T: Time>(field: &Field<'_, T>, front: usize, worker: &mut Worker<T>, tile: u32) -> Option<*mut Tile<T>> {
    field.unqueue(tile);
    match field.entry(tile) {
        Entry::Live(live) => (!field.is_full(tile)).then_some(live),
        Entry::Untouched => activate(field, front, worker, tile).unwrap_or_else(|error| {
            worker.error.get_or_insert(error);
            None
        }),
        _ => None,
    }
}

/// Marks bricks of the tiles around a visited one, and queues those tiles.
///
/// # Safety
/// The tile is the caller's (I2), and the tiles around it rest (I3).
#[inline(always)]
unsafe fn mark_neighbours<T: Time>(
    field: &Field<'_, T>,
    block: u32,
    visited: &Visited<T>,
    outbox: &mut Outbox,
    local: &mut [Vec<u32>; 2],
) {
    // SAFETY: the tile is ours (I2).
    let place = unsafe { (*visited.tile).place() };
    for (face, marks) in visited.marks.into_iter().enumerate() {
        let Some(other) = (if marks == 0 { None } else { field.grid.across(place, face) }) else { continue };
        let number = field.grid.tile(other);
        let home = field.grid.block(other);
        match field.entry(number) {
            // A tile without memory is marked when it gets some: see `activate`.
            Entry::Untouched => {}
            Entry::Live(tile) if !field.is_full(number) => {
                // SAFETY: live; `marked` is atomic, and nothing else of the resting tile is used (I3).
                let marked = unsafe { &(*tile).marked };
                if home == block {
                    marked.store(marked.load(Ordering::Relaxed) | marks, Ordering::Relaxed);
                } else {
                    marked.fetch_or(marks, Ordering::Relaxed);
                }
            }
            _ => continue,
        }
        if home == block {
            if field.queue_own(number) {
                local[TileGrid::colour(other)].push(number);
            }
        } else if field.queue_shared(number) {
            outbox.queued.push(QueuedTile { block: home, tile: number });
        }
    }
}

/// Gives an untouched tile memory; `None` if no voxel of it can be reached.
#[inline(never)]
pub(crate) fn activate<T: Time>(
    field: &Field<'_, T>,
    front: usize,
    worker: &mut Worker<T>,
    number: u32,
) -> Result<Option<*mut Tile<T>>> {
    let (free, outbox) = (&mut worker.free[front], &mut worker.outbox[front]);
    if free.is_empty() {
        field.pool.take(free)?;
    }
    let Some(pointer) = free.pop() else { return Err(Error::Internal("the pool grew by nothing".into())) };
    let place = field.grid.place(number);
    // SAFETY: it comes from the free list, so it is ours.
    let tile = unsafe {
        Tile::reset(pointer, number, place);
        &mut *pointer
    };
    outbox.bad = BadSpeed::first(outbox.bad, field.read_speeds(number, &mut tile.speeds));
    let higher = |a: T, b: T| if b > a { b } else { a };
    let mut highest = [T::default(); LANES];
    for (brick, speeds) in tile.speeds.0.iter().enumerate() {
        tile.open |= u64::from(speeds.iter().fold(false, |any, f| any | (*f > T::default()))) << brick;
        highest = std::array::from_fn(|lane| higher(highest[lane], speeds[lane]));
    }
    tile.fastest = highest.into_iter().fold(T::default(), higher);
    tile.later = tile.open;
    plant(field, tile);
    if tile.later == 0 {
        free.push(pointer);
        field.directory[number as usize].set(Entry::Wall);
        return Ok(None);
    }
    tile.marked = reached_from_outside(field, place).into();
    field.directory[number as usize].set(Entry::Live(pointer));
    outbox.activated.push(number);
    Ok(Some(pointer))
}

/// Puts the seeds of a tile into it.
fn plant<T: Time>(field: &Field<'_, T>, tile: &mut Tile<T>) {
    for seed in field.seeds_of(tile.number) {
        tile.times.0[seed.brick][seed.lane] = seed.time;
        tile.speeds.0[seed.brick][seed.lane] = T::NOT_A_NUMBER;
        tile.later |= 1 << seed.brick;
        tile.touched |= 1 << seed.brick;
        tile.earliest = if seed.time < tile.earliest { seed.time } else { tile.earliest };
    }
}

/// Bricks of a fresh tile beside voxels of other tiles that are within the window.
fn reached_from_outside<T: Time>(field: &Field<'_, T>, place: [usize; 3]) -> u64 {
    let shape = field.grid.shape;
    let mut reached = 0;
    for face in 0..FACES {
        let Some(other) = field.grid.across(place, face) else { continue };
        let Entry::Live(tile) = field.entry(field.grid.tile(other)) else { continue };
        // SAFETY: the tiles around an untouched one rest while it is given memory (I3), so the times do not change.
        let times = unsafe { &*Tile::times(tile).cast::<[[T; LANES]; BRICKS]>() };
        let back = opposite(face);
        for brick in Bits(shape.on[back]) {
            let near = times[brick].iter().any(|t| *t <= field.window_end);
            reached |= shape.across(back, u64::from(near) << brick);
        }
    }
    reached
}
