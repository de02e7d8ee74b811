//! The grid of tiles over a volume: where tiles, blocks and voxels are, and which of two colours they have.

use super::shape::{Face, Shape, is_low};
use crate::error::{Error, Result};
use crate::grid::Size3;

/// The grid of tiles over a volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileGrid {
    /// Voxels of the volume.
    pub(crate) size: Size3,
    /// Shape of the tiles.
    pub(crate) shape: &'static Shape,
    /// Tiles along each axis.
    pub(crate) tiles: [usize; 3],
    /// Tiles along each axis of a block, as a power of two.
    block_bits: u32,
    /// Blocks along each axis.
    blocks: [usize; 3],
}

impl TileGrid {
    /// Tiles that cover `size`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more than 2^32 tiles (2^41 voxels).
    pub(crate) fn new(size: Size3) -> Result<Self> {
        let shape = Shape::of(size.z());
        let tiles: [usize; 3] = std::array::from_fn(|a| size.array()[a].div_ceil(shape.voxels[a]));
        let count = tiles.iter().try_fold(1usize, |n, t| n.checked_mul(*t));
        match count {
            Some(n) if n < u32::MAX as usize => {
                let block_bits = block_bits(tiles);
                let blocks = tiles.map(|n| n.div_ceil(1 << block_bits));
                Ok(Self { size, shape, tiles, block_bits, blocks })
            }
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

    /// Number of the tile at a place.
    #[inline(always)]
    pub(crate) fn tile(&self, place: [usize; 3]) -> u32 {
        ((place[2] * self.tiles[1] + place[1]) * self.tiles[0] + place[0]) as u32
    }

    /// 0 or 1, from a place: face neighbours differ. For places of tiles as for those of blocks.
    #[inline(always)]
    pub(crate) fn colour(place: [usize; 3]) -> usize {
        (place[0] + place[1] + place[2]) & 1
    }

    /// Number of blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.iter().product()
    }

    /// Number of the block that holds the tile at `place`.
    #[inline(always)]
    pub(crate) fn block(&self, place: [usize; 3]) -> u32 {
        let ([bx, by, bz], [nx, ny, _]) = (place.map(|p| p >> self.block_bits), self.blocks);
        (bx + nx * (by + ny * bz)) as u32
    }

    /// Colour of a block.
    pub(crate) fn block_colour(&self, block: u32) -> usize {
        let (block, [nx, ny, _]) = (block as usize, self.blocks);
        Self::colour([block % nx, block / nx % ny, block / nx / ny])
    }

    /// Place of the tile across a face of the tile at `place`, if there is one.
    #[inline(always)]
    pub(crate) fn across(&self, place: [usize; 3], face: Face) -> Option<[usize; 3]> {
        let (axis, mut other) = (face / 2, place);
        if is_low(face) {
            other[axis] = place[axis].checked_sub(1)?;
        } else {
            other[axis] = place[axis] + 1;
        }
        (other[axis] < self.tiles[axis]).then_some(other)
    }

    /// First voxel of a tile, and how many voxels of it lie in the volume along each axis.
    #[inline(always)]
    pub(crate) fn extent(&self, tile: u32) -> ([usize; 3], [usize; 3]) {
        let (place, size) = (self.place(tile), self.size.array());
        let start: [usize; 3] = std::array::from_fn(|a| place[a] * self.shape.voxels[a]);
        (start, std::array::from_fn(|a| self.shape.voxels[a].min(size[a] - start[a])))
    }

    /// Tile, brick and lane of a voxel.
    pub(crate) fn locate(&self, v: [usize; 3]) -> (u32, usize, usize) {
        let place = std::array::from_fn(|a| v[a] / self.shape.voxels[a]);
        let (brick, lane) = self.shape.locate(std::array::from_fn(|a| v[a] % self.shape.voxels[a]));
        (self.tile(place), brick, lane)
    }
}

/// Tiles along each axis of a block. At 8 the part of a front inside, some hundred tiles, fits the cache of a core; a
/// grid too small for that many gets smaller blocks, so that there are some for every worker. It depends on nothing
/// but the grid: what is visited together has an influence on the work, though none on the result.
fn block_bits(tiles: [usize; 3]) -> u32 {
    let enough = |bits: &u32| tiles.iter().map(|n| n.div_ceil(1 << bits)).product::<usize>() >= 64;
    [3, 2].into_iter().find(enough).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::super::shape::{FACES, opposite};
    use super::*;

    fn cube(n: usize) -> TileGrid {
        TileGrid::new(Size3::new([n; 3]).unwrap()).unwrap()
    }

    #[test]
    fn a_volume_beyond_two_to_the_31_voxels_is_addressed() {
        let size = Size3::new([5000, 3000, 2000]).unwrap();
        let grid = TileGrid::new(size).unwrap();
        let v = [4999, 2998, 1997];
        let (tile, brick, lane) = grid.locate(v);
        let (start, extent) = grid.extent(tile);
        assert_eq!(extent, [8.min(5000 - start[0]), 8.min(3000 - start[1]), 8]);
        let inside = grid.shape.voxel(brick, lane);
        assert_eq!([0, 1, 2].map(|a| start[a] + inside[a]), v);
    }

    #[test]
    fn blocks_are_large_in_large_grids_and_many_in_small_ones() {
        assert_eq!([32, 64, 128, 255, 256, 1024].map(|n| 1 << cube(n).block_bits), [2, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn neighbouring_tiles_and_blocks_differ_in_colour() {
        // Even and odd numbers of blocks along each axis.
        for size in [[70, 30, 40], [40, 70, 30], [30, 40, 70], [70, 70, 70]] {
            let grid = TileGrid::new(Size3::new(size).unwrap()).unwrap();
            let mut used = vec![false; grid.block_count()];
            for tile in 0..grid.count() as u32 {
                let place = grid.place(tile);
                assert_eq!(grid.tile(place), tile);
                used[grid.block(place) as usize] = true;
                for face in 0..FACES {
                    let Some(other) = grid.across(place, face) else { continue };
                    assert_ne!(TileGrid::colour(place), TileGrid::colour(other));
                    assert_eq!(grid.across(other, opposite(face)), Some(place));
                    let blocks = [grid.block(place), grid.block(other)];
                    if blocks[0] != blocks[1] {
                        assert_ne!(grid.block_colour(blocks[0]), grid.block_colour(blocks[1]));
                    }
                }
            }
            assert!(used.iter().all(|block| *block), "{size:?}");
        }
    }
}
