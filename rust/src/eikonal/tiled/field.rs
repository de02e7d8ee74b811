//! What workers share while a phase runs: geometry of the tiles, directory, speeds, seeds, the window.

use super::grid::TileGrid;
use super::shape::{BRICKS, FACES, Face, LANES, Shape};
use super::solve::Steps;
use super::tile::{Bricks, Entry, Tile, TilePool, Word};
use crate::eikonal::axes::Axes;
use crate::eikonal::speed::{BadSpeed, Speed};
use crate::eikonal::{Seed, Time};
use crate::error::Result;
use crate::grid::Spacing3;
use crate::memory::{Budget, Zeroed};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};

/// A seed inside its tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TileSeed<T> {
    pub(crate) tile: u32,
    pub(crate) brick: usize,
    pub(crate) lane: usize,
    pub(crate) time: T,
}

/// [`Field::flags`]: the tile waits to be visited.
const QUEUED: u8 = 1;
/// [`Field::flags`]: every voxel of the tile that can be reached is final.
const FULL: u8 = 2;

/// What fronts march through.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) speed: &'a Speed<'a>,
    pub(crate) spacing: Spacing3,
    /// The order in which the axes of the caller are seen.
    pub(crate) axes: Axes,
}

/// A front's view of the volume. Workers change the directory and the flags of tiles that are theirs (I2), the leader
/// everything, between phases.
pub(crate) struct Field<'a, T: Time> {
    pub(crate) grid: TileGrid,
    pub(crate) directory: Zeroed<Word<T>>,
    flags: Zeroed<AtomicU8>,
    pub(crate) pool: TilePool<T>,
    /// Sorted by tile.
    pub(crate) seeds: Vec<TileSeed<T>>,
    pub(crate) steps: Steps,
    /// The window: changes up to this time are passed on.
    pub(crate) window_end: T,
    /// Number of the window, from 1.
    pub(crate) window: u32,
    /// Times of a tile that no front has reached.
    far: Box<Bricks<T>>,
    speed: &'a Speed<'a>,
}

impl<'a, T: Time> Field<'a, T> {
    /// A volume that no front has touched.
    pub(crate) fn new(place: &Place<'a>, seeds: &[Seed], budget: &Budget) -> Result<Self> {
        let grid = TileGrid::new(place.speed.size())?;
        Ok(Self {
            directory: Zeroed::new(grid.count())?,
            flags: Zeroed::new(grid.count())?,
            pool: TilePool::new(budget),
            seeds: place_seeds(&grid, seeds)?,
            steps: Steps::new(place.spacing, place.axes),
            window_end: T::LOWEST,
            window: 0,
            far: Box::new(Bricks::FAR),
            grid,
            speed: place.speed,
        })
    }

    /// Seeds inside a tile.
    pub(crate) fn seeds_of(&self, tile: u32) -> &[TileSeed<T>] {
        let first = self.seeds.partition_point(|s| s.tile < tile);
        let len = self.seeds[first..].partition_point(|s| s.tile == tile);
        &self.seeds[first..first + len]
    }

    /// What the directory says about a tile.
    #[inline(always)]
    pub(crate) fn entry(&self, tile: u32) -> Entry<T> {
        self.directory[tile as usize].get()
    }

    /// Times of the tile at a place, wherever they are; those of a tile that no front has reached where there are none.
    #[inline(always)]
    pub(crate) fn times(&self, place: Option<[usize; 3]>) -> *const Bricks<T> {
        match place.map(|place| self.entry(self.grid.tile(place))) {
            // SAFETY: a live tile; only an address is taken.
            Some(Entry::Live(tile)) => unsafe { Tile::times(tile) as *const Bricks<T> },
            Some(Entry::Kept(times)) => times,
            // No voxel across the face of a retired tile has a neighbour in it that was reached (I5).
            _ => &raw const *self.far,
        }
    }

    /// Times of the tiles behind the faces of the tile at `place`.
    #[inline(always)]
    pub(crate) fn across(&self, place: [usize; 3]) -> [*const T; FACES] {
        let mut across = [std::ptr::null(); FACES];
        for (face, across) in across.iter_mut().enumerate() {
            *across = self.times(self.grid.across(place, face as Face)).cast();
        }
        across
    }

    /// Times of the tile at a place and of those around it.
    pub(crate) fn surroundings(&self, place: [usize; 3]) -> Surroundings<'_, T> {
        let (own, across) = (self.times(Some(place)).cast(), self.across(place));
        Surroundings { own, across, shape: self.grid.shape, field: PhantomData }
    }

    /// Whether every voxel of a tile that can be reached is final.
    #[inline(always)]
    pub(crate) fn is_full(&self, tile: u32) -> bool {
        self.flags[tile as usize].load(Ordering::Relaxed) & FULL != 0
    }

    /// Declares a tile full. For the leader, between phases.
    pub(crate) fn set_full(&self, tile: u32) {
        self.flags[tile as usize].fetch_or(FULL, Ordering::Relaxed);
    }

    /// Declares a tile queued that several workers may queue at once; whether it was not queued before.
    #[inline(always)]
    pub(crate) fn queue_shared(&self, tile: u32) -> bool {
        let flags = &self.flags[tile as usize];
        flags.load(Ordering::Relaxed) & QUEUED == 0 && flags.fetch_or(QUEUED, Ordering::Relaxed) & QUEUED == 0
    }

    /// Declares a tile queued that nobody else can queue now; whether it was not queued before.
    #[inline(always)]
    pub(crate) fn queue_own(&self, tile: u32) -> bool {
        let flags = &self.flags[tile as usize];
        let old = flags.load(Ordering::Relaxed);
        flags.store(old | QUEUED, Ordering::Relaxed);
        old & QUEUED == 0
    }

    /// Takes a tile out of the queue.
    #[inline(always)]
    pub(crate) fn unqueue(&self, tile: u32) {
        let flags = &self.flags[tile as usize];
        flags.store(flags.load(Ordering::Relaxed) & !QUEUED, Ordering::Relaxed);
    }

    /// Reads the speeds of a tile. Of those that are no speeds, which become 0, the first in memory order is returned.
    pub(crate) fn read_speeds(&self, tile: u32, speeds: &mut Bricks<T>) -> Option<BadSpeed> {
        let (start, extent) = self.grid.extent(tile);
        let (shape, mut rows) = (self.grid.shape, [T::default(); BRICKS * LANES]);
        let [nx, ny, _] = shape.voxels;
        self.speed.read_box(start, extent, [nx, nx * ny], &mut rows);
        let good = rows.iter().fold(true, |all, v| all & (*v >= T::default()) & (*v <= T::HIGHEST));
        let bad = if good { None } else { self.speed.first_bad(start, extent) };
        if bad.is_some() {
            rows.iter_mut().for_each(|v| *v = if *v >= T::default() { *v } else { T::default() });
        }
        rows_to_bricks(shape.bricks, &rows, speeds);
        bad
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

/// Times of a tile and of those around it, for looking at them between phases of visits.
pub(crate) struct Surroundings<'f, T> {
    own: *const T,
    across: [*const T; FACES],
    shape: &'static Shape,
    field: PhantomData<&'f T>,
}

impl<T> Surroundings<'_, T> {
    /// Times of a brick.
    ///
    /// # Safety
    /// No visit may be running.
    #[inline(always)]
    pub(crate) unsafe fn own(&self, brick: usize) -> &[T; LANES] {
        // SAFETY: a brick of the tile (I4), which does not change (I1).
        unsafe { &*self.own.cast::<[T; LANES]>().add(brick % BRICKS) }
    }

    /// Times of the brick behind a face of a brick.
    ///
    /// # Safety
    /// No visit may be running.
    #[inline(always)]
    pub(crate) unsafe fn beside(&self, brick: usize, face: Face) -> &[T; LANES] {
        let inside = self.shape.inside[brick] >> face & 1 == 1;
        let (base, by) =
            if inside { (self.own, self.shape.near[face]) } else { (self.across[face], self.shape.far[face]) };
        // SAFETY: a brick of this tile or of the one across the face (I4), which do not change (I1).
        unsafe { &*base.cast::<[T; LANES]>().offset(brick as isize + by) }
    }
}

/// Pairs of voxels along x move between rows and bricks.
type Pair<T> = [T; 2];

/// Turns the rows of a tile into bricks.
fn rows_to_bricks<T: Time>(bricks: [usize; 3], rows: &[T; BRICKS * LANES], out: &mut Bricks<T>) {
    let (rows, out) = (rows.as_chunks::<2>().0, out.0.as_flattened_mut().as_chunks_mut::<2>().0);
    for_each_pair(bricks, |row, brick| out[brick % (4 * BRICKS)] = rows[row % (4 * BRICKS)]);
}

/// Turns the bricks of a tile into rows.
pub(crate) fn bricks_to_rows<T: Time>(bricks: [usize; 3], from: &Bricks<T>, out: &mut [T; BRICKS * LANES]) {
    let (from, out): (&[Pair<T>], &mut [Pair<T>]) =
        (from.0.as_flattened().as_chunks::<2>().0, out.as_chunks_mut::<2>().0);
    for_each_pair(bricks, |row, brick| out[row % (4 * BRICKS)] = from[brick % (4 * BRICKS)]);
}

/// Calls `visit` with the number of each pair of voxels among the rows and among the bricks.
#[inline(always)]
fn for_each_pair([bx, by, bz]: [usize; 3], mut visit: impl FnMut(usize, usize)) {
    for z in 0..2 * bz {
        for y in 0..2 * by {
            let (row, line) = ((z * 2 * by + y) * bx, bx * (y / 2 + by * (z / 2)));
            for x in 0..bx {
                visit(row + x, 4 * (line + x) + y % 2 + 2 * (z % 2));
            }
        }
    }
}

/// Seeds by tile; of several at one voxel the last counts.
fn place_seeds<T: Time>(grid: &TileGrid, seeds: &[Seed]) -> Result<Vec<TileSeed<T>>> {
    let mut placed = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let (tile, brick, lane) = grid.locate(grid.size.check(seed.index, "seed")?);
        placed.push(TileSeed { tile, brick, lane, time: T::from_f64(seed.time) });
    }
    placed.reverse();
    placed.sort_by_key(|s| (s.tile, s.brick, s.lane));
    placed.dedup_by_key(|s| (s.tile, s.brick, s.lane));
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn rows_and_bricks_are_the_same_voxels() {
        for slices in [1, 3, 9] {
            let shape = Shape::of(slices);
            let rows: [f32; BRICKS * LANES] = std::array::from_fn(|i| i as f32);
            let (mut bricks, mut back) = (Bricks::<f32>::FAR, [0.0; BRICKS * LANES]);
            rows_to_bricks(shape.bricks, &rows, &mut bricks);
            for brick in 0..BRICKS {
                for lane in 0..LANES {
                    let [x, y, z] = shape.voxel(brick, lane);
                    let row = x + shape.voxels[0] * (y + shape.voxels[1] * z);
                    assert_eq!(bricks.0[brick][lane], rows[row]);
                }
            }
            bricks_to_rows(shape.bricks, &bricks, &mut back);
            assert_eq!(back, rows);
        }
    }
}
