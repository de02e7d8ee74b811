//! The rays of a picture through a volume, in fixed point.
//!
//! Sample `k` of a ray lies at `base + k * step`, in voxel indices with 32 binary places, so positions are exact
//! however they are computed. A ray's samples are all `k` whose position lies between the outermost voxel centres
//! (along an axis of one voxel: within that voxel).

use crate::error::{Error, Result};

/// Binary places of a position.
pub(super) const PLACES: u32 = 32;

/// Positions, steps and axes beyond this many voxels are refused, so that no sum of positions overflows.
pub(super) const FARTHEST: f64 = (1u64 << 27) as f64;

/// Most samples along a ray.
pub(super) const MOST_SAMPLES: i64 = 1 << 20;

/// A position or step in voxel indices `(x, y, z)`, fixed point.
pub(super) type Fixed3 = [i64; 3];

/// How rays leave the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beam {
    /// All in the same direction: `step` is one sample distance, in voxel indices.
    Parallel {
        /// From one sample to the next.
        step: [f64; 3],
    },
    /// All from `eye` (voxel indices) through the points of the picture, `distance` mm from sample to sample.
    Perspective {
        /// Where the rays start.
        eye: [f64; 3],
        /// Sample distance in mm.
        distance: f64,
        /// Index to world without the origin; its columns are mm.
        matrix: [[f64; 3]; 3],
    },
}

/// A picture of rays: pixel `(i, j)` sees the point `corner + i * column + j * row`, in voxel indices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Pixels `(width, height)`.
    pub size: [usize; 2],
    /// Point of pixel `(0, 0)`; for parallel rays its sample 0.
    pub corner: [f64; 3],
    /// From one column of pixels to the next.
    pub column: [f64; 3],
    /// From one row of pixels to the next.
    pub row: [f64; 3],
    /// The rays.
    pub beam: Beam,
}

/// One ray.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) base: Fixed3,
    pub(super) step: Fixed3,
}

impl Ray {
    #[inline(always)]
    pub(super) fn at(&self, k: i64) -> Fixed3 {
        std::array::from_fn(|a| self.base[a] + k * self.step[a])
    }
}

impl Camera {
    /// Refuses numbers that are not finite or too large, and empty pictures.
    ///
    /// # Errors
    /// [`Error::BadArgument`].
    pub fn check(&self) -> Result<()> {
        if self.size.iter().any(|&n| n == 0 || n > 1 << 16) {
            let got = format!("{} x {}", self.size[0], self.size[1]);
            return Err(Error::BadArgument { name: "size", got, allowed: "1 to 65536 pixels along each side" });
        }
        let reach = |a: usize| {
            self.corner[a].abs() + self.size[0] as f64 * self.column[a].abs() + self.size[1] as f64 * self.row[a].abs()
        };
        let beam = match self.beam {
            Beam::Parallel { step } => step,
            Beam::Perspective { eye, .. } => eye,
        };
        // Not `>`: NaN must be refused, too.
        if !(0..3).all(|a| reach(a) < FARTHEST && beam[a].abs() < FARTHEST) {
            let got = format!("a view of {:?} voxels at {beam:?}", [0, 1, 2].map(reach));
            return Err(Error::BadArgument { name: "camera", got, allowed: "finite, at most 134 million voxels away" });
        }
        match self.beam {
            Beam::Perspective { distance, .. } if !(distance > 0.0 && distance.is_finite()) => {
                let got = format!("{distance:?}");
                Err(Error::BadArgument { name: "sample_distance", got, allowed: "it must be finite and > 0 mm" })
            }
            _ => Ok(()),
        }
    }
}

/// The rays of a camera.
pub(super) struct Rays<'a> {
    pub(super) camera: &'a Camera,
    /// The step of parallel rays.
    step: Fixed3,
}

impl<'a> Rays<'a> {
    /// Those of a camera that was checked.
    pub(super) fn new(camera: &'a Camera) -> Self {
        let step = if let Beam::Parallel { step } = camera.beam { step.map(to_fixed) } else { [0; 3] };
        Self { camera, step }
    }

    /// The ray of a pixel.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where the distance between two samples is too large to count in voxels.
    #[inline(always)]
    pub(super) fn of(&self, i: usize, j: usize) -> Result<Ray> {
        let Camera { corner, column, row, .. } = self.camera;
        let point: [f64; 3] = std::array::from_fn(|a| corner[a] + i as f64 * column[a] + j as f64 * row[a]);
        match self.camera.beam {
            Beam::Parallel { .. } => Ok(Ray { base: point.map(to_fixed), step: self.step }),
            Beam::Perspective { eye, distance, matrix } => {
                let toward: [f64; 3] = std::array::from_fn(|a| point[a] - eye[a]);
                let mm: [f64; 3] = std::array::from_fn(|a| (0..3).map(|b| matrix[a][b] * toward[b]).sum());
                let scale = distance / mm.iter().map(|v| v * v).sum::<f64>().sqrt();
                let step = toward.map(|t| t * scale);
                // Not `>=`: NaN must be refused, too.
                if !step.iter().all(|s| s.abs() < FARTHEST) {
                    return Err(bad_distance(step, "less than 134 million voxels from sample to sample are allowed"));
                }
                Ok(Ray { base: eye.map(to_fixed), step: step.map(to_fixed) })
            }
        }
    }

    /// First sample that a ray may take: nothing behind the eye is seen.
    #[inline(always)]
    pub(super) fn first_sample(&self) -> i64 {
        if matches!(self.camera.beam, Beam::Parallel { .. }) { i64::MIN } else { 0 }
    }
}

#[inline(always)]
fn to_fixed(value: f64) -> i64 {
    (value * (1u64 << PLACES) as f64).round() as i64
}

#[cold]
pub(super) fn bad_distance(step: [f64; 3], allowed: &'static str) -> Error {
    Error::BadArgument { name: "sample_distance", got: format!("{step:?} voxels"), allowed }
}

#[cold]
pub(super) fn too_many_samples(ray: &Ray) -> Error {
    let step = ray.step.map(|s| s as f64 / (1u64 << PLACES) as f64);
    bad_distance(step, "it must be large enough for at most a million samples along a ray")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_that_see_nothing_sensible_are_refused() {
        let camera = Camera {
            size: [4, 4],
            corner: [0.0; 3],
            column: [1.0, 0.0, 0.0],
            row: [0.0, 1.0, 0.0],
            beam: Beam::Parallel { step: [0.0, 0.0, 1.0] },
        };
        assert!(camera.check().is_ok());
        assert!(Camera { size: [0, 4], ..camera }.check().is_err());
        assert!(Camera { size: [1 << 20, 4], ..camera }.check().is_err());
        assert!(Camera { corner: [f64::NAN; 3], ..camera }.check().is_err());
        assert!(Camera { beam: Beam::Parallel { step: [f64::INFINITY; 3] }, ..camera }.check().is_err());
        for distance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let beam = Beam::Perspective { eye: [0.0; 3], distance, matrix: [[1.0; 3]; 3] };
            assert!(Camera { beam, ..camera }.check().is_err());
        }
    }
}
