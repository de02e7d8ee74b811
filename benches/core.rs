//! The core without Python: marches, colliding fronts, projections. `cargo bench --no-default-features`.
//!
//! What these figures are good for is comparing two states of the code on one machine; `peers.py` compares packages.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mitk_rs::eikonal::fronts::{self, Collision};
use mitk_rs::eikonal::march::{March, Tuning};
use mitk_rs::eikonal::speed::Speed;
use mitk_rs::eikonal::{Seed, StopRule, heap};
use mitk_rs::grid::{Size3, Spacing3};
use mitk_rs::projection::{Axis, Extremum, Slab, extremum};
use mitk_rs::task::{TaskControl, run_on};
use mitk_rs::voxels::Voxels;
use std::hint::black_box;
use std::time::Duration;

/// Edge of the cubes.
const N: usize = 128;

/// A pseudo-random number in 0..1 for each voxel offset.
fn noise(offset: usize) -> f32 {
    let mixed = (offset as u64 ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 40) as f32 / (1u64 << 24) as f32
}

/// Speeds of a cube with edge `n`.
fn speeds(kind: &str, n: usize) -> Vec<f32> {
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

fn cube(n: usize) -> Size3 {
    Size3::new([n; 3]).expect("a cube of this edge is a valid size")
}

fn march(speed: &[f32], n: usize, threads: usize, out: &mut [f32]) {
    let control = TaskControl::default();
    let work = || {
        let march = March {
            speed: Speed::from_speeds(Voxels::from_slice(speed, cube(n))?, &control)?,
            spacing: Spacing3::UNIT,
            seeds: vec![Seed::at([n as i64 / 2; 3])],
            stop: StopRule::never(),
            tuning: Tuning::default(),
        };
        march.run(out, &control)
    };
    black_box(run_on(threads, work).expect("the march is well posed"));
}

fn marches(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("march {N}^3"));
    group.throughput(Throughput::Elements((N * N * N) as u64));
    let mut out = vec![0f32; N * N * N];
    for kind in ["constant", "smooth", "noise", "blocks"] {
        let speed = speeds(kind, N);
        for threads in [1, 2] {
            let name = BenchmarkId::new(kind, format!("{threads} threads"));
            group.bench_function(name, |b| b.iter(|| march(&speed, N, threads, &mut out)));
        }
    }
    group.finish();
}

fn reference(c: &mut Criterion) {
    const SMALL: usize = 48;
    let mut group = c.benchmark_group(format!("plain heap {SMALL}^3"));
    group.throughput(Throughput::Elements((SMALL * SMALL * SMALL) as u64));
    let speed = speeds("smooth", SMALL);
    let seeds = [Seed::at([SMALL as i64 / 2; 3])];
    let at = |v: usize| f64::from(speed[v]);
    let control = TaskControl::default();
    group.bench_function("smooth", |b| {
        b.iter(|| heap::march::<f32>(cube(SMALL), Spacing3::UNIT, &at, &seeds, &StopRule::never(), &control))
    });
    group.finish();
}

fn collide(speed: &[f32], collision: &Collision, threads: usize) {
    let control = TaskControl::default();
    let mut out = vec![0f32; N * N * N];
    let work = || {
        let speed = Speed::from_speeds(Voxels::from_slice(speed, cube(N))?, &control)?;
        fronts::collide(&speed, Spacing3::UNIT, collision, &Tuning::default(), &mut out, &control)
    };
    run_on(threads, work).expect("the fronts are well posed");
    black_box(out);
}

fn collisions(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("colliding fronts {N}^3"));
    let middle = N as i64 / 2;
    for (kind, stop_on_targets) in [("rod", true), ("smooth", false)] {
        let speed = speeds(kind, N);
        let collision = Collision {
            seeds1: vec![Seed::at([middle, middle, middle / 2])],
            seeds2: vec![Seed::at([middle, middle, middle + middle / 2])],
            stop_on_targets,
            apply_connectivity: true,
            negative_epsilon: -1e-6,
        };
        for threads in [1, 2] {
            let name = BenchmarkId::new(kind, format!("{threads} threads"));
            group.bench_function(name, |b| b.iter(|| collide(&speed, &collision, threads)));
        }
    }
    group.finish();
}

fn projections(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("maximum along an axis {N}^3"));
    group.throughput(Throughput::Bytes((N * N * N * size_of::<f32>()) as u64));
    let data = speeds("noise", N);
    let voxels = Voxels::from_slice(&data, cube(N)).expect("the slice has as many voxels as the cube");
    let mut out = vec![0f32; N * N];
    for axis in Axis::ALL {
        let slab = Slab::whole(&voxels, axis);
        group.bench_function(format!("{axis:?}"), |b| {
            b.iter(|| run_on(2, || extremum(&voxels, &slab, Extremum::Max, &mut out, &TaskControl::default())))
        });
    }
    group.finish();
}

criterion_group! {
    name = core;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    targets = marches, reference, collisions, projections
}
criterion_main!(core);
