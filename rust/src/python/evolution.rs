//! Bindings of [`crate::features`] and [`crate::evolution`].

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore};
use super::march::instructions_named;
use crate::features::{self, Kind, Map};
use crate::grid::Spacing3;
use numpy::PyArrayDyn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What a feature image shows; the dictionary of Python's `feature_image`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct FeatureOptions {
    r#type: String,
    sigma: f64,
    sigmoid: bool,
    sigmoid_range: Option<(f64, f64)>,
    upwind_factor: f64,
    radius: [usize; 3],
    background: f32,
    dimensionality: usize,
}

impl FeatureOptions {
    fn kind(&self) -> PyResult<Kind> {
        match self.r#type.as_str() {
            "gradient" => Ok(Kind::Gradient { sigma: self.sigma }),
            "vtkgradient" => Ok(Kind::VtkGradient { dimensions: self.dimensionality }),
            "upwind" => Ok(Kind::Upwind { factor: self.upwind_factor }),
            "fwhm" => Ok(Kind::Fwhm { radius: self.radius, background: self.background }),
            other => Err(PyValueError::new_err(format!(
                "type is {other:?}: allowed are \"gradient\", \"vtkgradient\", \"upwind\", \"fwhm\""
            ))),
        }
    }

    fn map(&self) -> Map {
        if self.sigmoid { Map::Sigmoid { range: self.sigmoid_range } } else { Map::Reciprocal }
    }
}

#[pyfunction]
#[pyo3(signature = (image, spacing, options, *, instructions=None, threads=None, progress=None, cancel=None, timeout=None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of one Python function")]
fn feature_image<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    options: FeatureOptions,
    instructions: Option<&str>,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let call = CallOptions { threads, progress, cancel, timeout };
    let input = InputArray::new(image, "image")?;
    let spacing = Spacing3::new(spacing)?;
    let (what, instructions) = ((options.kind()?, options.map()), instructions_named(instructions)?);
    let mut output = OutputArray::<f32>::zeros(py, input.shape())?;
    let (voxels, out) = (input.voxels()?, output.as_mut_slice()?);
    py.enter_core(&call, move |task| features::compute(&voxels, spacing, what, instructions, out, task.control))?;
    Ok(output.into_array())
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(feature_image, m)?)
}
