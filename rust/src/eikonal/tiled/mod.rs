//! The fast march: tiles of bricks in windows of time.

mod batch;
mod collide;
#[cfg(feature = "count")]
pub mod count;
mod field;
mod front;
mod grid;
mod lanes;
mod output;
mod schedule;
mod shape;
mod solve;
mod tile;
mod visit;

use super::axes::Axes;
use super::problem::{Accepted, Collision, March, Summary, Tuning};
use super::{Speed, Time};
use crate::error::{Error, Result};
use crate::grid::Spacing3;
use crate::memory::{Budget, DisjointWriter};
use crate::task::TaskControl;
use crate::team::{Leader, Team};
use field::Place;
use front::{Course, Front};
use ndarray::ArrayViewMut3;
use output::{DenseTimes, KeptTimes};
use schedule::{Driver, Sink};

/// The result of a volume, its axes seen as those of `speed`.
fn writer<'o, V: Copy>(out: ArrayViewMut3<'o, V>, speed: &Speed<'_>, axes: Axes) -> Result<DisjointWriter<'o, V>> {
    let writer = axes.writer(out);
    if writer.size() != speed.size().array() {
        let [got, expected] = [writer.size(), speed.size().array()].map(|size| axes.outer(size));
        let shape = |[x, y, z]: [usize; 3]| format!("({z}, {y}, {x})");
        return Err(Error::Mismatch { what: "shape of the result", got: shape(got), expected: shape(expected) });
    }
    Ok(writer)
}

/// Marches and writes all times.
pub(super) fn march_dense<T: Time>(
    march: &March<'_>,
    axes: Axes,
    out: ArrayViewMut3<'_, T>,
    control: &TaskControl,
) -> Result<Summary> {
    let dense = DenseTimes::new(writer(out, &march.speed, axes)?);
    Team::run(|mut leader| {
        let budget = Budget::new(march.tuning.memory_limit);
        let front = advance(&mut leader, march, axes, &budget, &dense, control)?;
        dense.finish(&mut leader, &front);
        Ok(summary(&front, dense.accepted()))
    })
}

/// Marches and lists the accepted voxels.
pub(super) fn march_sparse<T: Time>(
    march: &March<'_>,
    axes: Axes,
    control: &TaskControl,
) -> Result<(Accepted<T>, Summary)> {
    Team::run(|mut leader| {
        let budget = Budget::new(march.tuning.memory_limit);
        let kept = KeptTimes::new(&budget);
        let front = advance(&mut leader, march, axes, &budget, &kept, control)?;
        let accepted = output::accepted_voxels(&mut leader, &front, axes)?;
        let summary = summary(&front, accepted.times.len() as u64);
        Ok((accepted, summary))
    })
}

/// Lets the front of a march run to its end.
fn advance<'a, T: Time>(
    leader: &mut Leader<'_>,
    march: &'a March<'_>,
    axes: Axes,
    budget: &Budget,
    sink: &impl Sink<T>,
    control: &TaskControl,
) -> Result<Front<'a, T>> {
    let mut driver = Driver::<T>::new(leader, control, &march.tuning, 1);
    let place = Place { speed: &march.speed, spacing: march.spacing, axes };
    let course = Course { seeds: &march.seeds, rule: &march.stop, width: march.tuning.width };
    let front = Front::new(&place, &course, budget, 0, &mut driver.worker(0))?;
    let mut fronts = [front];
    driver.run(&mut fronts, sink, None)?;
    let [front] = fronts;
    Ok(front)
}

fn summary<T: Time>(front: &Front<'_, T>, accepted: u64) -> Summary {
    Summary {
        target_value: front.stop.deciding,
        stop: front.stop.stop,
        accepted,
        evaluations: front.counts.solved * shape::LANES as u64,
        windows: front.field.window,
    }
}

/// Runs two fronts and writes where they collide.
pub(super) fn collide(
    collision: &Collision,
    speed: &Speed<'_>,
    spacing: Spacing3,
    tuning: &Tuning,
    axes: Axes,
    out: ArrayViewMut3<'_, f32>,
    control: &TaskControl,
) -> Result<()> {
    let out = writer(out, speed, axes)?;
    let place = Place { speed, spacing, axes };
    Team::run(|mut leader| collide::run(&mut leader, collision, &place, tuning, &out, control))
}
