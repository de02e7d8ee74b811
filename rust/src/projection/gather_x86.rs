//! The two x86 units of `gather.rs`.

use super::rays::{Fixed3, Grid, PLACES};
use crate::pixel::{Pixel, PixelType};
use std::arch::x86_64::*;

/// One over the number of steps of a position's fraction.
const FINEST: f32 = 1.0 / (1 << 24) as f32;

/// Address of the voxel below a position.
#[inline(always)]
fn voxel_below<T: Pixel>(grid: &Grid<'_, T>, position: Fixed3) -> *const u8 {
    let offset: isize = (0..3).map(|a| (position[a] >> PLACES) as isize * grid.strides[a]).sum();
    grid.base.wrapping_offset(offset)
}

/// See [`super::gather::Unit::best_of`].
///
/// # Safety
/// The processor must have AVX-512 F, BW and DQ; the samples must lie in inner cells of a dense grid within reach.
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) unsafe fn best_of_avx512<T: Pixel>(grid: &Grid<'_, T>, first: Fixed3, step: Fixed3) -> (f32, i64) {
    let lanes = [_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_setr_epi64(8, 9, 10, 11, 12, 13, 14, 15)];
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let mut offset = _mm512_setzero_si512();
    let mut part = [_mm512_setzero_ps(); 3];
    for a in 0..3 {
        let (start, step) = (_mm512_set1_epi64(first[a]), _mm512_set1_epi64(step[a]));
        let low = _mm512_add_epi64(start, _mm512_mullo_epi64(step, lanes[0]));
        let high = _mm512_add_epi64(start, _mm512_mullo_epi64(step, lanes[1]));
        let cell = _mm512_permutex2var_epi32(low, odd, high);
        let below = _mm512_permutex2var_epi32(low, even, high);
        part[a] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32::<8>(below)), _mm512_set1_ps(FINEST));
        let apart = _mm512_sub_epi32(cell, _mm512_set1_epi32((first[a] >> PLACES) as i32));
        offset = _mm512_add_epi32(offset, _mm512_mullo_epi32(apart, _mm512_set1_epi32(grid.strides[a] as i32)));
    }
    let base = voxel_below(grid, first);
    let (y, z) = (grid.strides[1], grid.strides[2]);
    let row = |more: isize| {
        // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
        let (a, b) = unsafe { pair_avx512::<T>(base.wrapping_offset(more), offset) };
        lerp_avx512(a, b, part[0])
    };
    let near = lerp_avx512(row(0), row(y), part[1]);
    let far = lerp_avx512(row(z), row(y + z), part[1]);
    // With NaN as its first operand the maximum is the second.
    let value = _mm512_max_ps(lerp_avx512(near, far, part[2]), _mm512_set1_ps(f32::NEG_INFINITY));
    let best = _mm512_reduce_max_ps(value);
    let lane = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(value, _mm512_set1_ps(best)).trailing_zeros();
    (best, i64::from(lane))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn lerp_avx512(a: __m512, b: __m512, part: __m512) -> __m512 {
    _mm512_add_ps(a, _mm512_mul_ps(_mm512_sub_ps(b, a), part))
}

/// The voxels at `base + offset` and their neighbours along x.
///
/// # Safety
/// They must be readable, with as many bytes behind as `bytes_per_pair` says.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn pair_avx512<T: Pixel>(base: *const u8, offset: __m512i) -> (__m512, __m512) {
    // SAFETY: the caller's promise.
    let first = unsafe { _mm512_i32gather_epi32::<1>(offset, base.cast()) };
    let (a, b) = match T::TYPE {
        PixelType::U8 => {
            let byte = _mm512_set1_epi32(0xff);
            (_mm512_and_si512(first, byte), _mm512_and_si512(_mm512_srli_epi32::<8>(first), byte))
        }
        PixelType::I8 => {
            let shifted = [_mm512_slli_epi32::<24>(first), _mm512_slli_epi32::<16>(first)];
            (_mm512_srai_epi32::<24>(shifted[0]), _mm512_srai_epi32::<24>(shifted[1]))
        }
        PixelType::U16 => (_mm512_and_si512(first, _mm512_set1_epi32(0xffff)), _mm512_srli_epi32::<16>(first)),
        PixelType::I16 => (_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(first)), _mm512_srai_epi32::<16>(first)),
        _ => {
            // SAFETY: the caller's promise.
            let second = unsafe { _mm512_i32gather_epi32::<1>(offset, base.wrapping_add(4).cast()) };
            if T::TYPE == PixelType::F32 {
                return (_mm512_castsi512_ps(first), _mm512_castsi512_ps(second));
            }
            (first, second)
        }
    };
    (_mm512_cvtepi32_ps(a), _mm512_cvtepi32_ps(b))
}

/// See [`super::gather::Unit::best_of`].
///
/// # Safety
/// The processor must have AVX2; the samples must lie in inner cells of a dense grid within reach.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn best_of_avx2<T: Pixel>(grid: &Grid<'_, T>, first: Fixed3, step: Fixed3) -> (f32, i64) {
    let second = std::array::from_fn(|a| first[a] + 8 * step[a]);
    // SAFETY: the caller's promise.
    let halves = unsafe { [eight_avx2(grid, first, step), eight_avx2(grid, second, step)] };
    let mut values = [0f32; 16];
    // SAFETY: `values` has room for two times eight.
    unsafe {
        _mm256_storeu_ps(values.as_mut_ptr(), halves[0]);
        _mm256_storeu_ps(values.as_mut_ptr().add(8), halves[1]);
    }
    let best = values.iter().fold(f32::NEG_INFINITY, |best, &v| if best < v { v } else { best });
    (best, values.iter().position(|&v| v == best).unwrap_or(0) as i64)
}

/// Eight samples, NaN as negative infinity.
///
/// # Safety
/// As [`best_of_avx2`].
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn eight_avx2<T: Pixel>(grid: &Grid<'_, T>, first: Fixed3, step: Fixed3) -> __m256 {
    let mut offset = _mm256_setzero_si256();
    let mut part = [_mm256_setzero_ps(); 3];
    for a in 0..3 {
        let at = |k: i64| first[a] + k * step[a];
        let low = _mm256_castsi256_ps(_mm256_setr_epi64x(at(0), at(1), at(4), at(5)));
        let high = _mm256_castsi256_ps(_mm256_setr_epi64x(at(2), at(3), at(6), at(7)));
        let cell = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
        let below = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
        part[a] = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32::<8>(below)), _mm256_set1_ps(FINEST));
        let apart = _mm256_sub_epi32(cell, _mm256_set1_epi32((first[a] >> PLACES) as i32));
        offset = _mm256_add_epi32(offset, _mm256_mullo_epi32(apart, _mm256_set1_epi32(grid.strides[a] as i32)));
    }
    let base = voxel_below(grid, first);
    let (y, z) = (grid.strides[1], grid.strides[2]);
    let row = |more: isize| {
        // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
        let (a, b) = unsafe { pair_avx2::<T>(base.wrapping_offset(more), offset) };
        lerp_avx2(a, b, part[0])
    };
    let near = lerp_avx2(row(0), row(y), part[1]);
    let far = lerp_avx2(row(z), row(y + z), part[1]);
    // With NaN as its first operand the maximum is the second.
    _mm256_max_ps(lerp_avx2(near, far, part[2]), _mm256_set1_ps(f32::NEG_INFINITY))
}

#[target_feature(enable = "avx2")]
#[inline]
fn lerp_avx2(a: __m256, b: __m256, part: __m256) -> __m256 {
    _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(b, a), part))
}

/// The voxels at `base + offset` and their neighbours along x.
///
/// # Safety
/// As [`pair_avx512`].
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn pair_avx2<T: Pixel>(base: *const u8, offset: __m256i) -> (__m256, __m256) {
    // SAFETY: the caller's promise.
    let first = unsafe { _mm256_i32gather_epi32::<1>(base.cast(), offset) };
    let (a, b) = match T::TYPE {
        PixelType::U8 => {
            let byte = _mm256_set1_epi32(0xff);
            (_mm256_and_si256(first, byte), _mm256_and_si256(_mm256_srli_epi32::<8>(first), byte))
        }
        PixelType::I8 => {
            let shifted = [_mm256_slli_epi32::<24>(first), _mm256_slli_epi32::<16>(first)];
            (_mm256_srai_epi32::<24>(shifted[0]), _mm256_srai_epi32::<24>(shifted[1]))
        }
        PixelType::U16 => (_mm256_and_si256(first, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32::<16>(first)),
        PixelType::I16 => (_mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(first)), _mm256_srai_epi32::<16>(first)),
        _ => {
            // SAFETY: the caller's promise.
            let second = unsafe { _mm256_i32gather_epi32::<1>(base.wrapping_add(4).cast(), offset) };
            if T::TYPE == PixelType::F32 {
                return (_mm256_castsi256_ps(first), _mm256_castsi256_ps(second));
            }
            (first, second)
        }
    };
    (_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b))
}
