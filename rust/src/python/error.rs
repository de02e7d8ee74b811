//! Core errors as Python exceptions: one exhaustive `match`, so a new variant does not compile until someone
//! decides what it is in Python. The classes live in `mitk_rs/errors.py`, because several derive from two bases.

use crate::error::Error;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let text = error.to_string();
        match error {
            Error::OutOfMemory { .. } => PyMemoryError::new_err(text),
            Error::MemoryLimit { .. } => ours("MemoryLimitError", text),
            Error::TooLarge { .. }
            | Error::IndexOutside { .. }
            | Error::BadSpeed { .. }
            | Error::BadVoxel { .. }
            | Error::BadArgument { .. } => ours("RequestError", text),
            Error::Empty | Error::Forked => ours("Exception", text),
            Error::Frozen => ours("RequestError", text),
            Error::NoSuchStep { .. } => ours("TimeStepError", text),
            Error::Mismatch { .. } => ours("RequestError", text),
            Error::Locked { .. } | Error::LockTimeout { .. } => ours("MemoryIsLockedError", text),
            Error::Cancelled => ours("Cancelled", text),
            Error::Internal(_) => ours("InternalError", text),
        }
    }
}

/// An exception of the class `name` of `mitk_rs.errors`.
pub(super) fn ours(name: &str, text: String) -> PyErr {
    let made = Python::attach(|py| {
        let class = py.import("mitk_rs.errors")?.getattr(name)?;
        PyResult::Ok(PyErr::from_value(class.call1((text,))?))
    });
    made.unwrap_or_else(|failure| failure)
}

/// A request that does not fit: `mitk_rs.RequestError`, which is a `ValueError`, too.
pub(super) fn request_error(text: impl Into<String>) -> PyErr {
    ours("RequestError", text.into())
}
