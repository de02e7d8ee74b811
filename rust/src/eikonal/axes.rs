//! Volumes are marched with their thinnest axis last: thin tiles are thin along z.
//!
//! The axes are turned once, on the way in; speeds and results keep the caller's memory and only get other strides. The
//! order of axes changes no bit of a local solution, but for the cascade's order of additions where neighbours of
//! several axes are equally early; the cascade of the tiles therefore adds in the caller's order.

use super::{Seed, Speed};
use crate::error::Result;
use crate::grid::{Size3, Spacing3};
use crate::memory::DisjointWriter;
use ndarray::ArrayViewMut3;

/// An order of axes: axis `a` inside is axis `order[a]` of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axes([usize; 3]);

/// Volumes with at most this many slices along an axis are turned.
const THIN: usize = 4;

impl Axes {
    /// The order that makes the thinnest axis last, if it is thin.
    pub(crate) fn thinnest_last(size: Size3) -> Self {
        let s = size.array();
        let thinnest = (0..3).rev().min_by_key(|&a| s[a]).unwrap_or(2);
        Self(match thinnest {
            0 if s[0] <= THIN => [1, 2, 0],
            1 if s[1] <= THIN => [0, 2, 1],
            _ => [0, 1, 2],
        })
    }

    /// Three numbers, one an axis, in the inner order.
    pub(crate) fn inner<V: Copy>(self, v: [V; 3]) -> [V; 3] {
        self.0.map(|a| v[a])
    }

    /// Three numbers in the caller's order.
    pub(crate) fn outer<V: Copy>(self, v: [V; 3]) -> [V; 3] {
        let mut outer = v;
        for (a, value) in self.0.into_iter().zip(v) {
            outer[a] = value;
        }
        outer
    }

    /// Seeds.
    pub(crate) fn seeds(self, seeds: &[Seed]) -> Vec<Seed> {
        seeds.iter().map(|s| Seed { index: self.inner(s.index), time: s.time }).collect()
    }

    /// Spacing.
    pub(crate) fn spacing(self, spacing: Spacing3) -> Result<Spacing3> {
        Spacing3::new(self.inner(spacing.array()))
    }

    /// The same speeds under other names.
    pub(crate) fn speed<'a>(self, speed: &Speed<'a>) -> Result<Speed<'a>> {
        speed.permuted(self.0)
    }

    /// A result `(z, y, x)` under other names.
    pub(crate) fn writer<V: Copy>(self, out: ArrayViewMut3<'_, V>) -> DisjointWriter<'_, V> {
        DisjointWriter::new(out).permuted(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thinnest_axis_comes_last_and_back() {
        let turned = [([3, 9, 8], 0), ([9, 1, 8], 1), ([9, 8, 2], 2), ([1, 1, 1], 2), ([THIN, 9, 8], 0)];
        let as_it_is = [([9, 8, 7], 2), ([THIN + 1, 9, 8], 2), ([9, THIN + 1, 8], 2)];
        for (size, last) in turned.into_iter().chain(as_it_is) {
            let axes = Axes::thinnest_last(Size3::new(size).unwrap());
            assert_eq!(axes.inner([0, 1, 2])[2], last);
            assert_eq!(axes.outer(axes.inner(size)), size);
        }
    }
}
