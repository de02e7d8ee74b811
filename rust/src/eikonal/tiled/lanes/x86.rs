//! AVX2 and AVX-512.
//!
//! Single precision takes one 256-bit register with both; double precision two of them with AVX2, one of 512 bits with
//! AVX-512. Comparisons give vectors with AVX2, masks with AVX-512.

use super::{Lanes, Vector, Wide};
use std::arch::x86_64::*;

/// Methods that are the same for eight `f32` with AVX2 and with AVX-512.
macro_rules! single_precision {
    () => {
        type Element = f32;

        methods! {
            fn load(from: *const f32) -> Self {
                Self(_mm256_load_ps(from))
            }

            fn store(v: Self, to: *mut f32) {
                _mm256_store_ps(to, v.0)
            }

            fn splat(value: f32) -> Self {
                Self(_mm256_set1_ps(value))
            }

            fn min(a: Self, b: Self) -> Self {
                Self(_mm256_min_ps(a.0, b.0))
            }

            fn max(a: Self, b: Self) -> Self {
                Self(_mm256_max_ps(a.0, b.0))
            }

            fn swap_x(v: Self) -> Self {
                Self(_mm256_permute_ps::<0b10_11_00_01>(v.0))
            }

            fn swap_y(v: Self) -> Self {
                Self(_mm256_permute_ps::<0b01_00_11_10>(v.0))
            }

            fn swap_z(v: Self) -> Self {
                Self(_mm256_permute2f128_ps::<1>(v.0, v.0))
            }

            fn blend_x(even: Self, odd: Self) -> Self {
                Self(_mm256_blend_ps::<0b1010_1010>(even.0, odd.0))
            }

            fn blend_y(even: Self, odd: Self) -> Self {
                Self(_mm256_blend_ps::<0b1100_1100>(even.0, odd.0))
            }

            fn blend_z(even: Self, odd: Self) -> Self {
                Self(_mm256_blend_ps::<0b1111_0000>(even.0, odd.0))
            }
        }
    };
}

/// Methods of vectors whose comparisons give masks.
macro_rules! masks {
    () => {
        type Mask = u8;

        methods! {

            fn without(a: u8, from: u8) -> u8 {
                !a & from
            }

            fn bits(mask: u8) -> u8 {
                mask
            }
        }
    };
}

/// Eight `f32` with AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Single2(__m256);

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Single2 {
    type Mask = __m256;
    single_precision!();

    methods! {
        fn less(a: Self, b: Self) -> __m256 {
            _mm256_cmp_ps::<_CMP_LT_OQ>(a.0, b.0)
        }

        fn at_most(a: Self, b: Self) -> __m256 {
            _mm256_cmp_ps::<_CMP_LE_OQ>(a.0, b.0)
        }

        fn select(mask: __m256, yes: Self, no: Self) -> Self {
            Self(_mm256_blendv_ps(no.0, yes.0, mask))
        }

        fn without(a: __m256, from: __m256) -> __m256 {
            _mm256_andnot_ps(a, from)
        }

        fn bits(mask: __m256) -> u8 {
            _mm256_movemask_ps(mask) as u8
        }
    }
}

/// Eight `f32` with AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Single5(__m256);

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Single5 {
    masks!();
    single_precision!();

    methods! {
        fn less(a: Self, b: Self) -> u8 {
            _mm256_cmp_ps_mask::<_CMP_LT_OQ>(a.0, b.0)
        }

        fn at_most(a: Self, b: Self) -> u8 {
            _mm256_cmp_ps_mask::<_CMP_LE_OQ>(a.0, b.0)
        }

        fn select(mask: u8, yes: Self, no: Self) -> Self {
            Self(_mm256_mask_blend_ps(mask, no.0, yes.0))
        }
    }
}

/// Eight `f64` with AVX2: lanes z=0 and lanes z=1.
#[derive(Clone, Copy)]
pub(crate) struct Double2(__m256d, __m256d);

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Double2 {
    type Element = f64;
    type Mask = [__m256d; 2];

    methods! {
        fn load(from: *const f64) -> Self {
            Self(_mm256_load_pd(from), _mm256_load_pd(from.add(4)))
        }

        fn store(v: Self, to: *mut f64) {
            _mm256_store_pd(to, v.0);
            _mm256_store_pd(to.add(4), v.1);
        }

        fn splat(value: f64) -> Self {
            Self(_mm256_set1_pd(value), _mm256_set1_pd(value))
        }

        fn min(a: Self, b: Self) -> Self {
            Self(_mm256_min_pd(a.0, b.0), _mm256_min_pd(a.1, b.1))
        }

        fn max(a: Self, b: Self) -> Self {
            Self(_mm256_max_pd(a.0, b.0), _mm256_max_pd(a.1, b.1))
        }

        fn less(a: Self, b: Self) -> Self::Mask {
            [_mm256_cmp_pd::<_CMP_LT_OQ>(a.0, b.0), _mm256_cmp_pd::<_CMP_LT_OQ>(a.1, b.1)]
        }

        fn at_most(a: Self, b: Self) -> Self::Mask {
            [_mm256_cmp_pd::<_CMP_LE_OQ>(a.0, b.0), _mm256_cmp_pd::<_CMP_LE_OQ>(a.1, b.1)]
        }

        fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
            Self(_mm256_blendv_pd(no.0, yes.0, mask[0]), _mm256_blendv_pd(no.1, yes.1, mask[1]))
        }

        fn without(a: Self::Mask, from: Self::Mask) -> Self::Mask {
            [_mm256_andnot_pd(a[0], from[0]), _mm256_andnot_pd(a[1], from[1])]
        }

        fn bits(mask: Self::Mask) -> u8 {
            (_mm256_movemask_pd(mask[0]) | _mm256_movemask_pd(mask[1]) << 4) as u8
        }

        fn swap_x(v: Self) -> Self {
            Self(_mm256_permute_pd::<0b0101>(v.0), _mm256_permute_pd::<0b0101>(v.1))
        }

        fn swap_y(v: Self) -> Self {
            Self(_mm256_permute2f128_pd::<1>(v.0, v.0), _mm256_permute2f128_pd::<1>(v.1, v.1))
        }

        fn swap_z(v: Self) -> Self {
            Self(v.1, v.0)
        }

        fn blend_x(even: Self, odd: Self) -> Self {
            Self(_mm256_blend_pd::<0b1010>(even.0, odd.0), _mm256_blend_pd::<0b1010>(even.1, odd.1))
        }

        fn blend_y(even: Self, odd: Self) -> Self {
            Self(_mm256_blend_pd::<0b1100>(even.0, odd.0), _mm256_blend_pd::<0b1100>(even.1, odd.1))
        }

        fn blend_z(even: Self, odd: Self) -> Self {
            Self(even.0, odd.1)
        }
    }
}

/// Which lanes of four lie near a tie; see [`Wide::near_tie`].
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn near_tie_of_four(values: __m256d, reach: i64) -> i32 {
    // SAFETY: the same promise.
    unsafe {
        let shifted = _mm256_add_epi64(_mm256_castpd_si256(values), _mm256_set1_epi64x(reach - (1 << 28)));
        let from_tie = _mm256_and_si256(shifted, _mm256_set1_epi64x((1 << 29) - 1));
        let near = _mm256_cmpgt_epi64(_mm256_set1_epi64x(2 * reach + 1), from_tie);
        _mm256_movemask_pd(_mm256_castsi256_pd(near))
    }
}

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Wide for Double2 {
    methods! {
        fn add(a: Self, b: Self) -> Self {
            Self(_mm256_add_pd(a.0, b.0), _mm256_add_pd(a.1, b.1))
        }

        fn sub(a: Self, b: Self) -> Self {
            Self(_mm256_sub_pd(a.0, b.0), _mm256_sub_pd(a.1, b.1))
        }

        fn mul(a: Self, b: Self) -> Self {
            Self(_mm256_mul_pd(a.0, b.0), _mm256_mul_pd(a.1, b.1))
        }

        fn div(a: Self, b: Self) -> Self {
            Self(_mm256_div_pd(a.0, b.0), _mm256_div_pd(a.1, b.1))
        }

        fn sqrt(v: Self) -> Self {
            Self(_mm256_sqrt_pd(v.0), _mm256_sqrt_pd(v.1))
        }

        fn mul_add_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(_mm256_fmadd_pd(a.0, b.0, c.0), _mm256_fmadd_pd(a.1, b.1, c.1))
        }

        fn mul_sub_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(_mm256_fnmadd_pd(a.0, b.0, c.0), _mm256_fnmadd_pd(a.1, b.1, c.1))
        }

        fn unless_negative(sign: Self, yes: Self, no: Self) -> Self {
            Self(_mm256_blendv_pd(yes.0, no.0, sign.0), _mm256_blendv_pd(yes.1, no.1, sign.1))
        }

        fn near_tie(v: Self, reach: i64) -> u8 {
            (near_tie_of_four(v.0, reach) | near_tie_of_four(v.1, reach) << 4) as u8
        }
    }
}

/// Eight `f64` with AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Double5(__m512d);

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Vector for Double5 {
    type Element = f64;
    masks!();

    methods! {
        fn load(from: *const f64) -> Self {
            Self(_mm512_load_pd(from))
        }

        fn store(v: Self, to: *mut f64) {
            _mm512_store_pd(to, v.0)
        }

        fn splat(value: f64) -> Self {
            Self(_mm512_set1_pd(value))
        }

        fn min(a: Self, b: Self) -> Self {
            Self(_mm512_min_pd(a.0, b.0))
        }

        fn max(a: Self, b: Self) -> Self {
            Self(_mm512_max_pd(a.0, b.0))
        }

        fn less(a: Self, b: Self) -> u8 {
            _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a.0, b.0)
        }

        fn at_most(a: Self, b: Self) -> u8 {
            _mm512_cmp_pd_mask::<_CMP_LE_OQ>(a.0, b.0)
        }

        fn select(mask: u8, yes: Self, no: Self) -> Self {
            Self(_mm512_mask_blend_pd(mask, no.0, yes.0))
        }

        fn swap_x(v: Self) -> Self {
            Self(_mm512_permute_pd::<0b0101_0101>(v.0))
        }

        fn swap_y(v: Self) -> Self {
            Self(_mm512_permutex_pd::<0b01_00_11_10>(v.0))
        }

        fn swap_z(v: Self) -> Self {
            Self(_mm512_shuffle_f64x2::<0b01_00_11_10>(v.0, v.0))
        }

        fn blend_x(even: Self, odd: Self) -> Self {
            Self(_mm512_mask_blend_pd(0b1010_1010, even.0, odd.0))
        }

        fn blend_y(even: Self, odd: Self) -> Self {
            Self(_mm512_mask_blend_pd(0b1100_1100, even.0, odd.0))
        }

        fn blend_z(even: Self, odd: Self) -> Self {
            Self(_mm512_mask_blend_pd(0b1111_0000, even.0, odd.0))
        }
    }
}

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Wide for Double5 {
    methods! {
        fn add(a: Self, b: Self) -> Self {
            Self(_mm512_add_pd(a.0, b.0))
        }

        fn sub(a: Self, b: Self) -> Self {
            Self(_mm512_sub_pd(a.0, b.0))
        }

        fn mul(a: Self, b: Self) -> Self {
            Self(_mm512_mul_pd(a.0, b.0))
        }

        fn div(a: Self, b: Self) -> Self {
            Self(_mm512_div_pd(a.0, b.0))
        }

        fn sqrt(v: Self) -> Self {
            Self(_mm512_sqrt_pd(v.0))
        }

        fn mul_add_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(_mm512_fmadd_pd(a.0, b.0, c.0))
        }

        fn mul_sub_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(_mm512_fnmadd_pd(a.0, b.0, c.0))
        }

        fn unless_negative(sign: Self, yes: Self, no: Self) -> Self {
            Self(_mm512_mask_blend_pd(_mm512_movepi64_mask(_mm512_castpd_si512(sign.0)), yes.0, no.0))
        }

        fn near_tie(v: Self, reach: i64) -> u8 {
            let shifted = _mm512_add_epi64(_mm512_castpd_si512(v.0), _mm512_set1_epi64(reach - (1 << 28)));
            let from_tie = _mm512_and_si512(shifted, _mm512_set1_epi64((1 << 29) - 1));
            _mm512_cmple_epi64_mask(from_tie, _mm512_set1_epi64(2 * reach))
        }
    }
}

/// Times stored as `f32`, with AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2Single;

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Lanes for Avx2Single {
    type Time = f32;
    type Times = Single2;
    type Wide = Double2;
    const TOGETHER: usize = 2;

    methods! {
        fn widen(times: Single2) -> Double2 {
            let (low, high) = (_mm256_castps256_ps128(times.0), _mm256_extractf128_ps::<1>(times.0));
            Double2(_mm256_cvtps_pd(low), _mm256_cvtps_pd(high))
        }

        fn narrow(wide: Double2) -> Single2 {
            Single2(_mm256_set_m128(_mm256_cvtpd_ps(wide.1), _mm256_cvtpd_ps(wide.0)))
        }
    }
}

/// Times stored as `f64`, with AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2Double;

// SAFETY: nothing is computed.
unsafe impl Lanes for Avx2Double {
    type Time = f64;
    type Times = Double2;
    type Wide = Double2;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Double2) -> Double2 {
            times
        }

        fn narrow(wide: Double2) -> Double2 {
            wide
        }
    }
}

/// Times stored as `f32`, with AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Single;

// SAFETY: each intrinsic computes lane by lane what the method says.
unsafe impl Lanes for Avx512Single {
    type Time = f32;
    type Times = Single5;
    type Wide = Double5;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Single5) -> Double5 {
            Double5(_mm512_cvtps_pd(times.0))
        }

        fn narrow(wide: Double5) -> Single5 {
            Single5(_mm512_cvtpd_ps(wide.0))
        }
    }
}

/// Times stored as `f64`, with AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Double;

// SAFETY: nothing is computed.
unsafe impl Lanes for Avx512Double {
    type Time = f64;
    type Times = Double5;
    type Wide = Double5;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Double5) -> Double5 {
            times
        }

        fn narrow(wide: Double5) -> Double5 {
            wide
        }
    }
}
