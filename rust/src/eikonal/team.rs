//! A team of workers that go through many short phases together.
//!
//! One member, the leader, decides what comes next; in each phase all members run the same closure. Workers spin
//! for a moment between phases and then sleep, so that neither a 20 us phase pays for a wake-up nor an
//! oversubscribed machine for the spinning. Nothing is forked or joined per phase.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Turns of the spin loop before a waiting member sleeps: some 50 us where a pause takes 100 cycles.
const SPINS: u32 = 1_000;

type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// What the members share.
pub(crate) struct Team {
    members: usize,
    /// Number of the phase; `u64::MAX` ends the team.
    phase: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    finished: AtomicUsize,
    panicked: AtomicBool,
    /// Number of members that sleep on `wake`.
    sleepers: Mutex<usize>,
    wake: Condvar,
}

// SAFETY: `job` is written by the leader only, between phases, when no member reads it: see `execute`.
unsafe impl Sync for Team {}

const END: u64 = u64::MAX;

impl Team {
    /// Runs `lead` on one thread of the current rayon pool while the others wait for phases.
    ///
    /// Must be called on a worker of a pool that nobody else uses (a [`crate::task::PoolLease`]), because every
    /// worker of the pool takes part.
    pub(crate) fn run<R: Send>(lead: impl FnOnce(&Team) -> R + Send) -> R {
        let members = rayon::current_num_threads();
        let team = Team {
            members,
            phase: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            finished: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        };
        if members == 1 {
            return lead(&team);
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
            let _end = EndOnDrop(&team);
            let lead = lead.lock().unwrap_or_else(PoisonError::into_inner).take();
            let value = lead.map(|lead| lead(&team));
            *result.lock().unwrap_or_else(PoisonError::into_inner) = value;
        });
        let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.expect("the leader ran: broadcast reaches every worker or panics")
    }

    /// Number of members.
    pub(crate) fn members(&self) -> usize {
        self.members
    }

    /// Runs `job(place)` once on every member, and returns when all are done. For the leader only.
    pub(crate) fn execute(&self, job: Job<'_>) {
        if self.members == 1 {
            return job(0);
        }
        // SAFETY: the lifetime is cut short again below: no member touches the job after `finished` is complete,
        // and this function does not return (or unwind) before that.
        let job: Job<'static> = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        self.finished.store(0, Ordering::Relaxed);
        // SAFETY: between phases only the leader, which is here, accesses `job`.
        unsafe { *self.job.get() = Some(job) };
        self.announce(self.phase.load(Ordering::Relaxed) + 1);
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        self.wait(|| self.finished.load(Ordering::Acquire) == self.members - 1);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!self.panicked.load(Ordering::Relaxed), "a worker of the team panicked");
    }

    fn announce(&self, phase: u64) {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        self.phase.store(phase, Ordering::Release);
        self.wake_up(*sleepers);
    }

    /// A worker's life: wait for a phase, run it, tell, until the end.
    fn follow(&self, place: usize) {
        let mut seen = 0;
        loop {
            self.wait(|| self.phase.load(Ordering::Acquire) != seen);
            seen = self.phase.load(Ordering::Acquire);
            if seen == END {
                return;
            }
            // SAFETY: the leader wrote the job before it announced the phase and leaves it alone until all
            // members are finished.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(place))).is_err()
            {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.finished.fetch_add(1, Ordering::Release);
            self.tell_leader();
        }
    }

    /// Wakes the leader in case it sleeps.
    fn tell_leader(&self) {
        if self.finished.load(Ordering::Acquire) == self.members - 1 {
            let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake_up(*sleepers);
        }
    }

    /// Spares the system call where nobody sleeps, which is the usual case.
    fn wake_up(&self, sleepers: usize) {
        if sleepers > 0 {
            self.wake.notify_all();
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
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers += 1;
        while !ready() {
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        }
        *sleepers -= 1;
    }
}

/// Sends the workers home, also when the leader unwinds.
struct EndOnDrop<'a>(&'a Team);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.announce(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::task::run_on;

    #[test]
    fn every_member_runs_every_phase_once() {
        for members in [1, 2, 3, 7] {
            let counts: Vec<AtomicUsize> = (0..members).map(|_| AtomicUsize::new(0)).collect();
            let phases = 500;
            let done = run_on(members, || {
                Team::run(|team| {
                    for phase in 1..=phases {
                        team.execute(&|place| {
                            counts[place].fetch_add(1, Ordering::Relaxed);
                        });
                        assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == phase));
                    }
                });
                Ok(())
            });
            assert_eq!(done, Ok(()));
        }
    }

    #[test]
    fn a_panic_of_any_member_ends_the_team() {
        for culprit in 0..2 {
            let result: Result<(), Error> = run_on(2, || {
                Team::run(|team| {
                    team.execute(&|place| assert_ne!(place, culprit));
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
            let run = || {
                Team::run(|team| {
                    for _ in 0..2000 {
                        team.execute(&|_| {
                            total.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
                Ok(())
            };
            run_on(2, run).unwrap();
            total.into_inner()
        };
        std::thread::scope(|scope| {
            let both = [scope.spawn(work), scope.spawn(work)];
            assert!(both.into_iter().all(|t| t.join().unwrap() == 4000));
        });
    }
}
