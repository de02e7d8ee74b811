use super::*;
use crate::eikonal::fronts::{Collision, collide, reference};
use crate::eikonal::{TargetMode, heap};
use crate::grid::Index3;
use crate::task::run_on;
use crate::voxels::Voxels;
use proptest::prelude::*;

/// A generated volume: size, spacing, speeds, seeds, rule.
#[derive(Debug, Clone)]
struct Case {
    size: [usize; 3],
    spacing: [f64; 3],
    speeds: Vec<f32>,
    seeds: Vec<Seed>,
    stop: StopRule,
}

fn generator(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn speeds(kind: usize, size: [usize; 3], seed: u64) -> Vec<f32> {
    let mut random = generator(seed);
    let n = size.iter().product();
    let at = move |i: usize| [i % size[0], i / size[0] % size[1], i / size[0] / size[1]];
    (0..n)
        .map(|i| match kind {
            0 => 1.0,
            1 => (random() * 0.99 + 0.01) as f32,
            2 => {
                if random() < 0.25 {
                    0.0
                } else {
                    1.0
                }
            }
            3 => {
                if at(i).iter().map(|c| c / 5).sum::<usize>() % 2 == 0 {
                    1.0
                } else {
                    0.01
                }
            }
            _ => (random().powi(4) + 0.001) as f32,
        })
        .collect()
}

fn case() -> impl Strategy<Value = Case> {
    let size = prop_oneof![
        4 => [1usize..40, 1usize..30, 1usize..24],
        1 => [1usize..5, 10usize..50, 10usize..50],
        1 => [10usize..50, 1usize..5, 10usize..50],
        1 => [20usize..90, 20usize..60, 1usize..2],
    ];
    let spacing =
        prop_oneof![Just([1.0; 3]), Just([0.7; 3]), Just([1.0, 1.0, 5.0]), [0.3f64..2.0, 0.3f64..2.0, 0.3f64..5.0]];
    (size, spacing, 0usize..5, any::<u64>(), 1usize..4, 0usize..5, 0usize..5).prop_map(
        |(size, spacing, kind, seed, seeds, mode, offset)| {
            let mut random = generator(seed ^ 77);
            let mut voxel = |_: usize| -> Index3 { size.map(|n| (random() * n as f64) as i64) };
            let seeds = (0..seeds).map(&mut voxel).map(Seed::at).collect();
            let targets: Vec<Index3> = (0..3).map(&mut voxel).collect();
            let distinct = targets.iter().collect::<std::collections::BTreeSet<_>>().len();
            let mode = [
                TargetMode::None,
                TargetMode::One,
                TargetMode::Some(2.min(distinct)),
                TargetMode::All,
                TargetMode::None,
            ][mode];
            let limit = if mode == TargetMode::None && offset > 2 { Some(offset as f64 * 3.0) } else { None };
            let stop = StopRule { mode, targets, offset: [0.0, 1.0, 5.0, 100.0, 0.5][offset], limit };
            Case { size, spacing, speeds: speeds(kind, size, seed), seeds, stop }
        },
    )
}

impl Case {
    fn march<T: Time>(&self, threads: usize, tuning: Tuning) -> (Vec<T>, Summary) {
        let size = Size3::new(self.size).unwrap();
        let mut out = vec![T::default(); size.voxels()];
        let summary = run_on(threads, || {
            let control = TaskControl::default();
            let speed = Speed::from_speeds(Voxels::from_slice(&self.speeds, size)?, &control)?;
            let (spacing, seeds, stop) = (Spacing3::new(self.spacing)?, self.seeds.clone(), self.stop.clone());
            March { speed, spacing, seeds, stop, tuning }.run(&mut out, &control)
        });
        (out, summary.unwrap())
    }

    fn reference<T: Time>(&self) -> heap::Arrival<T> {
        let size = Size3::new(self.size).unwrap();
        let spacing = Spacing3::new(self.spacing).unwrap();
        let speed = |v: usize| f64::from(self.speeds[v]);
        heap::march(size, spacing, &speed, &self.seeds, &self.stop, &TaskControl::default()).unwrap()
    }
}

fn bits(times: &[f32]) -> Vec<u32> {
    times.iter().map(|t| t.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn times_are_those_of_the_plain_heap(case in case(), threads in 1usize..4) {
        let (times, summary) = case.march::<f32>(threads, Tuning::default());
        let expected = case.reference::<f32>();
        prop_assert_eq!(bits(&times), bits(&expected.times));
        prop_assert_eq!(summary.target_value, expected.target_value);
        prop_assert_eq!(summary.stop, expected.stop);
        prop_assert_eq!(summary.accepted, expected.accepted.iter().filter(|a| **a).count() as u64);
    }

    #[test]
    fn instructions_threads_and_order_do_not_matter(case in case(), seed in any::<u64>()) {
        let (times, summary) = case.march::<f32>(1, Tuning { instructions: Instructions::Baseline, ..Tuning::default() });
        for (instructions, threads) in [(Instructions::Avx2, 2), (Instructions::Avx512, 3), (Instructions::Baseline, 7)] {
            let (others, other) = case.march::<f32>(threads, Tuning { instructions, shuffle: Some(seed), memory_limit: None });
            prop_assert_eq!(bits(&times), bits(&others));
            prop_assert_eq!(summary, other);
        }
    }

    #[test]
    fn a_sparse_result_holds_the_accepted_voxels(case in case()) {
        let expected = case.reference::<f32>();
        let size = Size3::new(case.size).unwrap();
        let found = run_on(2, || {
            let control = TaskControl::default();
            let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?, &control)?;
            let (spacing, seeds, stop) = (Spacing3::new(case.spacing)?, case.seeds.clone(), case.stop.clone());
            March { speed, spacing, seeds, stop, tuning: Tuning::default() }.run_sparse::<f32>(&control)
        });
        let (offsets, times, summary) = found.unwrap();
        let accepted: Vec<u64> = (0..size.voxels() as u64).filter(|o| expected.accepted[*o as usize]).collect();
        prop_assert_eq!(summary.accepted, accepted.len() as u64);
        prop_assert!(offsets.iter().zip(&times).all(|(o, t)| expected.times[*o as usize] == *t));
        prop_assert_eq!(offsets, accepted);
    }

    #[test]
    fn double_precision_agrees_with_its_heap(mut case in case()) {
        // Without a stop: at one, a difference in the last place decides whether a voxel is accepted.
        case.stop = StopRule::never();
        let (times, _) = case.march::<f64>(2, Tuning::default());
        for (a, b) in times.iter().zip(&case.reference::<f64>().times) {
            prop_assert!((a - b).abs() <= 1e-11 * b.abs().min(1e9), "{} {}", a, b);
        }
    }

    #[test]
    fn gradients_and_fixed_point_follow_from_the_times(case in case()) {
        let size = Size3::new(case.size).unwrap();
        let spacing = Spacing3::new(case.spacing).unwrap();
        let (times, summary) = case.march::<f32>(2, Tuning::default());
        let expected = case.reference::<f32>();
        let mut vectors = vec![9f32; 3 * times.len()];
        let defects = run_on(2, || {
            let control = TaskControl::default();
            gradient(&times, size, spacing, summary.stop, &mut vectors, &control)?;
            let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?, &control)?;
            fixed_point_defects(&times, &speed, spacing, &case.seeds, summary.stop, &control)
        });
        prop_assert_eq!(defects, Ok(0));
        prop_assert_eq!(vectors.as_slice(), expected.gradients.as_flattened());
    }
}

impl Case {
    /// The seeds as two fronts: all but the last against the last.
    fn collision(&self, stop_on_targets: bool, apply_connectivity: bool) -> Collision {
        let (last, others) = self.seeds.split_last().unwrap();
        let seeds1 = if others.is_empty() { vec![Seed::at([0; 3])] } else { others.to_vec() };
        Collision { seeds1, seeds2: vec![*last], stop_on_targets, apply_connectivity, negative_epsilon: -1e-6 }
    }

    fn collide(&self, collision: &Collision, threads: usize, tuning: &Tuning) -> Vec<f32> {
        let size = Size3::new(self.size).unwrap();
        let mut out = vec![0f32; size.voxels()];
        let result = run_on(threads, || {
            let control = TaskControl::default();
            let speed = Speed::from_speeds(Voxels::from_slice(&self.speeds, size)?, &control)?;
            collide(&speed, Spacing3::new(self.spacing)?, collision, tuning, &mut out, &control)
        });
        result.unwrap();
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn fronts_collide_as_in_the_plain_version(case in case(), stop in any::<bool>(), connect in any::<bool>()) {
        let collision = case.collision(stop, connect);
        let size = Size3::new(case.size).unwrap();
        let speed = |v: usize| f64::from(case.speeds[v]);
        let spacing = Spacing3::new(case.spacing).unwrap();
        let expected = reference(size, spacing, &speed, &collision, &TaskControl::default()).unwrap();
        let tuning = Tuning { shuffle: Some(3), ..Tuning::default() };
        for (threads, tuning) in [(1, &Tuning::default()), (3, &tuning)] {
            let values = case.collide(&collision, threads, tuning);
            prop_assert_eq!(bits(&values), bits(&expected));
        }
    }
}

fn cube(n: usize) -> Case {
    Case {
        size: [n; 3],
        spacing: [1.0; 3],
        speeds: vec![1.0; n * n * n],
        seeds: vec![Seed::at([n as i64 / 2; 3])],
        stop: StopRule::never(),
    }
}

#[test]
fn memory_follows_the_front() {
    let mut case = cube(96);
    case.stop.limit = Some(12.0);
    // The ball of radius 12 touches 64 of the 1728 tiles.
    let tuning = Tuning { memory_limit: Some(2_400_000), ..Tuning::default() };
    assert!(case.march::<f32>(2, tuning.clone()).1.accepted > 4000);
    // The whole volume: 15.9 MB of slots if none were used twice, about a third of it with retirement.
    let tuning = Tuning { memory_limit: Some(9_000_000), ..tuning };
    assert_eq!(cube(96).march::<f32>(2, tuning).1.accepted, 96 * 96 * 96);
}

#[test]
fn a_march_over_its_memory_limit_says_so() {
    let case = cube(64);
    let size = Size3::new(case.size).unwrap();
    let mut out = vec![0f32; size.voxels()];
    let result = run_on(2, || {
        let control = TaskControl::default();
        let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?, &control)?;
        let tuning = Tuning { memory_limit: Some(200_000), ..Tuning::default() };
        March { speed, spacing: Spacing3::UNIT, seeds: case.seeds.clone(), stop: StopRule::never(), tuning }
            .run(&mut out, &control)
    });
    assert!(matches!(result, Err(Error::MemoryLimit { limit: 200_000, .. })));
}

#[test]
fn bad_speeds_are_named_first_in_memory_order() {
    let size = Size3::new([4, 3, 2]).unwrap();
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        let mut data = vec![1f32; 24];
        data[23] = bad;
        data[17] = bad;
        let control = TaskControl::default();
        let result = run_on(2, || Speed::from_speeds(Voxels::from_slice(&data, size)?, &control).map(drop));
        assert!(matches!(result, Err(Error::BadSpeed { index: [1, 1, 1], .. })));
    }
}
