//! Colliding fronts: where two fronts run against each other.
//!
//! One front starts from each seed set; the result is the scalar product of their upwind gradients, negative where
//! the fronts oppose each other. With connectivity only the negative region that hangs together with the first
//! seeds is kept (`itk::CollidingFrontsImageFilter`; Antiga et al. 2008).

use super::heap::{self, Arrival};
use super::march::{Tuning, axis_order};
use super::speed::Speed;
use super::tile::collide::{Collide, DenseValues};
use super::tile::shape::{Cube, Sheet, Slab};
use super::{Seed, StopRule, TargetMode};
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;

/// What to compute from two fronts.
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
            seeds.iter().try_for_each(|s| size.check(s.index, "seed").map(drop))?;
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
}

/// Runs both fronts on the current rayon pool, which must be the caller's alone, and writes the products into `out`,
/// which must be zero: voxels outside the result are not touched.
///
/// # Errors
/// Those of [`Collision::check`]; out of memory or over the limit; cancelled.
pub fn collide(
    speed: &Speed<'_>,
    spacing: Spacing3,
    collision: &Collision,
    tuning: &Tuning,
    out: &mut [f32],
    control: &TaskControl,
) -> Result<()> {
    let size = speed.size();
    collision.check(size)?;
    if out.len() != size.voxels() {
        let (got, expected) = (out.len().to_string(), size.voxels().to_string());
        return Err(Error::Mismatch { what: "length of the result", got, expected });
    }
    let order = axis_order(size);
    let out = DenseValues::new(out, size, order);
    let mut turned = collision.clone();
    for seed in turned.seeds1.iter_mut().chain(&mut turned.seeds2) {
        seed.index = order.map(|a| seed.index[a]);
    }
    let speed = speed.permuted(order)?;
    let spacing = Spacing3::new(order.map(|a| spacing.array()[a]))?;
    let job = Collide { speed: &speed, spacing, collision: &turned, tuning };
    match speed.size().z() {
        1 => job.run::<Sheet>(&out, control),
        2..=4 => job.run::<Slab>(&out, control),
        _ => job.run::<Cube>(&out, control),
    }
}

/// Product of two gradients: each term in `f32`, the sum in `f64`, the result in `f32`.
///
/// The sum starts at +0 as ITK's does (`Iterator::sum` starts at -0 and would give -0 for terms that are all -0).
#[inline(always)]
pub fn product(a: [f32; 3], b: [f32; 3]) -> f32 {
    (0..3).fold(0.0, |sum, axis| sum + f64::from(a[axis] * b[axis])) as f32
}

/// The plain version: two heap marches, dense everywhere. The oracle of the tests.
///
/// # Errors
/// Those of [`Collision::check`] and [`heap::march`].
pub fn reference(
    size: Size3,
    spacing: Spacing3,
    speed: &dyn Fn(usize) -> f64,
    collision: &Collision,
    control: &TaskControl,
) -> Result<Vec<f32>> {
    collision.check(size)?;
    let march = |seeds: &[Seed], others: &[Seed]| -> Result<Arrival<f32>> {
        heap::march(size, spacing, speed, seeds, &collision.rule(others), control)
    };
    let first = march(&collision.seeds1, &collision.seeds2)?;
    let second = march(&collision.seeds2, &collision.seeds1)?;
    let mut values: Vec<f32> = first.gradients.iter().zip(&second.gradients).map(|(a, b)| product(*a, *b)).collect();
    let epsilon = collision.negative_epsilon as f32;
    for seed in collision.seeds1.iter().chain(&collision.seeds2) {
        values[size.offset(size.check(seed.index, "seed")?)] = epsilon;
    }
    if collision.apply_connectivity {
        keep_connected(size, &mut values, &collision.seeds1, epsilon)?;
    }
    Ok(values)
}

/// Sets to 0 what is not connected by faces to `seeds` through values at most `epsilon`.
fn keep_connected(size: Size3, values: &mut [f32], seeds: &[Seed], epsilon: f32) -> Result<()> {
    let mut kept = vec![false; values.len()];
    let mut stack = Vec::new();
    for seed in seeds {
        stack.push(size.check(seed.index, "seed")?);
    }
    while let Some(v) = stack.pop() {
        let offset = size.offset(v);
        if kept[offset] || values[offset] > epsilon {
            continue;
        }
        kept[offset] = true;
        size.for_each_face_neighbour(v, |n| stack.push(n));
    }
    for (value, kept) in values.iter_mut().zip(kept) {
        if !kept {
            *value = 0.0;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collide(apply_connectivity: bool) -> Vec<f32> {
        let size = Size3::new([9, 5, 5]).unwrap();
        let collision = Collision {
            seeds1: vec![Seed::at([1, 2, 2])],
            seeds2: vec![Seed::at([7, 2, 2])],
            stop_on_targets: false,
            apply_connectivity,
            negative_epsilon: -1e-6,
        };
        reference(size, Spacing3::UNIT, &|_| 1.0, &collision, &TaskControl::default()).unwrap()
    }

    #[test]
    fn fronts_oppose_each_other_between_the_seeds() {
        let values = collide(true);
        assert_eq!(values[(2 * 5 + 2) * 9 + 4], -1.0);
        assert_eq!(values[(2 * 5 + 2) * 9 + 1], -1e-6);
        assert_eq!(values[(2 * 5 + 2) * 9], 0.0);
    }

    #[test]
    fn the_product_of_opposite_zeros_is_plus_zero() {
        assert_eq!(product([0.0; 3], [-0.0; 3]).to_bits(), 0);
    }

    #[test]
    fn without_connectivity_positive_products_stay() {
        assert_eq!(collide(false)[(2 * 5 + 2) * 9], 1.0);
    }
}
