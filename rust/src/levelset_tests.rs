use super::*;
use crate::task::run_on;

fn size() -> Size3 {
    Size3::new([4, 3, 2]).unwrap()
}

fn ramp() -> Vec<i16> {
    (0..24).map(|v| v * 10 - 100).collect()
}

fn with_image<R: Send>(negate: bool, work: impl Fn(&Voxels<'_>, &Intensity, &TaskControl) -> R + Send + Sync) -> R {
    run_on(2, || {
        let (data, control) = (ramp(), TaskControl::default());
        let image = Voxels::from_slice(&data, size())?;
        let intensity = Intensity::of(&image, negate, &control)?;
        Ok(work(&image, &intensity, &control))
    })
    .unwrap()
}

#[test]
fn isosurface_is_value_minus_image() {
    let out = with_image(false, |image, intensity, control| {
        let mut out = vec![0f32; 24];
        isosurface(image, intensity, 5.0, &mut out, control).unwrap();
        out
    });
    assert!(out.iter().zip(ramp()).all(|(o, v)| *o == 5.0 - f32::from(v)));
}

#[test]
fn threshold_includes_both_bounds() {
    let bounds = Bounds::new(Some(-50.0), Some(0.0)).unwrap();
    let out = with_image(false, |image, intensity, control| {
        let mut out = vec![0f32; 24];
        threshold(image, intensity, &bounds, &mut out, control).unwrap();
        out
    });
    assert!(out.iter().zip(ramp()).all(|(o, v)| (*o == -1.0) == (-50..=0).contains(&v)));
}

#[test]
fn a_seed_marks_nineteen_voxels_and_seven_in_a_corner() {
    let size = Size3::new([5; 3]).unwrap();
    for (point, expected) in [([2, 2, 2], 19), ([0, 0, 0], 7), ([0, 0, 2], 10)] {
        let mut out = vec![0f32; 125];
        run_on(1, || seeds(size, &[point], &mut out)).unwrap();
        assert_eq!(out.iter().filter(|v| **v == -1.0).count(), expected);
    }
}

#[test]
fn negation_keeps_the_range() {
    let (low, high) = with_image(true, |image, intensity, _| {
        let values: Vec<f32> = (0..24).map(|o| intensity.value(image.get::<i16>(size().voxel(o)).to_f32())).collect();
        (values[23], values[0])
    });
    assert_eq!((low, high), (-100.0, 130.0));
}

#[test]
fn outside_speed_is_zero_even_where_the_image_is_negative() {
    let data: Vec<i16> = (0..24).map(|v| v - 100).collect();
    let speeds = run_on(1, || {
        let control = TaskControl::default();
        let image = Voxels::from_slice(&data, size())?;
        let intensity = Intensity::of(&image, false, &control)?;
        let bounds = Bounds::new(Some(-90.0), None)?;
        let sane = SpeedMap::of(&image, intensity, bounds, Outside::Zero, &control)?;
        let vmtk = SpeedMap::of(&image, intensity, bounds, Outside::Vmtk, &control)?;
        Ok((sane.speed(-95.0), vmtk.speed(-95.0)))
    });
    assert_eq!(speeds, Ok((0.0, 1.0)));
}

#[test]
fn the_first_bad_voxel_is_named() {
    let mut data = vec![0f32; 24];
    data[17] = f32::NAN;
    data[20] = f32::INFINITY;
    let result = run_on(2, || {
        let control = TaskControl::default();
        Intensity::of(&Voxels::from_slice(&data, size())?, false, &control)
    });
    assert!(matches!(result, Err(Error::BadVoxel { index: [1, 1, 1], .. })));
}
