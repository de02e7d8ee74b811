//! Projections against a plain loop over every voxel.

use super::*;
use crate::error::Error;
use crate::grid::Size3;
use crate::projection::{Axis, Extremum, Number, Slab};
use crate::task::{TaskControl, run_on};
use crate::voxels::Voxels;
use proptest::prelude::*;

/// A volume in memory of any layout: every `skip`-th element of `data`, axes in the order `layout`, some reversed.
struct Case<T> {
    data: Vec<T>,
    size: [usize; 3],
    strides: [isize; 3],
    start: usize,
}

impl<T: Number> Case<T> {
    fn new(data: Vec<T>, size: [usize; 3], layout: usize, reversed: [bool; 3], skip: usize) -> Self {
        let order = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][layout];
        let mut strides = [0isize; 3];
        let mut step = skip as isize;
        let mut start = 0;
        for axis in order {
            strides[axis] = if reversed[axis] { -step } else { step };
            start += if reversed[axis] { step * (size[axis] as isize - 1) } else { 0 };
            step *= size[axis] as isize;
        }
        Self { data, size, strides: strides.map(|s| s * size_of::<T>() as isize), start: start as usize }
    }

    fn voxels(&self) -> Voxels<'_> {
        let size = Size3::new(self.size).unwrap();
        assert!(self.data.len() >= size.voxels());
        // SAFETY: `new` chose strides and start so that every voxel lies in `data`.
        unsafe { Voxels::from_raw(self.data.as_ptr().add(self.start).cast(), T::TYPE, size, self.strides) }
    }

    fn line(&self, slab: &Slab, row: usize, pixel: usize) -> Vec<T> {
        let mut v = [0; 3];
        let others = slab.axis.others();
        (v[others[0] as usize], v[others[1] as usize]) = (row, pixel);
        let value = |i| {
            v[slab.axis as usize] = i;
            self.voxels().get::<T>(v)
        };
        slab.range.clone().map(value).collect()
    }

    fn folded<A>(&self, slab: &Slab, fold: impl Fn(Vec<T>) -> A) -> Vec<A> {
        let [rows, width] = slab.output_size(&self.voxels());
        (0..rows * width).map(|i| fold(self.line(slab, i / width, i % width))).collect()
    }
}

fn plain_extremum<T: Number>(line: &[T], which: Extremum) -> T {
    let numbers = line.iter().copied().filter(|v| v.to_f64() == v.to_f64());
    match which {
        Extremum::Max => numbers.reduce(|a, b| if a < b { b } else { a }).unwrap_or(T::LOWEST),
        Extremum::Min => numbers.reduce(|a, b| if b < a { b } else { a }).unwrap_or(T::HIGHEST),
    }
}

fn plain_arg<T: Number>(line: &[T], which: Extremum) -> i32 {
    let best = plain_extremum(line, which);
    line.iter().position(|&v| v == best).unwrap_or(0) as i32
}

const BOTH: [Extremum; 2] = [Extremum::Max, Extremum::Min];

fn check<T: Number>(case: &Case<T>, slab: &Slab, threads: usize) {
    let voxels = case.voxels();
    let outputs: usize = slab.output_size(&voxels).iter().product();
    let control = TaskControl::default();
    for which in BOTH {
        let mut out = vec![T::FLOOR; outputs];
        run_on(threads, || extremum(&voxels, slab, which, &mut out, &control)).unwrap();
        assert_eq!(out, case.folded(slab, |l| plain_extremum(&l, which)));
        let mut index = vec![-1; outputs];
        run_on(threads, || arg_extremum::<T>(&voxels, slab, which, &mut index, &control)).unwrap();
        assert_eq!(index, case.folded(slab, |l| plain_arg(&l, which)));
    }
}

fn check_sliding<T: Number>(case: &Case<T>, axis: Axis, width: usize, threads: usize) {
    let (voxels, control) = (case.voxels(), TaskControl::default());
    let n = case.size[axis as usize];
    for which in BOTH {
        let mut out = vec![T::FLOOR; voxels.size().voxels()];
        run_on(threads, || sliding_extremum(&voxels, axis, width, which, &mut out, &control)).unwrap();
        for (offset, got) in out.iter().enumerate() {
            let v = voxels.size().voxel(offset);
            let k = v[axis as usize];
            let range = k.saturating_sub(width / 2)..(k + width - width / 2).min(n);
            let [row, pixel] = axis.others().map(|a| v[a as usize]);
            let line = case.line(&Slab { axis, range }, row, pixel);
            assert_eq!(*got, plain_extremum(&line, which), "voxel {v:?}");
        }
    }
}

fn check_all_axes<T: Number>(case: &Case<T>, threads: usize) {
    let (voxels, control) = (case.voxels(), TaskControl::default());
    for which in BOTH {
        let slabs = Axis::ALL.map(|a| Slab::whole(&voxels, a));
        let [mut x, mut y, mut z] = [0, 1, 2].map(|a| vec![T::FLOOR; slabs[a].output_size(&voxels).iter().product()]);
        run_on(threads, || extremum_all_axes(&voxels, which, [&mut x, &mut y, &mut z], &control)).unwrap();
        for (slab, got) in slabs.iter().zip([x, y, z]) {
            assert_eq!(got, case.folded(slab, |l| plain_extremum(&l, which)));
        }
    }
}

prop_compose! {
    fn layouts()(
        size in [1usize..80, 1usize..9, 1usize..9],
        turn in 0usize..3,
        layout in 0usize..6,
        reversed in any::<[bool; 3]>(),
        skip in 1usize..3,
        threads in 1usize..4,
        axis in 0usize..3,
        cut in any::<[prop::sample::Index; 2]>(),
    ) -> ([usize; 3], usize, [bool; 3], usize, usize, Slab) {
        let mut size = size;
        size.rotate_right(turn);
        let n = size[axis];
        let (first, end) = (cut[0].index(n), cut[1].index(n) + 1);
        let range = if first < end { first..end } else { 0..n };
        (size, layout, reversed, skip, threads, Slab { axis: Axis::ALL[axis], range })
    }
}

macro_rules! every_type {
    ($($name:ident: $t:ty, $values:expr;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            #[test]
            fn $name(
                (size, layout, reversed, skip, threads, slab) in layouts(),
                pool in prop::collection::vec($values, 97),
            ) {
                let n = size.iter().product::<usize>() * skip;
                let data: Vec<$t> = (0..n).map(|i| pool[(i * 31 + i / 97) % 97]).collect();
                let case = Case::new(data, size, layout, reversed, skip);
                check(&case, &slab, threads);
                check_sliding(&case, slab.axis, slab.range.len(), threads);
                check_all_axes(&case, threads);
            }
        }
    )*};
}

every_type! {
    extrema_u8: u8, any::<u8>();
    extrema_i8: i8, any::<i8>();
    extrema_u16: u16, any::<u16>();
    extrema_i16: i16, any::<i16>();
    extrema_u32: u32, any::<u32>();
    extrema_i32: i32, any::<i32>();
    extrema_u64: u64, any::<u64>();
    extrema_i64: i64, any::<i64>();
    extrema_f32: f32, prop_oneof![any::<f32>(), Just(f32::NAN), Just(f32::NEG_INFINITY), Just(f32::INFINITY)];
    extrema_f64: f64, prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::NEG_INFINITY), Just(f64::INFINITY)];
}

fn noise(n: usize) -> Vec<f32> {
    let mut state = 1u64;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / 1000.0 - 5000.0
    };
    (0..n).map(next).collect()
}

#[test]
fn integer_sums_are_exact_and_wrap() {
    let case = Case::new((0..6000).map(|i| (i * 7919 % 65536) as u16).collect(), [300, 4, 5], 0, [false; 3], 1);
    let voxels = case.voxels();
    for axis in Axis::ALL {
        let slab = Slab::whole(&voxels, axis);
        let mut out = vec![0; slab.output_size(&voxels).iter().product()];
        run_on(2, || sum::<u16>(&voxels, &slab, &mut out, &TaskControl::default())).unwrap();
        assert_eq!(out, case.folded(&slab, |l| l.iter().map(|&v| u64::from(v)).sum::<u64>()));
    }
    let case = Case::new(vec![i64::MAX, 1], [2, 1, 1], 0, [false; 3], 1);
    let mut out = [0];
    let slab = Slab::whole(&case.voxels(), Axis::X);
    run_on(1, || sum::<i64>(&case.voxels(), &slab, &mut out, &TaskControl::default())).unwrap();
    assert_eq!(out, [i64::MIN]);
}

fn deviations(voxels: &Voxels<'_>, slab: &Slab, threads: usize) -> Vec<f64> {
    let mut out = vec![0.0; slab.output_size(voxels).iter().product()];
    run_on(threads, || std::<f32>(voxels, slab, &mut out, &TaskControl::default())).unwrap();
    out
}

#[test]
fn means_and_deviations_are_close_to_a_plain_loop() {
    let case = Case::new(noise(300 * 4 * 5), [300, 4, 5], 0, [false; 3], 1);
    let voxels = case.voxels();
    for axis in Axis::ALL {
        let slab = Slab::whole(&voxels, axis);
        let deviations = deviations(&voxels, &slab, 2);
        let mut means = vec![0.0; deviations.len()];
        run_on(2, || mean::<f32>(&voxels, &slab, &mut means, &TaskControl::default())).unwrap();
        let plain = case.folded(&slab, |l| {
            let mean = l.iter().map(|&v| f64::from(v)).sum::<f64>() / l.len() as f64;
            let squares = l.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
            (mean, (squares / l.len() as f64).sqrt())
        });
        for (i, (mean, deviation)) in plain.into_iter().enumerate() {
            assert!((means[i] - mean).abs() < 1e-9 && (deviations[i] - deviation).abs() < 1e-9);
        }
    }
}

#[test]
fn sums_are_the_same_for_any_number_of_threads() {
    let case = Case::new(noise(130 * 70 * 50), [130, 70, 50], 0, [false; 3], 1);
    let voxels = case.voxels();
    for axis in Axis::ALL {
        let slab = Slab::whole(&voxels, axis);
        let of = |threads| deviations(&voxels, &slab, threads).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let one = of(1);
        for threads in [2, 3, 7] {
            assert_eq!(of(threads), one);
        }
    }
}

#[test]
fn bad_slabs_and_outputs_are_refused() {
    let case = Case::new(vec![0u8; 24], [2, 3, 4], 0, [false; 3], 1);
    let (voxels, control) = (case.voxels(), TaskControl::default());
    let run = |range, n| {
        let slab = Slab { axis: Axis::Y, range };
        extremum::<u8>(&voxels, &slab, Extremum::Max, &mut vec![0; n], &control)
    };
    assert!(matches!(run(2..2, 8), Err(Error::BadArgument { name: "slab", .. })));
    assert!(matches!(run(0..4, 8), Err(Error::BadArgument { name: "slab", .. })));
    assert!(matches!(run(0..3, 7), Err(Error::Mismatch { what: "output pixels", .. })));
    let slab = Slab::whole(&voxels, Axis::X);
    let wrong = extremum::<i8>(&voxels, &slab, Extremum::Max, &mut [0; 12], &control);
    assert!(matches!(wrong, Err(Error::Mismatch { what: "pixel type", .. })));
    let wide = sliding_extremum::<u8>(&voxels, Axis::Z, 5, Extremum::Max, &mut [0; 24], &control);
    assert!(matches!(wide, Err(Error::BadArgument { name: "thickness", .. })));
}

#[test]
fn a_cancelled_projection_stops() {
    let case = Case::new(vec![0u8; 24], [2, 3, 4], 0, [false; 3], 1);
    let control = TaskControl::default();
    control.cancel();
    let slab = Slab::whole(&case.voxels(), Axis::Z);
    let result = extremum::<u8>(&case.voxels(), &slab, Extremum::Max, &mut [0; 6], &control);
    assert_eq!(result, Err(Error::Cancelled));
}
