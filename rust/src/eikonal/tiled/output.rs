//! Where times go: into a dense array, tile by tile as they retire, or kept in memory until the end.
//!
//! A finished march leaves in the array what ITK leaves: accepted voxels (T <= stop) their time, their neighbours a
//! tentative time solved from accepted neighbours only, everything else [`Time::FAR`]. All of it follows from the
//! final times and the stop.

use super::field::{Field, bricks_to_rows};
use super::front::Front;
use super::grid::TileGrid;
use super::lanes::{Lanes, Plain, beside, smaller_neighbours};
use super::schedule::Sink;
use super::shape::{FACES, LANES, VOXELS};
use super::solve::{Steps, cascade, solve};
use super::tile::{Bricks, Entry, Tile};
use crate::eikonal::Time;
use crate::eikonal::axes::Axes;
use crate::eikonal::problem::Accepted;
use crate::error::Result;
use crate::grid::Index3;
use crate::memory::{Budget, DisjointWriter, Pool, try_filled, try_reserve};
use crate::team::Leader;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Writes the voxels of a tile.
///
/// # Safety
/// No other worker may write this tile.
pub(crate) unsafe fn write_tile<V: Time>(out: &DisjointWriter<'_, V>, grid: &TileGrid, tile: u32, values: &Bricks<V>) {
    let ((start, extent), [nx, ny, _]) = (grid.extent(tile), grid.shape.voxels);
    let mut rows = [V::FAR; VOXELS];
    bricks_to_rows(grid.shape.bricks, values, &mut rows);
    // SAFETY: the same promise.
    let part = unsafe { out.part(start, extent) };
    let mut part = part.expect("tiles end where the volume ends");
    for z in 0..extent[2] {
        for y in 0..extent[1] {
            let row = nx * (y + ny * z);
            part.write_row(y, z, &rows[row..row + extent[0]]);
        }
    }
}

/// Times as a dense array.
pub(crate) struct DenseTimes<'o, T> {
    array: DisjointWriter<'o, T>,
    accepted: AtomicU64,
}

impl<'o, T: Time> DenseTimes<'o, T> {
    /// Nothing written yet.
    pub(crate) fn new(array: DisjointWriter<'o, T>) -> Self {
        Self { array, accepted: AtomicU64::new(0) }
    }

    /// Number of accepted voxels written so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Writes the times of a tile and counts those up to `stop`.
    ///
    /// # Safety
    /// No other worker may write this tile.
    unsafe fn write(&self, field: &Field<'_, T>, tile: u32, times: &Bricks<T>, stop: f64) {
        // SAFETY: the same promise.
        unsafe { write_tile(&self.array, &field.grid, tile, times) };
        self.accepted.fetch_add(count_accepted(times, stop), Ordering::Relaxed);
    }

    /// Writes what no worker has written yet: tiles still in memory, and [`Time::FAR`] where nobody came.
    pub(crate) fn finish(&self, leader: &mut Leader<'_>, front: &Front<'_, T>) {
        let [nx, ny, nz] = front.field.grid.tiles;
        let next = AtomicUsize::new(0);
        let job = |_: usize| loop {
            let row = next.fetch_add(1, Ordering::Relaxed);
            if row >= ny * nz {
                return;
            }
            self.finish_row(front, (row * nx) as u32);
        };
        leader.execute(ny * nz, &job);
    }

    /// Finishes one row of tiles along the first axis; runs of untouched tiles are filled together.
    fn finish_row(&self, front: &Front<'_, T>, first: u32) {
        let field = &front.field;
        let end = first + field.grid.tiles[0] as u32;
        let mut far_from = None;
        for tile in first..end {
            let entry = field.entry(tile);
            if matches!(entry, Entry::Untouched | Entry::Wall) {
                far_from.get_or_insert(tile);
                continue;
            }
            if let Some(from) = far_from.take() {
                self.fill_far(field, from, tile);
            }
            if let Entry::Live(live) = entry {
                // SAFETY: the march is over, so tiles do not change (I1); each row of tiles is finished by one worker (I6).
                unsafe {
                    let times = final_times(field, live, front.stop.stop);
                    self.write(field, tile, &times, front.stop.stop);
                }
            }
        }
        if let Some(from) = far_from {
            self.fill_far(field, from, end);
        }
    }

    fn fill_far(&self, field: &Field<'_, T>, from: u32, to: u32) {
        let (start, extent) = field.grid.extent(from);
        let (last, last_extent) = field.grid.extent(to - 1);
        let length = last[0] + last_extent[0] - start[0];
        // SAFETY: rows of untouched tiles are filled by this worker only (I6).
        let part = unsafe { self.array.part(start, [length, extent[1], extent[2]]) };
        let mut part = part.expect("tiles end where the volume ends");
        for z in 0..extent[2] {
            for y in 0..extent[1] {
                part.fill_row(y, z, length, |_| T::FAR);
            }
        }
    }
}

/// Number of times up to `stop` that a front has reached.
fn count_accepted<T: Time>(times: &Bricks<T>, stop: f64) -> u64 {
    let limit = at_most::<T>(stop);
    // Counts of 32 bits, and no branch: then several are added at once.
    let count: u32 = times.0.as_flattened().iter().map(|t| u32::from((*t <= limit) & (*t < T::FAR))).sum();
    u64::from(count)
}

/// The largest time that is not above `value`.
pub(crate) fn at_most<T: Time>(value: f64) -> T {
    let rounded = T::from_f64(value);
    if rounded.to_f64() > value { rounded.next_smaller() } else { rounded }
}

impl<T: Time> Sink<T> for DenseTimes<'_, T> {
    const KEEPS: bool = false;

    unsafe fn retire(&self, field: &Field<'_, T>, tile: *mut Tile<T>) -> Result<Entry<T>> {
        // SAFETY: the tile is the caller's (I5), and so are its voxels in the result (I6).
        unsafe { self.write(field, (*tile).number, &(*tile).times, T::FAR.to_f64()) };
        Ok(Entry::Retired)
    }
}

/// The times that a march leaves of a tile: those beyond the stop replaced by what the accepted neighbours alone give.
///
/// # Safety
/// The march must be over and the tile live.
unsafe fn final_times<T: Time>(field: &Field<'_, T>, tile: *mut Tile<T>, stop: f64) -> Bricks<T> {
    // SAFETY: live, and nobody writes (I1).
    let tile = unsafe { &*tile };
    let limit = at_most::<T>(stop);
    let mut times = tile.times;
    if limit >= T::FAR {
        return times;
    }
    let around = field.surroundings(tile.place());
    for (brick, times) in times.0.iter_mut().enumerate() {
        // SAFETY: the march is over (I1).
        let around = std::array::from_fn(|face| unsafe { around.beside(brick, face) });
        tentative(times, around, &tile.speeds.0[brick], limit, &field.steps);
    }
    times
}

/// Replaces the times of a brick beyond `limit`, but those of seeds.
fn tentative<T: Time>(own: &mut [T; LANES], around: [&[T; LANES]; FACES], speed: &[T; LANES], limit: T, steps: &Steps) {
    if own.iter().all(|t| *t <= limit) {
        return;
    }
    let known = |times: &[T; LANES]| times.map(|t| if t <= limit { t } else { T::FAR });
    let solution = solve_one(known(own), around.map(known), *speed, steps);
    for lane in 0..LANES {
        // The speed of seeds, which keep their time, is not a number.
        if own[lane] > limit && speed[lane] >= T::default() {
            own[lane] = if solution[lane] < T::FAR { solution[lane] } else { T::FAR };
        }
    }
}

/// Solves one brick with plain arrays.
fn solve_one<T: Time>(own: [T; LANES], around: [[T; LANES]; FACES], speed: [T; LANES], steps: &Steps) -> [T; LANES] {
    type Of<T> = <Plain<T> as Lanes>::Times;
    let (own, speed) = (Of::<T>::from(own), Of::<T>::from(speed));
    // SAFETY: plain arrays need no instructions, and nothing is loaded or stored.
    let solution = unsafe {
        let nearest = smaller_neighbours(own, beside(around.map(Of::<T>::from)));
        match (T::ROUNDED, steps.equal) {
            (true, _) => cascade::<Plain<T>>(nearest, speed, steps),
            (false, true) => Plain::narrow(solve::<Plain<T>, true>(nearest, speed, steps)),
            (false, false) => Plain::narrow(solve::<Plain<T>, false>(nearest, speed, steps)),
        }
    };
    solution.into()
}

/// A sink that keeps the times of retired tiles in memory, half of a tile each.
pub(crate) struct KeptTimes<T: Time> {
    pool: Pool<Bricks<T>>,
}

impl<T: Time> KeptTimes<T> {
    /// Nothing kept yet.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { pool: Pool::new(budget) }
    }
}

impl<T: Time> Sink<T> for KeptTimes<T> {
    const KEEPS: bool = true;

    unsafe fn retire(&self, _: &Field<'_, T>, tile: *mut Tile<T>) -> Result<Entry<T>> {
        let kept = self.pool.take_one()?;
        // SAFETY: the tile is the caller's (I5), the item fresh.
        unsafe { kept.write((*tile).times) };
        Ok(Entry::Kept(kept))
    }
}

/// A tile by its place along the caller's axes, slowest first, and its times.
type Placed<'t, T> = ([usize; 3], &'t Bricks<T>);

/// A layer of tiles, and where its accepted voxels go.
type Layer<'l, 't, T> = (&'l [Placed<'t, T>], &'l mut [Index3], &'l mut [T]);

/// The accepted voxels of a finished march whose times were kept, in memory order.
pub(crate) fn accepted_voxels<T: Time>(
    leader: &mut Leader<'_>,
    front: &Front<'_, T>,
    axes: Axes,
) -> Result<Accepted<T>> {
    let (field, limit) = (&front.field, at_most::<T>(front.stop.stop));
    let mut tiles: Vec<Placed<'_, T>> = Vec::new();
    try_reserve(&mut tiles, front.activated.len())?;
    for &tile in &front.activated {
        if let Entry::Live(_) | Entry::Kept(_) = field.entry(tile) {
            let place = field.grid.place(tile);
            let [x, y, z] = axes.outer(place);
            // SAFETY: the march is over: tiles with memory keep it and do not change (I1) as long as the front lives.
            tiles.push(([z, y, x], unsafe { &*field.times(Some(place)) }));
        }
    }
    tiles.sort_unstable_by_key(|tile| tile.0);
    let layers: Vec<&[Placed<'_, T>]> = tiles.chunk_by(|a, b| a.0[0] == b.0[0]).collect();
    let counts = count_layers(leader, &layers, front.stop.stop);
    let total = counts.iter().sum();
    let (mut indices, mut times) = (try_filled(total, [0; 3])?, try_filled(total, T::FAR)?);
    let (mut rest, mut rest_of_times) = (&mut indices[..], &mut times[..]);
    let mut work = Vec::new();
    for (layer, count) in layers.into_iter().zip(counts) {
        let (into, after) = rest.split_at_mut(count);
        let (times_into, times_after) = rest_of_times.split_at_mut(count);
        (rest, rest_of_times) = (after, times_after);
        work.push(Mutex::new(Some((layer, into, times_into))));
    }
    let next = AtomicUsize::new(0);
    let job = |_: usize| {
        while let Some(layer) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(layer) = layer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                write_layer(layer, field.grid.shape.bricks, axes, limit);
            }
        }
    };
    leader.execute(total / WORTH_A_WORKER, &job);
    Ok(Accepted { indices, times })
}

/// Voxels to list that are worth a worker.
const WORTH_A_WORKER: usize = 10_000;

/// Numbers of accepted voxels.
fn count_layers<T: Time>(leader: &mut Leader<'_>, layers: &[&[Placed<'_, T>]], stop: f64) -> Vec<usize> {
    let counts: Vec<AtomicUsize> = layers.iter().map(|_| AtomicUsize::new(0)).collect();
    let next = AtomicUsize::new(0);
    let job = |_: usize| loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        let Some(layer) = layers.get(i) else { return };
        let count: u64 = layer.iter().map(|(_, times)| count_accepted(times, stop)).sum();
        counts[i].store(count as usize, Ordering::Relaxed);
    };
    let tiles: usize = layers.iter().map(|layer| layer.len()).sum();
    leader.execute(tiles * VOXELS / (8 * WORTH_A_WORKER), &job);
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

/// Lists the accepted voxels of a layer of tiles, row by row of the caller's volume.
fn write_layer<T: Time>((tiles, indices, times): Layer<'_, '_, T>, bricks: [usize; 3], axes: Axes, limit: T) {
    let voxels = bricks.map(|n| 2 * n);
    let (extent, pitch) = (axes.outer(voxels), axes.outer([1, voxels[0], voxels[0] * voxels[1]]));
    let rows: Vec<[T; VOXELS]> = tiles
        .iter()
        .map(|(_, times)| {
            let mut rows = [T::FAR; VOXELS];
            bricks_to_rows(bricks, times, &mut rows);
            rows
        })
        .collect();
    let mut n = 0;
    for z in 0..extent[2] {
        let mut first = 0;
        for line in tiles.chunk_by(|a, b| a.0[1] == b.0[1]) {
            let rows = &rows[first..first + line.len()];
            first += line.len();
            for y in 0..extent[1] {
                for ((place, _), rows) in line.iter().zip(rows) {
                    let start = y * pitch[1] + z * pitch[2];
                    for x in 0..extent[0] {
                        let time = rows[start + x * pitch[0]];
                        if time <= limit && time < T::FAR {
                            let inside = [x, y, z];
                            indices[n] = std::array::from_fn(|a| (place[2 - a] * extent[a] + inside[a]) as i64);
                            times[n] = time;
                            n += 1;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_in_single_precision_is_the_largest_time_that_is_not_above_it() {
        for value in [0.1, 0.3, 1.0, 1e-50, 16_777_217.0, 16_777_219.0] {
            let limit = at_most::<f32>(value);
            assert!(f64::from(limit) <= value && f64::from(limit.next_up()) > value, "{value}: {limit}");
            assert_eq!(at_most::<f64>(value), value);
        }
    }
}
