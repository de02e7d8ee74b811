//! Numeric core of `mitk_rs`: image store, fast marching, colliding fronts, projections.
//!
//! Nothing here knows Python, files, the terminal or the clock; only the module `python` (Cargo feature
//! `python`) names `pyo3` or `numpy`. Indices are `(x, y, z)` in every signature, memory is x fastest, world
//! units are millimetres. `docs/architecture.md` shows the house this is the ground floor of.

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
pub mod projection;
#[cfg(feature = "python")]
mod python;
mod simd;
pub mod task;
mod team;
pub mod voxels;
pub mod workers;

pub use error::{Error, Result};
