//! The bindings: the only folder that names `pyo3` or `numpy`.
//!
//! Each function takes arguments, enters the core through the one doorway ([`doorway`]) and wraps the result.
//! Nothing is computed here.

mod arrays;
mod doorway;
mod error;
mod evolution;
mod leases;
mod levelset;
mod march;
mod oblique;
mod projection;
mod regions;
mod store;
mod views;

use crate::cpu::Instructions;
use pyo3::prelude::*;

/// Version of the package, from `Cargo.toml`.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Number of threads used where the caller names none.
#[pyfunction]
fn default_threads() -> PyResult<usize> {
    Ok(crate::task::resolve_threads(None)?)
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
    m.add_function(wrap_pyfunction!(default_threads, m)?)?;
    m.add_function(wrap_pyfunction!(cpu_features, m)?)?;
    m.add_function(wrap_pyfunction!(force_instructions, m)?)?;
    evolution::register(m)?;
    levelset::register(m)?;
    march::register(m)?;
    regions::register(m)?;
    oblique::register(m)?;
    projection::register(m)?;
    store::register(m)
}
