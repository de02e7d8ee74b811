//! NumPy arrays as the core's [`Voxels`], and NumPy arrays as its outputs.
//!
//! # What is promised, and what cannot be
//!
//! An array that is read or written stays alive, keeps its size ([`FixedSize`]) and is borrowed as the numpy crate borrows:
//! two computations never write one array, and none reads what another one writes, or a `ValueError` says so. Like that
//! crate we assume that code outside (other Python threads that write to an array while it is read, C extensions that
//! write to a read-only one) is validated by its author. Such a race can give a mixed picture; reads are raw, within
//! bounds and of plain numbers, so it gives nothing worse.

use super::error::request_error;
use crate::error::Error;
use crate::grid::Size3;
use crate::pixel::dispatch_pixel;
use crate::pixel::{Pixel, PixelType};
use crate::voxels::Voxels;
use numpy::npyffi::{PY_ARRAY_API, npy_intp};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadwriteArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use std::ffi::c_int;

/// Keeps an array and those it is a view of from being resized: NumPy resizes none to which there are weak references, not
/// even with `refcheck=False`.
pub(super) struct FixedSize(#[expect(dead_code, reason = "held to exist")] Vec<Py<PyWeakrefReference>>);

impl FixedSize {
    pub(super) fn of(array: &Bound<'_, PyUntypedArray>) -> PyResult<Self> {
        let mut weak = vec![PyWeakrefReference::new(array)?.unbind()];
        let mut base = array.getattr("base")?;
        while base.is_instance_of::<PyUntypedArray>() {
            weak.push(PyWeakrefReference::new(&base)?.unbind());
            base = base.getattr("base")?;
        }
        Ok(Self(weak))
    }
}

/// Something that lasts as long as it is held: the borrow of an array of any type.
trait Held {}
impl<T> Held for T {}

fn borrow_to_read<'py>(
    array: &Bound<'py, PyUntypedArray>,
    pixel: PixelType,
    name: &str,
) -> PyResult<Box<dyn Held + 'py>> {
    let taken = || request_error(format!("{name} is written by another computation just now"));
    if let Ok(array) = array.cast::<PyArrayDyn<bool>>() {
        return Ok(Box::new(array.try_readonly().map_err(|_| taken())?));
    }
    dispatch_pixel!(pixel, T => {
        Ok(Box::new(array.cast::<PyArrayDyn<T>>()?.try_readonly().map_err(|_| taken())?))
    })
}

/// A NumPy array that is kept alive and borrowed while the core reads it.
pub(super) struct InputArray<'py> {
    array: Bound<'py, PyUntypedArray>,
    pixel: PixelType,
    _borrow: Box<dyn Held + 'py>,
    _fixed: FixedSize,
}

impl<'py> InputArray<'py> {
    /// Checks type and byte order; `name` is the argument's name in messages.
    pub(super) fn new(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        let Ok(array) = object.cast::<PyUntypedArray>() else {
            let got = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("{name} must be a numpy array, got {got}")));
        };
        let dtype = array.dtype();
        let kind = dtype.getattr("name")?.extract::<String>()?;
        let known = PixelType::from_name(if kind == "bool" { "uint8" } else { &kind });
        let native = dtype.getattr("isnative")?.is_truthy()?;
        let Some(pixel) = known.filter(|_| native) else {
            return Err(PyTypeError::new_err(format!(
                "{name} has dtype {dtype}: allowed are native uint8 to uint64, int8 to int64, float32, float64"
            )));
        };
        let (borrow, fixed) = (borrow_to_read(array, pixel, name)?, FixedSize::of(array)?);
        Ok(Self { array: array.clone(), pixel, _borrow: borrow, _fixed: fixed })
    }

    /// Shape in NumPy's order.
    pub(super) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// Size of a volume `(z, y, x)`, or of a picture `(y, x)` as one slice.
    pub(super) fn size(&self) -> PyResult<Size3> {
        match *self.shape() {
            [y, x] => Ok(Size3::new([x, y, 1])?),
            [z, y, x] => Ok(Size3::new([x, y, z])?),
            ref other => Err(request_error(format!(
                "expected an array of shape (z, y, x) or (y, x), got {} dimensions",
                other.len()
            ))),
        }
    }

    /// The array as a scalar volume.
    pub(super) fn voxels(&self) -> PyResult<Voxels<'_>> {
        let size = self.size()?;
        let s = self.array.strides();
        let slice = if s.len() == 3 { s[0] } else { 0 };
        let strides = [s[s.len() - 1], s[s.len() - 2], slice];
        // SAFETY: the object is a NumPy array, checked when it was cast.
        let data = unsafe { (*self.array.as_array_ptr()).data.cast_const().cast() };
        // SAFETY: NumPy keeps every element of the array readable while the array lives and has its size, and `self` holds
        // it and keeps it from being resized.
        Ok(unsafe { Voxels::from_raw(data, self.pixel, size, strides) })
    }

    /// Checks that another array has the same shape.
    pub(super) fn check_same_shape(&self, other: &Self, what: &'static str) -> PyResult<()> {
        if self.shape() == other.shape() {
            return Ok(());
        }
        let (got, expected) = (format!("{:?}", other.shape()), format!("{:?}", self.shape()));
        Err(Error::Mismatch { what, got, expected }.into())
    }
}

/// A NumPy array for a result, fresh or the caller's `out=`, borrowed to be written.
pub(super) struct OutputArray<'py, T: Element> {
    array: PyReadwriteArrayDyn<'py, T>,
    _fixed: FixedSize,
}

impl<'py, T: Element + Pixel> OutputArray<'py, T> {
    /// A fresh array of zeros; pages are touched only where the core writes.
    ///
    /// # Errors
    /// `MemoryError` with the number of bytes. (`PyArray::zeros` of the numpy crate panics where NumPy has no memory.)
    pub(super) fn zeros(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        let bytes = shape.iter().try_fold(size_of::<T>() as u128, |bytes, &n| bytes.checked_mul(n as u128));
        let refused = || PyErr::from(Error::OutOfMemory { bytes: bytes.unwrap_or(u128::MAX) });
        if bytes.is_none_or(|bytes| bytes > isize::MAX as u128) {
            return Err(refused());
        }
        let mut shape: Vec<npy_intp> = shape.iter().map(|&n| n as npy_intp).collect();
        let dtype = numpy::dtype::<T>(py).into_ptr().cast();
        // SAFETY: `shape` has as many entries as are announced; NumPy takes the reference to the type.
        let array = unsafe {
            let array = PY_ARRAY_API.PyArray_Zeros(py, shape.len() as c_int, shape.as_mut_ptr(), dtype, 0);
            Bound::from_owned_ptr_or_err(py, array)
        };
        match array {
            Ok(array) => Self::borrow(array.cast::<PyArrayDyn<T>>()?),
            Err(error) if error.is_instance_of::<PyMemoryError>(py) => Err(refused()),
            Err(error) => Err(error),
        }
    }

    /// The caller's array, if it has the right type and shape, is contiguous and writeable, and shares no memory
    /// with `inputs`; a fresh one where the caller gave none.
    pub(super) fn or_zeros(
        out: Option<&Bound<'py, PyAny>>,
        py: Python<'py>,
        shape: &[usize],
        inputs: &[&InputArray<'py>],
    ) -> PyResult<Self> {
        let Some(out) = out else { return Self::zeros(py, shape) };
        let Ok(array) = out.cast::<PyArrayDyn<T>>() else {
            return Err(PyTypeError::new_err(format!("out must be a numpy array of {}", T::NAME)));
        };
        if array.shape() != shape {
            return Err(request_error(format!("out has shape {:?}, expected {shape:?}", array.shape())));
        }
        let flags = array.getattr("flags")?;
        for flag in ["c_contiguous", "writeable", "aligned"] {
            if !flags.getattr(flag)?.is_truthy()? {
                return Err(request_error(format!("out must be {flag}")));
            }
        }
        let numpy = py.import("numpy")?;
        for input in inputs {
            if numpy.call_method1("may_share_memory", (array, &input.array))?.is_truthy()? {
                return Err(request_error("out must not share memory with an input"));
            }
        }
        Self::borrow(array)
    }

    fn borrow(array: &Bound<'py, PyArrayDyn<T>>) -> PyResult<Self> {
        let taken = |_| request_error("out is used by another computation just now");
        let fixed = FixedSize::of(array.as_untyped())?;
        Ok(Self { array: array.try_readwrite().map_err(taken)?, _fixed: fixed })
    }

    /// The elements, for the core to write.
    pub(super) fn as_mut_slice(&mut self) -> PyResult<&mut [T]> {
        Ok(self.array.as_slice_mut()?)
    }

    /// The finished array.
    pub(super) fn into_array(self) -> Bound<'py, PyArrayDyn<T>> {
        Bound::clone(&self.array)
    }
}
