//! Maximum intensity projection along rays from any direction.
//!
//! [`camera`] says which rays a picture is made of and where their samples lie, [`sample`] what the volume is worth there,
//! [`bricks`] what a part of the volume cannot exceed, and [`cast`] finds the largest sample of each ray, packets of
//! sixteen rays ([`packet`]) at a time.

mod bricks;
mod camera;
mod cast;
mod packet;
mod sample;
#[cfg(test)]
mod tests;

pub use bricks::Bricks;
pub use camera::{Beam, Camera};
pub use cast::{NOWHERE, Shot, render, render_plain};
pub use packet::NOTHING;
