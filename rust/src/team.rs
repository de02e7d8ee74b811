//! A team of workers that go through many short phases together.
//!
//! One member, the leader, decides what comes next; in each phase up to as many members as it asks for run the same closure,
//! which takes pieces of the work until there are none. Members spin for a moment between phases and then sleep, so that
//! neither a 20 us phase pays for a wake-up nor an oversubscribed machine for the spinning. Nobody waits for a member that
//! has not begun: where the others have done all the work meanwhile, it finds the phase closed and does without it. So a
//! processor that others use costs a team little more than that processor.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;

/// Turns of the spin loop before a waiting member sleeps: some 20 us where a pause takes 40 cycles.
const SPINS: u32 = 1_500;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

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
#[derive(Default)]
struct Seat {
    thread: OnceLock<Thread>,
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
        let team = Team {
            seats: (0..members).map(|_| Seat::default()).collect(),
            phase: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            finished: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        };
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
            let _ = team.seats[0].thread.set(std::thread::current());
            let _end = EndOnDrop(&team);
            let lead = lead.lock().unwrap_or_else(PoisonError::into_inner).take();
            let value = lead.map(|lead| lead(Leader(&team)));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = value;
        });
        let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.expect("the leader ran: broadcast reaches every worker or panics")
    }

    /// Joins the phase with a number, unless it is over or does not ask for this member.
    fn join(&self, place: usize, number: u64) -> bool {
        let mut phase = self.phase.load(Ordering::SeqCst);
        loop {
            let asked = (phase % NUMBER / ASKED) as usize;
            if phase / NUMBER != number || phase & OPEN == 0 || place >= asked {
                return false;
            }
            match self.phase.compare_exchange(phase, phase + 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(other) => phase = other,
            }
        }
    }

    /// Announces a phase to the first `members` members.
    fn announce(&self, phase: u64, members: usize) {
        // Sequentially consistent, as is what sleepers do: either they see the phase or they are seen asleep.
        self.phase.store(phase, Ordering::SeqCst);
        self.seats[1..members].iter().for_each(Seat::wake);
    }

    /// A member's life: wait for a phase, run it, say so, until the end.
    fn follow(&self, place: usize) {
        let _ = self.seats[place].thread.set(std::thread::current());
        let mut seen = 0;
        loop {
            self.seats[place].wait(|| self.phase.load(Ordering::SeqCst) / NUMBER != seen);
            seen = self.phase.load(Ordering::SeqCst) / NUMBER;
            if seen == END / NUMBER {
                return;
            }
            if !self.join(place, seen) {
                continue;
            }
            // SAFETY: the leader wrote the job before it announced the phase, and leaves it alone until all members that
            // have joined, as this one has, are finished.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(place))).is_err()
            {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.finished.fetch_add(1, Ordering::SeqCst);
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
        unsafe { *team.job.get() = Some(job) };
        let number = team.phase.load(Ordering::Relaxed) / NUMBER + 1;
        team.announce(number * NUMBER + members as u64 * ASKED + OPEN, members);
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let joined = (team.phase.fetch_and(!OPEN, Ordering::SeqCst) & JOINED) as usize;
        team.seats[0].wait(|| team.finished.load(Ordering::SeqCst) == joined);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!team.panicked.load(Ordering::Relaxed), "a worker of the team panicked");
    }
}

impl Seat {
    /// Wakes the member if it sleeps.
    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
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
        self.asleep.store(true, Ordering::SeqCst);
        while !ready() {
            std::thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// Sends the members home, also when the leader unwinds.
struct EndOnDrop<'a>(&'a Team);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.announce(END, self.0.seats.len());
    }
}

#[cfg(test)]
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
