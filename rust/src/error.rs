//! The one error type of the core.
//!
//! Every variant carries what was got, what is allowed and where, so that a message is a line a user can act
//! on. `python/error.rs` maps each variant to a Python exception with one exhaustive `match`.

use crate::grid::{Index3, Size3};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// Result of every fallible function of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// What a lock allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading, beside other readers.
    Read,
    /// Reading and writing, alone.
    Write,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
        })
    }
}

/// Where a lock was asked for, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Source file.
    pub file: String,
    /// Line in it.
    pub line: u32,
    /// Name of the thread.
    pub thread: String,
}

/// Time steps of a lock on the whole image: every step that it has or may get.
pub const ALL_STEPS: Range<usize> = 0..usize::MAX;

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Reading or writing.
    pub access: Access,
    /// Time steps, half-open.
    pub steps: Range<usize>,
    /// Where in the source it was asked for, if known.
    pub place: Option<Place>,
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} accessor on ", self.access)?;
        match (self.steps.start, self.steps.end) {
            (0, usize::MAX) => f.write_str("the whole image")?,
            (first, end) if end == first + 1 => write!(f, "time step {first}")?,
            (first, end) => write!(f, "time steps {first} to {}", end - 1)?,
        }
        match &self.place {
            Some(place) => write!(f, " (thread {}, opened at {}:{})", place.thread, place.file, place.line),
            None => Ok(()),
        }
    }
}

/// Why waiting for a lock to end would be in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The thread that asks for this access holds the lock itself.
    OwnThread(Access),
    /// A thread of the process that this one was forked from holds it.
    Forked,
    /// The voxels were to be replaced, which is not waited for.
    Replacement,
}

/// What to do about a lock that waiting does not end.
fn advice(held: &HeldLock, conflict: Conflict) -> String {
    match conflict {
        Conflict::OwnThread(wanted) => {
            format!("this thread already holds {held}; release it before asking for a {wanted} accessor")
        }
        Conflict::Forked => format!("the process this one was forked from holds {held}; nobody here can release it"),
        Conflict::Replacement => format!("{held} is alive; drop the arrays that hold it first"),
    }
}

/// How long was waited, if at all.
fn in_vain(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(", still after {} s", waited.as_secs_f64()) }
}

/// What can go wrong in the core.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The allocator refused.
    #[error("out of memory: could not allocate {bytes} bytes")]
    OutOfMemory {
        /// Size of the refused allocation.
        bytes: u128,
    },
    /// A march would need more than the caller allows.
    #[error("memory limit: {needed} bytes needed, {limit} bytes allowed")]
    MemoryLimit {
        /// What the next step needs.
        needed: u64,
        /// What the caller allowed.
        limit: u64,
    },
    /// The product of sizes does not fit the address space.
    #[error("image too large: {what}")]
    TooLarge {
        /// The sizes whose product overflows.
        what: String,
    },
    /// A voxel index outside the image.
    #[error("{what} ({}, {}, {}) lies outside the image: allowed x 0..{}, y 0..{}, z 0..{}",
            .index[0], .index[1], .index[2], .size.x() as i64 - 1, .size.y() as i64 - 1, .size.z() as i64 - 1)]
    IndexOutside {
        /// What the index stands for: "seed", "target", ...
        what: &'static str,
        /// The offending index, `(x, y, z)`.
        index: Index3,
        /// Size of the image.
        size: Size3,
    },
    /// A speed that is NaN, infinite or negative.
    #[error("speed at voxel ({}, {}, {}) is {value}: it must be finite and >= 0", .index[0], .index[1], .index[2])]
    BadSpeed {
        /// First offending voxel in memory order.
        index: Index3,
        /// Its speed.
        value: f64,
    },
    /// A voxel that is NaN or infinite where a number is needed.
    #[error("voxel ({}, {}, {}) is {value}: {image} must be finite", .index[0], .index[1], .index[2])]
    BadVoxel {
        /// What the voxel is of.
        image: &'static str,
        /// First offending voxel in memory order.
        index: Index3,
        /// Its value.
        value: f64,
    },
    /// Two arrays that must agree in size do not.
    #[error("{what}: got {got}, expected {expected}")]
    Mismatch {
        /// What disagrees.
        what: &'static str,
        /// What was got.
        got: String,
        /// What is needed.
        expected: String,
    },
    /// An argument outside its range.
    #[error("{name} is {got}: {allowed}")]
    BadArgument {
        /// Name of the argument as users write it.
        name: &'static str,
        /// What was got.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// An image without voxels was asked for some.
    #[error("the image is empty: call initialize(), load a file or make it from an array first")]
    Empty,
    /// A snapshot was asked to change.
    #[error("the image is a snapshot, which never changes: write to a copy() of it, or ask for writeable=False")]
    Frozen,
    /// A time step that the image does not have.
    #[error("time step {step} does not exist: the image has {steps} (0 to {})", .steps - 1)]
    NoSuchStep {
        /// The step asked for.
        step: usize,
        /// Number of steps, at least 1.
        steps: usize,
    },
    /// A lock is held, and waiting would not end it.
    #[error("memory is locked: {}", advice(.held, *.conflict))]
    Locked {
        /// The lock in the way.
        held: HeldLock,
        /// Why waiting would not help.
        conflict: Conflict,
    },
    /// A lock that another thread holds was not free in time.
    #[error("memory is locked: another thread holds {held}{}", in_vain(*.waited))]
    LockTimeout {
        /// The lock in the way.
        held: HeldLock,
        /// How long was waited.
        waited: Duration,
    },
    /// The process was forked by a callback, and this is the child.
    #[error("this process was forked while computing: the computation goes on in its parent, start it anew here")]
    Forked,
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A bug of ours; the message is the panic's.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// Two lengths that must agree and do not.
    pub fn lengths(what: &'static str, got: usize, expected: usize) -> Self {
        Self::Mismatch { what, got: got.to_string(), expected: expected.to_string() }
    }

    /// `Ok` where two lengths agree.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where they do not.
    pub fn check_lengths(what: &'static str, got: usize, expected: usize) -> Result<()> {
        if got == expected { Ok(()) } else { Err(Self::lengths(what, got, expected)) }
    }
}
