//! Where a march gets its speeds from: an array of speeds, or intensities through a [`SpeedMap`], read tile by tile.

use super::Time;
use crate::error::{Error, Result};
use crate::grid::Size3;
use crate::levelset::SpeedMap;
use crate::pixel::Pixel;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;

/// Speeds of a volume, read once per touched voxel.
#[derive(Debug, Clone, Copy)]
pub struct Speed<'a> {
    voxels: Voxels<'a>,
    map: Option<SpeedMap>,
}

impl<'a> Speed<'a> {
    /// An array of speeds, each finite and >= 0.
    ///
    /// # Errors
    /// [`Error::BadSpeed`] with the first offending voxel in memory order.
    pub fn from_speeds(voxels: Voxels<'a>, control: &TaskControl) -> Result<Self> {
        let size = voxels.size();
        let bad =
            (0..size.z()).into_par_iter().map(|z| first_bad_speed(&voxels, z, control)).find_first(Option::is_some);
        control.check()?;
        match bad.flatten() {
            Some(error) => Err(error),
            None => Ok(Self { voxels, map: None }),
        }
    }

    /// Intensities, mapped to speeds.
    pub fn from_intensities(voxels: Voxels<'a>, map: SpeedMap) -> Self {
        Self { voxels, map: Some(map) }
    }

    /// Number of voxels.
    pub fn size(&self) -> Size3 {
        self.voxels.size()
    }

    /// The same speeds with the axes in another order: axis `a` of the result is axis `order[a]` of `self`.
    pub(crate) fn permuted(&self, order: [usize; 3]) -> Result<Self> {
        let size = Size3::new(order.map(|a| self.size().array()[a]))?;
        let strides = order.map(|a| self.voxels.strides()[a]);
        // SAFETY: the same voxels under other names.
        let voxels = unsafe { Voxels::from_raw(self.voxels.as_ptr(), self.voxels.pixel(), size, strides) };
        Ok(Self { voxels, map: self.map })
    }

    /// Speed of one voxel in the precision of `T`.
    pub fn at<T: Time>(&self, v: [usize; 3]) -> T {
        let mut value = [T::default()];
        self.read_box(v, [1; 3], [1; 2], &mut value);
        value[0]
    }

    /// Speeds of a box of voxels; rows of `out` are `pitch[0]` apart, slices `pitch[1]`.
    pub(crate) fn read_box<T: Time>(&self, start: [usize; 3], extent: [usize; 3], pitch: [usize; 2], out: &mut [T]) {
        crate::pixel::dispatch_pixel!(self.voxels.pixel(), P => match &self.map {
            None => self.read_rows::<P, T>(start, extent, pitch, out, |v| T::from_f64(v.to_f64())),
            Some(map) => {
                self.read_rows::<P, T>(start, extent, pitch, out, |v| T::from_f64(f64::from(map.speed(v.to_f32()))));
            }
        });
    }

    #[inline(always)]
    fn read_rows<P: Pixel, T: Time>(
        &self,
        start: [usize; 3],
        extent: [usize; 3],
        pitch: [usize; 2],
        out: &mut [T],
        map: impl Fn(P) -> T,
    ) {
        for z in 0..extent[2] {
            for y in 0..extent[1] {
                let row = y * pitch[0] + z * pitch[1];
                let row = &mut out[row..row + extent[0]];
                self.voxels.read_row::<P, T>(start[0], start[1] + y, start[2] + z, row, &map);
            }
        }
    }
}

fn first_bad_speed(voxels: &Voxels<'_>, z: usize, control: &TaskControl) -> Option<Error> {
    if control.is_cancelled() {
        return None;
    }
    crate::pixel::dispatch_pixel!(voxels.pixel(), P => first_bad_of::<P>(voxels, z))
}

fn first_bad_of<P: Pixel>(voxels: &Voxels<'_>, z: usize) -> Option<Error> {
    let size = voxels.size();
    let good = |v: P| (v >= P::ZERO) & (v <= P::HIGHEST);
    for y in 0..size.y() {
        // Folding the whole row first vectorizes; the search runs only on a row that has a bad voxel.
        if voxels.fold_row(y, z, true, |all, v| all & good(v)) {
            continue;
        }
        let mut row = vec![P::ZERO; size.x()];
        voxels.read_row::<P, P>(0, y, z, &mut row, |v| v);
        let x = row.iter().position(|v| !good(*v)).unwrap_or_default();
        return Some(Error::BadSpeed { index: [x, y, z].map(|i| i as i64), value: row[x].to_f64() });
    }
    None
}
