//! Numeric core of `mitk_rs`: image store, fast marching, colliding fronts, projections.
//!
//! [`arrays`] is the way in for Rust: `ndarray` views in, arrays out. Beneath it the modules work on [`voxels::Voxels`] and on
//! slices that the caller has allocated.
//!
//! Nothing here knows Python, files, the terminal or the clock; only the module `python` (Cargo feature
//! `python`) names `pyo3` or `numpy`. Indices are `(x, y, z)` in every signature, memory is x fastest, world
//! units are millimetres. `docs/architecture.md` shows the whole project.

pub mod arrays;
pub mod components;
pub mod cpu;
pub mod eikonal;
pub mod error;
pub mod evolution;
pub mod features;
pub mod grid;
pub mod image;
pub mod levelset;
pub mod memory;
pub mod pixel;
mod processor;
pub mod projection;
#[cfg(feature = "python")]
mod python;
mod simd;
pub mod task;
mod team;
pub mod voxels;
pub mod workers;

pub use error::{Error, Result};
// Views and arrays of the same version as [`arrays`] takes and gives.
pub use ndarray;
