//! Sizes, pixel type and components of an image, and where a time step lies in memory.

use crate::error::{Error, Result};
use crate::pixel::PixelType;
use std::ops::Range;

/// How the voxels of an image lie in memory: component fastest, then x, y, z, t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pixel: PixelType,
    components: usize,
    /// `(x, y, z, t)`, 1 beyond `dimensions`.
    size: [usize; 4],
    dimensions: usize,
    bytes: usize,
}

impl Layout {
    /// A layout of two to four axes `(x, y, z, t)`.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for another number of axes, an empty axis or no components; [`Error::TooLarge`].
    pub fn new(pixel: PixelType, axes: &[usize], components: usize) -> Result<Self> {
        if !(2..=4).contains(&axes.len()) {
            return Err(bad("number of dimensions", axes.len(), "2, 3 or 4"));
        }
        if let Some(axis) = axes.iter().position(|&n| n == 0) {
            let name = ["size along x", "size along y", "size along z", "number of time steps"][axis];
            return Err(bad(name, 0, "every axis needs at least one voxel"));
        }
        if components == 0 {
            return Err(bad("number of components", 0, "at least 1"));
        }
        let mut size = [1; 4];
        size[..axes.len()].copy_from_slice(axes);
        let bytes = checked_bytes(pixel, axes, components)?;
        Ok(Self { pixel, components, size, dimensions: axes.len(), bytes })
    }

    /// Type of a component.
    pub fn pixel(&self) -> PixelType {
        self.pixel
    }

    /// Components of a voxel.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Sizes `(x, y, z, t)` of the axes the image has.
    pub fn axes(&self) -> &[usize] {
        &self.size[..self.dimensions]
    }

    /// Number of time steps.
    pub fn steps(&self) -> usize {
        self.size[3]
    }

    /// Bytes of all voxels.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where a time step lies, or all of them.
    ///
    /// # Errors
    /// [`Error::NoSuchStep`].
    pub fn byte_range(&self, step: Option<usize>) -> Result<Range<usize>> {
        let bytes = self.bytes / self.steps();
        match step {
            None => Ok(0..self.bytes),
            Some(step) if step < self.steps() => Ok(step * bytes..(step + 1) * bytes),
            Some(step) => Err(Error::NoSuchStep { step, steps: self.steps() }),
        }
    }

    /// Sizes in the order of an array, slowest first: `(t, z, y, x, component)`, without the axes that the image (or
    /// one time step of it) does not have.
    pub fn shape(&self, step: Option<usize>) -> Vec<usize> {
        let dimensions = if step.is_some() { self.dimensions.min(3) } else { self.dimensions };
        let mut shape: Vec<usize> = self.size[..dimensions].iter().rev().copied().collect();
        if self.components > 1 {
            shape.push(self.components);
        }
        shape
    }
}

fn bad(name: &'static str, got: usize, allowed: &'static str) -> Error {
    Error::BadArgument { name, got: got.to_string(), allowed }
}

fn checked_bytes(pixel: PixelType, axes: &[usize], components: usize) -> Result<usize> {
    let product = axes.iter().try_fold(components, |product, &n| product.checked_mul(n));
    match product.and_then(|n| n.checked_mul(pixel.size())) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(bytes),
        _ => {
            let sizes: Vec<String> = axes.iter().map(usize::to_string).collect();
            let voxels = sizes.join(" x ");
            Err(Error::TooLarge { what: format!("{voxels} voxels of {components} x {}", pixel.name()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_slowest_axis_first() {
        let shape = |axes: &[usize], c, step| Layout::new(PixelType::U8, axes, c).unwrap().shape(step);
        assert_eq!(shape(&[10, 20], 1, None), [20, 10]);
        assert_eq!(shape(&[10, 20, 30], 1, Some(0)), [30, 20, 10]);
        assert_eq!(shape(&[10, 20, 30, 4], 3, None), [4, 30, 20, 10, 3]);
        assert_eq!(shape(&[10, 20, 30, 4], 3, Some(1)), [30, 20, 10, 3]);
    }

    #[test]
    fn steps_lie_one_after_the_other() {
        let layout = Layout::new(PixelType::I16, &[3, 4, 5, 6], 2).unwrap();
        assert_eq!(layout.byte_range(Some(2)), Ok(480..720));
        assert_eq!(layout.byte_range(None), Ok(0..1440));
        assert_eq!((layout.axes(), layout.components(), layout.bytes()), (&[3, 4, 5, 6][..], 2, 1440));
        assert_eq!(layout.byte_range(Some(6)), Err(Error::NoSuchStep { step: 6, steps: 6 }));
    }

    #[test]
    fn bad_sizes_are_refused() {
        let refused = |axes: &[usize], c| Layout::new(PixelType::F64, axes, c).unwrap_err();
        assert!(matches!(refused(&[5], 1), Error::BadArgument { name: "number of dimensions", .. }));
        assert!(matches!(refused(&[5, 5, 5, 5, 5], 1), Error::BadArgument { .. }));
        assert!(matches!(refused(&[5, 0], 1), Error::BadArgument { name: "size along y", .. }));
        assert!(matches!(refused(&[5, 5], 0), Error::BadArgument { name: "number of components", .. }));
        assert!(matches!(refused(&[1 << 60, 1], 1), Error::TooLarge { .. }));
        let text = refused(&[usize::MAX, 3], 1).to_string();
        assert_eq!(text, format!("image too large: {} x 3 voxels of 1 x float64", usize::MAX));
    }
}
