//! Bindings of [`crate::eikonal`].

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore, Keywords, Task, Threads};
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
use crate::pixel::Pixel;
use crate::voxels::Voxels;
use crate::workers::MAX_THREADS;
use ndarray::ArrayViewMut3;
use numpy::{Element, PyArray1, PyArray2, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

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

/// Whether the keyword `name` is the second of two allowed values; the first is the default.
fn is_second(given: &Keywords<'_>, name: &str, [first, second]: [&str; 2]) -> PyResult<bool> {
    match given.take::<String>(name)?.as_deref().unwrap_or(first) {
        other if other == first => Ok(false),
        other if other == second => Ok(true),
        other => Err(request_error(format!("{name} is {other:?}: allowed are {first:?} and {second:?}"))),
    }
}

/// The elements of an array `(z, y, x)`.
fn as_volume<T>(size: Size3, elements: &mut [T]) -> Result<ArrayViewMut3<'_, T>> {
    let [x, y, z] = size.array();
    ArrayViewMut3::from_shape((z, y, x), elements).map_err(|e| Error::Internal(e.to_string()))
}

/// What all fronts take from Python: what they go through, and how they are computed.
struct Setup<'py> {
    input: InputArray<'py>,
    spacing: Spacing3,
    map: Option<MapSource>,
    /// Whether all speeds are checked before, or only those that the front comes near, while it marches.
    check: bool,
    /// The plain march, for those who want to check the fast one.
    heap: bool,
    tuning: Tuning,
    out: Option<Bound<'py, PyAny>>,
    call: CallOptions<'py>,
}

impl<'py> Setup<'py> {
    /// From the keywords that nobody else has taken; `instructions` and `shuffle` exist for tests.
    fn new(speed: &Bound<'py, PyAny>, spacing: [f64; 3], given: Keywords<'py>) -> PyResult<Self> {
        let input = InputArray::new(speed, "speed")?;
        let heap = is_second(&given, "solver", ["tiles", "heap"])?;
        let check = is_second(&given, "check", ["front", "all"])? || heap;
        let instructions = instructions_named(given.take::<String>("instructions")?.as_deref())?;
        let (shuffle, memory_limit) = (given.take("shuffle")?, given.take("memory_limit")?);
        let tuning = Tuning { instructions, shuffle, memory_limit, width: None };
        let map = given.take::<MapArgument<'py>>("speed_map")?.map(MapSource::from);
        let out = given.take("out")?;
        let mut call = given.rest()?;
        call.threads = worth(input.voxels()?.size(), call.threads.map(|t| t.0), shuffle).map(Threads);
        Ok(Self { input, spacing: Spacing3::new(spacing)?, map, check, heap, tuning, out, call })
    }

    fn speeds(&self) -> PyResult<Speeds<'_>> {
        Ok(Speeds { voxels: self.input.voxels()?, map: self.map, check: self.check })
    }

    /// The array that the caller gave for the result, or a fresh one.
    fn output<T: Element + Pixel>(&self, py: Python<'py>) -> PyResult<OutputArray<'py, T>> {
        OutputArray::or_zeros(self.out.as_ref(), py, self.input.shape(), &[&self.input])
    }
}

/// Where the speeds of a front come from.
struct Speeds<'a> {
    voxels: Voxels<'a>,
    map: Option<MapSource>,
    check: bool,
}

impl<'a> Speeds<'a> {
    /// Speeds straight from the array, or through a map from intensities.
    fn read(&self, task: &Task<'_>) -> Result<Speed<'a>> {
        let map = match self.map {
            None => {
                let speed = Speed::from_speeds(self.voxels);
                if self.check {
                    speed.check(task.control)?;
                }
                return Ok(speed);
            }
            Some(MapSource::Ready(map)) => map,
            Some(MapSource::Parameters(parameters)) => speed_map(&self.voxels, parameters, task)?,
        };
        Ok(Speed::from_intensities(self.voxels, map))
    }
}

type Floats<'py> = Bound<'py, PyArrayDyn<f32>>;

/// What a march gives.
#[pyclass(frozen, get_all, module = "mitk_rs._core")]
struct MarchRecord {
    /// Times, of the shape of the speeds; of a sparse march those of the accepted voxels, in memory order.
    arrival_time: Py<PyAny>,
    /// The accepted voxels `(x, y, z)` of a sparse march, a row each.
    indices: Option<Py<PyArray2<i64>>>,
    gradient: Option<Py<PyArrayDyn<f32>>>,
    /// Time of the deciding target.
    target_value: Option<f64>,
    stop: f64,
    /// Voxels.
    accepted: u64,
    /// Solutions computed.
    evaluations: u64,
    windows: u32,
}

impl MarchRecord {
    fn new(arrival_time: Bound<'_, PyAny>, summary: &Summary) -> Self {
        let Summary { target_value, stop, accepted, evaluations, windows } = *summary;
        let arrival_time = arrival_time.unbind();
        Self { arrival_time, indices: None, gradient: None, target_value, stop, accepted, evaluations, windows }
    }
}

/// A march through speeds that are yet to be read.
struct MarchCall<'py> {
    setup: Setup<'py>,
    seeds: Vec<Seed>,
    stop: StopRule,
    gradient: bool,
}

impl<'py> MarchCall<'py> {
    fn run<T: Time + Element>(self, py: Python<'py>) -> PyResult<MarchRecord> {
        let Self { setup, seeds, stop, gradient } = self;
        let mut output = setup.output::<T>(py)?;
        let vectors = || OutputArray::<f32>::zeros(py, &[setup.input.shape(), &[3]].concat());
        let mut vectors = gradient.then(vectors).transpose()?;
        let times = output.as_mut_slice()?;
        let mut slopes = vectors.as_mut().map(OutputArray::as_mut_slice).transpose()?;
        let (speeds, spacing, tuning, heap) = (setup.speeds()?, setup.spacing, setup.tuning.clone(), setup.heap);
        let summary = py.enter_core(&setup.call, move |task| {
            let speed = speeds.read(&task)?;
            let march = March { speed, spacing, seeds, stop, tuning };
            let summary = if heap {
                by_heap(&march, times, &task)?
            } else {
                march.run(as_volume(speed.size(), times)?, task.control)?
            };
            if let Some(slopes) = &mut slopes {
                gradient_of(times, speed.size(), spacing, summary.stop, slopes, task.control)?;
            }
            Ok(summary)
        })?;
        let gradient = vectors.map(|vectors| vectors.into_array().unbind());
        Ok(MarchRecord { gradient, ..MarchRecord::new(output.into_array().into_any(), &summary) })
    }

    fn run_sparse<T: Time + Element>(self, py: Python<'py>) -> PyResult<MarchRecord> {
        let Self { setup, seeds, stop, gradient } = self;
        if gradient || setup.heap || setup.out.is_some() {
            return Err(request_error("a sparse result goes without gradient, out and the heap"));
        }
        let (speeds, spacing, tuning) = (setup.speeds()?, setup.spacing, setup.tuning.clone());
        let (found, summary) = py.enter_core(&setup.call, move |task| {
            March { speed: speeds.read(&task)?, spacing, seeds, stop, tuning }.run_sparse::<T>(task.control)
        })?;
        let n = found.indices.len();
        let indices = PyArray1::from_vec(py, found.indices.into_flattened()).reshape([n, 3])?;
        let times = PyArray1::from_vec(py, found.times).into_any();
        Ok(MarchRecord { indices: Some(indices.unbind()), ..MarchRecord::new(times, &summary) })
    }
}

/// The march over a heap.
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
#[pyo3(signature = (speed, spacing, seeds, **options))]
fn march<'py>(
    py: Python<'py>,
    speed: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    seeds: Vec<Index3>,
    options: Option<Bound<'py, PyDict>>,
) -> PyResult<MarchRecord> {
    let given = Keywords::new(py, options);
    let mode = given.take::<Mode>("target_mode")?.map_or(Ok(TargetMode::None), |mode| mode.resolve())?;
    let targets = given.take("targets")?.unwrap_or_default();
    let offset = given.take("target_offset")?.unwrap_or_default();
    let stop = StopRule { mode, targets, offset, limit: given.take("stopping_time")? };
    let seeds = plant(seeds, given.take("seed_times")?)?;
    let gradient = given.take("gradient")?.unwrap_or_default();
    let sparse = given.take("sparse")?.unwrap_or_default();
    let double = is_second(&given, "precision", ["float32", "float64"])?;
    let call = MarchCall { setup: Setup::new(speed, spacing, given)?, seeds, stop, gradient };
    match (double, sparse) {
        (false, false) => call.run::<f32>(py),
        (false, true) => call.run_sparse::<f32>(py),
        (true, false) => call.run::<f64>(py),
        (true, true) => call.run_sparse::<f64>(py),
    }
}

#[pyfunction]
#[pyo3(signature = (speed, spacing, seeds1, seeds2, **options))]
fn colliding_fronts<'py>(
    py: Python<'py>,
    speed: &Bound<'py, PyAny>,
    spacing: [f64; 3],
    seeds1: Vec<Index3>,
    seeds2: Vec<Index3>,
    options: Option<Bound<'py, PyDict>>,
) -> PyResult<Floats<'py>> {
    let given = Keywords::new(py, options);
    let collision = Collision {
        seeds1: plant(seeds1, None)?,
        seeds2: plant(seeds2, None)?,
        stop_on_targets: given.take("stop_on_targets")?.unwrap_or(true),
        apply_connectivity: given.take("apply_connectivity")?.unwrap_or(true),
        negative_epsilon: given.take("negative_epsilon")?.unwrap_or(-1e-6),
    };
    let setup = Setup::new(speed, spacing, given)?;
    let mut output = setup.output::<f32>(py)?;
    let out = output.as_mut_slice()?;
    let (speeds, spacing, tuning) = (setup.speeds()?, setup.spacing, setup.tuning.clone());
    let (heap, reused) = (setup.heap, setup.out.is_some());
    py.enter_core(&setup.call, move |task| {
        let speed = speeds.read(&task)?;
        if heap {
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
    m.add_class::<MarchRecord>()?;
    m.add_function(wrap_pyfunction!(scan_speed, m)?)?;
    m.add_function(wrap_pyfunction!(march, m)?)?;
    m.add_function(wrap_pyfunction!(colliding_fronts, m)?)?;
    m.add_function(wrap_pyfunction!(fixed_point_defects, m)?)
}
