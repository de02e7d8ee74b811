//! A team of workers that go through many short phases together.
//!
//! One member, the leader, decides what comes next; in each phase up to as many members as it asks for run the same closure,
//! which takes pieces of the work until there are none. Members spin for a moment between phases and then sleep, so that
//! neither a 20 us phase pays for a wake-up nor an oversubscribed machine for the spinning. Nobody waits for a member that
//! has not begun: where the others have done all the work meanwhile, it finds the phase closed and does without it. So a
//! processor that others use costs a team little more than that processor. Under `cfg(loom)` atomics, threads and the cell of
//! the job are loom's.

use crate::processor::{self, ThreadNumber};
#[cfg(loom)]
use loom::cell::UnsafeCell;
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
#[cfg(loom)]
use loom::thread::{self, Thread};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
use std::sync::{Mutex, OnceLock, PoisonError};
#[cfg(not(loom))]
use std::thread::{self, Thread};

/// Turns of the spin loop before a waiting member sleeps: some 130 us where a pause takes 40 cycles. Waking it takes 50 us or
/// more, which many phases do not last. Loom's members sleep at once, because each turn would multiply the orders that it
/// tries.
const SPINS: u32 = if cfg!(loom) { 0 } else { 10_000 };

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// [`std::cell::UnsafeCell`] with the interface of loom's, which watches every access.
#[cfg(not(loom))]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// What the members share.
pub(crate) struct Team {
    seats: Vec<Seat>,
    /// Of the phase: its number, how many members are asked for ([`ASKED`]), whether it is still [`OPEN`], and how many
    /// members beside the leader have joined it ([`JOINED`]); [`END`] ends the team.
    phase: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    finished: AtomicUsize,
    panicked: AtomicBool,
}

/// Where a member waits.
struct Seat {
    thread: OnceLock<(Thread, ThreadNumber)>,
    asleep: AtomicBool,
}

// SAFETY: `job` is written by the leader only, between phases, when no member reads it: see `Leader::execute`.
unsafe impl Sync for Team {}

const END: u64 = u64::MAX;
/// [`Team::phase`]: bits of the number of members that have joined; there are never more than 1024.
const JOINED: u64 = OPEN - 1;
/// [`Team::phase`]: members may still join.
const OPEN: u64 = 1 << 15;
/// [`Team::phase`]: the unit of the number of members asked for.
const ASKED: u64 = 1 << 16;
/// [`Team::phase`]: the unit of the number of the phase.
const NUMBER: u64 = 1 << 32;

/// The member that decides. There is one for a team, so phases cannot overlap.
pub(crate) struct Leader<'t>(&'t Team);

impl Team {
    /// Runs `lead` on one thread of the current rayon pool while the others wait for phases.
    ///
    /// Must be called on a worker of a pool that nobody else uses (see [`crate::workers`]), because every
    /// worker of the pool takes part.
    pub(crate) fn run<R: Send>(lead: impl FnOnce(Leader<'_>) -> R + Send) -> R {
        let members = rayon::current_num_threads();
        let team = Team::new(members);
        if members == 1 {
            return lead(Leader(&team));
        }
        let leader = rayon::current_thread_index().unwrap_or(0);
        let lead = Mutex::new(Some(lead));
        let result = Mutex::new(None);
        rayon::broadcast(|member| {
            if member.index() != leader {
                // Places 1.. in the team; the leader has place 0.
                team.follow(if member.index() == 0 { leader } else { member.index() });
                return;
            }
            let lead = lead.lock().unwrap_or_else(PoisonError::into_inner).take();
            let value = lead.map(|lead| team.lead(lead));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = value;
        });
        let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.expect("the leader ran: broadcast reaches every worker or panics")
    }

    fn new(members: usize) -> Self {
        let seat = |_| Seat { thread: OnceLock::new(), asleep: AtomicBool::new(false) };
        Self {
            seats: (0..members).map(seat).collect(),
            phase: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            finished: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        }
    }

    /// The leader's life: `lead`, then the end for all.
    fn lead<R>(&self, lead: impl FnOnce(Leader<'_>) -> R) -> R {
        self.seats[0].take();
        let _end = EndOnDrop(self);
        lead(Leader(self))
    }

    /// Joins the phase with a number, unless it is over or does not ask for this member.
    fn join(&self, place: usize, number: u64) -> bool {
        let mut phase = self.phase.load(Ordering::Acquire);
        loop {
            let asked = (phase % NUMBER / ASKED) as usize;
            if phase / NUMBER != number || phase & OPEN == 0 || place >= asked {
                return false;
            }
            match self.phase.compare_exchange(phase, phase + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => phase = other,
            }
        }
    }

    /// Announces a phase to the first `members` members.
    fn announce(&self, phase: u64, members: usize) {
        self.phase.store(phase, Ordering::Release);
        // With the fence in `Seat::wait`: either a member sees the phase, or it is seen asleep. Likewise in `follow`.
        fence(Ordering::SeqCst);
        self.seats[1..members].iter().for_each(Seat::wake);
    }

    /// A member's life: wait for a phase, run it, say so, until the end.
    fn follow(&self, place: usize) {
        self.seats[place].take();
        let mut seen = 0;
        loop {
            self.seats[place].wait(|| self.phase.load(Ordering::Acquire) / NUMBER != seen);
            seen = self.phase.load(Ordering::Acquire) / NUMBER;
            if seen == END / NUMBER {
                return;
            }
            if !self.join(place, seen) {
                continue;
            }
            // SAFETY: the leader wrote the job before it announced the phase, and leaves it alone until all members that
            // have joined, as this one has, are finished.
            let job = self.job.with(|job| unsafe { *job });
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(place))).is_err()
            {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.finished.fetch_add(1, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            self.seats[0].wake();
        }
    }
}

impl Leader<'_> {
    /// Number of members.
    pub(crate) fn members(&self) -> usize {
        self.0.seats.len()
    }

    /// Runs `job(place)`, at most once each, on those of the first `members` members that come in time, the leader among
    /// them, and returns when they are done. One member alone must be able to do all the work.
    pub(crate) fn execute(&mut self, members: usize, job: Job<'_>) {
        let team = self.0;
        let members = members.min(team.seats.len());
        if members <= 1 {
            return job(0);
        }
        // SAFETY: the lifetime is cut short again below: only members that have joined touch the job, none joins once the
        // phase is closed, and this function does not return (or unwind) before those who joined are finished.
        let job: Job<'static> = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        team.finished.store(0, Ordering::Relaxed);
        // SAFETY: between phases only the leader, of which there is one, borrowed mutably here, accesses `job`.
        team.job.with_mut(|own| unsafe { *own = Some(job) });
        let number = team.phase.load(Ordering::Relaxed) / NUMBER + 1;
        team.announce(number * NUMBER + members as u64 * ASKED + OPEN, members);
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let joined = (team.phase.fetch_and(!OPEN, Ordering::AcqRel) & JOINED) as usize;
        team.seats[0].wait(|| team.finished.load(Ordering::Acquire) == joined);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!team.panicked.load(Ordering::Relaxed), "a worker of the team panicked");
    }
}

impl Seat {
    /// Makes this thread the member.
    fn take(&self) {
        let _ = self.thread.set((thread::current(), ThreadNumber::own()));
    }

    /// Wakes the member if it sleeps, and not on the processor of this thread, which goes on: after the change that it waits for and a sequentially consistent fence.
    fn wake(&self) {
        if self.asleep.load(Ordering::Acquire)
            && let Some((thread, number)) = self.thread.get()
        {
            thread.unpark();
            processor::keep_off(*number);
        }
    }

    /// Spins, then sleeps, until `ready`.
    fn wait(&self, ready: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        self.asleep.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        while !ready() {
            thread::park();
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}

/// Sends the members home, also when the leader unwinds.
struct EndOnDrop<'a>(&'a Team);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.announce(END, self.0.seats.len());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::task::run_on;
    use std::time::Duration;

    #[test]
    fn every_phase_is_done_once_by_members_that_were_asked() {
        const PIECES: usize = 40;
        for members in [1, 2, 3, 7] {
            let done = run_on(members, || {
                Team::run(|mut leader| {
                    for phase in 0..500 {
                        let asked = 1 + phase % members;
                        let (next, counts) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; PIECES]);
                        leader.execute(asked, &|place| {
                            assert!(place < asked);
                            while let Some(count) = counts.get(next.fetch_add(1, Ordering::Relaxed)) {
                                count.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                        if phase % 100 == 0 {
                            // Long enough for everybody to fall asleep.
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                });
                Ok(())
            });
            assert_eq!(done, Ok(()));
        }
    }

    #[test]
    fn members_take_part_where_there_is_enough_to_do() {
        let met = run_on(3, || {
            Ok(Team::run(|mut leader| {
                let present = AtomicUsize::new(0);
                leader.execute(3, &|_| {
                    present.fetch_add(1, Ordering::SeqCst);
                    while present.load(Ordering::SeqCst) < 3 {
                        std::thread::yield_now();
                    }
                });
                present.into_inner()
            }))
        });
        assert_eq!(met, Ok(3));
    }

    #[test]
    fn a_panic_of_any_member_ends_the_team() {
        for culprit in 0..2 {
            let result: Result<(), Error> = run_on(2, || {
                Team::run(|mut leader| {
                    let panics = AtomicBool::new(false);
                    leader.execute(2, &|place| {
                        panics.fetch_or(place == culprit, Ordering::SeqCst);
                        while !panics.load(Ordering::SeqCst) {
                            std::thread::yield_now();
                        }
                        assert_ne!(place, culprit);
                    });
                });
                Ok(())
            });
            assert!(matches!(result, Err(Error::Internal(_))));
        }
    }

    #[test]
    fn two_teams_at_once_do_not_deadlock() {
        let work = || {
            let total = AtomicUsize::new(0);
            Team::run(|mut leader| {
                for _ in 0..200 {
                    let next = AtomicUsize::new(0);
                    leader.execute(3, &|_| {
                        while next.fetch_add(1, Ordering::Relaxed) < 3 {
                            total.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            Ok(total.into_inner())
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(move || run_on(3, work))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(600));
        }
    }
}

#[cfg(all(test, loom))]
mod interleavings {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;

    /// What members work on: each piece is taken by one of them, and loom complains about any racing access to it.
    struct Pieces([UnsafeCell<u32>; 2]);

    // SAFETY: the cells are only accessed by the member that took them or between phases, which is what loom verifies.
    unsafe impl Sync for Pieces {}

    impl Pieces {
        fn new() -> Self {
            Self([UnsafeCell::new(0), UnsafeCell::new(0)])
        }

        /// Takes pieces until there are none.
        fn work(&self, next: &AtomicUsize) {
            while let Some(piece) = self.0.get(next.fetch_add(1, Relaxed)) {
                // SAFETY: loom verifies that nobody else accesses it.
                piece.with_mut(|count| unsafe { *count += 1 });
            }
        }

        fn counts(&self) -> [u32; 2] {
            // SAFETY: loom verifies that nobody else accesses it.
            [0, 1].map(|n| self.0[n].with(|count| unsafe { *count }))
        }
    }

    /// Runs `lead` while the others wait for phases in threads of the model. A model ends when all of its threads have
    /// ended, or fails; joining them is not possible, because a late wake-up of the leader would end loom's join.
    fn with_team(members: usize, lead: impl FnOnce(Leader<'_>)) {
        let team = Arc::new(Team::new(members));
        for place in 1..members {
            let team = Arc::clone(&team);
            thread::spawn(move || team.follow(place));
        }
        team.lead(lead);
    }

    /// Runs a model in every order, or in those with at most so many interruptions of threads that could go on.
    fn model(preemptions: Option<usize>, run: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = preemptions;
        model.check(run);
    }

    /// In every order: phase after phase each piece is done once, and the leader sees it.
    fn check(members: usize, phases: u32, preemptions: Option<usize>) {
        model(preemptions, move || {
            with_team(members, |mut leader| {
                let pieces = Pieces::new();
                for phase in 1..=phases {
                    let next = AtomicUsize::new(0);
                    leader.execute(members, &|_| pieces.work(&next));
                    assert_eq!(pieces.counts(), [phase; 2]);
                }
            });
        });
    }

    #[test]
    fn two_members_do_two_phases_whole() {
        check(2, 2, Some(3));
    }

    #[test]
    fn three_members_do_a_phase_whole() {
        check(3, 1, Some(2));
    }

    #[test]
    fn members_that_are_not_asked_leave_a_phase_alone() {
        model(Some(2), || {
            with_team(3, |mut leader| {
                let pieces = Pieces::new();
                let next = AtomicUsize::new(0);
                leader.execute(2, &|place| {
                    assert!(place < 2);
                    pieces.work(&next);
                });
                assert_eq!(pieces.counts(), [1, 1]);
            });
        });
    }

    #[test]
    fn a_member_that_unwinds_ends_the_phase_and_is_noticed() {
        model(None, || {
            with_team(2, |mut leader| {
                let unwound = AtomicBool::new(false);
                let job = |place: usize| {
                    if place == 1 {
                        unwound.store(true, Relaxed);
                        resume_unwind(Box::new(()));
                    }
                };
                let ended = catch_unwind(AssertUnwindSafe(|| leader.execute(2, &job)));
                assert_eq!(ended.is_err(), unwound.load(Relaxed));
            });
        });
    }
}
