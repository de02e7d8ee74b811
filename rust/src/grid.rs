//! Sizes, indices, spacings and neighbourhoods of a voxel grid, always in the order `(x, y, z)`.

use crate::error::{Error, Result};

/// Voxel index `(x, y, z)`. Signed, because users pass negative ones, which must be refused.
pub type Index3 = [i64; 3];

/// Number of voxels along `(x, y, z)`; every entry is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size3([usize; 3]);

impl Size3 {
    /// Checks that no axis is empty and that eight bytes a voxel can be addressed.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for an empty axis, [`Error::TooLarge`] where the product overflows.
    pub fn new(size: [usize; 3]) -> Result<Self> {
        if let Some(axis) = size.iter().position(|&n| n == 0) {
            let name = ["size along x", "size along y", "size along z"][axis];
            return Err(Error::BadArgument { name, got: "0".into(), allowed: "every axis needs at least one voxel" });
        }
        let voxels = size.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        match voxels.and_then(|n| n.checked_mul(8)) {
            Some(bytes) if bytes <= isize::MAX as usize => Ok(Self(size)),
            _ => Err(Error::TooLarge { what: format!("{} x {} x {} voxels", size[0], size[1], size[2]) }),
        }
    }

    /// Voxels along x.
    #[inline(always)]
    pub fn x(self) -> usize {
        self.0[0]
    }
    /// Voxels along y.
    #[inline(always)]
    pub fn y(self) -> usize {
        self.0[1]
    }
    /// Voxels along z.
    #[inline(always)]
    pub fn z(self) -> usize {
        self.0[2]
    }
    /// As an array `[x, y, z]`.
    #[inline(always)]
    pub fn array(self) -> [usize; 3] {
        self.0
    }
    /// Number of voxels.
    #[inline(always)]
    pub fn voxels(self) -> usize {
        self.0[0] * self.0[1] * self.0[2]
    }
    /// Distance in voxels between neighbours along each axis of a contiguous array.
    #[inline(always)]
    pub fn strides(self) -> [usize; 3] {
        [1, self.0[0], self.0[0] * self.0[1]]
    }
    /// Offset of a voxel in a contiguous array.
    #[inline(always)]
    pub fn offset(self, v: [usize; 3]) -> usize {
        (v[2] * self.0[1] + v[1]) * self.0[0] + v[0]
    }
    /// The voxel at an offset: the inverse of [`Size3::offset`].
    #[inline(always)]
    pub fn voxel(self, offset: usize) -> [usize; 3] {
        let row = offset / self.0[0];
        [offset % self.0[0], row % self.0[1], row / self.0[1]]
    }
    /// Whether an index lies inside.
    pub fn contains(self, index: Index3) -> bool {
        (0..3).all(|a| index[a] >= 0 && (index[a] as u64) < self.0[a] as u64)
    }
    /// The index as unsigned, or the error that names it.
    ///
    /// # Errors
    /// [`Error::IndexOutside`].
    pub fn check(self, index: Index3, what: &'static str) -> Result<[usize; 3]> {
        if self.contains(index) {
            Ok(index.map(|i| i as usize))
        } else {
            Err(Error::IndexOutside { what, index, size: self })
        }
    }
    /// Calls `visit(neighbour)` for each of the up to six face neighbours of `v`.
    #[inline(always)]
    pub fn for_each_face_neighbour(self, v: [usize; 3], mut visit: impl FnMut([usize; 3])) {
        for axis in 0..3 {
            if v[axis] > 0 {
                let mut n = v;
                n[axis] -= 1;
                visit(n);
            }
            if v[axis] + 1 < self.0[axis] {
                let mut n = v;
                n[axis] += 1;
                visit(n);
            }
        }
    }
}

/// Distance in mm between voxel centres along `(x, y, z)`; every entry is finite and positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spacing3([f64; 3]);

impl Spacing3 {
    /// Unit spacing.
    pub const UNIT: Spacing3 = Spacing3([1.0; 3]);

    /// Checks that every entry is finite and positive.
    ///
    /// # Errors
    /// [`Error::BadArgument`].
    pub fn new(spacing: [f64; 3]) -> Result<Self> {
        if spacing.iter().all(|h| h.is_finite() && *h > 0.0) {
            return Ok(Self(spacing));
        }
        let got = format!("({}, {}, {})", spacing[0], spacing[1], spacing[2]);
        Err(Error::BadArgument { name: "spacing", got, allowed: "every entry must be finite and > 0 mm" })
    }

    /// As an array `[x, y, z]` in mm.
    #[inline(always)]
    pub fn array(self) -> [f64; 3] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_and_voxel_are_inverse() {
        let size = Size3::new([3, 4, 5]).unwrap();
        for offset in 0..size.voxels() {
            assert_eq!(size.offset(size.voxel(offset)), offset);
        }
    }

    #[test]
    fn empty_and_overflowing_sizes_are_refused() {
        assert!(matches!(Size3::new([3, 0, 5]), Err(Error::BadArgument { name: "size along y", .. })));
        assert!(matches!(Size3::new([usize::MAX, 2, 1]), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn a_corner_has_three_face_neighbours() {
        let size = Size3::new([3, 3, 3]).unwrap();
        let mut n = 0;
        size.for_each_face_neighbour([0, 2, 0], |_| n += 1);
        assert_eq!(n, 3);
    }

    #[test]
    fn outside_message_names_point_and_range() {
        let size = Size3::new([20, 20, 20]).unwrap();
        let text = size.check([100, 2, 3], "seed").unwrap_err().to_string();
        assert_eq!(text, "seed (100, 2, 3) lies outside the image: allowed x 0..19, y 0..19, z 0..19");
    }

    #[test]
    fn bad_spacing_is_refused() {
        for h in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Spacing3::new([1.0, h, 1.0]).is_err());
        }
    }
}
