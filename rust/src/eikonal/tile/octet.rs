//! Eight voxels of a row at once: packing them side by side for the solver, and storing what it found.
//!
//! A batch holds only marked voxels, on average two of the eight. Moving them one by one took a third of a march's
//! time; a permutation from a table packs a row at the same cost for any marks. Nothing is computed here but minima
//! and comparisons, so every implementation gives the same bits.

use super::shape::{OCTETS, WIDTH, from_octets};
use crate::eikonal::Time;

/// Where the packed voxels of an octet go: smaller neighbour time along x, y and z, and speed.
pub(crate) type Packed<T> = [*mut T; 4];

/// A way to handle octets. `at` is the padded position of the first voxel, bit i of `marked` stands for voxel i.
///
/// # Safety
/// For every method: eight values are readable from each address on, from `at` also at the distances `pitch` both
/// ways; eight are writable from `at` on where the method stores, and from packed addresses on; and the processor has
/// the instructions of the implementation.
pub(crate) trait Octet: Copy + 'static {
    /// A bit for each octet that is not 0.
    unsafe fn occupied(octets: &[u8; OCTETS]) -> u64;

    /// Packs the marked voxels.
    unsafe fn pack<T: Time>(at: *const T, pitch: [usize; 3], speed: *const T, marked: u8, to: Packed<T>);

    /// Stores the packed solutions that are improvements. Returns the improved voxels and those of them that lie
    /// within the window.
    unsafe fn unpack<T: Time>(at: *mut T, marked: u8, solution: *const T, window_end: T) -> (u8, u8);

    /// Marked voxels within the window.
    unsafe fn within<T: Time>(at: *const T, marked: u8, window_end: T) -> u8;

    /// Lowers each of eight values to the marked time in its place.
    unsafe fn lower<T: Time>(least: &mut [T; WIDTH], at: *const T, marked: u8);

    /// Marked places where the time at `a` is earlier than that at `b`.
    unsafe fn earlier<T: Time>(a: *const T, b: *const T, marked: u8) -> u8;
}

#[inline(always)]
fn smaller<T: Time>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// Calls `visit(i, n)` for the n-th set bit i.
#[inline(always)]
fn for_each_bit(marked: u8, mut visit: impl FnMut(usize, usize)) {
    let (mut left, mut n) = (marked, 0);
    while left != 0 {
        visit(left.trailing_zeros() as usize, n);
        left &= left - 1;
        n += 1;
    }
}

/// One voxel after the other, on any processor.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Octet for Plain {
    #[inline(always)]
    unsafe fn occupied(octets: &[u8; OCTETS]) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        from_octets(octets).iter().enumerate().fold(0, |found, (i, word)| {
            // The highest bit of each byte: whether any bit of the byte is set.
            let high = (((word & LOW) + LOW) | word) & !LOW;
            // The multiplication brings them together in the highest byte.
            found | ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
        })
    }

    #[inline(always)]
    unsafe fn pack<T: Time>(at: *const T, pitch: [usize; 3], speed: *const T, marked: u8, to: Packed<T>) {
        for_each_bit(marked, |i, n| {
            // SAFETY: i < 8 and n < 8, by the promise of the trait.
            unsafe {
                let at = at.add(i);
                for axis in 0..3 {
                    to[axis].add(n).write(smaller(*at.sub(pitch[axis]), *at.add(pitch[axis])));
                }
                to[3].add(n).write(*speed.add(i));
            }
        });
    }

    #[inline(always)]
    unsafe fn unpack<T: Time>(at: *mut T, marked: u8, solution: *const T, window_end: T) -> (u8, u8) {
        let (mut better, mut inside) = (0, 0);
        for_each_bit(marked, |i, n| {
            // SAFETY: i < 8 and n < 8, by the promise of the trait.
            let (at, new) = unsafe { (at.add(i), *solution.add(n)) };
            // SAFETY: as above.
            let old = unsafe { *at };
            let (is_better, is_inside) = (new < old, new <= window_end);
            // SAFETY: as above.
            unsafe { *at = if is_better { new } else { old } };
            better |= u8::from(is_better) << i;
            inside |= u8::from(is_inside) << i;
        });
        (better, better & inside)
    }

    #[inline(always)]
    unsafe fn within<T: Time>(at: *const T, marked: u8, window_end: T) -> u8 {
        let mut inside = 0;
        for_each_bit(marked, |i, _| {
            // SAFETY: i < 8, by the promise of the trait.
            inside |= unsafe { u8::from(*at.add(i) <= window_end) << i };
        });
        inside
    }

    #[inline(always)]
    unsafe fn lower<T: Time>(least: &mut [T; WIDTH], at: *const T, marked: u8) {
        for_each_bit(marked, |i, _| {
            // SAFETY: i < 8, by the promise of the trait.
            least[i] = smaller(least[i], unsafe { *at.add(i) });
        });
    }

    #[inline(always)]
    unsafe fn earlier<T: Time>(a: *const T, b: *const T, marked: u8) -> u8 {
        let mut earlier = 0;
        for_each_bit(marked, |i, _| {
            // SAFETY: i < 8, by the promise of the trait.
            earlier |= unsafe { u8::from(*a.add(i) < *b.add(i)) << i };
        });
        earlier
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use vector::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod vector {
    use super::super::shape::{OCTETS, WIDTH};
    use super::{Octet, Packed, Plain};
    use crate::eikonal::Time;
    use crate::pixel::{Pixel, PixelType};
    use std::arch::x86_64::*;

    /// Whether `T` is `f32`; `f64`, which few ask for, goes the plain way.
    #[inline(always)]
    fn is_single<T: Time>() -> bool {
        matches!(<T as Pixel>::TYPE, PixelType::F32)
    }

    /// Comparisons give masks.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    /// Comparisons give vectors.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    /// What differs between the two.
    ///
    /// # Safety
    /// The processor has the instructions.
    trait Row {
        /// `row` where marked, elsewhere `other`.
        unsafe fn select(marked: u8, row: __m256, other: __m256) -> __m256;
        /// Marked places where a < b.
        unsafe fn below(marked: u8, a: __m256, b: __m256) -> u8;
        /// Marked places where a <= b.
        unsafe fn at_most(marked: u8, a: __m256, b: __m256) -> u8;
        /// A bit for each octet that is not 0.
        unsafe fn occupied(octets: &[u8; OCTETS]) -> u64;
    }

    impl Row for Avx512 {
        #[inline(always)]
        unsafe fn select(marked: u8, row: __m256, other: __m256) -> __m256 {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm256_mask_blend_ps(marked, other, row) }
        }

        #[inline(always)]
        unsafe fn below(marked: u8, a: __m256, b: __m256) -> u8 {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm256_mask_cmp_ps_mask::<_CMP_LT_OQ>(marked, a, b) }
        }

        #[inline(always)]
        unsafe fn at_most(marked: u8, a: __m256, b: __m256) -> u8 {
            // SAFETY: the caller has AVX-512.
            unsafe { _mm256_mask_cmp_ps_mask::<_CMP_LE_OQ>(marked, a, b) }
        }

        #[inline(always)]
        unsafe fn occupied(octets: &[u8; OCTETS]) -> u64 {
            // SAFETY: the caller has AVX-512.
            unsafe {
                let octets = _mm512_loadu_si512(octets.as_ptr().cast());
                _mm512_test_epi8_mask(octets, octets)
            }
        }
    }

    impl Row for Avx2 {
        #[inline(always)]
        unsafe fn select(marked: u8, row: __m256, other: __m256) -> __m256 {
            // SAFETY: the caller has AVX2.
            unsafe {
                let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
                let places = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(i32::from(marked)), bits), bits);
                _mm256_blendv_ps(other, row, _mm256_castsi256_ps(places))
            }
        }

        #[inline(always)]
        unsafe fn below(marked: u8, a: __m256, b: __m256) -> u8 {
            // SAFETY: the caller has AVX2.
            unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) as u8 & marked }
        }

        #[inline(always)]
        unsafe fn at_most(marked: u8, a: __m256, b: __m256) -> u8 {
            // SAFETY: the caller has AVX2.
            unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b)) as u8 & marked }
        }

        #[inline(always)]
        unsafe fn occupied(octets: &[u8; OCTETS]) -> u64 {
            // SAFETY: the caller has AVX2, and both halves lie within the octets.
            unsafe {
                let empty = |half: *const u8| {
                    let half = _mm256_loadu_si256(half.cast());
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, _mm256_setzero_si256())) as u32
                };
                !(u64::from(empty(octets.as_ptr())) | u64::from(empty(octets.as_ptr().add(32))) << 32)
            }
        }
    }

    /// For each set of marks, the places of the marked voxels in order, a byte each.
    static FIRST: [[u8; WIDTH]; 256] = permutations(false);
    /// For each set of marks, the rank of each marked voxel, a byte each.
    static RANK: [[u8; WIDTH]; 256] = permutations(true);

    const fn permutations(ranks: bool) -> [[u8; WIDTH]; 256] {
        let mut table = [[0; WIDTH]; 256];
        let mut marked = 0;
        while marked < 256 {
            let (mut place, mut rank) = (0, 0);
            while place < WIDTH {
                if marked >> place & 1 == 1 {
                    if ranks {
                        table[marked][place] = rank;
                    } else {
                        table[marked][rank as usize] = place as u8;
                    }
                    rank += 1;
                }
                place += 1;
            }
            marked += 1;
        }
        table
    }

    /// The permutation for a set of marks. Two permutations cost less than one compress instruction.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn order(table: &[[u8; WIDTH]; 256], marked: u8) -> __m256i {
        // SAFETY: the caller has AVX2; an entry of the table has the eight bytes that are read.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(table[usize::from(marked)].as_ptr().cast())) }
    }

    impl<R: Row + Copy + 'static> Octet for R {
        #[inline(always)]
        unsafe fn occupied(octets: &[u8; OCTETS]) -> u64 {
            // SAFETY: the same promise.
            unsafe { <R as Row>::occupied(octets) }
        }

        #[inline(always)]
        unsafe fn pack<T: Time>(at: *const T, pitch: [usize; 3], speed: *const T, marked: u8, to: Packed<T>) {
            if !is_single::<T>() {
                // SAFETY: the same promises.
                return unsafe { Plain::pack(at, pitch, speed, marked, to) };
            }
            let (at, to) = (at.cast::<f32>(), to.map(|to| to.cast::<f32>()));
            // SAFETY: `T` is `f32`; the rest is the promise of the trait.
            unsafe {
                let order = order(&FIRST, marked);
                for axis in 0..3 {
                    let (before, after) = (_mm256_loadu_ps(at.sub(pitch[axis])), _mm256_loadu_ps(at.add(pitch[axis])));
                    _mm256_storeu_ps(to[axis], _mm256_permutevar8x32_ps(_mm256_min_ps(before, after), order));
                }
                _mm256_storeu_ps(to[3], _mm256_permutevar8x32_ps(_mm256_loadu_ps(speed.cast()), order));
            }
        }

        #[inline(always)]
        unsafe fn unpack<T: Time>(at: *mut T, marked: u8, solution: *const T, window_end: T) -> (u8, u8) {
            if !is_single::<T>() {
                // SAFETY: the same promises.
                return unsafe { Plain::unpack(at, marked, solution, window_end) };
            }
            let at = at.cast::<f32>();
            // SAFETY: `T` is `f32`; the rest is the promise of the trait.
            unsafe {
                let solution = _mm256_loadu_ps(solution.cast());
                let (old, new) = (_mm256_loadu_ps(at), _mm256_permutevar8x32_ps(solution, order(&RANK, marked)));
                let better = R::below(marked, new, old);
                // The whole row, although little of it changes: a later load waits for a store of single places.
                _mm256_storeu_ps(at, R::select(better, new, old));
                (better, R::at_most(better, new, _mm256_set1_ps(window_end.to_f32())))
            }
        }

        #[inline(always)]
        unsafe fn within<T: Time>(at: *const T, marked: u8, window_end: T) -> u8 {
            // SAFETY: `T` is `f32` in the second case; the rest is the promise of the trait.
            unsafe {
                if !is_single::<T>() {
                    return Plain::within(at, marked, window_end);
                }
                R::at_most(marked, _mm256_loadu_ps(at.cast()), _mm256_set1_ps(window_end.to_f32()))
            }
        }

        #[inline(always)]
        unsafe fn lower<T: Time>(least: &mut [T; WIDTH], at: *const T, marked: u8) {
            // SAFETY: `T` is `f32` in the second case; the rest is the promise of the trait.
            unsafe {
                if !is_single::<T>() {
                    return Plain::lower(least, at, marked);
                }
                let least = least.as_mut_ptr().cast::<f32>();
                let old = _mm256_loadu_ps(least);
                _mm256_storeu_ps(least, R::select(marked, _mm256_min_ps(_mm256_loadu_ps(at.cast()), old), old));
            }
        }

        #[inline(always)]
        unsafe fn earlier<T: Time>(a: *const T, b: *const T, marked: u8) -> u8 {
            // SAFETY: `T` is `f32` in the second case; the rest is the promise of the trait.
            unsafe {
                if !is_single::<T>() {
                    return Plain::earlier(a, b, marked);
                }
                R::below(marked, _mm256_loadu_ps(a.cast()), _mm256_loadu_ps(b.cast()))
            }
        }
    }
}

#[cfg(test)]
#[path = "octet_tests.rs"]
mod tests;
