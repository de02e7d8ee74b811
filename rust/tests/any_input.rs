//! Whatever numbers come from outside, the crate answers with a result or an error, and does not panic.

use mitk_rs::arrays::{Run, project, project_all, render, slide};
use mitk_rs::error::Error;
use mitk_rs::grid::{Size3, Spacing3};
use mitk_rs::image::Layout;
use mitk_rs::levelset::{self, Bounds, Intensity, Outside, SpeedMap};
use mitk_rs::memory::DisjointWriter;
use mitk_rs::ndarray::{Array3, ArrayView3, s};
use mitk_rs::pixel::PixelType;
use mitk_rs::projection::{Axis, Beam, Camera, Extremum, Slab, extremum};
use mitk_rs::task::TaskControl;
use mitk_rs::voxels::Voxels;
use proptest::prelude::*;

const ONE: Run<'static> = Run { threads: Some(1), control: None };

/// Any bits, and numbers at the ends of what formats hold.
fn number() -> impl Strategy<Value = f64> {
    let ends = [0.0, -0.0, 1.0, 0.5, 5e-324, 1e-300, 1e-46, 1e-40, 1e16, 1e300, f64::MAX, f64::INFINITY, f64::NAN];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        -9.0..9.0f64,
        prop::sample::select(ends.to_vec()),
        prop::sample::select(ends.map(|v| -v).to_vec()),
    ]
}

fn numbers() -> impl Strategy<Value = [f64; 3]> {
    prop::array::uniform3(number())
}

/// Small, empty and absurd.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..7, Just(1 << 31), Just(1 << 62), Just(usize::MAX)]
}

/// A volume of any values, seen with any strides.
fn volume() -> impl Strategy<Value = Array3<f32>> {
    prop::array::uniform3(1usize..6).prop_flat_map(|[z, y, x]| {
        let values = prop::collection::vec(number().prop_map(|v| v as f32), x * y * z);
        values.prop_map(move |values| Array3::from_shape_vec((z, y, x), values).unwrap())
    })
}

fn turned(volume: &Array3<f32>, how: u8) -> ArrayView3<'_, f32> {
    let view = match how % 3 {
        0 => volume.view(),
        1 => volume.slice(s![..;-1, .., ..;2]),
        _ => volume.slice(s![.., ..;-2, ..;-1]),
    };
    if how.is_multiple_of(2) { view } else { view.reversed_axes() }
}

/// A bug of ours is the one error that must never come.
fn fine<T>(result: &Result<T, Error>) -> bool {
    !matches!(result, Err(Error::Internal(_)))
}

proptest! {
    #[test]
    fn projections_of_any_view_and_slab(
        volume in volume(), how in any::<u8>(), range in (length(), length()), thickness in length(), pixels in 0usize..40,
    ) {
        let view = turned(&volume, how);
        let voxels = Voxels::try_from(view).unwrap();
        for axis in Axis::ALL {
            prop_assert!(project(view, axis, Extremum::Max, ONE).is_ok());
            prop_assert!(fine(&slide(view, axis, thickness, Extremum::Min, ONE)));
            let slab = Slab { axis, range: range.0..range.1 };
            let mut out = vec![0f32; pixels];
            let made = extremum(&voxels, &slab, Extremum::Max, &mut out, &TaskControl::default());
            let inside = range.0 < range.1 && range.1 <= voxels.size().array()[axis as usize];
            prop_assert_eq!(made.is_ok(), inside && pixels == slab.output_size(&voxels).iter().product::<usize>());
        }
        prop_assert!(project_all(view, Extremum::Min, ONE).is_ok());
    }

    #[test]
    fn pictures_from_any_camera(
        volume in volume(), how in any::<u8>(), size in prop::array::uniform2(prop_oneof![length(), 1usize..9]),
        [corner, column, row, step, eye] in prop::array::uniform5(numbers()),
        matrix in prop::array::uniform3(numbers()), distance in number(), perspective in any::<bool>(),
    ) {
        let beam = if perspective { Beam::Perspective { eye, distance, matrix } } else { Beam::Parallel { step } };
        let camera = Camera { size, corner, column, row, beam };
        prop_assert!(fine(&render(turned(&volume, how), None, &camera, ONE)));
    }

    #[test]
    fn level_sets_of_any_image_and_bounds(volume in volume(), bounds in (number(), number()), level in number(), negate in any::<bool>()) {
        let voxels = Voxels::try_from(volume.view()).unwrap();
        let (control, mut out) = (TaskControl::default(), vec![0f32; volume.len()]);
        let bounds = Bounds::new(Some(bounds.0), Some(bounds.1));
        prop_assert!(fine(&bounds));
        let intensity = Intensity::of(&voxels, negate, &control);
        prop_assert!(fine(&intensity));
        if let (Ok(bounds), Ok(intensity)) = (bounds, intensity) {
            prop_assert!(fine(&levelset::isosurface(&voxels, &intensity, level, &mut out, &control)));
            prop_assert!(fine(&levelset::threshold(&voxels, &intensity, &bounds, &mut out, &control)));
            for outside in [Outside::Zero, Outside::Vmtk] {
                let map = SpeedMap::of(&voxels, intensity, bounds, outside, &control);
                prop_assert!(fine(&map.and_then(|map| map.fill(&voxels, &mut out, &control))));
            }
        }
    }

    #[test]
    fn sizes_layouts_and_spacings(size in prop::array::uniform3(length()), axes in prop::collection::vec(length(), 0..7), components in length(), spacing in numbers()) {
        let voxels = size.iter().try_fold(8usize, |all, &n| all.checked_mul(n));
        prop_assert_eq!(Size3::new(size).is_ok(), size.iter().all(|&n| n > 0) && voxels.is_some_and(|n| n <= isize::MAX as usize));
        if let Ok(layout) = Layout::new(PixelType::F64, &axes, components) {
            prop_assert!(layout.bytes() <= isize::MAX as usize);
            prop_assert_eq!(layout.byte_range(Some(layout.steps())).is_ok(), false);
        }
        prop_assert!(Spacing3::new(spacing).is_err() || spacing.iter().all(|h| h.is_finite() && *h > 0.0));
    }

    #[test]
    fn parts_lie_inside_or_are_refused(size in prop::array::uniform3(1usize..5), start in prop::array::uniform3(length()), extent in prop::array::uniform3(length())) {
        let mut array = Array3::<u8>::zeros((size[2], size[1], size[0]));
        let writer = DisjointWriter::new(array.view_mut());
        let inside = (0..3).all(|a| start[a] as u128 + extent[a] as u128 <= size[a] as u128);
        // SAFETY: it is the only part.
        let part = unsafe { writer.part(start, extent) };
        prop_assert_eq!(part.is_ok(), inside);
        if let Ok(mut part) = part {
            for v in 0..extent.iter().product() {
                part.set([v % extent[0], v / extent[0] % extent[1], v / extent[0] / extent[1]], 1);
            }
            prop_assert_eq!(array.iter().filter(|v| **v == 1).count(), extent.iter().product::<usize>());
        }
    }
}
