//! Who reads and who writes which time steps: the ledger behind an image's accessors.
//!
//! A *lease* is the right to read or to write a range of time steps until it is dropped. Readers share; a writer
//! is alone on its steps; disjoint ranges never meet. A request that conflicts with a lease of its own thread is
//! refused at once, because waiting for oneself never ends; all holders are looked at for that before anything is
//! waited for. So is one that conflicts with a lease inherited through `fork`, whose holder does not exist here.
//! Any other conflict is waited for. Waiting writers do not hold up readers: a thread with one read lease that
//! asks for another must not wait behind a writer that waits for the first one. These are the rules of
//! `mitk::ImageAccessorBase`, whose byte ranges are our step ranges.
//!
//! The ledger knows no clock and no interpreter: before each wait it asks the caller's `patience` how long to
//! wait, holding no lock. Under `cfg(loom)` its lock and its condition are loom's.

pub use crate::error::{ALL_STEPS, Access, Place};
use crate::error::{Conflict, Error, HeldLock, Result};
#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A thread of a process. Unlike the system's numbers ours are not given out again when a thread ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadKey {
    process: u32,
    thread: u64,
}

impl ThreadKey {
    /// The calling thread.
    pub fn current() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        thread_local!(static OWN: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
        Self { process: std::process::id(), thread: OWN.with(|own| *own) }
    }

    /// Whether this thread can wait until `other` releases something: not for itself, not for another process.
    fn can_wait_for(self, other: ThreadKey) -> bool {
        self.process == other.process && self.thread != other.thread
    }
}

/// A lease as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Reading or writing.
    pub access: Access,
    /// Time steps, half-open.
    pub steps: Range<usize>,
    /// Who asks.
    pub thread: ThreadKey,
    /// Where in the source, if known.
    pub place: Option<Place>,
}

impl Request {
    fn conflicts_with(&self, held: &Request) -> bool {
        let overlap = self.steps.start < held.steps.end && held.steps.start < self.steps.end;
        overlap && (self.access == Access::Write || held.access == Access::Write)
    }

    /// The error for a conflict that must not be waited for.
    fn refused_by(&self, held: &Request) -> Error {
        let same_process = self.thread.process == held.thread.process;
        let conflict = if same_process { Conflict::OwnThread(self.access) } else { Conflict::Forked };
        Error::Locked { held: held.lock(), conflict }
    }

    /// The lock it is once granted.
    pub fn lock(&self) -> HeldLock {
        HeldLock { access: self.access, steps: self.steps.clone(), place: self.place.clone() }
    }
}

#[derive(Debug, Default)]
struct State {
    leases: Vec<(u64, Request)>,
    next_id: u64,
}

impl State {
    /// The held lease that stands in the way, those that cannot be waited for first.
    fn conflict(&self, request: &Request) -> Option<&Request> {
        let mut conflicting = self.leases.iter().map(|(_, held)| held).filter(|held| request.conflicts_with(held));
        let hopeless = conflicting.clone().find(|held| !request.thread.can_wait_for(held.thread));
        hopeless.or_else(|| conflicting.next())
    }

    fn admit(&mut self, request: Request) -> u64 {
        self.next_id += 1;
        self.leases.push((self.next_id, request));
        self.next_id
    }
}

/// The leases of one image.
#[derive(Debug, Default)]
pub struct Ledger {
    state: Mutex<State>,
    released: Condvar,
}

impl Ledger {
    /// No sections of this module panic while holding the lock, so a poisoned one is as good as new.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease, or the holder to wait for.
    fn try_admit(self: &Arc<Self>, request: &Request) -> Result<std::result::Result<Lease, Request>> {
        let mut state = self.lock();
        match state.conflict(request) {
            None => {
                let id = state.admit(request.clone());
                Ok(Ok(Lease { ledger: Arc::clone(self), id }))
            }
            Some(held) if request.thread.can_wait_for(held.thread) => Ok(Err(held.clone())),
            Some(held) => Err(request.refused_by(held)),
        }
    }

    /// Waits at most `slice`, or until something was released, unless the conflict is gone already.
    fn wait_a_slice(&self, request: &Request, slice: Duration) {
        let state = self.lock();
        if state.conflict(request).is_some() {
            drop(self.released.wait_timeout(state, slice).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// A lease, waited for as long as `patience` says.
    ///
    /// Before each wait `patience` is called with the lease that stands in the way, no lock being held; it
    /// answers how long to wait before it wants to be asked again, or why to give up.
    ///
    /// # Errors
    /// [`Error::Locked`] for a conflict that waiting cannot end; what `patience` returns.
    pub fn acquire(
        self: &Arc<Self>,
        request: Request,
        mut patience: impl FnMut(&Request) -> Result<Duration>,
    ) -> Result<Lease> {
        loop {
            match self.try_admit(&request)? {
                Ok(lease) => return Ok(lease),
                Err(held) => self.wait_a_slice(&request, patience(&held)?),
            }
        }
    }

    /// Runs `change` while nobody holds a lease and nobody can get one.
    ///
    /// # Errors
    /// [`Error::Locked`] where somebody holds one.
    pub fn when_free<T>(&self, change: impl FnOnce() -> T) -> Result<T> {
        let state = self.lock();
        match state.leases.first() {
            Some((_, held)) => Err(Error::Locked { held: held.lock(), conflict: Conflict::Replacement }),
            None => Ok(change()),
        }
    }

    /// Number of leases held just now.
    pub fn held(&self) -> usize {
        self.lock().leases.len()
    }

    fn release(&self, id: u64) {
        self.lock().leases.retain(|(held, _)| *held != id);
        self.released.notify_all();
    }
}

/// The right to read or write, until dropped: in any thread, without waiting for anything but a short lock.
#[derive(Debug)]
pub struct Lease {
    ledger: Arc<Ledger>,
    id: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ledger.release(self.id);
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
