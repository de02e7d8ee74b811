//! One body of code, compiled for several instruction sets, chosen when the program runs.
//!
//! A [`Kernel`] whose `run` and everything it calls are `#[inline(always)]` is compiled into each wrapper below
//! with that wrapper's instructions. No wrapper enables fused multiply-add: the bits must be the same everywhere.

/// Code to be compiled for several instruction sets. `run` must be `#[inline(always)]`.
pub(super) trait Kernel {
    /// What the code returns.
    type Output;
    /// The code.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Runs the kernel with the widest instructions this processor has.
#[cfg(target_arch = "x86_64")]
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    use std::arch::is_x86_feature_detected as has;
    if has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512dq") {
        // SAFETY: the processor has the four features, just asked.
        unsafe { run_avx512(kernel) }
    } else if has!("avx2") {
        // SAFETY: the processor has the feature, just asked.
        unsafe { run_avx2(kernel) }
    } else {
        kernel.run()
    }
}

/// Runs the kernel.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
