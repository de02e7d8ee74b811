//! Sixteen neighbouring rays that are sampled side by side.

use super::camera::{Fixed3, Ray, Rays};
use super::sample::Sampler;
#[cfg(target_arch = "x86_64")]
use super::sample::{Corner, Stretch, sweep};
use crate::cpu::Level;
use crate::error::Result;
use crate::projection::number::Number;

/// Rays of a packet along each side of its square.
pub(super) const SIDE: usize = 4;
/// Rays of a packet.
pub(super) const RAYS: usize = SIDE * SIDE;
/// Samples of each ray that are taken, or passed over, together.
pub(super) const STEPS: i64 = 16;

/// Value of a pixel whose ray takes no sample, or none that is a number.
pub const NOTHING: f32 = f32::NEG_INFINITY;

/// Largest sample so far and the first one that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) value: f32,
    pub(super) k: i64,
}

impl Default for Best {
    fn default() -> Self {
        Self { value: NOTHING, k: i64::MAX }
    }
}

impl Best {
    /// A sample of [`NOTHING`] is none: the vector units give it for NaN.
    #[inline(always)]
    pub(super) fn take(&mut self, value: f32, k: i64) {
        let found = self.value < value || (self.value == value && k < self.k && value != NOTHING);
        *self = if found { Self { value, k } } else { *self };
    }
}

/// The rays of a square of pixels, their samples and their best ones. Lanes beyond the picture have no samples.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) base: [[i64; RAYS]; 3],
    pub(super) step: [[i64; RAYS]; 3],
    /// First and last sample of each ray; the last comes before the first where there is none.
    ends: [[i64; RAYS]; 2],
    /// Largest sample of each ray so far and the first one that has it, as in [`Best`].
    value: [f32; RAYS],
    k: [i64; RAYS],
    /// First and last sample of any ray.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) spread: Spread,
    /// The worst of the rays' best values; infinite where no ray has samples.
    pub(super) least: f32,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            base: [[0; RAYS]; 3],
            step: [[0; RAYS]; 3],
            ends: [[1; RAYS], [0; RAYS]],
            value: [NOTHING; RAYS],
            k: [i64::MAX; RAYS],
            first: i64::MAX,
            last: i64::MIN,
            spread: Spread::default(),
            least: f32::INFINITY,
        }
    }
}

impl Packet {
    /// Turns to the rays of the pixels from `corner` on.
    #[inline(always)]
    pub(super) fn aim<T: Number>(
        &mut self,
        sampler: &Sampler<'_, T>,
        rays: &Rays<'_>,
        corner: [usize; 2],
    ) -> Result<()> {
        *self = Self::default();
        let size = rays.camera.size;
        for lane in 0..RAYS {
            let [i, j] = [corner[0] + lane % SIDE, corner[1] + lane / SIDE];
            if i < size[0] && j < size[1] {
                self.add(sampler, lane, &rays.of(i, j)?, rays.first_sample())?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn add<T: Number>(&mut self, sampler: &Sampler<'_, T>, lane: usize, ray: &Ray, first: i64) -> Result<()> {
        let samples = sampler.samples(ray, first)?;
        if !samples.is_empty() {
            let (from, to) = samples.into_inner();
            for a in 0..3 {
                (self.base[a][lane], self.step[a][lane]) = (ray.base[a], ray.step[a]);
            }
            (self.ends[0][lane], self.ends[1][lane]) = (from, to);
            (self.first, self.last) = (self.first.min(from), self.last.max(to));
            self.spread.add(ray);
            self.least = NOTHING;
        }
        Ok(())
    }

    /// Whether any ray has samples.
    #[inline(always)]
    pub(super) fn hits(&self) -> bool {
        self.first <= self.last
    }

    /// Takes the samples `from ..= to`, at most [`STEPS`], of every ray.
    #[inline(always)]
    pub(super) fn take<T: Number>(&mut self, sampler: &Sampler<'_, T>, level: Level, from: i64, to: i64) {
        if !self.take_together(sampler, level, from, to) {
            for lane in 0..RAYS {
                let (first, last) = (self.ends[0][lane].max(from), self.ends[1][lane].min(to));
                (first..=last).for_each(|k| self.take_one(sampler, lane, k));
            }
        }
        self.least = self.worst();
    }

    /// What a lane has found.
    #[inline(always)]
    pub(super) fn best(&self, lane: usize) -> Best {
        Best { value: self.value[lane], k: self.k[lane] }
    }

    #[inline(always)]
    fn worst(&self) -> f32 {
        let mut worst = f32::INFINITY;
        for lane in 0..RAYS {
            let value = self.value[lane];
            worst = if self.ends[0][lane] <= self.ends[1][lane] && value < worst { value } else { worst };
        }
        worst
    }

    /// Takes the samples of all rays side by side, where there are instructions for it; says whether there were.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn take_together<T: Number>(&mut self, sampler: &Sampler<'_, T>, level: Level, from: i64, to: i64) -> bool {
        let Some(corner) = Corner::of(sampler, level, self.spread.over(from, to)) else { return false };
        let relative = |ends: &[i64; RAYS]| ends.map(|k| k.saturating_sub(from).clamp(-1, STEPS) as i32);
        let steps = (to - from + 1) as i32;
        let [first, last] = [relative(&self.ends[0]), relative(&self.ends[1])];
        let stretch = Stretch { packet: self, corner, from, steps, first, last };
        // SAFETY: `level` fits the sampler, as `render_typed` saw to; the corner was made for these samples; `first` and
        // `last` keep to samples inside.
        let swept = unsafe { sweep(level, sampler, &stretch) };
        for lane in 0..RAYS {
            let mut best = self.best(lane);
            best.take(swept.value[lane], from + i64::from(swept.at[lane]));
            (self.value[lane], self.k[lane]) = (best.value, best.k);
        }
        if swept.rest != [0; STEPS as usize] {
            self.take_rest(sampler, from, &swept.rest);
        }
        true
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    fn take_together<T: Number>(&mut self, _: &Sampler<'_, T>, _: Level, _: i64, _: i64) -> bool {
        false
    }

    /// Takes the samples at the borders, which the vector units leave.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    fn take_rest<T: Number>(&mut self, sampler: &Sampler<'_, T>, from: i64, rest: &[u16; STEPS as usize]) {
        for (k, lanes) in (from..).zip(rest) {
            (0..RAYS).filter(|lane| lanes >> lane & 1 == 1).for_each(|lane| self.take_one(sampler, lane, k));
        }
    }

    #[inline(always)]
    fn take_one<T: Number>(&mut self, sampler: &Sampler<'_, T>, lane: usize, k: i64) {
        let position: Fixed3 = std::array::from_fn(|a| self.base[a][lane] + k * self.step[a][lane]);
        let mut best = self.best(lane);
        best.take(sampler.value(position), k);
        (self.value[lane], self.k[lane]) = (best.value, best.k);
    }
}

/// Least and greatest base and step of some rays, along each axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread([[i64; 4]; 3]);

impl Default for Spread {
    fn default() -> Self {
        Self([[i64::MAX, i64::MIN, i64::MAX, i64::MIN]; 3])
    }
}

impl Spread {
    #[inline(always)]
    fn add(&mut self, ray: &Ray) {
        for (a, e) in self.0.iter_mut().enumerate() {
            let (base, step) = (ray.base[a], ray.step[a]);
            *e = [e[0].min(base), e[1].max(base), e[2].min(step), e[3].max(step)];
        }
    }

    /// With the rays of another one, too.
    #[inline(always)]
    pub(super) fn joined(self, other: &Self) -> Self {
        Self(std::array::from_fn(|a| {
            let (e, o) = (self.0[a], other.0[a]);
            [e[0].min(o[0]), e[1].max(o[1]), e[2].min(o[2]), e[3].max(o[3])]
        }))
    }

    /// The step of one of the rays, along each axis.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn step(&self) -> [i64; 3] {
        self.0.map(|[_, _, low, _]| low)
    }

    /// Where the samples `from ..= to` may lie along each axis.
    #[inline(always)]
    pub(super) fn over(&self, from: i64, to: i64) -> [[i64; 2]; 3] {
        self.0.map(|[base_low, base_high, step_low, step_high]| {
            let [a, b, c, d] = [(from, step_low), (from, step_high), (to, step_low), (to, step_high)]
                .map(|(k, step)| k.saturating_mul(step));
            let (low, high) = (a.min(b).min(c.min(d)), a.max(b).max(c.max(d)));
            [base_low.saturating_add(low), base_high.saturating_add(high)]
        })
    }
}
