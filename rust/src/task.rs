//! How long work is run: cancellation, progress, and thread pools of our own.
//!
//! Never rayon's global pool: it does not survive `fork` and is shared with strangers. A caller checks a pool
//! of exactly the size it asked for out of a registry and gives it back when done, so two callers never share
//! workers (barriers inside a pool cannot deadlock) and nobody gets more threads than it asked for. The registry
//! belongs to a process: a forked child sees another process id, leaves the parent's registry alone and starts
//! its own.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Shared between the thread that wants a result and the ones that compute it.
#[derive(Debug, Default)]
pub struct TaskControl {
    cancelled: AtomicBool,
    /// Progress in millionths.
    done: AtomicU32,
}

impl TaskControl {
    /// Asks the work to stop; it ends with [`Error::Cancelled`] at the next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// `Err` once cancelled. Kernels call this often enough to stop within 200 ms.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Tells how far the work is, 0 to 1. Whoever waits polls it, so this costs one store.
    #[inline]
    pub fn report(&self, fraction: f64) {
        self.done.store((fraction.clamp(0.0, 1.0) * 1e6) as u32, Ordering::Relaxed);
    }

    /// The last reported progress, 0 to 1.
    pub fn progress(&self) -> f64 {
        f64::from(self.done.load(Ordering::Relaxed)) / 1e6
    }
}

/// The most threads a caller may ask for.
pub const MAX_THREADS: usize = 1024;

/// Number of threads to use: what was asked for, or as many as this process may run at once.
///
/// # Errors
/// [`Error::BadArgument`] for 0 or more than [`MAX_THREADS`].
pub fn resolve_threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(n) if (1..=MAX_THREADS).contains(&n) => Ok(n),
        Some(n) => Err(Error::BadArgument { name: "threads", got: n.to_string(), allowed: "1 to 1024" }),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)),
    }
}

/// Pools that nobody uses just now, of one process.
struct Registry {
    process: u32,
    idle: Mutex<Vec<rayon::ThreadPool>>,
}

/// Idle pools kept for the next caller; more are shut down.
const MAX_IDLE: usize = 4;

static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(std::ptr::null_mut());

/// The registry of this process, made anew in a forked child.
fn registry() -> &'static Registry {
    let process = std::process::id();
    let current = REGISTRY.load(Ordering::Acquire);
    // SAFETY: the pointer is null or came from `Box::into_raw` below, and is never freed.
    if let Some(found) = unsafe { current.as_ref() }
        && found.process == process
    {
        return found;
    }
    let fresh = Box::into_raw(Box::new(Registry { process, idle: Mutex::new(Vec::new()) }));
    match REGISTRY.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: `fresh` was just leaked into a `'static`.
        Ok(_) => unsafe { &*fresh },
        Err(_) => {
            // SAFETY: nobody else has seen `fresh`.
            drop(unsafe { Box::from_raw(fresh) });
            registry()
        }
    }
}

/// A pool of our own, given back to the registry when dropped.
pub struct PoolLease(Option<rayon::ThreadPool>);

impl PoolLease {
    /// A pool of `threads` workers, or of as many as the system starts.
    ///
    /// # Errors
    /// [`Error::NoThreads`] where it starts none.
    pub fn of(threads: usize) -> Result<Self> {
        let mut idle = registry().idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|pool| pool.current_num_threads() == threads);
        if let Some(position) = found {
            return Ok(Self(Some(idle.swap_remove(position))));
        }
        drop(idle);
        let mut threads = threads;
        loop {
            match rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("mitk_rs-{i}")).build() {
                Ok(pool) => return Ok(Self(Some(pool))),
                Err(error) if threads == 1 => return Err(Error::NoThreads(error.to_string())),
                Err(_) => threads /= 2,
            }
        }
    }

    fn pool(&self) -> &rayon::ThreadPool {
        self.0.as_ref().expect("a lease holds its pool until dropped")
    }

    /// Runs `work` on a worker, calling `poll` on this thread every `every` until it is done.
    ///
    /// A panic in `work` becomes [`Error::Internal`].
    ///
    /// # Errors
    /// What `work` returns.
    pub fn run<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T> + Send,
        every: Duration,
        mut poll: impl FnMut(),
    ) -> Result<T> {
        let slot: Mutex<Option<Result<T>>> = Mutex::new(None);
        let ready = Condvar::new();
        self.pool().in_place_scope(|scope| {
            scope.spawn(|_| {
                let result = catch_panic(work);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                ready.notify_all();
            });
            let mut guard = slot.lock().unwrap_or_else(PoisonError::into_inner);
            while guard.is_none() {
                let (next, timeout) = ready.wait_timeout(guard, every).unwrap_or_else(PoisonError::into_inner);
                guard = next;
                if timeout.timed_out() && guard.is_none() {
                    drop(guard);
                    poll();
                    guard = slot.lock().unwrap_or_else(PoisonError::into_inner);
                }
            }
        });
        let result = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.unwrap_or_else(|| Err(Error::Internal("a worker ended without a result".into())))
    }
}

impl Drop for PoolLease {
    fn drop(&mut self) {
        let registry = registry();
        let Some(pool) = self.0.take() else { return };
        let mut idle = registry.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(pool);
        }
    }
}

/// Runs `work`; a panic becomes [`Error::Internal`].
///
/// # Errors
/// What `work` returns.
pub fn catch_panic<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(describe(&*panic)))
}

/// A panic's message as an error.
fn describe(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Internal(text.unwrap_or_else(|| "panic without a message".into()))
}

/// Runs `work` on `threads` workers of our own, without polling: for Rust callers, tests and benches.
///
/// # Errors
/// What `work` returns; [`Error::Internal`] for a panic.
pub fn run_on<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    PoolLease::of(threads)?.run(work, Duration::from_secs(3600), || ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_in_a_pool_of_the_size_asked_for() {
        for n in [1, 2, 3] {
            assert_eq!(run_on(n, || Ok(rayon::current_num_threads())), Ok(n));
        }
    }

    #[test]
    fn a_panic_becomes_an_error_and_the_pool_lives_on() {
        let result: Result<()> = run_on(2, || panic!("injected"));
        assert_eq!(result, Err(Error::Internal("injected".into())));
        assert_eq!(run_on(2, || Ok(7)), Ok(7));
    }

    #[test]
    fn a_poll_can_cancel() {
        let control = TaskControl::default();
        let lease = PoolLease::of(1).unwrap();
        let work = || loop {
            control.check()?;
            std::thread::sleep(Duration::from_millis(1));
        };
        let result: Result<()> = lease.run(work, Duration::from_millis(5), || control.cancel());
        assert_eq!(result, Err(Error::Cancelled));
    }

    #[test]
    fn two_callers_never_share_workers() {
        let outer = PoolLease::of(2).unwrap();
        let inner = PoolLease::of(2).unwrap();
        let run = |lease: &PoolLease| lease.run(|| Ok(rayon::broadcast(|c| c.index())), Duration::from_secs(9), || ());
        let nested = outer.run(|| run(&inner), Duration::from_secs(9), || ());
        assert_eq!(nested, Ok(vec![0, 1]));
    }

    #[test]
    fn thread_counts_are_checked() {
        assert!(resolve_threads(Some(0)).is_err());
        assert!(resolve_threads(Some(4096)).is_err());
        assert!(resolve_threads(None).unwrap() >= 1);
    }
}
