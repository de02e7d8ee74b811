//! Rays through a volume, in fixed point, and the value of the volume at a point.
//!
//! Sample `k` of a ray lies at `base + k * step`, in voxel indices with 32 binary places, so positions are exact
//! however they are computed. A ray's samples are all `k` whose position lies between the outermost voxel centres
//! (along an axis of one voxel: within that voxel). The value is linear along x, then y, then z, in `f32`, with the
//! position between two voxels cut to 24 binary places.

use crate::error::{Error, Result};
use crate::projection::number::Number;
use crate::voxels::Voxels;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

/// Binary places of a position.
pub(super) const PLACES: u32 = 32;

/// Positions, steps and axes beyond this many voxels are refused, so that no sum of positions overflows.
const FARTHEST: f64 = (1u64 << 27) as f64;

/// Most samples along a ray.
const MOST_SAMPLES: i64 = 1 << 20;

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
fn bad_distance(step: [f64; 3], allowed: &'static str) -> Error {
    Error::BadArgument { name: "sample_distance", got: format!("{step:?} voxels"), allowed }
}

#[cold]
fn too_many_samples(ray: &Ray) -> Error {
    let step = ray.step.map(|s| s as f64 / (1u64 << PLACES) as f64);
    bad_distance(step, "it must be large enough for at most a million samples along a ray")
}

/// The voxels of a volume, to be sampled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler<'a, T> {
    pub(super) base: *const u8,
    pub(super) size: [usize; 3],
    pub(super) strides: [isize; 3],
    lifetime: PhantomData<&'a T>,
}

// SAFETY: only reads what the `Voxels<'a>` that it is made from promises to keep readable.
unsafe impl<T> Send for Sampler<'_, T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Sampler<'_, T> {}

impl<'a, T: Number> Sampler<'a, T> {
    /// The voxels, which must be of type `T`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for an axis on which positions would overflow.
    pub(super) fn new(voxels: &Voxels<'a>) -> Result<Self> {
        assert_eq!(voxels.pixel(), T::TYPE);
        let (base, size, strides) = (voxels.as_ptr(), voxels.size().array(), voxels.strides());
        match size.into_iter().find(|&n| n as f64 > FARTHEST) {
            Some(n) => Err(Error::TooLarge { what: format!("an axis of {n} voxels, rays cross at most {FARTHEST}") }),
            None => Ok(Self { base, size, strides, lifetime: PhantomData }),
        }
    }

    /// Lowest and highest position along an axis that a sample may have.
    pub(super) fn ends(&self, axis: usize) -> (i64, i64) {
        match self.size[axis] {
            1 => (-(1 << (PLACES - 1)), 1 << (PLACES - 1)),
            n => (0, (n as i64 - 1) << PLACES),
        }
    }

    /// The samples of a ray; empty where it misses.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where there would be more than a million, or a number beyond an `i32`.
    #[inline(always)]
    pub(super) fn samples(&self, ray: &Ray, first: i64) -> Result<RangeInclusive<i64>> {
        let (mut from, mut to) = (first, i64::MAX);
        if ray.step == [0; 3] {
            return Err(too_many_samples(ray));
        }
        for axis in 0..3 {
            let (low, high) = self.ends(axis);
            let (base, step) = (ray.base[axis], ray.step[axis]);
            let (near, far) = if step < 0 { (high, low) } else { (low, high) };
            if step != 0 {
                let inverse = 1.0 / step as f64;
                from = from.max(div_ceil(near - base, step, inverse));
                to = to.min(-div_ceil(base - far, step, inverse));
            } else if base < low || base > high {
                return Ok(NO_SAMPLES);
            }
        }
        if from > to {
            return Ok(NO_SAMPLES);
        }
        let numbers = i64::from(-i32::MAX)..=i64::from(i32::MAX);
        if to.saturating_sub(from) < MOST_SAMPLES && numbers.contains(&from) && numbers.contains(&to) {
            return Ok(from..=to);
        }
        Err(too_many_samples(ray))
    }

    /// The value at a position, which must lie between the [`Sampler::ends`].
    #[inline(always)]
    pub(super) fn value(&self, position: Fixed3) -> f32 {
        let mut near = 0isize;
        let mut next = [0isize; 3];
        let mut part = [0f32; 3];
        for a in 0..3 {
            let p = position[a].max(0);
            let cell = (p >> PLACES) as usize;
            assert!(cell < self.size[a]);
            near += cell as isize * self.strides[a];
            next[a] = if cell + 1 < self.size[a] { self.strides[a] } else { 0 };
            part[a] = fraction(if self.size[a] == 1 { 0 } else { p as u32 });
        }
        let at = |x: isize, y: isize, z: isize| {
            // SAFETY: `near` is a voxel, asserted above, and `next` leads to its neighbours or nowhere.
            unsafe { self.base.offset(near + x + y + z).cast::<T>().read_unaligned() }.to_f32()
        };
        let [x, y, z] = next;
        let row = |y, z| lerp(at(0, y, z), at(x, y, z), part[0]);
        lerp(lerp(row(0, 0), row(y, 0), part[1]), lerp(row(0, z), row(y, z), part[1]), part[2])
    }
}

/// Samples of a ray that misses the volume.
#[allow(clippy::reversed_empty_ranges, reason = "empty on purpose")]
const NO_SAMPLES: RangeInclusive<i64> = 1..=0;

/// `a / b` rounded up, by way of `1 / b` in floating point, which is quicker and right but for large quotients.
#[inline(always)]
fn div_ceil(a: i64, b: i64, inverse: f64) -> i64 {
    let guess = (a as f64 * inverse).ceil() as i64;
    let beyond = guess.checked_mul(b).and_then(|product| product.checked_sub(a));
    let right =
        beyond.is_some_and(|beyond| if b > 0 { (0..b).contains(&beyond) } else { (b + 1..=0).contains(&beyond) });
    if right { guess } else { exact_div_ceil(a, b) }
}

#[cold]
fn exact_div_ceil(a: i64, b: i64) -> i64 {
    let (a, b) = (i128::from(a), i128::from(b));
    let (floor, rest) = (a.div_euclid(b), a.rem_euclid(b));
    // For a negative divisor the euclidean quotient is the rounded-up one already.
    let up = floor + i128::from(b > 0 && rest != 0);
    up.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The lower 32 bits of a position as a number below 1, cut to what an `f32` holds exactly.
#[inline(always)]
fn fraction(low: u32) -> f32 {
    (low >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32)
}

#[inline(always)]
fn lerp(a: f32, b: f32, part: f32) -> f32 {
    a + (b - a) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Size3;
    use crate::pixel::PixelType;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn samples_are_those_inside(
            base in prop::array::uniform3(-40i64..40),
            step in prop::array::uniform3(-9i64..9),
            size in prop::array::uniform3(1usize..12),
        ) {
            let data = vec![0u8; size.iter().product()];
            let voxels = Voxels::from_slice(&data, Size3::new(size).unwrap()).unwrap();
            let sampler = Sampler::<u8>::new(&voxels).unwrap();
            let quarter = 1i64 << (PLACES - 2);
            let ray = Ray { base: base.map(|b| b * quarter), step: step.map(|s| s * quarter) };
            let inside = |k: &i64| (0..3).all(|a| {
                let (low, high) = sampler.ends(a);
                (low..=high).contains(&ray.at(*k)[a])
            });
            let plain: Vec<i64> = (-200..=200).filter(inside).collect();
            if step == [0; 3] {
                prop_assert!(plain.is_empty() || sampler.samples(&ray, -200).is_err());
            } else {
                let found: Vec<i64> = sampler.samples(&ray, i64::MIN).unwrap().collect();
                prop_assert_eq!(found, plain);
            }
        }
    }

    proptest! {
        #[test]
        fn division_rounds_up(a in any::<i64>(), b in any::<i64>(), small in 1i64..9) {
            for (a, b) in [(a, b), (a, small), (a, -small), (a >> 20, b >> 40), (b >> 1, a >> 1)] {
                if b != 0 && !(a == i64::MIN && b == -1) {
                    let sign = i128::from(b.signum());
                    let exact = -(-i128::from(a) * sign).div_euclid(i128::from(b) * sign);
                    prop_assert_eq!(i128::from(div_ceil(a, b, 1.0 / b as f64)), exact, "{} / {}", a, b);
                }
            }
        }
    }

    #[test]
    fn axes_on_which_positions_would_overflow_are_refused() {
        for (n, fits) in [(1usize << 27, true), ((1 << 27) + 1, false), (1 << 31, false), (1 << 40, false)] {
            let data = [7u8];
            // SAFETY: with strides of 0 every voxel is the one byte.
            let voxels =
                unsafe { Voxels::from_raw(data.as_ptr(), PixelType::U8, Size3::new([n, 2, 1]).unwrap(), [0; 3]) };
            assert_eq!(Sampler::<u8>::new(&voxels).is_ok(), fits);
        }
    }

    #[test]
    fn steps_no_ray_can_take_are_refused() {
        let data = [0u8; 8];
        let voxels = Voxels::from_slice(&data, Size3::new([2, 2, 2]).unwrap()).unwrap();
        let sampler = Sampler::<u8>::new(&voxels).unwrap();
        let beam = |distance| Beam::Perspective {
            eye: [0.5, 0.5, -9.0],
            distance,
            matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        };
        for distance in [1e12, 1e300, f64::MIN_POSITIVE, 1e-300, 1e-12] {
            let camera = Camera {
                size: [3, 3],
                corner: [0.0; 3],
                column: [0.4, 0.0, 0.0],
                row: [0.0, 0.4, 0.0],
                beam: beam(distance),
            };
            camera.check().unwrap();
            let rays = Rays::new(&camera);
            let refused = rays.of(1, 1).and_then(|ray| sampler.samples(&ray, rays.first_sample())).unwrap_err();
            assert!(matches!(refused, Error::BadArgument { name: "sample_distance", .. }), "{refused}");
        }
    }

    #[test]
    fn values_at_voxels_are_the_voxels_and_between_them_linear() {
        let data: Vec<i16> = vec![0, 10, 20, 30, 40, 50, 60, 70];
        let voxels = Voxels::from_slice(&data, Size3::new([2, 2, 2]).unwrap()).unwrap();
        let sampler = Sampler::<i16>::new(&voxels).unwrap();
        let one = 1i64 << PLACES;
        assert_eq!(sampler.value([one, one, one]), 70.0);
        assert_eq!(sampler.value([one / 2, 0, one]), 45.0);
        assert_eq!(sampler.value([one / 4, one / 2, one / 2]), 32.5);
    }

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
