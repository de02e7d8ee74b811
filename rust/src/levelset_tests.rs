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
    assert!(out.iter().zip(ramp()).all(|(o, v)| *o == if (-50..=0).contains(&v) { -1.0 } else { 1.0 }));
}

#[test]
fn a_threshold_without_bounds_is_the_intensity() {
    let bounds = Bounds::new(None, None).unwrap();
    let out = with_image(false, |image, intensity, control| {
        let mut out = vec![0f32; 24];
        threshold(image, intensity, &bounds, &mut out, control).unwrap();
        out
    });
    assert!(out.iter().zip(ramp()).all(|(o, v)| *o == f32::from(v)));
}

#[test]
fn a_bound_that_is_not_a_number_is_refused() {
    assert!(Bounds::new(Some(f64::NAN), None).is_err());
    assert!(Bounds::new(None, Some(f64::NAN)).is_err());
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
fn a_seed_marks_its_face_and_edge_neighbours() {
    let size = Size3::new([5, 6, 7]).unwrap();
    let mut out = vec![0f32; size.voxels()];
    run_on(1, || seeds(size, &[[3, 2, 4]], &mut out)).unwrap();
    for (offset, value) in out.into_iter().enumerate() {
        let steps = [3, 2, 4].iter().zip(size.voxel(offset)).map(|(seed, at)| seed - at as i64);
        let near = steps.map(|step| step * step).sum::<i64>() <= 2;
        assert_eq!(value, if near { -1.0 } else { 1.0 }, "{:?}", size.voxel(offset));
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

/// The speed of an image of these values with a lower bound, if any, for a voxel.
fn speed_of(data: &[i16], lower: Option<f64>, outside: Outside, voxel: f32) -> f32 {
    run_on(1, || {
        let control = TaskControl::default();
        let image = Voxels::from_slice(data, size())?;
        let intensity = Intensity::of(&image, false, &control)?;
        Ok(SpeedMap::of(&image, intensity, Bounds::new(lower, None)?, outside, &control)?.speed(voxel))
    })
    .unwrap()
}

#[test]
fn speed_is_where_a_voxel_is_between_the_least_and_the_greatest() {
    for outside in [Outside::Zero, Outside::Vmtk] {
        // From -100 to 130; what is outside the bounds counts as -230.
        assert_eq!(speed_of(&ramp(), None, outside, -100.0), 0.0);
        assert_eq!(speed_of(&ramp(), None, outside, 15.0), 0.5);
        assert_eq!(speed_of(&ramp(), None, outside, 130.0), 1.0);
        assert_eq!(speed_of(&ramp(), Some(-50.0), outside, -50.0), 0.5);
        assert_eq!(speed_of(&ramp(), Some(-50.0), outside, 40.0), 0.75);
        assert_eq!(speed_of(&ramp(), Some(-50.0), outside, -60.0), 0.0);
        assert_eq!(speed_of(&[7; 24], None, outside, 7.0), 0.0);
    }
}

#[test]
fn the_outside_of_a_negative_image_is_below_all_of_it_but_not_for_vmtk() {
    // Up to the maximum 0 what is outside counts as the least, -46; below it as the least less the range: -92 - 23 = -115.
    let up_to_zero: Vec<i16> = (0..24).map(|v| 2 * v - 46).collect();
    let negative: Vec<i16> = (0..24).map(|v| v - 92).collect();
    assert_eq!(speed_of(&up_to_zero, Some(-40.0), Outside::Zero, -23.0), 0.5);
    assert_eq!(speed_of(&negative, Some(-80.0), Outside::Zero, -69.0), 1.0);
    assert_eq!(speed_of(&negative, Some(-80.0), Outside::Zero, -80.0), (35.0 / 46.0) as f32);
    // VMTK's outside is -92 + 69 = -23, above all voxels.
    assert_eq!(speed_of(&negative, Some(-80.0), Outside::Vmtk, -69.0), (11.0 * (1.0 / 57.0)) as f32);
}

#[test]
fn the_speed_image_and_what_is_in_bounds_agree_with_the_speed_of_a_voxel() {
    let bounds = Bounds::new(Some(-50.0), Some(60.0)).unwrap();
    with_image(true, |image, intensity, control| {
        let speed = SpeedMap::of(image, *intensity, bounds, Outside::Zero, control).unwrap();
        let mut out = vec![0f32; 24];
        speed.fill(image, &mut out, control).unwrap();
        for (value, voxel) in out.into_iter().zip(ramp()) {
            // Negated around 15: what is from -30 to 80 becomes 60 to -50.
            assert_eq!(speed.contains(f32::from(voxel)), (-30..=80).contains(&voxel));
            assert_eq!(value, speed.speed(f32::from(voxel)));
            assert_eq!(value > 0.0, (-30..=80).contains(&voxel));
        }
    });
}

#[test]
fn branches_become_one_by_their_minimum_or_their_sum() {
    let branch: Vec<f32> = (0..24).map(|v| v as f32 - 10.0).collect();
    for (how, of_two) in [(Combine::Minimum, f32::min as fn(f32, f32) -> f32), (Combine::Sum, |a, b| a + b)] {
        let mut merged: Vec<f32> = (0..24).map(|v| 9.0 - v as f32 / 2.0).collect();
        let expected: Vec<f32> = merged.iter().zip(&branch).map(|(&a, &b)| of_two(a, b)).collect();
        run_on(2, || combine(&mut merged, &Voxels::from_slice(&branch, size())?, how, &TaskControl::default()))
            .unwrap();
        assert_eq!(merged, expected);
    }
    let short = run_on(1, || {
        combine(&mut [0.0; 23], &Voxels::from_slice(&branch, size())?, Combine::Sum, &TaskControl::default())
    });
    assert!(matches!(short, Err(Error::Mismatch { .. })));
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
