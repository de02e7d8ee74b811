//! How the members of a team share the pieces of a phase, and what they find.

use super::lattice::Offset;
use super::update::Largest;
use crate::error::Result;
use crate::memory::try_with_room;
use crate::task::TaskControl;
use crate::team::Leader;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a worker finds in a phase.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) largest: Largest,
    pub(super) not_finite: bool,
    /// Positions in the active list of voxels that leave it.
    pub(super) movers: Vec<Offset>,
    /// For an inside and an outside layer: positions in its list that are void from now on, and voxels that go to the
    /// next layer outwards.
    pub(super) void: [Vec<Offset>; 2],
    pub(super) promoted: [Vec<Offset>; 2],
    refused: Result<()>,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            largest: Largest::default(),
            not_finite: false,
            movers: Vec::new(),
            void: Default::default(),
            promoted: Default::default(),
            refused: Ok(()),
        }
    }
}

impl Findings {
    /// Keeps the first error for the leader.
    pub(super) fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(refused) = work(self)
            && self.refused.is_ok()
        {
            self.refused = Err(refused);
        }
    }
}

/// Waits for a lock that is free but for the moment in which somebody takes a piece.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The team, and what each of its members found.
pub(super) struct Crew<'a> {
    leader: Leader<'a>,
    control: &'a TaskControl,
    findings: Vec<Mutex<Findings>>,
}

impl<'a> Crew<'a> {
    /// Findings for each member.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub(super) fn new(leader: Leader<'a>, control: &'a TaskControl) -> Result<Self> {
        let mut findings = try_with_room(leader.members())?;
        findings.resize_with(leader.members(), Mutex::default);
        Ok(Self { leader, control, findings })
    }

    /// Hands out `pieces` to the members until there are none or the task is cancelled.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`], and the first refused allocation of any member.
    pub(super) fn share<P: Send>(
        &mut self,
        pieces: impl ExactSizeIterator<Item = P> + Send,
        work: impl Fn(P, &mut Findings) + Sync,
    ) -> Result<()> {
        let workers = pieces.len();
        let pieces = Mutex::new(pieces);
        let job = |place: usize| {
            let mut findings = lock(&self.findings[place]);
            // The lock on the pieces is given back before the work begins: it is a temporary of the condition's block.
            while let Some(piece) = { lock(&pieces).next() } {
                if self.control.is_cancelled() {
                    return;
                }
                work(piece, &mut findings);
            }
        };
        self.leader.execute(workers, &job);
        self.control.check()?;
        self.each().try_for_each(|findings| std::mem::replace(&mut findings.refused, Ok(())))
    }

    /// What each member found.
    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Findings> {
        self.findings.iter_mut().map(|findings| findings.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}
