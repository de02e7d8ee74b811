//! Sampling sixteen rays side by side with the vector instructions of x86; see the module above.

use super::{Sampler, bytes_per_pair};
use crate::cpu::{Avx2, Avx512, Level};
use crate::memory::prefetch;
use crate::pixel::{Pixel, PixelType};
use crate::projection::rays::camera::PLACES;
use crate::projection::rays::packet::{NOTHING, Packet, RAYS, STEPS};
use std::arch::x86_64::*;

/// One over the number of steps of a position's fraction.
const FINEST: f32 = 1.0 / (1 << 24) as f32;

/// Takes the samples of a stretch.
///
/// # Safety
/// * The level comes from [`fitting`] for this sampler.
/// * The corner of the stretch comes from [`Corner::of`] for its samples and this level.
/// * The samples from `first` to `last` of each lane lie inside the volume.
#[inline(always)]
pub(in crate::projection::rays) unsafe fn sweep<T: Pixel>(
    level: Level,
    sampler: &Sampler<'_, T>,
    stretch: &Stretch<'_>,
) -> Swept {
    match level {
        // SAFETY: the caller's promise; the token proves the instructions.
        Level::Avx512(token) => unsafe { sweep_avx512(token, sampler, stretch) },
        // SAFETY: as above.
        Level::Avx2(token) => unsafe { sweep_avx2(token, sampler, stretch) },
        _ => unreachable!("without vector instructions there are no corners"),
    }
}

/// The lowest cell of a box that holds all samples of a stretch; cells are counted from it.
#[derive(Debug, Clone, Copy)]
pub(in crate::projection::rays) struct Corner([i64; 3]);

impl Corner {
    /// The corner of a box of positions, unless there are no such instructions or offsets of voxels within the box may
    /// exceed 32 bits.
    #[inline(always)]
    pub(in crate::projection::rays) fn of<T>(
        sampler: &Sampler<'_, T>,
        level: Level,
        ends: [[i64; 2]; 3],
    ) -> Option<Self> {
        let corner = ends.map(|[low, _]| low >> PLACES);
        let reach = |a: usize| {
            let cells = ((ends[a][1] >> PLACES) - corner[a]) as u64;
            (cells + 2).saturating_mul(sampler.strides[a].unsigned_abs() as u64)
        };
        let near = reach(0).saturating_add(reach(1)).saturating_add(reach(2)) < 1 << 30;
        let wide = matches!(level, Level::Avx2(_) | Level::Avx512(_));
        (wide && near).then_some(Self(corner))
    }

    /// Address of the voxel at the corner, which may lie outside.
    #[inline(always)]
    fn address<T>(self, sampler: &Sampler<'_, T>) -> *const u8 {
        let offset: isize = (0..3).map(|a| (self.0[a] as isize).wrapping_mul(sampler.strides[a])).sum();
        sampler.base.wrapping_offset(offset)
    }

    /// The last cell along each axis, from the corner on, whose voxels can be read as pairs.
    #[inline(always)]
    fn limits<T: Pixel>(self, sampler: &Sampler<'_, T>) -> [i32; 3] {
        let pair = bytes_per_pair(T::TYPE).unwrap_or(usize::MAX) / size_of::<T>();
        let last = [sampler.size[0] as i64 - pair as i64, sampler.size[1] as i64 - 2, sampler.size[2] as i64 - 2];
        std::array::from_fn(|a| (last[a] - self.0[a]).clamp(-1, i64::from(i32::MAX)) as i32)
    }
}

/// Samples to take: `steps` of each ray of a packet from sample `from` on, of them those `first ..= last` of each lane.
pub(in crate::projection::rays) struct Stretch<'p> {
    pub(in crate::projection::rays) packet: &'p Packet,
    pub(in crate::projection::rays) corner: Corner,
    pub(in crate::projection::rays) from: i64,
    pub(in crate::projection::rays) steps: i32,
    pub(in crate::projection::rays) first: [i32; RAYS],
    pub(in crate::projection::rays) last: [i32; RAYS],
}

/// Samples between prefetching one and taking it: a few more than a stretch has.
const AHEAD: i64 = STEPS + 2;

impl Stretch<'_> {
    /// Where the voxel of an address would be after [`AHEAD`] more samples, give or take a voxel: to prefetch.
    #[inline(always)]
    fn ahead<T>(&self, sampler: &Sampler<'_, T>, address: *const u8) -> *const u8 {
        let voxels =
            self.packet.spread.step().map(|step| step.wrapping_mul(AHEAD).wrapping_add(1 << (PLACES - 1)) >> PLACES);
        let offset =
            (0..3).fold(0isize, |sum, a| sum.wrapping_add((voxels[a] as isize).wrapping_mul(sampler.strides[a])));
        address.wrapping_offset(offset)
    }

    /// Positions of the rays' first samples, counted from the corner.
    #[inline(always)]
    fn starts(&self) -> [[i64; RAYS]; 3] {
        let mut starts = self.packet.base;
        for (a, starts) in starts.iter_mut().enumerate() {
            for (start, step) in starts.iter_mut().zip(&self.packet.step[a]) {
                // May overflow for lanes without samples here, which nobody takes, and comes right for the others.
                let first = start.wrapping_add(self.from.wrapping_mul(*step));
                *start = first.wrapping_sub(self.corner.0[a] << PLACES);
            }
        }
        starts
    }
}

/// What was found: the largest sample of each ray, the first one that has it, and the lanes left at each step.
pub(in crate::projection::rays) struct Swept {
    pub(in crate::projection::rays) value: [f32; RAYS],
    pub(in crate::projection::rays) at: [i32; RAYS],
    pub(in crate::projection::rays) rest: [u16; STEPS as usize],
}

impl Default for Swept {
    fn default() -> Self {
        Self { value: [NOTHING; RAYS], at: [0; RAYS], rest: [0; STEPS as usize] }
    }
}

/// See [`sweep`]. Voxels of 32 bits are left to [`sweep_avx2`]: single loads fetch two neighbours at once, the gather
/// instruction one.
///
/// # Safety
/// As there.
unsafe fn sweep_avx512<T: Pixel>(token: Avx512, sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    if matches!(T::TYPE, PixelType::F32 | PixelType::I32) {
        // SAFETY: the caller's promise.
        return unsafe { sweep_avx2(token.avx2(), sampler, stretch) };
    }
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
    let ahead = stretch.ahead(sampler, base);
    let (y, z) = (sampler.strides[1], sampler.strides[2]);
    // SAFETY: arrays of sixteen numbers of 32 bits.
    let [first, last] = unsafe { [&stretch.first, &stretch.last].map(|a| _mm512_loadu_si512(a.as_ptr().cast())) };
    let mut position = load6_avx512(&stretch.starts());
    let step = load6_avx512(&stretch.packet.step);
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
        let mut offsets = [0; 16];
        // SAFETY: sixteen numbers of 32 bits.
        unsafe { _mm512_storeu_si512(offsets.as_mut_ptr().cast(), offset) };
        prefetch_cells(ahead, y + z, &offsets);
        let row = |more: isize| {
            // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
            let [a, more] = unsafe { pair_avx512::<T>(base.wrapping_offset(more), offset, inner) };
            _mm512_add_ps(a, _mm512_mul_ps(more, part[0]))
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
fn load6_avx512([x, y, z]: &[[i64; 16]; 3]) -> [[__m512i; 2]; 3] {
    // SAFETY: two times eight numbers of 64 bits.
    let load2 = |numbers: &[i64; 16]| unsafe {
        [_mm512_loadu_si512(numbers.as_ptr().cast()), _mm512_loadu_si512(numbers.as_ptr().add(8).cast())]
    };
    // Not `map`, which is compiled without these instructions and then called.
    [load2(x), load2(y), load2(z)]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn lerp_avx512(a: __m512, b: __m512, part: __m512) -> __m512 {
    _mm512_add_ps(a, _mm512_mul_ps(_mm512_sub_ps(b, a), part))
}

/// The voxels at `base + offset` and how much more their neighbours along x are, which is exact.
///
/// # Safety
/// Those of the lanes in `mask` must be readable, with as many bytes behind as `bytes_per_pair` says.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn pair_avx512<T: Pixel>(base: *const u8, offset: __m512i, mask: __mmask16) -> [__m512; 2] {
    let none = _mm512_setzero_si512();
    // SAFETY: the caller's promise.
    let pairs = unsafe { _mm512_mask_i32gather_epi32::<1>(none, mask, offset, base.cast()) };
    if matches!(T::TYPE, PixelType::I16) {
        // Times (1, 0) and times (-1, 1), added.
        let a = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0000_0001));
        let more = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_ffff));
        return [_mm512_cvtepi32_ps(a), _mm512_cvtepi32_ps(more)];
    }
    let (a, b) = match T::TYPE {
        PixelType::U8 => {
            let byte = _mm512_set1_epi32(0xff);
            (_mm512_and_si512(pairs, byte), _mm512_and_si512(_mm512_srli_epi32::<8>(pairs), byte))
        }
        PixelType::I8 => {
            let shifted = [_mm512_slli_epi32::<24>(pairs), _mm512_slli_epi32::<16>(pairs)];
            (_mm512_srai_epi32::<24>(shifted[0]), _mm512_srai_epi32::<24>(shifted[1]))
        }
        _ => (_mm512_and_si512(pairs, _mm512_set1_epi32(0xffff)), _mm512_srli_epi32::<16>(pairs)),
    };
    [_mm512_cvtepi32_ps(a), _mm512_cvtepi32_ps(_mm512_sub_epi32(b, a))]
}

/// See [`sweep`].
///
/// # Safety
/// As there.
unsafe fn sweep_avx2<T: Pixel>(_: Avx2, sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    // SAFETY: the caller's promise; the token proves the instructions.
    unsafe { sweep_in_256_bits(sampler, stretch) }
}

/// One half of the lanes after the other, so that what is found so far stays in registers.
///
/// # Safety
/// As [`sweep_avx2`].
#[target_feature(enable = "avx2")]
unsafe fn sweep_in_256_bits<T: Pixel>(sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    let cells = Cells::new(sampler, stretch);
    let starts = stretch.starts();
    let mut swept = Swept::default();
    for lane in [0, 8] {
        // SAFETY: there are sixteen lanes.
        let mut half = unsafe { EightLanes::new(stretch, &starts, lane) };
        for s in 0..stretch.steps {
            // SAFETY: the samples lie inside by the caller's promise.
            swept.rest[s as usize] |= unsafe { half.take_step::<T>(&cells, s) } << lane;
        }
        // SAFETY: arrays of sixteen numbers of 32 bits.
        unsafe {
            _mm256_storeu_ps(swept.value.as_mut_ptr().add(lane), half.best);
            _mm256_storeu_ps(swept.at.as_mut_ptr().add(lane).cast(), half.at);
        }
    }
    swept
}

/// Where the voxels of a stretch lie.
struct Cells {
    /// The voxel at the corner.
    base: *const u8,
    /// Where the one at the corner would be after [`AHEAD`] more samples, give or take a voxel.
    ahead: *const u8,
    /// Bytes from a voxel to its neighbours along y, along z, and to the one beyond both.
    rows: [isize; 4],
    strides: [i32; 3],
    /// See [`Corner::limits`].
    limits: [i32; 3],
}

impl Cells {
    fn new<T: Pixel>(sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Self {
        let [_, y, z] = sampler.strides;
        let strides = sampler.strides.map(|stride| stride as i32);
        let limits = stretch.corner.limits(sampler);
        let base = stretch.corner.address(sampler);
        Self { base, ahead: stretch.ahead(sampler, base), rows: [0, y, z, y + z], strides, limits }
    }
}

/// Half of the rays of a packet.
struct EightLanes {
    /// Two times four numbers of 64 bits for each axis; see [`load6_avx2`].
    position: [[__m256i; 2]; 3],
    step: [[__m256i; 2]; 3],
    first: __m256i,
    last: __m256i,
    best: __m256,
    at: __m256,
}

impl EightLanes {
    /// # Safety
    /// `lane` must be at most 8.
    #[target_feature(enable = "avx2")]
    unsafe fn new(stretch: &Stretch<'_>, starts: &[[i64; 16]; 3], lane: usize) -> Self {
        // SAFETY: the caller's promise; arrays of sixteen numbers, of 32 and of 64 bits.
        unsafe {
            Self {
                position: load6_avx2(starts, lane),
                step: load6_avx2(&stretch.packet.step, lane),
                first: _mm256_loadu_si256(stretch.first.as_ptr().add(lane).cast()),
                last: _mm256_loadu_si256(stretch.last.as_ptr().add(lane).cast()),
                best: _mm256_set1_ps(NOTHING),
                at: _mm256_setzero_ps(),
            }
        }
    }

    /// Takes sample `s` of each lane; returns those that lie in cells whose voxels cannot be read as pairs.
    ///
    /// # Safety
    /// As [`sweep_avx2`].
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn take_step<T: Pixel>(&mut self, cells: &Cells, s: i32) -> u16 {
        let now = _mm256_set1_epi32(s);
        let skipped = _mm256_or_si256(_mm256_cmpgt_epi32(self.first, now), _mm256_cmpgt_epi32(now, self.last));
        let mut outer = skipped;
        let mut offset = _mm256_setzero_si256();
        let mut part = [_mm256_setzero_ps(); 3];
        for (a, part) in part.iter_mut().enumerate() {
            let [low, high] = self.position[a].map(|p| _mm256_castsi256_ps(p));
            let cell = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
            let below = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
            *part = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32::<8>(below)), _mm256_set1_ps(FINEST));
            outer = _mm256_or_si256(outer, _mm256_cmpgt_epi32(cell, _mm256_set1_epi32(cells.limits[a])));
            offset = _mm256_add_epi32(offset, _mm256_mullo_epi32(cell, _mm256_set1_epi32(cells.strides[a])));
            let step = self.step[a];
            let [low, high] = self.position[a];
            self.position[a] = [_mm256_add_epi64(low, step[0]), _mm256_add_epi64(high, step[1])];
        }
        let [skipped, outside] = [skipped, outer].map(|m| _mm256_movemask_ps(_mm256_castsi256_ps(m)) as u16);
        let inner = !outside & 0xff;
        if inner != 0 {
            let offsets = readable(offset, inner);
            prefetch_cells(cells.ahead, cells.rows[3], &offsets);
            let mut lines = [_mm256_setzero_ps(); 4];
            for (line, row) in lines.iter_mut().zip(cells.rows) {
                // SAFETY: the voxels of inner cells and what `bytes_per_pair` says behind them can be read.
                let [a, b] = unsafe { pair_avx2::<T>(cells.base.wrapping_offset(row), &offsets) };
                *line = lerp_avx2(a, b, part[0]);
            }
            self.take_cell(lines, part, outer, now);
        }
        outside & !skipped
    }

    /// Takes a sample of each lane that is not `outer`, from what the four lines along x around it are worth.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn take_cell(&mut self, lines: [__m256; 4], part: [__m256; 3], outer: __m256i, now: __m256i) {
        let [near, next_y, next_z, beyond] = lines;
        let (near, far) = (lerp_avx2(near, next_y, part[1]), lerp_avx2(next_z, beyond, part[1]));
        let value = lerp_avx2(near, far, part[2]);
        let greater = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(value, self.best));
        let better = _mm256_castsi256_ps(_mm256_andnot_si256(outer, greater));
        self.best = _mm256_blendv_ps(self.best, value, better);
        self.at = _mm256_blendv_ps(self.at, _mm256_castsi256_ps(now), better);
    }
}

/// Brings two of the four lines along x of some cells into the cache, which mostly brings the other two: the one at the
/// corner and the one `beyond` it along y and z.
#[inline(always)]
fn prefetch_cells(base: *const u8, beyond: isize, offsets: &[i32]) {
    for line in [base, base.wrapping_offset(beyond)] {
        offsets.iter().for_each(|&offset| prefetch(line.wrapping_offset(offset as isize)));
    }
}

/// The offsets of the lanes in `inner`, of which there must be one; the others get one of theirs.
#[target_feature(enable = "avx2")]
#[inline]
fn readable(offset: __m256i, inner: u16) -> [i32; 8] {
    let mut offsets = [0; 8];
    // SAFETY: eight numbers of 32 bits.
    unsafe { _mm256_storeu_si256(offsets.as_mut_ptr().cast(), offset) };
    if inner != 0xff {
        let one = offsets[inner.trailing_zeros() as usize % 8];
        (0..8).filter(|lane| inner >> lane & 1 == 0).for_each(|lane| offsets[lane] = one);
    }
    offsets
}

/// Numbers 0, 1, 4, 5 and 2, 3, 6, 7 from `lane` on: their halves, shuffled together, are in order.
///
/// # Safety
/// `lane` must be at most 8.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn load6_avx2([x, y, z]: &[[i64; 16]; 3], lane: usize) -> [[__m256i; 2]; 3] {
    let load2 = |numbers: &[i64; 16]| {
        // SAFETY: the caller's promise.
        let pair = |i: usize| unsafe { _mm_loadu_si128(numbers.as_ptr().add(lane + i).cast()) };
        [_mm256_set_m128i(pair(4), pair(0)), _mm256_set_m128i(pair(6), pair(2))]
    };
    // Not `map`, which is compiled without these instructions and then called.
    [load2(x), load2(y), load2(z)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn lerp_avx2(a: __m256, b: __m256, part: __m256) -> __m256 {
    _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(b, a), part))
}

/// The voxels at `base + offset` and their neighbours along x. Single loads: the gather instruction is microcode on many
/// processors.
///
/// # Safety
/// They must be readable, with as many bytes behind as `bytes_per_pair` says.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn pair_avx2<T: Pixel>(base: *const u8, offsets: &[i32; 8]) -> [__m256; 2] {
    if matches!(T::TYPE, PixelType::F32 | PixelType::I32) {
        // SAFETY: the caller's promise.
        return unsafe { pair_of_words::<T>(base, offsets) };
    }
    let at = |lane: usize| {
        // SAFETY: the caller's promise: four bytes each.
        unsafe { base.wrapping_offset(offsets[lane] as isize).cast::<i32>().read_unaligned() }
    };
    let pairs = _mm256_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
    let (a, b) = match T::TYPE {
        PixelType::U8 => {
            let byte = _mm256_set1_epi32(0xff);
            (_mm256_and_si256(pairs, byte), _mm256_and_si256(_mm256_srli_epi32::<8>(pairs), byte))
        }
        PixelType::I8 => (
            _mm256_srai_epi32::<24>(_mm256_slli_epi32::<24>(pairs)),
            _mm256_srai_epi32::<24>(_mm256_slli_epi32::<16>(pairs)),
        ),
        PixelType::U16 => (_mm256_and_si256(pairs, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32::<16>(pairs)),
        _ => (_mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(pairs)), _mm256_srai_epi32::<16>(pairs)),
    };
    [_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)]
}

/// [`pair_avx2`] of voxels of 32 bits.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn pair_of_words<T: Pixel>(base: *const u8, offsets: &[i32; 8]) -> [__m256; 2] {
    let at = |lane: usize| base.wrapping_offset(offsets[lane] as isize);
    // SAFETY: the caller's promise: eight bytes each.
    let two = |i: usize| unsafe { _mm_loadh_pd(_mm_load_sd(at(i).cast()), at(i + 1).cast()) };
    let low = _mm256_castpd_ps(_mm256_set_m128d(two(4), two(0)));
    let high = _mm256_castpd_ps(_mm256_set_m128d(two(6), two(2)));
    let (a, b) = (_mm256_shuffle_ps::<0b10_00_10_00>(low, high), _mm256_shuffle_ps::<0b11_01_11_01>(low, high));
    if matches!(T::TYPE, PixelType::F32) {
        return [a, b];
    }
    [_mm256_cvtepi32_ps(_mm256_castps_si256(a)), _mm256_cvtepi32_ps(_mm256_castps_si256(b))]
}
