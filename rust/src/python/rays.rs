//! Bindings of [`crate::projection`]: along rays.

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore};
use crate::projection::{self, Beam, Camera, Shot};
use numpy::PyArrayDyn;
use pyo3::prelude::*;

/// Upper bounds of a volume, kept from one picture to the next.
#[pyclass(frozen, module = "mitk_rs._core")]
struct Bricks {
    bricks: projection::Bricks,
}

#[pymethods]
impl Bricks {
    #[new]
    #[pyo3(signature = (volume, *, threads=None, progress=None, cancel=None, timeout=None))]
    fn new(
        py: Python<'_>,
        volume: &Bound<'_, PyAny>,
        threads: Option<usize>,
        progress: Option<Bound<'_, PyAny>>,
        cancel: Option<Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        let input = InputArray::new(volume, "volume")?;
        let voxels = input.voxels()?;
        let options = CallOptions { threads, progress, cancel, timeout };
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

#[pyfunction]
#[pyo3(signature = (volume, bricks, *, size, corner, column, row, step=None, eye=None, distance=1.0, matrix=UNIT,
    depths=false, plain=false, threads=None, progress=None, cancel=None, timeout=None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of one Python function")]
fn cast_rays<'py>(
    py: Python<'py>,
    volume: &Bound<'py, PyAny>,
    bricks: Option<Bound<'py, Bricks>>,
    size: [usize; 2],
    corner: [f64; 3],
    column: [f64; 3],
    row: [f64; 3],
    step: Option<[f64; 3]>,
    eye: Option<[f64; 3]>,
    distance: f64,
    matrix: [[f64; 3]; 3],
    depths: bool,
    plain: bool,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Rendered<'py>> {
    let options = CallOptions { threads, progress, cancel, timeout };
    let beam = match (step, eye) {
        (_, Some(eye)) => Beam::Perspective { eye, distance, matrix },
        (step, None) => Beam::Parallel { step: step.unwrap_or_default() },
    };
    let camera = Camera { size, corner, column, row, beam };
    camera.check()?;
    let input = InputArray::new(volume, "volume")?;
    let voxels = input.voxels()?;
    let shape = [size[1], size[0]];
    let mut values = OutputArray::<f32>::zeros(py, &shape)?;
    let mut found = depths.then(|| OutputArray::<i32>::zeros(py, &shape)).transpose()?;
    let depths = found.as_mut().map(OutputArray::as_mut_slice).transpose()?.unwrap_or_default();
    let shot = Shot { values: values.as_mut_slice()?, depths };
    let bricks = bricks.as_ref().map(|bricks| &bricks.get().bricks);
    py.enter_core(&options, move |task| {
        if plain {
            projection::render_plain(&voxels, &camera, shot, task.control)
        } else {
            projection::render(&voxels, bricks, &camera, shot, task.control)
        }
    })?;
    Ok((values.into_array(), found.map(OutputArray::into_array)))
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<Bricks>()?;
    m.add_function(wrap_pyfunction!(cast_rays, m)?)
}
