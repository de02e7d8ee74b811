//! `ImageStore`, the base class of `mitk_rs.Image`: voxels, views and accessors.
//!
//! Names start with an underscore, because the class is subclassed by the public one and documented there.

use super::arrays::FixedSize;
use super::call::EnterCore;
use super::error::{ours, request_error};
use super::lock_wait::{Asking, acquire};
use super::views::{ArrayLock, ViewOwner, new_array, new_locked_array};
use crate::error::{Error, Result};
use crate::image::access::{Access, Lease};
use crate::image::buffer::{Buffer, Owner, Rights, Sharing};
use crate::image::{Image, Layout, Pixels, View};
use crate::pixel::PixelType;
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::ffi::c_int;
use std::ptr::NonNull;

/// A time step argument: `None`, or an int that is not negative.
struct Step(Option<usize>);

impl<'a, 'py> FromPyObject<'a, 'py> for Step {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Step(None));
        }
        object.extract::<usize>().map(|step| Step(Some(step))).map_err(|_| {
            let got = object.repr().map_or_else(|_| "an object".into(), |text| text.to_string());
            PyTypeError::new_err(format!("time_step must be an int >= 0 or None, got {got}"))
        })
    }
}

/// Voxels behind read and write accessors. Subclassed by `mitk_rs.Image`.
#[pyclass(frozen, subclass, weakref, module = "mitk_rs._core")]
pub(super) struct ImageStore {
    image: Image,
}

impl ImageStore {
    fn layout(&self) -> PyResult<Layout> {
        Ok(self.image.layout().ok_or(Error::Empty)?)
    }

    fn adopt(
        &self,
        array: &Bound<'_, PyUntypedArray>,
        axes: &[usize],
        components: usize,
        sharing: Sharing,
    ) -> PyResult<()> {
        let layout = array_layout(array, axes, components)?;
        let pixels = Pixels::of(layout, adopted(array, sharing)?)?;
        Ok(self.image.put(pixels)?)
    }

    /// The lease, after a check of the time step: the view checks again, as the image may change while we wait.
    fn lease(&self, py: Python<'_>, asking: Asking) -> PyResult<Lease> {
        self.layout()?.byte_range(asking.step)?;
        acquire(py, self.image.ledger(), asking)
    }

    /// A view that may write, after copying voxels that are shared with another image.
    fn writable(&self, py: Python<'_>, step: Option<usize>, mut lease: Option<Lease>) -> PyResult<View> {
        loop {
            if let Some(view) = self.image.write_view(step, &mut lease)? {
                return Ok(view);
            }
            py.enter_waiting(|| self.image.make_private())?;
        }
    }
}

#[pymethods]
impl ImageStore {
    /// Any arguments: they are for the subclass.
    #[new]
    #[pyo3(signature = (*_args, **_options))]
    fn new(_args: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self { image: Image::default() }
    }

    /// Replaces the voxels by zeros.
    fn _initialize(&self, py: Python<'_>, pixel: &str, axes: Vec<usize>, components: usize) -> PyResult<()> {
        let layout = Layout::new(pixel_type(pixel)?, &axes, components)?;
        // Asked first, so that a refused request costs no memory.
        self.image.check_replaceable()?;
        py.enter_waiting(|| self.image.put(Pixels::zeroed(layout)?))
    }

    /// Replaces the voxels by those of a contiguous array, which is kept alive and not copied.
    fn _adopt(&self, array: &Bound<'_, PyUntypedArray>, axes: Vec<usize>, components: usize) -> PyResult<()> {
        self.adopt(array, &axes, components, Sharing::Known)
    }

    /// The same of an array that nobody else will ever write to.
    fn _adopt_private(&self, array: &Bound<'_, PyUntypedArray>, axes: Vec<usize>, components: usize) -> PyResult<()> {
        self.adopt(array, &axes, components, Sharing::Private)
    }

    /// Replaces the voxels by a copy of those of a contiguous array.
    fn _copy(&self, array: &Bound<'_, PyUntypedArray>, axes: Vec<usize>, components: usize) -> PyResult<()> {
        let layout = array_layout(array, &axes, components)?;
        let (start, bytes) = contiguous_bytes(array)?;
        self.image.check_replaceable()?;
        let source = Source(start);
        array.py().enter_waiting(|| {
            let Source(start) = source.whole();
            // SAFETY: the array is borrowed until this returns.
            self.image.put(Pixels::of(layout, unsafe { Buffer::copy_of(start, bytes)? })?)
        })
    }

    /// Replaces the voxels by those of `other`, shared until one of the two is written.
    fn _share_from(&self, py: Python<'_>, other: &Bound<'_, ImageStore>) -> PyResult<()> {
        let source = &other.get().image;
        py.enter_waiting(|| self.image.put(source.share()?))
    }

    /// Replaces the voxels by a copy of those of `other`.
    fn _copy_from(&self, py: Python<'_>, other: &Bound<'_, ImageStore>) -> PyResult<()> {
        let source = &other.get().image;
        py.enter_waiting(|| self.image.put(source.duplicate()?))
    }

    /// Forbids writing for good.
    fn _freeze(&self) {
        self.image.freeze();
    }

    /// Whether writing is forbidden.
    fn _is_frozen(&self) -> bool {
        self.image.is_frozen()
    }

    /// Pixel type, sizes `(x, y, z, t)` of the axes, and number of components; `None` for an empty image.
    fn _layout(&self) -> Option<(&'static str, Vec<usize>, usize)> {
        let layout = self.image.layout()?;
        Some((layout.pixel().name(), layout.axes().to_vec(), layout.components()))
    }

    /// Sizes in the order of an array.
    fn _shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.layout()?.shape(None))
    }

    /// An unlocked, read-only array of one time step or of all.
    fn _read_view<'py>(&self, py: Python<'py>, time_step: Step) -> PyResult<Bound<'py, PyAny>> {
        new_array(py, self.image.read_view(time_step.0, None)?)
    }

    /// An unlocked, writeable array of one time step or of all.
    fn _write_view<'py>(&self, py: Python<'py>, time_step: Step) -> PyResult<Bound<'py, PyAny>> {
        new_array(py, self.writable(py, time_step.0, None)?)
    }

    /// An array that holds a lease, of one who writes if it is writeable, until it and every view of it are gone, and
    /// the lock that can end the lease before.
    ///
    /// `patience` is the number of seconds to wait, `None` for as long as it takes; `place` says where in the
    /// source the lease was asked for, as file, line and name of the thread.
    fn _leased_view<'py>(
        &self,
        py: Python<'py>,
        time_step: Step,
        writeable: bool,
        patience: Option<f64>,
        place: (String, u32, String),
    ) -> PyResult<(Bound<'py, PyAny>, ArrayLock)> {
        let (step, access) = (time_step.0, if writeable { Access::Write } else { Access::Read });
        if writeable {
            self.image.check_not_frozen()?;
        }
        let lease = Some(self.lease(py, Asking { access, step, patience, place })?);
        let view = if writeable { self.writable(py, step, lease)? } else { self.image.read_view(step, lease)? };
        new_locked_array(py, view)
    }

    /// A number that stays the same only as long as the voxels do; `None` while they may change unnoticed.
    fn _stamp(&self) -> Option<u64> {
        self.image.stamp()
    }

    /// Number of leases held.
    fn _leases(&self) -> usize {
        self.image.ledger().held()
    }

    /// Shows the collector of reference cycles the array whose memory the image took over, which may refer to the image.
    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let visited = self.image.visit_sole_owner(|owner| match owner.downcast_ref::<ArrayOwner>() {
            Some(owner) => visit.call(&owner.object),
            None => Ok(()),
        });
        visited.unwrap_or(Ok(()))
    }

    fn __clear__(&self) {
        self.image.clear();
    }

    /// The buffer of the read-only array of all voxels, so that `memoryview` and `__array__` cannot disagree.
    ///
    /// # Safety
    /// Called by the interpreter with a valid `view`.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let array = new_array(slf.py(), slf.get().image.read_view(None, None)?)?;
        // SAFETY: the request is handed on to the array, which becomes `view.obj` and is asked to release it.
        match unsafe { ffi::PyObject_GetBuffer(array.as_ptr(), view, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

fn pixel_type(name: &str) -> Result<PixelType> {
    let name = if name == "bool" { "uint8" } else { name };
    PixelType::from_name(name).ok_or_else(|| Error::BadArgument {
        name: "pixel type",
        got: name.into(),
        allowed: "uint8 to uint64, int8 to int64, float32 or float64",
    })
}

/// What keeps the memory of a NumPy array alive, and where it is.
struct ArrayOwner {
    object: Py<PyAny>,
    _fixed: FixedSize,
}

impl Owner for ArrayOwner {}

fn array_layout(array: &Bound<'_, PyUntypedArray>, axes: &[usize], components: usize) -> PyResult<Layout> {
    let name = array.dtype().getattr("name")?.extract::<String>()?;
    Ok(Layout::new(pixel_type(&name)?, axes, components)?)
}

/// Where the elements of a C-contiguous array lie, and how many bytes they are.
fn contiguous_bytes(array: &Bound<'_, PyUntypedArray>) -> PyResult<(NonNull<u8>, usize)> {
    let flags = array.getattr("flags")?;
    if !flags.getattr("c_contiguous")?.is_truthy()? || !flags.getattr("aligned")?.is_truthy()? {
        return Err(request_error("the array must be C-contiguous and aligned"));
    }
    // SAFETY: the object is a NumPy array.
    let data = unsafe { (*array.as_array_ptr()).data };
    let start = NonNull::new(data.cast::<u8>()).ok_or_else(|| ours("InternalError", "an array without data".into()))?;
    Ok((start, array.len() * array.dtype().itemsize()))
}

/// The object that an array has its memory from: itself, or what it is a view of in the end.
///
/// Arrays in between are left out, because the collector of reference cycles does not see what an array is a view of.
fn memory_of<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyAny>> {
    let base = array.getattr("base")?;
    if base.is_none() || array.getattr("flags")?.getattr("owndata")?.is_truthy()? {
        return Ok(array.clone().into_any());
    }
    match base.cast_into::<PyUntypedArray>() {
        Ok(base) => memory_of(&base),
        Err(other) => Ok(other.into_inner()),
    }
}

fn adopted(array: &Bound<'_, PyUntypedArray>, sharing: Sharing) -> PyResult<std::sync::Arc<Buffer>> {
    let (start, bytes) = contiguous_bytes(array)?;
    let rights = Rights { writable: array.getattr("flags")?.getattr("writeable")?.is_truthy()?, sharing };
    let owner = Box::new(ArrayOwner { object: memory_of(array)?.unbind(), _fixed: FixedSize::of(array)? });
    // SAFETY: the array is contiguous, so its elements are `bytes` bytes from `start`, writable where its flag says
    // so; `owner` keeps it alive and its memory where it is (but for `__setstate__` and the setter of `data`, after which
    // NumPy's own views dangle, too).
    Ok(unsafe { Buffer::foreign(start, bytes, rights, owner) })
}

/// An address on its way into detached code.
#[derive(Clone, Copy)]
struct Source(NonNull<u8>);

// SAFETY: an address only; who reads there answers for it.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

impl Source {
    /// Itself: so that a closure captures the whole and not the bare pointer.
    fn whole(self) -> Self {
        self
    }
}

/// Adds the classes to the module.
pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<ViewOwner>()?;
    m.add_class::<ArrayLock>()?;
    m.add_class::<ImageStore>()
}
