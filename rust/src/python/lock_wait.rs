//! Waiting for a lease, detached from the interpreter, until it is free, time is up or Ctrl-C is pressed.

use super::call::EnterCore;
use crate::error::{Error, Result};
use crate::image::access::{ALL_STEPS, Access, Lease, Ledger, Place, Request, ThreadKey};
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait between two looks for Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);

/// A lease as Python asks for it.
pub(super) struct Asking {
    pub(super) access: Access,
    pub(super) step: Option<usize>,
    /// Seconds to wait, `None` for as long as it takes.
    pub(super) patience: Option<f64>,
    /// File, line and name of the thread.
    pub(super) place: (String, u32, String),
}

impl Asking {
    fn into_request(self) -> Request {
        let steps = self.step.map_or(ALL_STEPS, |step| step..step + 1);
        let (file, line, thread) = self.place;
        Request { access: self.access, steps, thread: ThreadKey::current(), place: Some(Place { file, line, thread }) }
    }
}

/// The lease, waited for if need be.
pub(super) fn acquire(py: Python<'_>, ledger: &Arc<Ledger>, asking: Asking) -> PyResult<Lease> {
    let mut wait = Wait::new(asking.patience)?;
    let request = asking.into_request();
    match ledger.acquire(request.clone(), |held| Err(refusal(held, Duration::ZERO))) {
        Err(Error::LockTimeout { .. }) if wait.allowed() > Duration::ZERO => {}
        outcome => return Ok(outcome?),
    }
    let outcome = py.enter_waiting(|| Ok(ledger.acquire(request, |held| wait.next_slice(held))))?;
    match wait.raised {
        Some(raised) => Err(raised),
        None => Ok(outcome?),
    }
}

/// How long a thread has waited and may wait.
struct Wait {
    began: Instant,
    last_look: Instant,
    /// `None` for ever.
    allowed: Option<Duration>,
    /// The exception that ended the wait.
    raised: Option<PyErr>,
}

impl Wait {
    fn new(patience: Option<f64>) -> PyResult<Self> {
        let allowed = patience.map(|seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|_| Error::BadArgument {
                name: "timeout",
                got: seconds.to_string(),
                allowed: "seconds, finite and >= 0, or None",
            })
        });
        let now = Instant::now();
        Ok(Self { began: now, last_look: now, allowed: allowed.transpose()?, raised: None })
    }

    fn allowed(&self) -> Duration {
        self.allowed.unwrap_or(Duration::MAX)
    }

    fn next_slice(&mut self, held: &Request) -> Result<Duration> {
        let left = self.allowed().saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(refusal(held, self.allowed()));
        }
        if self.last_look.elapsed() >= SLICE {
            self.last_look = Instant::now();
            if let Err(raised) = Python::attach(|py| py.check_signals()) {
                self.raised = Some(raised);
                return Err(Error::Cancelled);
            }
        }
        Ok(left.min(SLICE))
    }
}

fn refusal(held: &Request, waited: Duration) -> Error {
    Error::LockTimeout { held: held.lock(), waited }
}
