//! NumPy arrays over the memory of a view, which their base object owns.

use super::error::request_error;
use crate::image::View;
use crate::pixel::PixelType;
use crate::pixel::dispatch_pixel;
use numpy::PyArrayDescr;
use numpy::npyffi::{self, NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, PY_ARRAY_API, npy_intp};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// Base of every array that an image hands out: the voxels, and the lease if there is one.
///
/// Without a buffer interface of its own on purpose: it is what keeps NumPy from making a read-only array writeable.
#[pyclass(frozen, module = "mitk_rs._core")]
pub(super) struct ViewOwner {
    view: View,
}

/// The lock of an array that an accessor gave out, to be ended before the array is gone.
///
/// The array given out is a view of an inner one, which NumPy makes the base of every slice of it. So who refers to the
/// inner array are slices, whatever became of the name that the array itself was given, and no name is mistaken for one.
#[pyclass(frozen, module = "mitk_rs._core")]
pub(super) struct ArrayLock {
    given: Py<PyWeakrefReference>,
    /// Inner array and its base, until the lock is closed.
    held: Mutex<Option<(Py<PyAny>, Py<ViewOwner>)>>,
}

#[pymethods]
impl ArrayLock {
    /// Ends the lock and makes the array read-only, unless slices of it, or more than one reference to it, exist:
    /// then they keep the lock. Returns whether the lock has ended.
    fn close(&self, py: Python<'_>) -> PyResult<bool> {
        let Some((inner, owner)) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(true);
        };
        let (inner, given) = (inner.into_bound(py), self.given.bind(py).upgrade());
        // Ours, and the one of the array given out.
        let sliced = references(&inner) > 1 + usize::from(given.is_some());
        // Ours, and the name it was given.
        let kept = given.as_ref().is_some_and(|given| references(given) > 2);
        if sliced || kept {
            return Ok(false);
        }
        for array in [Some(&inner), given.as_ref()].into_iter().flatten() {
            array.getattr("flags")?.setattr("writeable", false)?;
        }
        owner.get().view.release_lease();
        Ok(true)
    }

    /// Ends a read lock at once, whoever still has the array: it stays readable, but may change meanwhile.
    fn release(&self) -> PyResult<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|(_, owner)| owner.get().view.is_writable()) {
            let text = "the lock of a writeable array ends with the array, or with close()";
            return Err(request_error(text));
        }
        if let Some((_, owner)) = held.take() {
            owner.get().view.release_lease();
        }
        Ok(())
    }
}

fn references(object: &Bound<'_, PyAny>) -> usize {
    // SAFETY: the object is alive, and this thread is attached.
    unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) as usize }
}

/// The array that shows `view`, and the lock with which its lease can be ended early.
pub(super) fn new_locked_array<'py>(py: Python<'py>, view: View) -> PyResult<(Bound<'py, PyAny>, ArrayLock)> {
    let inner = new_array(py, view)?;
    let owner = inner.getattr("base")?.cast_into::<ViewOwner>()?.unbind();
    let array = inner.call_method0("view")?;
    let given = PyWeakrefReference::new(&array)?.unbind();
    Ok((array, ArrayLock { given, held: Mutex::new(Some((inner.unbind(), owner))) }))
}

fn descriptor(py: Python<'_>, pixel: PixelType) -> Bound<'_, PyArrayDescr> {
    dispatch_pixel!(pixel, T => numpy::dtype::<T>(py))
}

/// The array that shows `view`.
pub(super) fn new_array(py: Python<'_>, view: View) -> PyResult<Bound<'_, PyAny>> {
    let layout = view.layout();
    let mut shape: Vec<npy_intp> = layout.shape(view.step()).iter().map(|&n| n as npy_intp).collect();
    let writeable = if view.is_writable() { NPY_ARRAY_WRITEABLE } else { 0 };
    let flags = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED | writeable;
    let data = view.as_ptr();
    let owner = Bound::new(py, ViewOwner { view })?;
    // SAFETY: `data` is the start of as many voxels of this type as `shape` says, contiguous and aligned, and stays
    // so while `owner` lives, which the array is given as its base. NumPy takes the references to the descriptor
    // and the owner.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type),
            descriptor(py, layout.pixel()).into_ptr().cast(),
            shape.len() as i32,
            shape.as_mut_ptr(),
            ptr::null_mut(),
            data.cast(),
            flags,
            ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        if PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr()) < 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(array)
    }
}
