//! Reading phi and the fields for eight voxels at once.
//!
//! Voxels whose neighbourhood is inside the volume are read as short rows that are transposed in registers. Where one of
//! the eight is at the border, the neighbours of all eight are read one by one, each moved to the nearest voxel inside.

use super::fields::Fields;
use super::lattice::{Lattice, Offset};
use super::update::Terms;
use crate::simd::{Constants, Double, LANES, Mask, Single, gather, narrow, rows_of_four, widen};
use fearless_simd::prelude::*;

/// Displacements of [`Around`]'s values: the voxel, its faces -x +x -y +y -z +z, and its edges --, -+, +-, ++ in the
/// planes xy, xz, yz.
const AROUND: [[i64; 3]; 19] = [
    [0, 0, 0],
    [-1, 0, 0],
    [1, 0, 0],
    [0, -1, 0],
    [0, 1, 0],
    [0, 0, -1],
    [0, 0, 1],
    [-1, -1, 0],
    [-1, 1, 0],
    [1, -1, 0],
    [1, 1, 0],
    [-1, 0, -1],
    [-1, 0, 1],
    [1, 0, -1],
    [1, 0, 1],
    [0, -1, -1],
    [0, -1, 1],
    [0, 1, -1],
    [0, 1, 1],
];

/// Values of phi around eight voxels.
pub(super) struct Around<S: Simd>([Single<S>; 19]);

impl<S: Simd> Around<S> {
    #[inline(always)]
    pub(super) fn centre(&self) -> Single<S> {
        self.0[0]
    }

    #[inline(always)]
    pub(super) fn before(&self, axis: usize) -> Single<S> {
        self.0[1 + 2 * axis]
    }

    #[inline(always)]
    pub(super) fn behind(&self, axis: usize) -> Single<S> {
        self.0[2 + 2 * axis]
    }

    /// The neighbours --, -+, +-, ++ in a plane.
    #[inline(always)]
    pub(super) fn edges(&self, plane: usize) -> [Single<S>; 4] {
        let first = 7 + 4 * plane;
        [self.0[first], self.0[first + 1], self.0[first + 2], self.0[first + 3]]
    }
}

/// Displacements of [`Cell`]'s values from the lower corner of a cell: four rows along x through the cell, then the
/// pairs beside the cell before and behind it along y, then along z.
const CELL: [[i64; 3]; 32] = cell_displacements();

const fn cell_displacements() -> [[i64; 3]; 32] {
    let mut list = [[0; 3]; 32];
    let mut n = 0;
    while n < 16 {
        list[n] = [n as i64 % 4 - 1, n as i64 / 4 % 2, n as i64 / 8];
        n += 1;
    }
    while n < 32 {
        let (x, side, other) = (n as i64 % 2, if n / 2 % 2 == 0 { -1 } else { 2 }, n as i64 / 4 % 2);
        list[n] = if n < 24 { [x, side, other] } else { [x, other, side] };
        n += 1;
    }
    list
}

/// Values of a field in and around a cell of eight voxels.
struct Cell<S: Simd>([Single<S>; 32]);

impl<S: Simd> Cell<S> {
    /// The value at a displacement from the lower corner that [`CELL`] lists.
    #[inline(always)]
    fn at(&self, x: i64, y: i64, z: i64) -> Single<S> {
        let place = match (y, z) {
            (0 | 1, 0 | 1) => 8 * z + 4 * y + x + 1,
            (_, 0 | 1) => 16 + 4 * z + (y + 1) / 3 * 2 + x,
            _ => 24 + 4 * y + (z + 1) / 3 * 2 + x,
        };
        self.0[place as usize]
    }

    /// The value at a corner; bits 0, 1, 2 of its number are its coordinates.
    #[inline(always)]
    fn corner(&self, number: usize) -> Single<S> {
        let number = number as i64;
        self.at(number & 1, number >> 1 & 1, number >> 2)
    }

    /// The values before and behind a corner along an axis.
    #[inline(always)]
    fn beside(&self, number: usize, axis: usize) -> (Single<S>, Single<S>) {
        let number = number as i64;
        let (x, y, z) = (number & 1, number >> 1 & 1, number >> 2);
        match axis {
            0 => (self.at(x - 1, y, z), self.at(x + 1, y, z)),
            1 => (self.at(x, y - 1, z), self.at(x, y + 1, z)),
            _ => (self.at(x, y, z - 1), self.at(x, y, z + 1)),
        }
    }
}

/// Where the fields are read for eight voxels.
pub(super) struct Points<S: Simd> {
    /// Coordinates of the lower corner of the cell around each point.
    floor: [Double<S>; 3],
    /// How far each point is beyond that corner, in voxels.
    part: [Double<S>; 3],
}

/// Reads for an evolution.
pub(super) struct Sampler<'a, S: Simd> {
    simd: S,
    lattice: &'a Lattice,
    fields: &'a Fields,
    terms: Terms,
    /// Number of voxels along each axis.
    size: [f64; 3],
    /// Coefficient of a central difference of the feature.
    half_k: [f64; 3],
    tiny: Single<S>,
}

impl<'a, S: Simd> Sampler<'a, S> {
    #[inline(always)]
    pub(super) fn new(simd: S, lattice: &'a Lattice, fields: &'a Fields, terms: Terms) -> Self {
        let size = lattice.size.array().map(|n| n as f64);
        let half_k = lattice.spacing.map(|h| f64::from(0.5 * (1.0 / h) as f32));
        Self { simd, lattice, fields, terms, size, half_k, tiny: Single::splat(simd, lattice.tiny()) }
    }

    /// Coordinates (x, y, z) of eight offsets. All but the two quotients is exact, and those are off by far less than
    /// the half that separates them from a whole number.
    #[inline(always)]
    pub(super) fn coordinates(&self, places: &[usize; LANES]) -> [Double<S>; 3] {
        let mut offsets = [0.0; LANES];
        for lane in 0..LANES {
            offsets[lane] = f64::from(places[lane] as Offset);
        }
        let offset = Double::from_slice(self.simd, &offsets);
        let half = self.simd.double(0.5);
        let row = ((offset + half) * self.simd.double(1.0 / self.size[0])).floor();
        let z = ((row + half) * self.simd.double(1.0 / self.size[1])).floor();
        [offset - row * self.simd.double(self.size[0]), row - z * self.simd.double(self.size[1]), z]
    }

    /// Whether the voxels from `low` before to `high` behind all eight of `index` are inside the volume.
    #[inline(always)]
    fn inside(&self, index: &[Double<S>; 3], low: f64, high: f64) -> bool {
        let low = self.simd.double(low);
        let x = index[0].simd_ge(low) & index[0].simd_lt(self.simd.double(self.size[0] - high));
        let y = index[1].simd_ge(low) & index[1].simd_lt(self.simd.double(self.size[1] - high));
        let z = index[2].simd_ge(low) & index[2].simd_lt(self.simd.double(self.size[2] - high));
        (x & y & z).all_true()
    }

    #[inline(always)]
    pub(super) fn read_phi(&self, phi: &[f32], places: &[usize; LANES], index: &[Double<S>; 3]) -> Around<S> {
        if !self.inside(index, 1.0, 1.0) {
            return Around(self.read_one_by_one(phi, index, &AROUND));
        }
        let [_, y, z] = self.lattice.strides;
        let simd = self.simd;
        let [x0, q, x1, _] = rows_of_four(simd, phi, &shifted(places, 1, 0));
        if self.terms.curvature == 0.0 {
            let (y0, y1) = (gather(simd, phi, &shifted(places, y, 0)), gather(simd, phi, &shifted(places, 0, y)));
            let (z0, z1) = (gather(simd, phi, &shifted(places, z, 0)), gather(simd, phi, &shifted(places, 0, z)));
            return Around([q, x0, x1, y0, y1, z0, z1, q, q, q, q, q, q, q, q, q, q, q, q]);
        }
        let [x0y0, y0, x1y0, _] = rows_of_four(simd, phi, &shifted(places, y + 1, 0));
        let [x0y1, y1, x1y1, _] = rows_of_four(simd, phi, &shifted(places, 1, y));
        let [x0z0, z0, x1z0, _] = rows_of_four(simd, phi, &shifted(places, z + 1, 0));
        let [x0z1, z1, x1z1, _] = rows_of_four(simd, phi, &shifted(places, 1, z));
        let (y0z0, y0z1) = (gather(simd, phi, &shifted(places, y + z, 0)), gather(simd, phi, &shifted(places, y, z)));
        let (y1z0, y1z1) = (gather(simd, phi, &shifted(places, z, y)), gather(simd, phi, &shifted(places, 0, y + z)));
        Around([q, x0, x1, y0, y1, z0, z1, x0y0, x0y1, x1y0, x1y1, x0z0, x0z1, x1z0, x1z1, y0z0, y0z1, y1z0, y1z1])
    }

    /// Values at displacements from voxels that may be outside; there the nearest voxel counts.
    #[inline(never)]
    fn read_one_by_one<const N: usize>(
        &self,
        values: &[f32],
        index: &[Double<S>; 3],
        displacements: &[[i64; 3]; N],
    ) -> [Single<S>; N] {
        let mut found = [self.simd.single(0.0); N];
        for (found, by) in found.iter_mut().zip(displacements) {
            let mut lanes = [0.0; LANES];
            for (lane, value) in lanes.iter_mut().enumerate() {
                let voxel = [0, 1, 2].map(|a| index[a].as_slice()[lane] as i64 + by[a]);
                *value = values[self.lattice.clamped(voxel)];
            }
            *found = Single::from_slice(self.simd, &lanes);
        }
        found
    }

    /// The points of the surface nearest to eight voxels, or the voxels where those are outside the volume.
    #[inline(always)]
    pub(super) fn nearest_points(&self, around: &Around<S>, index: &[Double<S>; 3]) -> Points<S> {
        let (q, zero) = (around.centre(), self.simd.single(0.0));
        let mut way = [zero; 3];
        let mut norm = zero;
        for a in 0..3 {
            let (ahead, back) = (around.behind(a), around.before(a));
            let (forward, backward) = (ahead - q, q - back);
            let steeper = forward.abs().simd_gt(backward.abs()).select(forward, backward);
            let across = (ahead * q).simd_lt(zero).select(forward, backward);
            way[a] = (ahead * back).simd_ge(zero).select(steeper, across);
            norm += way[a] * way[a];
        }
        let away = !q.simd_eq(zero);
        let norm = norm + self.tiny;
        let mut points = Points { floor: *index, part: [self.simd.double(0.0); 3] };
        let mut spot = *index;
        for a in 0..3 {
            spot[a] = index[a] - widen(away.select((way[a] * q) / norm, zero));
        }
        let inside = self.all_inside(&spot);
        for a in 0..3 {
            let spot = inside.select(spot[a], index[a]);
            points.floor[a] = spot.floor();
            points.part[a] = spot - points.floor[a];
        }
        points
    }

    /// Which of eight points are at most half a voxel outside.
    #[inline(always)]
    fn all_inside(&self, spot: &[Double<S>; 3]) -> Mask<S> {
        let low = self.simd.double(-0.5);
        let x = spot[0].simd_ge(low) & spot[0].simd_lt(self.simd.double(self.size[0] - 0.5));
        let y = spot[1].simd_ge(low) & spot[1].simd_lt(self.simd.double(self.size[1] - 0.5));
        let z = spot[2].simd_ge(low) & spot[2].simd_lt(self.simd.double(self.size[2] - 0.5));
        x & y & z
    }

    /// Speed and advection at the points; zeros where no term uses them.
    #[inline(always)]
    pub(super) fn read_fields(&self, points: &Points<S>) -> (Single<S>, [Single<S>; 3]) {
        let zero = self.simd.single(0.0);
        let (mut speed, mut advection) = (zero, [zero; 3]);
        let (needs_speed, advects) = (self.terms.needs_speed(), self.terms.advection != 0.0);
        let derived = advects && self.fields.advection.is_empty();
        let within = self.inside(&points.floor, 1.0, 2.0);
        if needs_speed || (derived && within) {
            let cell = self.read_cell(points, within, derived);
            if needs_speed {
                speed = self.interpolate(&cell, points);
            }
            if derived && within {
                advection = self.mix(&cell, points);
            }
        }
        if advects && !(derived && within) {
            let corners = if within { self.read_advection(points) } else { self.read_advection_at_border(points) };
            advection = self.mix(&corners, points);
        }
        (speed, advection)
    }

    /// Offsets of the lower corners of cells inside the volume.
    #[inline(always)]
    fn places(&self, floor: &[Double<S>; 3]) -> [usize; LANES] {
        // Adding 2^52 leaves a whole number in the low bits.
        const MAGIC: f64 = 4_503_599_627_370_496.0;
        let [nx, ny, _] = self.size;
        let offset = (floor[2] * self.simd.double(ny) + floor[1]) * self.simd.double(nx) + floor[0];
        let offset = offset + self.simd.double(MAGIC);
        let mut places = [0; LANES];
        for lane in 0..LANES {
            places[lane] =
                (offset.as_slice()[lane].to_bits() & (MAGIC.to_bits() - 1) & u64::from(Offset::MAX)) as usize;
        }
        places
    }

    /// The speed in cells and, for its differences, around them.
    #[inline(always)]
    fn read_cell(&self, points: &Points<S>, within: bool, around: bool) -> Cell<S> {
        let values = &self.fields.speed;
        if !within {
            return Cell(self.read_one_by_one(values, &points.floor, &CELL));
        }
        let places = self.places(&points.floor);
        let [_, y, z] = self.lattice.strides;
        let simd = self.simd;
        let mut cell = Cell([self.simd.single(0.0); 32]);
        for (row, ahead) in [0, y, z, y + z].into_iter().enumerate() {
            let values = rows_of_four(simd, values, &shifted(&places, 1, ahead));
            cell.0[4 * row..4 * row + 4].copy_from_slice(&values);
        }
        if around {
            for (pair, (back, ahead)) in [(y, 0), (0, 2 * y), (y, z), (0, 2 * y + z)].into_iter().enumerate() {
                let [_, x0, x1, _] = rows_of_four(simd, values, &shifted(&places, back + 1, ahead));
                (cell.0[16 + 2 * pair], cell.0[17 + 2 * pair]) = (x0, x1);
            }
            for (pair, (back, ahead)) in [(z, 0), (0, 2 * z), (z, y), (0, 2 * z + y)].into_iter().enumerate() {
                let [_, x0, x1, _] = rows_of_four(simd, values, &shifted(&places, back + 1, ahead));
                (cell.0[24 + 2 * pair], cell.0[25 + 2 * pair]) = (x0, x1);
            }
        }
        cell
    }

    /// Trilinear interpolation of the speed; a place at or beyond the last voxel takes that voxel.
    #[inline(always)]
    fn interpolate(&self, cell: &Cell<S>, points: &Points<S>) -> Single<S> {
        let zero = self.simd.double(0.0);
        let mut values = [zero; 8];
        for (number, value) in values.iter_mut().enumerate() {
            *value = widen(cell.corner(number));
        }
        let mut count = 8;
        for a in 0..3 {
            let whole = points.floor[a].simd_ge(zero) & points.floor[a].simd_lt(self.simd.double(self.size[a] - 1.0));
            let part = points.part[a];
            let between = whole & part.simd_gt(zero);
            count /= 2;
            for n in 0..count {
                let (low, high) = (values[2 * n], values[2 * n + 1]);
                values[n] = between.select(low + (high - low) * part, low);
            }
        }
        narrow(values[0])
    }

    /// The weights of the corners of a cell, as ITK sums them: corners without weight do not count, nor do those after
    /// the weights have reached 1.
    #[inline(always)]
    fn weights(&self, points: &Points<S>) -> ([Double<S>; 8], [Mask<S>; 8]) {
        let (zero, one) = (self.simd.double(0.0), self.simd.double(1.0));
        let mut weights = [one; 8];
        let mut counts = [zero.simd_ge(zero); 8];
        let mut total = zero;
        let mut open = counts[0];
        for number in 0..8 {
            let mut weight = one;
            for a in 0..3 {
                let part = points.part[a];
                weight *= if number >> a & 1 == 1 { part } else { one - part };
            }
            let used = open & !weight.simd_eq(zero);
            total = used.select(total + weight, total);
            open &= !total.simd_eq(one);
            (weights[number], counts[number]) = (weight, used);
        }
        (weights, counts)
    }

    /// The advection field at the points, from its values at the corners of their cells.
    #[inline(always)]
    fn mix(&self, corners: &impl Corners<S>, points: &Points<S>) -> [Single<S>; 3] {
        let (weights, counts) = self.weights(points);
        let zero = self.simd.double(0.0);
        let mut mixed = [self.simd.single(0.0); 3];
        for a in 0..3 {
            let mut sum = zero;
            for number in 0..8 {
                let value = widen(corners.advection(self, number, a));
                sum = counts[number].select(sum + weights[number] * value, sum);
            }
            mixed[a] = narrow(sum);
        }
        mixed
    }

    /// The stored advection field at the corners of cells inside the volume.
    #[inline(always)]
    fn read_advection(&self, points: &Points<S>) -> Stored<S> {
        let places = self.places(&points.floor);
        let [_, y, z] = self.lattice.strides;
        let simd = self.simd;
        let mut stored = Stored([[self.simd.single(0.0); 3]; 8]);
        for (row, ahead) in [0, y, z, y + z].into_iter().enumerate() {
            let mut first = [0; LANES];
            for lane in 0..LANES {
                first[lane] = 3 * (places[lane] + ahead);
            }
            let [a, b, c, _] = rows_of_four(simd, &self.fields.advection, &first);
            let [_, d, e, f] = rows_of_four(simd, &self.fields.advection, &shifted(&first, 0, 2));
            (stored.0[2 * row], stored.0[2 * row + 1]) = ([a, b, c], [d, e, f]);
        }
        stored
    }

    /// The advection field at the corners of cells that may be outside: there it is that of the nearest voxel.
    #[inline(never)]
    fn read_advection_at_border(&self, points: &Points<S>) -> Stored<S> {
        let mut stored = Stored([[self.simd.single(0.0); 3]; 8]);
        for (number, vector) in stored.0.iter_mut().enumerate() {
            let mut lanes = [[0.0; LANES]; 3];
            for lane in 0..LANES {
                let corner = |axis: usize| points.floor[axis].as_slice()[lane] as i64 + (number >> axis & 1) as i64;
                let nearest = self.lattice.clamped([corner(0), corner(1), corner(2)]);
                let advection = self.advection_of(nearest);
                (0..3).for_each(|a| lanes[a][lane] = advection[a]);
            }
            for a in 0..3 {
                vector[a] = Single::from_slice(self.simd, &lanes[a]);
            }
        }
        stored
    }

    /// The advection field at a voxel: stored, or minus the central differences of the speed.
    fn advection_of(&self, at: usize) -> [f32; 3] {
        let stored = &self.fields.advection;
        let voxel = self.lattice.size.voxel(at).map(|i| i as i64);
        [0, 1, 2].map(|axis| {
            if !stored.is_empty() {
                return stored[3 * at + axis];
            }
            let value = |by: i64| {
                let mut voxel = voxel;
                voxel[axis] += by;
                f64::from(self.fields.speed[self.lattice.clamped(voxel)])
            };
            (self.half_k[axis] * value(-1) - self.half_k[axis] * value(1)) as f32
        })
    }
}

/// Values of the advection field at the corners of a cell.
trait Corners<S: Simd> {
    /// The component along `axis` at a corner; bits 0, 1, 2 of its number are its coordinates.
    fn advection(&self, sampler: &Sampler<'_, S>, number: usize, axis: usize) -> Single<S>;
}

/// Vectors that were computed beforehand.
struct Stored<S: Simd>([[Single<S>; 3]; 8]);

impl<S: Simd> Corners<S> for Stored<S> {
    #[inline(always)]
    fn advection(&self, _: &Sampler<'_, S>, number: usize, axis: usize) -> Single<S> {
        self.0[number][axis]
    }
}

impl<S: Simd> Corners<S> for Cell<S> {
    /// Minus the central difference of the speed.
    #[inline(always)]
    fn advection(&self, sampler: &Sampler<'_, S>, number: usize, axis: usize) -> Single<S> {
        let (before, behind) = self.beside(number, axis);
        let c = sampler.simd.double(sampler.half_k[axis]);
        narrow(c * widen(before) - c * widen(behind))
    }
}

/// Places moved back and ahead in memory.
#[inline(always)]
fn shifted(places: &[usize; LANES], back: usize, ahead: usize) -> [usize; LANES] {
    let mut moved = *places;
    for place in &mut moved {
        *place = *place + ahead - back;
    }
    moved
}
