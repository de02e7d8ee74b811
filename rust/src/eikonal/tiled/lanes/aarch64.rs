//! NEON: 128-bit registers, two for eight `f32`, four for eight `f64`.

use super::{Lanes, Vector, Wide};
use std::arch::aarch64::*;

/// Eight `f32`: lanes z=0 and lanes z=1.
#[derive(Clone, Copy)]
pub(crate) struct Single(float32x4_t, float32x4_t);

/// The constant vector of these four numbers.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn four(values: [u32; 4]) -> uint32x4_t {
    // SAFETY: four numbers are readable.
    unsafe { vld1q_u32(values.as_ptr()) }
}

/// The constant vector of these two numbers.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn two(values: [u64; 2]) -> uint64x2_t {
    // SAFETY: two numbers are readable.
    unsafe { vld1q_u64(values.as_ptr()) }
}

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Single {
    type Element = f32;
    type Mask = (uint32x4_t, uint32x4_t);

    methods! {
        fn load(from: *const f32) -> Self {
            Self(vld1q_f32(from), vld1q_f32(from.add(4)))
        }

        fn store(v: Self, to: *mut f32) {
            vst1q_f32(to, v.0);
            vst1q_f32(to.add(4), v.1);
        }

        fn splat(value: f32) -> Self {
            Self(vdupq_n_f32(value), vdupq_n_f32(value))
        }

        fn min(a: Self, b: Self) -> Self {
            Self(vminnmq_f32(a.0, b.0), vminnmq_f32(a.1, b.1))
        }

        fn max(a: Self, b: Self) -> Self {
            Self(vmaxnmq_f32(a.0, b.0), vmaxnmq_f32(a.1, b.1))
        }

        fn less(a: Self, b: Self) -> Self::Mask {
            (vcltq_f32(a.0, b.0), vcltq_f32(a.1, b.1))
        }

        fn at_most(a: Self, b: Self) -> Self::Mask {
            (vcleq_f32(a.0, b.0), vcleq_f32(a.1, b.1))
        }

        fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
            Self(vbslq_f32(mask.0, yes.0, no.0), vbslq_f32(mask.1, yes.1, no.1))
        }

        fn without(a: Self::Mask, from: Self::Mask) -> Self::Mask {
            (vbicq_u32(from.0, a.0), vbicq_u32(from.1, a.1))
        }

        fn bits(mask: Self::Mask) -> u8 {
            let (low, high) = (vandq_u32(mask.0, four([1, 2, 4, 8])), vandq_u32(mask.1, four([16, 32, 64, 128])));
            vaddvq_u32(vorrq_u32(low, high)) as u8
        }

        fn swap_x(v: Self) -> Self {
            Self(vrev64q_f32(v.0), vrev64q_f32(v.1))
        }

        fn swap_y(v: Self) -> Self {
            Self(vextq_f32::<2>(v.0, v.0), vextq_f32::<2>(v.1, v.1))
        }

        fn swap_z(v: Self) -> Self {
            Self(v.1, v.0)
        }

        fn blend_x(even: Self, odd: Self) -> Self {
            let second = four([0, u32::MAX, 0, u32::MAX]);
            Self(vbslq_f32(second, odd.0, even.0), vbslq_f32(second, odd.1, even.1))
        }

        fn blend_y(even: Self, odd: Self) -> Self {
            Self(
                vcombine_f32(vget_low_f32(even.0), vget_high_f32(odd.0)),
                vcombine_f32(vget_low_f32(even.1), vget_high_f32(odd.1)),
            )
        }

        fn blend_z(even: Self, odd: Self) -> Self {
            Self(even.0, odd.1)
        }
    }
}

/// Eight `f64`, pairs along x.
#[derive(Clone, Copy)]
pub(crate) struct Double(float64x2_t, float64x2_t, float64x2_t, float64x2_t);

/// What a function of pairs gives for each of the four.
macro_rules! pairs {
    ($make:ident, $function:ident, $a:expr $(, $b:expr)*) => {
        $make(
            $function($a.0 $(, $b.0)*),
            $function($a.1 $(, $b.1)*),
            $function($a.2 $(, $b.2)*),
            $function($a.3 $(, $b.3)*),
        )
    };
}

/// Eight truth values, pairs along x.
#[derive(Clone, Copy)]
pub(crate) struct Truth(uint64x2_t, uint64x2_t, uint64x2_t, uint64x2_t);

/// Both numbers exchanged.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn swapped(v: float64x2_t) -> float64x2_t {
    // SAFETY: see above.
    unsafe { vextq_f64::<1>(v, v) }
}

/// The first number of `even`, the second of `odd`.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn blended(even: float64x2_t, odd: float64x2_t) -> float64x2_t {
    // SAFETY: see above.
    unsafe { vcombine_f64(vget_low_f64(even), vget_high_f64(odd)) }
}

/// Bits of both lanes.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn bits_of(mask: Truth) -> u8 {
    // SAFETY: see above.
    unsafe {
        let (a, b) = (vandq_u64(mask.0, two([1, 2])), vandq_u64(mask.1, two([4, 8])));
        let (c, d) = (vandq_u64(mask.2, two([16, 32])), vandq_u64(mask.3, two([64, 128])));
        vaddvq_u64(vorrq_u64(vorrq_u64(a, b), vorrq_u64(c, d))) as u8
    }
}

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Double {
    type Element = f64;
    type Mask = Truth;

    methods! {
        fn load(from: *const f64) -> Self {
            Self(vld1q_f64(from), vld1q_f64(from.add(2)), vld1q_f64(from.add(4)), vld1q_f64(from.add(6)))
        }

        fn store(v: Self, to: *mut f64) {
            vst1q_f64(to, v.0);
            vst1q_f64(to.add(2), v.1);
            vst1q_f64(to.add(4), v.2);
            vst1q_f64(to.add(6), v.3);
        }

        fn splat(value: f64) -> Self {
            let v = vdupq_n_f64(value);
            Self(v, v, v, v)
        }

        fn min(a: Self, b: Self) -> Self {
            pairs!(Self, vminnmq_f64, a, b)
        }

        fn max(a: Self, b: Self) -> Self {
            pairs!(Self, vmaxnmq_f64, a, b)
        }

        fn less(a: Self, b: Self) -> Truth {
            pairs!(Truth, vcltq_f64, a, b)
        }

        fn at_most(a: Self, b: Self) -> Truth {
            pairs!(Truth, vcleq_f64, a, b)
        }

        fn select(mask: Truth, yes: Self, no: Self) -> Self {
            pairs!(Self, vbslq_f64, mask, yes, no)
        }

        fn without(a: Truth, from: Truth) -> Truth {
            pairs!(Truth, vbicq_u64, from, a)
        }

        fn bits(mask: Truth) -> u8 {
            bits_of(mask)
        }

        fn swap_x(v: Self) -> Self {
            pairs!(Self, swapped, v)
        }

        fn swap_y(v: Self) -> Self {
            Self(v.1, v.0, v.3, v.2)
        }

        fn swap_z(v: Self) -> Self {
            Self(v.2, v.3, v.0, v.1)
        }

        fn blend_x(even: Self, odd: Self) -> Self {
            pairs!(Self, blended, even, odd)
        }

        fn blend_y(even: Self, odd: Self) -> Self {
            Self(even.0, odd.1, even.2, odd.3)
        }

        fn blend_z(even: Self, odd: Self) -> Self {
            Self(even.0, even.1, odd.2, odd.3)
        }
    }
}

/// Which of two numbers lie near a tie; see [`Wide::near_tie`].
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn near_tie_of_two(values: float64x2_t, reach: int64x2_t) -> uint64x2_t {
    // SAFETY: see above.
    unsafe {
        let shifted = vaddq_s64(vreinterpretq_s64_f64(values), vsubq_s64(reach, vdupq_n_s64(1 << 28)));
        let from_tie = vandq_s64(shifted, vdupq_n_s64((1 << 29) - 1));
        vcleq_s64(from_tie, vaddq_s64(reach, reach))
    }
}

/// `no` where `sign` is below zero.
///
/// # Safety
/// None: every 64-bit ARM processor has NEON.
#[inline(always)]
unsafe fn unless_below(sign: float64x2_t, yes: float64x2_t, no: float64x2_t) -> float64x2_t {
    // SAFETY: see above.
    unsafe { vbslq_f64(vcltzq_f64(sign), no, yes) }
}

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Wide for Double {
    methods! {
        fn add(a: Self, b: Self) -> Self {
            pairs!(Self, vaddq_f64, a, b)
        }

        fn sub(a: Self, b: Self) -> Self {
            pairs!(Self, vsubq_f64, a, b)
        }

        fn mul(a: Self, b: Self) -> Self {
            pairs!(Self, vmulq_f64, a, b)
        }

        fn div(a: Self, b: Self) -> Self {
            pairs!(Self, vdivq_f64, a, b)
        }

        fn sqrt(v: Self) -> Self {
            pairs!(Self, vsqrtq_f64, v)
        }

        fn mul_add_loosely(a: Self, b: Self, c: Self) -> Self {
            pairs!(Self, vfmaq_f64, c, a, b)
        }

        fn mul_sub_loosely(a: Self, b: Self, c: Self) -> Self {
            pairs!(Self, vfmsq_f64, c, a, b)
        }

        fn unless_negative(sign: Self, yes: Self, no: Self) -> Self {
            pairs!(Self, unless_below, sign, yes, no)
        }

        fn near_tie(v: Self, reach: i64) -> u8 {
            let reach = vdupq_n_s64(reach);
            bits_of(Truth(
                near_tie_of_two(v.0, reach),
                near_tie_of_two(v.1, reach),
                near_tie_of_two(v.2, reach),
                near_tie_of_two(v.3, reach),
            ))
        }
    }
}

/// Times stored as `f32`, with NEON.
#[derive(Clone, Copy)]
pub(crate) struct NeonSingle;

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Lanes for NeonSingle {
    type Time = f32;
    type Times = Single;
    type Wide = Double;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Single) -> Double {
            Double(
                vcvt_f64_f32(vget_low_f32(times.0)),
                vcvt_high_f64_f32(times.0),
                vcvt_f64_f32(vget_low_f32(times.1)),
                vcvt_high_f64_f32(times.1),
            )
        }

        fn narrow(wide: Double) -> Single {
            Single(
                vcvt_high_f32_f64(vcvt_f32_f64(wide.0), wide.1),
                vcvt_high_f32_f64(vcvt_f32_f64(wide.2), wide.3),
            )
        }
    }
}

/// Times stored as `f64`, with NEON.
#[derive(Clone, Copy)]
pub(crate) struct NeonDouble;

// SAFETY: nothing is computed.
unsafe impl Lanes for NeonDouble {
    type Time = f64;
    type Times = Double;
    type Wide = Double;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Double) -> Double {
            times
        }

        fn narrow(wide: Double) -> Double {
            wide
        }
    }
}
