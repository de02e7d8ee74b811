//! Phases: the fronts of a job advance together, blocks of one colour at a time, on all members of a team.

use super::field::Ticket;
#[cfg(target_arch = "x86_64")]
use super::octet::{Avx2, Avx512};
use super::octet::{Octet, Plain};
use super::shape::Shape;
use super::slot::Slot;
use super::visit::{Worker, visit_block};
use super::window::Front;
use crate::cpu::Instructions;
use crate::eikonal::Time;
use crate::eikonal::team::Team;
use crate::error::Result;
use crate::task::TaskControl;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What becomes of a tile when it is retired.
pub(crate) trait Sink<T: Time, H: Shape>: Sync {
    /// Stores the times of a slot that is about to be used for another tile.
    ///
    /// # Errors
    /// Where the sink cannot hold them.
    ///
    /// # Safety
    /// The slot must be the caller's.
    unsafe fn retire(&self, front: &Front<'_, T, H>, id: usize, slot: *mut Slot<T, H>) -> Result<()>;
}

/// How a job is run. Nothing here changes the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Instructions of the inner loops.
    pub instructions: Instructions,
    /// Shuffles the work lists of every phase, to show that their order does not matter.
    pub shuffle: Option<u64>,
    /// The most bytes that tiles may take: those in which a front is, and those kept for the product of two fronts.
    pub memory_limit: Option<u64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { instructions: Instructions::best(), shuffle: None, memory_limit: None }
    }
}

/// Asked whenever a window has converged: is what the fronts have found enough?
pub(crate) type Ended<'e, 'a, T, H> = &'e mut dyn FnMut(&[Front<'a, T, H>]) -> bool;

/// Slots that a worker claims at once to retire them.
const RETIRED_TOGETHER: usize = 8;

/// A phase with fewer tiles is run by the leader alone.
const SMALL: usize = 8;

/// Runs fronts to their ends.
pub(crate) struct Driver<'t, T: Time, H: Shape> {
    team: &'t Team,
    control: &'t TaskControl,
    instructions: Instructions,
    shuffle: Option<u64>,
    workers: Vec<Mutex<Worker<T, H>>>,
}

/// One phase's work.
struct Phase<'p, 'a, T: Time, H: Shape, S> {
    fronts: &'p [Front<'a, T, H>],
    /// Slots to retire, some at a time, each with the number of its front.
    retire: Vec<&'p [(usize, SlotPointer<T, H>)]>,
    /// Queued tiles, those of a block at a time, with the number of their front.
    blocks: Vec<(usize, &'p [Ticket])>,
    next: AtomicUsize,
    sink: &'p S,
    control: &'p TaskControl,
}

/// A slot on its way to the worker that retires it.
#[derive(Clone, Copy)]
struct SlotPointer<T: Time, H: Shape>(*mut Slot<T, H>);

// SAFETY: exactly one worker claims the item and uses the slot.
unsafe impl<T: Time, H: Shape> Send for SlotPointer<T, H> {}
// SAFETY: as above.
unsafe impl<T: Time, H: Shape> Sync for SlotPointer<T, H> {}

impl<'t, T: Time, H: Shape> Driver<'t, T, H> {
    /// A driver for `fronts` fronts.
    pub(crate) fn new(team: &'t Team, control: &'t TaskControl, tuning: &Tuning, fronts: usize) -> Self {
        let available = tuning.instructions.available();
        Self {
            team,
            control,
            instructions: if available { tuning.instructions } else { Instructions::Baseline },
            shuffle: tuning.shuffle,
            workers: (0..team.members()).map(|_| Mutex::new(Worker::new(fronts))).collect(),
        }
    }

    /// The instructions in use.
    pub(crate) fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// A worker's state; between phases the leader may have any.
    pub(crate) fn worker(&self, place: usize) -> MutexGuard<'_, Worker<T, H>> {
        self.workers[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes through phases until every front is done, or until `ended`, which is asked whenever a window has
    /// converged, says that what the fronts have found is enough.
    pub(crate) fn run<'a, S: Sink<T, H>>(
        &mut self,
        fronts: &mut [Front<'a, T, H>],
        sink: &S,
        mut ended: Option<Ended<'_, 'a, T, H>>,
    ) -> Result<()> {
        let total: f64 = fronts.iter().map(|f| f.field.grid.size.voxels() as f64).sum();
        let mut colour = 0;
        loop {
            self.control.check()?;
            let mut advanced = false;
            for front in fronts.iter_mut().filter(|f| !f.done && f.converged()) {
                front.advance();
                advanced = true;
            }
            if advanced {
                self.control.report(fronts.iter().map(|f| f.released as f64).sum::<f64>() / total);
                let all_done = fronts.iter().all(|f| f.done);
                if all_done || ended.is_some() {
                    self.phase(fronts, sink, None)?;
                }
                if all_done || ended.as_mut().is_some_and(|ended| ended(fronts)) {
                    return Ok(());
                }
            }
            self.phase(fronts, sink, Some(colour))?;
            colour = 1 - colour;
        }
    }

    /// Retires what waits to be retired, and visits the blocks of `colour` with queued tiles.
    fn phase<S: Sink<T, H>>(&mut self, fronts: &mut [Front<'_, T, H>], sink: &S, colour: Option<usize>) -> Result<()> {
        let (mut retire, mut visits) = (Vec::new(), Vec::new());
        for (id, front) in fronts.iter_mut().enumerate() {
            retire.extend(front.retiring.drain(..).map(|slot| (id, SlotPointer(slot))));
            if let Some(colour) = colour {
                visits.push(std::mem::take(&mut front.queue[colour]));
            }
        }
        if let Some(seed) = &mut self.shuffle {
            visits.iter_mut().for_each(|tickets| shuffle(tickets, seed));
        }
        visits.iter_mut().for_each(|tickets| tickets.sort_by_key(|t| t.block));
        let mut blocks = Vec::new();
        for (id, tickets) in visits.iter().enumerate() {
            blocks.extend(tickets.chunk_by(|a, b| a.block == b.block).map(|tickets| (id, tickets)));
        }
        if let Some(seed) = &mut self.shuffle {
            shuffle(&mut blocks, seed);
        }
        let tiles = retire.len() + visits.iter().map(Vec::len).sum::<usize>();
        let next = AtomicUsize::new(0);
        let retire = retire.chunks(RETIRED_TOGETHER).collect();
        let phase = Phase { fronts, retire, blocks, next, sink, control: self.control };
        match phase.retire.len() + phase.blocks.len() {
            0 => return Ok(()),
            items if items == 1 || tiles < SMALL => self.work(&phase, 0),
            _ => self.team.execute(&|place| self.work(&phase, place)),
        }
        for place in 0..self.team.members() {
            let mut worker = self.worker(place);
            if let Some(error) = worker.error.take() {
                return Err(error);
            }
            for (front, outbox) in fronts.iter_mut().zip(&mut worker.outbox) {
                front.receive(outbox, colour.unwrap_or(0));
            }
        }
        // A cancelled phase has left work undone.
        self.control.check()
    }

    fn work<S: Sink<T, H>>(&self, phase: &Phase<'_, '_, T, H, S>, place: usize) {
        let mut worker = self.worker(place);
        match self.instructions {
            Instructions::Baseline | Instructions::Neon => claim::<T, H, S, Plain>(phase, &mut worker),
            // SAFETY: `new` checked that the machine has the instructions.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { claim_avx2(phase, &mut worker) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { claim_avx512(phase, &mut worker) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => claim::<T, H, S, Plain>(phase, &mut worker),
        }
    }
}

/// Claims items of the phase until none is left.
#[inline(always)]
fn claim<T: Time, H: Shape, S: Sink<T, H>, O: Octet>(phase: &Phase<'_, '_, T, H, S>, worker: &mut Worker<T, H>) {
    while worker.error.is_none() && !phase.control.is_cancelled() {
        let item = phase.next.fetch_add(1, Ordering::Relaxed);
        if let Some(slots) = phase.retire.get(item) {
            slots.iter().for_each(|slot| retire(phase, worker, *slot));
        } else if let Some(&(id, tickets)) = phase.blocks.get(item - phase.retire.len()) {
            visit_block::<T, H, O>(&phase.fronts[id].field, id, worker, tickets);
        } else {
            return;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn claim_avx2<T: Time, H: Shape, S: Sink<T, H>>(phase: &Phase<'_, '_, T, H, S>, worker: &mut Worker<T, H>) {
    claim::<T, H, S, Avx2>(phase, worker);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
fn claim_avx512<T: Time, H: Shape, S: Sink<T, H>>(phase: &Phase<'_, '_, T, H, S>, worker: &mut Worker<T, H>) {
    claim::<T, H, S, Avx512>(phase, worker);
}

#[inline(never)]
fn retire<T: Time, H: Shape, S: Sink<T, H>>(
    phase: &Phase<'_, '_, T, H, S>,
    worker: &mut Worker<T, H>,
    slot: (usize, SlotPointer<T, H>),
) {
    let (id, SlotPointer(slot)) = slot;
    // SAFETY: the leader took the tile out of the directory, so only the claimer of this item knows the slot.
    match unsafe { phase.sink.retire(&phase.fronts[id], id, slot) } {
        Ok(()) => worker.free[id].push(slot),
        Err(error) => {
            worker.error.get_or_insert(error);
        }
    }
}

/// Fisher-Yates with a small generator; only tests ask for it.
fn shuffle<V>(items: &mut [V], state: &mut u64) {
    for last in (1..items.len()).rev() {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        items.swap(last, (*state >> 33) as usize % (last + 1));
    }
}
