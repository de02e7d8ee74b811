//! The march that users get: arrival times over a volume, on all workers of the current pool.
//!
//! The work is done by [`super::tile`]; here the job is described, the shape of the tiles is chosen (thin volumes get
//! thin tiles, along whichever axis they are thin), and the result is summed up.

use super::speed::Speed;
use super::team::Team;
use super::tile::dense::DenseTimes;
pub use super::tile::drive::Tuning;
use super::tile::drive::{Driver, Sink};
use super::tile::shape::{Cube, Shape, Sheet, Slab};
use super::tile::slot::Budget;
use super::tile::sparse::SparseTimes;
use super::tile::window::Front;
use super::upwind::gradient_component;
use super::{Seed, StopRule, Time};
pub use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;
use rayon::prelude::*;

/// A march: from where, through what, until when.
#[derive(Debug, Clone)]
pub struct March<'a> {
    /// Speed of every voxel.
    pub speed: Speed<'a>,
    /// Voxel spacing in mm.
    pub spacing: Spacing3,
    /// Where the front starts.
    pub seeds: Vec<Seed>,
    /// Where it ends.
    pub stop: StopRule,
    /// How it is run; without influence on the result.
    pub tuning: Tuning,
}

/// What a march tells beside its times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Time of the deciding target; `None` if it was not reached.
    pub target_value: Option<f64>,
    /// The time beyond which nothing was accepted.
    pub stop: f64,
    /// Number of accepted voxels.
    pub accepted: u64,
    /// Number of local solutions computed.
    pub evaluations: u64,
    /// Number of time windows.
    pub windows: u32,
}

/// An order of axes that makes the thinnest one last, if it is thin.
pub(crate) fn axis_order(size: Size3) -> [usize; 3] {
    let s = size.array();
    let thinnest = (0..3).rev().min_by_key(|&a| s[a]).unwrap_or(2);
    match thinnest {
        0 if s[0] <= 4 => [1, 2, 0],
        1 if s[1] <= 4 => [0, 2, 1],
        _ => [0, 1, 2],
    }
}

impl March<'_> {
    /// Marches on the current rayon pool, which must be the caller's alone, and writes the times into `out`.
    ///
    /// # Errors
    /// Seeds or targets outside, an impossible rule, out of memory or over the limit, cancelled.
    pub fn run<T: Time>(&self, out: &mut [T], control: &TaskControl) -> Result<Summary> {
        let (size, order) = (self.speed.size(), axis_order(self.speed.size()));
        let (turned, dense) = (self.turned(order)?, DenseTimes::new(out, size, order)?);
        match turned.speed.size().z() {
            1 => turned.run_dense::<T, Sheet>(&dense, control),
            2..=4 => turned.run_dense::<T, Slab>(&dense, control),
            _ => turned.run_dense::<T, Cube>(&dense, control),
        }
    }

    /// As [`March::run`], but gives offsets and times of the accepted voxels alone, in memory order.
    ///
    /// # Errors
    /// As [`March::run`].
    pub fn run_sparse<T: Time>(&self, control: &TaskControl) -> Result<(Vec<u64>, Vec<T>, Summary)> {
        let (size, order) = (self.speed.size(), axis_order(self.speed.size()));
        let (turned, sparse) = (self.turned(order)?, SparseTimes::new(size, order));
        match turned.speed.size().z() {
            1 => turned.run_sparse_shape::<T, Sheet>(sparse, control),
            2..=4 => turned.run_sparse_shape::<T, Slab>(sparse, control),
            _ => turned.run_sparse_shape::<T, Cube>(sparse, control),
        }
    }

    /// The same march with its axes in another order.
    fn turned(&self, order: [usize; 3]) -> Result<Self> {
        let size = self.speed.size();
        let turn = |v: [i64; 3]| order.map(|a| v[a]);
        Seed::check_all(&self.seeds, size)?;
        for target in &self.stop.targets {
            size.check(*target, "target")?;
        }
        let mut turned = self.clone();
        turned.speed = self.speed.permuted(order)?;
        turned.spacing = Spacing3::new(order.map(|a| self.spacing.array()[a]))?;
        turned.seeds.iter_mut().for_each(|s| s.index = turn(s.index));
        turned.stop.targets.iter_mut().for_each(|t| *t = turn(*t));
        Ok(turned)
    }

    fn run_dense<T: Time, H: Shape>(&self, dense: &DenseTimes<'_, T>, control: &TaskControl) -> Result<Summary> {
        Team::run(|team| {
            let front = self.advance::<T, H>(team, dense, control)?;
            dense.finish(team, &front);
            Ok(summary(&front, dense.accepted()))
        })
    }

    fn run_sparse_shape<T: Time, H: Shape>(
        &self,
        sparse: SparseTimes<T>,
        control: &TaskControl,
    ) -> Result<(Vec<u64>, Vec<T>, Summary)> {
        Team::run(|team| {
            let front = self.advance::<T, H>(team, &sparse, control)?;
            let (offsets, times) = sparse.finish(&front)?;
            let summary = summary(&front, times.len() as u64);
            Ok((offsets, times, summary))
        })
    }

    /// Lets the front run to its end.
    fn advance<T: Time, H: Shape>(
        &self,
        team: &Team,
        sink: &impl Sink<T, H>,
        control: &TaskControl,
    ) -> Result<Front<'_, T, H>> {
        let mut driver = Driver::<T, H>::new(team, control, &self.tuning, 1);
        let budget = Budget::new(self.tuning.memory_limit);
        let front = Front::new(&self.speed, self.spacing, &self.seeds, &self.stop, &budget, 0, &mut driver.worker(0))?;
        let mut fronts = [front];
        driver.run(&mut fronts, sink, None)?;
        let [front] = fronts;
        Ok(front)
    }
}

fn summary<T: Time, H: Shape>(front: &Front<'_, T, H>, accepted: u64) -> Summary {
    let (target_value, stop) = (front.stop.deciding, front.stop.stop);
    Summary { target_value, stop, accepted, evaluations: front.evaluations, windows: front.field.window }
}

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
    if times.len() != size.voxels() || out.len() / 3 != size.voxels() {
        let (got, expected) = (times.len().to_string(), size.voxels().to_string());
        return Err(Error::Mismatch { what: "number of times", got, expected });
    }
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
    if times.len() != size.voxels() {
        let (got, expected) = (times.len().to_string(), size.voxels().to_string());
        return Err(Error::Mismatch { what: "number of times", got, expected });
    }
    let mut fixed = seeds.iter().map(|s| Ok(size.offset(size.check(s.index, "seed")?))).collect::<Result<Vec<_>>>()?;
    fixed.sort_unstable();
    let inverse_h2 = super::upwind::inverse_squares(spacing.array());
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
            let solution = super::upwind::cascade(nearest, inverse_h2, speed.at::<T>(v).to_f64(), T::FAR.to_f64());
            defects += u64::from(T::from_f64(solution) != time);
        }
        Ok(defects)
    };
    (0..size.z()).into_par_iter().map(slice).try_reduce(|| 0, |a, b| Ok(a + b))
}

#[cfg(test)]
#[path = "march_tests.rs"]
mod tests;
