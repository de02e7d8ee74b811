//! The band around the zero level of an arbitrary level set.

use super::front::{ACTIVE, FAR, Front, LAYERS};
use super::lattice::{Lattice, Offset};
use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::memory::{try_extend, try_filled, try_push};
use crate::task::TaskControl;
use rayon::prelude::*;

/// Signs of numbers, as bits.
const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 4;

#[inline(always)]
fn sign(value: f32) -> u8 {
    match (value < 0.0, value > 0.0) {
        (true, _) => NEGATIVE,
        (_, true) => POSITIVE,
        _ => ZERO,
    }
}

/// Builds the band in `phi`, which holds a level set with the surface at 0. Afterwards only the values of layers 1 to 6
/// are missing, which phase D computes.
///
/// # Errors
/// [`Error::BadArgument`] without a surface, [`Error::OutOfMemory`], [`Error::Cancelled`].
pub(super) fn start<'a>(
    lattice: Lattice,
    phi: &'a mut [f32],
    instructions: Instructions,
    control: &TaskControl,
) -> Result<Front<'a>> {
    let active = find_active(&lattice, phi, control)?;
    let values = first_values(&lattice, phi, &active)?;
    let mut front = Front::new(lattice, phi, instructions)?;
    front.active = active;
    add_layers(&mut front)?;
    control.check()?;
    fill(front.phi, lattice.size.x() * lattice.size.y(), lattice.far());
    front.active.iter().zip(&values).for_each(|(at, value)| front.phi[*at as usize] = *value);
    Ok(front)
}

/// The voxels on the surface, in the order of memory: of two neighbours with different signs the one nearer to zero, of
/// two equally near ones the first in memory.
fn find_active(lattice: &Lattice, phi: &[f32], control: &TaskControl) -> Result<Vec<Offset>> {
    let [nx, ny, nz] = lattice.size.array();
    let mut signs: Vec<u8> = try_filled(ny * nz, 0)?;
    signs.par_chunks_mut(ny).zip(phi.par_chunks(nx * ny)).for_each(|(signs, slice)| {
        for (signs, row) in signs.iter_mut().zip(slice.chunks_exact(nx)) {
            *signs = row.iter().fold(0, |all, v| all | sign(*v));
        }
    });
    check_surface(signs.iter().fold(0, |all, signs| all | signs))?;
    let slices: Vec<Result<Vec<Offset>>> =
        (0..nz).into_par_iter().map(|z| find_in_slice(lattice, phi, &signs, z, control)).collect();
    let mut active = Vec::new();
    for slice in slices {
        try_extend(&mut active, &slice?)?;
    }
    Ok(active)
}

/// Refuses a level set of which nothing is inside, or nothing outside.
fn check_surface(signs: u8) -> Result<()> {
    let got = match (signs & NEGATIVE != 0, signs & POSITIVE != 0) {
        (true, true) => return Ok(()),
        (false, _) => "nowhere below the isosurface",
        (true, false) => "nowhere above the isosurface",
    };
    let allowed =
        "it must have values below it (inside) and above it (outside); masks must be bool or unsigned integers";
    Err(Error::BadArgument { name: "initial", got: got.into(), allowed })
}

fn find_in_slice(lattice: &Lattice, phi: &[f32], signs: &[u8], z: usize, control: &TaskControl) -> Result<Vec<Offset>> {
    control.check()?;
    let [nx, ny, nz] = lattice.size.array();
    let mut found = Vec::new();
    for y in 0..ny {
        let rows = [
            (y, z),
            (y.saturating_sub(1), z),
            ((y + 1).min(ny - 1), z),
            (y, z.saturating_sub(1)),
            (y, (z + 1).min(nz - 1)),
        ];
        let all = rows.iter().fold(0, |all, &(y, z)| all | signs[z * ny + y]);
        if all.count_ones() == 1 {
            continue;
        }
        let [own, below, above, before, behind] = rows.map(|(y, z)| &phi[(z * ny + y) * nx..][..nx]);
        for x in 0..nx {
            let value = own[x];
            // Outside the volume is the voxel itself, which never differs from itself.
            let lower = [before[x], below[x], own[x.saturating_sub(1)]];
            let upper = [own[(x + 1).min(nx - 1)], above[x], behind[x]];
            if lower.iter().any(|v| crosses(value, *v) && value.abs() < v.abs())
                || upper.iter().any(|v| crosses(value, *v) && value.abs() <= v.abs())
            {
                try_push(&mut found, ((z * ny + y) * nx + x) as Offset)?;
            }
        }
    }
    Ok(found)
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

/// Finds layers 1 to 6: the neighbours of active voxels by their sign, then the neighbours of those.
fn add_layers(front: &mut Front<'_>) -> Result<()> {
    for &at in &front.active {
        front.set_status(at, ACTIVE);
    }
    let mut found: [Vec<Offset>; LAYERS] = Default::default();
    for &at in &front.active {
        for n in front.lattice.neighbours(at).filter(|&n| front.status(n) == FAR) {
            let layer = if front.phi[n as usize] < 0.0 { 1 } else { 2 };
            front.set_status(n, ACTIVE + layer);
            try_push(&mut found[usize::from(layer) - 1], n)?;
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
        for &at in &found[layer - 3] {
            for n in front.lattice.neighbours(at).filter(|&n| front.status(n) == FAR && front.may_join(n)) {
                front.set_status(n, ACTIVE + layer as u8);
                try_push(&mut grown, n)?;
            }
        }
        found[layer - 1] = grown;
    }
    for (number, voxels) in found.iter().enumerate() {
        front.extend_layer(number + 1, voxels)?;
    }
    Ok(())
}

/// Replaces every value by that of the far side it is on.
fn fill(phi: &mut [f32], slice: usize, far: f32) {
    phi.par_chunks_mut(slice).for_each(|slice| {
        slice.iter_mut().for_each(|v| *v = if *v > 0.0 { far } else { -far });
    });
}
