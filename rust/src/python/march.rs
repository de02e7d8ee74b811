//! Bindings of [`crate::eikonal`].

use super::arrays::{InputArray, OutputArray};
use super::doorway::{CallOptions, EnterCore};
use super::levelset::SpeedParameters;
use crate::eikonal::fronts::{self, Collision};
use crate::eikonal::{Seed, StopRule, TargetMode, heap};
use crate::grid::{Index3, Spacing3};
use crate::pixel::Pixel;
use crate::voxels::Voxels;
use numpy::PyArrayDyn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `"none"`, `"one"`, `"all"` or a number of targets.
#[derive(FromPyObject)]
enum Mode {
    Count(usize),
    Name(String),
}

impl Mode {
    fn resolve(&self) -> PyResult<TargetMode> {
        match self {
            Mode::Count(n) => Ok(TargetMode::Some(*n)),
            Mode::Name(name) => match name.as_str() {
                "none" => Ok(TargetMode::None),
                "one" => Ok(TargetMode::One),
                "all" => Ok(TargetMode::All),
                other => Err(PyValueError::new_err(format!(
                    "target_mode is {other:?}: allowed are \"none\", \"one\", \"all\" or a number of targets"
                ))),
            },
        }
    }
}

fn plant(seeds: Vec<Index3>, times: Option<Vec<f64>>) -> PyResult<Vec<Seed>> {
    let times = times.unwrap_or_else(|| vec![0.0; seeds.len()]);
    if times.len() != seeds.len() {
        let text = format!("seed_times has {} entries, there are {} seeds", times.len(), seeds.len());
        return Err(PyValueError::new_err(text));
    }
    Ok(seeds.into_iter().zip(times).map(|(index, time)| Seed { index, time }).collect())
}

/// Speed at a voxel offset, straight from the array or through a map from intensities.
fn speed_at<'a>(voxels: &'a Voxels<'a>, map: Option<crate::levelset::SpeedMap>) -> impl Fn(usize) -> f64 + 'a {
    move |v| {
        let v = voxels.size().voxel(v);
        let value = crate::dispatch_pixel!(voxels.pixel(), P => voxels.get::<P>(v).to_f64());
        map.map_or(value, |map| f64::from(map.speed(value as f32)))
    }
}

type Times<'py> = Bound<'py, PyArrayDyn<f32>>;

/// Times, gradient, time of the deciding target, stop.
type Marched<'py> = (Times<'py>, Option<Times<'py>>, Option<f64>, f64);

#[pyfunction]
#[pyo3(signature = (speed, spacing, seeds, *, seed_times=None, target_mode=Mode::Name("none".into()), targets=Vec::new(),
    target_offset=0.0, stopping_time=None, speed_map=None, gradient=false, out=None, threads=None, progress=None, cancel=None, timeout=None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of one Python function")]
fn march<'py>(
    py: Python<'py>,
    speed: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    seeds: Vec<Index3>,
    seed_times: Option<Vec<f64>>,
    target_mode: Mode,
    targets: Vec<Index3>,
    target_offset: f64,
    stopping_time: Option<f64>,
    speed_map: Option<SpeedParameters>,
    gradient: bool,
    out: Option<Bound<'py, PyAny>>,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Marched<'py>> {
    let options = CallOptions { threads, progress, cancel, timeout };
    let input = InputArray::new(speed, "speed")?;
    let voxels = input.voxels()?;
    let spacing = Spacing3::new(spacing)?;
    let rule = StopRule { mode: target_mode.resolve()?, targets, offset: target_offset, limit: stopping_time };
    let seeds = plant(seeds, seed_times)?;
    let output = OutputArray::<f32>::or_zeros(out.as_ref(), py, input.shape(), &[&input])?;
    // SAFETY: the array is fresh or the caller's `out=`, handed over for this call.
    let out = unsafe { output.as_mut_slice() };
    let arrival = py.enter_core(&options, move |task| {
        let map = speed_map.map(|p| super::levelset::speed_map(&voxels, p, &task)).transpose()?;
        let speed = speed_at(&voxels, map);
        let arrival = heap::march::<f32>(voxels.size(), spacing, &speed, &seeds, &rule, task.control)?;
        out.copy_from_slice(&arrival.times);
        Ok(arrival)
    })?;
    let gradient = gradient.then(|| {
        let mut shape = input.shape().to_vec();
        shape.push(3);
        let output = OutputArray::<f32>::zeros(py, &shape);
        // SAFETY: the array is fresh; nobody else has seen it.
        unsafe { output.as_mut_slice() }.copy_from_slice(arrival.gradients.as_flattened());
        output.into_array()
    });
    Ok((output.into_array(), gradient, arrival.target_value, arrival.stop))
}

#[pyfunction]
#[pyo3(signature = (speed, spacing, seeds1, seeds2, *, stop_on_targets=true, apply_connectivity=true, negative_epsilon=-1e-6,
    speed_map=None, out=None, threads=None, progress=None, cancel=None, timeout=None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of one Python function")]
fn colliding_fronts<'py>(
    py: Python<'py>,
    speed: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    seeds1: Vec<Index3>,
    seeds2: Vec<Index3>,
    stop_on_targets: bool,
    apply_connectivity: bool,
    negative_epsilon: f64,
    speed_map: Option<SpeedParameters>,
    out: Option<Bound<'py, PyAny>>,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Times<'py>> {
    let options = CallOptions { threads, progress, cancel, timeout };
    let input = InputArray::new(speed, "speed")?;
    let voxels = input.voxels()?;
    let spacing = Spacing3::new(spacing)?;
    let collision = Collision {
        seeds1: plant(seeds1, None)?,
        seeds2: plant(seeds2, None)?,
        stop_on_targets,
        apply_connectivity,
        negative_epsilon,
    };
    let output = OutputArray::<f32>::or_zeros(out.as_ref(), py, input.shape(), &[&input])?;
    // SAFETY: the array is fresh or the caller's `out=`, handed over for this call.
    let out = unsafe { output.as_mut_slice() };
    py.enter_core(&options, move |task| {
        let map = speed_map.map(|p| super::levelset::speed_map(&voxels, p, &task)).transpose()?;
        let speed = speed_at(&voxels, map);
        let values = fronts::reference(voxels.size(), spacing, &speed, &collision, task.control)?;
        out.copy_from_slice(&values);
        Ok(())
    })?;
    Ok(output.into_array())
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(march, m)?)?;
    m.add_function(wrap_pyfunction!(colliding_fronts, m)?)
}
