//! A front's view of the volume while a phase runs: geometry of the tiles, directory, speeds, and the window.

use super::shape::{Face, Mask, NONE, Shape, VOXELS, place_in_tile};
use super::slot::{Budget, Pool, Slot, Zeroed};
use crate::eikonal::speed::Speed;
use crate::eikonal::upwind::inverse_squares;
use crate::eikonal::{Seed, Time};
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicUsize};

/// The grid of tiles over a volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileGrid<H> {
    /// Voxels of the volume.
    pub(crate) size: Size3,
    /// Tiles along each axis.
    pub(crate) tiles: [usize; 3],
    /// Tiles along each axis of a block.
    block: usize,
    shape: PhantomData<H>,
}

impl<H: Shape> TileGrid<H> {
    /// Tiles that cover `size`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more than 2^32 tiles (2^41 voxels).
    pub(crate) fn new(size: Size3) -> Result<Self> {
        let tiles: [usize; 3] = std::array::from_fn(|a| size.array()[a].div_ceil(H::BOX[a]));
        let count = tiles.iter().try_fold(1usize, |n, t| n.checked_mul(*t));
        match count {
            Some(n) if n < u32::MAX as usize => Ok(Self { size, tiles, block: block_size(tiles), shape: PhantomData }),
            _ => Err(Error::TooLarge { what: format!("{} x {} x {} tiles", tiles[0], tiles[1], tiles[2]) }),
        }
    }

    /// Number of tiles.
    pub(crate) fn count(&self) -> usize {
        self.tiles.iter().product()
    }

    /// Place of a tile in the grid.
    #[inline(always)]
    pub(crate) fn place(&self, tile: u32) -> [usize; 3] {
        let (tile, [nx, ny, _]) = (tile as usize, self.tiles);
        [tile % nx, tile / nx % ny, tile / nx / ny]
    }

    /// Black or red, from a place: face neighbours differ. For places of tiles as for those of blocks.
    #[inline(always)]
    pub(crate) fn colour(place: [usize; 3]) -> usize {
        (place[0] + place[1] + place[2]) & 1
    }

    /// Place of the block that holds the tile at `place`.
    #[inline(always)]
    pub(crate) fn block(&self, place: [usize; 3]) -> [usize; 3] {
        place.map(|p| p / self.block)
    }

    /// A tile on its way to the queue of its block.
    #[inline(always)]
    pub(crate) fn ticket(&self, tile: u32, place: [usize; 3]) -> Ticket {
        let [bx, by, bz] = self.block(place);
        let [nx, ny, _] = self.tiles.map(|n| n.div_ceil(self.block));
        Ticket { block: (bx + nx * (by + ny * bz)) as u32, tile }
    }

    /// The tile across a face, if there is one.
    #[inline(always)]
    pub(crate) fn across(&self, tile: u32, place: [usize; 3], face: Face) -> Option<u32> {
        let step = [1, self.tiles[0], self.tiles[0] * self.tiles[1]][face.axis] as u32;
        if face.high {
            (place[face.axis] + 1 < self.tiles[face.axis]).then(|| tile + step)
        } else {
            (place[face.axis] > 0).then(|| tile - step)
        }
    }

    /// First voxel of a tile, and how many voxels of it lie in the volume along each axis.
    #[inline(always)]
    pub(crate) fn extent(&self, tile: u32) -> ([usize; 3], [usize; 3]) {
        let place = self.place(tile);
        let start: [usize; 3] = std::array::from_fn(|a| place[a] * H::BOX[a]);
        (start, std::array::from_fn(|a| H::BOX[a].min(self.size.array()[a] - start[a])))
    }

    /// Voxels of a tile that lie in the volume.
    pub(crate) fn inside(&self, tile: u32) -> Mask {
        let (_, extent) = self.extent(tile);
        if extent == H::BOX {
            return [u64::MAX; VOXELS / 64];
        }
        let mut mask = NONE;
        for bit in 0..VOXELS {
            let v = place_in_tile::<H>(bit);
            let within = (0..3).all(|a| v[a] < extent[a]);
            mask[bit / 64] |= u64::from(within) << (bit % 64);
        }
        mask
    }

    /// Tile and bit of a voxel.
    pub(crate) fn locate(&self, v: [usize; 3]) -> (u32, usize) {
        let place: [usize; 3] = std::array::from_fn(|a| v[a] / H::BOX[a]);
        let tile = (place[2] * self.tiles[1] + place[1]) * self.tiles[0] + place[0];
        let bit = (0..3).map(|a| v[a] % H::BOX[a] * H::STRIDE[a]).sum();
        (tile as u32, bit)
    }
}

/// Tiles along each axis of a block. At 8 the part of a front inside, some hundred tiles, fits the cache of a core; a
/// grid too small for that many gets smaller blocks, so that there are some for every worker. It depends on nothing
/// but the grid: what is visited together has an influence on the work, though none on the result.
fn block_size(tiles: [usize; 3]) -> usize {
    let enough = |block: &usize| tiles.iter().map(|n| n.div_ceil(*block)).product::<usize>() >= 64;
    [8, 4].into_iter().find(enough).unwrap_or(2)
}

/// A tile that is to be visited, and the number of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) block: u32,
    pub(crate) tile: u32,
}

/// A seed inside its tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TileSeed<T> {
    pub(crate) tile: u32,
    pub(crate) bit: usize,
    pub(crate) time: T,
}

/// What workers share while a phase runs.
pub(crate) struct Field<'a, T: Time, H: Shape> {
    pub(crate) grid: TileGrid<H>,
    pub(crate) directory: Zeroed<AtomicUsize>,
    pub(crate) queued: Zeroed<AtomicU8>,
    pub(crate) pool: Pool<Slot<T, H>>,
    /// Sorted by tile.
    pub(crate) seeds: Vec<TileSeed<T>>,
    /// `1 / h^2` per axis.
    pub(crate) inverse_h2: [f64; 3],
    /// Whether the spacing is the same along all axes.
    pub(crate) isotropic: bool,
    /// The window: voxels up to this time are released.
    pub(crate) window_end: T,
    /// Number of the window, from 1.
    pub(crate) window: u32,
    speed: &'a Speed<'a>,
}

impl<'a, T: Time, H: Shape> Field<'a, T, H> {
    /// A volume that no front has touched.
    pub(crate) fn new(speed: &'a Speed<'a>, spacing: Spacing3, seeds: &[Seed], budget: &Budget) -> Result<Self> {
        let grid = TileGrid::<H>::new(speed.size())?;
        let h = spacing.array();
        Ok(Self {
            directory: Zeroed::new(grid.count())?,
            queued: Zeroed::new(grid.count())?,
            pool: Pool::new(budget),
            seeds: place_seeds(&grid, seeds)?,
            inverse_h2: inverse_squares(h),
            isotropic: h[0] == h[1] && h[1] == h[2],
            window_end: T::default(),
            window: 0,
            grid,
            speed,
        })
    }

    /// Seeds inside a tile.
    pub(crate) fn seeds_of(&self, tile: u32) -> &[TileSeed<T>] {
        let first = self.seeds.partition_point(|s| s.tile < tile);
        let len = self.seeds[first..].partition_point(|s| s.tile == tile);
        &self.seeds[first..first + len]
    }

    /// Reads the speeds of a tile, and returns the voxels that no front can enter.
    pub(crate) fn read_speed(&self, tile: u32, speed: &mut [T; VOXELS]) -> Mask {
        let (start, extent) = self.grid.extent(tile);
        if extent != H::BOX {
            speed.fill(T::default());
        }
        self.speed.read_box(start, extent, [H::STRIDE[1], H::STRIDE[2]], speed);
        let mut blocked = NONE;
        for (word, speeds) in blocked.iter_mut().zip(speed.chunks_exact(64)) {
            for (bit, speed) in speeds.iter().enumerate() {
                *word |= u64::from(*speed <= T::default()) << bit;
            }
        }
        blocked
    }

    /// The largest speed among the face neighbours of the seeds, for a first guess of the window.
    pub(crate) fn speed_at_seeds(&self, seeds: &[Seed]) -> f64 {
        let size = self.grid.size;
        let mut fastest = 0.0f64;
        for v in seeds.iter().filter_map(|s| size.check(s.index, "seed").ok()).take(64) {
            size.for_each_face_neighbour(v, |n| fastest = fastest.max(self.speed.at::<f64>(n)));
        }
        fastest
    }
}

/// Seeds by tile; of several at one voxel the last counts.
fn place_seeds<T: Time, H: Shape>(grid: &TileGrid<H>, seeds: &[Seed]) -> Result<Vec<TileSeed<T>>> {
    let mut placed = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let (tile, bit) = grid.locate(grid.size.check(seed.index, "seed")?);
        placed.push(TileSeed { tile, bit, time: T::from_f64(seed.time) });
    }
    placed.reverse();
    placed.sort_by_key(|s| (s.tile, s.bit));
    placed.dedup_by_key(|s| (s.tile, s.bit));
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Cube;
    use super::*;

    #[test]
    fn a_volume_beyond_two_to_the_31_voxels_is_addressed() {
        let size = Size3::new([5000, 3000, 2000]).unwrap();
        let grid = TileGrid::<Cube>::new(size).unwrap();
        let v = [4999, 2998, 1997];
        let (tile, bit) = grid.locate(v);
        let (start, extent) = grid.extent(tile);
        assert_eq!(extent, [8.min(5000 - start[0]), 8.min(3000 - start[1]), 8]);
        assert_eq!([start[0] + bit % 8, start[1] + bit / 8 % 8, start[2] + bit / 64], v);
        assert_eq!(size.voxel(size.offset(v)), v);
    }

    #[test]
    fn blocks_are_large_in_large_grids_and_many_in_small_ones() {
        let blocks = |n: usize| TileGrid::<Cube>::new(Size3::new([n; 3]).unwrap()).unwrap().block;
        assert_eq!([32, 64, 128, 255, 256, 1024].map(blocks), [2, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn neighbouring_tiles_differ_in_colour() {
        let grid = TileGrid::<Cube>::new(Size3::new([20, 30, 40]).unwrap()).unwrap();
        for tile in 0..grid.count() as u32 {
            for face in Face::ALL {
                if let Some(other) = grid.across(tile, grid.place(tile), face) {
                    let colours = [tile, other].map(|t| TileGrid::<Cube>::colour(grid.place(t)));
                    assert_ne!(colours[0], colours[1]);
                    assert_eq!(grid.across(other, grid.place(other), face.opposite()), Some(tile));
                }
            }
        }
    }
}
