//! The precision in which arrival times are stored. All arithmetic is `f64`; a time is rounded once, when stored.
//!
//! `f32` gives the numbers of the `itk` wheel on float images, `f64` those of SimpleITK.

use crate::pixel::Pixel;

/// Storage type of an arrival time.
pub trait Time: Pixel + Default {
    /// "Never reached": half of the largest finite value, as in ITK.
    const FAR: Self;
    /// Whether storing rounds what `f64` arithmetic gives.
    const ROUNDED: bool;
    /// Rounded to this precision.
    fn from_f64(value: f64) -> Self;
}

impl Time for f32 {
    const FAR: f32 = f32::MAX / 2.0;
    const ROUNDED: bool = true;
    #[inline(always)]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}

impl Time for f64 {
    const FAR: f64 = f64::MAX / 2.0;
    const ROUNDED: bool = false;
    #[inline(always)]
    fn from_f64(value: f64) -> f64 {
        value
    }
}
