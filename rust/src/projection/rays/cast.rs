//! Maximum intensity projection along rays from any direction.
//!
//! The picture is cut into tiles of packets of sixteen rays. A tile takes the samples of all its rays in ranges along
//! the rays: first the one with the largest upper bound (see `bricks.rs`), then from front to back those that can still
//! raise a maximum. The samples of a ray are fixed before (see `camera.rs`), and a maximum does not depend on the order
//! it is found in, so neither skipping nor threads can change a bit. [`render_plain`] does without all of that and is
//! the oracle.

use super::bricks::{BRICK_BITS, Bricks};
use super::camera::{Camera, PLACES, Rays};
use super::packet::{Best, Packet, RAYS, SIDE, STEPS, Spread};
use super::sample::{Sampler, fitting};
use crate::cpu::{Level, Vectorize, vectorize};
use crate::error::{Error, Result};
use crate::memory::{try_filled, try_with_room};
use crate::pixel::dispatch_pixel;
use crate::projection::number::Number;
use crate::task::TaskControl;
use crate::voxels::Voxels;
use rayon::prelude::*;

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

    /// Adding zero makes negative zero positive, so that it does not matter which of the two came first.
    #[inline(always)]
    fn store(&mut self, pixel: usize, best: Best) {
        self.values[pixel] = best.value + 0.0;
        if let Some(depth) = self.depths.get_mut(pixel) {
            // `Sampler::samples` refuses numbers beyond an i32; only "none" is one.
            *depth = i32::try_from(best.k).unwrap_or(NOWHERE);
        }
    }
}

/// Renders the volume; with `bricks`, which must be those of these voxels, ranges of rays are skipped.
///
/// # Errors
/// [`Error::BadArgument`] for a camera that sees nothing sensible or too many samples, [`Error::Mismatch`] where the
/// outputs or bricks do not fit, [`Error::Cancelled`].
pub fn render(
    voxels: &Voxels<'_>,
    bricks: Option<&Bricks>,
    camera: &Camera,
    shot: Shot<'_>,
    level: Level,
    control: &TaskControl,
) -> Result<()> {
    shot.check(camera)?;
    if let Some(bricks) = bricks
        && bricks.voxels() != voxels.size()
    {
        let (got, expected) = (format!("{:?}", bricks.voxels()), format!("{:?}", voxels.size()));
        return Err(Error::Mismatch { what: "volume of the bricks", got, expected });
    }
    dispatch_pixel!(voxels.pixel(), T => render_typed(&Sampler::<T>::new(voxels)?, bricks, camera, shot, level, control))
}

/// Renders the volume one sample after the other, skipping none: slow, and what [`render`] is tested against.
///
/// # Errors
/// As [`render`].
pub fn render_plain(voxels: &Voxels<'_>, camera: &Camera, mut shot: Shot<'_>, control: &TaskControl) -> Result<()> {
    shot.check(camera)?;
    dispatch_pixel!(voxels.pixel(), T => {
        let (sampler, rays) = (Sampler::<T>::new(voxels)?, Rays::new(camera));
        for pixel in 0..shot.values.len() {
            control.check()?;
            let ray = rays.of(pixel % camera.size[0], pixel / camera.size[0])?;
            let mut best = Best::default();
            for k in sampler.samples(&ray, rays.first_sample())? {
                best.take(sampler.value(ray.at(k)), k);
            }
            shot.store(pixel, best);
        }
    });
    Ok(())
}

/// Packets of a tile along each side.
const PACKETS: usize = 4;
/// Pixels of a tile along each side.
const TILE: usize = PACKETS * SIDE;

/// Threads take bands of tiles, each of which fills rows of pixels of its own.
fn render_typed<T: Number>(
    sampler: &Sampler<'_, T>,
    bricks: Option<&Bricks>,
    camera: &Camera,
    shot: Shot<'_>,
    level: Level,
    control: &TaskControl,
) -> Result<()> {
    let level = fitting(level, sampler);
    let with_depths = !shot.depths.is_empty();
    let pixels = TILE * camera.size[0];
    let mut depths = shot.depths.chunks_mut(pixels);
    let mut bands = try_with_room(camera.size[1].div_ceil(TILE))?;
    bands.extend(shot.values.chunks_mut(pixels).map(|values| (values, depths.next().unwrap_or_default())));
    bands.into_par_iter().enumerate().try_for_each(|(i, (values, depths))| {
        let (packets, rays) = (try_filled(PACKETS * PACKETS, Packet::default())?, Rays::new(camera));
        let tile = PixelTile { sampler, bricks, level, with_depths, skips: SkipCredit::default(), packets };
        vectorize(TileRow { tile, rays, top: i * TILE, shot: Shot { values, depths }, control })
    })
}

/// A row of tiles.
struct TileRow<'a, 'v, T> {
    /// Aimed at one tile after the other.
    tile: PixelTile<'a, 'v, T>,
    rays: Rays<'a>,
    top: usize,
    /// The rows of pixels from `top` on.
    shot: Shot<'a>,
    control: &'a TaskControl,
}

impl<T: Number> Vectorize for TileRow<'_, '_, T> {
    type Output = Result<()>;
    #[inline(always)]
    fn run(mut self) -> Result<()> {
        for left in (0..self.rays.camera.size[0]).step_by(TILE) {
            self.control.check()?;
            self.tile.aim(&self.rays, [left, self.top])?;
            self.tile.cast()?;
            self.store(left);
        }
        Ok(())
    }
}

impl<T> TileRow<'_, '_, T> {
    #[inline(always)]
    fn store(&mut self, left: usize) {
        let width = self.rays.camera.size[0];
        for (p, packet) in self.tile.packets.iter().enumerate() {
            for lane in 0..RAYS {
                let (column, row) = (left + p % PACKETS * SIDE + lane % SIDE, p / PACKETS * SIDE + lane / SIDE);
                if column < width && row * width < self.shot.values.len() {
                    self.shot.store(row * width + column, packet.best(lane));
                }
            }
        }
    }
}

/// The rays of some neighbouring pixels.
struct PixelTile<'a, 'v, T> {
    sampler: &'a Sampler<'v, T>,
    bricks: Option<&'a Bricks>,
    level: Level,
    /// Whether the first of equal samples is asked for.
    with_depths: bool,
    skips: SkipCredit,
    packets: Vec<Packet>,
}

/// Whether asking the bricks about single packets pays: in noise nearly every range may hold a new maximum. Changes
/// what is skipped, never the result.
#[derive(Debug, Default)]
struct SkipCredit {
    /// Rises with each range that was passed over, falls with each that was not.
    credit: i32,
    turn: u32,
}

impl SkipCredit {
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

/// Samples `from ..= to` of the rays of a tile and what they cannot exceed.
#[derive(Clone, Copy)]
struct SampleRange {
    from: i64,
    to: i64,
    bound: f32,
    /// What they and all samples behind them cannot exceed.
    rest: f32,
}

/// Most ranges of a tile: more than any camera needs whose neighbouring rays enter the volume near each other.
const MOST_RANGES: i64 = 1 << 18;

impl<T: Number> PixelTile<'_, '_, T> {
    /// Turns to the rays of the pixels from `corner` on.
    #[inline(always)]
    fn aim(&mut self, rays: &Rays<'_>, corner: [usize; 2]) -> Result<()> {
        for (p, packet) in self.packets.iter_mut().enumerate() {
            let pixel = [corner[0] + p % PACKETS * SIDE, corner[1] + p / PACKETS * SIDE];
            packet.aim(self.sampler, rays, pixel)?;
        }
        Ok(())
    }

    /// Whether samples of at most `bound` can still matter to rays of which the worst has found `best`.
    #[inline(always)]
    fn matters(&self, bound: f32, best: f32) -> bool {
        bound > best || (self.with_depths && bound == best)
    }

    /// Takes the range with the largest bound first, which often decides, then all from front to back, which memory
    /// likes best, until no range left matters.
    #[inline(always)]
    fn cast(&mut self) -> Result<()> {
        let ranges = self.ranges()?;
        let first = ranges.iter().rev().max_by(|a, b| a.bound.total_cmp(&b.bound));
        if let Some(&first) = first.filter(|_| self.bricks.is_some()) {
            self.cast_all(first);
        }
        for range in ranges {
            let least = self.packets.iter().fold(f32::INFINITY, |a, packet| a.min(packet.least));
            if !self.matters(range.rest, least) {
                break;
            }
            if self.matters(range.bound, least) {
                self.cast_all(range);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn cast_all(&mut self, range: SampleRange) {
        for i in 0..self.packets.len() {
            self.cast_range(i, range);
        }
    }

    /// The ranges of samples of this tile from front to back.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::BadArgument`] for rays whose samples are numbered too far apart.
    fn ranges(&self) -> Result<Vec<SampleRange>> {
        let hits = || self.packets.iter().filter(|p| p.hits());
        let (Some(first), Some(last)) = (hits().map(|p| p.first).min(), hits().map(|p| p.last).max()) else {
            return Ok(Vec::new());
        };
        let numbers = first.div_euclid(STEPS)..=last.div_euclid(STEPS);
        let count = numbers.end() - numbers.start() + 1;
        if count > MOST_RANGES {
            let got = format!("one whose neighbouring rays meet the volume {} samples apart", last - first);
            return Err(Error::BadArgument { name: "camera", got, allowed: "at most 4 million samples are allowed" });
        }
        let spread = hits().fold(Spread::default(), |all, packet| all.joined(&packet.spread));
        let range = |c: i64| {
            let (from, to) = (c * STEPS, c * STEPS + STEPS - 1);
            let bound = self.bricks.map_or(f32::INFINITY, |bricks| self.bound_of_box(bricks, spread.over(from, to)));
            SampleRange { from, to, bound, rest: bound }
        };
        let mut ranges: Vec<SampleRange> = try_with_room(count as usize)?;
        ranges.extend(numbers.map(range));
        for i in (1..ranges.len()).rev() {
            ranges[i - 1].rest = ranges[i - 1].rest.max(ranges[i].rest);
        }
        Ok(ranges)
    }

    /// Upper bound of the samples in a box of positions, from coarse bricks first.
    fn bound_of_box(&self, bricks: &Bricks, ends: [[i64; 2]; 3]) -> f32 {
        let [low, high] = self.bricks_at(ends);
        let coarse = |b: [usize; 3]| b.map(|b| b >> BRICK_BITS);
        let bound = bricks.coarse.bound(coarse(low), coarse(high), f32::INFINITY);
        let fine = bricks.fine.bound(low, high, bound);
        if bound < fine { bound } else { fine }
    }

    /// The fine bricks that the samples at both ends of a box of positions belong to.
    #[inline(always)]
    fn bricks_at(&self, ends: [[i64; 2]; 3]) -> [[usize; 3]; 2] {
        let brick = |axis: usize, position: i64| {
            let last_cell = self.sampler.size[axis].max(2) as i64 - 2;
            ((position >> PLACES).clamp(0, last_cell) >> BRICK_BITS) as usize
        };
        [0, 1].map(|end| std::array::from_fn(|a| brick(a, ends[a][end])))
    }

    #[inline(always)]
    fn cast_range(&mut self, i: usize, range: SampleRange) {
        let packet = &self.packets[i];
        let (from, to) = (packet.first.max(range.from), packet.last.min(range.to));
        if from > to || !self.matters(range.bound, packet.least) {
            return;
        }
        if self.skips.worth_it() {
            let passes = !self.may_improve(packet, from, to);
            self.skips.learn(passes);
            if passes {
                return;
            }
        }
        self.packets[i].take(self.sampler, self.level, from, to);
    }

    /// Whether the bricks around some samples of a packet allow a better one.
    #[inline(always)]
    fn may_improve(&self, packet: &Packet, from: i64, to: i64) -> bool {
        let Some(bricks) = self.bricks else { return true };
        let [low, high] = self.bricks_at(packet.spread.over(from, to));
        self.matters(bricks.fine.bound(low, high, packet.least), packet.least)
    }
}
