//! What the processor can do, for reports: kernels ask for themselves.

/// Names of the vector extensions that this processor has and that kernels may use.
#[cfg(target_arch = "x86_64")]
pub fn features() -> Vec<&'static str> {
    let known = [
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter(|feature| feature.1).map(|feature| feature.0).collect()
}

/// Names of the vector extensions that this processor has and that kernels may use.
#[cfg(not(target_arch = "x86_64"))]
pub fn features() -> Vec<&'static str> {
    if cfg!(target_feature = "neon") { vec!["neon"] } else { Vec::new() }
}
