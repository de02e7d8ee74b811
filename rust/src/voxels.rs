//! Borrowed voxels of any pixel type and any strides: how every kernel reads an image.
//!
//! A kernel reads the user's memory once, element by element, and works on private memory afterwards. The reads are raw
//! and unaligned, within the bounds that were given, and of plain numbers, and no Rust reference to the memory is ever
//! made, because a writable NumPy view of the same memory may exist.
//!
//! That nobody writes meanwhile is for those to see to who run unchecked code: a writer in Python that takes no accessor, a C
//! extension. Where they do, Rust's memory model calls it a data race; what comes of it is a picture that mixes old and
//! new voxels, never one of memory that is not the image's.

use crate::error::{Error, Result};
use crate::grid::Size3;
use crate::memory::prefetch;
use crate::pixel::{Pixel, PixelType};
use ndarray::ArrayView3;
use std::marker::PhantomData;

/// A scalar volume somewhere in memory, with byte strides along `(x, y, z)`.
#[derive(Debug, Clone, Copy)]
pub struct Voxels<'a> {
    base: *const u8,
    pixel: PixelType,
    size: Size3,
    strides: [isize; 3],
    lifetime: PhantomData<&'a ()>,
}

// SAFETY: `Voxels` only reads, and `Voxels::from_raw` obliges its caller to keep the memory readable for `'a`, from any
// thread.
unsafe impl Send for Voxels<'_> {}
// SAFETY: as above; shared copies only read.
unsafe impl Sync for Voxels<'_> {}

/// Voxels of a row that are read together.
const SHORT: usize = 8;

impl<'a, T: Pixel> TryFrom<ArrayView3<'a, T>> for Voxels<'a> {
    type Error = Error;

    /// An array `(z, y, x)` of any strides.
    fn try_from(array: ArrayView3<'a, T>) -> Result<Self> {
        let (z, y, x) = array.dim();
        let size = Size3::new([x, y, z])?;
        let strides = [2, 1, 0].map(|axis: usize| array.strides()[axis] * size_of::<T>() as isize);
        // SAFETY: the view borrows all its elements for 'a, and numbers may be read from any thread.
        Ok(unsafe { Self::from_raw(array.as_ptr().cast(), T::TYPE, size, strides) })
    }
}

impl<'a> Voxels<'a> {
    /// Voxels at `base` with byte `strides` along `(x, y, z)`.
    ///
    /// # Safety
    /// For `'a`, every `base + x * strides[0] + y * strides[1] + z * strides[2]` with `(x, y, z)` inside `size`
    /// must be readable for `pixel.size()` bytes, from any thread.
    pub unsafe fn from_raw(base: *const u8, pixel: PixelType, size: Size3, strides: [isize; 3]) -> Self {
        Self { base, pixel, size, strides, lifetime: PhantomData }
    }

    /// A contiguous slice, x fastest.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the slice is not `size` long.
    pub fn from_slice<T: Pixel>(data: &'a [T], size: Size3) -> Result<Self> {
        Error::check_lengths("number of voxels", data.len(), size.voxels())?;
        let bytes = size_of::<T>() as isize;
        let strides = size.strides().map(|s| s as isize * bytes);
        // SAFETY: the slice is borrowed for 'a and holds exactly `size` elements.
        Ok(unsafe { Self::from_raw(data.as_ptr().cast(), T::TYPE, size, strides) })
    }

    /// Pixel type.
    #[inline(always)]
    pub fn pixel(&self) -> PixelType {
        self.pixel
    }

    /// Number of voxels along each axis.
    #[inline(always)]
    pub fn size(&self) -> Size3 {
        self.size
    }

    /// Byte strides along `(x, y, z)`.
    #[inline(always)]
    pub fn strides(&self) -> [isize; 3] {
        self.strides
    }

    /// Address of voxel `(0, 0, 0)`.
    #[inline(always)]
    pub fn as_ptr(&self) -> *const u8 {
        self.base
    }

    /// One voxel. `T` must be the pixel type; checked.
    #[inline(always)]
    pub fn get<T: Pixel>(&self, v: [usize; 3]) -> T {
        let s = self.size.array();
        assert!(T::TYPE == self.pixel && v[0] < s[0] && v[1] < s[1] && v[2] < s[2]);
        // SAFETY: the index is inside and the type is right, both just asserted.
        unsafe { self.get_unchecked(v) }
    }

    /// One voxel, unchecked.
    ///
    /// # Safety
    /// `v` must lie inside `size` and `T` must be the pixel type.
    #[inline(always)]
    pub unsafe fn get_unchecked<T: Pixel>(&self, v: [usize; 3]) -> T {
        let offset =
            v[0] as isize * self.strides[0] + v[1] as isize * self.strides[1] + v[2] as isize * self.strides[2];
        // SAFETY: inside by the caller's promise, readable by that of `from_raw`; `Pixel` is sealed, so `T` is a plain
        // number of `T::TYPE`'s size, of which any bytes are a valid value.
        unsafe { self.base.offset(offset).cast::<T>().read_unaligned() }
    }

    /// Reads `out.len()` voxels of row `(y, z)` starting at `x0`, each mapped by `map`.
    pub fn read_row<T: Pixel, U>(&self, x0: usize, y: usize, z: usize, out: &mut [U], map: impl Fn(T) -> U) {
        self.assert_inside::<T>([x0, y, z], [out.len(), 1, 1]);
        // SAFETY: inside and of the right type, just asserted.
        unsafe { self.read_row_unchecked(x0, y, z, out, map) }
    }

    /// Reads a box of voxels from `start` on, each mapped by `map`; rows of `out` are `pitch[0]` apart, slices `pitch[1]`.
    #[inline(always)]
    pub(crate) fn read_box<T: Pixel, U>(
        &self,
        start: [usize; 3],
        extent: [usize; 3],
        pitch: [usize; 2],
        out: &mut [U],
        map: impl Fn(T) -> U,
    ) {
        self.assert_inside::<T>(start, extent);
        // The rows of a box are far apart, often in as many pages: asked for one by one, each is waited for.
        for (y, z) in (0..extent[2]).flat_map(|z| (0..extent[1]).map(move |y| (y, z))) {
            // SAFETY: inside, as asserted.
            prefetch(unsafe { self.row_ptr(start[0], start[1] + y, start[2] + z) });
        }
        for (y, z) in (0..extent[2]).flat_map(|z| (0..extent[1]).map(move |y| (y, z))) {
            let row = y * pitch[0] + z * pitch[1];
            let row = &mut out[row..row + extent[0]];
            // SAFETY: inside and of the right type, as asserted.
            unsafe { self.read_row_unchecked(start[0], start[1] + y, start[2] + z, row, &map) };
        }
    }

    /// Panics unless a box lies inside and `T` is the pixel type.
    #[inline(always)]
    fn assert_inside<T: Pixel>(&self, start: [usize; 3], extent: [usize; 3]) {
        let size = self.size.array();
        let inside = |a: usize| extent[a] <= size[a] && start[a] <= size[a] - extent[a];
        assert!(T::TYPE == self.pixel && inside(0) && inside(1) && inside(2));
    }

    /// [`Voxels::read_row`], unchecked.
    ///
    /// # Safety
    /// The row must lie inside `size`, and `T` must be the pixel type.
    #[inline(always)]
    unsafe fn read_row_unchecked<T: Pixel, U>(
        &self,
        x0: usize,
        y: usize,
        z: usize,
        out: &mut [U],
        map: impl Fn(T) -> U,
    ) {
        if self.strides[0] == size_of::<T>() as isize {
            // SAFETY: the row is inside, by the caller's promise.
            let row = unsafe { self.row_ptr(x0, y, z) }.cast::<T>();
            // SAFETY: `x0 + i` is inside the row.
            let at = |i: usize| map(unsafe { row.add(i).read_unaligned() });
            // Short rows are read often, and with a length that the compiler knows it does without a call to copy them.
            let (short, rest) = out.as_chunks_mut::<SHORT>();
            for (n, out) in short.iter_mut().enumerate() {
                (0..SHORT).for_each(|i| out[i] = at(n * SHORT + i));
            }
            let read = SHORT * short.len();
            rest.iter_mut().enumerate().for_each(|(i, out)| *out = at(read + i));
        } else {
            for (i, o) in out.iter_mut().enumerate() {
                // SAFETY: inside and of the right type, by the caller's promise.
                *o = map(unsafe { self.get_unchecked([x0 + i, y, z]) });
            }
        }
    }

    /// Folds the voxels of a row from the first to the last.
    #[inline(always)]
    pub fn fold_row<T: Pixel, A>(&self, y: usize, z: usize, first: A, fold: impl Fn(A, T) -> A) -> A {
        let s = self.size.array();
        assert!(T::TYPE == self.pixel && y < s[1] && z < s[2]);
        if self.strides[0] == size_of::<T>() as isize {
            // SAFETY: the row is inside, asserted above.
            let row = unsafe { self.row_ptr(0, y, z) }.cast::<T>();
            // SAFETY: `x` is inside the row.
            (0..s[0]).fold(first, |all, x| fold(all, unsafe { row.add(x).read_unaligned() }))
        } else {
            // SAFETY: inside and of the right type, asserted above.
            (0..s[0]).fold(first, |all, x| fold(all, unsafe { self.get_unchecked([x, y, z]) }))
        }
    }

    /// Reads every voxel as `f32` into `out`, x fastest.
    pub fn read_all(&self, out: &mut [f32]) {
        let size = self.size;
        for (row, out) in out.chunks_mut(size.x()).take(size.y() * size.z()).enumerate() {
            crate::pixel::dispatch_pixel!(self.pixel, P => self.read_row::<P, f32>(0, row % size.y(), row / size.y(), out, P::to_f32));
        }
    }

    /// Address of voxel `(x, y, z)`.
    ///
    /// # Safety
    /// The voxel must lie inside.
    #[inline(always)]
    pub unsafe fn row_ptr(&self, x: usize, y: usize, z: usize) -> *const u8 {
        let offset = x as isize * self.strides[0] + y as isize * self.strides[1] + z as isize * self.strides[2];
        // SAFETY: inside by the caller's promise.
        unsafe { self.base.offset(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_reads_reach_the_same_voxels() {
        let size = Size3::new([2, 3, 4]).unwrap();
        let data: Vec<i16> = (0..24).collect();
        let plain = Voxels::from_slice(&data, size).unwrap();
        // The same memory seen with x and z exchanged and y reversed.
        // SAFETY: the strides below stay inside `data`.
        let turned = unsafe {
            let base = plain.row_ptr(0, 2, 0);
            Voxels::from_raw(base, PixelType::I16, Size3::new([4, 3, 2]).unwrap(), [12, -4, 2])
        };
        for z in 0..4 {
            for y in 0..3 {
                for x in 0..2 {
                    assert_eq!(turned.get::<i16>([z, 2 - y, x]), plain.get::<i16>([x, y, z]));
                }
            }
        }
    }

    #[test]
    fn a_slice_of_the_wrong_length_is_refused() {
        let size = Size3::new([2, 3, 4]).unwrap();
        assert!(Voxels::from_slice(&[0f32; 23], size).is_err());
    }
}
