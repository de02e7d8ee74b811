//! Visits: a worker alone with the tiles of a block, until none of them is queued.
//!
//! Invariant: when a tile is visited, every released change of a neighbouring tile is in its halo and its inbox. A
//! visit relaxes the tile ([`super::relax`]), then copies released changes on its faces into the halos of the six
//! neighbours and queues them: in the same block for the next round, in another block for the next phase. Only two
//! colours alternate, of blocks between phases and of tiles between rounds, so nobody reads what a visitor writes.
//! Marks and halo values are commutative: the order of visits within a round or phase has no influence, hence neither
//! have threads.
//!
//! Blocks are for the cache: from one phase to the next a front of a large volume has left it, from one round to the
//! next a block has not. A march of 400^3 takes an eighth less time than with phases of single tiles.

use super::field::{Field, Ticket, TileGrid};
use super::octet::{Octet, Plain};
use super::relax::{Bundle, TILES};
use super::shape::{Bits, Face, Mask, Shape, WIDTH, and, any, octets, or, position, without};
use super::slot::{Slot, UNTOUCHED, WALL, is_closed, load, slot_of};
use crate::eikonal::Time;
use crate::error::{Error, Result};
use std::sync::atomic::Ordering;

/// What one worker keeps between phases.
pub(crate) struct Worker<T: Time, H: Shape> {
    /// Slots ready for use, one list per front.
    pub(crate) free: Vec<Vec<*mut Slot<T, H>>>,
    /// What the leader has to know, one per front.
    pub(crate) outbox: Vec<Outbox<T, H>>,
    /// The block in which it is, and the tiles to visit there, by colour.
    block: u32,
    local: [Vec<u32>; 2],
    /// The first error of a phase.
    pub(crate) error: Option<Error>,
    bundle: Box<Bundle<T, H>>,
}

/// What a worker tells the leader after a phase.
pub(crate) struct Outbox<T: Time, H: Shape> {
    /// Tiles to visit in the next phase.
    pub(crate) queued: Vec<Ticket>,
    /// Tiles visited for the first time.
    pub(crate) activated: Vec<*mut Slot<T, H>>,
    /// Tiles in which every voxel is released.
    pub(crate) full: Vec<u32>,
    /// Voxels solved, counting repetitions.
    pub(crate) evaluations: u64,
    /// Voxels released.
    pub(crate) released: u64,
}

// SAFETY: the pointers lead to slots of a pool that outlives the workers; who may use a slot when is the colour rule.
unsafe impl<T: Time, H: Shape> Send for Worker<T, H> {}

impl<T: Time, H: Shape> Worker<T, H> {
    /// A worker for `fronts` fronts.
    pub(crate) fn new(fronts: usize) -> Self {
        let outbox =
            || Outbox { queued: Vec::new(), activated: Vec::new(), full: Vec::new(), evaluations: 0, released: 0 };
        Self {
            free: (0..fronts).map(|_| Vec::new()).collect(),
            outbox: (0..fronts).map(|_| outbox()).collect(),
            block: 0,
            local: [Vec::new(), Vec::new()],
            error: None,
            bundle: Bundle::new(),
        }
    }
}

/// Visits the queued tiles of a block, and those of the block that are queued meanwhile, until none is left.
///
/// The block must have the colour of the phase. Inside it the colours of tiles alternate, as blocks do outside: the
/// tiles that are visited together never touch, so their order has no influence.
#[inline(always)]
pub(crate) fn visit_block<T: Time, H: Shape, O: Octet>(
    field: &Field<'_, T, H>,
    front: usize,
    worker: &mut Worker<T, H>,
    tickets: &[Ticket],
) {
    let Some(first) = tickets.first() else { return };
    worker.block = first.block;
    for ticket in tickets {
        worker.local[TileGrid::<H>::colour(field.grid.place(ticket.tile))].push(ticket.tile);
    }
    let mut colour = 0;
    while worker.local.iter().any(|tiles| !tiles.is_empty()) {
        let mut tiles = std::mem::take(&mut worker.local[colour]);
        for tiles in tiles.chunks(TILES) {
            visit::<T, H, O>(field, front, worker, tiles);
        }
        tiles.clear();
        worker.local[colour] = tiles;
        colour = 1 - colour;
    }
}

/// Visits up to [`TILES`] queued tiles of one colour.
#[inline(always)]
fn visit<T: Time, H: Shape, O: Octet>(field: &Field<'_, T, H>, front: usize, worker: &mut Worker<T, H>, tiles: &[u32]) {
    for tile in tiles {
        if let Some(slot) = enter(field, front, worker, *tile) {
            // SAFETY: the tile's block and the tile have the colours of the hour and the tile is queued once, so its
            // slot is ours.
            unsafe { worker.bundle.add::<O>(field, slot) };
        }
    }
    relax::<T, H, O>(field, front, worker);
}

/// Finds the slot of a queued tile, or gives it one; `None` where there is nothing to do.
#[inline(always)]
fn enter<T: Time, H: Shape>(
    field: &Field<'_, T, H>,
    front: usize,
    worker: &mut Worker<T, H>,
    tile: u32,
) -> Option<*mut Slot<T, H>> {
    field.queued[tile as usize].store(0, Ordering::Relaxed);
    let entry = load(&field.directory[tile as usize]);
    if entry != UNTOUCHED {
        return slot_of(entry);
    }
    activate(field, front, worker, tile).unwrap_or_else(|error| {
        worker.error.get_or_insert(error);
        None
    })
}

/// Relaxes the tiles that have been collected, and tells their neighbours.
#[inline(always)]
fn relax<T: Time, H: Shape, O: Octet>(field: &Field<'_, T, H>, front: usize, worker: &mut Worker<T, H>) {
    let Worker { bundle, outbox, block, local, .. } = worker;
    let outbox = &mut outbox[front];
    outbox.evaluations += bundle.relax::<O>(field);
    let mut i = 0;
    while let Some(member) = bundle.finish::<O>(i) {
        i += 1;
        let (slot, changed) = (member.slot, &member.changed);
        // SAFETY: the slot is ours until the bundle is cleared; neighbours have the other colour.
        unsafe {
            outbox.released += member.released;
            if !(*slot).full && is_filled(slot) {
                (*slot).full = true;
                outbox.full.push((*slot).tile);
            }
            if any(changed) {
                tell_neighbours::<T, H, O>(field, slot, changed, |ticket, colour| {
                    if ticket.block == *block {
                        local[colour].push(ticket.tile);
                    } else {
                        outbox.queued.push(ticket);
                    }
                });
            }
        }
    }
    bundle.clear();
}

/// Whether every voxel is released or blocked, and none waits to be released.
///
/// # Safety
/// The slot must be the caller's.
#[inline(always)]
unsafe fn is_filled<T: Time, H: Shape>(slot: *mut Slot<T, H>) -> bool {
    // SAFETY: the slot is ours.
    unsafe { !any(&(*slot).pending) && or(&(*slot).released, &(*slot).blocked) == [u64::MAX; 8] }
}

/// Gives an untouched tile a slot; `None` if no voxel of it can be reached.
#[inline(never)]
pub(crate) fn activate<T: Time, H: Shape>(
    field: &Field<'_, T, H>,
    front: usize,
    worker: &mut Worker<T, H>,
    tile: u32,
) -> Result<Option<*mut Slot<T, H>>> {
    let free = &mut worker.free[front];
    if free.is_empty() {
        field.pool.take(free)?;
    }
    let Some(slot) = free.pop() else { return Err(Error::Internal("the pool grew by nothing".into())) };
    // SAFETY: the slot comes from the free list, so it is ours; its tile has the colour of this round.
    let walled = unsafe {
        Slot::reset(slot, tile);
        (*slot).blocked = field.read_speed(tile, &mut (*slot).speed);
        plant(field, slot);
        !any(&without(&[u64::MAX; 8], &(*slot).blocked)) && !any(&(*slot).pending)
    };
    if walled {
        free.push(slot);
        field.directory[tile as usize].store(WALL, Ordering::Relaxed);
        return Ok(None);
    }
    // SAFETY: the slot is ours, and the neighbours are idle in this round.
    unsafe { fetch_halo(field, slot) };
    field.directory[tile as usize].store(slot as usize, Ordering::Relaxed);
    worker.outbox[front].activated.push(slot);
    Ok(Some(slot))
}

/// Puts the seeds of the tile into its slot.
///
/// # Safety
/// The slot must be the caller's.
unsafe fn plant<T: Time, H: Shape>(field: &Field<'_, T, H>, slot: *mut Slot<T, H>) {
    // SAFETY: the slot is ours; positions lie within the padded times.
    unsafe {
        for seed in field.seeds_of((*slot).tile) {
            let bit = 1 << (seed.bit % 64);
            (*slot).blocked[seed.bit / 64] |= bit;
            (*slot).pending[seed.bit / 64] |= bit;
            Slot::times(slot).add(usize::from(H::POSITION[seed.bit])).write(seed.time);
            if seed.time < (*slot).earliest {
                (*slot).earliest = seed.time;
            }
        }
    }
}

/// Fills halo and inbox of a fresh slot from the neighbours that have one.
///
/// # Safety
/// The slot must be the caller's, and nobody may be visiting its neighbours.
unsafe fn fetch_halo<T: Time, H: Shape>(field: &Field<'_, T, H>, slot: *mut Slot<T, H>) {
    // SAFETY: neighbours are idle, so their times and masks do not change while we read them.
    unsafe {
        let tile = (*slot).tile;
        let place = field.grid.place(tile);
        for face in Face::ALL {
            let Some(other) = field.grid.across(tile, place, face) else { continue };
            let Some(other) = slot_of::<T, H>(load(&field.directory[other as usize])) else { continue };
            let back = face.opposite();
            post::<T, H, Plain>(other, slot, back, &and(&(*other).released, back.voxels::<H>()));
        }
    }
}

/// Copies changed face voxels into the halos of the neighbours and queues them.
///
/// # Safety
/// The slot must be the caller's, and nobody may be visiting its neighbours.
#[inline(always)]
unsafe fn tell_neighbours<T: Time, H: Shape, O: Octet>(
    field: &Field<'_, T, H>,
    slot: *mut Slot<T, H>,
    changed: &Mask,
    mut queue: impl FnMut(Ticket, usize),
) {
    // SAFETY: only we use our slot; of a neighbour's slot we write inbox, mail and halo of the shared face, which
    // nobody else does, and take no reference.
    unsafe {
        let tile = (*slot).tile;
        let place = field.grid.place(tile);
        let colour = 1 - TileGrid::<H>::colour(place);
        for face in Face::ALL {
            let outer = and(changed, face.voxels::<H>());
            if !any(&outer) {
                continue;
            }
            let Some(other) = field.grid.across(tile, place, face) else { continue };
            let entry = load(&field.directory[other as usize]);
            if is_closed(entry) {
                continue;
            }
            if let Some(other) = slot_of::<T, H>(entry) {
                post::<T, H, O>(slot, other, face, &outer);
            }
            let queued = &field.queued[other as usize];
            if queued.load(Ordering::Relaxed) == 0 && queued.swap(1, Ordering::Relaxed) == 0 {
                let mut place = place;
                place[face.axis] = if face.high { place[face.axis] + 1 } else { place[face.axis] - 1 };
                queue(field.grid.ticket(other, place), colour);
            }
        }
    }
}

/// Puts the voxels `outer` of the face of a tile into halo and inbox of its neighbour across that face.
///
/// Along y and z whole octets go, also times of voxels that have not been released: they are bounds from above like
/// every time that is not final, and what is solved with them is solved again when they are released.
///
/// # Safety
/// Nobody else may use the slot `from`, or inbox, mail and halo of that face of `to`.
#[inline(always)]
unsafe fn post<T: Time, H: Shape, O: Octet>(from: *mut Slot<T, H>, to: *mut Slot<T, H>, face: Face, outer: &Mask) {
    // SAFETY: positions on a face lie within the padded times, and so do those of the halo across.
    unsafe {
        let (source, halo) = (Slot::times(from), Slot::times(to));
        if face.axis == 0 {
            for (i, word) in outer.iter().enumerate() {
                for bit in Bits(*word) {
                    let position = position::<H>(i * 64 + bit);
                    halo.add(face.halo::<H>(position)).write(source.add(position).read());
                }
            }
        } else {
            for octet in Bits(O::occupied(&octets(outer))) {
                let position = position::<H>(octet * WIDTH);
                let row = source.add(position).cast::<[T; WIDTH]>().read();
                halo.add(face.halo::<H>(position)).cast::<[T; WIDTH]>().write(row);
            }
        }
        let inbox = &raw mut (*to).inbox[face.opposite().index()];
        *inbox = or(&*inbox, &face.across::<H>(outer));
        (*to).mail[face.opposite().index()] = true;
    }
}
