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

mod all_axes;
mod arg;
mod axis;
mod bricks;
mod fold;
mod gather;
#[cfg(target_arch = "x86_64")]
mod gather_x86;
mod lines;
mod number;
mod packet;
mod raycast;
mod rays;
mod sliding;

pub use all_axes::extremum_all_axes;
pub use arg::arg_extremum;
pub use axis::{extremum, mean, std, sum};
pub use bricks::Bricks;
pub use lines::{Axis, Slab};
pub use number::Number;
pub use packet::NOTHING;
pub use raycast::{NOWHERE, Shot, render, render_plain};
pub use rays::{Beam, Camera};
pub use sliding::sliding_extremum;

/// Which end of the range an extremum looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extremum {
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
}

#[cfg(test)]
mod oblique_tests;
#[cfg(test)]
mod tests;
