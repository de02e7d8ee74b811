//! The plain march: one binary heap, one thread, everything dense. The oracle of the tests.
//!
//! It transcribes `itk::FastMarchingUpwindGradientImageFilter`: accept the smallest trial value, re-solve its face
//! neighbours from accepted ones only, overwrite their value, leave outdated heap entries behind. See
//! [`super::super::March`] for the march that users get; both give the same bits.

use crate::eikonal::local::{cascade, gradient_component, inverse_squares};
use crate::eikonal::{Seed, StopRule, Time};
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a march leaves behind.
#[derive(Debug, Clone)]
pub struct Arrival<T> {
    /// Arrival time per voxel: final where accepted, tentative in the narrow band, [`Time::FAR`] elsewhere.
    pub times: Vec<T>,
    /// Whether a voxel was accepted (T <= stop).
    pub accepted: Vec<bool>,
    /// Upwind gradient of each accepted voxel, zero elsewhere.
    pub gradients: Vec<[f32; 3]>,
    /// Time of the deciding target; `None` if it was not reached.
    pub target_value: Option<f64>,
    /// The time beyond which nothing was accepted.
    pub stop: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Label {
    Untouched,
    Trial,
    Alive,
    Seed,
}

struct State<'a, T> {
    size: Size3,
    speed: &'a dyn Fn(usize) -> f64,
    inverse_h2: [f64; 3],
    times: Vec<T>,
    labels: Vec<Label>,
    accepted: Vec<bool>,
    heap: BinaryHeap<Reverse<(Ordered<T>, usize)>>,
}

/// A time that can be a heap key: times are never NaN.
#[derive(Clone, Copy, PartialEq)]
struct Ordered<T>(T);

impl<T: Time> Eq for Ordered<T> {}

impl<T: Time> PartialOrd for Ordered<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Time> Ord for Ordered<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_f64().total_cmp(&other.0.to_f64())
    }
}

/// Marches from `seeds` until `rule` ends it; `speed` gives the speed at a voxel offset.
///
/// # Errors
/// Seeds or targets outside, an impossible rule, not enough memory, cancelled.
pub fn march<T: Time>(
    size: Size3,
    spacing: Spacing3,
    speed: &dyn Fn(usize) -> f64,
    seeds: &[Seed],
    rule: &StopRule,
    control: &TaskControl,
) -> Result<Arrival<T>> {
    let far = T::FAR.to_f64();
    Seed::check_all(seeds, size)?;
    let mut stop = rule.start(size, far)?;
    let mut state = State {
        size,
        speed,
        inverse_h2: inverse_squares(spacing.array()),
        times: filled(size.voxels(), T::FAR)?,
        labels: filled(size.voxels(), Label::Untouched)?,
        accepted: filled(size.voxels(), false)?,
        heap: BinaryHeap::new(),
    };
    let mut gradients = filled(size.voxels(), [0f32; 3])?;
    state.plant(seeds)?;
    let mut steps = 0u32;
    while let Some(Reverse((Ordered(value), v))) = state.heap.pop() {
        if state.accepted[v] || value != state.times[v] {
            continue;
        }
        if value.to_f64() > stop.stop {
            break;
        }
        state.accept(v);
        gradients[v] = state.gradient(v, spacing.array());
        if stop.is_target(v) {
            stop.reach(value.to_f64());
        }
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(4096) {
            control.check()?;
        }
    }
    let State { times, accepted, .. } = state;
    Ok(Arrival { times, accepted, gradients, target_value: stop.deciding, stop: stop.stop })
}

fn filled<V: Clone>(n: usize, value: V) -> Result<Vec<V>> {
    let mut vec = Vec::new();
    let bytes = n as u128 * size_of::<V>() as u128;
    vec.try_reserve_exact(n).map_err(|_| Error::OutOfMemory { bytes })?;
    vec.resize(n, value);
    Ok(vec)
}

impl<T: Time> State<'_, T> {
    fn plant(&mut self, seeds: &[Seed]) -> Result<()> {
        for seed in seeds {
            let v = self.size.offset(self.size.check(seed.index, "seed")?);
            self.times[v] = T::from_f64(seed.time);
            self.labels[v] = Label::Seed;
            self.heap.push(Reverse((Ordered(self.times[v]), v)));
        }
        Ok(())
    }

    fn accept(&mut self, v: usize) {
        self.accepted[v] = true;
        if self.labels[v] != Label::Seed {
            self.labels[v] = Label::Alive;
        }
        let size = self.size;
        size.for_each_face_neighbour(size.voxel(v), |n| {
            let n = size.offset(n);
            if matches!(self.labels[n], Label::Untouched | Label::Trial) {
                self.solve(n);
            }
        });
    }

    fn solve(&mut self, v: usize) {
        let nearest = std::array::from_fn(|axis| {
            let pair = self.accepted_pair(v, axis).map(|t| t.unwrap_or(T::FAR).to_f64());
            pair[0].min(pair[1])
        });
        let solution = cascade(nearest, self.inverse_h2, (self.speed)(v), T::FAR.to_f64());
        if solution < T::FAR.to_f64() {
            self.times[v] = T::from_f64(solution);
            self.labels[v] = Label::Trial;
            self.heap.push(Reverse((Ordered(self.times[v]), v)));
        }
    }

    /// Times of the accepted neighbours before and after `v` on an axis.
    fn accepted_pair(&self, v: usize, axis: usize) -> [Option<T>; 2] {
        let (at, n, stride) = (self.size.voxel(v)[axis], self.size.array()[axis], self.size.strides()[axis]);
        let time = |n: usize| self.accepted[n].then(|| self.times[n]);
        [if at > 0 { time(v - stride) } else { None }, if at + 1 < n { time(v + stride) } else { None }]
    }

    fn gradient(&self, v: usize, spacing: [f64; 3]) -> [f32; 3] {
        std::array::from_fn(|axis| {
            let [before, after] = self.accepted_pair(v, axis);
            gradient_component(before, self.times[v], after, spacing[axis])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eikonal::TargetMode;

    fn constant(n: usize, rule: &StopRule) -> Arrival<f32> {
        let size = Size3::new([n; 3]).unwrap();
        let middle = (n / 2) as i64;
        march(size, Spacing3::UNIT, &|_| 1.0, &[Seed::at([middle; 3])], rule, &TaskControl::default()).unwrap()
    }

    #[test]
    fn times_along_an_axis_are_distances() {
        let arrival = constant(9, &StopRule::never());
        let size = Size3::new([9; 3]).unwrap();
        for x in 0..9 {
            assert_eq!(arrival.times[size.offset([x, 4, 4])], x.abs_diff(4) as f32);
        }
        assert!(arrival.accepted.iter().all(|a| *a));
    }

    #[test]
    fn the_front_ends_an_offset_behind_the_target() {
        let rule = StopRule { mode: TargetMode::One, targets: vec![[6, 4, 4]], offset: 1.0, limit: None };
        let arrival = constant(9, &rule);
        assert_eq!(arrival.target_value, Some(2.0));
        for (time, accepted) in arrival.times.iter().zip(&arrival.accepted) {
            assert_eq!(*accepted, *time <= 3.0);
        }
    }

    #[test]
    fn zero_speed_is_a_wall_and_a_seed_on_it_still_starts() {
        let size = Size3::new([5, 1, 1]).unwrap();
        let speed = |v: usize| if v == 0 || v == 3 { 0.0 } else { 1.0 };
        let control = TaskControl::default();
        let arrival: Arrival<f32> =
            march(size, Spacing3::UNIT, &speed, &[Seed::at([0, 0, 0])], &StopRule::never(), &control).unwrap();
        assert_eq!(arrival.times, [0.0, 1.0, 2.0, f32::FAR, f32::FAR]);
    }
}
