//! The band around the zero level of an arbitrary level set.
//!
//! A level set is mostly far from its surface, so it is read twice. First the signs of each row are found. Only rows beside
//! a surface, and their neighbours, are then kept in phi; all others get the value far from the surface at once.

use super::front::{ACTIVE, FAR, Front, LAYERS};
use super::lattice::{Lattice, Offset};
use super::{Initial, Start};
use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::features::{each_slice, read_finite_row};
use crate::memory::{try_extend, try_filled, try_push};
use crate::simd::{Kernel, run};
use crate::task::TaskControl;
use fearless_simd::Simd;
use rayon::prelude::*;

/// Signs of numbers, as bits.
const NEGATIVE: u32 = 1;
const ZERO: u32 = 2;
const POSITIVE: u32 = 4;

#[inline(always)]
fn sign(value: f32) -> u32 {
    let (negative, positive) = (u32::from(value < 0.0), u32::from(value > 0.0));
    negative * NEGATIVE + (1 - negative - positive) * ZERO + positive * POSITIVE
}

/// Builds the band around the surface of `given` in `phi`. Afterwards only the values of layers 1 to 6 are missing, which
/// phase D computes.
///
/// # Errors
/// [`Error::BadVoxel`], [`Error::BadArgument`] without a surface, [`Error::OutOfMemory`], [`Error::Cancelled`].
pub(super) fn start<'a>(
    lattice: Lattice,
    given: &Start<'_>,
    phi: &'a mut [f32],
    instructions: Instructions,
    control: &TaskControl,
) -> Result<Front<'a>> {
    let rows = Rows::new(&lattice, given, control)?;
    rows.read(given, phi, control)?;
    let active = rows.find_active(phi, instructions, control)?;
    let values = first_values(&lattice, phi, &active)?;
    let mut front = Front::new(lattice, phi, instructions)?;
    front.active = active;
    add_layers(&mut front, control)?;
    control.check()?;
    rows.fill(front.phi);
    front.active.iter().zip(&values).for_each(|(at, value)| front.phi[*at as usize] = *value);
    Ok(front)
}

impl Start<'_> {
    /// Reads a row; `spare` is as long.
    pub(super) fn read_row(&self, y: usize, z: usize, row: &mut [f32], spare: &mut [f32]) -> Result<()> {
        let Some((first, others)) = self.parts.split_first() else { return Ok(()) };
        self.read_part(first, y, z, row)?;
        for part in others {
            self.read_part(part, y, z, spare)?;
            row.iter_mut().zip(&*spare).for_each(|(to, other)| *to = if *to < *other { *to } else { *other });
        }
        Ok(())
    }

    fn read_part(&self, part: &Initial<'_>, y: usize, z: usize, row: &mut [f32]) -> Result<()> {
        read_finite_row(&part.voxels, "initial", y, z, row)?;
        match part.mask {
            true => row.iter_mut().for_each(|v| *v = if *v != 0.0 { -1.0 } else { 1.0 }),
            false => row.iter_mut().for_each(|v| *v -= self.isosurface),
        }
        Ok(())
    }
}

/// What is known of the rows of a level set.
struct Rows<'a> {
    lattice: &'a Lattice,
    /// The signs in each row.
    signs: Vec<u32>,
    /// Whether a row and its neighbours have different signs; only then it can have active voxels.
    mixed: Vec<bool>,
}

impl<'a> Rows<'a> {
    fn new(lattice: &'a Lattice, given: &Start<'_>, control: &TaskControl) -> Result<Self> {
        let [nx, ny, nz] = lattice.size.array();
        let mut signs = try_filled(ny * nz, 0)?;
        each_slice(&mut signs, ny, control, |z, signs| {
            let (mut row, mut spare) = (try_filled(nx, 0.0)?, try_filled(nx, 0.0)?);
            signs.iter_mut().enumerate().try_for_each(|(y, signs)| {
                given.read_row(y, z, &mut row, &mut spare)?;
                *signs = row.iter().fold(0, |all, v| all | sign(*v));
                Ok(())
            })
        })?;
        check_surface(signs.iter().fold(0, |all, signs| all | signs))?;
        let mut rows = Self { lattice, signs, mixed: Vec::new() };
        let mut mixed = try_filled(ny * nz, false)?;
        mixed.par_iter_mut().enumerate().with_min_len(4096).for_each(|(row, mixed)| {
            *mixed = rows.around(row).iter().fold(0, |all, row| all | rows.signs[*row]).count_ones() > 1;
        });
        rows.mixed = mixed;
        Ok(rows)
    }

    /// A row and its neighbours before and behind along y and z; outside the volume is the row itself.
    fn around(&self, row: usize) -> [usize; 5] {
        let [_, ny, nz] = self.lattice.size.array();
        let (y, z) = (row % ny, row / ny);
        let at = |y: usize, z: usize| z * ny + y;
        [
            row,
            at(y.saturating_sub(1), z),
            at((y + 1).min(ny - 1), z),
            at(y, z.saturating_sub(1)),
            at(y, (z + 1).min(nz - 1)),
        ]
    }

    /// Whether the values of a row are looked at: those of rows with active voxels and of their neighbours.
    fn is_needed(&self, row: usize) -> bool {
        self.around(row).iter().any(|row| self.mixed[*row])
    }

    /// Reads the rows that are needed into `phi`, and puts the far value into all others.
    fn read(&self, given: &Start<'_>, phi: &mut [f32], control: &TaskControl) -> Result<()> {
        let [nx, ny, _] = self.lattice.size.array();
        let far = self.lattice.far();
        each_slice(phi, nx * ny, control, |z, slice| {
            let mut spare = try_filled(nx, 0.0)?;
            slice.chunks_exact_mut(nx).enumerate().try_for_each(|(y, values)| {
                let row = z * ny + y;
                match self.is_needed(row) {
                    true => given.read_row(y, z, values, &mut spare)?,
                    false => values.fill(if self.signs[row] == POSITIVE { far } else { -far }),
                }
                Ok(())
            })
        })
    }

    /// Puts the far value into the rows that were read.
    fn fill(&self, phi: &mut [f32]) {
        let far = self.lattice.far();
        phi.par_chunks_exact_mut(self.lattice.size.x()).enumerate().with_min_len(256).for_each(|(row, values)| {
            if self.is_needed(row) {
                values.iter_mut().for_each(|v| *v = if *v > 0.0 { far } else { -far });
            }
        });
    }

    /// The voxels on the surface, in the order of memory: of two neighbours with different signs the one nearer to zero, of
    /// two equally near ones the first in memory.
    fn find_active(&self, phi: &[f32], instructions: Instructions, control: &TaskControl) -> Result<Vec<Offset>> {
        let [_, ny, nz] = self.lattice.size.array();
        let find = |z: usize| {
            control.check()?;
            let (mut found, mut crossings) = (Vec::new(), try_filled(self.lattice.size.x(), 0)?);
            for row in (z * ny..(z + 1) * ny).filter(|row| self.mixed[*row]) {
                self.find_in_row(phi, row, instructions, &mut crossings, &mut found)?;
            }
            Ok(found)
        };
        let slices: Vec<Result<Vec<Offset>>> = (0..nz).into_par_iter().map(find).collect();
        let mut active = Vec::new();
        for slice in slices {
            try_extend(&mut active, &slice?)?;
        }
        Ok(active)
    }

    fn find_in_row(
        &self,
        phi: &[f32],
        row: usize,
        instructions: Instructions,
        crossings: &mut [u32],
        found: &mut Vec<Offset>,
    ) -> Result<()> {
        const BLOCK: usize = 16;
        let nx = self.lattice.size.x();
        let rows = self.around(row).map(|row| &phi[row * nx..][..nx]);
        run(instructions, Crossings { rows, out: crossings });
        let blocks = crossings.chunks(BLOCK).enumerate();
        for (block, _) in blocks.filter(|(_, some)| some.iter().fold(0, |all, crosses| all | crosses) != 0) {
            for x in (block * BLOCK..nx.min((block + 1) * BLOCK)).filter(|x| is_active(&rows, *x)) {
                try_push(found, (row * nx + x) as Offset)?;
            }
        }
        Ok(())
    }
}

/// Whether a voxel has a neighbour of another sign; a row of them.
struct Crossings<'a> {
    /// The row, and its neighbours.
    rows: [&'a [f32]; 5],
    /// 1 where it has, else 0.
    out: &'a mut [u32],
}

impl Kernel for Crossings<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let n = self.out.len();
        let [own, a, b, c, d] = self.rows.map(|row| &row[..n]);
        for x in 0..n {
            let here = sign(own[x]);
            self.out[x] = u32::from((here | sign(a[x]) | sign(b[x]) | sign(c[x]) | sign(d[x])) != here);
        }
        for x in 1..n {
            self.out[x] |= u32::from(crosses(own[x], own[x - 1]));
        }
        for x in 1..n {
            self.out[x - 1] |= u32::from(crosses(own[x], own[x - 1]));
        }
    }
}

/// Whether the surface goes through voxel `x` of a row, given with its neighbours.
fn is_active(rows: &[&[f32]; 5], x: usize) -> bool {
    let [own, below, above, before, behind] = *rows;
    let value = own[x];
    // Outside the volume is the voxel itself, which never differs from itself.
    let lower = [before[x], below[x], own[x.saturating_sub(1)]];
    let upper = [own[(x + 1).min(own.len() - 1)], above[x], behind[x]];
    lower.iter().any(|v| crosses(value, *v) && value.abs() < v.abs())
        || upper.iter().any(|v| crosses(value, *v) && value.abs() <= v.abs())
}

/// Refuses a level set of which nothing is inside, or nothing outside.
fn check_surface(signs: u32) -> Result<()> {
    let got = match (signs & NEGATIVE != 0, signs & POSITIVE != 0) {
        (true, true) => return Ok(()),
        (false, _) => "nowhere below the isosurface",
        (true, false) => "nowhere above the isosurface",
    };
    let allowed =
        "it must have values below it (inside) and above it (outside); masks must be bool or unsigned integers";
    Err(Error::BadArgument { name: "initial", got: got.into(), allowed })
}

#[inline(always)]
fn crosses(a: f32, b: f32) -> bool {
    sign(a) != sign(b)
}

/// Values of the active voxels: their distance to the surface along the steepest differences, within half a layer.
fn first_values(lattice: &Lattice, phi: &[f32], active: &[Offset]) -> Result<Vec<f32>> {
    let mut values = try_filled(active.len(), 0.0)?;
    let most = (lattice.h / 2.0) as f32;
    values.par_iter_mut().zip(active).with_min_len(4096).for_each(|(to, &at)| {
        let centre = phi[at as usize];
        let voxel = lattice.voxel(at).map(|i| i as i64);
        let mut square = 0.0f32;
        for axis in 0..3 {
            let k = 1.0 / lattice.spacing[axis];
            let at = |by: i64| {
                let mut voxel = voxel;
                voxel[axis] += by;
                phi[lattice.clamped(voxel)]
            };
            let forward = (f64::from(at(1) - centre) * k) as f32;
            let backward = (f64::from(centre - at(-1)) * k) as f32;
            let steeper = if forward.abs() > backward.abs() { forward } else { backward };
            square += steeper * steeper;
        }
        let length = (f64::from(square).sqrt() + f64::from(lattice.tiny())) as f32;
        let value = centre / length;
        let value = if -most < value { value } else { -most };
        *to = if most < value { most } else { value };
    });
    Ok(values)
}

/// Voxels after which one looks whether the task is cancelled.
const PIECE: usize = 1 << 16;

/// Finds layers 1 to 6: the neighbours of active voxels by their sign, then the neighbours of those.
fn add_layers(front: &mut Front<'_>, control: &TaskControl) -> Result<()> {
    let mut found: [Vec<Offset>; LAYERS] = Default::default();
    front.active.iter().for_each(|&at| front.set_status(at, ACTIVE));
    for piece in front.active.chunks(PIECE) {
        control.check()?;
        for &at in piece {
            for n in front.lattice.neighbours(at).filter(|&n| front.status(n) == FAR) {
                let layer = if front.phi[n as usize] < 0.0 { 1 } else { 2 };
                front.set_status(n, ACTIVE + layer);
                try_push(&mut found[usize::from(layer) - 1], n)?;
            }
        }
    }
    for list in [&front.active, &found[0], &found[1]] {
        for &at in list.iter().filter(|&&at| front.lattice.on_frame(at)) {
            try_push(&mut front.open_frame, at)?;
        }
    }
    front.open_frame.sort_unstable();
    for layer in 3..=LAYERS {
        let mut grown = Vec::new();
        for piece in found[layer - 3].chunks(PIECE) {
            control.check()?;
            grow(front, layer, piece, &mut grown)?;
        }
        found[layer - 1] = grown;
    }
    for (number, voxels) in found.iter().enumerate() {
        front.extend_layer(number + 1, voxels)?;
    }
    Ok(())
}

/// The far neighbours of voxels, which join a layer.
fn grow(front: &Front<'_>, layer: usize, voxels: &[Offset], grown: &mut Vec<Offset>) -> Result<()> {
    for &at in voxels {
        let (neighbours, count) = front.neighbours(at);
        for &n in neighbours[..count].iter().filter(|&&n| front.status(n) == FAR && front.may_join(n)) {
            front.set_status(n, ACTIVE + layer as u8);
            try_push(grown, n)?;
        }
    }
    Ok(())
}
