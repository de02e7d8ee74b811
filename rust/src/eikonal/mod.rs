//! Arrival times of a front: the eikonal equation `|grad T| F = 1` on a voxel grid.
//!
//! T is the time at which a front that starts at the seeds arrives, F its speed, so T is in mm per unit of speed.
//! First-order upwind differences (Godunov) over face neighbours; the numbers are those of ITK's
//! `FastMarchingUpwindGradientImageFilter` and `CollidingFrontsImageFilter` on `float` images, bit for bit (Sethian
//! 1996, PNAS 93(4); Antiga et al. 2008, Med Biol Eng Comput 46(11)). [`reference`] computes them the plain way, with
//! a heap, and is what everything else is tested against. This page is about the fast way, `tiled`.
//!
//! ```
//! use mitk_rs::eikonal::{March, Seed, Speed, StopRule, Tuning};
//! use mitk_rs::grid::Spacing3;
//! use mitk_rs::task::{TaskControl, run_on};
//! use ndarray::Array3;
//!
//! let speed = Array3::from_elem((3, 3, 5), 0.5f32); // (z, y, x)
//! let mut times = Array3::<f32>::zeros(speed.dim());
//! let march = March {
//!     speed: Speed::from_array(speed.view())?,
//!     spacing: Spacing3::new([2.0, 1.0, 1.0])?,
//!     seeds: vec![Seed::at([0, 1, 1])], // (x, y, z)
//!     stop: StopRule::never(),
//!     tuning: Tuning::default(),
//! };
//! let summary = run_on(2, || march.run(times.view_mut(), &TaskControl::default()))?;
//! assert_eq!(summary.accepted, 45);
//! assert_eq!(times.slice(ndarray::s![1, 1, ..]).to_vec(), [0.0, 4.0, 8.0, 12.0, 16.0]);
//! # Ok::<(), mitk_rs::Error>(())
//! ```
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | local solution | the time at a voxel that follows from its face neighbours' ([`local::cascade`]) |
//! | brick | 2 x 2 x 2 voxels, side by side in the lanes of a register (`tiled::lanes`) |
//! | tile | 64 bricks, usually 8 x 8 x 8 voxels; a set of its bricks is one `u64` (`tiled::shape`) |
//! | block | up to 8 x 8 x 8 tiles, which one worker visits together (`tiled::grid`) |
//! | directory | one word for each tile of the volume: where its times are, if anywhere (`tiled::tile`) |
//! | colour | 0 or 1, as on a chessboard; of bricks in a tile, of tiles, of blocks: neighbours differ |
//! | window | an interval of time; the front advances window by window (`tiled::front`) |
//! | phase | visits to the queued blocks of one colour, on several workers (`tiled::schedule`) |
//! | visit | solving marked bricks of a tile until nothing changes within the window (`tiled::batch`) |
//! | marked | of a brick: to be solved, because a voxel beside one of its voxels has become earlier |
//! | leader, worker | the thread that decides what comes next; a thread that visits blocks (`crate::team`) |
//!
//! # Life of a voxel
//!
//! ```text
//!                     solved: T > window end            window end passes T
//!      far  ───────────────────────────────▶  pending ───────────────────────▶  released ───▶  final
//!       │                                       │  ▲                            │    ▲          when the window
//!       │   solved: T <= window end             └──┘ solved earlier             └────┘          has converged
//!       └───────────────────────────────────────────────────────────────▶ solved earlier
//!      wall   speed 0, or outside of the volume: stays far
//!      seed   pending from the beginning with the time it was given; never solved
//! ```
//!
//! A change to a released voxel is passed on at once: the bricks beside it in which a voxel is later are marked. A
//! pending voxel is passed on when a window reaches it. A time only ever decreases.
//!
//! # Life of a tile
//!
//! ```text
//!      untouched ──▶ live ──▶ full ──▶ retired (written to the result) or kept (for a sparse result, or a product)
//!          │        visited   every reachable voxel is final
//!          └──▶ wall          no voxel can be reached
//! ```
//!
//! # A window
//!
//! The leader takes the earliest pending time and adds a width: the window's end. Then phases alternate between the two
//! colours of blocks until no tile is queued:
//!
//! ```text
//!      blocks of colour 0        blocks of colour 1         inside a block, alone with a worker
//!      ┌──┐  ┌──┐  ┌──┐             ┌──┐  ┌──┐              rounds of tiles of one colour, then the other,
//!      │A │  │B │  │A │          ┌──┤A ├──┤B ├──┐           until none of the block is queued;
//!      └──┴──┴──┴──┴──┘   then   │  └──┘  └──┘  │   ...     inside a tile rounds of bricks of one colour,
//!      ┌──┐  ┌──┐  ┌──┐          └──┐  ┌──┐  ┌──┘           then the other, until none is marked
//!      │B │  │A │  │B │             │B │  │A │
//!      └──┘  └──┘  └──┘             └──┘  └──┘
//! ```
//!
//! A visit marks bricks of the tiles around and queues them: in the same block for the next round, in another block for
//! the next phase. Wide windows solve bricks before their neighbours are final, narrow ones cost visits; the width
//! follows exact counts of both.
//!
//! # Invariants
//!
//! `SAFETY` comments refer to these by number.
//!
//! * **I1** Between phases only the leader changes tiles, blocks, directory and flags, but for the tiles that are retired
//!   then (I5). What else runs on several workers then, the product of two fronts or the end of a result, only reads them.
//! * **I2** In a phase of visits each queued block is claimed by one worker, and the claimed blocks have one colour. A
//!   tile, its directory word and its place in its block's list belong to the worker that claimed its block.
//! * **I3** Tiles around a visited one rest: inside the block they have the other colour and wait for the next round; in
//!   other blocks, which have the other colour, for the next phase. Their times do not change. Of a resting tile a
//!   visitor writes only `marked` and the flag that it is queued, both atomic.
//! * **I4** A brick's neighbours are bricks of its tile or of the tile across a face; where that has no times, of a tile
//!   of far times. The tables of `tiled::shape` lead to no other address.
//! * **I5** A tile is retired between phases of visits, by the one worker that takes it out of the directory. Unless its
//!   times are kept it is retired only when each tile around it is full, a wall or untouched. A full tile is not
//!   visited, so nobody reads a retired one; and a tile that is untouched then has no voxel beside one that the
//!   retired tile has reached, for that voxel would have been marked and its tile given memory before the window
//!   converged. So far times stand for those of a retired tile.
//! * **I6** Results are written through bounds-checked rows, and each voxel by one worker: that which retires its tile or
//!   multiplies its times, or in the end that which finishes its row of tiles. Each is one job of a list, taken once.
//!
//! # Why every time up to the window's end is final
//!
//! When no tile is queued, each voxel's time is the local solution from its neighbours' times as far as those up to the
//! window's end are concerned: whenever one of those changed, the later voxels around it were marked, and a marked
//! brick is solved before the window converges. Every change still to come is caused by a voxel that is pending, hence
//! later than the window's end, and a local solution is later than the neighbours it follows from.
//!
//! # Why order and threads cannot change a bit
//!
//! *The fixed point is unique.* Let U be the local solution before it is stored and y the time of a neighbour, which a
//! schedule may or may not have taken into account. If y <= U, taking it into account gives a solution between y and U.
//! Rounding is monotone and y is a stored number, so where U had been stored as a number not later than y, that number
//! is y, and the new solution is stored as y too. Hence the times that are consistent with themselves are the same for
//! every order in which voxels are solved: those of the heap. This holds for `f32`, where `tiled::solve` makes sure
//! that what is stored is what the cascade would store.
//!
//! *The schedule is unique.* For `f64`, and for the counts that windows follow, the order matters; it does not depend on
//! threads. The state after a phase is a function of the state before it: a worker changes its own tiles and reads
//! resting ones (I2, I3); marks are unions, so it does not matter who marks first; lists of queued tiles are sorted
//! before they are used; the order of tiles inside a block follows from the set of queued ones. Decisions of the leader
//! are minima and sums of integers. No sum of floats crosses tiles, and the number of workers enters no decision but how
//! many of them a phase is worth.

mod axes;
pub mod checks;
pub mod local;
mod problem;
pub mod reference;
mod speed;
mod tiled;

pub use local::Time;
pub use problem::{Accepted, Collision, March, Seed, StopRule, StopState, Summary, TargetMode, Tuning, most_threads};
pub use speed::Speed;
#[cfg(feature = "count")]
pub use tiled::count;

#[cfg(test)]
mod tests;
