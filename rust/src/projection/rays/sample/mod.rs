//! Sixteen rays sampled side by side, with the gather instructions of x86.
//!
//! The same arithmetic in the same order as [`Sampler::value`], so the bits are the same; samples in cells at the borders
//! of the volume, whose voxels cannot be read as pairs, are left to the caller.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::camera::{PLACES, Sampler};
use super::packet::{NOTHING, Packet, RAYS, STEPS};
use crate::cpu::Level;
use crate::pixel::{Pixel, PixelType};

/// The instructions to sample `sampler` with: those given if they can read its voxels, else none.
pub(super) fn fitting<T: Pixel>(level: Level, sampler: &Sampler<'_, T>) -> Level {
    let dense = sampler.strides[0] == size_of::<T>() as isize && sampler.size.iter().all(|&n| n > 1);
    if dense && bytes_per_pair(T::TYPE).is_some() { level } else { Level::Baseline }
}

/// Takes the samples of a stretch.
///
/// # Safety
/// * The level comes from [`fitting`] for this sampler.
/// * The corner of the stretch comes from [`Corner::of`] for its samples and this level.
/// * The samples from `first` to `last` of each lane lie inside the volume.
#[inline(always)]
pub(super) unsafe fn sweep<T: Pixel>(level: Level, sampler: &Sampler<'_, T>, stretch: &Stretch<'_>) -> Swept {
    match level {
        // SAFETY: the caller's promise; the token proves the instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(token) => unsafe { x86::sweep_avx512(token, sampler, stretch) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(token) => unsafe { x86::sweep_avx2(token, sampler, stretch) },
        _ => unreachable!("without gather instructions there are no corners"),
    }
}

/// The lowest cell of a box that holds all samples of a stretch; cells are counted from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corner(pub(super) [i64; 3]);

impl Corner {
    /// The corner of a box of positions, unless there are no gather instructions or offsets of voxels within the box may
    /// exceed 32 bits.
    #[inline(always)]
    pub(super) fn of<T>(sampler: &Sampler<'_, T>, level: Level, ends: [[i64; 2]; 3]) -> Option<Self> {
        let corner = ends.map(|[low, _]| low >> PLACES);
        let reach = |a: usize| {
            let cells = ((ends[a][1] >> PLACES) - corner[a]) as u64;
            (cells + 2).saturating_mul(sampler.strides[a].unsigned_abs() as u64)
        };
        let near = reach(0).saturating_add(reach(1)).saturating_add(reach(2)) < 1 << 30;
        let gathers = matches!(level, Level::Avx2(_) | Level::Avx512(_));
        (gathers && near).then_some(Self(corner))
    }

    /// Address of the voxel at the corner, which may lie outside.
    #[inline(always)]
    pub(super) fn address<T>(self, sampler: &Sampler<'_, T>) -> *const u8 {
        let offset: isize = (0..3).map(|a| (self.0[a] as isize).wrapping_mul(sampler.strides[a])).sum();
        sampler.base.wrapping_offset(offset)
    }

    /// The last cell along each axis, from the corner on, whose voxels can be read as pairs.
    #[inline(always)]
    pub(super) fn limits<T: Pixel>(self, sampler: &Sampler<'_, T>) -> [i32; 3] {
        let pair = bytes_per_pair(T::TYPE).unwrap_or(usize::MAX) / size_of::<T>();
        let last = [sampler.size[0] as i64 - pair as i64, sampler.size[1] as i64 - 2, sampler.size[2] as i64 - 2];
        std::array::from_fn(|a| (last[a] - self.0[a]).clamp(-1, i64::from(i32::MAX)) as i32)
    }
}

/// Samples to take: `steps` of each ray of a packet from sample `from` on, of them those `first ..= last` of each lane.
pub(super) struct Stretch<'p> {
    pub(super) packet: &'p Packet,
    pub(super) corner: Corner,
    pub(super) from: i64,
    pub(super) steps: i32,
    pub(super) first: [i32; RAYS],
    pub(super) last: [i32; RAYS],
}

impl Stretch<'_> {
    /// Positions of the rays' first samples, counted from the corner.
    #[inline(always)]
    pub(super) fn starts(&self) -> [[i64; RAYS]; 3] {
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
pub(super) struct Swept {
    pub(super) value: [f32; RAYS],
    pub(super) at: [i32; RAYS],
    pub(super) rest: [u16; STEPS as usize],
}

impl Default for Swept {
    fn default() -> Self {
        Self { value: [NOTHING; RAYS], at: [0; RAYS], rest: [0; STEPS as usize] }
    }
}

/// Bytes that reading two neighbours along x touches from the first on; `None` for types that are read one by one.
pub(super) const fn bytes_per_pair(pixel: PixelType) -> Option<usize> {
    match pixel {
        PixelType::U8 | PixelType::I8 | PixelType::U16 | PixelType::I16 => Some(4),
        PixelType::I32 | PixelType::F32 => Some(8),
        _ => None,
    }
}
