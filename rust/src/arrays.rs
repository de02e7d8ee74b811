//! The core for callers in Rust: views `(z, y, x)` of any strides in, arrays out.
//!
//! Each function takes its threads from the budget of the process ([`crate::workers`]), and its result does not depend on how
//! many it gets. Positions, steps and sizes are `(x, y, z)`, as everywhere in this crate; axes of arrays are `(z, y, x)`.
//!
//! ```
//! use mitk_rs::arrays::{Run, project};
//! use mitk_rs::ndarray::array;
//! use mitk_rs::projection::{Axis, Extremum};
//!
//! let volume = array![[[1i16, 5], [3, 4]], [[2, 0], [7, 6]]];
//! let along_z = project(volume.view(), Axis::Z, Extremum::Max, Run::default())?;
//! assert_eq!(along_z, array![[2, 5], [7, 6]]);
//! // A view of any strides: the volume from behind, every second column.
//! let turned = volume.slice(mitk_rs::ndarray::s![..;-1, .., ..;2]);
//! assert_eq!(project(turned, Axis::X, Extremum::Min, Run::default())?, array![[2, 7], [1, 3]]);
//! # Ok::<(), mitk_rs::Error>(())
//! ```

use crate::cpu::Level;
use crate::error::{Error, Result};
use crate::memory::try_filled;
use crate::projection::{self, Axis, Bricks, Camera, Extremum, Number, Shot, Slab};
use crate::task::TaskControl;
use crate::voxels::Voxels;
use crate::workers;
use ndarray::{Array2, Array3, ArrayView3};
use std::time::Duration;

/// How a function is run. Nothing here changes its result.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run<'c> {
    /// The most threads to use; all of the budget where `None`.
    pub threads: Option<usize>,
    /// Lets another thread cancel the work and see how far it is.
    pub control: Option<&'c TaskControl>,
}

impl Run<'_> {
    fn compute<T: Send>(self, work: impl FnOnce(&TaskControl) -> Result<T> + Send) -> Result<T> {
        let own = TaskControl::default();
        let control = self.control.unwrap_or(&own);
        // Nothing to look after while it runs.
        workers::run(self.threads, Duration::from_secs(3600), || (), || work(control))
    }
}

fn picture<T>([rows, width]: [usize; 2], pixels: Vec<T>) -> Result<Array2<T>> {
    Array2::from_shape_vec((rows, width), pixels).map_err(|error| Error::Internal(error.to_string()))
}

/// Largest or smallest voxel of every line along an axis; the axes that remain keep their order.
///
/// # Errors
/// [`Error::BadArgument`] for a volume without voxels, [`Error::OutOfMemory`], [`Error::Cancelled`].
pub fn project<T: Number>(volume: ArrayView3<'_, T>, axis: Axis, which: Extremum, run: Run<'_>) -> Result<Array2<T>> {
    let voxels = Voxels::try_from(volume)?;
    let slab = Slab::whole(&voxels, axis);
    let size = slab.output_size(&voxels);
    let mut pixels = try_filled(size[0] * size[1], T::ZERO)?;
    run.compute(|control| projection::extremum(&voxels, &slab, which, &mut pixels, control))?;
    picture(size, pixels)
}

/// The projections along x, y and z, in one pass over the volume.
///
/// ```
/// use mitk_rs::arrays::{Run, project_all};
/// use mitk_rs::ndarray::{Array3, array};
/// use mitk_rs::projection::Extremum;
///
/// let volume = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (12 * z + 4 * y + x) as f32);
/// let [x, y, z] = project_all(volume.view(), Extremum::Max, Run::default())?;
/// assert_eq!(x, array![[3., 7., 11.], [15., 19., 23.]]);
/// assert_eq!((y.dim(), z.dim()), ((2, 4), (3, 4)));
/// # Ok::<(), mitk_rs::Error>(())
/// ```
///
/// # Errors
/// As [`project`].
pub fn project_all<T: Number>(volume: ArrayView3<'_, T>, which: Extremum, run: Run<'_>) -> Result<[Array2<T>; 3]> {
    let voxels = Voxels::try_from(volume)?;
    let sizes = Axis::ALL.map(|axis| Slab::whole(&voxels, axis).output_size(&voxels));
    let [x, y, z] = sizes.map(|[rows, width]| try_filled(rows * width, T::ZERO));
    let (mut x, mut y, mut z) = (x?, y?, z?);
    run.compute(|control| projection::extremum_all_axes(&voxels, which, [&mut x, &mut y, &mut z], control))?;
    Ok([picture(sizes[0], x)?, picture(sizes[1], y)?, picture(sizes[2], z)?])
}

/// For every voxel the largest or smallest of `thickness` neighbours along an axis.
///
/// ```
/// use mitk_rs::arrays::{Run, slide};
/// use mitk_rs::ndarray::array;
/// use mitk_rs::projection::{Axis, Extremum};
///
/// let volume = array![[[3u8, 1, 4, 1, 5]]];
/// assert_eq!(slide(volume.view(), Axis::X, 3, Extremum::Max, Run::default())?, array![[[3, 4, 4, 5, 5]]]);
/// # Ok::<(), mitk_rs::Error>(())
/// ```
///
/// # Errors
/// As [`project`]; [`Error::BadArgument`] for a thickness of 0 or beyond the axis.
pub fn slide<T: Number>(
    volume: ArrayView3<'_, T>,
    axis: Axis,
    thickness: usize,
    which: Extremum,
    run: Run<'_>,
) -> Result<Array3<T>> {
    let voxels = Voxels::try_from(volume)?;
    let mut out = try_filled(voxels.size().voxels(), T::ZERO)?;
    run.compute(|control| projection::sliding_extremum(&voxels, axis, thickness, which, &mut out, control))?;
    Array3::from_shape_vec(volume.dim(), out).map_err(|error| Error::Internal(error.to_string()))
}

/// The largest sample of each ray of a camera, [`projection::NOTHING`] where there is none: the picture `(rows, columns)`.
///
/// ```
/// use mitk_rs::arrays::{Run, render};
/// use mitk_rs::ndarray::{Array3, array};
/// use mitk_rs::projection::{Beam, Camera};
///
/// let mut volume = Array3::<i16>::zeros((4, 3, 3));
/// volume[[2, 1, 1]] = 9;
/// let beam = Beam::Parallel { step: [0.0, 0.0, 0.5] };
/// let camera = Camera { size: [3, 2], corner: [0.0; 3], column: [1.0, 0.0, 0.0], row: [0.0, 1.0, 0.0], beam };
/// assert_eq!(render(volume.view(), None, &camera, Run::default())?, array![[0., 0., 0.], [0., 9., 0.]]);
/// # Ok::<(), mitk_rs::Error>(())
/// ```
///
/// # Errors
/// As [`projection::render`]; [`Error::OutOfMemory`].
pub fn render<T: Number>(
    volume: ArrayView3<'_, T>,
    bricks: Option<&Bricks>,
    camera: &Camera,
    run: Run<'_>,
) -> Result<Array2<f32>> {
    camera.check()?;
    let voxels = Voxels::try_from(volume)?;
    let size = [camera.size[1], camera.size[0]];
    let mut values = try_filled(size[0] * size[1], 0.0)?;
    let shot = Shot { values: &mut values, depths: &mut [] };
    run.compute(|control| projection::render(&voxels, bricks, camera, shot, Level::best(), control))?;
    picture(size, values)
}
