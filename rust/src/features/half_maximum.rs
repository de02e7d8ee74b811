//! The full-width-at-half-maximum feature.
//!
//! Each voxel is compared with the middle between the background and the largest value in an ellipsoid around it: a
//! sigmoid of width 1/6 gives a value of -1 to 1, positive where the voxel is above the middle. Grey values are not
//! scaled, so scans with values far above 1 get little else than -1 and 1.

use crate::error::{Error, Result};
use crate::grid::Size3;
use crate::memory::try_with_room;
use crate::task::TaskControl;
use rayon::prelude::*;

/// Computes the feature of `volume`; see the module.
pub(super) fn feature(
    volume: &[f32],
    size: Size3,
    radius: [usize; 3],
    background: f32,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    if (0..3).any(|a| radius[a] > size.array()[a]) {
        let allowed = "it must not exceed the number of voxels along any axis";
        return Err(Error::BadArgument { name: "radius", got: format!("{radius:?}"), allowed });
    }
    let ball = Ball::new(radius)?;
    let [nx, ny, _] = size.array();
    out.par_chunks_mut(nx * ny).enumerate().try_for_each(|(z, slice)| {
        for (y, row) in slice.chunks_mut(nx).enumerate() {
            control.check()?;
            ball.dilate_row(volume, size, [y, z], row);
            let first = (z * ny + y) * nx;
            for (value, voxel) in row.iter_mut().zip(&volume[first..first + nx]) {
                *value = contrast(*voxel, *value, background);
            }
        }
        Ok(())
    })
}

/// The feature of a voxel whose surroundings have the maximum `dilated`.
fn contrast(voxel: f32, dilated: f32, background: f32) -> f32 {
    let above = (voxel - background) - (dilated - background) / 2.0;
    let share = 1.0 / (1.0 + (-f64::from(above) / (1.0 / 6.0)).exp());
    (2.0 * share - 1.0) as f32
}

/// An ellipsoid of voxels as lines along x.
struct Ball {
    /// Offsets (y, z) of a line, and how far it reaches to both sides.
    lines: Vec<([i64; 2], usize)>,
}

impl Ball {
    /// All voxels with `sum (offset / (radius + 1/2))^2 <= 1`.
    fn new(radius: [usize; 3]) -> Result<Self> {
        let part = |offset: i64, axis: usize| (offset as f64 / (radius[axis] as f64 + 0.5)).powi(2);
        let mut lines = try_with_room((2 * radius[1] + 1) * (2 * radius[2] + 1))?;
        for dz in -(radius[2] as i64)..=radius[2] as i64 {
            for dy in -(radius[1] as i64)..=radius[1] as i64 {
                let rest = part(dy, 1) + part(dz, 2);
                let reach = (0..=radius[0] as i64).rev().find(|&dx| part(dx, 0) + rest <= 1.0);
                lines.extend(reach.map(|reach| ([dy, dz], reach as usize)));
            }
        }
        Ok(Self { lines })
    }

    /// The maximum over the ball around each voxel of a row; what is outside the volume does not count.
    fn dilate_row(&self, volume: &[f32], size: Size3, [y, z]: [usize; 2], out: &mut [f32]) {
        let nx = size.x();
        out.fill(f32::NEG_INFINITY);
        for &([dy, dz], reach) in &self.lines {
            let index = [0, y as i64 + dy, z as i64 + dz];
            if size.contains(index) {
                let first = size.offset(index.map(|i| i as usize));
                dilate_line(&volume[first..first + nx], reach, out);
            }
        }
    }
}

/// Raises `out` to the maximum of `line` within `reach` voxels.
fn dilate_line(line: &[f32], reach: usize, out: &mut [f32]) {
    let n = line.len();
    let raise = |out: &mut [f32], line: &[f32]| {
        out.iter_mut().zip(line).for_each(|(o, v)| *o = if *v > *o { *v } else { *o });
    };
    raise(out, line);
    for shift in 1..=reach.min(n - 1) {
        raise(out, &line[shift..]);
        raise(&mut out[shift..], line);
    }
}
