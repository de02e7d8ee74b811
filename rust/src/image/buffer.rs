//! Memory of an image: aligned, zeroed when first touched, and refused politely where there is none.
//!
//! Small buffers come from the allocator, large ones from an anonymous map, aligned and advised for huge pages, so
//! that filling a gigabyte does not take a quarter of a million page faults. A third kind belongs to somebody else, who is kept
//! alive. Nobody ever makes a Rust reference into a buffer: writable NumPy views may exist, so access is raw.
//!
//! A buffer counts who may change it (*writers*) and how many images show it (*claims*). A buffer with more than
//! one claim has no writers; that is what makes copy-on-write sound, and `mod.rs` upholds it.

use crate::error::{Error, Result};
use crate::memory::{HUGE_PAGE, HugeMap};
use crate::workers::run;
use rayon::prelude::*;
use std::alloc::{Layout as Block, alloc_zeroed, dealloc};
use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Every buffer starts at a multiple of this: a cache line, and enough for any vector unit.
const ALIGNMENT: usize = 64;
/// From here on a buffer is mapped.
const MAPPED_FROM: usize = 4 << 20;

/// Distinguishes the contents of all buffers of the process; see [`Buffer::stamp`].
static STAMPS: AtomicU64 = AtomicU64::new(0);

fn next_stamp() -> u64 {
    STAMPS.fetch_add(1, Ordering::AcqRel)
}

/// From here on several threads copy.
const PARALLEL_FROM: usize = 32 << 20;
/// More threads than this do not make memory faster.
const MOST_COPIERS: usize = 4;

/// Keeps memory alive that this crate did not allocate. Dropping it gives the memory up.
pub trait Owner: Any + Send + Sync {}

/// Whether others know memory that a buffer did not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Others may write to it at any time.
    Known,
    /// Nobody else will write to it.
    Private,
}

/// What may happen to memory that a buffer did not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Whether it can be written.
    pub writable: bool,
    /// Who else may do so.
    pub sharing: Sharing,
}

enum Memory {
    Heap(Block),
    Map(#[expect(dead_code, reason = "held to be unmapped when dropped")] HugeMap),
    Foreign { rights: Rights, owner: Box<dyn Owner> },
}

/// A block of memory that images and views share.
pub struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
    memory: Memory,
    claims: AtomicUsize,
    writers: AtomicUsize,
    stamp: AtomicU64,
}

// SAFETY: the memory belongs to the buffer (or to an owner that is itself `Send`) and is only accessed through raw
// pointers, whose users uphold the rules of `voxels.rs`.
unsafe impl Send for Buffer {}
// SAFETY: as above; the counters are atomic.
unsafe impl Sync for Buffer {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes)
    }
}

impl Buffer {
    fn from_parts(start: NonNull<u8>, bytes: usize, memory: Memory) -> Arc<Self> {
        let (claims, writers) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { start, bytes, memory, claims, writers, stamp: AtomicU64::new(next_stamp()) })
    }

    /// A zeroed buffer; pages are not touched before they are used.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn zeroed(bytes: usize) -> Result<Arc<Self>> {
        if bytes >= MAPPED_FROM { Self::mapped(bytes) } else { Self::on_heap(bytes) }
    }

    fn on_heap(bytes: usize) -> Result<Arc<Self>> {
        let refused = || Error::OutOfMemory { bytes: bytes as u128 };
        let block = Block::from_size_align(bytes.max(1), ALIGNMENT).map_err(|_| refused())?;
        // SAFETY: the block is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(block) }).ok_or_else(refused)?;
        Ok(Self::from_parts(start, bytes, Memory::Heap(block)))
    }

    fn mapped(bytes: usize) -> Result<Arc<Self>> {
        let map = HugeMap::new(bytes)?;
        Ok(Self::from_parts(map.start(), bytes, Memory::Map(map)))
    }

    /// Memory of somebody else, kept alive by `owner`.
    ///
    /// # Safety
    /// While `owner` lives, `bytes` bytes from `start` must stay readable, and writable where `rights` say so.
    pub unsafe fn foreign(start: NonNull<u8>, bytes: usize, rights: Rights, owner: Box<dyn Owner>) -> Arc<Self> {
        Self::from_parts(start, bytes, Memory::Foreign { rights, owner })
    }

    /// A private copy.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn duplicate(&self) -> Result<Arc<Self>> {
        // SAFETY: `self` keeps its bytes readable.
        unsafe { Self::copy_of(self.start, self.bytes) }
    }

    /// A copy of somebody's memory. Where that is written meanwhile, the copy may mix old and new bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// # Safety
    /// `bytes` bytes from `start` must stay readable until this returns.
    pub unsafe fn copy_of(start: NonNull<u8>, bytes: usize) -> Result<Arc<Self>> {
        let copy = Self::zeroed(bytes)?;
        // SAFETY: the source is readable by the caller's promise. The target holds as many bytes, zeros; it is new, so
        // nobody else accesses it and it overlaps nothing.
        unsafe { fill_from(start, std::slice::from_raw_parts_mut(copy.start.as_ptr(), bytes))? };
        Ok(copy)
    }

    /// Who keeps the memory alive, if this crate did not allocate it.
    pub(super) fn owner(&self) -> Option<&dyn Any> {
        match &self.memory {
            Memory::Foreign { owner, .. } => Some(&**owner),
            Memory::Heap(_) | Memory::Map(_) => None,
        }
    }

    /// First byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn rights(&self) -> Rights {
        match self.memory {
            Memory::Foreign { rights, .. } => rights,
            Memory::Heap(_) | Memory::Map(_) => Rights { writable: true, sharing: Sharing::Private },
        }
    }

    /// Whether a write through one image would show in another, or is not allowed at all.
    pub(super) fn needs_copy_to_write(&self) -> bool {
        self.claims.load(Ordering::Acquire) > 1 || !self.rights().writable
    }

    /// Whether somebody may change the voxels without asking an image.
    pub(super) fn may_change(&self) -> bool {
        self.writers.load(Ordering::Acquire) > 0 || self.rights().sharing == Sharing::Known
    }

    /// A number that two equal answers of prove that the bytes are the same; `None` while they may change.
    pub(super) fn stamp(&self) -> Option<u64> {
        (!self.may_change()).then(|| self.stamp.load(Ordering::Acquire))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Memory::Heap(block) = self.memory {
            // SAFETY: allocated with this very block in `on_heap`, and freed only here.
            unsafe { dealloc(self.start.as_ptr(), block) };
        }
    }
}

/// Where bytes are copied from.
struct Source(NonNull<u8>);

// SAFETY: an address only; `Source::copy_to` obliges its caller.
unsafe impl Sync for Source {}

impl Source {
    /// Fills `part` with the bytes from `offset` on.
    ///
    /// # Safety
    /// They must be readable, and no part of `part`.
    unsafe fn copy_to(&self, offset: usize, part: &mut [u8]) {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset).as_ptr().copy_to_nonoverlapping(part.as_mut_ptr(), part.len()) }
    }
}

/// Fills `to` with the bytes from `from` on, with several threads if they are many: most of the time goes into the first touch
/// of new pages.
///
/// # Errors
/// [`Error::Internal`] for a panic.
///
/// # Safety
/// As many bytes as there are in `to` must be readable at `from`, and not overlap with it.
unsafe fn fill_from(from: NonNull<u8>, to: &mut [u8]) -> Result<()> {
    let (source, bytes) = (Source(from), to.len());
    if bytes < PARALLEL_FROM {
        // SAFETY: the caller's promise.
        unsafe { source.copy_to(0, to) };
        return Ok(());
    }
    run(
        Some(MOST_COPIERS),
        Duration::MAX,
        || (),
        || {
            let chunk = bytes.div_ceil(rayon::current_num_threads()).next_multiple_of(HUGE_PAGE);
            // SAFETY: the caller's promise; chunks are disjoint and together the whole.
            to.par_chunks_mut(chunk).enumerate().for_each(|(n, part)| unsafe { source.copy_to(n * chunk, part) });
            Ok(())
        },
    )
}

/// An image's share in a buffer.
#[derive(Debug)]
pub(super) struct Claim(Arc<Buffer>);

impl Claim {
    pub(super) fn new(buffer: Arc<Buffer>) -> Self {
        buffer.claims.fetch_add(1, Ordering::AcqRel);
        Self(buffer)
    }

    pub(super) fn buffer(&self) -> &Arc<Buffer> {
        &self.0
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claims.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A view's right to change a buffer.
#[derive(Debug)]
pub(super) struct Writer(Arc<Buffer>);

impl Writer {
    pub(super) fn new(buffer: Arc<Buffer>) -> Self {
        buffer.writers.fetch_add(1, Ordering::AcqRel);
        buffer.stamp.store(next_stamp(), Ordering::Release);
        Self(buffer)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Again: who took the stamp while we wrote must not trust it now.
        self.0.stamp.store(next_stamp(), Ordering::Release);
        self.0.writers.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(buffer: &Buffer, offset: usize) -> u8 {
        assert!(offset < buffer.bytes());
        // SAFETY: inside, just asserted.
        unsafe { buffer.start().as_ptr().add(offset).read() }
    }

    #[test]
    fn buffers_are_aligned_and_zero() {
        for bytes in [0, 1, 4096, MAPPED_FROM - 1, MAPPED_FROM, MAPPED_FROM + 12345] {
            let buffer = Buffer::zeroed(bytes).unwrap();
            assert_eq!(buffer.start().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.bytes(), bytes);
            assert!(bytes == 0 || (at(&buffer, 0) == 0 && at(&buffer, bytes - 1) == 0));
        }
    }

    #[test]
    fn a_buffer_gives_its_memory_back() {
        let address = |_| Buffer::zeroed(MAPPED_FROM - 1).unwrap().start().as_ptr() as usize;
        let different = (0..256).map(address).collect::<std::collections::HashSet<_>>();
        assert!(different.len() < 256, "no address was used again");
    }

    #[test]
    fn absurd_sizes_are_refused_with_the_number_of_bytes() {
        for bytes in [isize::MAX as usize, usize::MAX, 1 << 60] {
            let refused = Buffer::zeroed(bytes).unwrap_err();
            assert_eq!(refused, Error::OutOfMemory { bytes: bytes as u128 });
        }
    }

    #[test]
    fn a_writer_changes_the_stamp_and_hides_it() {
        let buffer = Buffer::zeroed(8).unwrap();
        let before = buffer.stamp();
        assert_eq!(before, buffer.stamp());
        let writer = Writer::new(Arc::clone(&buffer));
        assert_eq!(buffer.stamp(), None);
        drop(writer);
        assert!(before.is_some() && buffer.stamp().is_some() && buffer.stamp() != before);
        assert_ne!(Buffer::zeroed(8).unwrap().stamp(), before);
    }

    #[test]
    fn large_copies_are_whole() {
        let bytes = PARALLEL_FROM + 3 * HUGE_PAGE + 17;
        let buffer = Buffer::zeroed(bytes).unwrap();
        for offset in (0..bytes).step_by(4093).chain([bytes - 1]) {
            // SAFETY: inside the buffer, which nobody else knows.
            unsafe { buffer.start().as_ptr().add(offset).write((offset % 251) as u8) };
        }
        let copy = buffer.duplicate().unwrap();
        assert!((0..bytes).step_by(97).chain([bytes - 1]).all(|offset| at(&copy, offset) == at(&buffer, offset)));
    }

    #[test]
    fn a_copy_is_equal_and_private() {
        let buffer = Buffer::zeroed(100).unwrap();
        // SAFETY: inside the buffer, which nobody else knows.
        unsafe { buffer.start().as_ptr().add(99).write(7) };
        let copy = buffer.duplicate().unwrap();
        // SAFETY: as above.
        unsafe { buffer.start().as_ptr().add(99).write(8) };
        assert_eq!((at(&copy, 99), at(&buffer, 99)), (7, 8));
    }

    struct Bytes(#[expect(dead_code, reason = "held to be dropped")] Arc<Vec<u8>>);
    impl Owner for Bytes {}

    fn foreign(bytes: &Arc<Vec<u8>>, rights: Rights) -> Arc<Buffer> {
        let start = NonNull::new(bytes.as_ptr().cast_mut()).unwrap();
        // SAFETY: the owner holds the vector, which no test writes through the buffer.
        unsafe { Buffer::foreign(start, bytes.len(), rights, Box::new(Bytes(Arc::clone(bytes)))) }
    }

    #[test]
    fn an_owner_lives_as_long_as_its_buffer() {
        let bytes = Arc::new(vec![1, 2, 3]);
        let buffer = foreign(&bytes, Rights { writable: true, sharing: Sharing::Private });
        assert_eq!((at(&buffer, 2), Arc::strong_count(&bytes)), (3, 2));
        drop(buffer);
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    fn rights_decide_who_must_copy() {
        let bytes = Arc::new(vec![1, 2, 3]);
        for (writable, sharing) in
            [(true, Sharing::Known), (true, Sharing::Private), (false, Sharing::Known), (false, Sharing::Private)]
        {
            let buffer = foreign(&bytes, Rights { writable, sharing });
            assert_eq!(buffer.needs_copy_to_write(), !writable);
            assert_eq!(buffer.may_change(), sharing == Sharing::Known);
        }
    }
}
