//! Bindings of [`crate::eikonal`].

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore, Task, Threads};
use super::error::request_error;
use super::levelset::{SpeedParameters, speed_map};
use crate::cpu::Instructions;
use crate::eikonal::checks::{fixed_point_defects as defects, gradient as gradient_of};
use crate::eikonal::{
    Collision, March, Seed, Speed, StopRule, Summary, TargetMode, Time, Tuning, most_threads, reference,
};
use crate::error::{Error, Result};
use crate::grid::{Index3, Size3, Spacing3};
use crate::levelset::SpeedMap;
use crate::memory::try_filled;
use crate::voxels::Voxels;
use crate::workers::MAX_THREADS;
use ndarray::ArrayViewMut3;
use numpy::{Element, PyArray1, PyArrayDyn, PyArrayMethods};
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
                other => Err(request_error(format!(
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
        return Err(request_error(text));
    }
    Ok(seeds.into_iter().zip(times).map(|(index, time)| Seed { index, time }).collect())
}

/// The instructions of that name, the best ones without; for tests.
pub(super) fn instructions_named(name: Option<&str>) -> PyResult<Instructions> {
    Ok(name.map_or(Ok(Instructions::best()), Instructions::from_name)?)
}

/// The threads to ask for: as many as the caller does, but no more than the volume is worth.
fn worth(size: Size3, threads: Option<usize>, shuffle: Option<u64>) -> Option<usize> {
    let most = most_threads(size).min(MAX_THREADS);
    match threads {
        _ if shuffle.is_some() => threads,
        // What is beyond all bounds is refused later.
        Some(0) => threads,
        Some(asked) if asked > MAX_THREADS => threads,
        asked => Some(asked.map_or(most, |asked| asked.min(most))),
    }
}

/// How a march is run; see [`Tuning`]. `instructions` and `shuffle` exist for tests.
fn tune(instructions: Option<&str>, shuffle: Option<u64>, memory_limit: Option<u64>) -> PyResult<Tuning> {
    Ok(Tuning { instructions: instructions_named(instructions)?, shuffle, memory_limit, width: None })
}

/// How speeds come from intensities: parameters, or the map they gave in an earlier scan of the same image.
#[derive(FromPyObject)]
enum MapArgument<'py> {
    Ready(PyRef<'py, ScannedSpeed>),
    Parameters(SpeedParameters),
}

/// [`MapArgument`] without Python.
#[derive(Clone, Copy)]
enum MapSource {
    Ready(SpeedMap),
    Parameters(SpeedParameters),
}

impl From<MapArgument<'_>> for MapSource {
    fn from(argument: MapArgument<'_>) -> Self {
        match argument {
            MapArgument::Ready(scanned) => MapSource::Ready(scanned.0),
            MapArgument::Parameters(parameters) => MapSource::Parameters(parameters),
        }
    }
}

/// A map from the intensities of one image to speeds, for several fronts through the same image.
#[pyclass(frozen)]
struct ScannedSpeed(SpeedMap);

#[pyfunction]
#[pyo3(signature = (image, parameters, *, threads=None))]
fn scan_speed<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    parameters: SpeedParameters,
    threads: Option<Threads>,
) -> PyResult<ScannedSpeed> {
    let input = InputArray::new(image, "image")?;
    let voxels = input.voxels()?;
    let options = CallOptions { threads, ..Default::default() };
    Ok(ScannedSpeed(py.enter_core(&options, move |task| speed_map(&voxels, parameters, &task))?))
}

/// Whether all speeds are checked before the march, or only those that the front comes near, while it marches.
fn checks_all(check: &str) -> PyResult<bool> {
    match check {
        "front" => Ok(false),
        "all" => Ok(true),
        other => Err(request_error(format!("check is {other:?}: allowed are \"front\" and \"all\""))),
    }
}

/// The elements of an array `(z, y, x)`.
fn as_volume<T>(size: Size3, elements: &mut [T]) -> Result<ArrayViewMut3<'_, T>> {
    let [x, y, z] = size.array();
    ArrayViewMut3::from_shape((z, y, x), elements).map_err(|e| Error::Internal(e.to_string()))
}

/// Speeds straight from an array, or through a map from intensities.
fn speeds<'a>(voxels: Voxels<'a>, map: Option<MapSource>, check: bool, task: &Task<'_>) -> Result<Speed<'a>> {
    match map {
        None => {
            let speed = Speed::from_speeds(voxels);
            if check {
                speed.check(task.control)?;
            }
            Ok(speed)
        }
        Some(MapSource::Ready(map)) => Ok(Speed::from_intensities(voxels, map)),
        Some(MapSource::Parameters(parameters)) => {
            Ok(Speed::from_intensities(voxels, speed_map(&voxels, parameters, task)?))
        }
    }
}

type Floats<'py> = Bound<'py, PyArrayDyn<f32>>;

/// Times, gradient, time of the deciding target, stop, and counts: accepted voxels, solutions computed, windows.
type Marched<'py> = (Bound<'py, PyAny>, Option<Floats<'py>>, Option<f64>, f64, (u64, u64, u32));

/// Everything a march takes from Python but the precision.
struct Request<'a, 'py> {
    input: &'a InputArray<'py>,
    spacing: Spacing3,
    seeds: Vec<Seed>,
    stop: StopRule,
    map: Option<MapSource>,
    check: bool,
    gradient: bool,
    heap: bool,
    tuning: Tuning,
    out: Option<Bound<'py, PyAny>>,
}

impl<'py> Request<'_, 'py> {
    fn run<T: Time + Element>(self, py: Python<'py>, options: &CallOptions<'py>) -> PyResult<Marched<'py>> {
        let shape = self.input.shape();
        let mut output = OutputArray::<T>::or_zeros(self.out.as_ref(), py, shape, &[self.input])?;
        let mut vectors = self.gradient.then(|| OutputArray::<f32>::zeros(py, &[shape, &[3]].concat())).transpose()?;
        let times = output.as_mut_slice()?;
        let mut slopes = vectors.as_mut().map(OutputArray::as_mut_slice).transpose()?;
        let (voxels, spacing) = (self.input.voxels()?, self.spacing);
        let (seeds, stop, tuning, plain) = (self.seeds, self.stop, self.tuning, self.heap);
        let (map, check) = (self.map, self.check);
        let told = py.enter_core(options, move |task| {
            let speed = speeds(voxels, map, check, &task)?;
            let march = March { speed, spacing, seeds, stop, tuning };
            let told = if plain {
                by_heap(&march, times, &task)?
            } else {
                march.run(as_volume(speed.size(), times)?, task.control)?
            };
            if let Some(slopes) = &mut slopes {
                gradient_of(times, speed.size(), spacing, told.stop, slopes, task.control)?;
            }
            Ok(told)
        })?;
        let counts = (told.accepted, told.evaluations, told.windows);
        let vectors = vectors.map(OutputArray::into_array);
        Ok((output.into_array().into_any(), vectors, told.target_value, told.stop, counts))
    }
}

impl<'py> Request<'_, 'py> {
    /// The accepted voxels `(x, y, z)`, a row each, and their times, in memory order.
    fn run_sparse<T: Time + Element>(self, py: Python<'py>, options: &CallOptions<'py>) -> PyResult<Marched<'py>> {
        if self.gradient || self.heap || self.out.is_some() {
            return Err(request_error("a sparse result goes without gradient, out and the heap"));
        }
        let (voxels, spacing) = (self.input.voxels()?, self.spacing);
        let (seeds, stop, tuning, map, check) = (self.seeds, self.stop, self.tuning, self.map, self.check);
        let (found, told) = py.enter_core(options, move |task| {
            let speed = speeds(voxels, map, check, &task)?;
            March { speed, spacing, seeds, stop, tuning }.run_sparse::<T>(task.control)
        })?;
        let n = found.indices.len();
        let indices = PyArray1::from_vec(py, found.indices.into_flattened()).reshape([n, 3])?;
        let pair = (indices, PyArray1::from_vec(py, found.times)).into_pyobject(py)?;
        let counts = (told.accepted, told.evaluations, told.windows);
        Ok((pair.into_any(), None, told.target_value, told.stop, counts))
    }
}

/// Whether the plain heap was asked for by name.
fn is_heap(solver: &str) -> PyResult<bool> {
    match solver {
        "tiles" => Ok(false),
        "heap" => Ok(true),
        other => {
            let text = format!("solver is {other:?}: allowed are \"tiles\" and \"heap\"");
            Err(request_error(text))
        }
    }
}

/// The plain march, for those who want to check the fast one.
fn by_heap<T: Time>(job: &March<'_>, out: &mut [T], task: &Task<'_>) -> Result<Summary> {
    let size = job.speed.size();
    let speed = |v: usize| job.speed.at::<T>(size.voxel(v)).to_f64();
    let arrival = reference::march::<T>(size, job.spacing, &speed, &job.seeds, &job.stop, task.control)?;
    out.copy_from_slice(&arrival.times);
    let accepted = arrival.accepted.iter().filter(|a| **a).count() as u64;
    let (target_value, stop) = (arrival.target_value, arrival.stop);
    Ok(Summary { target_value, stop, accepted, evaluations: 0, windows: 0 })
}

#[pyfunction]
#[pyo3(signature = (speed, spacing, seeds, *, seed_times=None, target_mode=Mode::Name("none".into()), targets=Vec::new(),
    target_offset=0.0, stopping_time=None, speed_map=None, check="front", gradient=false, sparse=false, precision="float32", solver="tiles",
    memory_limit=None, instructions=None, shuffle=None, out=None, threads=None, progress=None, cancel=None, timeout=None))]
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
    speed_map: Option<MapArgument<'py>>,
    check: &str,
    gradient: bool,
    sparse: bool,
    precision: &str,
    solver: &str,
    memory_limit: Option<u64>,
    instructions: Option<&str>,
    shuffle: Option<u64>,
    out: Option<Bound<'py, PyAny>>,
    threads: Option<Threads>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Marched<'py>> {
    let input = &InputArray::new(speed, "speed")?;
    let threads = worth(input.voxels()?.size(), threads.map(|t| t.0), shuffle).map(Threads);
    let options = CallOptions { threads, progress, cancel, timeout };
    let heap = is_heap(solver)?;
    let request = Request {
        input,
        spacing: Spacing3::new(spacing)?,
        seeds: plant(seeds, seed_times)?,
        stop: StopRule { mode: target_mode.resolve()?, targets, offset: target_offset, limit: stopping_time },
        map: speed_map.map(MapSource::from),
        check: checks_all(check)? || heap,
        gradient,
        heap,
        tuning: tune(instructions, shuffle, memory_limit)?,
        out,
    };
    match (precision, sparse) {
        ("float32", false) => request.run::<f32>(py, &options),
        ("float32", true) => request.run_sparse::<f32>(py, &options),
        ("float64", false) => request.run::<f64>(py, &options),
        ("float64", true) => request.run_sparse::<f64>(py, &options),
        (other, _) => Err(request_error(format!("precision is {other:?}: allowed are \"float32\" and \"float64\""))),
    }
}

#[pyfunction]
#[pyo3(signature = (speed, spacing, seeds1, seeds2, *, stop_on_targets=true, apply_connectivity=true, negative_epsilon=-1e-6,
    speed_map=None, check="front", solver="tiles", memory_limit=None, instructions=None, shuffle=None, out=None, threads=None,
    progress=None, cancel=None, timeout=None))]
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
    speed_map: Option<MapArgument<'py>>,
    check: &str,
    solver: &str,
    memory_limit: Option<u64>,
    instructions: Option<&str>,
    shuffle: Option<u64>,
    out: Option<Bound<'py, PyAny>>,
    threads: Option<Threads>,
    progress: Option<Bound<'py, PyAny>>,
    cancel: Option<Bound<'py, PyAny>>,
    timeout: Option<f64>,
) -> PyResult<Floats<'py>> {
    let input = InputArray::new(speed, "speed")?;
    let voxels = input.voxels()?;
    let threads = worth(voxels.size(), threads.map(|t| t.0), shuffle).map(Threads);
    let options = CallOptions { threads, progress, cancel, timeout };
    let spacing = Spacing3::new(spacing)?;
    let (seeds1, seeds2) = (plant(seeds1, None)?, plant(seeds2, None)?);
    let collision = Collision { seeds1, seeds2, stop_on_targets, apply_connectivity, negative_epsilon };
    let tuning = tune(instructions, shuffle, memory_limit)?;
    let reused = out.is_some();
    let mut output = OutputArray::<f32>::or_zeros(out.as_ref(), py, input.shape(), &[&input])?;
    let out = output.as_mut_slice()?;
    let (plain, map) = (is_heap(solver)?, speed_map.map(MapSource::from));
    let check = checks_all(check)? || plain;
    py.enter_core(&options, move |task| {
        let speed = speeds(voxels, map, check, &task)?;
        if plain {
            let at = |v: usize| speed.at::<f32>(speed.size().voxel(v)).into();
            out.copy_from_slice(&reference::collide(speed.size(), spacing, &at, &collision, task.control)?);
            return Ok(());
        }
        if reused {
            out.fill(0.0);
        }
        collision.run(&speed, spacing, &tuning, as_volume(speed.size(), out)?, task.control)
    })?;
    Ok(output.into_array())
}

/// The number of accepted voxels whose time is not the local solution from their neighbours: 0 for a march.
#[pyfunction]
#[pyo3(signature = (arrival_time, speed, spacing, seeds, stop, *, threads=None))]
fn fixed_point_defects<'py>(
    py: Python<'py>,
    arrival_time: &Bound<'py, PyAny>,
    speed: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    seeds: Vec<Index3>,
    stop: f64,
    threads: Option<Threads>,
) -> PyResult<u64> {
    let times = InputArray::new(arrival_time, "arrival_time")?;
    let input = InputArray::new(speed, "speed")?;
    input.check_same_shape(&times, "shape of the times")?;
    let (times, voxels, spacing) = (times.voxels()?, input.voxels()?, Spacing3::new(spacing)?);
    let seeds = plant(seeds, None)?;
    let options = CallOptions { threads, ..Default::default() };
    py.enter_core(&options, move |task| {
        let speed = Speed::from_speeds(voxels);
        speed.check(task.control)?;
        let mut copy = try_filled(times.size().voxels(), 0f32)?;
        times.read_all(&mut copy);
        defects(&copy, &speed, spacing, &seeds, stop, task.control)
    })
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<ScannedSpeed>()?;
    m.add_function(wrap_pyfunction!(scan_speed, m)?)?;
    m.add_function(wrap_pyfunction!(march, m)?)?;
    m.add_function(wrap_pyfunction!(colliding_fronts, m)?)?;
    m.add_function(wrap_pyfunction!(fixed_point_defects, m)?)
}
