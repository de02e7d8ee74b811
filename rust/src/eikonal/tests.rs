use super::checks::{fixed_point_defects, gradient};
use super::*;
use crate::cpu::Instructions;
use crate::error::Error;
use crate::grid::{Index3, Size3, Spacing3};
use crate::task::{TaskControl, run_on};
use crate::voxels::Voxels;
use ndarray::ArrayViewMut3;
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

/// A vector as the array of a volume.
fn as_array<T>(size: [usize; 3], out: &mut [T]) -> ArrayViewMut3<'_, T> {
    ArrayViewMut3::from_shape((size[2], size[1], size[0]), out).unwrap()
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
            let speed = Speed::from_speeds(Voxels::from_slice(&self.speeds, size)?);
            let (spacing, seeds, stop) = (Spacing3::new(self.spacing)?, self.seeds.clone(), self.stop.clone());
            March { speed, spacing, seeds, stop, tuning }.run(as_array(self.size, &mut out), &control)
        });
        (out, summary.unwrap())
    }

    fn reference<T: Time>(&self) -> reference::Arrival<T> {
        let size = Size3::new(self.size).unwrap();
        let spacing = Spacing3::new(self.spacing).unwrap();
        let speed = |v: usize| f64::from(self.speeds[v]);
        reference::march(size, spacing, &speed, &self.seeds, &self.stop, &TaskControl::default()).unwrap()
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
        for (instructions, threads) in [(Instructions::best(), 2), (Instructions::Avx2, 3), (Instructions::Baseline, 7)] {
            let tuning = Tuning { instructions, shuffle: Some(seed), ..Tuning::default() };
            let (others, other) = case.march::<f32>(threads, tuning);
            prop_assert_eq!(bits(&times), bits(&others));
            prop_assert_eq!(summary, other);
        }
    }

    #[test]
    fn windows_of_any_width_give_the_same_bits(case in case(), width in prop_oneof![Just(0.0), 1e-3f64..0.1, 0.1f64..50.0]) {
        let (times, summary) = case.march::<f32>(2, Tuning { width: Some(width), ..Tuning::default() });
        let expected = case.reference::<f32>();
        prop_assert_eq!(bits(&times), bits(&expected.times));
        prop_assert_eq!(summary.accepted, expected.accepted.iter().filter(|a| **a).count() as u64);
    }

    #[test]
    fn a_sparse_result_holds_the_accepted_voxels(case in case()) {
        let expected = case.reference::<f32>();
        let size = Size3::new(case.size).unwrap();
        let found = run_on(2, || {
            let control = TaskControl::default();
            let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?);
            let (spacing, seeds, stop) = (Spacing3::new(case.spacing)?, case.seeds.clone(), case.stop.clone());
            March { speed, spacing, seeds, stop, tuning: Tuning::default() }.run_sparse::<f32>(&control)
        });
        let (found, summary) = found.unwrap();
        let accepted: Vec<usize> = (0..size.voxels()).filter(|o| expected.accepted[*o]).collect();
        prop_assert_eq!(summary.accepted, accepted.len() as u64);
        let indices: Vec<Index3> = accepted.iter().map(|o| size.voxel(*o).map(|i| i as i64)).collect();
        prop_assert_eq!(found.indices, indices);
        let times: Vec<f32> = accepted.iter().map(|o| expected.times[*o]).collect();
        prop_assert_eq!(bits(&found.times), bits(&times));
    }

    #[test]
    fn double_precision_agrees_with_its_heap(mut case in case()) {
        // Without a stop: at one, a difference in the last place decides whether a voxel is accepted.
        case.stop = StopRule::never();
        let (times, _) = case.march::<f64>(2, Tuning::default());
        // What the heap's cascade may lose in one solution by cancellation: see `tiled::solve`.
        let s = local::inverse_squares(case.spacing);
        let fastest = case.speeds.iter().fold(0.0, |fastest: f32, f| fastest.max(*f));
        let least = s[0].min(s[1]).min(s[2]);
        let lost = 8.0 * f64::EPSILON / 2.0 * (s[0] + s[1] + s[2]) / least.sqrt() * f64::from(fastest);
        for (a, b) in times.iter().zip(&case.reference::<f64>().times) {
            let b_or_less = b.abs().min(1e9);
            prop_assert!((a - b).abs() <= (lost * b_or_less).max(1e-11) * b_or_less, "{} {}", a, b);
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
            let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?);
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
            let speed = Speed::from_speeds(Voxels::from_slice(&self.speeds, size)?);
            collision.run(&speed, Spacing3::new(self.spacing)?, tuning, as_array(self.size, &mut out), &control)
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
        let expected = plain_products(&case, &collision);
        let tuning = Tuning { shuffle: Some(3), ..Tuning::default() };
        for (threads, tuning) in [(1, &Tuning::default()), (3, &tuning)] {
            let values = case.collide(&collision, threads, tuning);
            prop_assert_eq!(bits(&values), bits(&expected));
        }
    }
}

/// The products of the plain version.
fn plain_products(case: &Case, collision: &Collision) -> Vec<f32> {
    let (size, spacing) = (Size3::new(case.size).unwrap(), Spacing3::new(case.spacing).unwrap());
    let speed = |v: usize| f64::from(case.speeds[v]);
    reference::collide(size, spacing, &speed, collision, &TaskControl::default()).unwrap()
}

/// The region is inside the sphere between the seeds. Nothing that the fronts could find beyond it changes the result.
#[test]
fn fronts_end_once_their_region_is_complete() {
    let mut case = cube(48);
    case.seeds = vec![Seed::at([14; 3]), Seed::at([22, 14, 14])];
    let collision = case.collision(false, true);
    let expected = plain_products(&case, &collision);
    case.speeds[48 * 48 * 48 - 1] = f32::NAN;
    assert_eq!(bits(&case.collide(&collision, 2, &Tuning::default())), bits(&expected));
}

/// A voxel that a front reaches from both sides at once takes the gradient from behind it along the axis.
#[test]
fn a_front_that_meets_itself_has_the_gradient_of_the_plain_version() {
    for axis in 0..3 {
        let mut case = cube(9);
        case.seeds = [0, 8, 2].map(|i| Seed::at(std::array::from_fn(|a| if a == axis { i } else { 4 }))).to_vec();
        let collision = case.collision(false, false);
        let values = case.collide(&collision, 2, &Tuning::default());
        let middle = Size3::new(case.size).unwrap().offset([4; 3]);
        assert_eq!((values[middle].abs(), bits(&values)), (1.0, bits(&plain_products(&case, &collision))));
    }
}

/// One number for the bits of a result (FNV-1a).
fn fingerprint(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}

/// Fingerprints of a march in single and in double precision and of two fronts, for each kind of speeds in volumes of
/// each shape of tiles. The same on every architecture.
const FINGERPRINTS: [[[u64; 3]; 4]; 4] = [
    [
        [0x4cee_6bc5_eb05_86a7, 0x6f27_b6ec_8641_9943, 0xc35d_60f0_5b81_6d5f],
        [0x9971_93a9_ef30_1457, 0x1fbb_1ef5_35d2_e9c4, 0x65a9_b077_12f9_849e],
        [0x6869_4c85_0f5f_3e6d, 0xc383_a931_b503_9c20, 0x7288_1a9d_4fb6_072e],
        [0xf76b_6b93_1dc6_ff66, 0x5f3f_281c_0835_4a6d, 0x3c5d_836e_53ae_3361],
    ],
    [
        [0x5975_f546_8f91_c933, 0xf99a_f390_1c7e_617d, 0xf1f8_b1bc_8b74_602c],
        [0xcbd7_7452_6ce5_2cd4, 0x9351_3d03_b997_0586, 0x74bd_85ee_fd2f_24f3],
        [0xe925_234a_6f25_ce7f, 0x9773_cdf4_4d42_aaa5, 0x0ba8_320e_ce38_9e79],
        [0x6883_8460_7290_debc, 0x5b36_e6ac_e719_f920, 0x41f9_73f0_ef49_5a2d],
    ],
    [
        [0xae65_e135_591a_cb11, 0x0982_ca32_8673_49ab, 0x4fee_c1e3_7135_cb66],
        [0x9e04_167f_2410_c1bb, 0x6e4c_1c58_99d6_0a4c, 0xa65a_bde8_74cb_010d],
        [0x1cf3_fbd9_f556_ae5a, 0x73e8_58d9_c651_00a9, 0x3a59_654c_328f_4a75],
        [0xf2fe_e30e_96d2_8ae9, 0xba87_a53a_cc8b_ef79, 0xc288_9dd1_5cce_cd0c],
    ],
    [
        [0xe54f_9e70_c505_2d8d, 0x5bd8_08f6_38fe_d531, 0x3bf2_80e6_12d8_d679],
        [0xa312_a04b_9d84_c44c, 0x2c5b_3c00_11cd_cdd4, 0x13c7_1305_6093_c16f],
        [0x8622_c980_3b84_1022, 0xb5d1_770a_6696_fdb7, 0x77dc_62fc_db01_698c],
        [0x554d_3989_9c3a_d0b5, 0x1d64_ae6d_2cc8_305e, 0xaa8f_5342_8a64_4abf],
    ],
];

#[test]
fn results_have_the_same_bits_on_every_architecture() {
    let volumes = [
        ([33, 21, 18], [1.0; 3]),
        ([24, 31, 3], [0.7, 0.7, 2.3]),
        ([70, 40, 1], [1.0, 1.0, 5.0]),
        ([9, 9, 40], [0.5, 0.5, 5.0]),
    ];
    for instructions in Instructions::ALL.into_iter().filter(|i| i.available()) {
        let found = volumes.map(|(size, spacing)| {
            [0, 1, 2, 3].map(|kind| {
                let seeds = vec![Seed::at([1, 2, 0]), Seed::at(size.map(|n| n as i64 - 1))];
                let case = Case { size, spacing, speeds: speeds(kind, size, 5), seeds, stop: StopRule::never() };
                let tuning = Tuning { instructions, ..Tuning::default() };
                let single = case.march::<f32>(2, tuning.clone()).0;
                let double = case.march::<f64>(2, tuning.clone()).0;
                let products = case.collide(&case.collision(false, false), 2, &tuning);
                [
                    fingerprint(single.iter().map(|t| u64::from(t.to_bits()))),
                    fingerprint(double.iter().map(|t| t.to_bits())),
                    fingerprint(products.iter().map(|t| u64::from(t.to_bits()))),
                ]
            })
        });
        assert_eq!(found, FINGERPRINTS, "{}: {found:#x?}", instructions.name());
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
fn a_front_whose_steps_vanish_in_rounding_is_accepted_whole() {
    let mut case = cube(9);
    case.speeds.fill(10.0);
    case.seeds[0].time = 16_777_216.0;
    case.stop.limit = Some(16_777_216.0);
    let (times, summary) = case.march::<f32>(2, Tuning::default());
    assert_eq!((summary.accepted, bits(&times)), (9 * 9 * 9, bits(&case.reference::<f32>().times)));
}

/// The wall is as thick as a brick, and as thick as a tile.
#[test]
fn a_seed_in_a_wall_starts_a_front_beside_it() {
    for thickness in [2, 4, 8] {
        let mut case = cube(12);
        case.speeds.iter_mut().enumerate().filter(|(i, _)| i % 12 < thickness).for_each(|(_, speed)| *speed = 0.0);
        case.seeds = vec![Seed::at([thickness as i64 - 1, 6, 6])];
        let (times, summary) = case.march::<f32>(2, Tuning::default());
        let beyond = (12 - thickness) as u64 * 144;
        assert_eq!((summary.accepted, bits(&times)), (beyond + 1, bits(&case.reference::<f32>().times)));
    }
}

/// Late times leave few digits for a step: there the cascade of the heap rounds in its own way.
#[test]
fn a_front_that_starts_late_has_the_bits_of_the_plain_heap() {
    for time in [1e3, 1e5, 1e6] {
        let mut case = cube(20);
        case.speeds = speeds(1, case.size, 3);
        case.seeds[0].time = time;
        let (times, summary) = case.march::<f32>(2, Tuning::default());
        assert_eq!((summary.accepted, bits(&times)), (8000, bits(&case.reference::<f32>().times)));
    }
}

#[test]
fn memory_follows_the_front() {
    let mut case = cube(96);
    case.stop.limit = Some(12.0);
    // The ball of radius 12 touches 64 of the 1728 tiles.
    let tuning = Tuning { memory_limit: Some(2_400_000), ..Tuning::default() };
    assert!(case.march::<f32>(2, tuning.clone()).1.accepted > 4000);
    // The whole volume: 7.3 MB of tiles if none were used twice, about a third of it with retirement.
    let tuning = Tuning { memory_limit: Some(6_500_000), ..tuning };
    let summary = cube(96).march::<f32>(2, tuning).1;
    assert_eq!(summary.accepted, 96 * 96 * 96);
    // Each voxel was solved at least once, but for the brick of the seed.
    assert!(summary.evaluations >= summary.accepted - 8, "{summary:?}");
}

/// Every width gives the same times; one that does not follow the speeds costs thousands of windows, or solves each voxel
/// tens of times. The counts are the same for any number of threads.
#[test]
fn windows_become_as_wide_as_the_speeds_ask_for() {
    for (near, beyond, windows, solutions) in [(1.0, 1.0, 25, 9), (0.1, 1.0, 10, 14), (1.0, 0.01, 50, 9)] {
        let mut case = cube(40);
        let size = Size3::new(case.size).unwrap();
        for (offset, speed) in case.speeds.iter_mut().enumerate() {
            let is_near = size.voxel(offset).iter().all(|i| i.abs_diff(20) < 4);
            *speed = if is_near { near } else { beyond };
        }
        let summary = case.march::<f32>(2, Tuning::default()).1;
        assert!(summary.windows <= windows && summary.evaluations <= solutions * summary.accepted, "{summary:?}");
        assert_eq!(summary.evaluations % 8, 0, "bricks are solved as a whole");
    }
}

#[test]
fn progress_is_the_share_of_voxels_that_are_final() {
    for (limit, progress) in [(Some(10.0), 0.03..0.2), (None, 0.6..1.01)] {
        let case = cube(40);
        let (size, control) = (Size3::new(case.size).unwrap(), TaskControl::default());
        let mut out = vec![0f32; size.voxels()];
        let result = run_on(2, || {
            let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?);
            let stop = StopRule { limit, ..StopRule::never() };
            March { speed, spacing: Spacing3::UNIT, seeds: case.seeds.clone(), stop, tuning: Tuning::default() }
                .run(as_array(case.size, &mut out), &control)
        });
        assert!(result.is_ok() && progress.contains(&control.progress()), "{} {progress:?}", control.progress());
    }
}

#[test]
fn a_march_over_its_memory_limit_says_so() {
    let case = cube(64);
    let size = Size3::new(case.size).unwrap();
    let mut out = vec![0f32; size.voxels()];
    let result = run_on(2, || {
        let control = TaskControl::default();
        let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?);
        let tuning = Tuning { memory_limit: Some(200_000), ..Tuning::default() };
        March { speed, spacing: Spacing3::UNIT, seeds: case.seeds.clone(), stop: StopRule::never(), tuning }
            .run(as_array(case.size, &mut out), &control)
    });
    assert!(matches!(result, Err(Error::MemoryLimit { limit: 200_000, .. })));
}

#[test]
fn a_march_names_the_bad_speed_that_it_meets() {
    for (size, back) in [([20, 9, 17], 1), ([20, 9, 17], 2), ([3, 20, 30], 1), ([3, 20, 30], 2)] {
        let n: usize = size.iter().product();
        let bad = n - back;
        let mut speeds = vec![1f32; n];
        speeds[bad] = f32::NAN;
        let case = Case { size, speeds, spacing: [1.0; 3], seeds: vec![Seed::at([0; 3])], stop: StopRule::never() };
        let size = Size3::new(case.size).unwrap();
        let march = |limit| {
            let mut out = vec![0f32; n];
            run_on(2, || {
                let control = TaskControl::default();
                let speed = Speed::from_speeds(Voxels::from_slice(&case.speeds, size)?);
                let stop = StopRule { limit, ..StopRule::never() };
                March { speed, spacing: Spacing3::UNIT, seeds: case.seeds.clone(), stop, tuning: Tuning::default() }
                    .run(as_array(case.size, &mut out), &control)
            })
        };
        let index = size.voxel(bad).map(|i| i as i64);
        assert!(matches!(march(None), Err(Error::BadSpeed { index: i, value }) if i == index && value.is_nan()));
        assert!(march(Some(1.5)).is_ok());
    }
}

#[test]
fn bad_speeds_are_named_first_in_memory_order() {
    let size = Size3::new([4, 3, 2]).unwrap();
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        let mut data = vec![1f32; 24];
        data[23] = bad;
        data[17] = bad;
        let control = TaskControl::default();
        let result = run_on(2, || Speed::from_speeds(Voxels::from_slice(&data, size)?).check(&control));
        assert!(matches!(result, Err(Error::BadSpeed { index: [1, 1, 1], .. })));
    }
}
