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
use crate::memory::{try_filled, try_with_room};
use crate::simd::{Double, Kernel, LANES, Single, narrow, run, widen};
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

/// Memory to filter a block of lines in.
struct Scratch {
    input: Vec<Row>,
    causal: Vec<[f64; LINES]>,
}

impl Scratch {
    fn new(longest: usize) -> Result<Self> {
        Ok(Self { input: try_filled(longest, [0.0; LINES])?, causal: try_filled(longest, [0.0; LINES])? })
    }
}

/// A block of lines being filtered: `scratch.input` in, `store(position, voxels)` out, last position first.
struct Block<'a, F> {
    coefficients: &'a Coefficients,
    scratch: &'a mut Scratch,
    length: usize,
    store: F,
}

impl<F: FnMut(usize, &Row)> Kernel for Block<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { coefficients: c, scratch, length, mut store } = self;
        let input = &scratch.input[..length];
        let causal = &mut scratch.causal[..length];
        filter_causal(simd, c, input, causal);
        filter_anticausal(simd, c, input, causal, &mut store);
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

/// `b[i] = (m1 x[i+1] + ..) - (d1 b[i+1] + ..)`, likewise behind the line; stores `f[i] + b[i]`.
#[inline(always)]
fn filter_anticausal<S: Simd>(
    simd: S,
    c: &Coefficients,
    input: &[Row],
    causal: &[[f64; LINES]],
    store: &mut impl FnMut(usize, &Row),
) {
    let length = input.len();
    let mut history = History::new(load(simd, &input[length - 1]));
    for known in 0..MIN_VOXELS {
        let i = length - 1 - known;
        let weights = (&c.m, &mixed(known, &c.d, &c.behind));
        store(i, &step_anticausal(simd, &mut history, weights, &input[i], &causal[i]));
    }
    for i in (0..length - MIN_VOXELS).rev() {
        store(i, &step_anticausal(simd, &mut history, (&c.m, &c.d), &input[i], &causal[i]));
    }
}

#[inline(always)]
fn step_anticausal<S: Simd>(
    simd: S,
    history: &mut History<S>,
    weights: (&[f64; 4], &[f64; 4]),
    row: &Row,
    causal: &[f64; LINES],
) -> Row {
    let value = history.output(simd, weights.0, weights.1);
    let mut sum = [0.0; LINES];
    narrow(Double::from_slice(simd, &causal[..LANES]) + value[0]).store_slice(&mut sum[..LANES]);
    narrow(Double::from_slice(simd, &causal[LANES..]) + value[1]).store_slice(&mut sum[LANES..]);
    push(&mut history.voxels, load(simd, row));
    push(&mut history.outputs, value);
    sum
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

    /// The derivative of `volume` along `axis`, times the spacing along it, into `out`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::Cancelled`].
    pub(crate) fn derive(&self, axis: usize, volume: &[f32], out: &mut [f32], control: &TaskControl) -> Result<()> {
        if axis == 2 {
            self.filter_columns(Order::Derivative, Some(volume), out, control)?;
            return self.filter_slices([(0, Order::Smooth), (1, Order::Smooth)], None, out, control);
        }
        let passes = [(axis, Order::Derivative), (1 - axis, Order::Smooth)];
        self.filter_slices(passes, Some(volume), out, control)?;
        self.filter_columns(Order::Smooth, None, out, control)
    }

    fn coefficients(&self, axis: usize, order: Order) -> &Coefficients {
        match order {
            Order::Smooth => &self.smooth[axis],
            Order::Derivative => &self.derivative[axis],
        }
    }

    /// Two passes within each slice, from `volume` or in place.
    fn filter_slices(
        &self,
        passes: [(usize, Order); 2],
        volume: Option<&[f32]>,
        out: &mut [f32],
        control: &TaskControl,
    ) -> Result<()> {
        let [nx, ny, _] = self.size.array();
        out.par_chunks_mut(nx * ny).enumerate().try_for_each(|(z, slice)| {
            control.check()?;
            let mut scratch = Scratch::new(nx.max(ny))?;
            let mut source = volume.map(|v| &v[z * nx * ny..(z + 1) * nx * ny]);
            for (axis, order) in passes {
                let filter = self.coefficients(axis, order);
                match axis {
                    0 => self.filter_along_x(filter, source, slice, &mut scratch),
                    _ => self.filter_along_y(filter, source, slice, &mut scratch),
                }
                source = None;
            }
            Ok(())
        })
    }

    fn filter_along_x(&self, filter: &Coefficients, source: Option<&[f32]>, slice: &mut [f32], scratch: &mut Scratch) {
        let nx = self.size.x();
        for (block, rows) in slice.chunks_mut(LINES * nx).enumerate() {
            let first = block * LINES * nx;
            let from = source.map_or(&*rows, |s| &s[first..first + rows.len()]);
            for (line, row) in from.chunks_exact(nx).enumerate() {
                scratch.input.iter_mut().zip(row).for_each(|(to, v)| to[line] = *v);
            }
            self.filter_block(filter, scratch, nx, |x, voxels| {
                rows.iter_mut().skip(x).step_by(nx).zip(voxels).for_each(|(to, v)| *to = *v);
            });
        }
    }

    fn filter_along_y(&self, filter: &Coefficients, source: Option<&[f32]>, slice: &mut [f32], scratch: &mut Scratch) {
        let [nx, ny, _] = self.size.array();
        for x in (0..nx).step_by(LINES) {
            let width = LINES.min(nx - x);
            let from = source.unwrap_or(slice);
            for (to, row) in scratch.input.iter_mut().zip(from.chunks_exact(nx)) {
                copy_row(&mut to[..width], &row[x..x + width]);
            }
            self.filter_block(filter, scratch, ny, |y, voxels| {
                copy_row(&mut slice[y * nx + x..][..width], &voxels[..width]);
            });
        }
    }

    /// One pass along z, from `volume` or in place.
    fn filter_columns(
        &self,
        order: Order,
        volume: Option<&[f32]>,
        out: &mut [f32],
        control: &TaskControl,
    ) -> Result<()> {
        let [nx, ny, nz] = self.size.array();
        let filter = self.coefficients(2, order);
        split_into_strips(out, nx, ny)?.into_par_iter().enumerate().try_for_each(|(n, mut strip)| {
            control.check()?;
            let mut scratch = Scratch::new(nz)?;
            let first = n * STRIP_ROWS * nx;
            for x in (0..strip[0].len()).step_by(LINES) {
                let width = LINES.min(strip[0].len() - x);
                for z in 0..nz {
                    let from = volume.map_or(&*strip[z], |v| &v[z * nx * ny + first..]);
                    copy_row(&mut scratch.input[z][..width], &from[x..x + width]);
                }
                self.filter_block(filter, &mut scratch, nz, |z, voxels| {
                    copy_row(&mut strip[z][x..x + width], &voxels[..width]);
                });
            }
            Ok(())
        })
    }

    fn filter_block(
        &self,
        coefficients: &Coefficients,
        scratch: &mut Scratch,
        length: usize,
        store: impl FnMut(usize, &Row),
    ) {
        run(self.instructions, Block { coefficients, scratch, length, store });
    }
}

/// Rows of a slice that are filtered along z by one task.
const STRIP_ROWS: usize = 8;

/// For every strip of rows its part of each slice.
fn split_into_strips(volume: &mut [f32], nx: usize, ny: usize) -> Result<Vec<Vec<&mut [f32]>>> {
    let slices = volume.len() / (nx * ny);
    let mut strips = try_with_room(ny.div_ceil(STRIP_ROWS))?;
    for _ in 0..ny.div_ceil(STRIP_ROWS) {
        strips.push(try_with_room(slices)?);
    }
    for slice in volume.chunks_mut(nx * ny) {
        for (strip, rows) in strips.iter_mut().zip(slice.chunks_mut(STRIP_ROWS * nx)) {
            Vec::push(strip, rows);
        }
    }
    Ok(strips)
}

/// `f32(sqrt(sum over axes of (derivative / spacing)^2))` of the volume smoothed with the filters' Gaussian.
///
/// # Errors
/// [`Error::OutOfMemory`], [`Error::Cancelled`].
pub(crate) fn magnitude(filters: &Gaussian, volume: &[f32], out: &mut [f32], control: &TaskControl) -> Result<()> {
    let mut work = try_filled(volume.len(), 0.0)?;
    let slice = filters.size.x() * filters.size.y();
    out.fill(0.0);
    for axis in 0..3 {
        filters.derive(axis, volume, &mut work, control)?;
        let h = filters.spacing[axis];
        out.par_chunks_mut(slice).zip(work.par_chunks(slice)).for_each(|(sum, derivative)| {
            for (sum, v) in sum.iter_mut().zip(derivative) {
                let slope = f64::from(*v) / h;
                *sum = (f64::from(*sum) + slope * slope) as f32;
            }
        });
        control.report(0.3 * (axis + 1) as f64);
    }
    out.par_chunks_mut(slice).for_each(|row| row.iter_mut().for_each(|v| *v = v.sqrt()));
    Ok(())
}
