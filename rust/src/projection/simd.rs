//! One body of code, compiled for two instruction sets, chosen when the program runs.
//!
//! A [`Kernel`] whose `run` and everything it calls are `#[inline(always)]` is compiled into the wrapper below with
//! that wrapper's instructions. Fused multiply-add is not among them: the bits must be the same everywhere. Wider
//! vectors would lengthen every build for little: memory is the limit.

/// Code to be compiled for several instruction sets. `run` must be `#[inline(always)]`.
pub(super) trait Kernel {
    /// What the code returns.
    type Output;
    /// The code.
    fn run(self) -> Self::Output;
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
    if has!("avx2") {
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
