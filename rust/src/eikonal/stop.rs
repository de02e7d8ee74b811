//! Where a front ends: a stopping time, targets, and an offset beyond the deciding target.
//!
//! Every voxel with T <= stop is accepted. Reaching the deciding target at time T lowers stop to T + offset. The
//! deciding target is the earliest ([`TargetMode::One`]), the n-th ([`TargetMode::Some`]) or the last
//! ([`TargetMode::All`]); a target listed twice counts once (ITK up to 5.4 counts the list's length, so that
//! duplicates there never end the march).

use crate::error::{Error, Result};
use crate::grid::{Index3, Size3};

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

    /// Tells that a target was accepted at `time`. Call once per distinct target, in ascending order of time.
    pub fn reach(&mut self, time: f64) {
        self.reached += 1;
        if self.reached == self.needed {
            self.deciding = Some(time);
            self.stop = self.stop.min(time + self.offset);
        }
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
    }
}
