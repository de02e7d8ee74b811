//! Two fronts in the same phases, and the region where they run against each other.
//!
//! Gradients follow from final times ([`crate::eikonal::checks::gradient`] says why), so no gradient image exists: the
//! product of a tile is computed from the times of both fronts, brick by brick.
//!
//! Without connectivity every tile that both fronts reached is multiplied at the end. With connectivity the region is
//! grown by a flood over sets of voxels, starting from the first seeds, while the fronts still march: a voxel's product
//! is known once both times there are final. The flood keeps, per tile, which voxels it has reached and which it waits
//! for. When it waits for none, nothing that the fronts could still find can change the result, and both marches end:
//! exactly what the full marches would give, usually long before they have crossed the volume.

use super::field::{Place, Surroundings};
use super::front::{Course, Front};
use super::grid::TileGrid;
use super::output::{KeptTimes, at_most, write_tile};
use super::schedule::Driver;
use super::shape::{BRICKS, Bits, FACES, Face, LANES, Shape, is_low};
use super::tile::{Bricks, Entry};
use crate::cpu::Level;
use crate::eikonal::Time;
use crate::eikonal::problem::{Collision, Tuning};
use crate::error::Result;
use crate::memory::{Budget, DisjointWriter};
use crate::task::TaskControl;
use crate::team::Leader;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A set of voxels of one tile: bit `8 brick + lane`.
type Mask = [u64; 8];

/// No voxel.
const NONE: Mask = [0; 8];

/// Every voxel.
const ALL: Mask = [u64::MAX; 8];

/// Runs both fronts and writes the products.
pub(crate) fn run(
    leader: &mut Leader<'_>,
    collision: &Collision,
    place: &Place<'_>,
    tuning: &Tuning,
    out: &DisjointWriter<'_, f32>,
    control: &TaskControl,
) -> Result<()> {
    let mut driver = Driver::<f32>::new(leader, control, tuning, 2);
    let budget = Budget::new(tuning.memory_limit);
    let (one, two) = (&collision.seeds1, &collision.seeds2);
    let (rule1, rule2) = (collision.rule(two), collision.rule(one));
    let courses = [(one, &rule1), (two, &rule2)].map(|(seeds, rule)| Course { seeds, rule, width: tuning.width });
    let first = Front::new(place, &courses[0], &budget, 0, &mut driver.worker(0))?;
    let second = Front::new(place, &courses[1], &budget, 1, &mut driver.worker(0))?;
    let mut fronts = [first, second];
    let kept = KeptTimes::new(&budget);
    let epsilon = collision.negative_epsilon as f32;
    let multiplier = Multiplier { spacing: place.spacing.array(), epsilon, level: driver.level() };
    if !collision.apply_connectivity {
        driver.run(&mut fronts, &kept, None)?;
        multiplier.write_all(leader, &fronts, out);
        return Ok(());
    }
    let mut flood = Flood::new(&fronts);
    let mut next_look = FIRST_LOOK;
    let mut look = |leader: &mut Leader<'_>, fronts: &[Front<'_, f32>]| {
        let settled: u64 = fronts.iter().map(Front::settled_voxels).sum();
        if settled < next_look {
            return false;
        }
        next_look = settled + settled / 8;
        flood.grow(leader, fronts, &multiplier)
    };
    driver.run(&mut fronts, &kept, Some(&mut look))?;
    flood.grow(leader, &fronts, &multiplier);
    multiplier.write(leader, &fronts, &flood.reached(), out);
    Ok(())
}

/// Final voxels before the flood looks for the first time; it looks again whenever there are an eighth more.
const FIRST_LOOK: u64 = 4096;

/// Multiplies gradients on tiles, many at once.
struct Multiplier {
    spacing: [f64; 3],
    epsilon: f32,
    level: Level,
}

/// Products of a tile, and the voxels whose product is known.
struct Product {
    values: Bricks<f32>,
    decided: Mask,
}

impl Multiplier {
    /// Calls `work` for each item on some member, each member with its own scratch.
    fn each<V: Sync>(&self, leader: &mut Leader<'_>, items: &[V], work: impl Fn(&V, &mut Product) + Sync) {
        let next = AtomicUsize::new(0);
        let job = |_: usize| {
            let mut product = Product { values: Bricks([[0.0; LANES]; BRICKS]), decided: NONE };
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                work(item, &mut product);
            }
        };
        leader.execute(items.len() / WORTH_A_WORKER, &job);
    }

    /// Products of a tile, seeds at epsilon.
    fn tile(&self, fronts: &[Front<'_, f32>], tile: u32, product: &mut Product) {
        // SAFETY: the leader multiplies between phases of visits (I1).
        let [first, second] = [0, 1].map(|i| unsafe { Seen::of(&fronts[i], tile) });
        match self.level {
            // SAFETY: the machine has the instructions, which the tokens prove.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => unsafe { multiply_avx2(&first, &second, self.spacing, &mut product.values) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => unsafe { multiply_avx512(&first, &second, self.spacing, &mut product.values) },
            _ => multiply(&first, &second, self.spacing, &mut product.values),
        }
        product.decided = and(&first.decided(), &second.decided());
        for seed in fronts.iter().flat_map(|f| f.field.seeds_of(tile)) {
            product.values.0[seed.brick][seed.lane] = self.epsilon;
            insert(&mut product.decided, seed.brick, seed.lane);
        }
    }

    /// Writes the voxels of the mask of each tile; the others of the tile stay 0.
    fn write(
        &self,
        leader: &mut Leader<'_>,
        fronts: &[Front<'_, f32>],
        tiles: &[(u32, Mask)],
        out: &DisjointWriter<'_, f32>,
    ) {
        let grid = &fronts[0].field.grid;
        self.each(leader, tiles, |(tile, mask), product| {
            self.tile(fronts, *tile, product);
            for (brick, values) in product.values.0.iter_mut().enumerate() {
                for (lane, value) in values.iter_mut().enumerate() {
                    *value = if contains(mask, brick, lane) { *value } else { 0.0 };
                }
            }
            // SAFETY: each tile is listed once (I6).
            unsafe { write_tile(out, grid, *tile, &product.values) };
        });
    }

    /// Writes every tile that both fronts have touched, and the seeds.
    fn write_all(&self, leader: &mut Leader<'_>, fronts: &[Front<'_, f32>], out: &DisjointWriter<'_, f32>) {
        let has_times =
            |front: &Front<'_, f32>, tile: u32| matches!(front.field.entry(tile), Entry::Live(_) | Entry::Kept(_));
        let both = fronts[0].activated.iter().copied().filter(|&tile| fronts.iter().all(|f| has_times(f, tile)));
        let seeded = fronts.iter().flat_map(|f| f.field.seeds.iter().map(|s| s.tile));
        let mut tiles: Vec<(u32, Mask)> = both.chain(seeded).map(|tile| (tile, ALL)).collect();
        tiles.sort_unstable();
        tiles.dedup();
        self.write(leader, fronts, &tiles, out);
    }
}

/// Tiles to multiply that are worth a worker.
const WORTH_A_WORKER: usize = 16;

/// What is known of the times of one front on a tile.
struct Seen<'f> {
    entry: Entry<f32>,
    times: Surroundings<'f, f32>,
    /// Every time up to here is final.
    settled: f32,
    /// Times up to here are final and accepted.
    limit: f32,
    done: bool,
}

impl<'f> Seen<'f> {
    /// The times of a front.
    ///
    /// # Safety
    /// No visit may be running as long as it is used.
    unsafe fn of(front: &'f Front<'_, f32>, tile: u32) -> Self {
        let settled = if front.done { f32::MAX } else { front.settled.unwrap_or(f32::MIN) };
        Self {
            entry: front.field.entry(tile),
            times: front.field.surroundings(front.field.grid.place(tile)),
            settled,
            limit: settled.min(at_most(front.stop.stop)).min(f32::FAR.next_down()),
            done: front.done,
        }
    }

    /// Times of a brick.
    #[inline(always)]
    fn own(&self, brick: usize) -> &[f32; LANES] {
        // SAFETY: by the promise made to `of`.
        unsafe { self.times.own(brick) }
    }

    /// Times of the brick behind a face of a brick.
    #[inline(always)]
    fn beside(&self, brick: usize, face: Face) -> &[f32; LANES] {
        // SAFETY: by the promise made to `of`.
        unsafe { self.times.beside(brick, face) }
    }

    /// Voxels whose fate is decided: accepted, or never to be.
    fn decided(&self) -> Mask {
        if self.done {
            return ALL;
        }
        let tile = match self.entry {
            Entry::Untouched => return NONE,
            Entry::Live(tile) => tile,
            _ => return ALL,
        };
        // SAFETY: no visit is running, so the tile does not change (I1).
        let speeds = unsafe { &(*tile).speeds.0 };
        let mut decided = NONE;
        for brick in 0..BRICKS {
            let (times, speeds) = (self.own(brick), &speeds[brick]);
            for lane in 0..LANES {
                // No front can enter a voxel of speed 0; seeds, whose speed is NaN, wait for their time.
                if times[lane] <= self.settled || speeds[lane] <= 0.0 {
                    insert(&mut decided, brick, lane);
                }
            }
        }
        decided
    }
}

/// Products of the gradients of two fronts on one tile; 0 where either front did not come.
#[inline(always)]
fn multiply(first: &Seen<'_>, second: &Seen<'_>, spacing: [f64; 3], products: &mut Bricks<f32>) {
    for (brick, products) in products.0.iter_mut().enumerate() {
        let (one, two) = (first.own(brick), second.own(brick));
        let mut met = [false; LANES];
        for lane in 0..LANES {
            met[lane] = (one[lane] <= first.limit) & (two[lane] <= second.limit);
        }
        *products = [0.0; LANES];
        if met == [false; LANES] {
            continue;
        }
        let mut sum = [0.0f64; LANES];
        for (axis, h) in spacing.into_iter().enumerate() {
            let (a, b) = (components(first, brick, axis, h), components(second, brick, axis, h));
            for lane in 0..LANES {
                sum[lane] += f64::from(a[lane] * b[lane]);
            }
        }
        for lane in 0..LANES {
            products[lane] = if met[lane] { sum[lane] as f32 } else { 0.0 };
        }
    }
}

/// One component of the upwind gradient of a brick; [`crate::eikonal::local::gradient_component`] without branches.
#[inline(always)]
fn components(front: &Seen<'_>, brick: usize, axis: usize, h: f64) -> [f32; LANES] {
    let (low, own, high) = (front.beside(brick, 2 * axis), front.own(brick), front.beside(brick, 2 * axis + 1));
    let step = 1 << axis;
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        // Of two neighbours one is a mate in the brick.
        let (before, after) =
            if lane & step == 0 { (low[lane | step], own[lane | step]) } else { (own[lane ^ step], high[lane ^ step]) };
        let here = own[lane];
        let back = if before <= front.limit { here - before } else { 0.0 };
        let ahead = if after <= front.limit { here - after } else { 0.0 };
        let steepest = if back > ahead { back } else { -ahead };
        let larger = if back > ahead { back } else { ahead };
        out[lane] = (f64::from(if larger < 0.0 { 0.0 } else { steepest }) / h) as f32;
    }
    out
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn multiply_avx2(first: &Seen<'_>, second: &Seen<'_>, spacing: [f64; 3], products: &mut Bricks<f32>) {
    multiply(first, second, spacing, products);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
fn multiply_avx512(first: &Seen<'_>, second: &Seen<'_>, spacing: [f64; 3], products: &mut Bricks<f32>) {
    multiply(first, second, spacing, products);
}

/// What the flood knows of a tile.
#[derive(Clone, Copy)]
struct FloodTile {
    /// Voxels of the region.
    reached: Mask,
    /// Voxels that touch the region of a neighbouring tile.
    incoming: Mask,
    /// Whether the tile has to be looked at again.
    waiting: bool,
    /// Voxels that may belong to the region, once the whole tile is decided.
    open: Option<Mask>,
}

impl FloodTile {
    const DRY: FloodTile = FloodTile { reached: NONE, incoming: NONE, waiting: false, open: None };
}

/// The connected region, as far as it is known.
struct Flood {
    tiles: BTreeMap<u32, FloodTile>,
}

impl Flood {
    /// A flood about to start from the first seeds.
    fn new(fronts: &[Front<'_, f32>]) -> Self {
        let mut tiles = BTreeMap::new();
        for seed in &fronts[0].field.seeds {
            let tile = tiles.entry(seed.tile).or_insert(FloodTile { waiting: true, ..FloodTile::DRY });
            insert(&mut tile.incoming, seed.brick, seed.lane);
        }
        Self { tiles }
    }

    /// Grows as far as products are known; whether nothing is left to wait for.
    fn grow(&mut self, leader: &mut Leader<'_>, fronts: &[Front<'_, f32>], multiplier: &Multiplier) -> bool {
        let grid = &fronts[0].field.grid;
        let mut dirty: Vec<u32> = self.tiles.iter().filter(|(_, w)| w.waiting).map(|(tile, _)| *tile).collect();
        while !dirty.is_empty() {
            let work: Vec<Mutex<(u32, FloodTile)>> =
                dirty.iter().map(|tile| Mutex::new((*tile, self.tiles[tile]))).collect();
            multiplier.each(leader, &work, |item, product| {
                let mut item = item.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(open) = item.1.open {
                    item.1.spread(grid.shape, &open, &ALL);
                    return;
                }
                multiplier.tile(fronts, item.0, product);
                let decided = product.decided;
                // Voxels of the tile outside the volume have no times, so their product is 0.
                let open = and(&at_most_epsilon(&product.values, multiplier.epsilon), &decided);
                item.1.open = (decided == ALL).then_some(open);
                item.1.spread(grid.shape, &open, &decided);
            });
            dirty = self.merge(grid, work);
        }
        self.tiles.values().all(|tile| !tile.waiting)
    }

    /// Takes in what the tiles have become, and lists those that their neighbours have flooded anew.
    fn merge(&mut self, grid: &TileGrid, work: Vec<Mutex<(u32, FloodTile)>>) -> Vec<u32> {
        let mut dirty = Vec::new();
        let work: Vec<(u32, FloodTile)> =
            work.into_iter().map(|w| w.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        self.tiles.extend(work.iter().copied());
        for (number, tile) in &work {
            for face in 0..FACES {
                let Some(other) = grid.across(grid.place(*number), face) else { continue };
                let over = grid.shape.voxels_across(face, &tile.reached);
                let next = self.tiles.entry(grid.tile(other)).or_insert(FloodTile::DRY);
                if any(&without(&over, &or(&next.incoming, &next.reached))) {
                    next.incoming = or(&next.incoming, &over);
                    dirty.push(grid.tile(other));
                }
            }
        }
        dirty.sort_unstable();
        dirty.dedup();
        dirty
    }

    /// The region, tile by tile.
    fn reached(&self) -> Vec<(u32, Mask)> {
        self.tiles.iter().filter(|(_, w)| any(&w.reached)).map(|(number, tile)| (*number, tile.reached)).collect()
    }
}

impl FloodTile {
    /// Spreads inside the tile over `open` voxels.
    fn spread(&mut self, shape: &Shape, open: &Mask, decided: &Mask) {
        let mut reached = or(&self.reached, &and(&self.incoming, open));
        loop {
            let grown = or(&reached, &and(&shape.voxels_around(&reached), open));
            if grown == reached {
                break;
            }
            reached = grown;
        }
        self.reached = reached;
        let rim = or(&self.incoming, &shape.voxels_around(&reached));
        self.waiting = any(&without(&rim, decided));
    }
}

/// Voxels whose product is at most epsilon.
fn at_most_epsilon(products: &Bricks<f32>, epsilon: f32) -> Mask {
    let mut mask = NONE;
    for (word, products) in mask.iter_mut().zip(products.0.as_flattened().chunks_exact(64)) {
        for (bit, product) in products.iter().enumerate() {
            *word |= u64::from(*product <= epsilon) << bit;
        }
    }
    mask
}

/// Lanes at the low end of each axis, in every brick of a word.
const LOW: [u64; 3] = [0x5555_5555_5555_5555, 0x3333_3333_3333_3333, 0x0f0f_0f0f_0f0f_0f0f];

impl Shape {
    /// Voxels of those on `face` as the voxels of the next tile that touch them.
    fn voxels_across(&self, face: Face, mask: &Mask) -> Mask {
        let (axis, step) = (face / 2, 1 << (face / 2));
        let mut across = NONE;
        for brick in Bits(self.on[face]) {
            let lanes = lanes_of(mask, brick);
            let low = LOW[axis] as u8;
            let moved = if is_low(face) { (lanes & low) << step } else { (lanes & !low) >> step };
            let other = (brick as isize + self.far[face]) as usize;
            across[other / 8] |= u64::from(moved) << (8 * (other % 8));
        }
        across
    }

    /// Face neighbours, inside the tile, of the voxels of `mask`.
    fn voxels_around(&self, mask: &Mask) -> Mask {
        let mut around = NONE;
        for (axis, low) in LOW.into_iter().enumerate() {
            let step = 1 << axis;
            for (around, word) in around.iter_mut().zip(mask) {
                *around |= (word & low) << step | (word & !low) >> step;
            }
            let by = 8 * self.near[2 * axis + 1] as usize;
            let up = words(|i| mask[i] & !low & self.lanes_off(2 * axis + 1, i));
            let down = words(|i| mask[i] & low & self.lanes_off(2 * axis, i));
            // From the upper lanes of a brick to the lower ones of the next, and back.
            let (up, down) = (shift_up(&up, by - step), shift_down(&down, by - step));
            around = or(&around, &or(&up, &down));
        }
        around
    }

    /// Voxels of word `i` of a mask whose brick is not on `face`.
    fn lanes_off(&self, face: Face, i: usize) -> u64 {
        let bricks = !self.on[face] >> (8 * i) & 255;
        (0..8).map(|b| if bricks >> b & 1 == 1 { 255u64 << (8 * b) } else { 0 }).sum()
    }
}

/// Each word of a mask by its number.
#[inline(always)]
fn words(make: impl Fn(usize) -> u64) -> Mask {
    let mut mask = NONE;
    for (i, word) in mask.iter_mut().enumerate() {
        *word = make(i);
    }
    mask
}

/// `mask` moved towards higher bits.
fn shift_up(mask: &Mask, by: usize) -> Mask {
    let (whole, bits) = (by / 64, by % 64);
    let take = |i: usize, back: usize| if i >= back { mask[i - back] } else { 0 };
    words(|i| take(i, whole) << bits | if bits == 0 { 0 } else { take(i, whole + 1) >> (64 - bits) })
}

/// `mask` moved towards lower bits.
fn shift_down(mask: &Mask, by: usize) -> Mask {
    let (whole, bits) = (by / 64, by % 64);
    let take = |i: usize, ahead: usize| if i + ahead < 8 { mask[i + ahead] } else { 0 };
    words(|i| take(i, whole) >> bits | if bits == 0 { 0 } else { take(i, whole + 1) << (64 - bits) })
}

/// Voxels in both.
fn and(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] & b[i])
}

/// Voxels in either.
fn or(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] | b[i])
}

/// Voxels of `a` that are not in `b`.
fn without(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] & !b[i])
}

/// Whether there is any voxel.
fn any(mask: &Mask) -> bool {
    *mask != NONE
}

/// Voxels of a brick.
fn lanes_of(mask: &Mask, brick: usize) -> u8 {
    (mask[brick / 8] >> (8 * (brick % 8))) as u8
}

/// Whether a voxel is in the mask.
fn contains(mask: &Mask, brick: usize, lane: usize) -> bool {
    lanes_of(mask, brick) >> lane & 1 == 1
}

/// Adds a voxel.
fn insert(mask: &mut Mask, brick: usize, lane: usize) {
    mask[brick / 8] |= 1 << (8 * (brick % 8) + lane);
}

#[cfg(test)]
mod tests {
    use super::super::shape::opposite;
    use super::*;

    /// Neighbours of a voxel inside the tile, and those in the tile across each face, by coordinates.
    fn plain(shape: &Shape, brick: usize, lane: usize) -> (Mask, [Mask; FACES]) {
        let (mut around, mut across) = (NONE, [NONE; FACES]);
        for (face, across) in across.iter_mut().enumerate() {
            let (mut v, axis) = (shape.voxel(brick, lane), face / 2);
            let n = shape.voxels[axis];
            let last = if is_low(face) { 0 } else { n - 1 };
            let outside = v[axis] == last;
            v[axis] = (v[axis] + if is_low(face) { n - 1 } else { 1 }) % n;
            let (brick, lane) = shape.locate(v);
            insert(if outside { &mut *across } else { &mut around }, brick, lane);
        }
        (around, across)
    }

    #[test]
    fn masks_move_as_coordinates_do() {
        for slices in [1, 3, 9] {
            let shape = Shape::of(slices);
            for brick in 0..BRICKS {
                for lane in 0..LANES {
                    let mut one = NONE;
                    insert(&mut one, brick, lane);
                    let (around, across) = plain(shape, brick, lane);
                    assert_eq!(shape.voxels_around(&one), around);
                    for (face, across) in across.into_iter().enumerate() {
                        let there = shape.voxels_across(face, &one);
                        assert_eq!(there, across);
                        assert!(there == NONE || shape.voxels_across(opposite(face), &there) == one);
                    }
                }
            }
        }
    }
}
