//! Bindings of [`crate::levelset`].

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore, Task, Threads};
use super::error::request_error;
use crate::error::Result;
use crate::grid::{Index3, Size3};
use crate::levelset::{self, Bounds, Combine, Intensity, Outside, SpeedMap};
use crate::voxels::Voxels;
use numpy::PyArrayDyn;
use pyo3::prelude::*;

/// How speeds come from intensities: `(lower, upper, negate, vmtk)`.
pub(super) type SpeedParameters = (Option<f64>, Option<f64>, bool, bool);

/// The map from intensity to speed that `parameters` describe, after a scan of the image.
pub(super) fn speed_map(image: &Voxels<'_>, parameters: SpeedParameters, task: &Task<'_>) -> Result<SpeedMap> {
    let (lower, upper, negate, vmtk) = parameters;
    let intensity = Intensity::of(image, negate, task.control)?;
    let outside = if vmtk { Outside::Vmtk } else { Outside::Zero };
    SpeedMap::of(image, intensity, Bounds::new(lower, upper)?, outside, task.control)
}

type Floats<'py> = Bound<'py, PyArrayDyn<f32>>;

/// Fills a fresh float32 array of the image's shape.
fn fill<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    options: &CallOptions<'py>,
    work: impl FnOnce(&Voxels<'_>, &mut [f32], &Task<'_>) -> Result<()> + Send,
) -> PyResult<Floats<'py>> {
    let input = InputArray::new(image, "image")?;
    let mut output = OutputArray::<f32>::zeros(py, input.shape())?;
    let (voxels, out) = (input.voxels()?, output.as_mut_slice()?);
    py.enter_core(options, move |task| work(&voxels, out, &task))?;
    Ok(output.into_array())
}

#[pyfunction]
#[pyo3(signature = (image, parameters, **run))]
fn speed_image<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    parameters: SpeedParameters,
    run: Option<CallOptions<'py>>,
) -> PyResult<Floats<'py>> {
    fill(py, image, &run.unwrap_or_default(), |image, out, task| {
        speed_map(image, parameters, task)?.fill(image, out, task.control)
    })
}

#[pyfunction]
#[pyo3(signature = (image, value, *, negate=false, threads=None))]
fn isosurface<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    value: f64,
    negate: bool,
    threads: Option<Threads>,
) -> PyResult<Floats<'py>> {
    let options = CallOptions { threads, ..Default::default() };
    fill(py, image, &options, |image, out, task| {
        let intensity = Intensity::of(image, negate, task.control)?;
        levelset::isosurface(image, &intensity, value, out, task.control)
    })
}

#[pyfunction]
#[pyo3(signature = (image, lower=None, upper=None, *, negate=false, threads=None))]
fn threshold<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    lower: Option<f64>,
    upper: Option<f64>,
    negate: bool,
    threads: Option<Threads>,
) -> PyResult<Floats<'py>> {
    let options = CallOptions { threads, ..Default::default() };
    fill(py, image, &options, |image, out, task| {
        let intensity = Intensity::of(image, negate, task.control)?;
        levelset::threshold(image, &intensity, &Bounds::new(lower, upper)?, out, task.control)
    })
}

#[pyfunction]
#[pyo3(signature = (shape, points, *, threads=None))]
fn seed_level_set<'py>(
    py: Python<'py>,
    shape: [usize; 3],
    points: Vec<Index3>,
    threads: Option<Threads>,
) -> PyResult<Floats<'py>> {
    let size = Size3::new([shape[2], shape[1], shape[0]])?;
    let mut output = OutputArray::<f32>::zeros(py, &shape)?;
    let out = output.as_mut_slice()?;
    let options = CallOptions { threads, ..Default::default() };
    py.enter_core(&options, move |_| levelset::seeds(size, &points, out))?;
    Ok(output.into_array())
}

/// Combines `branch` into a copy of `merged`.
#[pyfunction]
#[pyo3(signature = (merged, branch, how="minimum", *, threads=None))]
fn combine<'py>(
    py: Python<'py>,
    merged: &Bound<'py, PyAny>,
    branch: &Bound<'py, PyAny>,
    how: &str,
    threads: Option<Threads>,
) -> PyResult<Floats<'py>> {
    let how = match how {
        "minimum" => Combine::Minimum,
        "sum" => Combine::Sum,
        other => return Err(request_error(format!("how is {other:?}: allowed are \"minimum\" and \"sum\""))),
    };
    let input = InputArray::new(branch, "branch")?;
    InputArray::new(merged, "merged")?.check_same_shape(&input, "shape of the branch")?;
    let branch = input.voxels()?;
    let options = CallOptions { threads, ..Default::default() };
    fill(py, merged, &options, move |merged, out, task| {
        merged.read_all(out);
        levelset::combine(out, &branch, how, task.control)
    })
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(speed_image, m)?)?;
    m.add_function(wrap_pyfunction!(isosurface, m)?)?;
    m.add_function(wrap_pyfunction!(threshold, m)?)?;
    m.add_function(wrap_pyfunction!(seed_level_set, m)?)?;
    m.add_function(wrap_pyfunction!(combine, m)?)
}
