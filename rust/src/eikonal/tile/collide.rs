//! Two fronts in the same phases, and the region where they run against each other.
//!
//! Without connectivity every tile that both fronts reached is multiplied at the end. With connectivity the region is
//! grown by a flood over bit masks, starting from the first seeds, while the fronts still march: a voxel's product is
//! known once both times there are final. The flood keeps, per tile, which voxels it has reached and which it waits
//! for. When it waits for none, nothing that the fronts could still find can change the result, and both marches end:
//! exactly what the full marches would give, usually long before they have crossed the volume.

use super::drive::{Driver, Tuning};
use super::product::{KeptTimes, Layout, Products, multiply};
use super::shape::{Face, Mask, NONE, Shape, VOXELS, and, any, for_each, neighbours, or, place_in_tile, without};
use super::slot::{Budget, UNTOUCHED, load};
use super::window::Front;
use crate::cpu::Instructions;
use crate::eikonal::fronts::Collision;
use crate::eikonal::speed::Speed;
use crate::eikonal::team::Team;
use crate::error::Result;
use crate::grid::{Size3, Spacing3};
use crate::task::TaskControl;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A dense result in which each tile is written by one worker.
pub(crate) struct DenseValues<'o> {
    base: *mut f32,
    strides: [usize; 3],
    lifetime: std::marker::PhantomData<&'o mut [f32]>,
}

// SAFETY: distinct tiles are distinct elements, and a tile is written by one worker.
unsafe impl Sync for DenseValues<'_> {}

impl<'o> DenseValues<'o> {
    /// The zero-filled result of a volume of `size`, its axes seen in the order `order`.
    pub(crate) fn new(out: &'o mut [f32], size: Size3, order: [usize; 3]) -> Self {
        assert_eq!(out.len(), size.voxels());
        let strides = order.map(|a| size.strides()[a]);
        Self { base: out.as_mut_ptr(), strides, lifetime: std::marker::PhantomData }
    }

    /// Writes the voxels of `mask`, which lie in the tile that starts at `start`.
    ///
    /// # Safety
    /// The voxels must lie inside the volume, and no other worker may write them.
    unsafe fn write<H: Shape>(&self, start: [usize; 3], mask: &Mask, values: &Products) {
        for_each(mask, |bit| {
            let v = place_in_tile::<H>(bit);
            let offset: usize = (0..3).map(|a| (start[a] + v[a]) * self.strides[a]).sum();
            // SAFETY: inside and ours, by the caller's promise.
            unsafe { self.base.add(offset).write(values[bit]) };
        });
    }
}

/// A collision on its way.
pub(crate) struct Collide<'a> {
    pub(crate) speed: &'a Speed<'a>,
    pub(crate) spacing: Spacing3,
    pub(crate) collision: &'a Collision,
    pub(crate) tuning: &'a Tuning,
}

impl Collide<'_> {
    /// Runs both fronts and writes the products.
    pub(crate) fn run<H: Shape>(&self, out: &DenseValues<'_>, control: &TaskControl) -> Result<()> {
        let (one, two) = (&self.collision.seeds1, &self.collision.seeds2);
        Team::run(|team| {
            let mut driver = Driver::<f32, H>::new(team, control, self.tuning, 2);
            let budget = Budget::new(self.tuning.memory_limit);
            let start = |seeds, others, id| {
                let rule = self.collision.rule(others);
                Front::new(self.speed, self.spacing, seeds, &rule, &budget, id, &mut driver.worker(0))
            };
            let mut fronts = [start(one, two, 0)?, start(two, one, 1)?];
            let kept = KeptTimes::new(&budget);
            let spacing = self.spacing.array();
            let epsilon = self.collision.negative_epsilon as f32;
            let instructions = driver.instructions();
            let multiplier = Multiplier { team, spacing, epsilon, instructions };
            if !self.collision.apply_connectivity {
                driver.run(&mut fronts, &kept, None)?;
                multiplier.write_all(&fronts, out);
                return Ok(());
            }
            let mut flood = Flood::new(&fronts);
            let mut next_look = FIRST_LOOK;
            let mut look = |fronts: &[Front<'_, f32, H>]| {
                let released: u64 = fronts.iter().map(|f| f.released).sum();
                if released < next_look {
                    return false;
                }
                next_look = released + released / 8;
                flood.grow(fronts, &multiplier)
            };
            driver.run(&mut fronts, &kept, Some(&mut look))?;
            flood.grow(&fronts, &multiplier);
            multiplier.write(&fronts, &flood.reached(), out);
            Ok(())
        })
    }
}

/// Released voxels before the flood looks for the first time; it looks again whenever there are an eighth more.
const FIRST_LOOK: u64 = 4096;

/// Multiplies gradients on tiles, many at once.
struct Multiplier<'t> {
    team: &'t Team,
    spacing: [f64; 3],
    epsilon: f32,
    instructions: Instructions,
}

/// Room for one member's work.
struct Scratch {
    layouts: [Box<Layout>; 2],
    products: Box<Products>,
}

impl Multiplier<'_> {
    /// Calls `work` for each item on some member, each member with its own scratch.
    fn each<V: Sync>(&self, items: &[V], work: impl Fn(&V, &mut Scratch) + Sync) {
        let next = AtomicUsize::new(0);
        let job = |_| {
            let mut scratch = Scratch { layouts: [Layout::new(), Layout::new()], products: Box::new([0.0; VOXELS]) };
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                work(item, &mut scratch);
            }
        };
        if items.len() < 4 { job(0) } else { self.team.execute(&job) }
    }

    /// Products of a tile with seeds at epsilon, and the voxels whose product is known.
    fn tile<H: Shape>(&self, fronts: &[Front<'_, f32, H>], tile: u32, scratch: &mut Scratch) -> Mask {
        match self.instructions {
            Instructions::Baseline | Instructions::Neon => multiply_tile(fronts, tile, self.spacing, scratch),
            // SAFETY: the driver checked that the machine has the instructions.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { multiply_avx2(fronts, tile, self.spacing, scratch) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { multiply_avx512(fronts, tile, self.spacing, scratch) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => multiply_tile(fronts, tile, self.spacing, scratch),
        }
        let [first, second] = &scratch.layouts;
        let mut decided = and(&first.decided, &second.decided);
        for seed in fronts.iter().flat_map(|f| f.field.seeds_of(tile)) {
            scratch.products[seed.bit] = self.epsilon;
            decided[seed.bit / 64] |= 1 << (seed.bit % 64);
        }
        decided
    }

    /// Writes `mask` of each tile.
    fn write<H: Shape>(&self, fronts: &[Front<'_, f32, H>], tiles: &[(u32, Mask)], out: &DenseValues<'_>) {
        let grid = &fronts[0].field.grid;
        self.each(tiles, |(tile, mask), scratch| {
            self.tile(fronts, *tile, scratch);
            // SAFETY: the flood and `write_all` keep to `grid.inside`, and each tile is listed once.
            unsafe { out.write::<H>(grid.extent(*tile).0, mask, &scratch.products) };
        });
    }

    /// Writes every tile that both fronts have touched, and the seeds.
    fn write_all<H: Shape>(&self, fronts: &[Front<'_, f32, H>], out: &DenseValues<'_>) {
        let grid = &fronts[0].field.grid;
        let touched = |front: &Front<'_, f32, H>, tile: u32| load(&front.field.directory[tile as usize]) != UNTOUCHED;
        let tiles: Vec<(u32, Mask)> = (0..grid.count() as u32)
            .filter(|&tile| {
                let seeded = fronts.iter().any(|f| !f.field.seeds_of(tile).is_empty());
                seeded || fronts.iter().all(|f| touched(f, tile))
            })
            .map(|tile| (tile, grid.inside(tile)))
            .collect();
        self.write(fronts, &tiles, out);
    }
}

#[inline(always)]
fn multiply_tile<H: Shape>(fronts: &[Front<'_, f32, H>], tile: u32, spacing: [f64; 3], scratch: &mut Scratch) {
    let [first, second] = &mut scratch.layouts;
    first.load(&fronts[0], tile);
    second.load(&fronts[1], tile);
    multiply::<H>(first, second, spacing, &mut scratch.products);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn multiply_avx2<H: Shape>(fronts: &[Front<'_, f32, H>], tile: u32, spacing: [f64; 3], scratch: &mut Scratch) {
    multiply_tile(fronts, tile, spacing, scratch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
fn multiply_avx512<H: Shape>(fronts: &[Front<'_, f32, H>], tile: u32, spacing: [f64; 3], scratch: &mut Scratch) {
    multiply_tile(fronts, tile, spacing, scratch);
}

/// What the flood knows of a tile.
#[derive(Clone, Copy)]
struct Wet {
    /// Voxels of the region.
    reached: Mask,
    /// Voxels that touch the region of a neighbouring tile.
    incoming: Mask,
    /// Whether the tile has to be looked at again.
    waiting: bool,
    /// Voxels that may belong to the region, once the whole tile is decided.
    open: Option<Mask>,
}

impl Wet {
    const DRY: Wet = Wet { reached: NONE, incoming: NONE, waiting: false, open: None };
}

/// The connected region, as far as it is known.
struct Flood {
    tiles: BTreeMap<u32, Wet>,
}

impl Flood {
    /// A flood about to start from the first seeds.
    fn new<H: Shape>(fronts: &[Front<'_, f32, H>]) -> Self {
        let mut tiles = BTreeMap::new();
        for seed in &fronts[0].field.seeds {
            let wet = tiles.entry(seed.tile).or_insert(Wet { waiting: true, ..Wet::DRY });
            wet.incoming[seed.bit / 64] |= 1 << (seed.bit % 64);
        }
        Self { tiles }
    }

    /// Grows as far as products are known; whether nothing is left to wait for.
    fn grow<H: Shape>(&mut self, fronts: &[Front<'_, f32, H>], multiplier: &Multiplier<'_>) -> bool {
        let mut dirty: Vec<u32> = self.tiles.iter().filter(|(_, w)| w.waiting).map(|(tile, _)| *tile).collect();
        while !dirty.is_empty() {
            let work: Vec<Mutex<(u32, Wet)>> = dirty.iter().map(|tile| Mutex::new((*tile, self.tiles[tile]))).collect();
            multiplier.each(&work, |item, scratch| {
                let mut item = item.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(open) = item.1.open {
                    item.1.spread::<H>(&open, &[u64::MAX; 8]);
                    return;
                }
                let decided = multiplier.tile(fronts, item.0, scratch);
                let within = and(&decided, &fronts[0].field.grid.inside(item.0));
                let open = and(&at_most(&scratch.products, multiplier.epsilon), &within);
                item.1.open = (decided == [u64::MAX; 8]).then_some(open);
                item.1.spread::<H>(&open, &decided);
            });
            dirty = self.merge(fronts, work);
        }
        self.tiles.values().all(|wet| !wet.waiting)
    }

    /// Takes in what the tiles have become, and lists those that their neighbours have flooded anew.
    fn merge<H: Shape>(&mut self, fronts: &[Front<'_, f32, H>], work: Vec<Mutex<(u32, Wet)>>) -> Vec<u32> {
        let grid = &fronts[0].field.grid;
        let mut dirty = Vec::new();
        let work: Vec<(u32, Wet)> =
            work.into_iter().map(|w| w.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)).collect();
        for (tile, wet) in &work {
            // Another tile of this round may have flooded this one meanwhile; keep what it said.
            let known = self.tiles.entry(*tile).or_insert(*wet);
            *known = Wet { incoming: or(&known.incoming, &wet.incoming), ..*wet };
        }
        for (tile, wet) in &work {
            for face in Face::ALL {
                let Some(other) = grid.across(*tile, grid.place(*tile), face) else { continue };
                let over = face.across::<H>(&and(&wet.reached, face.voxels::<H>()));
                let next = self.tiles.entry(other).or_insert(Wet::DRY);
                if any(&without(&over, &or(&next.incoming, &next.reached))) {
                    next.incoming = or(&next.incoming, &over);
                    dirty.push(other);
                }
            }
        }
        dirty.sort_unstable();
        dirty.dedup();
        dirty
    }

    /// The region, tile by tile.
    fn reached(&self) -> Vec<(u32, Mask)> {
        self.tiles.iter().filter(|(_, w)| any(&w.reached)).map(|(tile, wet)| (*tile, wet.reached)).collect()
    }
}

impl Wet {
    /// Spreads inside the tile over `open` voxels.
    fn spread<H: Shape>(&mut self, open: &Mask, decided: &Mask) {
        let mut reached = or(&self.reached, &and(&self.incoming, open));
        loop {
            let grown = or(&reached, &and(&neighbours::<H>(&reached), open));
            if grown == reached {
                break;
            }
            reached = grown;
        }
        self.reached = reached;
        let rim = or(&self.incoming, &neighbours::<H>(&reached));
        self.waiting = any(&without(&rim, decided));
    }
}

/// Voxels whose product is at most epsilon.
fn at_most(products: &Products, epsilon: f32) -> Mask {
    let mut mask = NONE;
    for (word, products) in mask.iter_mut().zip(products.chunks_exact(64)) {
        for (bit, product) in products.iter().enumerate() {
            *word |= u64::from(*product <= epsilon) << bit;
        }
    }
    mask
}
