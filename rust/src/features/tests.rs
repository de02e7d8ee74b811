use super::*;
use crate::task::run_on;

const SPACING: [f64; 3] = [0.7, 0.9, 2.1];

/// Reproducible voxels without a pattern that a filter could be blind to.
fn noise(size: Size3) -> Vec<f32> {
    let mut state = 12345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_384.0 - 512.0
    };
    (0..size.voxels()).map(|_| next()).collect()
}

fn feature(
    volume: &[f32],
    size: Size3,
    what: (Kind, Map),
    threads: usize,
    instructions: Instructions,
) -> Result<Vec<f32>> {
    let (image, spacing) = (Voxels::from_slice(volume, size)?, Spacing3::new(SPACING)?);
    let mut out = vec![0.0; size.voxels()];
    run_on(threads, || compute(&image, spacing, what, instructions, &mut out, &TaskControl::default()))?;
    Ok(out)
}

fn every_kind() -> Vec<(Kind, Map)> {
    let sigmoid = Map::Sigmoid { range: None };
    vec![
        (Kind::Gradient { sigma: 0.0 }, Map::Reciprocal),
        (Kind::Gradient { sigma: 1.3 }, Map::Reciprocal),
        (Kind::Upwind { factor: 0.7 }, sigmoid),
        (Kind::VtkGradient { dimensions: 3 }, Map::Reciprocal),
        (Kind::Fwhm { radius: [2, 1, 1], background: 0.5 }, Map::Reciprocal),
    ]
}

/// FNV-1a of the bits.
fn digest(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|v| v.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn every_processor_gives_the_same_bits() {
    let size = Size3::new([37, 19, 11]).unwrap();
    let volume = noise(size);
    let found: Vec<u64> = every_kind()
        .into_iter()
        .take(2)
        .map(|what| digest(&feature(&volume, size, what, 1, Instructions::best()).unwrap()))
        .collect();
    assert_eq!(found, [3_604_232_829_437_408_971, 5_651_854_538_998_094_981]);
}

#[test]
fn threads_and_instructions_do_not_change_a_bit() {
    let size = Size3::new([21, 33, 9]).unwrap();
    let volume = noise(size);
    for what in every_kind() {
        let expected = digest(&feature(&volume, size, what, 1, Instructions::Baseline).unwrap());
        for instructions in [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512] {
            for threads in [1, 2, 3, 8] {
                let found = digest(&feature(&volume, size, what, threads, instructions).unwrap());
                assert_eq!(found, expected, "{what:?} {instructions:?} {threads}");
            }
        }
    }
}

#[test]
fn derivatives_of_a_ramp_are_its_slope() {
    let size = Size3::new([40, 40, 40]).unwrap();
    let ramp: Vec<f32> = (0..size.voxels())
        .map(|o| size.voxel(o).iter().zip(SPACING).map(|(i, h)| *i as f64 * h).sum::<f64>() as f32)
        .collect();
    let filters = gaussian::Gaussian::new(1.5, size, Spacing3::new(SPACING).unwrap(), Instructions::best()).unwrap();
    for (axis, h) in SPACING.into_iter().enumerate() {
        let (mut work, mut slope) = (vec![0.0; ramp.len()], vec![0.0; ramp.len()]);
        let take = |from: &[f32], to: &mut [f32]| to.copy_from_slice(from);
        filters.derive(axis, &ramp, &mut work, &mut slope, take, &TaskControl::default()).unwrap();
        let inside = f64::from(slope[size.offset([20, 20, 20])]) / h;
        assert!((inside - 1.0).abs() < 1e-3, "axis {axis}: {inside}");
    }
}

#[test]
fn the_first_voxel_that_is_not_finite_is_named() {
    let size = Size3::new([5, 6, 7]).unwrap();
    let mut volume = noise(size);
    volume[size.offset([1, 2, 3])] = f32::NAN;
    volume[size.offset([0, 0, 4])] = f32::INFINITY;
    let found = feature(&volume, size, every_kind()[0], 3, Instructions::best());
    assert!(matches!(found, Err(Error::BadVoxel { index: [1, 2, 3], .. })), "{found:?}");
}

#[test]
fn impossible_arguments_are_refused() {
    let size = Size3::new([5, 6, 7]).unwrap();
    let volume = noise(size);
    let kinds = [
        Kind::Gradient { sigma: -1.0 },
        Kind::Gradient { sigma: f64::NAN },
        Kind::Gradient { sigma: 4.0 },
        Kind::Gradient { sigma: 1e-300 },
        Kind::Upwind { factor: 2.0 },
        Kind::VtkGradient { dimensions: 1 },
        Kind::Fwhm { radius: [6, 1, 1], background: 0.0 },
    ];
    for kind in kinds {
        let found = feature(&volume, size, (kind, Map::Reciprocal), 1, Instructions::best());
        assert!(matches!(found, Err(Error::BadArgument { .. })), "{kind:?}");
    }
}

#[test]
fn a_constant_volume_has_no_range_for_a_sigmoid() {
    let size = Size3::new([5, 6, 7]).unwrap();
    let what = (Kind::Gradient { sigma: 0.0 }, Map::Sigmoid { range: None });
    assert!(matches!(feature(&vec![3.0; 210], size, what, 1, Instructions::best()), Err(Error::BadArgument { .. })));
}

#[test]
fn a_cancelled_task_stops() {
    let size = Size3::new([8, 8, 8]).unwrap();
    let volume = noise(size);
    let control = TaskControl::default();
    control.cancel();
    for what in every_kind() {
        let mut out = vec![0.0; volume.len()];
        let image = Voxels::from_slice(&volume, size).unwrap();
        let found = compute(&image, Spacing3::UNIT, what, Instructions::best(), &mut out, &control);
        assert_eq!(found, Err(Error::Cancelled));
    }
}
