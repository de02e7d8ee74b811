//! Rays against the plain ray caster, bit for bit.

use super::bricks::Bricks;
use super::camera::{Beam, Camera};
use super::cast::{Shot, render, render_plain};
use super::packet::NOTHING;
use crate::cpu::{Instructions, Level};
use crate::error::Error;
use crate::grid::Size3;
use crate::projection::Number;
use crate::task::{TaskControl, run_on};
use crate::voxels::Voxels;
use proptest::prelude::*;

type Picture = (Vec<u32>, Vec<i32>);

fn shoot(camera: &Camera, depths: bool, render: impl FnOnce(Shot<'_>) + Send) -> Picture {
    let pixels = camera.size[0] * camera.size[1];
    let (mut values, mut found) = (vec![0.0; pixels], vec![0; if depths { pixels } else { 0 }]);
    render(Shot { values: &mut values, depths: &mut found });
    (values.into_iter().map(f32::to_bits).collect(), found)
}

fn check<T: Number>(data: &[T], size: [usize; 3], camera: &Camera) -> Picture {
    let control = TaskControl::default();
    let voxels = Voxels::from_slice(data, Size3::new(size).unwrap()).unwrap();
    let bricks = run_on(2, || Bricks::build(&voxels, &control)).unwrap();
    let plain = shoot(camera, true, |shot| render_plain(&voxels, camera, shot, &control).unwrap());
    for (threads, skip, depths) in [(1, true, true), (2, false, true), (3, true, false), (7, true, true)] {
        let bricks = skip.then_some(&bricks);
        let got = shoot(camera, depths, |shot| {
            run_on(threads, || render(&voxels, bricks, camera, shot, Level::best(), &control)).unwrap();
        });
        assert_eq!(got.0, plain.0);
        assert!(!depths || got.1 == plain.1);
    }
    for instructions in Instructions::ALL {
        let got = shoot(camera, true, |shot| {
            run_on(1, || render(&voxels, Some(&bricks), camera, shot, instructions.level(), &control)).unwrap();
        });
        assert!(got == plain, "{instructions:?}");
    }
    plain
}

fn noise(n: usize) -> impl Iterator<Item = f64> {
    let mut state = 7u64;
    (0..n).map(move |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / 2f64.powi(31)
    })
}

/// Noise with a bright ball, so that there is something to skip.
fn scene(size: [usize; 3]) -> Vec<f64> {
    let inside = |i: usize| {
        let v = Size3::new(size).unwrap().voxel(i);
        (0..3).map(|a| (v[a] as f64 - 0.4 * size[a] as f64).powi(2)).sum::<f64>() < 16.0
    };
    noise(size.iter().product()).enumerate().map(|(i, v)| v * 50.0 + if inside(i) { 70.0 } else { 0.0 }).collect()
}

prop_compose! {
    fn cameras()(
        size in [1usize..40, 1usize..40],
        corner in prop::array::uniform3(-10.0..30.0),
        column in prop::array::uniform3(-1.0..1.0),
        row in prop::array::uniform3(-1.0..1.0),
        step in prop::array::uniform3(-0.9..0.9f64),
        scale in prop_oneof![Just(1.0), Just(0.1), Just(6.0)],
        perspective in any::<bool>(),
    ) -> Camera {
        let beam = if perspective {
            let matrix = [[0.8, 0.1, 0.0], [0.0, 0.9, 0.0], [-0.1, 0.0, 1.7]];
            Beam::Perspective { eye: step.map(|s| 60.0 * s), distance: 0.4 * scale, matrix }
        } else {
            Beam::Parallel { step: step.map(|s| s * scale + 1e-3) }
        };
        Camera { size, corner, column, row, beam }
    }
}

macro_rules! every_type {
    ($($name:ident: $t:ty, |$v:ident| $value:expr;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            #[test]
            fn $name(camera in cameras(), size in prop::array::uniform3(1usize..30)) {
                let data: Vec<$t> = scene(size).into_iter().map(|$v| $value).collect();
                check(&data, size, &camera);
            }
        }
    )*};
}

every_type! {
    rays_u8: u8, |v| v as u8;
    rays_i8: i8, |v| v as i8;
    rays_u16: u16, |v| (v * 500.0) as u16;
    rays_i16: i16, |v| (v * 300.0 - 9000.0) as i16;
    rays_u32: u32, |v| (v * 3e7) as u32;
    rays_i32: i32, |v| (v * 3e7) as i32 - 2_000_000_000;
    rays_u64: u64, |v| v as u64;
    rays_i64: i64, |v| v as i64 - 60;
    rays_f32: f32, |v| if v < 2.0 { f32::NAN } else { v as f32 - 60.0 };
    rays_f64: f64, |v| v;
}

/// Parallel rays along z through the voxel centres of an `n` x `n` picture.
fn along_z(n: usize, corner: f64) -> Camera {
    let beam = Beam::Parallel { step: [0.0, 0.0, 0.5] };
    Camera { size: [n, n], corner: [0.0, 0.0, corner], column: [1.0, 0.0, 0.0], row: [0.0, 1.0, 0.0], beam }
}

#[test]
fn rays_through_voxel_centres_see_the_projection_along_the_axis() {
    let size = [33, 33, 40];
    let data: Vec<i16> = scene(size).into_iter().map(|v| (v * 100.0) as i16).collect();
    let (values, depths) = check(&data, size, &along_z(33, 0.0));
    for i in 0..33 * 33 {
        let line: Vec<i16> = (0..40).map(|z| data[z * 33 * 33 + i]).collect();
        let best = *line.iter().max().unwrap();
        assert_eq!(f32::from_bits(values[i]), f32::from(best));
        assert_eq!(depths[i] as usize, 2 * line.iter().position(|&v| v == best).unwrap());
    }
}

#[test]
fn a_ray_that_misses_sees_nothing() {
    let size = [8, 8, 8];
    let (values, depths) = check(&[1u8; 512], size, &along_z(12, -3.0));
    for i in 0..144 {
        let hits = i % 12 < 8 && i / 12 < 8;
        assert_eq!(f32::from_bits(values[i]), if hits { 1.0 } else { NOTHING });
        assert_eq!(depths[i] == super::cast::NOWHERE, !hits);
    }
}

#[test]
fn voxels_whose_difference_overflows_are_not_passed_over() {
    let voxel = |i: usize| match i / 256 {
        0..8 => 3.2e38,
        z => [3e38f32, -3e38][z % 2],
    };
    let (values, _) = check(&(0..16 * 16 * 24).map(voxel).collect::<Vec<_>>(), [16, 16, 24], &along_z(16, 0.0));
    assert!(values.iter().all(|&v| f32::from_bits(v) == f32::INFINITY));
}

#[test]
fn a_single_slice_is_seen_from_any_side() {
    let camera = Camera {
        size: [9, 9],
        corner: [0.0, -2.0, -3.0],
        column: [0.9, 0.0, 0.1],
        row: [0.0, 1.1, 0.0],
        beam: Beam::Parallel { step: [0.05, 0.1, 0.4] },
    };
    let (values, _) = check(&[5i16; 81], [9, 9, 1], &camera);
    assert!(values.iter().filter(|&&v| f32::from_bits(v) == 5.0).count() > 40);
}

#[test]
fn unfitting_outputs_bricks_and_endless_rays_are_refused() {
    let control = TaskControl::default();
    let data = vec![0u8; 512];
    let voxels = Voxels::from_slice(&data, Size3::new([8, 8, 8]).unwrap()).unwrap();
    let other = Voxels::from_slice(&data, Size3::new([8, 64, 1]).unwrap()).unwrap();
    let bricks = Bricks::build(&other, &control).unwrap();
    let try_with = |camera: &Camera, bricks: Option<&Bricks>, pixels: usize| {
        let shot = Shot { values: &mut vec![0.0; pixels], depths: &mut [] };
        render(&voxels, bricks, camera, shot, Level::best(), &control)
    };
    let camera = along_z(4, 0.0);
    assert!(matches!(try_with(&camera, None, 15), Err(Error::Mismatch { what: "pixels and depths", .. })));
    assert!(matches!(try_with(&camera, Some(&bricks), 16), Err(Error::Mismatch { what: "volume of the bricks", .. })));
    let endless = Camera { beam: Beam::Parallel { step: [0.0, 0.0, 1e-7] }, ..camera };
    assert!(matches!(try_with(&endless, None, 16), Err(Error::BadArgument { name: "sample_distance", .. })));
    control.cancel();
    assert_eq!(try_with(&camera, None, 16), Err(Error::Cancelled));
}
