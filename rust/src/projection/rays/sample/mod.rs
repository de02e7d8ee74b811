//! What the volume is worth at a position: one sample after the other ([`Sampler`]), or those of sixteen rays side by side
//! with the vector instructions of x86 (`sweep`).
//!
//! The value is linear along x, then y, then z, in `f32`, with the position between two voxels cut to 24 binary places.
//! Both ways do the same arithmetic in the same order, so the bits are the same; samples in cells at the borders of the
//! volume, whose voxels cannot be read as pairs, are left by `sweep` to its caller.

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Corner, Stretch, sweep};

use super::camera::{FARTHEST, Fixed3, MOST_SAMPLES, PLACES, Ray, too_many_samples};
use crate::cpu::Level;
use crate::error::{Error, Result};
use crate::pixel::{Pixel, PixelType};
use crate::projection::number::Number;
use crate::voxels::Voxels;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

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

/// The instructions to sample `sampler` with: those given if they can read its voxels, else none.
pub(super) fn fitting<T: Pixel>(level: Level, sampler: &Sampler<'_, T>) -> Level {
    let dense = sampler.strides[0] == size_of::<T>() as isize && sampler.size.iter().all(|&n| n > 1);
    if dense && bytes_per_pair(T::TYPE).is_some() { level } else { Level::Baseline }
}

/// Bytes that reading two neighbours along x touches from the first on; `None` for types that are read one by one.
const fn bytes_per_pair(pixel: PixelType) -> Option<usize> {
    match pixel {
        PixelType::U8 | PixelType::I8 | PixelType::U16 | PixelType::I16 => Some(4),
        PixelType::I32 | PixelType::F32 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::camera::{Beam, Camera, Rays};
    use super::*;
    use crate::grid::Size3;
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
}
