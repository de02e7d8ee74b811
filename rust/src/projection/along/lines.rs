//! Where the lines of a projection lie in memory.

use super::fold::STREAMS;
use crate::error::{Error, Result};
use crate::projection::number::Number;
use crate::voxels::Voxels;
use std::marker::PhantomData;
use std::ops::Range;

/// An axis of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Columns, the fastest index of an image.
    X,
    /// Rows.
    Y,
    /// Slices.
    Z,
}

impl Axis {
    /// All three.
    pub const ALL: [Axis; 3] = [Axis::X, Axis::Y, Axis::Z];

    /// The axes that remain: that of the output's rows, that of the pixels within a row.
    pub fn others(self) -> [Axis; 2] {
        match self {
            Axis::X => [Axis::Z, Axis::Y],
            Axis::Y => [Axis::Z, Axis::X],
            Axis::Z => [Axis::Y, Axis::X],
        }
    }
}

/// The part of a volume that is projected: `first <= index < end` along `axis`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slab {
    /// Axis of projection.
    pub axis: Axis,
    /// Voxel indices along the axis.
    pub range: Range<usize>,
}

impl Slab {
    /// The whole volume along `axis`.
    pub fn whole(voxels: &Voxels<'_>, axis: Axis) -> Self {
        Self { axis, range: 0..voxels.size().array()[axis as usize] }
    }

    /// Pixels of the output: `(rows, width)`.
    pub fn output_size(&self, voxels: &Voxels<'_>) -> [usize; 2] {
        self.axis.others().map(|a| voxels.size().array()[a as usize])
    }

    fn check(&self, voxels: &Voxels<'_>) -> Result<()> {
        let n = voxels.size().array()[self.axis as usize];
        if self.range.start < self.range.end && self.range.end <= n {
            return Ok(());
        }
        let got = format!("{}:{} along an axis of {n} voxels", self.range.start, self.range.end);
        Err(Error::BadArgument { name: "slab", got, allowed: "0 <= first < end <= voxels along the axis" })
    }
}

/// Bytes of output that one thread works on.
const CHUNK_BYTES: usize = 256 << 10;
/// Pixels of output below which sharing the work costs more than it saves.
const FEWEST_PIXELS: usize = 1024;

/// Where a part of an output row starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Output row.
    pub(super) row: usize,
    /// First pixel within the row.
    pub(super) pixel: usize,
    /// First pixel within the whole output.
    pub(super) first: usize,
}

/// All lines of a slab: `depth` voxels each, for `rows` x `width` output pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a, T> {
    base: *const u8,
    pub(super) depth: usize,
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) depth_step: isize,
    pub(super) row_step: isize,
    pub(super) pixel_step: isize,
    lifetime: PhantomData<&'a T>,
}

// SAFETY: only reads; `Lines::new` takes them from a `Voxels<'a>`, which is `Send` and readable for 'a.
unsafe impl<T> Send for Lines<'_, T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Lines<'_, T> {}

impl<'a, T: Number> Lines<'a, T> {
    /// The lines of `slab`, for an output of `outputs` pixels. Output rows that follow each other without a gap
    /// become one long row.
    pub(super) fn new(voxels: &Voxels<'a>, slab: &Slab, outputs: usize) -> Result<Self> {
        Ok(Self::separate(voxels, slab, outputs)?.merged())
    }

    /// As [`Lines::new`], each output row by itself.
    pub(super) fn separate(voxels: &Voxels<'a>, slab: &Slab, outputs: usize) -> Result<Self> {
        slab.check(voxels)?;
        if voxels.pixel() != T::TYPE {
            let (got, expected) = (voxels.pixel().name().to_string(), T::NAME.to_string());
            return Err(Error::Mismatch { what: "pixel type", got, expected });
        }
        let [rows, width] = slab.output_size(voxels);
        Error::check_lengths("output pixels", outputs, rows * width)?;
        Ok(Self::unchecked(voxels, slab, rows, width))
    }

    fn unchecked(voxels: &Voxels<'a>, slab: &Slab, rows: usize, width: usize) -> Self {
        let mut first = [0; 3];
        first[slab.axis as usize] = slab.range.start;
        let strides = voxels.strides();
        let [row, pixel] = slab.axis.others();
        Self {
            // SAFETY: `slab` was checked, so `first` lies inside.
            base: unsafe { voxels.row_ptr(first[0], first[1], first[2]) },
            depth: slab.range.len(),
            rows,
            width,
            depth_step: strides[slab.axis as usize],
            row_step: strides[row as usize],
            pixel_step: strides[pixel as usize],
            lifetime: PhantomData,
        }
    }

    fn merged(mut self) -> Self {
        if self.row_step == self.width as isize * self.pixel_step {
            self.width *= self.rows;
            self.rows = 1;
        }
        self
    }

    /// Whether the voxels of a line lie closer together than neighbouring lines.
    pub(super) fn run_along_memory(&self) -> bool {
        self.depth_step.unsigned_abs() <= self.pixel_step.unsigned_abs()
    }

    /// Whether the lines of an output row are nearer to each other than the rows are (axis y): taken row by row, memory is
    /// read from front to back.
    pub(super) fn row_by_row(&self) -> bool {
        self.rows > 1 && self.depth_step.unsigned_abs() < self.row_step.unsigned_abs() && !self.run_along_memory()
    }

    /// Output pixels that one thread works on: few enough for the second-level cache (a quarter of a common one),
    /// enough chunks for every thread; a part of one row or some whole rows. Of rows that are taken two by two only so
    /// many go together that there is enough to do.
    pub(super) fn chunk<A>(&self) -> usize {
        let shares = (self.rows * self.width).div_ceil(4 * rayon::current_num_threads());
        let pixels = shares.clamp(FEWEST_PIXELS, CHUNK_BYTES / size_of::<A>());
        if self.rows == 1 {
            return pixels;
        }
        let pixels = if self.row_by_row() { FEWEST_PIXELS.max(STREAMS * self.width) } else { pixels };
        self.width * (pixels / self.width).clamp(1, self.rows)
    }

    /// Cuts a chunk of output that starts at pixel `first` into rows.
    #[inline(always)]
    pub(super) fn pieces<'o, A>(&self, first: usize, out: &'o mut [A]) -> impl Iterator<Item = (Piece, &'o mut [A])> {
        let (row, pixel) = (first / self.width, first % self.width);
        let width = self.width.min(out.len());
        let pieces = out.chunks_mut(width).enumerate();
        pieces.map(move |(i, out)| (Piece { row: row + i, pixel, first: first + i * width }, out))
    }

    /// The voxels `(depth, row, pixel..)` in the direction of the output row.
    ///
    /// # Safety
    /// The indices must lie inside, and so must every voxel read through the result.
    #[inline(always)]
    pub(super) unsafe fn across(&self, depth: usize, row: usize, pixel: usize) -> Strided<T> {
        Strided { base: self.address(depth, row, pixel), step: self.pixel_step, kind: PhantomData }
    }

    /// The line of output pixel `(row, pixel)`.
    ///
    /// # Safety
    /// The indices must lie inside, and so must every voxel read through the result.
    #[inline(always)]
    pub(super) unsafe fn along(&self, row: usize, pixel: usize) -> Strided<T> {
        // SAFETY: the caller's promise.
        unsafe { self.along_from(0, row, pixel) }
    }

    /// The line of output pixel `(row, pixel)` from voxel `depth` on.
    ///
    /// # Safety
    /// The indices must lie inside, and so must every voxel read through the result.
    #[inline(always)]
    pub(super) unsafe fn along_from(&self, depth: usize, row: usize, pixel: usize) -> Strided<T> {
        Strided { base: self.address(depth, row, pixel), step: self.depth_step, kind: PhantomData }
    }

    #[inline(always)]
    fn address(&self, depth: usize, row: usize, pixel: usize) -> *const u8 {
        let offset = depth as isize * self.depth_step + row as isize * self.row_step + pixel as isize * self.pixel_step;
        self.base.wrapping_offset(offset)
    }
}

/// Voxels one step apart; made by [`Lines`], which obliges its caller to stay inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strided<T> {
    base: *const u8,
    step: isize,
    kind: PhantomData<T>,
}

impl<T: Number> Strided<T> {
    /// Whether the voxels touch, so that [`Dense`] may read them.
    #[inline(always)]
    pub(super) fn is_dense(self) -> bool {
        self.step == size_of::<T>() as isize
    }

    /// The same voxels, known to touch; check with [`Strided::is_dense`].
    #[inline(always)]
    pub(super) fn dense(self) -> Dense<T> {
        Dense(self.base.cast())
    }
}

/// Voxels that touch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense<T>(*const T);

/// Something to read the `i`-th voxel of.
pub(super) trait VoxelRun<T: Number>: Copy {
    /// The `i`-th voxel.
    ///
    /// # Safety
    /// `i` must lie inside the slab the run was made from.
    unsafe fn get(self, i: usize) -> T;

    /// The voxels from the `i`-th on, as many as there are lanes.
    ///
    /// # Safety
    /// They must all lie inside the slab the run was made from.
    unsafe fn lanes(self, i: usize) -> T::Lanes;
}

impl<T: Number> VoxelRun<T> for Strided<T> {
    #[inline(always)]
    unsafe fn get(self, i: usize) -> T {
        // SAFETY: inside by the caller's promise; any bytes are a valid number.
        unsafe { self.base.offset(i as isize * self.step).cast::<T>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn lanes(self, i: usize) -> T::Lanes {
        let mut lanes = T::lanes(T::FLOOR);
        for (k, lane) in lanes.as_mut().iter_mut().enumerate() {
            // SAFETY: inside by the caller's promise.
            *lane = unsafe { self.get(i + k) };
        }
        lanes
    }
}

impl<T: Number> VoxelRun<T> for Dense<T> {
    #[inline(always)]
    unsafe fn get(self, i: usize) -> T {
        // SAFETY: inside by the caller's promise; any bytes are a valid number.
        unsafe { self.0.add(i).read_unaligned() }
    }

    #[inline(always)]
    unsafe fn lanes(self, i: usize) -> T::Lanes {
        // SAFETY: inside by the caller's promise; `Lanes` is an array of numbers, and any bytes are some.
        unsafe { self.0.add(i).cast::<T::Lanes>().read_unaligned() }
    }
}
