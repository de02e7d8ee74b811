//! The one error type of the core.
//!
//! Every variant carries what was got, what is allowed and where, so that a message is a line a user can act
//! on. `python/error.rs` maps each variant to a Python exception with one exhaustive `match`.

use crate::grid::{Index3, Size3};

/// Result of every fallible function of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in the core.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
    #[error("voxel ({}, {}, {}) is {value}: the image must be finite", .index[0], .index[1], .index[2])]
    BadVoxel {
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
    /// The accessor asked for conflicts with one that this thread holds.
    #[error("memory is locked: {0}")]
    Locked(String),
    /// The accessor asked for was not free in time.
    #[error("memory is locked: {0}")]
    LockTimeout(String),
    /// The system starts no thread.
    #[error("could not start a thread ({0}): end other work, or raise the limits of threads and memory")]
    NoThreads(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A bug of ours; the message is the panic's.
    #[error("internal error: {0}")]
    Internal(String),
}
