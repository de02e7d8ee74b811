//! What projections need to know of a pixel type beyond [`Pixel`].

use crate::pixel::Pixel;

/// A pixel type that can be compared and summed.
pub trait Number: Pixel {
    /// Not larger than any number of the type: where a maximum starts.
    const FLOOR: Self;
    /// Not smaller than any number of the type: where a minimum starts.
    const CEILING: Self;
    /// Whether the type has NaN.
    const HAS_NAN: bool;
    /// What NumPy sums this type in: `i64`, `u64`, or `f64` for floating point.
    type Sum: Pixel + Summand;
    /// Widened for summing.
    fn widen(self) -> Self::Sum;
    /// [`LANE_BYTES`] of numbers, which fill some vector registers.
    type Lanes: Copy + AsRef<[Self]> + AsMut<[Self]>;
    /// The same number in all lanes.
    fn lanes(value: Self) -> Self::Lanes;
}

/// Bytes of neighbouring voxels that kernels take together: two registers of AVX2, or a line of the cache.
pub(super) const LANE_BYTES: usize = 64;

/// Addition as NumPy does it: integers wrap.
pub trait Summand: Copy {
    /// Neutral element.
    const ZERO: Self;
    /// Sum of two.
    fn plus(self, other: Self) -> Self;
}

macro_rules! summand {
    ($($t:ty, $zero:expr, |$a:ident, $b:ident| $plus:expr;)*) => {$(
        impl Summand for $t {
            const ZERO: Self = $zero;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                $plus
            }
        }
    )*};
}

summand! {
    i64, 0, |a, b| a.wrapping_add(b);
    u64, 0, |a, b| a.wrapping_add(b);
    f64, 0.0, |a, b| a + b;
}

macro_rules! number {
    ($($t:ty, $sum:ty, $floor:expr, $ceiling:expr, $nan:expr;)*) => {$(
        impl Number for $t {
            const FLOOR: Self = $floor;
            const CEILING: Self = $ceiling;
            const HAS_NAN: bool = $nan;
            type Sum = $sum;
            #[inline(always)]
            fn widen(self) -> $sum { self as $sum }
            type Lanes = [$t; LANE_BYTES / size_of::<$t>()];
            #[inline(always)]
            fn lanes(value: Self) -> Self::Lanes { [value; LANE_BYTES / size_of::<$t>()] }
        }
    )*};
}

number! {
    u8, u64, u8::MIN, u8::MAX, false;
    i8, i64, i8::MIN, i8::MAX, false;
    u16, u64, u16::MIN, u16::MAX, false;
    i16, i64, i16::MIN, i16::MAX, false;
    u32, u64, u32::MIN, u32::MAX, false;
    i32, i64, i32::MIN, i32::MAX, false;
    u64, u64, u64::MIN, u64::MAX, false;
    i64, i64, i64::MIN, i64::MAX, false;
    f32, f64, f32::NEG_INFINITY, f32::INFINITY, true;
    f64, f64, f64::NEG_INFINITY, f64::INFINITY, true;
}
