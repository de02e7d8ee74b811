//! What can be asked: marches, colliding fronts, where they start, where they end, how they are run.
//!
//! Every voxel with T <= stop is accepted. Reaching the deciding target at time T lowers stop to T + offset. The
//! deciding target is the earliest ([`TargetMode::One`]), the n-th ([`TargetMode::Some`]) or the last
//! ([`TargetMode::All`]); a target listed twice counts once (ITK up to 5.4 counts the list's length, so that
//! duplicates there never end the march).

use super::axes::Axes;
use super::local::Time;
use super::speed::Speed;
use super::tiled;
use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Index3, Size3, Spacing3};
use crate::task::TaskControl;
use ndarray::ArrayViewMut3;

/// A voxel from which a front starts, and the arrival time there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seed {
    /// Voxel `(x, y, z)`.
    pub index: Index3,
    /// Arrival time at the voxel; 0 for an ordinary seed.
    pub time: f64,
}

impl Seed {
    /// A seed that starts at time 0.
    pub fn at(index: Index3) -> Self {
        Self { index, time: 0.0 }
    }

    /// Checks that there are seeds, that each lies inside, and that each starts at a time that is finite and not negative.
    ///
    /// # Errors
    /// [`Error::BadArgument`], [`Error::IndexOutside`].
    pub fn check_all(seeds: &[Seed], size: Size3) -> Result<()> {
        if seeds.is_empty() {
            let allowed = "a front needs at least one seed";
            return Err(Error::BadArgument { name: "seeds", got: "empty".into(), allowed });
        }
        for seed in seeds {
            size.check(seed.index, "seed")?;
            if !(seed.time.is_finite() && seed.time >= 0.0) {
                let (got, allowed) = (format!("{:?}", seed.time), "it must be finite and >= 0");
                return Err(Error::BadArgument { name: "seed time", got, allowed });
            }
        }
        Ok(())
    }
}

/// How many targets must be reached before the front may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetMode {
    /// Targets are ignored.
    None,
    /// The earliest target decides.
    One,
    /// The n-th target decides.
    Some(usize),
    /// The last target decides.
    All,
}

/// When a front ends.
#[derive(Debug, Clone, PartialEq)]
pub struct StopRule {
    /// How many targets count.
    pub mode: TargetMode,
    /// The targets, `(x, y, z)`.
    pub targets: Vec<Index3>,
    /// How far beyond the deciding target the front goes on, in units of T.
    pub offset: f64,
    /// The front never passes this time.
    pub limit: Option<f64>,
}

impl StopRule {
    /// March everywhere.
    pub fn never() -> Self {
        Self { mode: TargetMode::None, targets: Vec::new(), offset: 0.0, limit: None }
    }

    /// Checks targets, count, offset and limit, and gives the state to march with.
    ///
    /// # Errors
    /// [`Error::IndexOutside`], [`Error::BadArgument`].
    pub fn start(&self, size: Size3, far: f64) -> Result<StopState> {
        let mut targets =
            self.targets.iter().map(|&t| Ok(size.offset(size.check(t, "target")?))).collect::<Result<Vec<_>>>()?;
        targets.sort_unstable();
        targets.dedup();
        let needed = self.needed(targets.len())?;
        if !self.offset.is_finite() || self.offset < 0.0 {
            let (got, allowed) = (self.offset.to_string(), "it must be finite and >= 0");
            return Err(Error::BadArgument { name: "target_offset", got, allowed });
        }
        if self.limit.is_some_and(|l| l.is_nan() || l < 0.0) {
            let got = self.limit.unwrap_or_default().to_string();
            return Err(Error::BadArgument { name: "stopping_time", got, allowed: "it must be >= 0" });
        }
        let stop = self.limit.unwrap_or(far).min(far);
        let targets = if needed == 0 { Vec::new() } else { targets };
        Ok(StopState { targets, needed, reached: 0, offset: self.offset, stop, deciding: None })
    }

    fn needed(&self, distinct: usize) -> Result<usize> {
        let needed = match self.mode {
            TargetMode::None => return Ok(0),
            TargetMode::One => 1,
            TargetMode::Some(n) => n,
            TargetMode::All => distinct,
        };
        if distinct == 0 {
            let allowed = "this target mode needs at least one target";
            return Err(Error::BadArgument { name: "targets", got: "empty".into(), allowed });
        }
        if needed == 0 || needed > distinct {
            let allowed = "it must be at least 1 and at most the number of distinct targets";
            return Err(Error::BadArgument { name: "number of targets", got: needed.to_string(), allowed });
        }
        Ok(needed)
    }
}

/// What a running march knows about its end.
#[derive(Debug, Clone, PartialEq)]
pub struct StopState {
    targets: Vec<usize>,
    needed: usize,
    reached: usize,
    offset: f64,
    /// Voxels beyond this time are not accepted.
    pub stop: f64,
    /// Time of the deciding target, once reached.
    pub deciding: Option<f64>,
}

impl StopState {
    /// Offsets of the distinct targets, ascending; empty where targets do not count.
    pub fn targets(&self) -> &[usize] {
        &self.targets
    }

    /// Whether a voxel offset is a target.
    #[inline]
    pub fn is_target(&self, offset: usize) -> bool {
        !self.targets.is_empty() && self.targets.binary_search(&offset).is_ok()
    }

    /// Records that a target was accepted at `time`. Call once per distinct target, in ascending order of time.
    pub fn reach(&mut self, time: f64) {
        self.reached += 1;
        if self.reached == self.needed {
            self.deciding = Some(time);
            self.stop = self.stop.min(time + self.offset);
        }
    }
}

/// How a job is run. Nothing here changes the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Instructions of the inner loops; [`Instructions::Baseline`] is used where the machine does not have them.
    pub instructions: Instructions,
    /// Shuffles the work lists of every phase, to show that their order does not matter, and shares every phase between
    /// all threads, however little there is to do.
    pub shuffle: Option<u64>,
    /// The most bytes that tiles may take: those in which a front is, and those kept for the product of two fronts.
    pub memory_limit: Option<u64>,
    /// Width of every window, to show that it does not matter; otherwise it follows the work that windows cost.
    pub width: Option<f64>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { instructions: Instructions::best(), shuffle: None, memory_limit: None, width: None }
    }
}

/// Voxels that are worth a thread: one marches through them in some 2 ms, of which handing over would take a tenth.
const VOXELS_WORTH_A_THREAD: usize = 40_000;

/// The most threads that a march through a volume of this size can be worth.
pub fn most_threads(size: Size3) -> usize {
    (size.voxels() / VOXELS_WORTH_A_THREAD).max(1)
}

/// A march: from where, through what, until when.
#[derive(Debug, Clone)]
pub struct March<'a> {
    /// Speed of every voxel.
    pub speed: Speed<'a>,
    /// Voxel spacing in mm.
    pub spacing: Spacing3,
    /// Where the front starts.
    pub seeds: Vec<Seed>,
    /// Where it ends.
    pub stop: StopRule,
    /// How it is run; without influence on the result.
    pub tuning: Tuning,
}

/// What a march gives beside its times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Time of the deciding target; `None` if it was not reached.
    pub target_value: Option<f64>,
    /// The time beyond which nothing was accepted.
    pub stop: f64,
    /// Number of accepted voxels.
    pub accepted: u64,
    /// Number of local solutions computed.
    pub evaluations: u64,
    /// Number of time windows.
    pub windows: u32,
}

/// The accepted voxels of a march alone, in memory order.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted<T> {
    /// Each voxel `(x, y, z)`.
    pub indices: Vec<Index3>,
    /// Its arrival time.
    pub times: Vec<T>,
}

impl March<'_> {
    /// Marches and writes the times into `out`, an array `(z, y, x)` of any strides.
    ///
    /// A voxel beyond the stop holds a tentative time if an accepted voxel touches it, otherwise [`Time::FAR`], which
    /// is also what voxels have that the front cannot reach.
    ///
    /// # Errors
    /// Seeds or targets outside, an impossible rule, a bad speed that the front met, out of memory or over the limit,
    /// cancelled.
    pub fn run<T: Time>(&self, out: ArrayViewMut3<'_, T>, control: &TaskControl) -> Result<Summary> {
        let (axes, turned) = self.turned()?;
        tiled::march_dense(&turned, axes, out, control)
    }

    /// As [`March::run`], but gives the accepted voxels alone: nothing is as large as the volume.
    ///
    /// # Errors
    /// As [`March::run`].
    pub fn run_sparse<T: Time>(&self, control: &TaskControl) -> Result<(Accepted<T>, Summary)> {
        let (axes, turned) = self.turned()?;
        tiled::march_sparse(&turned, axes, control)
    }

    /// The same march with its thinnest axis last.
    fn turned(&self) -> Result<(Axes, Self)> {
        let size = self.speed.size();
        Seed::check_all(&self.seeds, size)?;
        let axes = Axes::thinnest_last(size);
        let mut turned = self.clone();
        turned.speed = axes.speed(&self.speed)?;
        turned.spacing = axes.spacing(self.spacing)?;
        turned.seeds = axes.seeds(&self.seeds);
        for target in &mut turned.stop.targets {
            size.check(*target, "target")?;
            *target = axes.inner(*target);
        }
        Ok((axes, turned))
    }
}

/// What to compute from two fronts.
///
/// One front starts from each seed set; the result is the scalar product of their upwind gradients, negative where
/// the fronts oppose each other. With connectivity only the negative region that is connected to the first seeds is
/// kept (`itk::CollidingFrontsImageFilter`; Antiga et al. 2008).
#[derive(Debug, Clone, PartialEq)]
pub struct Collision {
    /// Where the first front starts, and where the kept region must be connected to.
    pub seeds1: Vec<Seed>,
    /// Where the second front starts.
    pub seeds2: Vec<Seed>,
    /// Whether each front ends one unit of time after it has reached all seeds of the other.
    pub stop_on_targets: bool,
    /// Whether to keep only what is connected to `seeds1` through voxels at most `negative_epsilon`.
    pub apply_connectivity: bool,
    /// The value that seeds get, and the bound of the connected region; negative.
    pub negative_epsilon: f64,
}

/// ITK's default target offset, which its colliding fronts always use.
const TARGET_OFFSET: f64 = 1.0;

impl Collision {
    /// Checks seeds and epsilon.
    ///
    /// # Errors
    /// [`Error::BadArgument`], [`Error::IndexOutside`].
    pub fn check(&self, size: Size3) -> Result<()> {
        for (name, seeds) in [("seeds1", &self.seeds1), ("seeds2", &self.seeds2)] {
            if seeds.is_empty() {
                return Err(Error::BadArgument { name, got: "empty".into(), allowed: "it needs at least one seed" });
            }
            Seed::check_all(seeds, size)?;
        }
        // Products are single precision: -1e-46 would be compared as -0, which a product of 0 reaches.
        let epsilon = self.negative_epsilon as f32;
        if epsilon < 0.0 && epsilon.is_finite() {
            return Ok(());
        }
        let allowed = "it must be finite and at most -1.5e-45, which is below 0 in single precision too";
        Err(Error::BadArgument { name: "negative_epsilon", got: format!("{:?}", self.negative_epsilon), allowed })
    }

    /// The rule that ends the front from `own` seeds, given the seeds it runs to.
    pub fn rule(&self, others: &[Seed]) -> StopRule {
        if !self.stop_on_targets {
            return StopRule::never();
        }
        let targets = others.iter().map(|s| s.index).collect();
        StopRule { mode: TargetMode::All, targets, offset: TARGET_OFFSET, limit: None }
    }

    /// Runs both fronts and writes the products into `out`, an array `(z, y, x)` of any strides, which must be zero:
    /// voxels outside the result are not touched.
    ///
    /// # Errors
    /// Those of [`Collision::check`]; a bad speed that a front met; out of memory or over the limit; cancelled.
    pub fn run(
        &self,
        speed: &Speed<'_>,
        spacing: Spacing3,
        tuning: &Tuning,
        out: ArrayViewMut3<'_, f32>,
        control: &TaskControl,
    ) -> Result<()> {
        let size = speed.size();
        self.check(size)?;
        let axes = Axes::thinnest_last(size);
        let mut turned = self.clone();
        turned.seeds1 = axes.seeds(&self.seeds1);
        turned.seeds2 = axes.seeds(&self.seeds2);
        let (speed, spacing) = (axes.speed(speed)?, axes.spacing(spacing)?);
        tiled::collide(&turned, &speed, spacing, tuning, axes, out, control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(mode: TargetMode, targets: &[Index3]) -> StopRule {
        StopRule { mode, targets: targets.to_vec(), offset: 2.0, limit: None }
    }

    fn size() -> Size3 {
        Size3::new([4, 4, 4]).unwrap()
    }

    #[test]
    fn the_deciding_target_is_first_nth_or_last() {
        let targets = [[0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 0, 2]];
        for (mode, expected) in [(TargetMode::One, 1.0), (TargetMode::Some(2), 4.0), (TargetMode::All, 9.0)] {
            let mut state = rule(mode, &targets).start(size(), 1e9).unwrap();
            for time in [1.0, 4.0, 9.0] {
                state.reach(time);
            }
            assert_eq!(state.deciding, Some(expected));
            assert_eq!(state.stop, expected + 2.0);
        }
    }

    #[test]
    fn impossible_rules_are_refused() {
        assert!(rule(TargetMode::One, &[]).start(size(), 1e9).is_err());
        assert!(rule(TargetMode::Some(3), &[[0, 0, 0], [1, 0, 0], [1, 0, 0]]).start(size(), 1e9).is_err());
        assert!(rule(TargetMode::All, &[[4, 0, 0]]).start(size(), 1e9).is_err());
        let negative = StopRule { offset: -1.0, ..StopRule::never() };
        assert!(negative.start(size(), 1e9).is_err());
        for limit in [f64::NAN, -1.0] {
            assert!(StopRule { limit: Some(limit), ..StopRule::never() }.start(size(), 1e9).is_err());
        }
        let at_once = StopRule { limit: Some(0.0), ..StopRule::never() };
        assert_eq!(at_once.start(size(), 1e9).unwrap().stop, 0.0);
    }

    #[test]
    fn impossible_seeds_are_refused() {
        let checked = |time: f64, index: Index3| Seed::check_all(&[Seed::at([0; 3]), Seed { index, time }], size());
        assert_eq!(checked(0.0, [3; 3]), Ok(()));
        assert_eq!(checked(2.5, [0; 3]), Ok(()));
        assert!(matches!(checked(0.0, [0, 4, 0]), Err(Error::IndexOutside { .. })));
        for time in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(checked(time, [0; 3]), Err(Error::BadArgument { name: "seed time", .. })));
        }
        assert!(matches!(Seed::check_all(&[], size()), Err(Error::BadArgument { name: "seeds", .. })));
    }

    #[test]
    fn a_march_is_worth_a_thread_for_each_forty_thousand_voxels() {
        assert_eq!([[1; 3], [40, 40, 49], [40, 40, 50]].map(|n| most_threads(Size3::new(n).unwrap())), [1, 1, 2]);
        assert_eq!(most_threads(Size3::new([100, 100, 81]).unwrap()), 20);
    }

    fn collision(negative_epsilon: f64) -> Collision {
        let (seeds1, seeds2) = (vec![Seed::at([0; 3])], vec![Seed::at([3; 3]), Seed::at([1; 3])]);
        Collision { seeds1, seeds2, stop_on_targets: true, apply_connectivity: true, negative_epsilon }
    }

    #[test]
    fn an_epsilon_is_below_zero_in_single_precision() {
        for epsilon in [-1e-6, -1.5e-45] {
            assert_eq!(collision(epsilon).check(size()), Ok(()));
        }
        for epsilon in [0.0, 1.0, -1e-46, -1e39, f64::NAN, f64::NEG_INFINITY] {
            let refused = collision(epsilon).check(size());
            assert!(matches!(refused, Err(Error::BadArgument { name: "negative_epsilon", .. })));
        }
        let without = Collision { seeds2: Vec::new(), ..collision(-1.0) };
        assert!(matches!(without.check(size()), Err(Error::BadArgument { name: "seeds2", .. })));
    }

    #[test]
    fn fronts_that_collide_end_a_unit_behind_all_seeds_of_the_other() {
        let targets = vec![[3; 3], [1; 3]];
        let expected = StopRule { mode: TargetMode::All, targets, offset: 1.0, limit: None };
        assert_eq!(collision(-1.0).rule(&collision(-1.0).seeds2), expected);
        let free = Collision { stop_on_targets: false, ..collision(-1.0) };
        assert_eq!(free.rule(&free.seeds2), StopRule::never());
    }
}
