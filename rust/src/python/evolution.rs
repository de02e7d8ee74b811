//! Bindings of [`crate::features`] and [`crate::evolution`].

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore};
use super::error::request_error;
use super::march::instructions_named;
use crate::cpu::Instructions;
use crate::evolution::{self, Diffusion, Evolution, Initial, Start};
use crate::features::{self, Kind, Map};
use crate::grid::Spacing3;
use crate::levelset::{self, Combine};
use numpy::PyArrayDyn;
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
            other => Err(request_error(format!(
                "type is {other:?}: allowed are \"gradient\", \"vtkgradient\", \"upwind\", \"fwhm\""
            ))),
        }
    }

    fn map(&self) -> Map {
        if self.sigmoid { Map::Sigmoid { range: self.sigmoid_range } } else { Map::Reciprocal }
    }
}

#[pyfunction]
#[pyo3(signature = (image, spacing, options, *, instructions=None, **run))]
fn feature_image<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    options: FeatureOptions,
    instructions: Option<&str>,
    run: Option<CallOptions<'py>>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let call = run.unwrap_or_default();
    let input = InputArray::new(image, "image")?;
    let spacing = Spacing3::new(spacing)?;
    let (what, instructions) = ((options.kind()?, options.map()), instructions_named(instructions)?);
    let mut output = OutputArray::<f32>::zeros(py, input.shape())?;
    let (voxels, out) = (input.voxels()?, output.as_mut_slice()?);
    py.enter_core(&call, move |task| features::compute(&voxels, spacing, what, instructions, out, task.control))?;
    Ok(output.into_array())
}

/// How a surface evolves; the dictionary of Python's `evolve_level_set`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct EvolutionOptions {
    r#type: String,
    iterations: u64,
    propagation: f64,
    curvature: f64,
    advection: f64,
    advection_sigma: f64,
    thresholds: Option<(f32, f32)>,
    edge_weight: f64,
    smoothing_iterations: u32,
    smoothing_time_step: f64,
    smoothing_conductance: f64,
    isosurface: f32,
    max_rms: f64,
    vmtk: bool,
}

impl EvolutionOptions {
    fn kind(&self) -> PyResult<evolution::Kind> {
        match self.r#type.as_str() {
            "geodesic" => Ok(evolution::Kind::Geodesic),
            "curves" => Ok(evolution::Kind::Curves),
            "laplacian" => Ok(evolution::Kind::Laplacian),
            "threshold" => {
                let missing = || request_error("type \"threshold\" needs thresholds");
                let (lower, upper) = self.thresholds.ok_or_else(missing)?;
                Ok(evolution::Kind::Threshold { lower, upper, edges: self.edges() })
            }
            other => Err(request_error(format!(
                "type is {other:?}: allowed are \"geodesic\", \"curves\", \"threshold\", \"laplacian\""
            ))),
        }
    }

    fn edges(&self) -> Option<Diffusion> {
        (self.edge_weight != 0.0).then_some(Diffusion {
            weight: self.edge_weight,
            iterations: self.smoothing_iterations,
            time_step: self.smoothing_time_step,
            conductance: self.smoothing_conductance,
        })
    }

    fn job(&self, instructions: Instructions) -> PyResult<Evolution> {
        Ok(Evolution {
            kind: self.kind()?,
            propagation: self.propagation,
            curvature: self.curvature,
            advection: self.advection,
            advection_sigma: self.advection_sigma,
            iterations: self.iterations,
            max_rms: self.max_rms,
            compat: self.vmtk,
            instructions,
        })
    }
}

/// What an evolution did, iteration by iteration.
#[pyclass(frozen, get_all)]
struct EvolutionRecord {
    rms: Vec<f64>,
    time_steps: Vec<f64>,
    active: Vec<usize>,
    moved: Vec<usize>,
    blocked: Vec<usize>,
    at_rest: bool,
    touches_frame: bool,
}

impl From<evolution::Report> for EvolutionRecord {
    fn from(report: evolution::Report) -> Self {
        let list = report.iterations;
        Self {
            rms: list.iter().map(|i| i.rms).collect(),
            time_steps: list.iter().map(|i| i.time_step).collect(),
            active: list.iter().map(|i| i.active).collect(),
            moved: list.iter().map(|i| i.moved).collect(),
            blocked: list.iter().map(|i| i.blocked).collect(),
            at_rest: report.stop == evolution::Stop::Rest,
            touches_frame: report.touches_frame,
        }
    }
}

/// Arrays of the shape of the first one; `what` names the others in messages.
fn arrays<'py>(
    image: &InputArray<'py>,
    given: &[Bound<'py, PyAny>],
    what: &'static str,
) -> PyResult<Vec<InputArray<'py>>> {
    let arrays: PyResult<Vec<_>> = given.iter().map(|array| InputArray::new(array, what)).collect();
    let arrays = arrays?;
    arrays.iter().try_for_each(|array| image.check_same_shape(array, what))?;
    Ok(arrays)
}

/// `initial` are level sets and, where the second entry says so, masks; `merge` are level sets that the result is united with.
#[pyfunction]
#[pyo3(signature = (image, initial, merge, spacing, options, *, instructions=None, **run))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of one Python function")]
fn evolve_level_set<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    initial: Vec<(Bound<'py, PyAny>, bool)>,
    merge: Vec<Bound<'py, PyAny>>,
    spacing: [f64; 3],
    options: EvolutionOptions,
    instructions: Option<&str>,
    run: Option<CallOptions<'py>>,
) -> PyResult<(Bound<'py, PyArrayDyn<f32>>, EvolutionRecord)> {
    let call = run.unwrap_or_default();
    let (spacing, job) = (Spacing3::new(spacing)?, options.job(instructions_named(instructions)?)?);
    let image = InputArray::new(image, "image")?;
    let (given, masks): (Vec<_>, Vec<_>) = initial.into_iter().unzip();
    let (given, merge) = (arrays(&image, &given, "shape of initial")?, arrays(&image, &merge, "shape of merge")?);
    let mut output = OutputArray::<f32>::zeros(py, image.shape())?;
    let (image, out) = (image.voxels()?, output.as_mut_slice()?);
    let initial = given.iter().zip(masks).map(|(array, mask)| Ok(Initial { voxels: array.voxels()?, mask }));
    let initial = initial.collect::<PyResult<Vec<_>>>()?;
    let merge = merge.iter().map(InputArray::voxels).collect::<PyResult<Vec<_>>>()?;
    let report = py.enter_core(&call, move |task| {
        let values = features::read_finite(&image, job.image_name(), task.control)?;
        let start = Start { parts: &initial, isosurface: options.isosurface };
        let report = evolution::evolve(&start, out, values, image.size(), spacing, &job, task.control)?;
        merge.iter().try_for_each(|other| levelset::combine(out, other, Combine::Minimum, task.control))?;
        Ok(report)
    })?;
    Ok((output.into_array(), report.into()))
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<EvolutionRecord>()?;
    m.add_function(wrap_pyfunction!(evolve_level_set, m)?)?;
    m.add_function(wrap_pyfunction!(feature_image, m)?)
}
