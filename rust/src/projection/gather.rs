//! Sixteen samples of a ray at once, with the gather instructions of x86.
//!
//! The same arithmetic in the same order as [`Grid::value`], so the bits are the same; used where all sixteen samples
//! lie in cells whose eight voxels can be read without looking at the borders.

use super::rays::{Fixed3, Grid, PLACES, Ray};
use crate::pixel::{Pixel, PixelType};

/// Samples that are computed together.
pub(super) const LANES: i64 = 16;

/// Which instructions compute them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// One sample after the other.
    Scalar,
    /// 512-bit gathers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit gathers.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Unit {
    /// The fastest unit that can sample `grid` along steps of at most `step`.
    pub(super) fn best<T: Pixel>(grid: &Grid<'_, T>, step: Fixed3) -> Self {
        let apart = step.map(|s| ((s.unsigned_abs() * LANES as u64) >> PLACES) + 2);
        let reach: u64 = (0..3).map(|a| apart[a].saturating_mul(grid.strides[a].unsigned_abs() as u64)).sum();
        let dense = grid.strides[0] == size_of::<T>() as isize && grid.size.iter().all(|&n| n > 1);
        if dense && reach < 1 << 30 && bytes_per_pair(T::TYPE).is_some() { Self::available() } else { Self::Scalar }
    }

    #[cfg(target_arch = "x86_64")]
    fn available() -> Self {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512bw") && has!("avx512dq") {
            Self::Avx512
        } else if has!("avx2") {
            Self::Avx2
        } else {
            Self::Scalar
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn available() -> Self {
        Self::Scalar
    }

    /// Largest of the [`LANES`] samples from `k` on and the first lane that has it; NaN counts as nothing.
    ///
    /// # Safety
    /// This unit must come from [`Unit::best`] for this grid and a step at least as large as the ray's, and all
    /// samples must lie in cells that [`is_inner`] allows.
    #[inline(always)]
    pub(super) unsafe fn best_of<T: Pixel>(self, grid: &Grid<'_, T>, ray: &Ray, k: i64) -> (f32, i64) {
        match self {
            Self::Scalar => unreachable!("the scalar unit has no lanes"),
            // SAFETY: the unit was chosen because the processor has it; the rest is the caller's promise.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { super::gather_x86::best_of_avx512(grid, ray.at(k), ray.step) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { super::gather_x86::best_of_avx2(grid, ray.at(k), ray.step) },
        }
    }
}

/// Bytes that reading two neighbours along x touches from the first on; `None` for types that only the scalar unit reads.
pub(super) const fn bytes_per_pair(pixel: PixelType) -> Option<usize> {
    match pixel {
        PixelType::U8 | PixelType::I8 | PixelType::U16 | PixelType::I16 => Some(4),
        PixelType::I32 | PixelType::F32 => Some(8),
        _ => None,
    }
}

/// Whether a sample at this position can be read with its neighbours, without looking at the borders.
#[inline(always)]
pub(super) fn is_inner<T: Pixel>(grid: &Grid<'_, T>, position: Fixed3) -> bool {
    let pair = bytes_per_pair(T::TYPE).unwrap_or(usize::MAX) / size_of::<T>();
    let limits = [grid.size[0] as i64 - pair as i64, grid.size[1] as i64 - 2, grid.size[2] as i64 - 2];
    (0..3).all(|a| position[a] >= 0 && position[a] >> PLACES <= limits[a])
}
