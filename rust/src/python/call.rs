//! The one way from Python into the core.
//!
//! [`EnterCore::enter_core`] detaches from the interpreter, runs the work on threads of the budget ([`workers`]), and
//! meanwhile looks every 50 ms for Ctrl-C, a cancel object and a deadline, and calls the progress callback at most ten times
//! a second. A panic becomes `InternalError`, a core error its Python exception.

use super::error::ours;
use crate::error::{Error, Result};
use crate::task::{TaskControl, catch_panic};
use crate::workers;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(50);
const BETWEEN_PROGRESS: Duration = Duration::from_millis(100);

/// A number of threads; one that no machine word holds is refused as other wrong numbers are.
#[derive(Clone, Copy)]
pub(super) struct Threads(pub(super) usize);

impl<'py> FromPyObject<'_, 'py> for Threads {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = given
            .call_method0("__index__")
            .map_err(|_| PyTypeError::new_err(format!("threads must be a whole number, got {}", given.get_type())))?;
        let bad = || Error::BadArgument { name: "threads", got: number.to_string(), allowed: "1 to 1024" };
        Ok(Self(number.extract().map_err(|_| bad())?))
    }
}

/// The keyword arguments of a function that are left to be read one by one: for those that take many.
pub(super) struct Keywords<'py>(Bound<'py, PyDict>);

impl<'py> Keywords<'py> {
    /// Those given to a function as `**options`.
    pub(super) fn new(py: Python<'py>, given: Option<Bound<'py, PyDict>>) -> Self {
        Self(given.unwrap_or_else(|| PyDict::new(py)))
    }

    /// An argument that was given and is not `None`.
    pub(super) fn take<T: for<'a> FromPyObject<'a, 'py>>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.0.get_item(name)? else { return Ok(None) };
        self.0.del_item(name)?;
        if value.is_none() {
            return Ok(None);
        }
        let taken = value.extract().map_err(Into::into);
        taken.map(Some).map_err(|error: PyErr| match error.is_instance_of::<PyTypeError>(self.0.py()) {
            true => PyTypeError::new_err(format!("argument '{name}': {}", error.value(self.0.py()))),
            false => error,
        })
    }

    /// An argument that must be given.
    pub(super) fn need<T: for<'a> FromPyObject<'a, 'py>>(&self, name: &str) -> PyResult<T> {
        self.take(name)?.ok_or_else(|| PyTypeError::new_err(format!("missing the keyword argument '{name}'")))
    }

    /// How the call is run, once all other arguments are taken.
    ///
    /// # Errors
    /// `TypeError` for what nobody has taken.
    pub(super) fn rest(self) -> PyResult<CallOptions<'py>> {
        let options = CallOptions {
            threads: self.take("threads")?,
            progress: self.take("progress")?,
            cancel: self.take("cancel")?,
            timeout: self.take("timeout")?,
        };
        match self.0.keys().iter().next() {
            None => Ok(options),
            Some(name) => Err(PyTypeError::new_err(format!("unexpected keyword argument '{name}'"))),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for CallOptions<'py> {
    type Error = PyErr;

    /// From the `**run` of a function that takes no other keywords.
    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Keywords(given.cast::<PyDict>()?.to_owned()).rest()
    }
}

/// How a call is run: the keyword arguments that every long function takes.
#[derive(Default)]
pub(super) struct CallOptions<'py> {
    /// The most threads to use; all of the budget where `None`.
    pub(super) threads: Option<Threads>,
    /// Called with the fraction done.
    pub(super) progress: Option<Bound<'py, PyAny>>,
    /// An object with `is_set()`, such as `threading.Event`.
    pub(super) cancel: Option<Bound<'py, PyAny>>,
    /// Seconds after which the call gives up with `TimeoutError`.
    pub(super) timeout: Option<f64>,
}

/// What the work sees of its call.
pub(super) struct Task<'a> {
    /// Cancel flag and progress.
    pub(super) control: &'a TaskControl,
}

/// Leaves Python, computes, comes back.
pub(super) trait EnterCore {
    /// Runs `work` detached; see the module.
    fn enter_core<T: Send>(
        self,
        options: &CallOptions<'_>,
        work: impl FnOnce(Task<'_>) -> Result<T> + Send,
    ) -> PyResult<T>;

    /// Runs `work` detached on this very thread: for waiting, and for filling memory, which need no pool.
    fn enter_waiting<T: Send>(self, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T>;
}

impl EnterCore for Python<'_> {
    fn enter_core<T: Send>(
        self,
        options: &CallOptions<'_>,
        work: impl FnOnce(Task<'_>) -> Result<T> + Send,
    ) -> PyResult<T> {
        let control = TaskControl::default();
        let mut watch = Watch::new(options, &control)?;
        let threads = options.threads.map(|threads| threads.0);
        let result = self.detach(|| workers::run(threads, POLL, || watch.poll(), || work(Task { control: &control })));
        watch.finish(self, result)
    }

    fn enter_waiting<T: Send>(self, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
        Ok(self.detach(|| catch_panic(work))?)
    }
}

/// What the waiting thread looks at while the work runs.
struct Watch<'a> {
    progress: Option<Py<PyAny>>,
    cancel: Option<Py<PyAny>>,
    control: &'a TaskControl,
    deadline: Option<Instant>,
    last_look: Instant,
    last_progress: Instant,
    /// The exception that made us cancel.
    raised: Option<PyErr>,
}

impl<'a> Watch<'a> {
    fn new(options: &CallOptions<'_>, control: &'a TaskControl) -> PyResult<Self> {
        let now = Instant::now();
        let timeout = options.timeout.map(Duration::try_from_secs_f64).transpose();
        let timeout = timeout.map_err(|_| Error::BadArgument {
            name: "timeout",
            got: options.timeout.unwrap_or_default().to_string(),
            allowed: "seconds, finite and >= 0",
        })?;
        if let Some(cancel) = &options.cancel
            && !cancel.hasattr("is_set")?
        {
            let kind = cancel.get_type();
            return Err(PyTypeError::new_err(format!("cancel must have is_set(), as threading.Event has, got {kind}")));
        }
        Ok(Self {
            progress: options.progress.clone().map(Bound::unbind),
            cancel: options.cancel.clone().map(Bound::unbind),
            control,
            deadline: timeout.and_then(|t| now.checked_add(t)),
            last_look: now,
            last_progress: now,
            raised: None,
        })
    }

    /// Called at any time, by a thread that waits or one that computes: looks only now and then.
    fn poll(&mut self) {
        if self.last_look.elapsed() < POLL || self.control.is_cancelled() {
            return;
        }
        self.last_look = Instant::now();
        if let Err(stop) = Python::attach(|py| self.look(py)) {
            self.raised = Some(stop);
            self.control.cancel();
        }
    }

    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        py.check_signals()?;
        if self.deadline.is_some_and(|d| Instant::now() >= d) {
            return Err(ours("TimeoutError", "the time allowed by timeout= has passed".into()));
        }
        if let Some(cancel) = &self.cancel
            && cancel.bind(py).call_method0("is_set")?.is_truthy()?
        {
            return Err(ours("Cancelled", "cancelled by the caller".into()));
        }
        if self.last_progress.elapsed() >= BETWEEN_PROGRESS {
            self.last_progress = Instant::now();
            self.report(py, self.control.progress())?;
        }
        Ok(())
    }

    fn report(&self, py: Python<'_>, fraction: f64) -> PyResult<()> {
        if let Some(progress) = &self.progress {
            progress.call1(py, (fraction,))?;
        }
        Ok(())
    }

    fn finish<T>(mut self, py: Python<'_>, result: Result<T>) -> PyResult<T> {
        if let Some(raised) = self.raised.take() {
            return Err(raised);
        }
        let value = result?;
        self.report(py, 1.0)?;
        Ok(value)
    }
}
