//! Gaussian smoothing and its first derivative as recursive filters.
//!
//! A line of voxels is filtered by a causal pass and an anticausal one of fourth order each, whose sum approximates
//! the convolution with a Gaussian (Farnebäck and Westin, "Improving Deriche-style recursive Gaussian filters", 2006;
//! `itk::RecursiveGaussianImageFilter`). The cost does not depend on sigma. Each pass reads `f32`, computes in `f64`
//! and stores `f32`. Lines are independent, and sixteen neighbouring ones are filtered side by side, so the order of
//! operations along a line, and with it every bit, is the same for any number of threads.

use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::memory::{Zeroed, try_filled, try_with_room};
use crate::simd::{Double, Kernel, LANES, Single, four_by_four, narrow, run, widen};
use crate::task::TaskControl;
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// Voxels that every axis must have.
pub const MIN_VOXELS: usize = 4;

/// Which filter runs along a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Smooth,
    Derivative,
}

/// Coefficients of the two passes; the causal one is `n` over `d`, the anticausal one `m` over `d`.
#[derive(Debug, Clone, Copy)]
struct Coefficients {
    n: [f64; 4],
    d: [f64; 4],
    m: [f64; 4],
    /// `d` where the output before the line would be needed, times the first voxel.
    before: [f64; 4],
    /// The same behind the line, times the last voxel.
    behind: [f64; 4],
}

impl Coefficients {
    /// The filter for a Gaussian of `sigma` voxels.
    fn new(sigma: f64, order: Order) -> Self {
        const W1: f64 = 0.6681;
        const L1: f64 = -1.3932;
        const W2: f64 = 2.0787;
        const L2: f64 = -1.3732;
        let (a1, b1, a2, b2) = match order {
            Order::Smooth => (1.3530, 1.8151, -0.3531, 0.0902),
            Order::Derivative => (-0.6724, -3.4327, 0.6724, 0.6100),
        };
        let ((s1, c1), e1) = ((W1 / sigma).sin_cos(), (L1 / sigma).exp());
        let ((s2, c2), e2) = ((W2 / sigma).sin_cos(), (L2 / sigma).exp());
        let d = [
            -2.0 * (e2 * c2 + e1 * c1),
            4.0 * c2 * c1 * e1 * e2 + (e1 * e1 + e2 * e2),
            -2.0 * c1 * e1 * e2 * e2 + -2.0 * c2 * e2 * e1 * e1,
            e1 * e1 * e2 * e2,
        ];
        let raw = [
            a1 + a2,
            e2 * (b2 * s2 - (a2 + 2.0 * a1) * c2) + e1 * (b1 * s1 - (a1 + 2.0 * a2) * c1),
            ((a1 + a2) * c2 * c1 - (b1 * c2 * s1 + b2 * c1 * s2)) * 2.0 * e1 * e2 + (a2 * e1 * e1 + a1 * e2 * e2),
            e2 * e1 * e1 * (b2 * s2 - a2 * c2) + e1 * e2 * e2 * (b1 * s1 - a1 * c1),
        ];
        let sd = 1.0 + d[0] + d[1] + d[2] + d[3];
        let dd = d[0] + 2.0 * d[1] + 3.0 * d[2] + 4.0 * d[3];
        let sn = raw[0] + raw[1] + raw[2] + raw[3];
        let dn = raw[1] + 2.0 * raw[2] + 3.0 * raw[3];
        let area = match order {
            Order::Smooth => 2.0 * sn / sd - raw[0],
            Order::Derivative => 2.0 * (sn * dd - dn * sd) / (sd * sd),
        };
        Self::normalized(raw.map(|v| v * (1.0 / area)), d, order)
    }

    /// Completes the filter whose causal pass is `n` over `d`.
    fn normalized(n: [f64; 4], d: [f64; 4], order: Order) -> Self {
        let mut m = [n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]];
        if order == Order::Derivative {
            m = m.map(|v| -v);
        }
        let sn = n[0] + n[1] + n[2] + n[3];
        let sm = m[0] + m[1] + m[2] + m[3];
        let sd = 1.0 + d[0] + d[1] + d[2] + d[3];
        Self { n, d, m, before: d.map(|v| v * sn / sd), behind: d.map(|v| v * sm / sd) }
    }

    fn is_finite(&self) -> bool {
        [self.n, self.d, self.m, self.before, self.behind].iter().flatten().all(|v| v.is_finite())
    }
}

/// Lines filtered side by side: two vectors of double precision, which hide each other's latency.
const LINES: usize = 2 * LANES;

/// Voxels of a block of lines at one position.
type Row = [f32; LINES];

/// Copies up to a whole row; of a whole one the compiler knows the length, which saves a call.
#[inline(always)]
fn copy_row(to: &mut [f32], from: &[f32]) {
    match (<&mut Row>::try_from(&mut *to), <&Row>::try_from(from)) {
        (Ok(to), Ok(from)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}

/// Memory to filter blocks of lines in.
struct Scratch {
    rows: Vec<Row>,
    causal: Vec<[f64; LINES]>,
    line: Vec<f32>,
}

impl Scratch {
    /// For lines of up to `longest` voxels, `blocks` blocks of them at a time.
    fn new(longest: usize, blocks: usize) -> Result<Self> {
        Ok(Self {
            rows: try_filled(blocks * longest, [0.0; LINES])?,
            causal: try_filled(longest, [0.0; LINES])?,
            line: try_filled(blocks * LINES, 0.0)?,
        })
    }
}

/// A block of lines that is filtered in place.
struct Block<'a> {
    coefficients: &'a Coefficients,
    rows: &'a mut [Row],
    causal: &'a mut [[f64; LINES]],
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let causal = &mut self.causal[..self.rows.len()];
        filter_causal(simd, self.coefficients, self.rows, causal);
        filter_anticausal(simd, self.coefficients, self.rows, causal);
    }
}

/// The same for lines that follow each other in memory: they are turned into rows and back.
struct Lines<'a> {
    block: Block<'a>,
    /// Where the lines are read, if not where they are written.
    source: Option<&'a [f32]>,
    lines: &'a mut [f32],
}

impl Kernel for Lines<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { block, source, lines } = self;
        let Block { coefficients, rows, causal } = block;
        lines_to_rows(simd, source.unwrap_or(lines), rows);
        Block { coefficients, rows: &mut *rows, causal }.run(simd);
        rows_to_lines(simd, rows, lines);
    }
}

/// Neighbouring lines and positions that are turned at once.
const FOUR: usize = 4;

#[inline(always)]
fn lines_to_rows<S: Simd>(simd: S, lines: &[f32], rows: &mut [Row]) {
    let length = rows.len();
    for (group, lines) in lines.chunks(FOUR * length).enumerate() {
        let mut turned = 0;
        if lines.len() == FOUR * length {
            let (upper, lower) = lines.split_at(2 * length);
            let ((a, b), (c, d)) = (upper.split_at(length), lower.split_at(length));
            while turned + FOUR <= length {
                let quarters = four_by_four(simd, [a, b, c, d], turned);
                for (row, quarter) in rows[turned..turned + FOUR].iter_mut().zip(quarters) {
                    quarter.store_slice(&mut row[FOUR * group..][..FOUR]);
                }
                turned += FOUR;
            }
        }
        for (line, voxels) in lines.chunks_exact(length).enumerate() {
            let places = rows[turned..].iter_mut().zip(&voxels[turned..]);
            places.for_each(|(row, voxel)| row[FOUR * group + line] = *voxel);
        }
    }
}

#[inline(always)]
fn rows_to_lines<S: Simd>(simd: S, rows: &[Row], lines: &mut [f32]) {
    let length = rows.len();
    for (group, lines) in lines.chunks_mut(FOUR * length).enumerate() {
        let mut turned = 0;
        while lines.len() == FOUR * length && turned + FOUR <= length {
            let [a, b, c, d] = [0, 1, 2, 3].map(|n| &rows[turned + n][..]);
            let quarters = four_by_four(simd, [a, b, c, d], FOUR * group);
            for (line, quarter) in lines.chunks_exact_mut(length).zip(quarters) {
                quarter.store_slice(&mut line[turned..turned + FOUR]);
            }
            turned += FOUR;
        }
        for (line, voxels) in lines.chunks_exact_mut(length).enumerate() {
            let places = rows[turned..].iter().zip(&mut voxels[turned..]);
            places.for_each(|(row, voxel)| *voxel = row[FOUR * group + line]);
        }
    }
}

/// The two vectors of a row.
type Pair<S> = [Double<S>; 2];

// Functions rather than closures: only they can be forced into the code that has the instructions.

#[inline(always)]
fn load<S: Simd>(simd: S, row: &Row) -> Pair<S> {
    [widen(Single::from_slice(simd, &row[..LANES])), widen(Single::from_slice(simd, &row[LANES..]))]
}

/// `((c[0] v[0] + c[1] v[1]) + c[2] v[2]) + c[3] v[3]` of one half.
#[inline(always)]
fn weigh<S: Simd>(simd: S, c: &[f64; 4], v: &[Pair<S>; 4], half: usize) -> Double<S> {
    v[0][half] * Double::splat(simd, c[0])
        + v[1][half] * Double::splat(simd, c[1])
        + v[2][half] * Double::splat(simd, c[2])
        + v[3][half] * Double::splat(simd, c[3])
}

/// The last four values of a sequence, the newest first.
#[inline(always)]
fn push<S: Simd>(history: &mut [Pair<S>; 4], newest: Pair<S>) {
    *history = [newest, history[0], history[1], history[2]];
}

/// The last four voxels and the last four outputs of one of the two passes.
struct History<S: Simd> {
    voxels: [Pair<S>; 4],
    outputs: [Pair<S>; 4],
}

impl<S: Simd> History<S> {
    /// Before the line every voxel is `first`, and so is what an output is weighed with.
    #[inline(always)]
    fn new(first: Pair<S>) -> Self {
        Self { voxels: [first; 4], outputs: [first; 4] }
    }

    /// The next output from the weights of voxels and outputs.
    #[inline(always)]
    fn output(&self, simd: S, voxels: &[f64; 4], outputs: &[f64; 4]) -> Pair<S> {
        [
            weigh(simd, voxels, &self.voxels, 0) - weigh(simd, outputs, &self.outputs, 0),
            weigh(simd, voxels, &self.voxels, 1) - weigh(simd, outputs, &self.outputs, 1),
        ]
    }
}

/// `f[i] = (n0 x[i] + n1 x[i-1] + ..) - (d1 f[i-1] + ..)`; before the line x is x[0], and `before` times x[0] replaces
/// the product of d with a missing f.
#[inline(always)]
fn filter_causal<S: Simd>(simd: S, c: &Coefficients, input: &[Row], causal: &mut [[f64; LINES]]) {
    let mut history = History::new(load(simd, &input[0]));
    for i in 0..MIN_VOXELS {
        step_causal(simd, &mut history, (&c.n, &mixed(i, &c.d, &c.before)), &input[i], &mut causal[i]);
    }
    for (row, out) in input.iter().zip(causal).skip(MIN_VOXELS) {
        step_causal(simd, &mut history, (&c.n, &c.d), row, out);
    }
}

#[inline(always)]
fn step_causal<S: Simd>(
    simd: S,
    history: &mut History<S>,
    weights: (&[f64; 4], &[f64; 4]),
    row: &Row,
    out: &mut [f64; LINES],
) {
    push(&mut history.voxels, load(simd, row));
    let value = history.output(simd, weights.0, weights.1);
    value[0].store_slice(&mut out[..LANES]);
    value[1].store_slice(&mut out[LANES..]);
    push(&mut history.outputs, value);
}

/// `b[i] = (m1 x[i+1] + ..) - (d1 b[i+1] + ..)`, likewise behind the line; `f[i] + b[i]` replaces `x[i]`.
#[inline(always)]
fn filter_anticausal<S: Simd>(simd: S, c: &Coefficients, rows: &mut [Row], causal: &[[f64; LINES]]) {
    let length = rows.len();
    let mut history = History::new(load(simd, &rows[length - 1]));
    for known in 0..MIN_VOXELS {
        let i = length - 1 - known;
        let weights = (&c.m, &mixed(known, &c.d, &c.behind));
        step_anticausal(simd, &mut history, weights, &mut rows[i], &causal[i]);
    }
    for i in (0..length - MIN_VOXELS).rev() {
        step_anticausal(simd, &mut history, (&c.m, &c.d), &mut rows[i], &causal[i]);
    }
}

#[inline(always)]
fn step_anticausal<S: Simd>(
    simd: S,
    history: &mut History<S>,
    weights: (&[f64; 4], &[f64; 4]),
    row: &mut Row,
    causal: &[f64; LINES],
) {
    let value = history.output(simd, weights.0, weights.1);
    push(&mut history.voxels, load(simd, row));
    narrow(Double::from_slice(simd, &causal[..LANES]) + value[0]).store_slice(&mut row[..LANES]);
    narrow(Double::from_slice(simd, &causal[LANES..]) + value[1]).store_slice(&mut row[LANES..]);
    push(&mut history.outputs, value);
}

/// The weights of the four earlier outputs where only `known` of them exist.
fn mixed(known: usize, inside: &[f64; 4], outside: &[f64; 4]) -> [f64; 4] {
    std::array::from_fn(|k| if k < known { inside[k] } else { outside[k] })
}

/// Derivatives of a volume that is smoothed with a Gaussian.
#[derive(Debug, Clone, Copy)]
pub struct Gaussian {
    size: Size3,
    spacing: [f64; 3],
    smooth: [Coefficients; 3],
    derivative: [Coefficients; 3],
    instructions: Instructions,
}

impl Gaussian {
    /// Filters for a Gaussian of `sigma` mm on a volume.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for an axis with fewer than [`MIN_VOXELS`] voxels, and for a sigma that is not positive,
    /// larger than the volume along an axis, or so much smaller than the spacing that the filter does not exist.
    pub fn new(sigma: f64, size: Size3, spacing: Spacing3, instructions: Instructions) -> Result<Self> {
        let h = spacing.array();
        let bad = |allowed| Err(Error::BadArgument { name: "sigma", got: format!("{sigma} mm"), allowed });
        if !(sigma > 0.0 && sigma.is_finite()) {
            return bad("it must be finite and > 0");
        }
        if size.array().iter().any(|&n| n < MIN_VOXELS) {
            return bad("smoothing needs at least 4 voxels along every axis; use sigma 0 or a thicker volume");
        }
        if (0..3).any(|a| sigma > h[a] * size.array()[a] as f64) {
            return bad("it must not exceed the extent of the volume (voxels times spacing) along any axis");
        }
        let smooth = h.map(|h| Coefficients::new(sigma / h, Order::Smooth));
        let derivative = h.map(|h| Coefficients::new(sigma / h, Order::Derivative));
        if smooth.iter().chain(&derivative).any(|c| !c.is_finite()) {
            return bad("it is too small beside the spacing; use sigma 0 or at least a tenth of the spacing");
        }
        Ok(Self { size, spacing: h, smooth, derivative, instructions })
    }

    /// Finds the derivative of `volume` along `axis`, times the spacing along it, and hands it piece by piece, with the
    /// same piece of `out`, to `take`. `work` is as large as the volume.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::Cancelled`].
    pub(crate) fn derive<T: Send>(
        &self,
        axis: usize,
        volume: &[f32],
        work: &mut [f32],
        out: &mut [T],
        take: impl Fn(&[f32], &mut [T]) + Sync,
        control: &TaskControl,
    ) -> Result<()> {
        let [nx, ny, _] = self.size.array();
        let scratch = || Scratch::new(nx.max(ny), 1);
        if axis == 2 {
            self.filter_columns(Order::Derivative, volume, work, |from, to| to.copy_from_slice(from), control)?;
            let slices = work.par_chunks_mut(nx * ny).zip(out.par_chunks_mut(nx * ny));
            return slices.try_for_each_init(scratch, |scratch, (slice, out)| {
                control.check()?;
                self.filter_slice([(0, Order::Smooth), (1, Order::Smooth)], None, slice, ready(scratch)?);
                take(slice, out);
                Ok(())
            });
        }
        let passes = [(axis, Order::Derivative), (1 - axis, Order::Smooth)];
        let slices = volume.par_chunks(nx * ny).zip(work.par_chunks_mut(nx * ny));
        slices.try_for_each_init(scratch, |scratch, (source, slice)| {
            control.check()?;
            self.filter_slice(passes, Some(source), slice, ready(scratch)?);
            Ok(())
        })?;
        self.filter_columns(Order::Smooth, work, out, take, control)
    }

    fn coefficients(&self, axis: usize, order: Order) -> &Coefficients {
        match order {
            Order::Smooth => &self.smooth[axis],
            Order::Derivative => &self.derivative[axis],
        }
    }

    /// Two passes within a slice, from `source` or in place.
    fn filter_slice(
        &self,
        passes: [(usize, Order); 2],
        mut source: Option<&[f32]>,
        slice: &mut [f32],
        scratch: &mut Scratch,
    ) {
        for (axis, order) in passes {
            let filter = self.coefficients(axis, order);
            match axis {
                0 => self.filter_along_x(filter, source, slice, scratch),
                _ => self.filter_along_y(filter, source, slice, scratch),
            }
            source = None;
        }
    }

    fn filter_along_x(&self, filter: &Coefficients, source: Option<&[f32]>, slice: &mut [f32], scratch: &mut Scratch) {
        let nx = self.size.x();
        for (block, lines) in slice.chunks_mut(LINES * nx).enumerate() {
            let source = source.map(|s| &s[block * LINES * nx..][..lines.len()]);
            let block = Block { coefficients: filter, rows: &mut scratch.rows[..nx], causal: &mut scratch.causal };
            run(self.instructions, Lines { block, source, lines });
        }
    }

    fn filter_along_y(&self, filter: &Coefficients, source: Option<&[f32]>, slice: &mut [f32], scratch: &mut Scratch) {
        let [nx, ny, _] = self.size.array();
        for x in (0..nx).step_by(LINES) {
            let width = LINES.min(nx - x);
            let rows = &mut scratch.rows[..ny];
            for (to, row) in rows.iter_mut().zip(source.unwrap_or(slice).chunks_exact(nx)) {
                copy_row(&mut to[..width], &row[x..x + width]);
            }
            run(self.instructions, Block { coefficients: filter, rows: &mut *rows, causal: &mut scratch.causal });
            for (row, voxels) in slice.chunks_exact_mut(nx).zip(rows) {
                copy_row(&mut row[x..x + width], &voxels[..width]);
            }
        }
    }

    /// One pass along z; what comes out goes to `take`, with the same piece of `out`.
    fn filter_columns<T: Send>(
        &self,
        order: Order,
        volume: &[f32],
        out: &mut [T],
        take: impl Fn(&[f32], &mut [T]) + Sync,
        control: &TaskControl,
    ) -> Result<()> {
        let [nx, ny, nz] = self.size.array();
        let rows = (STRIP / (nx * nz)).clamp(1, ny);
        let scratch = || Scratch::new(nz, (rows * nx).div_ceil(LINES));
        let strips = split_into_strips(out, rows * nx, nx * ny)?.into_par_iter().enumerate();
        strips.try_for_each_init(scratch, |scratch, (n, strip)| {
            control.check()?;
            let Scratch { rows: blocks, causal, line } = ready(scratch)?;
            let first = n * rows * nx;
            let width = strip.first().map_or(0, |part| part.len());
            for (z, slice) in volume.chunks_exact(nx * ny).enumerate() {
                let parts = slice[first..first + width].chunks(LINES).enumerate();
                parts.for_each(|(n, part)| copy_row(&mut blocks[n * nz + z][..part.len()], part));
            }
            for rows in blocks.chunks_exact_mut(nz).take(width.div_ceil(LINES)) {
                run(self.instructions, Block { coefficients: self.coefficients(2, order), rows, causal });
            }
            for (z, out) in strip.into_iter().enumerate() {
                let parts = line[..width].chunks_mut(LINES).enumerate();
                parts.for_each(|(n, part)| copy_row(part, &blocks[n * nz + z][..part.len()]));
                take(&line[..width], out);
            }
            Ok(())
        })
    }
}

/// Scratch memory, unless it was refused.
fn ready(scratch: &mut Result<Scratch>) -> Result<&mut Scratch> {
    scratch.as_mut().map_err(|refused| refused.clone())
}

/// Voxels that are filtered along z by one task, about: they stay in the second cache.
const STRIP: usize = 1 << 15;

/// For every strip of `width` values its part of each slice of `slice` values.
fn split_into_strips<T>(volume: &mut [T], width: usize, slice: usize) -> Result<Vec<Vec<&mut [T]>>> {
    let (slices, count) = (volume.len() / slice, slice.div_ceil(width));
    let mut strips = try_with_room(count)?;
    for _ in 0..count {
        strips.push(try_with_room(slices)?);
    }
    for slice in volume.chunks_mut(slice) {
        for (strip, part) in strips.iter_mut().zip(slice.chunks_mut(width)) {
            Vec::push(strip, part);
        }
    }
    Ok(strips)
}

/// Adds the squares of derivatives to those along the axes before; behind the last axis takes the root.
struct Squares<'a> {
    axis: usize,
    /// Spacing along the axis.
    h: f64,
    derivative: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { axis, h, derivative, sums } = self;
        let pairs = sums.iter_mut().zip(derivative);
        if axis == 0 {
            for (sum, v) in pairs {
                *sum = with_square(0.0, *v, h);
            }
        } else if axis == 1 {
            for (sum, v) in pairs {
                *sum = with_square(*sum, *v, h);
            }
        } else {
            for (sum, v) in pairs {
                *sum = with_square(*sum, *v, h).sqrt();
            }
        }
    }
}

#[inline(always)]
fn with_square(sum: f32, derivative: f32, h: f64) -> f32 {
    let slope = f64::from(derivative) / h;
    (f64::from(sum) + slope * slope) as f32
}

/// `f32(sqrt(sum over axes of (derivative / spacing)^2))` of the volume smoothed with the filters' Gaussian.
///
/// # Errors
/// [`Error::OutOfMemory`], [`Error::Cancelled`].
pub(crate) fn magnitude(filters: &Gaussian, volume: &[f32], out: &mut [f32], control: &TaskControl) -> Result<()> {
    let mut work = Zeroed::dense(volume.len())?;
    for axis in 0..3 {
        let h = filters.spacing[axis];
        let add = |derivative: &[f32], sums: &mut [f32]| {
            run(filters.instructions, Squares { axis, h, derivative, sums });
        };
        filters.derive(axis, volume, &mut work, out, add, control)?;
        control.report(0.3 * (axis + 1) as f64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::run_on;

    /// A pass along one line, as the module defines it.
    fn filter_line(c: &Coefficients, x: &[f32]) -> Vec<f32> {
        let weigh = |c: &[f64; 4], v: [f64; 4]| c[0] * v[0] + c[1] * v[1] + c[2] * v[2] + c[3] * v[3];
        let pass = |x: Vec<f64>, voxels: &[f64; 4], newest: usize, end: &[f64; 4]| {
            let mut out: Vec<f64> = Vec::new();
            for i in 0..x.len() {
                let voxel = |k: usize| if i + newest < k + 1 { x[0] } else { x[i + newest - k - 1] };
                let known = i.min(4);
                let before = |k: usize| if k < known { out[i - 1 - k] } else { x[0] };
                let [a, b] = [std::array::from_fn(voxel), std::array::from_fn(before)];
                out.push(weigh(voxels, a) - weigh(&mixed(known, &c.d, end), b));
            }
            out
        };
        let forth: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let back = forth.iter().rev().copied().collect();
        let causal = pass(forth, &c.n, 1, &c.before);
        let anticausal = pass(back, &c.m, 0, &c.behind);
        causal.iter().zip(anticausal.iter().rev()).map(|(f, b)| (f + b) as f32).collect()
    }

    fn filter_axis(size: Size3, axis: usize, c: &Coefficients, volume: &[f32]) -> Vec<f32> {
        let (stride, length) = (size.strides()[axis], size.array()[axis]);
        let mut out = volume.to_vec();
        for first in (0..volume.len()).filter(|at| size.voxel(*at)[axis] == 0) {
            let line: Vec<f32> = (0..length).map(|i| volume[first + i * stride]).collect();
            filter_line(c, &line).iter().enumerate().for_each(|(i, v)| out[first + i * stride] = *v);
        }
        out
    }

    #[test]
    fn blocks_and_strips_of_any_size_equal_single_lines() {
        for size in [[4, 4, 4], [33, 5, 250], [18, 33, 6]] {
            let size = Size3::new(size).unwrap();
            let volume: Vec<f32> = (0..size.voxels()).map(|i| (i * i % 1013) as f32 - 500.0).collect();
            for instructions in Instructions::ALL {
                let filters = Gaussian::new(0.9, size, Spacing3::new([0.7, 1.0, 1.3]).unwrap(), instructions).unwrap();
                for axis in 0..3 {
                    let mut expected = filter_axis(size, axis, filters.coefficients(axis, Order::Derivative), &volume);
                    for other in (0..3).filter(|other| *other != axis) {
                        let smooth = filters.coefficients(other, Order::Smooth);
                        expected = filter_axis(size, other, smooth, &expected);
                    }
                    let (mut work, mut found) = (vec![0.0; volume.len()], vec![0.0; volume.len()]);
                    let (control, take) =
                        (TaskControl::default(), |from: &[f32], to: &mut [f32]| to.copy_from_slice(from));
                    run_on(2, || filters.derive(axis, &volume, &mut work, &mut found, take, &control)).unwrap();
                    assert!(found == expected, "{size:?} {instructions:?} {axis}");
                }
            }
        }
    }
}
