//! Bindings of [`crate::projection`]: along rays.

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore, Keywords};
use crate::cpu::Level;
use crate::projection::{self, Beam, Camera, Shot};
use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Upper bounds of a volume, kept from one picture to the next.
#[pyclass(frozen, module = "mitk_rs._core")]
struct Bricks {
    bricks: projection::Bricks,
}

#[pymethods]
impl Bricks {
    #[new]
    #[pyo3(signature = (volume, **run))]
    fn new<'py>(py: Python<'py>, volume: &Bound<'py, PyAny>, run: Option<CallOptions<'py>>) -> PyResult<Self> {
        let input = InputArray::new(volume, "volume")?;
        let voxels = input.voxels()?;
        let options = run.unwrap_or_default();
        let bricks = py.enter_core(&options, |task| projection::Bricks::build(&voxels, task.control))?;
        Ok(Self { bricks })
    }

    /// Bytes that the bounds take.
    #[getter]
    fn nbytes(&self) -> usize {
        self.bricks.bytes()
    }
}

/// Values and, where asked for, sample numbers.
type Rendered<'py> = (Bound<'py, PyArrayDyn<f32>>, Option<Bound<'py, PyArrayDyn<i32>>>);

const UNIT: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// The camera that the keywords describe: parallel rays with `step`, or those of an `eye`.
fn camera_of(given: &Keywords<'_>) -> PyResult<Camera> {
    let (step, eye) = (given.take("step")?, given.take("eye")?);
    let (distance, matrix) = (given.take("distance")?.unwrap_or(1.0), given.take("matrix")?.unwrap_or(UNIT));
    let beam = match eye {
        Some(eye) => Beam::Perspective { eye, distance, matrix },
        None => Beam::Parallel { step: step.unwrap_or_default() },
    };
    let (size, corner) = (given.need("size")?, given.need("corner")?);
    Ok(Camera { size, corner, column: given.need("column")?, row: given.need("row")?, beam })
}

#[pyfunction]
#[pyo3(signature = (volume, bricks, **options))]
fn cast_rays<'py>(
    py: Python<'py>,
    volume: &Bound<'py, PyAny>,
    bricks: Option<Bound<'py, Bricks>>,
    options: Option<Bound<'py, PyDict>>,
) -> PyResult<Rendered<'py>> {
    let given = Keywords::new(py, options);
    let camera = camera_of(&given)?;
    let (depths, plain) = (given.take("depths")?.unwrap_or(false), given.take("plain")?.unwrap_or(false));
    let options = given.rest()?;
    camera.check()?;
    let input = InputArray::new(volume, "volume")?;
    let voxels = input.voxels()?;
    let shape = [camera.size[1], camera.size[0]];
    let mut values = OutputArray::<f32>::zeros(py, &shape)?;
    let mut found = depths.then(|| OutputArray::<i32>::zeros(py, &shape)).transpose()?;
    let depths = found.as_mut().map(OutputArray::as_mut_slice).transpose()?.unwrap_or_default();
    let shot = Shot { values: values.as_mut_slice()?, depths };
    let bricks = bricks.as_ref().map(|bricks| &bricks.get().bricks);
    py.enter_core(&options, move |task| {
        if plain {
            projection::render_plain(&voxels, &camera, shot, task.control)
        } else {
            projection::render(&voxels, bricks, &camera, shot, Level::best(), task.control)
        }
    })?;
    Ok((values.into_array(), found.map(OutputArray::into_array)))
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Bricks>()?;
    m.add_function(wrap_pyfunction!(cast_rays, m)?)
}
