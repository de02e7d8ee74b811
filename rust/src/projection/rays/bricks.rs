//! Upper bounds of a volume in bricks, so that rays can pass over what cannot raise their maximum.
//!
//! A fine brick covers 8 cells along each axis (a *cell* lies between eight voxels) and with them 9 voxels: any
//! sample taken in these cells is an average of those voxels. A coarse brick covers 8 fine ones along each axis.

use crate::cpu::{Vectorize, vectorize};
use crate::error::Result;
use crate::grid::Size3;
use crate::memory::try_filled;
use crate::pixel::dispatch_pixel;
use crate::projection::number::Number;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;

/// Cells of a fine brick along each axis, and fine bricks of a coarse one, as a power of two.
pub(super) const BRICK_BITS: u32 = 3;
const BRICK: usize = 1 << BRICK_BITS;

/// Upper bounds on an even grid of blocks.
#[derive(Debug, Clone)]
pub(super) struct Level {
    size: [usize; 3],
    bounds: Vec<f32>,
}

impl Level {
    fn new(size: [usize; 3]) -> Result<Self> {
        Ok(Self { size, bounds: try_filled(size.iter().product(), f32::NEG_INFINITY)? })
    }

    /// Greatest bound of the blocks `low ..= high`, or any that exceeds `enough`.
    #[inline(always)]
    pub(super) fn bound(&self, low: [usize; 3], high: [usize; 3], enough: f32) -> f32 {
        let mut bound = f32::NEG_INFINITY;
        for z in low[2]..=high[2] {
            for y in low[1]..=high[1] {
                let row = (z * self.size[1] + y) * self.size[0];
                for &b in &self.bounds[row + low[0]..=row + high[0]] {
                    if b > enough {
                        return b;
                    }
                    bound = if bound < b { b } else { bound };
                }
            }
        }
        bound
    }
}

/// Bounds of a volume in two levels.
#[derive(Debug, Clone)]
pub struct Bricks {
    pub(super) fine: Level,
    pub(super) coarse: Level,
    voxels: Size3,
}

impl Bricks {
    /// Reads the volume once and bounds its bricks.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], [`crate::Error::Cancelled`].
    pub fn build(voxels: &Voxels<'_>, control: &TaskControl) -> Result<Self> {
        dispatch_pixel!(voxels.pixel(), T => Self::build_typed::<T>(voxels, control))
    }

    fn build_typed<T: Number>(voxels: &Voxels<'_>, control: &TaskControl) -> Result<Self> {
        let cells = voxels.size().array().map(|n| n.max(2) - 1);
        let mut fine = Level::new(cells.map(|n| n.div_ceil(BRICK)))?;
        let [nx, ny, _] = fine.size;
        fine.bounds.par_chunks_mut(nx).enumerate().try_for_each(|(i, row)| {
            control.check()?;
            let width = voxels.size().x();
            let ends = Ends { low: try_filled(width, T::CEILING)?, high: try_filled(width, T::FLOOR)? };
            vectorize(BrickRow::<T> { voxels, y: i % ny, z: i / ny, row, ends });
            Ok(())
        })?;
        let coarse = fine.coarser()?;
        Ok(Self { fine, coarse, voxels: voxels.size() })
    }

    /// Size of the volume that was read.
    pub fn voxels(&self) -> Size3 {
        self.voxels
    }

    /// Bytes that the bounds take.
    pub fn bytes(&self) -> usize {
        4 * (self.fine.bounds.len() + self.coarse.bounds.len())
    }
}

impl Level {
    fn coarser(&self) -> Result<Self> {
        let mut coarse = Self::new(self.size.map(|n| n.div_ceil(BRICK)))?;
        let size = coarse.size;
        for (i, bound) in coarse.bounds.iter_mut().enumerate() {
            let block = [i % size[0], i / size[0] % size[1], i / size[0] / size[1]];
            let low = block.map(|b| b * BRICK);
            let high = std::array::from_fn(|a| (low[a] + BRICK).min(self.size[a]) - 1);
            *bound = self.bound(low, high, f32::INFINITY);
        }
        Ok(coarse)
    }
}

/// Least and greatest value of each column of a row of bricks: reused from row to row of voxels.
struct Ends<T> {
    low: Vec<T>,
    high: Vec<T>,
}

/// A row of fine bricks along x.
struct BrickRow<'a, 'v, T> {
    voxels: &'a Voxels<'v>,
    y: usize,
    z: usize,
    row: &'a mut [f32],
    ends: Ends<T>,
}

impl<T: Number> Vectorize for BrickRow<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let [nx, ny, nz] = self.voxels.size().array();
        for z in self.z * BRICK..nz.min((self.z + 1) * BRICK + 1) {
            for y in self.y * BRICK..ny.min((self.y + 1) * BRICK + 1) {
                self.take_row(y, z);
            }
        }
        for (x, bound) in self.row.iter_mut().enumerate() {
            let columns = x * BRICK..nx.min((x + 1) * BRICK + 1);
            let low = self.ends.low[columns.clone()].iter().fold(T::CEILING, |a, &b| if b < a { b } else { a });
            let high = self.ends.high[columns].iter().fold(T::FLOOR, |a, &b| if a < b { b } else { a });
            *bound = with_margin(low, high);
        }
    }
}

impl<T: Number> BrickRow<'_, '_, T> {
    #[inline(always)]
    fn take_row(&mut self, y: usize, z: usize) {
        let (low, high) = (self.ends.low.as_mut_slice(), self.ends.high.as_mut_slice());
        if self.voxels.strides()[0] == size_of::<T>() as isize {
            // SAFETY: the row lies inside.
            let row = unsafe { self.voxels.row_ptr(0, y, z) }.cast::<T>();
            // SAFETY: `x` is one of the row's voxels, and `T` is the pixel type, which `build` dispatched on.
            widen_ends(low, high, |x| unsafe { row.add(x).read_unaligned() });
        } else {
            // SAFETY: as above.
            widen_ends(low, high, |x| unsafe { self.voxels.get_unchecked([x, y, z]) });
        }
    }
}

/// Takes the voxel of each column.
#[inline(always)]
fn widen_ends<T: Number>(low: &mut [T], high: &mut [T], voxel: impl Fn(usize) -> T) {
    let high = &mut high[..low.len()];
    for x in 0..low.len() {
        let value = voxel(x);
        low[x] = if value < low[x] { value } else { low[x] };
        high[x] = if high[x] < value { value } else { high[x] };
    }
}

/// What no sample between voxels `low ..= high` can exceed.
///
/// Each of the three levels of linear interpolation rounds by at most `f32::EPSILON` times the range of its ends, so
/// a sixteenfold margin is safe; a constant brick is bounded exactly. Voxels that are not finite, or whose difference
/// is too large for single precision, can make any sample, and a brick of nothing but NaN none.
fn with_margin<T: Number>(low: T, high: T) -> f32 {
    let (low, high) = (f64::from(low.to_f32()), f64::from(high.to_f32()));
    if low > high {
        return f32::NEG_INFINITY;
    }
    let range = high - low;
    if range.is_nan() || range > f64::from(f32::MAX) {
        return f32::INFINITY;
    }
    let bound = high + 16.0 * f64::from(f32::EPSILON) * range;
    let rounded = bound as f32;
    if f64::from(rounded) < bound { rounded.next_up() } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::run_on;

    #[test]
    fn every_cell_is_bounded_by_its_brick() {
        let size = Size3::new([19, 10, 9]).unwrap();
        let data: Vec<i16> = (0..size.voxels()).map(|i| (i * 7919 % 1009) as i16 - 500).collect();
        let voxels = Voxels::from_slice(&data, size).unwrap();
        let bricks = run_on(2, || Bricks::build(&voxels, &TaskControl::default())).unwrap();
        assert_eq!((bricks.fine.size, bricks.coarse.size), ([3, 2, 1], [1, 1, 1]));
        for (v, &value) in data.iter().enumerate() {
            for corner in 0..8 {
                let cell: [usize; 3] = std::array::from_fn(|a| size.voxel(v)[a].wrapping_sub(corner >> a & 1));
                if (0..3).all(|a| cell[a] < size.array()[a] - 1) {
                    let brick = cell.map(|c| c >> BRICK_BITS);
                    assert!(bricks.fine.bound(brick, brick, f32::INFINITY) >= f32::from(value));
                }
            }
        }
        let all = bricks.coarse.bound([0; 3], [0; 3], f32::INFINITY);
        assert!((508.0..508.01).contains(&all), "{all}");
    }

    #[test]
    fn a_constant_brick_is_bounded_exactly_and_nan_by_nothing() {
        assert_eq!(with_margin(-1000i16, -1000), -1000.0);
        assert_eq!(with_margin(3e38f32, 3e38), 3e38);
        assert_eq!(with_margin(-3e38f32, 3e38), f32::INFINITY);
        assert_eq!(with_margin(f32::CEILING, f32::FLOOR), f32::NEG_INFINITY);
        assert_eq!(with_margin(f64::MIN, f64::MAX), f32::INFINITY);
    }
}
