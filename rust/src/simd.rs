//! One body of vector code, compiled for several instruction sets and chosen when the program runs.
//!
//! A [`Kernel`] is written against the crate `fearless_simd`: eight lanes of `f32` ([`Single`]) or `f64`
//! ([`Double`]) on AVX-512, AVX2, NEON and plain SSE2 alike. Every operation is one rounding of IEEE 754, and none
//! of them is a fused multiply-add, so all instruction sets give the same bits.

use crate::cpu::Instructions;
use fearless_simd::{Level, f32x8, f64x8, prelude::*};

/// Lanes of every vector here.
pub(crate) const LANES: usize = 8;

/// Eight single-precision numbers.
pub(crate) type Single<S> = f32x8<S>;
/// Eight double-precision numbers.
pub(crate) type Double<S> = f64x8<S>;

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
