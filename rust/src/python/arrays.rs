//! NumPy arrays as the core's [`Voxels`], and NumPy arrays as its outputs.

use crate::error::Error;
use crate::grid::Size3;
use crate::pixel::{Pixel, PixelType};
use crate::voxels::Voxels;
use numpy::npyffi::{PY_ARRAY_API, npy_intp};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
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

/// A NumPy array that is kept alive while the core reads it.
pub(super) struct InputArray<'py> {
    array: Bound<'py, PyUntypedArray>,
    pixel: PixelType,
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
        match known.filter(|_| native) {
            Some(pixel) => Ok(Self { array: array.clone(), pixel, _fixed: FixedSize::of(array)? }),
            None => Err(PyTypeError::new_err(format!(
                "{name} has dtype {dtype}: allowed are native uint8 to uint64, int8 to int64, float32, float64"
            ))),
        }
    }

    /// Shape in NumPy's order.
    pub(super) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// Byte strides in NumPy's order.
    pub(super) fn strides(&self) -> &[isize] {
        self.array.strides()
    }

    /// Address of the first element.
    pub(super) fn data(&self) -> *const u8 {
        // SAFETY: the object is a NumPy array, checked when it was cast.
        unsafe { (*self.array.as_array_ptr()).data.cast_const().cast() }
    }

    /// Size of a volume `(z, y, x)`, or of a picture `(y, x)` as one slice.
    pub(super) fn size(&self) -> PyResult<Size3> {
        match *self.shape() {
            [y, x] => Ok(Size3::new([x, y, 1])?),
            [z, y, x] => Ok(Size3::new([x, y, z])?),
            ref other => Err(PyValueError::new_err(format!(
                "expected an array of shape (z, y, x) or (y, x), got {} dimensions",
                other.len()
            ))),
        }
    }

    /// The array as a scalar volume.
    pub(super) fn voxels(&self) -> PyResult<Voxels<'_>> {
        let size = self.size()?;
        let s = self.strides();
        let slice = if s.len() == 3 { s[0] } else { 0 };
        let strides = [s[s.len() - 1], s[s.len() - 2], slice];
        // SAFETY: NumPy keeps every element of the array readable while the array lives, and `self` holds it.
        Ok(unsafe { Voxels::from_raw(self.data(), self.pixel, size, strides) })
    }
}

/// A NumPy array for a result: fresh, or the caller's `out=`.
pub(super) struct OutputArray<'py, T: Element> {
    array: Bound<'py, PyArrayDyn<T>>,
    _fixed: Option<FixedSize>,
}

impl<'py, T: Element + Pixel> OutputArray<'py, T> {
    /// A fresh array of zeros; pages are touched only where the core writes.
    ///
    /// # Errors
    /// `MemoryError` with the number of bytes. (`PyArray::zeros` of the numpy crate panics where NumPy has no memory.)
    pub(super) fn zeros(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        let bytes = shape.iter().try_fold(size_of::<T>() as u128, |bytes, &n| bytes.checked_mul(n as u128));
        let refused = || Error::OutOfMemory { bytes: bytes.unwrap_or(u128::MAX) };
        if bytes.is_none_or(|bytes| bytes > isize::MAX as u128) {
            return Err(refused().into());
        }
        let mut shape: Vec<npy_intp> = shape.iter().map(|&n| n as npy_intp).collect();
        let dtype = numpy::dtype::<T>(py).into_ptr().cast();
        // SAFETY: `shape` has as many entries as are announced; NumPy takes the reference to the type.
        let array = unsafe {
            let array = PY_ARRAY_API.PyArray_Zeros(py, shape.len() as c_int, shape.as_mut_ptr(), dtype, 0);
            Bound::from_owned_ptr_or_err(py, array)
        };
        let array =
            array.map_err(|error| if error.is_instance_of::<PyMemoryError>(py) { refused().into() } else { error })?;
        Ok(Self { array: array.cast_into().map_err(PyErr::from)?, _fixed: None })
    }

    /// A fresh array of one axis with the values of a slice.
    ///
    /// # Errors
    /// As [`OutputArray::zeros`].
    pub(super) fn copy_of(py: Python<'py>, values: &[T]) -> PyResult<Self> {
        let output = Self::zeros(py, &[values.len()])?;
        // SAFETY: the array is fresh; nobody else has seen it.
        unsafe { output.as_mut_slice() }.copy_from_slice(values);
        Ok(output)
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
            return Err(PyValueError::new_err(format!("out has shape {:?}, expected {shape:?}", array.shape())));
        }
        let flags = array.getattr("flags")?;
        for flag in ["c_contiguous", "writeable", "aligned"] {
            if !flags.getattr(flag)?.is_truthy()? {
                return Err(PyValueError::new_err(format!("out must be {flag}")));
            }
        }
        let numpy = py.import("numpy")?;
        for input in inputs {
            if numpy.call_method1("may_share_memory", (array, &input.array))?.is_truthy()? {
                return Err(PyValueError::new_err("out must not share memory with an input"));
            }
        }
        Ok(Self { array: array.clone(), _fixed: Some(FixedSize::of(array.as_untyped())?) })
    }

    /// The elements, for the core to write.
    ///
    /// # Safety
    /// Nobody else may use the array while the slice lives: it is fresh, or the caller handed it over as `out=`
    /// and was told not to touch it. Both constructors see to it that it is contiguous and aligned.
    pub(super) unsafe fn as_mut_slice(&self) -> &'py mut [T] {
        // SAFETY: contiguous, aligned and exclusively ours by the contract above; alive because `self` holds it.
        unsafe { std::slice::from_raw_parts_mut(self.array.data(), self.array.len()) }
    }

    /// The finished array.
    pub(super) fn into_array(self) -> Bound<'py, PyArrayDyn<T>> {
        self.array
    }
}
