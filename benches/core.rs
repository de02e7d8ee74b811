//! The core without Python: marches, colliding fronts, projections. `cargo bench`.
//!
//! What these figures are good for is comparing two states of the code on one machine; `peers.py` compares packages.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mitk_rs::eikonal::{Collision, March, Seed, Speed, StopRule, Tuning, reference};
use mitk_rs::grid::{Size3, Spacing3};
use mitk_rs::projection::{Axis, Extremum, Slab, extremum};
use mitk_rs::task::{TaskControl, run_on};
use mitk_rs::voxels::Voxels;
use ndarray::ArrayViewMut3;
use std::hint::black_box;
use std::time::Duration;

mod speeds;

use speeds::speeds;

/// Edge of the cubes.
const N: usize = 128;

fn cube(n: usize) -> Size3 {
    Size3::new([n; 3]).expect("a cube of this edge is a valid size")
}

fn array(n: usize, out: &mut [f32]) -> ArrayViewMut3<'_, f32> {
    ArrayViewMut3::from_shape((n, n, n), out).expect("as many voxels as the cube has")
}

fn march(speed: &[f32], n: usize, threads: usize, out: &mut [f32]) {
    let control = TaskControl::default();
    let work = || {
        let march = March {
            speed: Speed::from_speeds(Voxels::from_slice(speed, cube(n))?),
            spacing: Spacing3::UNIT,
            seeds: vec![Seed::at([n as i64 / 2; 3])],
            stop: StopRule::never(),
            tuning: Tuning::default(),
        };
        march.run(array(n, out), &control)
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

fn plain_heap(c: &mut Criterion) {
    const SMALL: usize = 48;
    let mut group = c.benchmark_group(format!("plain heap {SMALL}^3"));
    group.throughput(Throughput::Elements((SMALL * SMALL * SMALL) as u64));
    let speed = speeds("smooth", SMALL);
    let seeds = [Seed::at([SMALL as i64 / 2; 3])];
    let at = |v: usize| f64::from(speed[v]);
    let control = TaskControl::default();
    group.bench_function("smooth", |b| {
        b.iter(|| reference::march::<f32>(cube(SMALL), Spacing3::UNIT, &at, &seeds, &StopRule::never(), &control))
    });
    group.finish();
}

fn collide(speed: &[f32], collision: &Collision, threads: usize) {
    let control = TaskControl::default();
    let mut out = vec![0f32; N * N * N];
    let work = || {
        let speed = Speed::from_speeds(Voxels::from_slice(speed, cube(N))?);
        collision.run(&speed, Spacing3::UNIT, &Tuning::default(), array(N, &mut out), &control)
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
    targets = marches, plain_heap, collisions, projections
}
criterion_main!(core);
