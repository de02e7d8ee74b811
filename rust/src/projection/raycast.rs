//! Maximum intensity projection along rays from any direction.
//!
//! The picture is cut into tiles. A tile takes the samples of all its rays in chunks along the rays: first the one
//! with the largest upper bound (see `bricks.rs`), then from front to back those that can still raise a maximum. The
//! samples of a ray are fixed before (see `rays.rs`), and a maximum does not depend on the order it is found in, so
//! neither skipping nor threads can change a bit. [`render_plain`] does without all of that and is the oracle.

use super::bricks::{BRICK_BITS, Bricks};
use super::gather::{LANES, Unit, is_inner};
use super::number::Number;
use super::rays::{Camera, Grid, PLACES, Ray};
use super::simd::{Kernel, dispatch};
use crate::dispatch_pixel;
use crate::error::{Error, Result};
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Value of a pixel whose ray takes no sample, or none that is a number.
pub const NOTHING: f32 = f32::NEG_INFINITY;

/// Sample number of such a pixel.
pub const NOWHERE: i32 = i32::MIN;

/// The largest sample of each ray and, where wanted, the number of the first sample that has it.
pub struct Shot<'o> {
    /// Maxima, `width * height`, [`NOTHING`] where there is none.
    pub values: &'o mut [f32],
    /// Sample numbers, as many or none; [`NOWHERE`] where there is none.
    pub depths: &'o mut [i32],
}

impl Shot<'_> {
    fn check(&self, camera: &Camera) -> Result<()> {
        camera.check()?;
        let pixels = camera.size[0] * camera.size[1];
        if self.values.len() == pixels && [0, pixels].contains(&self.depths.len()) {
            return Ok(());
        }
        let (got, expected) = (format!("{} and {}", self.values.len(), self.depths.len()), pixels.to_string());
        Err(Error::Mismatch { what: "pixels and depths", got, expected })
    }
}

/// Renders the volume; with `bricks`, which must be those of these voxels, chunks of rays are skipped.
///
/// # Errors
/// [`Error::BadArgument`] for a camera that sees nothing sensible or too many samples, [`Error::Mismatch`] where the
/// outputs or bricks do not fit, [`Error::Cancelled`].
pub fn render(
    voxels: &Voxels<'_>,
    bricks: Option<&Bricks>,
    camera: &Camera,
    shot: Shot<'_>,
    control: &TaskControl,
) -> Result<()> {
    shot.check(camera)?;
    if let Some(bricks) = bricks
        && bricks.voxels() != voxels.size()
    {
        let (got, expected) = (format!("{:?}", bricks.voxels()), format!("{:?}", voxels.size()));
        return Err(Error::Mismatch { what: "volume of the bricks", got, expected });
    }
    dispatch_pixel!(voxels.pixel(), T => render_typed(&Grid::<T>::new(voxels), bricks, camera, shot, control))
}

/// Renders the volume one sample after the other, skipping none: slow, and what [`render`] is tested against.
///
/// # Errors
/// As [`render`].
pub fn render_plain(voxels: &Voxels<'_>, camera: &Camera, shot: Shot<'_>, control: &TaskControl) -> Result<()> {
    shot.check(camera)?;
    dispatch_pixel!(voxels.pixel(), T => {
        let grid = Grid::<T>::new(voxels);
        for pixel in 0..shot.values.len() {
            control.check()?;
            let ray = camera.ray(pixel % camera.size[0], pixel / camera.size[0]);
            let mut best = Best::default();
            for k in grid.samples(&ray, camera.first_sample())? {
                best.take(grid.value(ray.at(k)), k);
            }
            best.store(pixel, shot.values, shot.depths);
        }
    });
    Ok(())
}

/// Largest sample so far and the first one that has it.
#[derive(Debug, Clone, Copy)]
struct Best {
    value: f32,
    k: i64,
}

impl Default for Best {
    fn default() -> Self {
        Self { value: NOTHING, k: i64::MAX }
    }
}

impl Best {
    /// A sample of [`NOTHING`] is none: the vector units give it for NaN.
    #[inline(always)]
    fn take(&mut self, value: f32, k: i64) {
        let found = self.value < value || (self.value == value && k < self.k && value != NOTHING);
        *self = if found { Self { value, k } } else { *self };
    }

    /// Adding zero makes negative zero positive, so that it does not matter which of the two came first.
    fn store(self, pixel: usize, values: &mut [f32], depths: &mut [i32]) {
        values[pixel] = self.value + 0.0;
        if let Some(depth) = depths.get_mut(pixel) {
            *depth = if self.k == i64::MAX { NOWHERE } else { self.k as i32 };
        }
    }
}

/// Pixels of a tile along each side.
const TILE: usize = 16;

fn render_typed<T: Number>(
    grid: &Grid<'_, T>,
    bricks: Option<&Bricks>,
    camera: &Camera,
    shot: Shot<'_>,
    control: &TaskControl,
) -> Result<()> {
    let [width, height] = camera.size;
    let across = width.div_ceil(TILE);
    let depths = !shot.depths.is_empty();
    let rendered: Result<Vec<Vec<Best>>> = (0..across * height.div_ceil(TILE))
        .into_par_iter()
        .map(|i| {
            control.check()?;
            let mut tile = Tile::aim(grid, bricks, camera, [i % across, i / across], depths)?;
            dispatch(Cast(&mut tile));
            Ok(tile.rays.into_iter().map(|ray| ray.best).collect())
        })
        .collect();
    for (i, tile) in rendered?.into_iter().enumerate() {
        let (left, top) = (i % across * TILE, i / across * TILE);
        let columns = TILE.min(width - left);
        for (j, best) in tile.into_iter().enumerate() {
            best.store((top + j / columns) * width + left + j % columns, shot.values, shot.depths);
        }
    }
    Ok(())
}

/// A ray, its samples and its best one.
struct Aimed {
    ray: Ray,
    from: i64,
    to: i64,
    best: Best,
}

/// The rays of some neighbouring pixels.
struct Tile<'a, 'v, T> {
    grid: &'a Grid<'v, T>,
    bricks: Option<&'a Bricks>,
    rays: Vec<Aimed>,
    unit: Unit,
    /// Whether the first of equal samples is asked for.
    depths: bool,
    asks: Asks,
}

/// Whether asking the bricks about single rays pays: in noise nearly every chunk may hold a new maximum, and asking
/// costs a quarter of taking the samples. Changes what is skipped, never the result.
#[derive(Debug, Default)]
struct Asks {
    /// Rises with each chunk that was passed over, falls with each that was not.
    credit: i32,
    turn: u32,
}

impl Asks {
    #[inline(always)]
    fn worth_it(&mut self) -> bool {
        self.turn = self.turn.wrapping_add(1);
        self.credit >= 0 || self.turn.is_multiple_of(16)
    }

    #[inline(always)]
    fn learn(&mut self, passed: bool) {
        self.credit = (self.credit + if passed { 8 } else { -1 }).clamp(-64, 256);
    }
}

/// Casts the rays of a tile.
struct Cast<'t, 'a, 'v, T>(&'t mut Tile<'a, 'v, T>);

impl<T: Number> Kernel for Cast<'_, '_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.0.cast();
    }
}

impl<'a, 'v, T: Number> Tile<'a, 'v, T> {
    fn aim(
        grid: &'a Grid<'v, T>,
        bricks: Option<&'a Bricks>,
        camera: &Camera,
        tile: [usize; 2],
        depths: bool,
    ) -> Result<Self> {
        let [left, top] = tile.map(|t| t * TILE);
        let [right, bottom] = [(left + TILE).min(camera.size[0]), (top + TILE).min(camera.size[1])];
        let mut rays = Vec::with_capacity(TILE * TILE);
        for j in top..bottom {
            for i in left..right {
                let ray = camera.ray(i, j);
                let (from, to) = grid.samples(&ray, camera.first_sample())?.into_inner();
                rays.push(Aimed { ray, from, to, best: Best::default() });
            }
        }
        let longest = std::array::from_fn(|a| rays.iter().map(|r| r.ray.step[a].abs()).max().unwrap_or(0));
        Ok(Self { grid, bricks, rays, unit: Unit::best(grid, longest), depths, asks: Asks::default() })
    }

    /// Whether samples of at most `bound` can still matter to a ray whose best is `best`.
    #[inline(always)]
    fn matters(&self, bound: f32, best: f32) -> bool {
        bound > best || (self.depths && bound == best)
    }

    /// Takes the chunk with the largest bound first, which often decides, then all from front to back, which memory
    /// likes best, until no chunk left matters.
    #[inline(always)]
    fn cast(&mut self) {
        let chunks = self.chunks();
        let first = (0..chunks.len()).rev().max_by(|&a, &b| chunks[a].1.total_cmp(&chunks[b].1));
        if let Some(first) = first.filter(|_| self.bricks.is_some()) {
            self.cast_all(&chunks[first].0, chunks[first].1);
        }
        let mut left: Vec<f32> = chunks.iter().map(|chunk| chunk.1).collect();
        for i in (1..left.len()).rev() {
            left[i - 1] = left[i - 1].max(left[i]);
        }
        for ((chunk, bound), left) in chunks.iter().zip(left) {
            let least = self.least();
            if !self.matters(left, least) {
                break;
            }
            if self.matters(*bound, least) {
                self.cast_all(chunk, *bound);
            }
        }
    }

    /// The worst of the rays' best values.
    #[inline(always)]
    fn least(&self) -> f32 {
        let hits = self.rays.iter().filter(|r| r.from <= r.to);
        hits.fold(f32::INFINITY, |least, r| if r.best.value < least { r.best.value } else { least })
    }

    #[inline(always)]
    fn cast_all(&mut self, chunk: &RangeInclusive<i64>, bound: f32) {
        for i in 0..self.rays.len() {
            self.cast_chunk(i, chunk, bound);
        }
    }

    /// The chunks of samples of this tile from front to back, with their bounds.
    fn chunks(&self) -> Vec<(RangeInclusive<i64>, f32)> {
        let hits = || self.rays.iter().filter(|r| r.from <= r.to);
        let (Some(from), Some(to)) = (hits().map(|r| r.from).min(), hits().map(|r| r.to).max()) else {
            return Vec::new();
        };
        let spread = Spread::of(hits().map(|r| &r.ray));
        let chunk = |c: i64| {
            let range = c * LANES..=c * LANES + LANES - 1;
            let bound = self.bricks.map_or(f32::INFINITY, |bricks| self.bound_of_box(bricks, spread.over(&range)));
            (range, bound)
        };
        (from.div_euclid(LANES)..=to.div_euclid(LANES)).map(chunk).collect()
    }

    /// Upper bound of the samples in a box of positions, from coarse bricks first.
    fn bound_of_box(&self, bricks: &Bricks, ends: [[i64; 2]; 3]) -> f32 {
        let [low, high] = [0, 1].map(|end| std::array::from_fn(|a| self.brick_at(a, ends[a][end])));
        let coarse = |b: [usize; 3]| b.map(|b| b >> BRICK_BITS);
        let bound = bricks.coarse.bound(coarse(low), coarse(high), f32::INFINITY);
        let fine = bricks.fine.bound(low, high, bound);
        if bound < fine { bound } else { fine }
    }

    /// The fine brick that the samples at a position along an axis belong to.
    #[inline(always)]
    fn brick_at(&self, axis: usize, position: i64) -> usize {
        let last_cell = self.grid.size[axis].max(2) as i64 - 2;
        ((position >> PLACES).clamp(0, last_cell) >> BRICK_BITS) as usize
    }

    #[inline(always)]
    fn cast_chunk(&mut self, i: usize, chunk: &RangeInclusive<i64>, bound: f32) {
        let aimed = &self.rays[i];
        let (from, to) = (aimed.from.max(*chunk.start()), aimed.to.min(*chunk.end()));
        if from > to || !self.matters(bound, aimed.best.value) {
            return;
        }
        if self.asks.worth_it() {
            let passes = !self.may_improve(aimed, from, to);
            self.asks.learn(passes);
            if passes {
                return;
            }
        }
        let aimed = &self.rays[i];
        let mut best = aimed.best;
        let start = from.min(aimed.to - LANES + 1);
        let (ray, grid) = (&aimed.ray, self.grid);
        let vector = self.unit != Unit::Scalar
            && start >= aimed.from
            && is_inner(grid, ray.at(start))
            && is_inner(grid, ray.at(start + LANES - 1));
        if vector {
            // SAFETY: the unit was chosen for this grid and steps, and between two inner samples all are inner.
            let (value, lane) = unsafe { self.unit.best_of(grid, ray, start) };
            best.take(value, start + lane);
        } else {
            for k in from..=to {
                best.take(grid.value(ray.at(k)), k);
            }
        }
        self.rays[i].best = best;
    }

    /// Whether the bricks around some samples of a ray allow a better one.
    #[inline(always)]
    fn may_improve(&self, aimed: &Aimed, from: i64, to: i64) -> bool {
        let Some(bricks) = self.bricks else { return true };
        let (start, end) = (aimed.ray.at(from), aimed.ray.at(to));
        let low = std::array::from_fn(|a| self.brick_at(a, start[a].min(end[a])));
        let high = std::array::from_fn(|a| self.brick_at(a, start[a].max(end[a])));
        let best = aimed.best.value;
        self.matters(bricks.fine.bound(low, high, best), best)
    }
}

/// Least and greatest base and step of some rays, along each axis.
struct Spread([[i64; 4]; 3]);

impl Spread {
    fn of<'r>(rays: impl Iterator<Item = &'r Ray>) -> Self {
        let mut ends = [[i64::MAX, i64::MIN, i64::MAX, i64::MIN]; 3];
        for ray in rays {
            for (a, e) in ends.iter_mut().enumerate() {
                let (base, step) = (ray.base[a], ray.step[a]);
                *e = [e[0].min(base), e[1].max(base), e[2].min(step), e[3].max(step)];
            }
        }
        Self(ends)
    }

    /// Where samples of these numbers may lie along each axis.
    fn over(&self, samples: &RangeInclusive<i64>) -> [[i64; 2]; 3] {
        self.0.map(|[base_low, base_high, step_low, step_high]| {
            let ways = [*samples.start(), *samples.end()].map(|k| [k * step_low, k * step_high]);
            let (low, high) = (ways.as_flattened().iter().min(), ways.as_flattened().iter().max());
            [base_low + low.copied().unwrap_or(0), base_high + high.copied().unwrap_or(0)]
        })
    }
}
