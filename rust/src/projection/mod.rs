//! Projections of a volume: along an axis, over a sliding slab, and along rays from any direction.
//!
//! A *line* is a row of voxels parallel to the projection axis; a projection folds every line into one output
//! pixel. Output pixels keep the order of the remaining axes, as NumPy's reductions do: along x the output is
//! `(z, y)`, along y it is `(z, x)`, along z it is `(y, x)`, the last index fastest.
//!
//! NaN rule (that of `itk::MaximumProjectionImageFilter`): a NaN never wins an extremum, a line of nothing but
//! NaN gives the lowest finite number for a maximum and the highest for a minimum, and index 0. Sums, means and
//! deviations let NaN through, as NumPy's do.
//!
//! The fold of one line is done by one thread in an order that depends only on the memory layout, so the bytes
//! are the same for any number of threads.

mod along;
mod number;
mod rays;

pub use along::{Axis, Slab, arg_extremum, extremum, extremum_all_axes, mean, sliding_extremum, std, sum};
pub use number::Number;
pub use rays::{Beam, Bricks, Camera, NOTHING, NOWHERE, Shot, render, render_plain};

/// Which end of the range an extremum looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extremum {
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
}
