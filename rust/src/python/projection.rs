//! Bindings of [`crate::projection`]: along an axis.

use super::arrays::{InputArray, OutputArray};
use super::call::{CallOptions, EnterCore};
use crate::error::{Error, Result};
use crate::pixel::Pixel;
use crate::pixel::dispatch_pixel;
use crate::projection::{self, Axis, Extremum, Number, Slab};
use crate::task::TaskControl;
use crate::voxels::Voxels;
use numpy::Element;
use pyo3::prelude::*;

/// A projection of which the output's type is still open.
struct ProjectionCall<'py, 'a> {
    py: Python<'py>,
    voxels: Voxels<'a>,
    slab: Slab,
    options: CallOptions<'py>,
}

impl<'py> ProjectionCall<'py, '_> {
    /// Computes into a fresh array of the slab's output size.
    fn fold<A: Element + Pixel>(
        &self,
        project: impl FnOnce(&Voxels<'_>, &Slab, &mut [A], &TaskControl) -> Result<()> + Send,
    ) -> PyResult<Py<PyAny>> {
        let mut output = OutputArray::<A>::zeros(self.py, &self.slab.output_size(&self.voxels))?;
        let out = output.as_mut_slice()?;
        let (voxels, slab) = (&self.voxels, &self.slab);
        self.py.enter_core(&self.options, move |task| project(voxels, slab, out, task.control))?;
        Ok(output.into_array().into_any().unbind())
    }

    fn of_kind<T: Number + Element>(&self, kind: &str) -> PyResult<Py<PyAny>>
    where
        T::Sum: Element,
    {
        if let Ok(which) = extremum_of(kind) {
            return self.fold::<T>(|v, slab, out, c| projection::extremum(v, slab, which, out, c));
        }
        match kind {
            "sum" => self.fold::<T::Sum>(projection::sum::<T>),
            "mean" => self.fold::<f64>(projection::mean::<T>),
            "std" => self.fold::<f64>(projection::std::<T>),
            "argmax" => self.fold(|v, s, o, c| projection::arg_extremum::<T>(v, s, Extremum::Max, o, c)),
            "argmin" => self.fold(|v, s, o, c| projection::arg_extremum::<T>(v, s, Extremum::Min, o, c)),
            other => Err(bad_kind(other, "max, min, mean, sum, std, argmax or argmin"))?,
        }
    }
}

fn bad_kind(got: &str, allowed: &'static str) -> Error {
    Error::BadArgument { name: "kind", got: got.into(), allowed }
}

fn extremum_of(kind: &str) -> Result<Extremum> {
    match kind {
        "max" => Ok(Extremum::Max),
        "min" => Ok(Extremum::Min),
        other => Err(bad_kind(other, "max or min")),
    }
}

fn axis_of(axis: usize) -> Result<Axis> {
    let known = Axis::ALL.get(axis).copied();
    known.ok_or_else(|| Error::BadArgument { name: "axis", got: axis.to_string(), allowed: "0 (x), 1 (y) or 2 (z)" })
}

#[pyfunction]
#[pyo3(signature = (volume, axis, kind, first, end, **run))]
fn project_axis<'py>(
    py: Python<'py>,
    volume: &Bound<'py, PyAny>,
    axis: usize,
    kind: &str,
    first: usize,
    end: usize,
    run: Option<CallOptions<'py>>,
) -> PyResult<Py<PyAny>> {
    let input = InputArray::new(volume, "volume")?;
    let (slab, options) = (Slab { axis: axis_of(axis)?, range: first..end }, run.unwrap_or_default());
    let request = ProjectionCall { py, voxels: input.voxels()?, slab, options };
    dispatch_pixel!(request.voxels.pixel(), T => request.of_kind::<T>(kind))
}

#[pyfunction]
#[pyo3(signature = (volume, kind, **run))]
fn project_all_axes<'py>(
    py: Python<'py>,
    volume: &Bound<'py, PyAny>,
    kind: &str,
    run: Option<CallOptions<'py>>,
) -> PyResult<[Py<PyAny>; 3]> {
    let input = InputArray::new(volume, "volume")?;
    let (voxels, which) = (input.voxels()?, extremum_of(kind)?);
    let options = run.unwrap_or_default();
    dispatch_pixel!(voxels.pixel(), T => {
        let sizes = Axis::ALL.map(|axis| Slab::whole(&voxels, axis).output_size(&voxels));
        let [x, y, z] = sizes.map(|size| OutputArray::<T>::zeros(py, &size));
        let mut outputs = [x?, y?, z?];
        let [x, y, z] = outputs.each_mut().map(OutputArray::as_mut_slice);
        let out = [x?, y?, z?];
        py.enter_core(&options, |task| projection::extremum_all_axes(&voxels, which, out, task.control))?;
        Ok(outputs.map(|output| output.into_array().into_any().unbind()))
    })
}

#[pyfunction]
#[pyo3(signature = (volume, axis, thickness, kind, **run))]
fn slide_axis<'py>(
    py: Python<'py>,
    volume: &Bound<'py, PyAny>,
    axis: usize,
    thickness: usize,
    kind: &str,
    run: Option<CallOptions<'py>>,
) -> PyResult<Py<PyAny>> {
    let input = InputArray::new(volume, "volume")?;
    let (voxels, axis, which) = (input.voxels()?, axis_of(axis)?, extremum_of(kind)?);
    let options = run.unwrap_or_default();
    dispatch_pixel!(voxels.pixel(), T => {
        let mut output = OutputArray::<T>::zeros(py, input.shape())?;
        let out = output.as_mut_slice()?;
        py.enter_core(&options, |task| {
            projection::sliding_extremum(&voxels, axis, thickness, which, out, task.control)
        })?;
        Ok(output.into_array().into_any().unbind())
    })
}

pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(project_axis, m)?)?;
    m.add_function(wrap_pyfunction!(project_all_axes, m)?)?;
    m.add_function(wrap_pyfunction!(slide_axis, m)?)
}
