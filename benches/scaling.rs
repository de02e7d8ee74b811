//! What more cores would do for a march, from exact counts: `cargo bench --no-default-features --features count --bench scaling`.
//!
//! The counts of a run do not depend on threads, so one core tells how long every phase would take on many: a block is
//! visited by one worker, a phase lasts as long as its busiest worker. docs/performance.md has the table and what limits it.

use mitk_rs::eikonal::count::{Costs, Report, last};
use mitk_rs::eikonal::{Collision, March, Seed, Speed, StopRule, Tuning};
use mitk_rs::error::Result;
use mitk_rs::grid::{Size3, Spacing3};
use mitk_rs::task::{TaskControl, run_on};
use mitk_rs::voxels::Voxels;
use ndarray::Array3;
use std::io::{Write, stdout};
use std::time::Instant;

mod speeds;

/// Numbers of workers in the table.
const WORKERS: [usize; 6] = [1, 2, 4, 8, 16, 64];

/// A barrier takes some 4 us, a visit as long as some 18 bricks, a note of the leader as long as one.
const COSTS: Costs = Costs { barrier: 110, visit: 18, noted: 1 };

/// What is counted.
enum Job {
    March,
    MarchSparse,
    Fronts { stop_on_targets: bool },
}

fn run(job: &Job, speed: &[f32], n: usize) -> Result<()> {
    let control = TaskControl::default();
    let speed = Speed::from_speeds(Voxels::from_slice(speed, Size3::new([n; 3])?)?);
    let middle = n as i64 / 2;
    let mut out = Array3::<f32>::zeros((n, n, n));
    let march = March {
        speed,
        spacing: Spacing3::UNIT,
        seeds: vec![Seed::at([middle; 3])],
        stop: StopRule::never(),
        tuning: Tuning::default(),
    };
    match job {
        Job::March => march.run(out.view_mut(), &control).map(|_| ()),
        Job::MarchSparse => march.run_sparse::<f32>(&control).map(|_| ()),
        Job::Fronts { stop_on_targets } => {
            let collision = Collision {
                seeds1: vec![Seed::at([middle, middle, middle / 2])],
                seeds2: vec![Seed::at([middle, middle, middle + middle / 2])],
                stop_on_targets: *stop_on_targets,
                apply_connectivity: true,
                negative_epsilon: -1e-6,
            };
            collision.run(&speed, Spacing3::UNIT, &Tuning::default(), out.view_mut(), &control)
        }
    }
}

fn row(out: &mut impl Write, name: &str, seconds: f64, report: &Report) -> std::io::Result<()> {
    let alone = report.length_on(1, COSTS) as f64;
    let speedups = WORKERS.map(|workers| format!("{:.1}", alone / report.length_on(workers, COSTS) as f64)).join(" | ");
    let blocks: usize = report.phases.iter().map(Vec::len).sum();
    writeln!(
        out,
        "| {name} | {} | {} ({}) | {:.1} | {:.1} | {:.0} | {} | {:.0} | {speedups} |",
        report.windows,
        report.phases.len(),
        report.shared_phases(),
        blocks as f64 / report.phases.len() as f64,
        report.solved as f64 / report.tiles as f64 / 64.0,
        report.visits as f64 / report.tiles as f64,
        report.tiles,
        seconds * 1e9 / report.solved as f64,
    )
}

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let mut out = stdout().lock();
    let workers = WORKERS.map(|n| n.to_string()).join(" | ");
    let head = "| case | windows | phases (shared) | blocks a phase | solved a brick | visits a tile | tiles | ns a solution |";
    let io = |error: std::io::Error| mitk_rs::Error::Internal(error.to_string());
    writeln!(out, "{head} {workers} |\n| :-- {}|", "| --: ".repeat(7 + WORKERS.len())).map_err(io)?;
    let sizes: &[usize] = if quick { &[64, 96] } else { &[32, 64, 96, 128, 256, 512] };
    for &n in sizes {
        let mut cases = vec![("constant", Job::March), ("smooth", Job::March)];
        if n <= 256 {
            cases.push(("noise", Job::March));
            cases.push(("blocks", Job::March));
            cases.push(("smooth", Job::Fronts { stop_on_targets: false }));
        }
        cases.push(("rod", Job::Fronts { stop_on_targets: true }));
        cases.push(("rod", Job::MarchSparse));
        for (kind, job) in cases {
            let speed = speeds::speeds(kind, n);
            let start = Instant::now();
            run_on(1, || run(&job, &speed, n))?;
            let seconds = start.elapsed().as_secs_f64();
            let what = match job {
                Job::March => "march",
                Job::MarchSparse => "march, sparse",
                Job::Fronts { .. } => "colliding fronts",
            };
            if let Some(report) = last() {
                row(&mut out, &format!("{what} {n}³, {kind}"), seconds, &report).map_err(io)?;
            }
        }
    }
    Ok(())
}
