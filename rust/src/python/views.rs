//! NumPy arrays over the memory of a view, which their base object owns.

use crate::dispatch_pixel;
use crate::image::View;
use crate::pixel::PixelType;
use numpy::PyArrayDescr;
use numpy::npyffi::{self, NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, PY_ARRAY_API, npy_intp};
use pyo3::prelude::*;
use std::ptr;

/// Base of every array that an image hands out: the voxels, and the lease if there is one.
///
/// Without a buffer interface of its own on purpose: it is what keeps NumPy from making a read-only array writeable.
#[pyclass(frozen, module = "mitk_rs._core")]
pub(super) struct ViewOwner {
    view: View,
}

#[pymethods]
impl ViewOwner {
    /// Gives up the lease; the voxels stay readable.
    fn release(&self) {
        self.view.release();
    }
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
