//! Sampling with the gather instructions of x86; see the module above.

use super::{Sampler, Stretch, Swept};
use crate::cpu::{Avx2, Avx512};
use crate::pixel::{Pixel, PixelType};
use crate::projection::rays::packet::NOTHING;
use std::arch::x86_64::*;

/// One over the number of steps of a position's fraction.
const FINEST: f32 = 1.0 / (1 << 24) as f32;

/// See [`super::sweep`].
///
/// # Safety
/// As there.
pub(super) unsafe fn sweep_avx512<T: Pixel>(_: Avx512, sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    // SAFETY: the caller's promise; the token proves the instructions.
    unsafe { sweep_in_512_bits(sampler, stretch) }
}

/// # Safety
/// As [`sweep_avx512`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
unsafe fn sweep_in_512_bits<T: Pixel>(sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let limits = stretch.corner.limits(sampler).map(|limit| _mm512_set1_epi32(limit));
    let base = stretch.corner.address(sampler);
    let (y, z) = (sampler.strides[1], sampler.strides[2]);
    // SAFETY: arrays of sixteen numbers of 32 bits.
    let [first, last] = unsafe { [&stretch.first, &stretch.last].map(|a| _mm512_loadu_si512(a.as_ptr().cast())) };
    let mut position = stretch.starts().each_ref().map(|numbers| load2_avx512(numbers));
    let step = stretch.packet.step.each_ref().map(|numbers| load2_avx512(numbers));
    let mut best = _mm512_set1_ps(NOTHING);
    let mut at = _mm512_setzero_si512();
    let mut swept = Swept::default();
    for s in 0..stretch.steps {
        let now = _mm512_set1_epi32(s);
        let taken = _mm512_cmple_epi32_mask(first, now) & _mm512_cmple_epi32_mask(now, last);
        let mut inner = taken;
        let mut offset = _mm512_setzero_si512();
        let mut part = [_mm512_setzero_ps(); 3];
        for a in 0..3 {
            let [low, high] = position[a];
            let cell = _mm512_permutex2var_epi32(low, odd, high);
            let below = _mm512_permutex2var_epi32(low, even, high);
            part[a] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32::<8>(below)), _mm512_set1_ps(FINEST));
            inner &= _mm512_cmple_epi32_mask(cell, limits[a]);
            offset = _mm512_add_epi32(offset, _mm512_mullo_epi32(cell, _mm512_set1_epi32(sampler.strides[a] as i32)));
            position[a] = [_mm512_add_epi64(low, step[a][0]), _mm512_add_epi64(high, step[a][1])];
        }
        swept.rest[s as usize] = taken & !inner;
        let row = |more: isize| {
            // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
            let (a, b) = unsafe { pair_avx512::<T>(base.wrapping_offset(more), offset, inner) };
            lerp_avx512(a, b, part[0])
        };
        let near = lerp_avx512(row(0), row(y), part[1]);
        let far = lerp_avx512(row(z), row(y + z), part[1]);
        let value = lerp_avx512(near, far, part[2]);
        let better = _mm512_mask_cmp_ps_mask::<_CMP_GT_OQ>(inner, value, best);
        best = _mm512_mask_mov_ps(best, better, value);
        at = _mm512_mask_mov_epi32(at, better, now);
    }
    // SAFETY: arrays of sixteen numbers of 32 bits.
    unsafe {
        _mm512_storeu_ps(swept.value.as_mut_ptr(), best);
        _mm512_storeu_si512(swept.at.as_mut_ptr().cast(), at);
    }
    swept
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load2_avx512(numbers: &[i64; 16]) -> [__m512i; 2] {
    // SAFETY: two times eight numbers of 64 bits.
    [0, 8].map(|i| unsafe { _mm512_loadu_si512(numbers.as_ptr().add(i).cast()) })
}

#[target_feature(enable = "avx512f")]
#[inline]
fn lerp_avx512(a: __m512, b: __m512, part: __m512) -> __m512 {
    _mm512_add_ps(a, _mm512_mul_ps(_mm512_sub_ps(b, a), part))
}

/// The voxels at `base + offset` and their neighbours along x.
///
/// # Safety
/// Those of the lanes in `mask` must be readable, with as many bytes behind as `bytes_per_pair` says.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn pair_avx512<T: Pixel>(base: *const u8, offset: __m512i, mask: __mmask16) -> (__m512, __m512) {
    let none = _mm512_setzero_si512();
    // SAFETY: the caller's promise.
    let first = unsafe { _mm512_mask_i32gather_epi32::<1>(none, mask, offset, base.cast()) };
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
            let second = unsafe { _mm512_mask_i32gather_epi32::<1>(none, mask, offset, base.wrapping_add(4).cast()) };
            if T::TYPE == PixelType::F32 {
                return (_mm512_castsi512_ps(first), _mm512_castsi512_ps(second));
            }
            (first, second)
        }
    };
    (_mm512_cvtepi32_ps(a), _mm512_cvtepi32_ps(b))
}

/// See [`super::sweep`].
///
/// # Safety
/// As there.
pub(super) unsafe fn sweep_avx2<T: Pixel>(_: Avx2, sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    let mut swept = Swept::default();
    let starts = stretch.starts();
    for half in 0..2 {
        // SAFETY: the caller's promise; the token proves the instructions.
        unsafe { sweep_half_avx2(sampler, stretch, &starts, half, &mut swept) };
    }
    swept
}

/// Lanes `8 * half` and seven more.
///
/// # Safety
/// As [`sweep_avx2`].
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn sweep_half_avx2<T: Pixel>(
    sampler: &Sampler<'_, T>,
    stretch: &Stretch<'_>,
    starts: &[[i64; 16]; 3],
    half: usize,
    swept: &mut Swept,
) {
    let lane = 8 * half;
    let limits = stretch.corner.limits(sampler).map(|limit| _mm256_set1_epi32(limit));
    let base = stretch.corner.address(sampler);
    let (y, z) = (sampler.strides[1], sampler.strides[2]);
    // SAFETY: arrays of sixteen numbers, of 32 and of 64 bits.
    let ([first, last], mut position, step) = unsafe {
        (
            [&stretch.first, &stretch.last].map(|a| _mm256_loadu_si256(a.as_ptr().add(lane).cast())),
            starts.each_ref().map(|s| load2_avx2(s, lane)),
            stretch.packet.step.each_ref().map(|s| load2_avx2(s, lane)),
        )
    };
    let mut best = _mm256_set1_ps(NOTHING);
    let mut at = _mm256_setzero_ps();
    for s in 0..stretch.steps {
        let now = _mm256_set1_epi32(s);
        let skipped = _mm256_or_si256(_mm256_cmpgt_epi32(first, now), _mm256_cmpgt_epi32(now, last));
        let mut outer = skipped;
        let mut offset = _mm256_setzero_si256();
        let mut part = [_mm256_setzero_ps(); 3];
        for a in 0..3 {
            let [low, high] = position[a].map(|p| _mm256_castsi256_ps(p));
            let cell = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
            let below = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
            part[a] = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32::<8>(below)), _mm256_set1_ps(FINEST));
            outer = _mm256_or_si256(outer, _mm256_cmpgt_epi32(cell, limits[a]));
            offset = _mm256_add_epi32(offset, _mm256_mullo_epi32(cell, _mm256_set1_epi32(sampler.strides[a] as i32)));
            position[a] = std::array::from_fn(|i| _mm256_add_epi64(position[a][i], step[a][i]));
        }
        let rest = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_andnot_si256(skipped, outer)));
        swept.rest[s as usize] |= (rest as u16) << lane;
        let inner = _mm256_xor_si256(outer, _mm256_set1_epi32(-1));
        let row = |more: isize| {
            // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
            let (a, b) = unsafe { pair_avx2::<T>(base.wrapping_offset(more), offset, inner) };
            lerp_avx2(a, b, part[0])
        };
        let near = lerp_avx2(row(0), row(y), part[1]);
        let far = lerp_avx2(row(z), row(y + z), part[1]);
        let value = lerp_avx2(near, far, part[2]);
        let better = _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(value, best), _mm256_castsi256_ps(inner));
        best = _mm256_blendv_ps(best, value, better);
        at = _mm256_blendv_ps(at, _mm256_castsi256_ps(now), better);
    }
    // SAFETY: arrays of sixteen numbers of 32 bits.
    unsafe {
        _mm256_storeu_ps(swept.value.as_mut_ptr().add(lane), best);
        _mm256_storeu_ps(swept.at.as_mut_ptr().add(lane).cast(), at);
    }
}

/// Numbers 0, 1, 4, 5 and 2, 3, 6, 7 from `lane` on: their halves, shuffled together, are in order.
///
/// # Safety
/// `lane` must be at most 8.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn load2_avx2(numbers: &[i64; 16], lane: usize) -> [__m256i; 2] {
    // SAFETY: the caller's promise.
    let pair = |i: usize| unsafe { _mm_loadu_si128(numbers.as_ptr().add(lane + i).cast()) };
    [0, 2].map(|i| _mm256_set_m128i(pair(i + 4), pair(i)))
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
unsafe fn pair_avx2<T: Pixel>(base: *const u8, offset: __m256i, mask: __m256i) -> (__m256, __m256) {
    let none = _mm256_setzero_si256();
    // SAFETY: the caller's promise.
    let first = unsafe { _mm256_mask_i32gather_epi32::<1>(none, base.cast(), offset, mask) };
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
            let second = unsafe { _mm256_mask_i32gather_epi32::<1>(none, base.wrapping_add(4).cast(), offset, mask) };
            if T::TYPE == PixelType::F32 {
                return (_mm256_castsi256_ps(first), _mm256_castsi256_ps(second));
            }
            (first, second)
        }
    };
    (_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b))
}
