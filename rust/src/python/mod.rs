//! The bindings: the only folder that names `pyo3` or `numpy`.
//!
//! Each function takes arguments, enters the core through the one way in ([`call`]) and wraps the result.
//! Nothing is computed here.

mod arrays;
mod call;
mod components;
mod error;
mod evolution;
mod levelset;
mod lock_wait;
mod march;
mod projection;
mod rays;
mod store;
mod views;

use crate::cpu::Instructions;
use crate::workers;
use call::Threads;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Version of the package, from `Cargo.toml`.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Set how many threads of this process compute at once.
///
/// All computations share this budget. One that starts while others are at work gets what they have left, at least the
/// thread that calls it; results do not depend on it. Computations at work keep the threads that they have.
///
/// Parameters
/// ----------
/// n
///     1 to 1024; ``None`` for the default: the environment variable ``MITK_RS_NUM_THREADS`` where it is set, otherwise as
///     many as the process may run at once (its affinity and the quota of its container count). A child process made by
///     ``fork`` has the budget of its parent.
///
/// Raises
/// ------
/// RequestError
///     Any other number.
/// TypeError
///     ``n`` is not a whole number.
///
/// See Also
/// --------
/// get_num_threads
///
/// Examples
/// --------
/// >>> import mitk_rs as mitk
/// >>> mitk.set_num_threads(3)
/// >>> mitk.get_num_threads()
/// 3
/// >>> mitk.set_num_threads(None)
#[pyfunction]
fn set_num_threads(n: &Bound<'_, PyAny>) -> PyResult<()> {
    let given: Option<Threads> =
        n.extract().or_else(|error: PyErr| match error.is_instance_of::<PyTypeError>(n.py()) {
            true => {
                let got = n.get_type().name()?;
                Err(PyTypeError::new_err(format!("set_num_threads: n must be a whole number or None, got {got}")))
            }
            false => Err(error),
        })?;
    Ok(workers::set_num_threads(given.map(|n| n.0))?)
}

/// How many threads of this process may compute at once.
///
/// Returns
/// -------
/// int
///     What :func:`set_num_threads` has set, or the default.
///
/// Raises
/// ------
/// RequestError
///     The environment variable ``MITK_RS_NUM_THREADS`` is not a whole number from 1 to 1024.
///
/// See Also
/// --------
/// set_num_threads
#[pyfunction]
fn get_num_threads() -> PyResult<usize> {
    Ok(workers::num_threads()?)
}

/// Makes kernels use a set of vector instructions, or the fastest ones again: for tests and benches.
#[pyfunction]
fn force_instructions(name: Option<&str>) -> PyResult<()> {
    Ok(Instructions::force(name.map(Instructions::from_name).transpose()?)?)
}

/// Vector extensions that kernels use on this processor.
#[pyfunction]
fn cpu_features() -> Vec<&'static str> {
    crate::cpu::features()
}

/// `mitk_rs._core`.
#[pymodule(gil_used = false)]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(version, m)?)?;
    m.add_function(wrap_pyfunction!(set_num_threads, m)?)?;
    m.add_function(wrap_pyfunction!(get_num_threads, m)?)?;
    m.add_function(wrap_pyfunction!(cpu_features, m)?)?;
    m.add_function(wrap_pyfunction!(force_instructions, m)?)?;
    evolution::register(m)?;
    levelset::register(m)?;
    march::register(m)?;
    components::register(m)?;
    rays::register(m)?;
    projection::register(m)?;
    store::register(m)
}
