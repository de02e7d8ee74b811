//! One visit of a tile: release what the window allows, relax until nothing changes, tell the neighbours.
//!
//! Invariant: when a phase begins, every released change of a neighbouring tile is in the halo and in the inbox of
//! this tile. A visit re-solves the marked voxels in batches (Jacobi inside a batch), each batch marking the
//! neighbours of what changed within the window, until no mark is left; then it copies released changes on its
//! faces into the halos of the six neighbours and queues them for the next phase. Only the two colours alternate,
//! so nobody reads what a visitor writes. Marks and halo values are commutative: the order of visits within a phase
//! has no influence, hence neither have threads.

use super::field::Field;
use super::shape::{Face, Mask, NONE, Shape, VOXELS, and, any, count, for_each, neighbours, or, without};
use super::slot::{Slot, UNTOUCHED, WALL, is_closed, load, slot_of};
use super::solve::{Batch, solve_anisotropic, solve_isotropic};
use crate::eikonal::Time;
use crate::error::{Error, Result};
use std::sync::atomic::Ordering;

/// What one worker keeps between phases.
pub(crate) struct Worker<T: Time, H: Shape> {
    /// Slots ready for use, one list per front.
    pub(crate) free: Vec<Vec<*mut Slot<T, H>>>,
    /// What the leader has to know, one per front.
    pub(crate) outbox: Vec<Outbox<T, H>>,
    /// The first error of a phase.
    pub(crate) error: Option<Error>,
    batch: Box<Batch<T>>,
}

/// What a worker tells the leader after a phase.
pub(crate) struct Outbox<T: Time, H: Shape> {
    /// Tiles to visit in the next phase.
    pub(crate) queued: Vec<u32>,
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
            error: None,
            batch: Batch::new(),
        }
    }
}

/// Visits `tile`, which must be queued and of the colour of the phase.
#[inline(always)]
pub(crate) fn visit<T: Time, H: Shape>(field: &Field<'_, T, H>, front: usize, worker: &mut Worker<T, H>, tile: u32) {
    field.queued[tile as usize].store(0, Ordering::Relaxed);
    let entry = load(&field.directory[tile as usize]);
    let slot = match slot_of::<T, H>(entry) {
        Some(slot) => slot,
        None if entry == UNTOUCHED => match activate(field, front, worker, tile) {
            Ok(Some(slot)) => slot,
            Ok(None) => return,
            Err(error) => {
                worker.error.get_or_insert(error);
                return;
            }
        },
        None => return,
    };
    // SAFETY: the tile has the colour of this phase and is queued once, so its slot is ours.
    let changed = unsafe { relax(field, front, worker, slot) };
    if any(&changed) {
        // SAFETY: as above; neighbours have the other colour.
        unsafe { tell_neighbours(field, &mut worker.outbox[front].queued, slot, &changed) };
    }
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
    // SAFETY: the slot comes from the free list, so it is ours; its tile has the colour of this phase.
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
    // SAFETY: the slot is ours, and the neighbours are idle in this phase.
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
            let known = and(&(*other).released, back.voxels::<H>());
            (*slot).inbox[face.index()] = back.across::<H>(&known);
            let (from, to) = (Slot::times(other), Slot::times(slot));
            for_each(&known, |bit| {
                let position = usize::from(H::POSITION[bit]);
                to.add(back.halo::<H>(position)).write(from.add(position).read());
            });
        }
    }
}

/// Releases and relaxes; returns what was released or changed after being released.
///
/// # Safety
/// The slot must be the caller's.
#[inline(always)]
unsafe fn relax<T: Time, H: Shape>(
    field: &Field<'_, T, H>,
    front: usize,
    worker: &mut Worker<T, H>,
    slot: *mut Slot<T, H>,
) -> Mask {
    // SAFETY: the slot is ours for the visit: nobody else makes a reference to it or writes into it.
    let slot = unsafe { &mut *slot };
    let before = count(&slot.released);
    let mut changed = if slot.window == field.window { NONE } else { release(field, slot) };
    let open = without(&without(&[u64::MAX; 8], &slot.settled), &slot.blocked);
    let mut dirty = neighbours::<H>(&changed);
    for inbox in &mut slot.inbox {
        dirty = or(&dirty, inbox);
        *inbox = NONE;
    }
    dirty = and(&dirty, &open);
    let mut evaluations = 0;
    while any(&dirty) {
        let n = gather(slot, &dirty, &mut worker.batch);
        if field.isotropic {
            solve_isotropic(&mut worker.batch, n, field.inverse_h2);
        } else {
            solve_anisotropic(&mut worker.batch, n, field.inverse_h2);
        }
        evaluations += n as u64;
        let improved = scatter(slot, &dirty, &worker.batch, field.window_end);
        changed = or(&changed, &improved);
        dirty = and(&neighbours::<H>(&improved), &open);
    }
    let outbox = &mut worker.outbox[front];
    outbox.evaluations += evaluations;
    outbox.released += (count(&slot.released) - before) as u64;
    if !any(&slot.pending) {
        slot.earliest = T::FAR;
        if !slot.full && !any(&without(&without(&[u64::MAX; 8], &slot.released), &slot.blocked)) {
            slot.full = true;
            outbox.full.push(slot.tile);
        }
    }
    changed
}

/// Begins a window: what is pending within it becomes released.
#[inline(always)]
fn release<T: Time, H: Shape>(field: &Field<'_, T, H>, slot: &mut Slot<T, H>) -> Mask {
    slot.window = field.window;
    slot.settled = slot.released;
    let times = padded(slot);
    let mut now = NONE;
    let mut earliest = T::FAR;
    for (i, word) in slot.pending.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            // SAFETY: positions lie within the padded times.
            let time = unsafe { *times.add(position::<H>(i * 64 + bit)) };
            let within = time <= field.window_end;
            now[i] |= u64::from(within) << bit;
            earliest = if !within && time < earliest { time } else { earliest };
        }
    }
    slot.earliest = earliest;
    slot.pending = without(&slot.pending, &now);
    slot.released = or(&slot.released, &now);
    now
}

#[inline(always)]
fn position<H: Shape>(bit: usize) -> usize {
    let table: &'static [u16; VOXELS] = &H::POSITION;
    usize::from(table[bit % VOXELS])
}

#[inline(always)]
fn padded<T: Time, H: Shape>(slot: &mut Slot<T, H>) -> *mut T {
    (&raw mut slot.times).cast()
}

/// Copies neighbour times and speeds of the marked voxels into the batch; returns their number.
#[inline(always)]
fn gather<T: Time, H: Shape>(slot: &mut Slot<T, H>, marked: &Mask, batch: &mut Batch<T>) -> usize {
    let times = padded(slot).cast_const();
    let [px, py, pz] = H::PITCH;
    let mut n = 0;
    for (i, word) in marked.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            let bit = i * 64 + left.trailing_zeros() as usize;
            left &= left - 1;
            // SAFETY: `bit` < 512 is an inner voxel, so its six neighbours lie within the padded times, and at
            // most 512 bits are set, so `n` < 512.
            unsafe {
                let at = times.add(position::<H>(bit));
                let smaller = |a: T, b: T| if a < b { a } else { b };
                *batch.nearest[0].get_unchecked_mut(n) = smaller(*at.sub(px), *at.add(px));
                *batch.nearest[1].get_unchecked_mut(n) = smaller(*at.sub(py), *at.add(py));
                *batch.nearest[2].get_unchecked_mut(n) = smaller(*at.sub(pz), *at.add(pz));
                *batch.speed.get_unchecked_mut(n) = *slot.speed.get_unchecked(bit);
            }
            n += 1;
        }
    }
    n
}

/// Stores solutions that are improvements; returns those within the window.
#[inline(always)]
fn scatter<T: Time, H: Shape>(slot: &mut Slot<T, H>, marked: &Mask, batch: &Batch<T>, window_end: T) -> Mask {
    let times = padded(slot);
    let mut within = NONE;
    let mut earliest = slot.earliest;
    let mut n = 0;
    for (i, word) in marked.iter().enumerate() {
        let (mut left, mut better, mut inside) = (*word, 0u64, 0u64);
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            // SAFETY: as in `gather`: the same marks give the same positions and count.
            let (at, new) = unsafe { (times.add(position::<H>(i * 64 + bit)), *batch.solution.get_unchecked(n)) };
            // SAFETY: `at` lies within the padded times.
            let old = unsafe { *at };
            let (is_better, is_inside) = (new < old, new <= window_end);
            // SAFETY: as above.
            unsafe { *at = if is_better { new } else { old } };
            better |= u64::from(is_better) << bit;
            inside |= u64::from(is_inside) << bit;
            earliest = if is_better & !is_inside & (new < earliest) { new } else { earliest };
            n += 1;
        }
        within[i] = better & inside;
        slot.pending[i] = (slot.pending[i] | (better & !inside)) & !within[i];
        slot.released[i] |= within[i];
    }
    slot.earliest = earliest;
    within
}

/// Copies changed face voxels into the halos of the neighbours and queues them.
///
/// # Safety
/// The slot must be the caller's, and nobody may be visiting its neighbours.
#[inline(always)]
unsafe fn tell_neighbours<T: Time, H: Shape>(
    field: &Field<'_, T, H>,
    queue: &mut Vec<u32>,
    slot: *mut Slot<T, H>,
    changed: &Mask,
) {
    // SAFETY: only we use our slot; of a neighbour's slot we write the inbox and halo of the shared face, which
    // nobody else does, and take no reference.
    unsafe {
        let tile = (*slot).tile;
        let place = field.grid.place(tile);
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
                let (from, to) = (Slot::times(slot), Slot::times(other));
                for_each(&outer, |bit| {
                    let position = position::<H>(bit);
                    to.add(face.halo::<H>(position)).write(from.add(position).read());
                });
                let inbox = &raw mut (*other).inbox[face.opposite().index()];
                *inbox = or(&*inbox, &face.across::<H>(&outer));
            }
            let queued = &field.queued[other as usize];
            if queued.load(Ordering::Relaxed) == 0 && queued.swap(1, Ordering::Relaxed) == 0 {
                queue.push(other);
            }
        }
    }
}
