//! How long work is run: cancellation and progress. On which threads, `workers.rs` says.

use crate::error::{Error, Result};
use crate::workers::poll_here;
pub use crate::workers::run_on;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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

    /// Whether somebody asked to stop. Asked by a caller that computes on its own thread it looks around first: for Ctrl-C,
    /// say (see [`crate::workers::run`]).
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        poll_here();
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

    /// Reports how far the work is, 0 to 1. Whoever waits polls it, so this costs one store.
    #[inline]
    pub fn report(&self, fraction: f64) {
        self.done.store((fraction.clamp(0.0, 1.0) * 1e6) as u32, Ordering::Relaxed);
    }

    /// The last reported progress, 0 to 1.
    pub fn progress(&self) -> f64 {
        f64::from(self.done.load(Ordering::Relaxed)) / 1e6
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
