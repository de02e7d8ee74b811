//! Phases: the fronts of a job advance together, blocks of one colour at a time, on the members of a team.

use super::field::Field;
use super::front::Front;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2Double, Avx2Single, Avx512Double, Avx512Single};
use super::lanes::{Lanes, Plain};
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use super::lanes::{NeonDouble, NeonSingle};
use super::shape::FACES;
use super::tile::{Entry, Tile};
use super::visit::{Worker, visit_block};
use crate::cpu::Level;
use crate::eikonal::Time;
use crate::eikonal::problem::Tuning;
use crate::eikonal::speed::BadSpeed;
use crate::error::Result;
use crate::pixel::PixelType;
use crate::task::TaskControl;
use crate::team::Leader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What becomes of the times of a tile that is retired.
pub(crate) trait Sink<T: Time>: Sync {
    /// Whether the times stay where neighbours can read them. Otherwise a tile is retired only when those around it no
    /// longer need it.
    const KEEPS: bool;

    /// Stores the times of a tile whose memory is about to be used for another, and says where they are.
    ///
    /// # Errors
    /// Where the sink cannot hold them.
    ///
    /// # Safety
    /// The tile must be the caller's.
    unsafe fn retire(&self, field: &Field<'_, T>, tile: *mut Tile<T>) -> Result<Entry<T>>;
}

/// Asked whenever a window has converged: is what the fronts have found enough?
pub(crate) type Ended<'e, 'a, T> = &'e mut dyn FnMut(&mut Leader<'_>, &[Front<'a, T>]) -> bool;

/// Full tiles that a worker claims at once.
const RETIRED_TOGETHER: usize = 4;

/// Solved bricks that are worth a worker: some 30 us, as long as it may take to wake one.
const WORTH_A_WORKER: u64 = 800;

/// Full tiles that are worth a worker: a tile takes about as long to write as some dozens of bricks to solve.
const RETIRED_WORTH_A_WORKER: usize = 16;

/// Solved bricks that a tile queued from another block leads to.
const WORK_OF_A_TICKET: u64 = 40;

/// Runs fronts to their ends.
pub(crate) struct Driver<'l, 't, T: Time> {
    pub(crate) leader: &'l mut Leader<'t>,
    control: &'l TaskControl,
    level: Level,
    shuffle: Option<u64>,
    workers: Vec<Mutex<Worker<T>>>,
    #[cfg(feature = "count")]
    phases: super::count::Phases,
}

/// One phase's work.
struct Phase<'p, 'a, T: Time> {
    fronts: &'p [Front<'a, T>],
    /// Blocks to visit, each with the number of its front.
    blocks: Vec<(usize, u32)>,
    next: AtomicUsize,
    control: &'p TaskControl,
}

impl<'l, 't, T: Time> Driver<'l, 't, T> {
    /// A driver for `fronts` fronts.
    pub(crate) fn new(leader: &'l mut Leader<'t>, control: &'l TaskControl, tuning: &Tuning, fronts: usize) -> Self {
        Self {
            workers: (0..leader.members()).map(|_| Mutex::new(Worker::new(fronts))).collect(),
            leader,
            control,
            level: tuning.instructions.level(),
            shuffle: tuning.shuffle,
            #[cfg(feature = "count")]
            phases: super::count::Phases::default(),
        }
    }

    /// The instructions in use.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// A worker's state; between phases the leader may have any.
    pub(crate) fn worker(&self, place: usize) -> MutexGuard<'_, Worker<T>> {
        self.workers[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes through phases until every front is done, or until `ended`, which is asked whenever a window has
    /// converged, says that what the fronts have found is enough.
    pub(crate) fn run<'a, S: Sink<T>>(
        &mut self,
        fronts: &mut [Front<'a, T>],
        sink: &S,
        mut ended: Option<Ended<'_, 'a, T>>,
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
                self.control.report(fronts.iter().map(|f| f.settled_voxels() as f64).sum::<f64>() / total);
                if fronts.iter().all(|f| f.done) || ended.as_mut().is_some_and(|ended| ended(self.leader, fronts)) {
                    #[cfg(feature = "count")]
                    self.phases.publish(fronts);
                    return Ok(());
                }
                self.retire(fronts, sink)?;
            }
            self.visit(fronts, colour)?;
            colour = 1 - colour;
        }
    }

    /// Visits the queued blocks of a colour.
    fn visit(&mut self, fronts: &mut [Front<'_, T>], colour: usize) -> Result<()> {
        let mut blocks = Vec::new();
        for (id, front) in fronts.iter_mut().enumerate() {
            for place in std::mem::take(&mut front.queue[colour]) {
                let block = front.block(place);
                blocks.push((block.work.max(WORK_OF_A_TICKET * block.queued.len() as u64), id, place));
            }
        }
        if blocks.is_empty() {
            return Ok(());
        }
        // The largest first: then nobody waits long for the last.
        blocks.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(seed) = &mut self.shuffle {
            shuffle(&mut blocks, seed);
        }
        let work: u64 = blocks.iter().map(|b| b.0).sum();
        let blocks: Vec<(usize, u32)> = blocks.into_iter().map(|(_, id, place)| (id, place)).collect();
        let phase = Phase { fronts, blocks, next: AtomicUsize::new(0), control: self.control };
        let (workers, level, items) = (&self.workers, self.level, phase.blocks.len());
        let job = |place: usize| {
            let mut worker = workers[place].lock().unwrap_or_else(PoisonError::into_inner);
            claim(level, &phase, &mut worker);
        };
        let workers = if self.shuffle.is_some() { items } else { workers_for(work, items) };
        self.leader.execute(workers, &job);
        let blocks = phase.blocks;
        #[cfg(feature = "count")]
        self.phases.add(fronts, &blocks);
        for (id, place) in blocks {
            fronts[id].after_visit(place);
        }
        self.collect(fronts)
    }

    /// Takes in what the workers report after a phase.
    fn collect(&mut self, fronts: &mut [Front<'_, T>]) -> Result<()> {
        let mut bad = None;
        for worker in &mut self.workers {
            let worker = worker.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = worker.error.take() {
                return Err(error);
            }
            for (front, outbox) in fronts.iter_mut().zip(&mut worker.outbox) {
                bad = BadSpeed::first(bad, outbox.bad.take());
                front.receive(outbox);
            }
        }
        // A cancelled phase has left work undone.
        self.control.check()?;
        bad.map_or(Ok(()), |bad| Err(bad.error()))
    }

    /// Retires what can be retired since tiles became full.
    fn retire<S: Sink<T>>(&mut self, fronts: &mut [Front<'_, T>], sink: &S) -> Result<()> {
        let full: Vec<(usize, u32)> = fronts
            .iter_mut()
            .enumerate()
            .flat_map(|(id, f)| f.retiring.drain(..).map(move |tile| (id, tile)))
            .collect();
        let chunks: Vec<&[(usize, u32)]> = full.chunks(RETIRED_TOGETHER).collect();
        if chunks.is_empty() {
            return Ok(());
        }
        let (next, fronts_read, workers) = (AtomicUsize::new(0), &*fronts, &self.workers);
        let job = |place: usize| {
            let mut worker = workers[place].lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                for (id, tile) in *chunk {
                    if let Err(error) = retire_around(&fronts_read[*id].field, *id, *tile, sink, &mut worker) {
                        worker.error.get_or_insert(error);
                    }
                }
            }
        };
        self.leader.execute((full.len() / RETIRED_WORTH_A_WORKER).min(chunks.len()), &job);
        self.collect(fronts)
    }
}

/// How many workers a phase is worth in which these bricks are solved in these blocks.
pub(crate) fn workers_for(work: u64, blocks: usize) -> usize {
    usize::try_from(work / WORTH_A_WORKER).unwrap_or(usize::MAX).min(blocks).max(1)
}

/// Retires a full tile, and those around it, as far as nobody needs their memory any more.
fn retire_around<T: Time, S: Sink<T>>(
    field: &Field<'_, T>,
    id: usize,
    tile: u32,
    sink: &S,
    worker: &mut Worker<T>,
) -> Result<()> {
    let place = field.grid.place(tile);
    let around = (0..FACES).filter_map(|face| field.grid.across(place, face));
    for place in std::iter::once(place).chain(around.filter(|_| !S::KEEPS)) {
        let number = field.grid.tile(place);
        let entry = field.entry(number);
        let Entry::Live(pointer) = entry else { continue };
        let needless = || {
            (0..FACES).filter_map(|face| field.grid.across(place, face)).all(|other| {
                let other = field.grid.tile(other);
                field.is_full(other) || !matches!(field.entry(other), Entry::Live(_))
            })
        };
        if !field.is_full(number) || !(S::KEEPS || needless()) {
            continue;
        }
        // Several workers may come here with tiles that touch; one of them wins.
        let word = &field.directory[number as usize];
        if word.replace(entry, Entry::Retired) {
            // SAFETY: only we have taken the tile out of the directory, and between visits nobody else uses it (I5).
            word.set(unsafe { sink.retire(field, pointer)? });
            worker.free[id].push(pointer);
        }
    }
    field.pool.give_back(&mut worker.free[id]);
    Ok(())
}

/// Claims blocks of the phase until none is left, with the kernel for these instructions.
fn claim<T: Time>(level: Level, phase: &Phase<'_, '_, T>, worker: &mut Worker<T>) {
    let (phase, worker) = (&raw const *phase, &raw mut *worker);
    // SAFETY: the type of pixel names the type: `T` is `f32` in the first case and `f64` in the second, so the pointers
    // lead to what they are cast to.
    unsafe {
        match T::TYPE {
            PixelType::F32 => claim_single(level, &*phase.cast(), &mut *worker.cast()),
            _ => claim_double(level, &*phase.cast(), &mut *worker.cast()),
        }
    }
}

/// [`claim`] for times of one type, solved in these lanes.
macro_rules! define_claim {
    ($name:ident, $time:ty, $avx2:ty, $avx512:ty, $neon:ty) => {
        fn $name(level: Level, phase: &Phase<'_, '_, $time>, worker: &mut Worker<$time>) {
            // SAFETY: the machine has the instructions, which the tokens prove.
            unsafe {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2(_) => claim_avx2::<$avx2>(phase, worker),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(_) => claim_avx512::<$avx512>(phase, worker),
                    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
                    Level::Neon(_) => claim_with::<$neon>(phase, worker),
                    _ => claim_with::<Plain<$time>>(phase, worker),
                }
            }
        }
    };
}

define_claim!(claim_single, f32, Avx2Single, Avx512Single, NeonSingle);
define_claim!(claim_double, f64, Avx2Double, Avx512Double, NeonDouble);

/// Claims blocks of the phase until none is left.
///
/// # Safety
/// The machine has the instructions of `L`.
#[inline(always)]
unsafe fn claim_with<L: Lanes>(phase: &Phase<'_, '_, L::Time>, worker: &mut Worker<L::Time>) {
    while worker.error.is_none() && !phase.control.is_cancelled() {
        let Some(&(id, place)) = phase.blocks.get(phase.next.fetch_add(1, Ordering::Relaxed)) else { return };
        let front = &phase.fronts[id];
        // SAFETY: blocks of a phase have its colour, and each is claimed once (I2).
        unsafe { visit_block::<L>(&front.field, id, worker, &mut front.block(place)) };
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn claim_avx2<L: Lanes>(phase: &Phase<'_, '_, L::Time>, worker: &mut Worker<L::Time>) {
    // SAFETY: this function has the instructions.
    unsafe { claim_with::<L>(phase, worker) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
fn claim_avx512<L: Lanes>(phase: &Phase<'_, '_, L::Time>, worker: &mut Worker<L::Time>) {
    // SAFETY: this function has the instructions.
    unsafe { claim_with::<L>(phase, worker) }
}

/// Fisher-Yates with a small generator; only tests ask for it.
fn shuffle<V>(items: &mut [V], state: &mut u64) {
    for last in (1..items.len()).rev() {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        items.swap(last, (*state >> 33) as usize % (last + 1));
    }
}
