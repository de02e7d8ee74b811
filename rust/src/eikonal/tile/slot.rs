//! Memory of the tiles that a front touches: slots in slabs, found through a directory.
//!
//! The directory has one word per tile of the volume, on zero pages: 0 is a tile that no front has reached,
//! [`RETIRED`] one whose times are written to the result, [`WALL`] one without a voxel to reach, anything else the
//! address of its slot. Slots of retired tiles are used again at once, so memory follows the front.

use super::shape::{Mask, NONE, Shape, VOXELS};
use crate::eikonal::Time;
use crate::error::{Error, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Everything about a tile that the front is in.
///
/// A worker that visits the tile has it for itself, and nobody visits a face neighbour meanwhile: blocks of one colour
/// are visited at a time, and inside a block tiles of one colour. A visitor writes into a neighbour only `inbox` and `mail` of the shared face and the halo times behind that face.
#[repr(C, align(64))]
pub(crate) struct Slot<T: Time, H: Shape> {
    /// Solved, but later than the window: not yet propagated.
    pub(crate) pending: Mask,
    /// Within the window and propagated.
    pub(crate) released: Mask,
    /// Never solved: speed 0, a seed, or outside the volume.
    pub(crate) blocked: Mask,
    /// Per face, voxels whose neighbour across that face has changed.
    pub(crate) inbox: [Mask; 6],
    /// Per face, whether the inbox holds anything.
    pub(crate) mail: [bool; 6],
    /// Number of the tile.
    pub(crate) tile: u32,
    /// Window in which the tile was last visited.
    pub(crate) window: u32,
    /// A lower bound of the pending times.
    pub(crate) earliest: T,
    /// Every voxel is released or blocked, and the tile waits to be retired.
    pub(crate) full: bool,
    /// Speeds in the precision of the times.
    pub(crate) speed: [T; VOXELS],
    /// Arrival times with halo.
    pub(crate) times: H::Padded<T>,
}

impl<T: Time, H: Shape> Slot<T, H> {
    /// Resets a slot for `tile`: no voxel known.
    ///
    /// # Safety
    /// `slot` must be valid for writes, and nobody else may use it.
    pub(crate) unsafe fn reset(slot: *mut Self, tile: u32) {
        // SAFETY: valid and unshared by the caller's promise; `times` holds `H::PADDED` values.
        unsafe {
            (*slot).pending = NONE;
            (*slot).released = NONE;
            (*slot).blocked = NONE;
            (*slot).inbox = [NONE; 6];
            (*slot).mail = [false; 6];
            (*slot).tile = tile;
            (*slot).window = 0;
            (*slot).earliest = T::FAR;
            (*slot).full = false;
            let times = Self::times(slot);
            (0..H::PADDED).for_each(|i| times.add(i).write(T::FAR));
        }
    }

    /// Address of the padded times of a slot that is the caller's.
    #[inline(always)]
    pub(crate) fn padded(&mut self) -> *mut T {
        (&raw mut self.times).cast()
    }

    /// Address of the padded times.
    ///
    /// # Safety
    /// `slot` must point to a slot.
    #[inline(always)]
    pub(crate) unsafe fn times(slot: *mut Self) -> *mut T {
        // SAFETY: only an address is taken.
        unsafe { (&raw mut (*slot).times).cast() }
    }
}

/// Directory entry of a tile that no front has reached.
pub(crate) const UNTOUCHED: usize = 0;
/// Directory entry of a tile whose times are final and stored elsewhere; every odd entry means that, and the rest of
/// it may be the address where.
pub(crate) const RETIRED: usize = 1;
/// Directory entry of a tile in which every voxel is blocked.
pub(crate) const WALL: usize = 2;

/// The address in a directory entry, if the tile has a slot.
#[inline(always)]
pub(crate) fn slot_of<T: Time, H: Shape>(entry: usize) -> Option<*mut Slot<T, H>> {
    (entry > WALL && entry & RETIRED == 0).then_some(entry as *mut Slot<T, H>)
}

/// Whether the tile is done with: neighbours need not tell it anything.
#[inline(always)]
pub(crate) fn is_closed(entry: usize) -> bool {
    entry == WALL || entry & RETIRED != 0
}

/// A zero-filled array of atomics; pages that nobody writes cost nothing.
pub(crate) struct Zeroed<A> {
    base: *mut A,
    len: usize,
}

/// Types for which all-zero bytes are a value.
pub(crate) trait ZeroIsValid: Sync {}
impl ZeroIsValid for AtomicUsize {}
impl ZeroIsValid for std::sync::atomic::AtomicU8 {}

// SAFETY: it owns its elements, like a boxed slice of atomics.
unsafe impl<A: ZeroIsValid> Send for Zeroed<A> {}
// SAFETY: as above.
unsafe impl<A: ZeroIsValid> Sync for Zeroed<A> {}

impl<A: ZeroIsValid> Zeroed<A> {
    /// `len` zeros, `len` at least 1.
    pub(crate) fn new(len: usize) -> Result<Self> {
        let layout = Layout::array::<A>(len.max(1)).map_err(|_| too_large(len))?;
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout) }.cast::<A>();
        if base.is_null() {
            return Err(Error::OutOfMemory { bytes: layout.size() as u128 });
        }
        Ok(Self { base, len: len.max(1) })
    }
}

impl<A> std::ops::Deref for Zeroed<A> {
    type Target = [A];
    #[inline(always)]
    fn deref(&self) -> &[A] {
        // SAFETY: `len` elements were allocated, zeroed, and zero is a value (`ZeroIsValid` in `new`).
        unsafe { std::slice::from_raw_parts(self.base, self.len) }
    }
}

impl<A> Drop for Zeroed<A> {
    fn drop(&mut self) {
        if let Ok(layout) = Layout::array::<A>(self.len) {
            // SAFETY: allocated in `new` with this layout; atomics need no drop.
            unsafe { dealloc(self.base.cast(), layout) };
        }
    }
}

fn too_large(len: usize) -> Error {
    Error::TooLarge { what: format!("{len} tiles") }
}

/// The bytes that all pools of a job may take together.
#[derive(Clone)]
pub(crate) struct Budget {
    limit: u64,
    taken: Arc<AtomicU64>,
}

impl Budget {
    /// `limit` bytes, or as many as there are.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit: limit.unwrap_or(u64::MAX), taken: Arc::default() }
    }

    /// Takes `bytes` that are about to be allocated.
    fn take(&self, bytes: u64) -> Result<()> {
        let needed = self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if needed > self.limit {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::MemoryLimit { needed, limit: self.limit });
        }
        Ok(())
    }
}

/// Blocks of one type, allocated a slab at a time and never given back before the end.
pub(crate) struct Pool<V> {
    state: Mutex<PoolState<V>>,
    budget: Budget,
}

struct PoolState<V> {
    slabs: Vec<Slab>,
    free: Vec<*mut V>,
}

/// Memory of several blocks.
enum Slab {
    /// Small, from the allocator.
    Plain(*mut u8, Layout),
    /// One huge page. With ordinary ones the march of 256^3 voxels spent half its time on address translation.
    Huge(#[expect(dead_code, reason = "held to be unmapped when dropped")] memmap2::MmapMut),
}

/// Size of a huge page.
const HUGE: usize = 2 << 20;

/// Types that are made of plain numbers: any bytes, zeros too, are a value, and nothing needs to be dropped.
pub(crate) trait Plain {}
impl<T: Time, H: Shape> Plain for Slot<T, H> {}

// SAFETY: the pointers are only used under the mutex, or by the worker that was given the block.
unsafe impl<V: Plain> Send for Pool<V> {}
// SAFETY: as above.
unsafe impl<V: Plain> Sync for Pool<V> {}

impl<V: Plain> Pool<V> {
    /// An empty pool that refuses to grow beyond the budget.
    pub(crate) fn new(budget: &Budget) -> Self {
        let state = PoolState { slabs: Vec::new(), free: Vec::new() };
        Self { state: Mutex::new(state), budget: budget.clone() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, PoolState<V>> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Moves up to a handful of blocks into `mine`, at least one.
    pub(crate) fn take(&self, mine: &mut Vec<*mut V>) -> Result<()> {
        let mut state = self.state();
        if state.free.is_empty() {
            state.grow(&self.budget)?;
        }
        let rest = state.free.len().saturating_sub(SMALLEST);
        mine.extend(state.free.drain(rest..));
        Ok(())
    }

    /// One block.
    pub(crate) fn take_one(&self) -> Result<*mut V> {
        let mut state = self.state();
        if state.free.is_empty() {
            state.grow(&self.budget)?;
        }
        state.free.pop().ok_or_else(|| Error::Internal("the pool grew by nothing".into()))
    }
}

/// Blocks of the smallest slab; slabs double in size until they fill a huge page.
const SMALLEST: usize = 8;

impl<V> PoolState<V> {
    fn grow(&mut self, budget: &Budget) -> Result<()> {
        let n = (SMALLEST << self.slabs.len().min(16)).min(HUGE / size_of::<V>());
        let huge = n == HUGE / size_of::<V>();
        let layout = Layout::array::<V>(n).map_err(|_| too_large(n))?;
        budget.take(if huge { HUGE as u64 } else { layout.size() as u64 })?;
        let base = if huge { self.map_huge_page()? } else { self.allocate(layout)? }.cast::<V>();
        // SAFETY: `i < n` blocks were allocated.
        self.free.extend((0..n).rev().map(|i| unsafe { base.add(i) }));
        Ok(())
    }

    fn allocate(&mut self, layout: Layout) -> Result<*mut u8> {
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            return Err(Error::OutOfMemory { bytes: layout.size() as u128 });
        }
        self.slabs.push(Slab::Plain(base, layout));
        Ok(base)
    }

    /// Maps twice a huge page and uses the aligned one inside; the rest is never touched.
    fn map_huge_page(&mut self) -> Result<*mut u8> {
        let refused = |_| Error::OutOfMemory { bytes: 2 * HUGE as u128 };
        let mut map = memmap2::MmapMut::map_anon(2 * HUGE).map_err(refused)?;
        #[cfg(target_os = "linux")]
        // Advice only: where it is refused, ordinary pages serve.
        let _ = map.advise(memmap2::Advice::HugePage);
        let base = map.as_mut_ptr();
        // SAFETY: the aligned page lies within the map.
        let base = unsafe { base.add(base.align_offset(HUGE)) };
        self.slabs.push(Slab::Huge(map));
        Ok(base)
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        if let Slab::Plain(base, layout) = self {
            // SAFETY: allocated in `allocate` with this layout; plain blocks need no drop, and nobody uses them any
            // more because every user borrows the pool.
            unsafe { dealloc(*base, *layout) };
        }
    }
}

/// Atomic access to a directory entry; the order between phases comes from the barrier.
#[inline(always)]
pub(crate) fn load(entry: &AtomicUsize) -> usize {
    entry.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Cube;
    use super::*;

    #[test]
    fn pools_refuse_to_pass_their_common_limit() {
        let budget = Budget::new(Some(100_000));
        let pools = [0, 1].map(|_| Pool::<Slot<f32, Cube>>::new(&budget));
        let mut mine = Vec::new();
        pools[0].take(&mut mine).unwrap();
        assert_eq!(mine.len(), 8);
        for pool in &pools {
            assert!(matches!(pool.take_one(), Err(Error::MemoryLimit { limit: 100_000, .. })));
        }
        assert!(budget.taken.load(Ordering::Relaxed) <= 100_000);
    }

    #[test]
    fn a_slot_of_a_cube_fits_seven_kilobytes() {
        assert!(size_of::<Slot<f32, Cube>>() <= 7 * 1024);
    }

    #[test]
    fn a_directory_of_a_huge_volume_costs_no_memory_until_touched() {
        // 2^28 tiles are 2^37 voxels: 2 GiB of addresses, more than a test could fill in its time.
        let directory = Zeroed::<AtomicUsize>::new(1 << 28).unwrap();
        assert_eq!(load(&directory[(1 << 28) - 1]), UNTOUCHED);
    }
}
