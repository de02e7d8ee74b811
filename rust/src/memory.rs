//! Memory that may be refused, and memory that several threads fill.
//!
//! Whatever grows with an image is allocated here, so that a refused allocation is [`Error::OutOfMemory`] with the number
//! of bytes instead of the end of the process: vectors, zeroed arrays of numbers, pools of equal items, maps of huge pages.
//! Only what has a small, fixed size is allocated the ordinary way. [`DisjointWriter`] is the one way in which threads
//! write parts of one result.

use crate::error::{Error, Result};
use ndarray::ArrayViewMut3;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The error for a refused vector of `n` values of type `V`.
pub fn out_of_memory<V>(n: usize) -> Error {
    Error::OutOfMemory { bytes: n as u128 * size_of::<V>() as u128 }
}

/// A vector of `n` copies of `value`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_filled<V: Clone>(n: usize, value: V) -> Result<Vec<V>> {
    let mut values = try_with_room(n)?;
    values.resize(n, value);
    Ok(values)
}

/// An empty vector with room for exactly `n` values.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_with_room<V>(n: usize) -> Result<Vec<V>> {
    let mut values = Vec::new();
    values.try_reserve_exact(n).map_err(|_| out_of_memory::<V>(n))?;
    Ok(values)
}

/// Makes room for `more` values, with some to spare where the vector has to grow.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_reserve<V>(values: &mut Vec<V>, more: usize) -> Result<()> {
    values.try_reserve(more).map_err(|_| out_of_memory::<V>(values.len().saturating_add(more)))
}

/// Appends a value.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn try_push<V>(values: &mut Vec<V>, value: V) -> Result<()> {
    try_reserve(values, 1)?;
    values.push(value);
    Ok(())
}

/// Appends clones of all values of a slice.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_extend<V: Clone>(values: &mut Vec<V>, more: &[V]) -> Result<()> {
    try_reserve(values, more.len())?;
    values.extend_from_slice(more);
    Ok(())
}

/// Size of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// Zeroed memory that starts at a huge page. Pages are not touched before they are used.
#[derive(Debug)]
pub struct HugeMap {
    start: NonNull<u8>,
    bytes: usize,
    /// [`HUGE_PAGE`] bytes more than asked for, so that the start can be aligned.
    _map: memmap2::MmapMut,
}

// SAFETY: the memory belongs to the map and is only accessed through raw pointers, whose users answer for it.
unsafe impl Send for HugeMap {}
// SAFETY: as above.
unsafe impl Sync for HugeMap {}

impl HugeMap {
    /// At least `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn new(bytes: usize) -> Result<Self> {
        let refused = || Error::OutOfMemory { bytes: bytes as u128 };
        let padded = bytes.checked_add(HUGE_PAGE).filter(|&n| n <= isize::MAX as usize).ok_or_else(refused)?;
        let mut map = memmap2::MmapMut::map_anon(padded).map_err(|_| refused())?;
        // Advice only: where it is refused, ordinary pages serve as well, slower. Miri does not know it.
        #[cfg(all(target_os = "linux", not(miri)))]
        let _ = map.advise(memmap2::Advice::HugePage);
        let padding = map.as_ptr().align_offset(HUGE_PAGE).min(HUGE_PAGE);
        // SAFETY: `padding` is at most the bytes that were mapped in excess.
        let start = unsafe { NonNull::new_unchecked(map.as_mut_ptr().add(padding)) };
        Ok(Self { start, bytes, _map: map })
    }

    /// First byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes that may be used.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Numbers of which all bytes zero are a value, which threads may share and hand over, and which need no drop.
///
/// # Safety
/// All of it must be true.
pub unsafe trait ZeroIsValid: Send + Sync {}
// SAFETY: an atomic integer.
unsafe impl ZeroIsValid for AtomicU8 {}
// SAFETY: an atomic integer.
unsafe impl ZeroIsValid for AtomicU32 {}
// SAFETY: an atomic integer.
unsafe impl ZeroIsValid for AtomicUsize {}
// SAFETY: a number whose zero has no bit set.
unsafe impl ZeroIsValid for f32 {}

/// A zero-filled array of numbers; pages that nobody writes cost nothing.
#[derive(Debug)]
pub struct Zeroed<A> {
    base: NonNull<A>,
    len: usize,
    _memory: Option<Allocation>,
}

// SAFETY: it owns its elements, like a boxed slice of them.
unsafe impl<A: ZeroIsValid> Send for Zeroed<A> {}
// SAFETY: as above.
unsafe impl<A: ZeroIsValid> Sync for Zeroed<A> {}

impl<A: ZeroIsValid> Zeroed<A> {
    /// `len` zeros; one if `len` is 0.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn new(len: usize) -> Result<Self> {
        let len = len.max(1);
        let layout = Layout::array::<A>(len).map_err(|_| out_of_memory::<A>(len))?;
        let memory = Allocation::small(layout)?;
        Ok(Self { base: memory.start().cast(), len, _memory: Some(memory) })
    }

    /// The same in huge pages where it fills one: for memory that is used throughout, which with ordinary pages takes longer
    /// to get and to give back than to fill.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn dense(len: usize) -> Result<Self> {
        match len.checked_mul(size_of::<A>()) {
            Some(bytes) if bytes >= HUGE_PAGE => {
                let memory = Allocation::Huge(HugeMap::new(bytes)?);
                Ok(Self { base: memory.start().cast(), len, _memory: Some(memory) })
            }
            _ => Self::new(len),
        }
    }
}

impl<A> Default for Zeroed<A> {
    /// No elements.
    fn default() -> Self {
        Self { base: NonNull::dangling(), len: 0, _memory: None }
    }
}

impl<A> Deref for Zeroed<A> {
    type Target = [A];
    #[inline(always)]
    fn deref(&self) -> &[A] {
        // SAFETY: `len` elements were allocated, zeroed, and zero is a value (`ZeroIsValid` in `new` and `dense`); of none,
        // any aligned address is right.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }
}

impl<A> DerefMut for Zeroed<A> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [A] {
        // SAFETY: as above, and the borrow of the owner is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }
}

/// The bytes that a job may take from its pools together.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: u64,
    taken: Arc<AtomicU64>,
}

impl Budget {
    /// `limit` bytes, or as many as there are.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit: limit.unwrap_or(u64::MAX), taken: Arc::default() }
    }

    /// Takes `bytes` that are about to be allocated.
    ///
    /// # Errors
    /// [`Error::MemoryLimit`].
    pub fn take(&self, bytes: u64) -> Result<()> {
        let needed = self.taken.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if needed > self.limit {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::MemoryLimit { needed, limit: self.limit });
        }
        Ok(())
    }

    /// Bytes taken so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Types of which all bytes zero are a value, that need no drop, and that another thread may take over.
///
/// # Safety
/// All three must be true.
pub unsafe trait PoolItem {}

/// Items of one type, whose memory is taken from the system in ever larger allocations and given back in the end.
#[derive(Debug)]
pub struct Pool<V> {
    state: Mutex<PoolState<V>>,
    budget: Budget,
}

#[derive(Debug)]
struct PoolState<V> {
    allocations: Vec<Allocation>,
    free: Vec<*mut V>,
}

/// Zeroed memory of several items.
#[derive(Debug)]
enum Allocation {
    /// Small, from the allocator.
    Small(NonNull<u8>, Layout),
    /// Huge pages: with ordinary ones a march spends half its time on address translation.
    Huge(HugeMap),
}

impl Allocation {
    /// From the allocator; the layout must not be empty.
    fn small(layout: Layout) -> Result<Self> {
        assert!(layout.size() > 0, "memory of no bytes");
        // SAFETY: the layout is not empty, as just asserted.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        Ok(Self::Small(start.ok_or(Error::OutOfMemory { bytes: layout.size() as u128 })?, layout))
    }

    fn start(&self) -> NonNull<u8> {
        match self {
            Self::Small(start, _) => *start,
            Self::Huge(map) => map.start(),
        }
    }
}

// SAFETY: the pointers are only used under the mutex, or by the worker that was given the item (`PoolItem`).
unsafe impl<V: PoolItem> Send for Pool<V> {}
// SAFETY: as above.
unsafe impl<V: PoolItem> Sync for Pool<V> {}

/// Items that a worker takes at a time.
pub const HANDFUL: usize = 8;

impl<V: PoolItem> Pool<V> {
    /// An empty pool that refuses to grow beyond the budget.
    pub fn new(budget: &Budget) -> Self {
        let state = PoolState { allocations: Vec::new(), free: Vec::new() };
        Self { state: Mutex::new(state), budget: budget.clone() }
    }

    fn state(&self) -> MutexGuard<'_, PoolState<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves up to a handful of items into `mine`, at least one. Their contents are zeros or what was left in them.
    ///
    /// # Errors
    /// [`Error::MemoryLimit`], [`Error::OutOfMemory`].
    pub fn take(&self, mine: &mut Vec<*mut V>) -> Result<()> {
        let mut state = self.state();
        if state.free.is_empty() {
            state.grow(&self.budget)?;
        }
        let rest = state.free.len().saturating_sub(HANDFUL);
        try_reserve(mine, state.free.len() - rest)?;
        mine.extend(state.free.drain(rest..));
        Ok(())
    }

    /// One item.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub fn take_one(&self) -> Result<*mut V> {
        let mut state = self.state();
        if state.free.is_empty() {
            state.grow(&self.budget)?;
        }
        state.free.pop().ok_or_else(|| Error::Internal("the pool grew by nothing".into()))
    }

    /// Takes items back, so that other workers find them; a handful may stay.
    pub fn give_back(&self, mine: &mut Vec<*mut V>) {
        if mine.len() > 2 * HANDFUL {
            // No allocation: `grow` reserved room for every item there is.
            self.state().free.extend(mine.drain(HANDFUL..));
        }
    }
}

impl<V> PoolState<V> {
    /// Allocations double in size until they fill a huge page.
    fn grow(&mut self, budget: &Budget) -> Result<()> {
        let page = (HUGE_PAGE / size_of::<V>()).max(1);
        let n = (HANDFUL << self.allocations.len().min(16)).min(page);
        let layout = Layout::array::<V>(n).map_err(|_| out_of_memory::<V>(n))?;
        try_reserve(&mut self.allocations, 1)?;
        let items = page * (self.allocations.len() + 1);
        try_reserve(&mut self.free, items)?;
        let huge = n == page && layout.size() <= HUGE_PAGE;
        budget.take(if huge { HUGE_PAGE as u64 } else { layout.size() as u64 })?;
        let allocation = if huge { Allocation::Huge(HugeMap::new(HUGE_PAGE)?) } else { Allocation::small(layout)? };
        let base = allocation.start().as_ptr();
        self.allocations.push(allocation);
        // SAFETY: `i < n` items were allocated.
        self.free.extend((0..n).rev().map(|i| unsafe { base.cast::<V>().add(i) }));
        Ok(())
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        if let Self::Small(start, layout) = self {
            // SAFETY: allocated in `small` with this layout; items need no drop (`PoolItem`, `ZeroIsValid`). Who was given an
            // item of a pool must not use it after the pool.
            unsafe { dealloc(start.as_ptr(), *layout) };
        }
    }
}

/// An array `(z, y, x)` of which several threads write disjoint boxes of voxels.
///
/// A box is checked against the array when it is made ([`DisjointWriter::part`]), and every write against the box; that boxes do
/// not overlap is the one thing left to the caller.
#[derive(Debug)]
pub struct DisjointWriter<'o, V> {
    base: *mut V,
    /// Voxels along `(x, y, z)`.
    size: [usize; 3],
    /// Elements between neighbours along `(x, y, z)`.
    strides: [isize; 3],
    lifetime: PhantomData<&'o mut [V]>,
}

// SAFETY: it is an exclusive borrow of the array, whose parts `part` obliges its callers to keep apart.
unsafe impl<V: Send> Send for DisjointWriter<'_, V> {}
// SAFETY: as above.
unsafe impl<V: Send> Sync for DisjointWriter<'_, V> {}

impl<'o, V: Copy> DisjointWriter<'o, V> {
    /// The whole of an array `(z, y, x)`.
    pub fn new(mut array: ArrayViewMut3<'o, V>) -> Self {
        let (dim, strides) = (array.dim(), [array.strides()[2], array.strides()[1], array.strides()[0]]);
        Self { base: array.as_mut_ptr(), size: [dim.2, dim.1, dim.0], strides, lifetime: PhantomData }
    }

    /// The same array with the axes in another order: axis `a` of the result is axis `order[a]` of `self`.
    ///
    /// # Panics
    /// Where `order` does not name each axis once.
    #[must_use]
    pub fn permuted(self, order: [usize; 3]) -> Self {
        assert!((0..3).all(|axis| order.contains(&axis)), "each axis once");
        Self { size: order.map(|a| self.size[a]), strides: order.map(|a| self.strides[a]), ..self }
    }

    /// Voxels along `(x, y, z)`.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// The box of `extent` voxels that starts at `start`.
    ///
    /// # Errors
    /// [`Error::Internal`] for a box that does not lie inside.
    ///
    /// # Safety
    /// While the part lives, no other part of this writer may overlap with it.
    #[inline]
    pub unsafe fn part(&self, start: [usize; 3], extent: [usize; 3]) -> Result<DisjointPart<'_, V>> {
        let inside = (0..3).all(|a| start[a] <= self.size[a] && extent[a] <= self.size[a] - start[a]);
        if !inside {
            let size = self.size;
            return Err(Error::Internal(format!("{extent:?} voxels from {start:?} are not inside {size:?}")));
        }
        let offset: isize = (0..3).map(|a| start[a] as isize * self.strides[a]).sum();
        // An empty part may start behind the array; nothing is written through it.
        let base = self.base.wrapping_offset(offset);
        Ok(DisjointPart { base, extent, strides: self.strides, lifetime: PhantomData })
    }
}

/// Asks for what is at an address, which need not be readable, to be brought close to the processor.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every processor of the architecture has the instruction; it changes nothing but the time of later reads.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// A box of voxels of a [`DisjointWriter`], all to the one who has it.
#[derive(Debug)]
pub struct DisjointPart<'w, V> {
    base: *mut V,
    extent: [usize; 3],
    strides: [isize; 3],
    lifetime: PhantomData<&'w mut [V]>,
}

// SAFETY: it is an exclusive borrow of its voxels.
unsafe impl<V: Send> Send for DisjointPart<'_, V> {}

impl<V: Copy> DisjointPart<'_, V> {
    /// Voxels along `(x, y, z)`.
    pub fn extent(&self) -> [usize; 3] {
        self.extent
    }

    /// Address of the first voxel of row `(y, z)`.
    #[inline(always)]
    fn row(&self, y: usize, z: usize) -> *mut V {
        assert!(y < self.extent[1] && z < self.extent[2], "a row outside the part");
        // SAFETY: the row lies inside the part, as just asserted, and the part inside the array, as `part` checked.
        unsafe { self.base.offset(y as isize * self.strides[1] + z as isize * self.strides[2]) }
    }

    /// Writes one voxel.
    ///
    /// # Panics
    /// Where it lies outside the part.
    #[inline(always)]
    pub fn set(&mut self, v: [usize; 3], value: V) {
        assert!(v[0] < self.extent[0], "a voxel outside the part");
        // SAFETY: inside the part, as just asserted and by `row`, and nobody else's.
        unsafe { self.row(v[1], v[2]).offset(v[0] as isize * self.strides[0]).write(value) };
    }

    /// Writes a row from its first voxel on.
    ///
    /// # Panics
    /// Where the values do not lie inside the part.
    #[inline(always)]
    pub fn write_row(&mut self, y: usize, z: usize, values: &[V]) {
        assert!(values.len() <= self.extent[0], "a row longer than the part");
        if self.strides[0] == 1 {
            let row = self.row(y, z);
            // SAFETY: inside the part, as just asserted and by `row`, and nobody else's; `values` are borrowed elsewhere.
            unsafe {
                match <&[V; 8]>::try_from(values) {
                    // The rows of tiles: with a length that the compiler knows it does without a call to copy them.
                    Ok(values) => row.cast::<[V; 8]>().write_unaligned(*values),
                    Err(_) => row.copy_from_nonoverlapping(values.as_ptr(), values.len()),
                }
            }
        } else {
            self.fill_row(y, z, values.len(), |i| values[i]);
        }
    }

    /// Writes `value(0)`, `value(1)`, ... into the first `n` voxels of a row.
    ///
    /// # Panics
    /// Where they do not lie inside the part.
    #[inline(always)]
    pub fn fill_row(&mut self, y: usize, z: usize, n: usize, value: impl Fn(usize) -> V) {
        assert!(n <= self.extent[0], "a row longer than the part");
        let row = self.row(y, z);
        for i in 0..n {
            // SAFETY: `i < n`, so inside the part, and nobody else's.
            unsafe { row.offset(i as isize * self.strides[0]).write(value(i)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, s};
    use std::sync::atomic::Ordering;

    #[test]
    fn refused_vectors_tell_their_bytes() {
        let n = isize::MAX as usize / 8;
        let refused = Error::OutOfMemory { bytes: (n as u128 + 1) * 8 };
        assert_eq!(try_filled(n + 1, 0u64), Err(refused.clone()));
        assert_eq!(try_reserve(&mut vec![7u64], n), Err(refused));
        assert_eq!(try_with_room::<u8>(usize::MAX), Err(Error::OutOfMemory { bytes: usize::MAX as u128 }));
    }

    #[test]
    fn vectors_hold_what_was_put_into_them() {
        let mut values = try_filled(3, 1.5f32).unwrap();
        try_push(&mut values, 2.0).unwrap();
        try_extend(&mut values, &[3.0, 4.0]).unwrap();
        assert_eq!(values, [1.5, 1.5, 1.5, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn maps_start_at_a_huge_page_with_zeros() {
        for bytes in [1, HUGE_PAGE, 3 * HUGE_PAGE + 17] {
            let map = HugeMap::new(bytes).unwrap();
            assert_eq!((map.start().as_ptr() as usize % HUGE_PAGE, map.bytes()), (0, bytes));
            // SAFETY: the last byte of the map, which nobody else knows.
            assert_eq!(unsafe { map.start().add(bytes - 1).read() }, 0);
        }
        for bytes in [usize::MAX, isize::MAX as usize] {
            assert_eq!(HugeMap::new(bytes).unwrap_err(), Error::OutOfMemory { bytes: bytes as u128 });
        }
    }

    #[test]
    fn zeros_cost_no_memory_until_touched() {
        // A GiB of addresses, more than a test could fill in its time.
        let zeros = Zeroed::<AtomicU32>::new(1 << 28).unwrap();
        assert_eq!(zeros[(1 << 28) - 1].load(Ordering::Relaxed), 0);
        for refused in [Zeroed::<AtomicU32>::new(usize::MAX), Zeroed::dense(usize::MAX), Zeroed::dense(1 << 61)] {
            assert!(matches!(refused, Err(Error::OutOfMemory { .. })));
        }
    }

    #[test]
    fn dense_zeros_are_written_and_handed_over() {
        // Miri takes a microsecond or more for each value.
        let step = if cfg!(miri) { 4096 } else { 1 };
        for len in [0, 5, HUGE_PAGE / 4 - 1, HUGE_PAGE / 4, HUGE_PAGE] {
            let mut values = Zeroed::<f32>::dense(len).unwrap();
            assert!(values.len() == len.max(1) && values.iter().step_by(step).all(|v| *v == 0.0));
            let end = values.len() - 1;
            values[end] = 2.5;
            let sum = std::thread::spawn(move || values.iter().rev().step_by(step).sum::<f32>()).join().unwrap();
            assert_eq!(sum, 2.5);
        }
    }

    struct Kilobyte(#[expect(dead_code, reason = "room")] [u64; 128]);
    // SAFETY: numbers.
    unsafe impl PoolItem for Kilobyte {}

    #[test]
    fn pools_refuse_to_pass_their_common_limit() {
        let budget = Budget::new(Some(10_000));
        let pools = [0, 1].map(|_| Pool::<Kilobyte>::new(&budget));
        let mut mine = Vec::new();
        pools[0].take(&mut mine).unwrap();
        assert_eq!((mine.len(), budget.taken()), (HANDFUL, 8192));
        for pool in &pools {
            assert!(matches!(pool.take_one(), Err(Error::MemoryLimit { limit: 10_000, .. })));
        }
        assert_eq!(budget.taken(), 8192);
    }

    #[test]
    fn items_of_a_pool_are_apart_and_come_round() {
        let pool = Pool::<Kilobyte>::new(&Budget::new(None));
        let mut mine = Vec::new();
        while mine.len() < 5000 {
            pool.take(&mut mine).unwrap();
        }
        mine.sort_unstable();
        assert!(mine.windows(2).all(|w| w[1] as usize - w[0] as usize >= size_of::<Kilobyte>()));
        let many = mine.len();
        pool.give_back(&mut mine);
        assert_eq!(mine.len(), HANDFUL);
        while mine.len() < many {
            pool.take(&mut mine).unwrap();
        }
        mine.sort_unstable();
        mine.dedup();
        assert_eq!(mine.len(), many);
    }

    #[test]
    fn parts_outside_the_array_are_refused() {
        let mut array = Array3::<u8>::zeros((4, 3, 2));
        let writer = DisjointWriter::new(array.view_mut());
        assert_eq!(writer.size(), [2, 3, 4]);
        for (start, extent, fits) in [
            ([0, 0, 0], [2, 3, 4], true),
            ([1, 2, 3], [1, 1, 1], true),
            ([2, 3, 4], [0, 0, 0], true),
            ([0, 0, 0], [3, 3, 4], false),
            ([1, 0, 0], [2, 1, 1], false),
            ([0, 0, 5], [0, 0, 0], false),
            ([0, usize::MAX, 0], [1, 2, 1], false),
        ] {
            // SAFETY: one part at a time.
            let part = unsafe { writer.part(start, extent) };
            assert_eq!(part.map(|part| part.extent()).ok(), fits.then_some(extent), "{start:?} {extent:?}");
        }
    }

    #[test]
    fn writes_outside_a_part_panic() {
        for (v, n) in [([2, 0, 0], 0), ([0, 1, 0], 0), ([0, 0, 1], 0), ([0, 0, 0], 3)] {
            let wrong = std::panic::catch_unwind(|| {
                let mut array = Array3::<u8>::zeros((4, 3, 4));
                let writer = DisjointWriter::new(array.view_mut());
                // SAFETY: the only part.
                let mut part = unsafe { writer.part([1, 1, 1], [2, 1, 1]) }.unwrap();
                if n > 0 { part.write_row(0, 0, &[1; 3][..n]) } else { part.set(v, 1) }
            });
            assert!(wrong.is_err(), "{v:?} {n}");
        }
    }

    #[test]
    fn parts_of_turned_and_strided_arrays_land_where_they_belong() {
        let mut array = Array3::<u32>::zeros((4, 6, 10));
        {
            let view = array.slice_mut(s![.., ..;-2, ..;3]);
            let writer = DisjointWriter::new(view).permuted([2, 0, 1]);
            assert_eq!(writer.size(), [4, 4, 3]);
            std::thread::scope(|scope| {
                for y in 0..4 {
                    let writer = &writer;
                    scope.spawn(move || {
                        // SAFETY: each thread has rows of its own.
                        let mut part = unsafe { writer.part([1, y, 0], [3, 1, 3]) }.unwrap();
                        for z in 0..3 {
                            let values = [0, 1, 2].map(|x| (100 * (x + 1) + 10 * y + z) as u32);
                            if z == 0 { part.write_row(0, z, &values) } else { part.fill_row(0, z, 3, |i| values[i]) }
                        }
                    });
                }
            });
        }
        for ((z, y, x), &value) in array.indexed_iter() {
            let there = z > 0 && y % 2 == 1 && x % 3 == 0;
            let expected = if there { 100 * z + 10 * (x / 3) + (5 - y) / 2 } else { 0 };
            assert_eq!(value, expected as u32, "{z} {y} {x}");
        }
    }
}
