//! Tiles in memory: what a front knows of 512 voxels, and the directory that leads to it.
//!
//! The directory has one word per tile of the volume, on zero pages, read as an [`Entry`]. Memory of retired tiles is
//! used again, so memory follows the front.

use super::shape::{BRICKS, BrickSet, LANES};
use crate::eikonal::Time;
use crate::memory::{Pool, PoolItem, ZeroIsValid};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Numbers of a tile, brick by brick.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Bricks<T>(pub(crate) [[T; LANES]; BRICKS]);

impl<T: Time> Bricks<T> {
    /// Nothing reached.
    pub(crate) const FAR: Self = Self([[T::FAR; LANES]; BRICKS]);
}

/// Everything about a tile that the front is in. Who may use it when: invariants I1 to I3.
#[repr(C, align(64))]
pub(crate) struct Tile<T> {
    /// Arrival times; [`Time::FAR`] where nothing is known.
    pub(crate) times: Bricks<T>,
    /// Speeds in the precision of the times: 0 where no front can enter, NaN at seeds, which are never solved.
    pub(crate) speeds: Bricks<T>,
    /// Bricks to solve. Neighbouring tiles add to it, several at once.
    pub(crate) marked: AtomicU64,
    /// Bricks with a reachable voxel, or a seed, that is later than `released`.
    pub(crate) later: BrickSet,
    /// Bricks that were solved or hold a seed.
    pub(crate) touched: BrickSet,
    /// Bricks that can be solved: with a voxel whose speed is above 0.
    pub(crate) open: BrickSet,
    /// End of the last window in which the tile was visited: changes up to here were passed on.
    pub(crate) released: T,
    /// A lower bound of the pending times; [`Time::FAR`] where none is pending.
    pub(crate) earliest: T,
    /// The highest speed.
    pub(crate) fastest: T,
    /// Number of the tile.
    pub(crate) number: u32,
    /// Where it is in its block's list of tiles with pending times; [`UNLISTED`] if it is not in it.
    pub(crate) listed: u32,
    /// Place in the grid of tiles.
    pub(crate) place: [u32; 3],
}

/// [`Tile::listed`] of a tile that is not in the list.
pub(crate) const UNLISTED: u32 = u32::MAX;

// SAFETY: an array of numbers and words; all bytes zero are a value, and it needs no drop.
unsafe impl<T: Time> PoolItem for Tile<T> {}
// SAFETY: as above.
unsafe impl<T: Time> PoolItem for Bricks<T> {}

impl<T: Time> Tile<T> {
    /// Makes a tile of unknown times out of whatever it was.
    ///
    /// # Safety
    /// `tile` must be valid for writes, and nobody else may use it.
    pub(crate) unsafe fn reset(tile: *mut Self, number: u32, place: [usize; 3]) {
        // SAFETY: valid and unshared by the caller's promise; any bytes of a tile are a value, so it may be borrowed.
        let tile = unsafe { &mut *tile };
        tile.times.0.as_flattened_mut().fill(T::FAR);
        tile.marked = AtomicU64::new(0);
        (tile.later, tile.touched, tile.open) = (0, 0, 0);
        (tile.released, tile.earliest, tile.fastest) = (T::LOWEST, T::FAR, T::default());
        (tile.number, tile.listed, tile.place) = (number, UNLISTED, place.map(|p| p as u32));
    }

    /// Place in the grid of tiles.
    #[inline(always)]
    pub(crate) fn place(&self) -> [usize; 3] {
        self.place.map(|p| p as usize)
    }

    /// Address of the times.
    ///
    /// # Safety
    /// `tile` must point to a tile.
    #[inline(always)]
    pub(crate) unsafe fn times(tile: *mut Self) -> *mut T {
        // SAFETY: only an address is taken.
        unsafe { (&raw mut (*tile).times).cast() }
    }
}

/// What a directory entry says about a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<T> {
    /// No front has reached it.
    Untouched,
    /// No front can enter any of its voxels.
    Wall,
    /// The front is in it, or was until a moment ago.
    Live(*mut Tile<T>),
    /// Its times are final and written to the result.
    Retired,
    /// Its times are final and kept here.
    Kept(*const Bricks<T>),
}

/// One word that holds an [`Entry`].
pub(crate) struct Word<T> {
    word: AtomicUsize,
    of: PhantomData<fn(T)>,
}

// SAFETY: 0 is `Untouched`.
unsafe impl<T: Time> ZeroIsValid for Word<T> {}

const WALL: usize = 1;
const RETIRED: usize = 2;
/// Added to the address of kept times; addresses are multiples of 64.
const KEPT: usize = 3;

impl<T: Time> Word<T> {
    /// Reads the entry; the order between phases comes from the barrier.
    #[inline(always)]
    pub(crate) fn get(&self) -> Entry<T> {
        match self.word.load(Ordering::Relaxed) {
            0 => Entry::Untouched,
            WALL => Entry::Wall,
            RETIRED => Entry::Retired,
            kept if kept % 4 == KEPT => Entry::Kept((kept - KEPT) as *const Bricks<T>),
            live => Entry::Live(live as *mut Tile<T>),
        }
    }

    /// Writes the entry.
    pub(crate) fn set(&self, entry: Entry<T>) {
        self.word.store(Self::word(entry), Ordering::Relaxed);
    }

    /// Replaces the entry `old`; whether it still was `old`.
    pub(crate) fn replace(&self, old: Entry<T>, new: Entry<T>) -> bool {
        let (old, new) = (Self::word(old), Self::word(new));
        self.word.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn word(entry: Entry<T>) -> usize {
        match entry {
            Entry::Untouched => 0,
            Entry::Wall => WALL,
            Entry::Retired => RETIRED,
            Entry::Kept(times) => times as usize + KEPT,
            Entry::Live(tile) => tile as usize,
        }
    }
}

/// Memory for tiles.
pub(crate) type TilePool<T> = Pool<Tile<T>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_takes_a_little_more_than_eight_bytes_a_voxel() {
        assert!(size_of::<Tile<f32>>() <= 4096 + 128);
        assert!(size_of::<Tile<f64>>() <= 8192 + 128);
    }

    #[test]
    fn entries_survive_their_word() {
        let (tile, times) = (0x1240 as *mut Tile<f32>, 0x1380 as *const Bricks<f32>);
        let word = Word::<f32> { word: AtomicUsize::new(0), of: PhantomData };
        for entry in [Entry::Untouched, Entry::Wall, Entry::Live(tile), Entry::Retired, Entry::Kept(times)] {
            word.set(entry);
            assert_eq!(word.get(), entry);
        }
        assert!(!word.replace(Entry::Wall, Entry::Retired));
        assert!(word.replace(Entry::Kept(times), Entry::Retired));
    }
}
