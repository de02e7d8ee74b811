//! Exact counts of the work of the last march or collision, and what they say about more workers.
//!
//! Built with the Cargo feature `count` only. Counts do not depend on threads, so a run on one core tells how much of
//! the work could have been done side by side on many.

use super::batch::Counts;
use super::front::Front;
use super::schedule::workers_for;
use crate::eikonal::Time;
use std::sync::{Mutex, PoisonError};

/// What a job did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// For each phase the bricks solved in each block, in the order in which blocks are claimed.
    pub phases: Vec<Vec<u64>>,
    /// Bricks solved, counting repetitions.
    pub solved: u64,
    /// Tiles visited, counting repetitions.
    pub visits: u64,
    /// Bricks of which a voxel was left to the cascade.
    pub doubts: u64,
    /// Tiles that the leader took note of between phases, alone.
    pub noted: u64,
    /// Windows of all fronts.
    pub windows: u64,
    /// Tiles that had memory.
    pub tiles: u64,
}

static LAST: Mutex<Option<Report>> = Mutex::new(None);

/// The counts of the job that ended last; `None` if none has since the last call.
pub fn last() -> Option<Report> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What a phase costs beside solving, in bricks that could be solved in the time.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// Starting a phase with several workers and waiting for the last of them.
    pub barrier: u64,
    /// A visit of a tile: finding it, its neighbours, its place in lists.
    pub visit: u64,
    /// A tile that the leader takes note of.
    pub noted: u64,
}

impl Report {
    /// Bricks that could be solved one after the other in the time that this many workers need, each claiming the next
    /// block when it is free.
    pub fn length_on(&self, workers: usize, costs: Costs) -> u64 {
        // Visits are spread over blocks as solved bricks are.
        let stretch = 1.0 + (costs.visit * self.visits) as f64 / self.solved.max(1) as f64;
        let phases = self.phases.iter().map(|blocks| length_of(blocks, workers, stretch, costs.barrier));
        phases.sum::<u64>() + costs.noted * self.noted
    }

    /// Phases that are worth more than one worker.
    pub fn shared_phases(&self) -> usize {
        self.phases.iter().filter(|blocks| workers_for(blocks.iter().sum(), blocks.len()) > 1).count()
    }
}

/// The length of one phase.
fn length_of(blocks: &[u64], workers: usize, stretch: f64, barrier: u64) -> u64 {
    let workers = workers_for(blocks.iter().sum(), blocks.len()).min(workers);
    let mut busy = vec![0u64; workers];
    for block in blocks {
        if let Some(first) = busy.iter_mut().min() {
            *first += block;
        }
    }
    let longest = busy.into_iter().max().unwrap_or(0) as f64 * stretch;
    longest as u64 + if workers > 1 { barrier } else { 0 }
}

/// What a driver collects.
#[derive(Default)]
pub(crate) struct Phases(Vec<Vec<u64>>);

impl Phases {
    /// Adds a phase in which these blocks, each with the number of its front, were visited.
    pub(crate) fn add<T: Time>(&mut self, fronts: &[Front<'_, T>], blocks: &[(usize, u32)]) {
        self.0.push(blocks.iter().map(|(id, place)| fronts[*id].block(*place).work).collect());
    }

    /// Publishes the counts.
    pub(crate) fn publish<T: Time>(&mut self, fronts: &[Front<'_, T>]) {
        let mut counts = Counts::default();
        fronts.iter().for_each(|front| counts.add(front.counts));
        let report = Report {
            phases: std::mem::take(&mut self.0),
            solved: counts.solved,
            visits: counts.visits,
            doubts: counts.doubts,
            noted: counts.noted,
            windows: fronts.iter().map(|front| u64::from(front.field.window)).sum(),
            tiles: fronts.iter().map(|front| front.activated.len() as u64).sum(),
        };
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_as_long_as_its_busiest_worker() {
        let phases = vec![vec![5000, 4000, 3000, 3000], vec![700]];
        let report = Report { phases, solved: 15_700, noted: 30, ..Report::default() };
        let costs = Costs { barrier: 100, visit: 0, noted: 1 };
        assert_eq!(report.length_on(1, costs), 15_700 + 30);
        assert_eq!(report.length_on(2, costs), 8000 + 100 + 700 + 30);
        assert_eq!(report.length_on(64, costs), 5000 + 100 + 700 + 30);
        assert_eq!(report.shared_phases(), 1);
    }
}
