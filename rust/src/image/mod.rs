//! The image store: voxels of any pixel type, their layout, and who may read and write them.
//!
//! An image is two to four axes `(x, y, z, t)` of voxels with one or more components. Memory is one block:
//! component fastest, then x, y, z, t, so a time step is a contiguous range of bytes. *Direct* views see the
//! voxels unprotected; *leased* views hold a lease of the ledger (`access.rs`) until they are dropped. A view owns the
//! buffer, so it outlives the image.
//!
//! Copies share their buffer until one of them is written. A writable view is only made of a buffer that no other
//! image claims, and a buffer is only shared while no writable view of it exists; both are decided under the
//! image's lock, and a claim can only be added through an image that has one.

pub mod access;
pub mod buffer;
mod layout;

use crate::error::{Error, Result};
use access::{Lease, Ledger};
use buffer::{Buffer, Claim, Writer};
pub use layout::Layout;
use std::any::Any;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Voxels and their layout, to be put into an image.
#[derive(Debug)]
pub struct Pixels {
    layout: Layout,
    /// Shared with the views of the image: what they show must not change because another image is written.
    claim: Arc<Claim>,
}

impl Pixels {
    /// Zeros.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn zeroed(layout: Layout) -> Result<Self> {
        Self::of(layout, Buffer::zeroed(layout.bytes())?)
    }

    /// The bytes of `buffer`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the buffer is not as long as the layout says.
    pub fn of(layout: Layout, buffer: Arc<Buffer>) -> Result<Self> {
        Error::check_lengths("number of bytes", buffer.bytes(), layout.bytes())?;
        Ok(Self { layout, claim: Arc::new(Claim::new(buffer)) })
    }

    fn buffer(&self) -> &Arc<Buffer> {
        self.claim.buffer()
    }
}

/// An image: empty until initialized.
#[derive(Debug, Default)]
pub struct Image {
    ledger: Arc<Ledger>,
    /// Locked for a few instructions only, never while copying or waiting.
    pixels: Mutex<Option<Pixels>>,
    frozen: AtomicBool,
}

impl Image {
    /// The leases of this image.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pixels>> {
        self.pixels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The layout, `None` for an empty image.
    pub fn layout(&self) -> Option<Layout> {
        self.lock().as_ref().map(|pixels| pixels.layout)
    }

    /// Forbids writing for good.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Release);
    }

    /// Whether writing is forbidden.
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// Whether writing is allowed.
    ///
    /// # Errors
    /// [`Error::Frozen`].
    pub fn check_not_frozen(&self) -> Result<()> {
        if self.is_frozen() { Err(Error::Frozen) } else { Ok(()) }
    }

    /// Whether [`Image::put`] would be refused now: asked before memory is filled in vain.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Frozen`].
    pub fn check_replaceable(&self) -> Result<()> {
        self.check_not_frozen()?;
        self.ledger.when_free(|| ())
    }

    /// Replaces the voxels. Direct views of the old ones keep them.
    ///
    /// # Errors
    /// [`Error::Locked`] while a lease is held, [`Error::Frozen`].
    pub fn put(&self, pixels: Pixels) -> Result<()> {
        self.check_not_frozen()?;
        let old = self.ledger.when_free(|| self.lock().replace(pixels))?;
        // Only now, outside the locks: giving a gigabyte back takes a while.
        drop(old);
        Ok(())
    }

    /// Shows `visit` who keeps the memory alive, if this crate did not allocate it and nobody but this image has it.
    ///
    /// For collectors of reference cycles: never waits, and does nothing where another thread is at work on the image.
    pub fn visit_sole_owner<R>(&self, visit: impl FnOnce(&dyn Any) -> R) -> Option<R> {
        let pixels = self.pixels.try_lock().ok()?;
        let claim = &pixels.as_ref()?.claim;
        let sole = Arc::strong_count(claim) == 1 && Arc::strong_count(claim.buffer()) == 1;
        claim.buffer().owner().filter(|_| sole).map(visit)
    }

    /// Gives the voxels up, also those of a snapshot; views keep them. For collectors of reference cycles.
    pub fn clear(&self) {
        let old = self.lock().take();
        drop(old);
    }

    /// Two equal numbers prove that the voxels have not changed in between; `None` where the image is empty, or
    /// while a writable view or somebody else's memory lets them change unnoticed.
    pub fn stamp(&self) -> Option<u64> {
        self.lock().as_ref()?.buffer().stamp()
    }

    /// A view that only reads.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NoSuchStep`].
    pub fn read_view(&self, step: Option<usize>, lease: Option<Lease>) -> Result<View> {
        let pixels = self.lock();
        let pixels = pixels.as_ref().ok_or(Error::Empty)?;
        View::new(pixels, step, None, lease)
    }

    /// A view that may write, or `None` (and the lease left where it is) where the voxels are shared and
    /// [`Image::make_private`] must come first.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NoSuchStep`], [`Error::Frozen`].
    pub fn write_view(&self, step: Option<usize>, lease: &mut Option<Lease>) -> Result<Option<View>> {
        self.check_not_frozen()?;
        let pixels = self.lock();
        let pixels = pixels.as_ref().ok_or(Error::Empty)?;
        if pixels.buffer().needs_copy_to_write() {
            return Ok(None);
        }
        let writer = Writer::new(Arc::clone(pixels.buffer()));
        View::new(pixels, step, Some(writer), lease.take()).map(Some)
    }

    /// Copies the voxels if another image shows them, too. Views of the shared voxels keep showing those.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn make_private(&self) -> Result<()> {
        while let Some(shared) = self.shared_buffer() {
            let claim = Arc::new(Claim::new(shared.duplicate()?));
            let mut pixels = self.lock();
            if let Some(pixels) = pixels.as_mut()
                && Arc::ptr_eq(pixels.buffer(), &shared)
            {
                pixels.claim = claim;
            }
        }
        Ok(())
    }

    /// The buffer, if it must be copied before it is written.
    fn shared_buffer(&self) -> Option<Arc<Buffer>> {
        let pixels = self.lock();
        let buffer = pixels.as_ref()?.buffer();
        buffer.needs_copy_to_write().then(|| Arc::clone(buffer))
    }

    /// The same voxels for a second image, shared until one of the two is written.
    ///
    /// Copies at once where a writable view exists, since nobody would notice its writes. The caller holds a read
    /// lease, so that no writer is at work.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OutOfMemory`].
    pub fn share(&self) -> Result<Pixels> {
        let (layout, buffer) = {
            let pixels = self.lock();
            let pixels = pixels.as_ref().ok_or(Error::Empty)?;
            let buffer = Arc::clone(pixels.buffer());
            if !buffer.may_change() {
                return Pixels::of(pixels.layout, buffer);
            }
            (pixels.layout, buffer)
        };
        Pixels::of(layout, buffer.duplicate()?)
    }

    /// A private copy of the voxels for a second image.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OutOfMemory`].
    pub fn duplicate(&self) -> Result<Pixels> {
        let view = self.read_view(None, None)?;
        Pixels::of(view.layout, view.claim.buffer().duplicate()?)
    }
}

/// Voxels of one time step or of all, kept alive.
///
/// The right to write lasts as long as the view: memory that was handed out writeable may be written by whoever still
/// has it, so a buffer must not be shared before the view is gone. The lease may end earlier.
#[derive(Debug)]
pub struct View {
    claim: Arc<Claim>,
    layout: Layout,
    step: Option<usize>,
    bytes: Range<usize>,
    // Before the lease, because fields drop in this order: the right to write ends before others are let in.
    writer: Option<Writer>,
    lease: Mutex<Option<Lease>>,
}

impl View {
    fn new(pixels: &Pixels, step: Option<usize>, writer: Option<Writer>, lease: Option<Lease>) -> Result<View> {
        let layout = pixels.layout;
        let bytes = layout.byte_range(step)?;
        Ok(View { claim: Arc::clone(&pixels.claim), layout, step, bytes, writer, lease: Mutex::new(lease) })
    }

    /// Layout of the whole image.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The time step shown, `None` for all.
    pub fn step(&self) -> Option<usize> {
        self.step
    }

    /// First byte.
    pub fn as_ptr(&self) -> *mut u8 {
        // SAFETY: the range lies inside the buffer, checked when the image was made.
        unsafe { self.claim.buffer().start().as_ptr().add(self.bytes.start) }
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the voxels may be changed through this view.
    pub fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    /// Gives up the lease. The right to write stays: see [`View`].
    pub fn release_lease(&self) {
        drop(self.lease.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests;
