//! Arrival times of a front: the eikonal equation |grad T| * speed = 1 on a voxel grid.
//!
//! T is in mm / speed. First-order upwind differences (Godunov), face neighbours only; the numbers are those of
//! ITK's `FastMarchingUpwindGradientImageFilter` and `CollidingFrontsImageFilter` on `float` images, bit for bit
//! (Sethian 1996, PNAS 93(4); Antiga et al. 2008, Med Biol Eng Comput 46(11)).
//!
//! * [`upwind`] solves one voxel,
//! * [`stop`] says where a front ends,
//! * [`heap`] is the plain march that everything else is checked against,
//! * [`march`] is the march that users get,
//! * [`fronts`] lets two fronts collide.

pub mod fronts;
pub mod heap;
pub mod march;
pub mod speed;
pub mod stop;
pub mod storage;
pub(crate) mod team;
mod tile;
pub mod upwind;

pub use stop::{StopRule, TargetMode};
pub use storage::Time;

use crate::error::{Error, Result};
use crate::grid::{Index3, Size3};

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
