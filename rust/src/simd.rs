//! One body of vector code, compiled for several instruction sets and chosen when the program runs.
//!
//! A [`Kernel`] is written against the crate `fearless_simd`: eight lanes of `f32` ([`Single`]) or `f64`
//! ([`Double`]) on AVX-512, AVX2, NEON and plain SSE2 alike. Every operation is one rounding of IEEE 754, and none
//! of them is a fused multiply-add, so all instruction sets give the same bits.

use crate::cpu::Instructions;
use fearless_simd::{Level, f32x4, f32x8, f64x8, mask64x8, prelude::*};

/// Lanes of every vector here.
pub(crate) const LANES: usize = 8;

/// Eight single-precision numbers.
pub(crate) type Single<S> = f32x8<S>;
/// Eight double-precision numbers.
pub(crate) type Double<S> = f64x8<S>;
/// Eight answers about [`Double`]s.
pub(crate) type Mask<S> = mask64x8<S>;

/// Vector code. `run` and what it calls must be `#[inline(always)]`, which puts it into a function that has the
/// instructions.
pub(crate) trait Kernel {
    /// What the code returns.
    type Output;
    /// The code.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs the kernel with the given instructions, or with the widest this machine has below them.
pub(crate) fn run<K: Kernel>(instructions: Instructions, kernel: K) -> K::Output {
    let level = Level::new();
    #[cfg(target_arch = "x86_64")]
    {
        if instructions == Instructions::Avx512
            && let Some(simd) = level.as_avx512()
        {
            return simd.vectorize(
                #[inline(always)]
                || kernel.run(simd),
            );
        }
        if instructions != Instructions::Baseline
            && let Some(simd) = level.as_avx2()
        {
            return simd.vectorize(
                #[inline(always)]
                || kernel.run(simd),
            );
        }
        let simd = level.as_sse2().expect("every x86-64 processor has SSE2");
        simd.vectorize(
            #[inline(always)]
            || kernel.run(simd),
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = instructions;
        fearless_simd::dispatch!(level, simd => kernel.run(simd))
    }
}

/// Vectors of one number in all lanes.
pub(crate) trait Constants: Simd {
    #[inline(always)]
    fn single(self, value: f32) -> Single<Self> {
        Single::splat(self, value)
    }

    #[inline(always)]
    fn double(self, value: f64) -> Double<Self> {
        Double::splat(self, value)
    }
}

impl<S: Simd> Constants for S {}

/// To double precision.
#[inline(always)]
pub(crate) fn widen<S: Simd>(values: Single<S>) -> Double<S> {
    let (low, high) = values.widen();
    low.combine(high)
}

/// Rounded to single precision.
#[inline(always)]
pub(crate) fn narrow<S: Simd>(values: Double<S>) -> Single<S> {
    let (low, high) = values.split();
    low.narrow(high)
}

/// Four neighbouring values from each of eight places: those at the places, those one further on, ...
#[inline(always)]
pub(crate) fn rows_of_four<S: Simd>(simd: S, values: &[f32], places: &[usize; LANES]) -> [Single<S>; 4] {
    let [a, b, c, d, e, f, g, h] = *places;
    let low = transpose(
        four_at(simd, values, a),
        four_at(simd, values, b),
        four_at(simd, values, c),
        four_at(simd, values, d),
    );
    let high = transpose(
        four_at(simd, values, e),
        four_at(simd, values, f),
        four_at(simd, values, g),
        four_at(simd, values, h),
    );
    [low[0].combine(high[0]), low[1].combine(high[1]), low[2].combine(high[2]), low[3].combine(high[3])]
}

/// Four values from one place on in each of four slices: the first of each, the second of each, ...
#[inline(always)]
pub(crate) fn four_by_four<S: Simd>(simd: S, slices: [&[f32]; 4], place: usize) -> [f32x4<S>; 4] {
    let [a, b, c, d] = slices;
    transpose(four_at(simd, a, place), four_at(simd, b, place), four_at(simd, c, place), four_at(simd, d, place))
}

#[inline(always)]
fn four_at<S: Simd>(simd: S, values: &[f32], place: usize) -> f32x4<S> {
    f32x4::from_slice(simd, &values[place..place + 4])
}

#[inline(always)]
fn transpose<S: Simd>(a: f32x4<S>, b: f32x4<S>, c: f32x4<S>, d: f32x4<S>) -> [f32x4<S>; 4] {
    let (ac_low, ac_high) = (a.zip_low(c), a.zip_high(c));
    let (bd_low, bd_high) = (b.zip_low(d), b.zip_high(d));
    [ac_low.zip_low(bd_low), ac_low.zip_high(bd_low), ac_high.zip_low(bd_high), ac_high.zip_high(bd_high)]
}

/// One value from each of eight places.
#[inline(always)]
pub(crate) fn gather<S: Simd>(simd: S, values: &[f32], places: &[usize; LANES]) -> Single<S> {
    let mut gathered = [0.0; LANES];
    for lane in 0..LANES {
        gathered[lane] = values[places[lane]];
    }
    Single::from_slice(simd, &gathered)
}
