//! What follows from finished times: their gradient, and whether they are a solution.

use super::local::{Time, cascade, gradient_component, inverse_squares};
use super::{Seed, Speed};
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;
use rayon::prelude::*;

/// The upwind gradient of finished times: zero where a voxel was not accepted.
///
/// Equal to the gradient ITK computes while marching: a neighbour accepted later has a larger time, and its
/// difference never wins.
///
/// # Errors
/// [`Error::Mismatch`], [`Error::Cancelled`].
pub fn gradient<T: Time>(
    times: &[T],
    size: Size3,
    spacing: Spacing3,
    stop: f64,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    Error::check_lengths("number of times", times.len(), size.voxels())?;
    Error::check_lengths("vectors", out.len() / 3, size.voxels())?;
    let accepted = |offset: usize| Some(times[offset]).filter(|t| t.to_f64() <= stop && *t < T::FAR);
    let (n, strides, h) = (size.array(), size.strides(), spacing.array());
    out.par_chunks_mut(3 * n[0] * n[1]).enumerate().try_for_each(|(z, slice)| {
        control.check()?;
        for (i, vector) in slice.chunks_exact_mut(3).enumerate() {
            let v = [i % n[0], i / n[0], z];
            let offset = size.offset(v);
            let Some(here) = accepted(offset) else {
                vector.fill(0.0);
                continue;
            };
            for axis in 0..3 {
                let before = if v[axis] > 0 { accepted(offset - strides[axis]) } else { None };
                let after = if v[axis] + 1 < n[axis] { accepted(offset + strides[axis]) } else { None };
                vector[axis] = gradient_component(before, here, after, h[axis]);
            }
        }
        Ok(())
    })
}

/// The number of accepted voxels whose time is not the local solution from their neighbours' times: 0 for a march.
///
/// A voxel counts if solving it from the accepted neighbours gives another number in storage precision. Seeds are
/// not solved and do not count.
///
/// # Errors
/// [`Error::Mismatch`], [`Error::Cancelled`].
pub fn fixed_point_defects<T: Time>(
    times: &[T],
    speed: &Speed<'_>,
    spacing: Spacing3,
    seeds: &[Seed],
    stop: f64,
    control: &TaskControl,
) -> Result<u64> {
    let size = speed.size();
    Error::check_lengths("number of times", times.len(), size.voxels())?;
    let mut fixed = seeds.iter().map(|s| Ok(size.offset(size.check(s.index, "seed")?))).collect::<Result<Vec<_>>>()?;
    fixed.sort_unstable();
    let inverse_h2 = inverse_squares(spacing.array());
    let accepted = |offset: usize| Some(times[offset]).filter(|t| t.to_f64() <= stop && *t < T::FAR);
    let slice = |z: usize| -> Result<u64> {
        control.check()?;
        let mut defects = 0;
        for offset in z * size.x() * size.y()..(z + 1) * size.x() * size.y() {
            let Some(time) = accepted(offset).filter(|_| fixed.binary_search(&offset).is_err()) else { continue };
            let v = size.voxel(offset);
            let nearest: [f64; 3] = std::array::from_fn(|axis| {
                let stride = size.strides()[axis];
                let before = if v[axis] > 0 { accepted(offset - stride) } else { None };
                let after = if v[axis] + 1 < size.array()[axis] { accepted(offset + stride) } else { None };
                before.unwrap_or(T::FAR).to_f64().min(after.unwrap_or(T::FAR).to_f64())
            });
            let solution = cascade(nearest, inverse_h2, speed.at::<T>(v).to_f64(), T::FAR.to_f64());
            defects += u64::from(T::from_f64(solution) != time);
        }
        Ok(defects)
    };
    (0..size.z()).into_par_iter().map(slice).try_reduce(|| 0, |a, b| Ok(a + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voxels::Voxels;

    const SIZE: [usize; 3] = [3, 4, 5];
    const SEEDS: [[i64; 3]; 2] = [[2, 0, 0], [0, 3, 4]];

    fn defects(times: &[f32]) -> Result<u64> {
        let size = Size3::new(SIZE)?;
        let speeds = vec![1f32; size.voxels()];
        let speed = Speed::from_speeds(Voxels::from_slice(&speeds, size)?);
        fixed_point_defects(times, &speed, Spacing3::UNIT, &SEEDS.map(Seed::at), 9.0, &TaskControl::default())
    }

    #[test]
    fn every_accepted_voxel_that_is_not_a_solution_counts_except_seeds() {
        assert_eq!(defects(&[1.0; 60]), Ok(58));
        // Nothing beyond the stop counts, and neither do voxels that no front has reached.
        assert_eq!(defects(&[9.5; 60]), Ok(0));
        assert_eq!(defects(&[f32::FAR; 60]), Ok(0));
    }

    #[test]
    fn times_of_another_volume_are_refused() {
        assert!(matches!(defects(&[1.0; 59]), Err(Error::Mismatch { .. })));
        for (times, vectors) in [(59, 180), (60, 177), (61, 183)] {
            let (times, mut vectors) = (vec![1f32; times], vec![0f32; vectors]);
            let size = Size3::new(SIZE).unwrap();
            let refused = gradient(&times, size, Spacing3::UNIT, 9.0, &mut vectors, &TaskControl::default());
            assert!(matches!(refused, Err(Error::Mismatch { .. })));
        }
    }
}
