//! Two plain marches, their gradients and the product: the oracle of colliding fronts.

use super::Arrival;
use crate::eikonal::local::product;
use crate::eikonal::{Collision, Seed};
use crate::error::Result;
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;

/// The plain version: two heap marches, dense everywhere. The oracle of the tests.
///
/// # Errors
/// Those of [`Collision::check`] and [`super::march`].
pub fn collide(
    size: Size3,
    spacing: Spacing3,
    speed: &dyn Fn(usize) -> f64,
    collision: &Collision,
    control: &TaskControl,
) -> Result<Vec<f32>> {
    collision.check(size)?;
    let one = |seeds: &[Seed], others: &[Seed]| -> Result<Arrival<f32>> {
        super::march(size, spacing, speed, seeds, &collision.rule(others), control)
    };
    let first = one(&collision.seeds1, &collision.seeds2)?;
    let second = one(&collision.seeds2, &collision.seeds1)?;
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
    use crate::eikonal::Seed;

    fn collided(apply_connectivity: bool) -> Vec<f32> {
        let size = Size3::new([9, 5, 5]).unwrap();
        let collision = Collision {
            seeds1: vec![Seed::at([1, 2, 2])],
            seeds2: vec![Seed::at([7, 2, 2])],
            stop_on_targets: false,
            apply_connectivity,
            negative_epsilon: -1e-6,
        };
        collide(size, Spacing3::UNIT, &|_| 1.0, &collision, &TaskControl::default()).unwrap()
    }

    #[test]
    fn fronts_oppose_each_other_between_the_seeds() {
        let values = collided(true);
        assert_eq!(values[(2 * 5 + 2) * 9 + 4], -1.0);
        assert_eq!(values[(2 * 5 + 2) * 9 + 1], -1e-6);
        assert_eq!(values[(2 * 5 + 2) * 9], 0.0);
    }

    #[test]
    fn without_connectivity_positive_products_stay() {
        assert_eq!(collided(false)[(2 * 5 + 2) * 9], 1.0);
    }
}
