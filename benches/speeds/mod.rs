//! The volumes of the benchmarks in Rust.

/// A pseudo-random number in 0..1 for each voxel offset.
fn noise(offset: usize) -> f32 {
    let mixed = (offset as u64 ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 40) as f32 / (1u64 << 24) as f32
}

/// Speeds of a cube with edge `n`.
pub(crate) fn speeds(kind: &str, n: usize) -> Vec<f32> {
    let wave = |i: usize| (i as f32 * 0.11).sin();
    let at = |v: usize| (v % n, v / n % n, v / n / n);
    let speed = |v: usize| match (kind, at(v)) {
        ("constant", _) => 1.0,
        ("smooth", (x, y, z)) => 0.55 + 0.15 * (wave(x) + wave(y + 7) + wave(z + 19)),
        ("blocks", (x, y, z)) => [1.0, 0.01][(x / 8 + y / 8 + z / 8) % 2],
        ("rod", (x, y, _)) => f32::from(u8::from(x.abs_diff(n / 2).pow(2) + y.abs_diff(n / 2).pow(2) < n * n / 600)),
        _ => 0.01 + 0.99 * noise(v),
    };
    (0..n * n * n).map(speed).collect()
}
