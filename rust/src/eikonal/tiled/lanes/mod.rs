//! The eight voxels of a brick in registers.
//!
//! A brick is a box of 2 x 2 x 2 voxels; lane `x + 2 y + 4 z` holds voxel (x, y, z). The kernels are written once, for
//! any [`Lanes`]: AVX2, AVX-512, NEON, and plain arrays, which a compiler turns into whatever vectors there are.
//!
//! With one blend, one minimum and one permutation per axis a brick finds the smaller neighbour of each voxel,
//! without any unaligned access ([`smaller_neighbours`]):
//!
//! ```text
//! along x      left brick | own brick | right brick        beside = lanes x=1 of the left, lanes x=0 of the right
//!                 . a     |   p   q   |    b .             min(own, beside) = lanes x=0: min(p, b), x=1: min(q, a)
//!                                                          swapped along x  = lanes x=0: min(q, a), x=1: min(p, b)
//! ```

/// Methods of the traits below, written without the words that all of them share.
macro_rules! methods {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block)*) => {$(
        #[inline(always)]
        #[allow(unused_unsafe, reason = "some methods only rename registers")]
        unsafe fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: by the promises that callers of the trait make.
            unsafe { $body }
        }
    )*};
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(crate) use aarch64::{NeonDouble, NeonSingle};
pub(crate) use plain::Plain;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2Double, Avx2Single, Avx512Double, Avx512Single};

use crate::eikonal::Time;

/// Eight numbers side by side.
///
/// # Safety
/// Implementations compute lane by lane what the methods say, with the rounding of IEEE 754; kernels take addresses
/// from what `bits` returns. For every method the caller promises that
/// * the processor has the instructions of the implementation,
/// * addresses are aligned to the size of the vector and valid for eight elements.
pub(crate) unsafe trait Vector: Copy + 'static {
    /// One number.
    type Element: Copy;
    /// One truth value a lane.
    type Mask: Copy;

    /// Reads eight elements.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Writes eight elements.
    unsafe fn store(v: Self, to: *mut Self::Element);
    /// The same number in every lane.
    unsafe fn splat(value: Self::Element) -> Self;
    /// The smaller one; `b`, which is not NaN, where `a` is NaN.
    unsafe fn min(a: Self, b: Self) -> Self;
    /// The larger one; neither is NaN.
    unsafe fn max(a: Self, b: Self) -> Self;
    /// Whether a < b.
    unsafe fn less(a: Self, b: Self) -> Self::Mask;
    /// Whether a <= b.
    unsafe fn at_most(a: Self, b: Self) -> Self::Mask;
    /// `yes` where the mask holds, elsewhere `no`.
    unsafe fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// The second mask without the first.
    unsafe fn without(a: Self::Mask, from: Self::Mask) -> Self::Mask;
    /// Bit i is lane i.
    unsafe fn bits(mask: Self::Mask) -> u8;
    /// Lanes x=0 and x=1 exchanged.
    unsafe fn swap_x(v: Self) -> Self;
    /// Lanes y=0 and y=1 exchanged.
    unsafe fn swap_y(v: Self) -> Self;
    /// Lanes z=0 and z=1 exchanged.
    unsafe fn swap_z(v: Self) -> Self;
    /// Lanes x=0 of `even`, lanes x=1 of `odd`.
    unsafe fn blend_x(even: Self, odd: Self) -> Self;
    /// Lanes y=0 of `even`, lanes y=1 of `odd`.
    unsafe fn blend_y(even: Self, odd: Self) -> Self;
    /// Lanes z=0 of `even`, lanes z=1 of `odd`.
    unsafe fn blend_z(even: Self, odd: Self) -> Self;
}

/// Eight `f64`, in which all arithmetic is done.
///
/// # Safety
/// As for [`Vector`].
pub(crate) unsafe trait Wide: Vector<Element = f64> {
    /// a + b.
    unsafe fn add(a: Self, b: Self) -> Self;
    /// a - b.
    unsafe fn sub(a: Self, b: Self) -> Self;
    /// a * b.
    unsafe fn mul(a: Self, b: Self) -> Self;
    /// a / b.
    unsafe fn div(a: Self, b: Self) -> Self;
    /// Square root; NaN below zero.
    unsafe fn sqrt(v: Self) -> Self;
    /// c + a * b, rounded once or twice, as is faster.
    unsafe fn mul_add_loosely(a: Self, b: Self, c: Self) -> Self;
    /// c - a * b, rounded once or twice, as is faster.
    unsafe fn mul_sub_loosely(a: Self, b: Self, c: Self) -> Self;
    /// `no` where `sign` is below zero, `yes` where it is zero or above; either where it is NaN.
    unsafe fn unless_negative(sign: Self, yes: Self, no: Self) -> Self;
    /// Bit i is set if lane i, a number above zero, lies within `reach` (a power of two, at most 2^28) units in its last
    /// place of the middle between two neighbouring `f32`.
    unsafe fn near_tie(v: Self, reach: i64) -> u8;
}

/// A way to compute with bricks: times in storage precision, arithmetic in `f64`.
///
/// # Safety
/// As for [`Vector`].
pub(crate) unsafe trait Lanes: Copy + 'static {
    /// Storage precision of times and speeds.
    type Time: Time;
    /// Eight times or speeds.
    type Times: Vector<Element = Self::Time>;
    /// Eight `f64`.
    type Wide: Wide;
    /// Bricks solved side by side, to keep the pipeline of the processor full.
    const TOGETHER: usize;

    /// In double precision.
    unsafe fn widen(times: Self::Times) -> Self::Wide;
    /// Rounded to storage precision.
    unsafe fn narrow(wide: Self::Wide) -> Self::Times;
}

/// What lies beside each voxel outside its own brick: along each axis a voxel has one neighbour inside and one outside.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(crate) unsafe fn beside<V: Vector>([west, east, south, north, below, above]: [V; 6]) -> [V; 3] {
    // SAFETY: the same promise.
    unsafe { [V::blend_x(east, west), V::blend_y(north, south), V::blend_z(above, below)] }
}

/// The smaller neighbour of each voxel along each axis.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(crate) unsafe fn smaller_neighbours<V: Vector>(own: V, beside: [V; 3]) -> [V; 3] {
    // SAFETY: the same promise.
    unsafe { [V::swap_x(V::min(own, beside[0])), V::swap_y(V::min(own, beside[1])), V::swap_z(V::min(own, beside[2]))] }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
