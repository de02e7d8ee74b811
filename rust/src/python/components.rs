//! Binding of [`crate::components`].

use super::arrays::InputArray;
use super::call::{CallOptions, EnterCore, Threads};
use crate::components;
use pyo3::prelude::*;

/// Number of negative voxels, of their pieces, and first and last index along x, y, z.
type Measured = (u64, u64, Option<[[usize; 2]; 3]>);

#[pyfunction]
#[pyo3(signature = (level_set, *, cancel=None))]
fn measure_inside<'py>(
    py: Python<'py>,
    level_set: &Bound<'py, PyAny>,
    cancel: Option<Bound<'py, PyAny>>,
) -> PyResult<Measured> {
    let input = InputArray::new(level_set, "level_set")?;
    let voxels = input.voxels()?;
    // The work is one pass from row to row; more threads would wait.
    let options = CallOptions { threads: Some(Threads(1)), cancel, ..Default::default() };
    let found = py.enter_core(&options, move |task| components::inside(&voxels, task.control))?;
    Ok((found.voxels, found.components, found.bounds))
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(measure_inside, m)?)
}
