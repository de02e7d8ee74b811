//! The plain versions: one binary heap, one thread, everything dense. The oracles of the tests.

mod collide;
mod march;

pub use collide::collide;
pub use march::{Arrival, march};
