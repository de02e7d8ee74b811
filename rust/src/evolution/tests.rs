use super::*;
use crate::features::{self, Map};
use crate::task::run_on;

/// Reproducible noise of -1 to 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Distance in mm of every voxel from `centre` (voxels), minus `radius` (mm).
fn ball(size: Size3, spacing: [f64; 3], centre: [f64; 3], radius: f64) -> Vec<f32> {
    let distance = |at: usize| {
        let voxel = size.voxel(at);
        (0..3).map(|a| ((voxel[a] as f64 - centre[a]) * spacing[a]).powi(2)).sum::<f64>().sqrt()
    };
    (0..size.voxels()).map(|at| (distance(at) - radius) as f32).collect()
}

fn geodesic(iterations: u64) -> Evolution {
    Evolution {
        kind: Kind::Geodesic,
        propagation: 0.0,
        curvature: 0.0,
        advection: 1.0,
        advection_sigma: 0.0,
        iterations,
        max_rms: 1e-20,
        compat: false,
        instructions: Instructions::best(),
    }
}

/// A volume, and what to do with it.
struct Problem {
    size: Size3,
    spacing: [f64; 3],
    phi: Vec<f32>,
    image: Vec<f32>,
}

impl Problem {
    /// A ball off the centre of a feature image of noise.
    fn noisy(size: [usize; 3], spacing: [f64; 3]) -> Self {
        let size = Size3::new(size).unwrap();
        let centre = size.array().map(|n| n as f64 / 2.0 - 0.3);
        let phi = ball(size, spacing, centre, 0.3 * size.x() as f64 * spacing[0]);
        let image = noise(size.voxels(), 7).iter().map(|v| (v + 1.1) * (v + 1.1)).collect();
        Self { size, spacing, phi, image }
    }

    /// A ball in a feature image of one value.
    fn plain(n: usize, radius: f64) -> Self {
        let size = Size3::new([n; 3]).unwrap();
        let phi = ball(size, [1.0; 3], [n as f64 / 2.0; 3], radius);
        Self { size, spacing: [1.0; 3], phi, image: vec![1.0; size.voxels()] }
    }

    fn run(&self, job: &Evolution, threads: usize) -> Result<(Vec<f32>, Report)> {
        self.run_under(job, threads, &TaskControl::default())
    }

    fn run_under(&self, job: &Evolution, threads: usize, control: &TaskControl) -> Result<(Vec<f32>, Report)> {
        let mut phi = vec![f32::NAN; self.phi.len()];
        let parts = [Initial { voxels: Voxels::from_slice(&self.phi, self.size)?, mask: false }];
        let start = Start { parts: &parts, isosurface: 0.0 };
        let image = Voxels::from_slice(&self.image, self.size)?;
        let image = features::read_finite(&image, "the image", &TaskControl::default())?;
        let spacing = Spacing3::new(self.spacing)?;
        let report = run_on(threads, || evolve(&start, &mut phi, image, self.size, spacing, job, control))?;
        Ok((phi, report))
    }
}

fn every_kind(iterations: u64) -> Vec<Evolution> {
    let job = Evolution { propagation: 0.5, curvature: 0.3, advection: 2.0, ..geodesic(iterations) };
    let edges = Diffusion { weight: 0.7, iterations: 2, time_step: 0.02, conductance: 0.8 };
    vec![
        job,
        Evolution { advection_sigma: 0.9, propagation: 0.0, ..job },
        Evolution { kind: Kind::Curves, ..job },
        Evolution { kind: Kind::Threshold { lower: 0.3, upper: 2.5, edges: Some(edges) }, ..job },
        Evolution { kind: Kind::Laplacian, ..job },
    ]
}

/// FNV-1a of the bits.
fn digest(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|v| v.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Radius of the ball whose volume is that of the voxels inside.
fn radius(phi: &[f32]) -> f64 {
    // A voxel on the surface counts in part.
    let inside: f64 = phi.iter().map(|v| f64::from((0.5 - v).clamp(0.0, 1.0))).sum();
    (inside * 3.0 / (4.0 * std::f64::consts::PI)).cbrt()
}

#[test]
fn threads_and_instructions_do_not_change_a_bit() {
    let problem = Problem::noisy([19, 23, 17], [0.7, 0.5, 1.1]);
    for job in every_kind(12) {
        let (expected, report) = problem.run(&Evolution { instructions: Instructions::Baseline, ..job }, 1).unwrap();
        assert!(report.iterations.iter().any(|i| i.moved > 0), "{job:?}");
        for instructions in Instructions::ALL {
            for threads in [1, 3] {
                let (found, same) = problem.run(&Evolution { instructions, ..job }, threads).unwrap();
                assert_eq!(digest(&found), digest(&expected), "{job:?} {instructions:?} {threads}");
                assert_eq!(same, report);
            }
        }
    }
}

#[test]
fn every_processor_gives_the_same_bits() {
    let problem = Problem::noisy([19, 23, 17], [0.7, 0.5, 1.1]);
    let found: Vec<u64> = every_kind(12).iter().map(|job| digest(&problem.run(job, 2).unwrap().0)).collect();
    let expected = [
        5_408_468_944_663_626_791,
        4_055_727_215_089_215_394,
        3_160_145_574_064_671_119,
        4_577_336_172_226_329_801,
        5_801_839_844_173_451_076,
    ];
    assert_eq!(found, expected);
}

#[test]
fn zero_iterations_keep_every_sign_off_the_frame() {
    let problem = Problem::noisy([12, 15, 18], [1.0, 0.6, 2.0]);
    let (found, report) = problem.run(&geodesic(0), 2).unwrap();
    assert_eq!((report.iterations.len(), report.stop), (0, Stop::Iterations));
    for (new, old) in found.iter().zip(&problem.phi) {
        assert!(new * old > 0.0 || new.abs() <= 0.3, "{old} became {new}");
        assert!(new.abs() <= 4.0 * 0.6);
    }
}

#[test]
fn a_ball_shrinks_by_its_curvature() {
    let problem = Problem::plain(48, 15.0);
    let job = Evolution { curvature: 1.0, advection: 0.0, ..geodesic(120) };
    let (found, report) = problem.run(&job, 2).unwrap();
    let time: f64 = report.iterations.iter().map(|i| i.time_step).sum();
    let expected = (15.0f64 * 15.0 - 4.0 * time).sqrt();
    assert!((radius(&found) / expected - 1.0).abs() < 0.05, "{} for {expected}", radius(&found));
    assert!(expected < 14.0);
}

#[test]
fn a_ball_grows_by_propagation() {
    let problem = Problem::plain(64, 15.0);
    let job = Evolution { propagation: 1.0, advection: 0.0, ..geodesic(30) };
    let (found, _) = problem.run(&job, 2).unwrap();
    assert!((radius(&found) - 20.0).abs() < 0.5, "{}", radius(&found));
}

#[test]
fn the_frame_does_not_evolve() {
    let problem = Problem::plain(20, 5.0);
    let job = Evolution { propagation: 1.0, advection: 0.0, ..geodesic(200) };
    let (found, report) = problem.run(&job, 1).unwrap();
    assert!(!report.touches_frame);
    for (at, value) in found.iter().enumerate() {
        let voxel = problem.size.voxel(at);
        let on_frame = voxel.iter().any(|&i| i == 0 || i == 19);
        assert_eq!(on_frame, *value == 4.0, "{voxel:?} {value}");
    }
}

#[test]
fn a_surface_at_the_frame_is_reported() {
    let problem = Problem::plain(12, 7.0);
    assert!(problem.run(&geodesic(3), 2).unwrap().1.touches_frame);
}

#[test]
fn scaling_the_feature_changes_the_time_step_alone() {
    let problem = Problem::noisy([20, 20, 20], [1.0; 3]);
    let double =
        Problem { image: problem.image.iter().map(|v| 2.0 * v).collect(), ..Problem::noisy([20; 3], [1.0; 3]) };
    let (a, first) = problem.run(&geodesic(10), 1).unwrap();
    let (b, second) = double.run(&geodesic(10), 1).unwrap();
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    let ratio = first.iterations[0].time_step / second.iterations[0].time_step;
    assert!((ratio - 2.0).abs() < 1e-5);
}

#[test]
fn it_stops_at_rest() {
    let problem = Problem::plain(20, 5.0);
    let (_, report) = problem.run(&geodesic(50), 2).unwrap();
    assert_eq!((report.iterations.len(), report.stop), (1, Stop::Rest));
    let never = Evolution { max_rms: 0.0, ..geodesic(50) };
    assert_eq!(problem.run(&never, 2).unwrap().1.iterations.len(), 50);
}

#[test]
fn a_level_set_without_surface_is_refused() {
    for value in [-1.0, 0.0, 1.0] {
        let problem = Problem { phi: vec![value; 8000], ..Problem::plain(20, 5.0) };
        let found = problem.run(&geodesic(5), 1);
        assert!(matches!(found, Err(Error::BadArgument { name: "initial", .. })), "{found:?}");
    }
}

#[test]
fn small_volumes_evolve_too() {
    for size in [[1, 1, 2], [2, 2, 2], [1, 7, 9], [3, 3, 3], [2, 30, 2]] {
        let size = Size3::new(size).unwrap();
        let phi: Vec<f32> = (0..size.voxels()).map(|at| if at == 0 { -1.0 } else { 1.0 }).collect();
        let image = noise(size.voxels(), 3).iter().map(|v| v + 2.0).collect();
        let problem = Problem { size, spacing: [1.0; 3], phi, image };
        for job in every_kind(20).into_iter().filter(|job| job.advection_sigma == 0.0) {
            let (found, _) = problem.run(&job, 2).unwrap();
            assert!(found.iter().all(|v| v.abs() <= 4.0), "{size:?} {job:?}");
        }
    }
}

#[test]
fn initial_level_sets_are_united_and_masks_become_level_sets() {
    let size = Size3::new([3, 1, 1]).unwrap();
    let (level_set, mask) = ([0.5f32, 1.5, 2.5], [0u8, 0, 7]);
    let parts = [
        Initial { voxels: Voxels::from_slice(&level_set, size).unwrap(), mask: false },
        Initial { voxels: Voxels::from_slice(&mask, size).unwrap(), mask: true },
    ];
    let (mut row, mut spare) = ([0.0; 3], [0.0; 3]);
    Start { parts: &parts, isosurface: 1.0 }.read_row(0, 0, &mut row, &mut spare).unwrap();
    assert_eq!(row, [-0.5, 0.5, -1.0]);
    let bad = [0.0, f32::NAN, 1.0];
    let parts = [Initial { voxels: Voxels::from_slice(&bad, size).unwrap(), mask: false }];
    let found = Start { parts: &parts, isosurface: 0.0 }.read_row(0, 0, &mut row, &mut spare);
    assert!(matches!(found, Err(Error::BadVoxel { index: [1, 0, 0], .. })));
}

#[test]
fn a_cancelled_evolution_stops() {
    let problem = Problem::plain(20, 5.0);
    let control = TaskControl::default();
    control.cancel();
    assert_eq!(problem.run_under(&geodesic(5), 2, &control), Err(Error::Cancelled));
}

#[test]
fn an_edge_stops_a_growing_ball() {
    let problem = Problem::plain(48, 8.0);
    let scan: Vec<f32> = ball(problem.size, [1.0; 3], [24.0; 3], 14.0).iter().map(|v| 100.0 * (-v).tanh()).collect();
    let image = Voxels::from_slice(&scan, problem.size).unwrap();
    let mut feature = vec![0.0; scan.len()];
    let what = (features::Kind::Gradient { sigma: 0.0 }, Map::Sigmoid { range: None });
    features::compute(&image, Spacing3::UNIT, what, Instructions::best(), &mut feature, &TaskControl::default())
        .unwrap();
    let problem = Problem { image: feature, ..problem };
    let job = Evolution { propagation: 0.3, curvature: 0.1, ..geodesic(300) };
    let (found, _) = problem.run(&job, 2).unwrap();
    assert!((radius(&found) - 14.0).abs() < 0.5, "{}", radius(&found));
}
