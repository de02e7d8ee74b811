//! Where voxels are in memory: offsets, coordinates, neighbours.

use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};

/// Offset of a voxel in memory. Lists of voxels are long, so it has four bytes.
pub(super) type Offset = u32;

/// The grid of a volume whose voxels have offsets of four bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lattice {
    pub(super) size: Size3,
    /// Distance in memory between neighbours along (x, y, z).
    pub(super) strides: [usize; 3],
    /// Distance in mm between neighbours along (x, y, z).
    pub(super) spacing: [f64; 3],
    /// The smallest of them: the distance in phi between two layers.
    pub(super) h: f64,
}

impl Lattice {
    /// The grid of a volume.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above 2^32 - 1 voxels.
    pub(super) fn new(size: Size3, spacing: Spacing3) -> Result<Self> {
        if size.voxels() > Offset::MAX as usize {
            let [x, y, z] = size.array();
            let what = format!("{x} x {y} x {z} voxels; level sets evolve on at most {} voxels: crop it", Offset::MAX);
            return Err(Error::TooLarge { what });
        }
        let spacing = spacing.array();
        let h = spacing.into_iter().fold(f64::INFINITY, f64::min);
        Ok(Self { size, strides: size.strides(), spacing, h })
    }

    /// Value of phi far outside; its negative is the value far inside.
    pub(super) fn far(&self) -> f32 {
        (4.0 * self.h) as f32
    }

    /// What is added to norms that are divided by, in the unit of phi.
    pub(super) fn tiny(&self) -> f32 {
        (f64::from(1e-6f32) * self.h) as f32
    }

    /// The voxel at an offset.
    #[inline(always)]
    pub(super) fn voxel(&self, at: Offset) -> [usize; 3] {
        self.size.voxel(at as usize)
    }

    /// Whether a voxel is on the frame, the outermost layer of the volume.
    #[inline]
    pub(super) fn on_frame(&self, at: Offset) -> bool {
        let (voxel, size) = (self.voxel(at), self.size.array());
        (0..3).any(|a| voxel[a] == 0 || voxel[a] + 1 == size[a])
    }

    /// The face neighbours inside the volume, in the order -z -y -x +x +y +z.
    #[inline]
    pub(super) fn neighbours(&self, at: Offset) -> impl Iterator<Item = Offset> {
        let (voxel, size) = (self.voxel(at), self.size.array());
        let strides = self.strides.map(|step| step as Offset);
        let lower = move |a: usize| (voxel[a] > 0).then(|| at - strides[a]);
        let upper = move |a: usize| (voxel[a] + 1 < size[a]).then(|| at + strides[a]);
        [lower(2), lower(1), lower(0), upper(0), upper(1), upper(2)].into_iter().flatten()
    }

    /// The offset of a voxel, moved to the nearest one inside where it is outside.
    #[inline]
    pub(super) fn clamped(&self, voxel: [i64; 3]) -> usize {
        let size = self.size.array();
        let inside = |a: usize| voxel[a].clamp(0, size[a] as i64 - 1) as usize;
        self.size.offset([inside(0), inside(1), inside(2)])
    }
}
