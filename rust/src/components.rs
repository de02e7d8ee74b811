//! What a level set encloses: how many voxels are negative, in how many pieces, and in which box.
//!
//! Pieces are connected through faces. Rows are cut into runs of negative voxels; runs that touch in neighbouring
//! rows are united in a forest (union by the smaller root, path halving), so memory follows the number of runs.

use crate::error::{Error, Result};
use crate::memory::{try_extend, try_filled, try_push};
use crate::pixel::Pixel;
use crate::task::TaskControl;
use crate::voxels::Voxels;

/// The negative voxels of a level set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// How many there are.
    pub voxels: u64,
    /// How many pieces they form, connected through faces.
    pub components: u64,
    /// First and last index along x, y and z; `None` where there is no negative voxel.
    pub bounds: Option<[[usize; 2]; 3]>,
}

/// Negative voxels of one row: first index, index behind the last, number of the run.
type Run = (usize, usize, u32);

/// Disjoint sets of runs.
#[derive(Default)]
struct Forest {
    parent: Vec<u32>,
    trees: u64,
}

impl Forest {
    fn plant(&mut self) -> Result<u32> {
        let number = u32::try_from(self.parent.len())
            .map_err(|_| Error::TooLarge { what: "more than 4294967295 runs of negative voxels".into() })?;
        try_push(&mut self.parent, number)?;
        self.trees += 1;
        Ok(number)
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let above = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = above;
            node = above;
        }
        node
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            self.parent[one.max(other) as usize] = one.min(other);
            self.trees -= 1;
        }
    }

    /// Unites the runs of two rows that overlap; both are sorted along x.
    fn join(&mut self, row: &[Run], neighbour: &[Run]) {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (row.get(i), neighbour.get(j)) {
            if a.0 < b.1 && b.0 < a.1 {
                self.unite(a.2, b.2);
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
    }
}

/// Finds the runs of a row.
fn runs(row: &[f32], forest: &mut Forest, found: &mut Vec<Run>) -> Result<()> {
    found.clear();
    // Most rows have none; vectors see that sooner than the search below, which ends at the first.
    if row.iter().fold(0, |any, v| any | u32::from(*v < 0.0)) == 0 {
        return Ok(());
    }
    let mut x = 0;
    while let Some(skip) = row[x..].iter().position(|&value| value < 0.0) {
        let first = x + skip;
        let length = row[first..].iter().position(|&value| value >= 0.0 || value.is_nan());
        x = length.map_or(row.len(), |n| first + n);
        try_push(found, (first, x, forest.plant()?))?;
    }
    Ok(())
}

fn widen(bounds: &mut Option<[[usize; 2]; 3]>, row: &[Run], y: usize, z: usize) {
    let (Some(first), Some(last)) = (row.first(), row.last()) else { return };
    let here = [[first.0, last.1 - 1], [y, y], [z, z]];
    let old = bounds.unwrap_or(here);
    *bounds = Some(std::array::from_fn(|a| [old[a][0].min(here[a][0]), old[a][1].max(here[a][1])]));
}

/// Counts the negative voxels of a volume and their pieces.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::OutOfMemory`].
pub fn inside(image: &Voxels<'_>, control: &TaskControl) -> Result<Inside> {
    let size = image.size();
    let mut forest = Forest::default();
    let mut found = Inside { voxels: 0, components: 0, bounds: None };
    let mut voxels = try_filled(size.x(), 0f32)?;
    // Runs of the slice below, of the row before, and of this row.
    let mut below: Vec<Vec<Run>> = try_filled(size.y(), Vec::new())?;
    let (mut before, mut row) = (Vec::new(), Vec::new());
    for z in 0..size.z() {
        control.check()?;
        before.clear();
        for (y, below) in below.iter_mut().enumerate() {
            crate::pixel::dispatch_pixel!(image.pixel(), P => image.read_row::<P, f32>(0, y, z, &mut voxels, P::to_f32));
            runs(&voxels, &mut forest, &mut row)?;
            forest.join(&row, &before);
            forest.join(&row, below);
            widen(&mut found.bounds, &row, y, z);
            found.voxels += row.iter().map(|run| (run.1 - run.0) as u64).sum::<u64>();
            for copy in [&mut before, below] {
                copy.clear();
                try_extend(copy, &row)?;
            }
        }
    }
    found.components = forest.trees;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Size3;
    use proptest::prelude::*;

    fn measured(values: &[f32], size: [usize; 3]) -> Inside {
        let voxels = Voxels::from_slice(values, Size3::new(size).unwrap()).unwrap();
        inside(&voxels, &TaskControl::default()).unwrap()
    }

    /// Pieces by flooding, the plain way.
    fn flooded(values: &[f32], size: Size3) -> u64 {
        let mut seen = vec![false; values.len()];
        let mut pieces = 0;
        for start in 0..values.len() {
            let inside = values[start] < 0.0;
            if !inside || seen[start] {
                continue;
            }
            pieces += 1;
            let mut todo = vec![start];
            while let Some(v) = todo.pop() {
                if std::mem::replace(&mut seen[v], true) {
                    continue;
                }
                let at = size.voxel(v).map(|i| i as i64);
                for axis in 0..3 {
                    for step in [-1, 1] {
                        let mut n = at;
                        n[axis] += step;
                        if size.contains(n) {
                            let n = size.offset(n.map(|i| i as usize));
                            if values[n] < 0.0 && !seen[n] {
                                todo.push(n);
                            }
                        }
                    }
                }
            }
        }
        pieces
    }

    #[test]
    fn nothing_inside_has_no_box() {
        let none = Inside { voxels: 0, components: 0, bounds: None };
        assert_eq!(measured(&[0.0; 24], [2, 3, 4]), none);
        assert_eq!(measured(&[f32::NAN; 24], [2, 3, 4]), none);
    }

    #[test]
    fn voxels_that_touch_by_an_edge_are_two_pieces() {
        let values = [-1.0, 1.0, 1.0, -1.0];
        let expected = Inside { voxels: 2, components: 2, bounds: Some([[0, 1], [0, 1], [0, 0]]) };
        assert_eq!(measured(&values, [2, 2, 1]), expected);
    }

    #[test]
    fn two_arms_that_meet_late_are_one_piece() {
        let rows = ["#.#.#", "#.#.#", "#####"];
        let values: Vec<f32> = rows.concat().chars().map(|c| if c == '#' { -1.0 } else { 1.0 }).collect();
        assert_eq!(measured(&values, [5, 3, 1]).components, 1);
    }

    proptest! {
        #[test]
        fn pieces_count_and_box_equal_a_flood(
            (size, values) in prop::array::uniform3(1usize..8).prop_flat_map(|size| {
                let voxels = size.iter().product::<usize>();
                (Just(size), prop::collection::vec(prop::sample::select(vec![-1.0f32, -1.0, 1.0, 0.0, f32::NAN]), voxels))
            })
        ) {
            let grid = Size3::new(size).unwrap();
            let got = measured(&values, size);
            let negative: Vec<_> = (0..values.len()).filter(|&v| values[v] < 0.0).map(|v| grid.voxel(v)).collect();
            prop_assert_eq!(got.voxels, negative.len() as u64);
            prop_assert_eq!(got.components, flooded(&values, grid));
            let ends = |a: usize| [negative.iter().map(|v| v[a]).min(), negative.iter().map(|v| v[a]).max()];
            let expected = [0, 1, 2].map(ends);
            prop_assert_eq!(got.bounds.map(|b| b.map(|e| e.map(Some))), (!negative.is_empty()).then_some(expected));
        }
    }
}
