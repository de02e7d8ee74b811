//! Level-set evolution: a surface that moves over a scan until it rests on edges.
//!
//! # Equation
//!
//! The surface is where a function phi is 0; phi is negative inside. With the speed F and the advection field V, which come
//! from the scan, and the weights p, c and a, phi follows
//!
//! ```text
//! d phi / dt = c K F |grad phi|  -  p F |grad phi|  -  a V . grad phi
//! ```
//!
//! K is the sum of the principal curvatures (for [`Kind::Curves`] the smaller one), so `c > 0` smooths the surface; `p F > 0`
//! makes it grow; `a V` carries it along. For [`Kind::Geodesic`] and [`Kind::Curves`] F is a feature image
//! ([`crate::features`]) and V minus its gradient, which points to edges. For [`Kind::Threshold`] F is positive for grey
//! values between two thresholds, for [`Kind::Laplacian`] it is the Laplacian of the scan; there V is 0 and K has no factor F.
//! (Caselles, Kimmel and Sapiro, "Geodesic active contours", Int J Comput Vis 22(1), 1997; Lorigo et al., "CURVES", Med Image
//! Anal 5(3), 2001.)
//!
//! Derivatives are along the axes of the array in units of mm: directions play no part. All of it is in single precision,
//! one rounding an operation, in the order of `itk::LevelSetFunction`; products with `1 / spacing` are made in double.
//!
//! # The sparse field
//!
//! phi is kept only in a band around the surface (Whitaker, "A level-set approach to 3D reconstruction from range data", Int
//! J Comput Vis 29(3), 1998; `itk::SparseFieldLevelSetImageFilter`). With h the smallest spacing:
//!
//! ```text
//! layer     far   5     3     1   active  2     4     6    far       (inside: odd, outside: even)
//! phi / h   -4   -3    -2    -1     0     1     2     3     4        (about; an active voxel has -1/2 to 1/2)
//! ```
//!
//! * An *active* voxel is one that the surface goes through. Only there the equation is solved.
//! * A voxel of *layer* n gets the value of its neighbour in the layer before that is nearest to the surface, and one h more.
//! * The *status* of a voxel says which layer it is in. *Far* voxels have no list; they hold 4 h or -4 h.
//! * The *frame* is the outermost layer of the volume. Its voxels stay far, but for those that were in the band at the start.
//!
//! Hence the result is a band, no map of distances, and distances within the band are along the axes from layer 1 on.
//!
//! # An iteration
//!
//! * **A** finds d phi / dt at each active voxel, and the largest magnitude of each term, from which the time step follows:
//!   no term moves a voxel by more than h / 6. More than half of the time goes here. F and V are read where the surface is,
//!   not at the voxel.
//! * **B** adds time step times rate. A voxel whose new value is still within h / 2 gets it. The others are *movers*.
//! * **C** goes through the movers in the order of the list. One with a neighbour that has just been moved the other way is
//!   *blocked*: it stays, unchanged. The others leave the active layer outwards or inwards, and the voxels behind them follow, layer
//!   by layer. Movers are few: one active voxel in 400 on a smooth front, one in 10 on a front that trembles in noise.
//! * **D** computes the layers from 1 and 2 to 5 and 6. A voxel without neighbour in the layer before goes one layer further out.
//!
//! The sum of squared changes, the RMS of which can end the evolution, is made in the order of the list.
//!
//! # Why threads cannot change a bit
//!
//! What depends on order is done by one thread in ITK's order: blocking, the new order of the active list, the sum of
//! squares. Everything else is exact minima and maxima, or a value that is computed from others that nobody writes in the
//! same phase. The invariants:
//!
//! 1. The active list (`Front::active`) is ITK's list from its end to its front. C is the only phase that changes it.
//! 2. The lists of layers have no order. A voxel of layer n is in list n; what else is in the list is void, and dropped by the
//!    next phase D.
//! 3. `inner` lists hold no voxel of the frame, so the six neighbours of what they hold are inside the volume.
//! 4. A reads phi and writes rates. B writes phi at active voxels only, each from its own old value.
//! 5. D treats layers n and n + 1, inside and outside, at once: each reads voxels of the layer before it on its side (active ones for
//!    1 and 2), which nobody writes meanwhile, and writes value and status of its own voxels. Values of other voxels may be
//!    read while they are written; their status says that they do not count. Hence atomics.
//! 6. Between the phases all members of the team wait for each other.
//!
//! Vectors compute eight active voxels with the operations of one; see `simd.rs`.
//!
//! # Memory
//!
//! Beside phi, which is the result, one byte a voxel for the status, of which only the pages that the band touches are used, and
//! the speed (the feature image itself). V is found from the speed where it is read; only with a sigma it is stored. Everything
//! else is in proportion to the band.

#![allow(clippy::needless_range_loop, reason = "the index is an axis or a lane of several arrays")]

mod crew;
mod diffusion;
mod fields;
mod front;
mod lattice;
mod sampling;
mod start;
mod update;

pub use diffusion::Diffusion;
pub use front::Iteration;

use crate::cpu::Instructions;
use crate::error::{Error, Result};
use crate::grid::{Size3, Spacing3};
use crate::memory::{Zeroed, try_push};
use crate::task::TaskControl;
use crate::team::Team;
use crate::voxels::Voxels;
use crew::Crew;
use fields::Fields;
use front::Front;
use lattice::Lattice;
use update::Terms;

/// What the surface is drawn to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Valleys of a feature image.
    Geodesic,
    /// The same with the smaller principal curvature, which keeps thin vessels from being pinched off.
    Curves,
    /// Grey values between two thresholds.
    Threshold {
        /// Least grey value inside.
        lower: f32,
        /// Greatest grey value inside.
        upper: f32,
        /// Adds the edges of the smoothed scan to the speed.
        edges: Option<Diffusion>,
    },
    /// Zero crossings of the Laplacian of the scan.
    Laplacian,
}

/// How a surface evolves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evolution {
    /// What the surface is drawn to.
    pub kind: Kind,
    /// Weight of the propagation term.
    pub propagation: f64,
    /// Weight of the curvature term.
    pub curvature: f64,
    /// Weight of the advection term, for geodesic and curves.
    pub advection: f64,
    /// Standard deviation in mm of the Gaussian with which the feature is smoothed before its gradient is taken.
    pub advection_sigma: f64,
    /// The most iterations.
    pub iterations: u64,
    /// The surface has come to rest once the RMS change of an iteration is below this, in mm.
    pub max_rms: f64,
    /// Whether defects of VMTK are kept: curves runs backwards, and minimal curvature is NaN where the gradient of phi
    /// vanishes.
    pub compat: bool,
    /// Instructions of the inner loops; they do not change the result.
    pub instructions: Instructions,
}

impl Evolution {
    /// What errors call the image that the surface is drawn to.
    pub fn image_name(&self) -> &'static str {
        match self.kind {
            Kind::Geodesic | Kind::Curves => "the feature image",
            Kind::Threshold { .. } | Kind::Laplacian => "the scan",
        }
    }

    fn terms(&self) -> Terms {
        let sign = match self.kind {
            Kind::Laplacian => -1.0,
            Kind::Curves if self.compat => -1.0,
            _ => 1.0,
        };
        let featured = matches!(self.kind, Kind::Geodesic | Kind::Curves);
        Terms {
            propagation: weight(sign * self.propagation),
            curvature: weight(self.curvature),
            advection: if featured { weight(sign * self.advection) } else { 0.0 },
            minimal: self.kind == Kind::Curves,
            guarded: !self.compat,
            curvature_uses_speed: featured,
        }
    }
}

/// A weight in single precision; 0 where ITK takes it for 0.
fn weight(weight: f64) -> f32 {
    let weight = weight as f32;
    if f64::from(weight.abs()) <= 0.1 * f64::from(f32::EPSILON) { 0.0 } else { weight }
}

/// Why an evolution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All iterations were done.
    Iterations,
    /// The surface came to rest.
    Rest,
}

/// What an evolution did.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Each iteration.
    pub iterations: Vec<Iteration>,
    /// Why it ended.
    pub stop: Stop,
    /// Whether the surface, or a voxel beside it, was on the frame of the volume at the start.
    pub touches_frame: bool,
}

/// A level set to start from.
#[derive(Debug, Clone, Copy)]
pub struct Initial<'a> {
    /// Values: of a level set, or of a mask that is not 0 inside.
    pub voxels: Voxels<'a>,
    /// Whether it is a mask.
    pub mask: bool,
}

/// The union of level sets, with its surface at 0: what an evolution starts from.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The level sets, at least one, all of the size of the volume.
    pub parts: &'a [Initial<'a>],
    /// Where the surface is in those that are not masks.
    pub isosurface: f32,
}

/// Evolves `start` into `phi` by `image`: the feature image of [`Kind::Geodesic`] and [`Kind::Curves`], else the scan. The
/// result is a band: within 3.5 times the smallest spacing around the surface it grows by that spacing a voxel, elsewhere
/// it is 4 times that spacing or its negative.
///
/// Must be called on a worker of a pool that nobody else uses (a [`crate::task::PoolLease`]).
///
/// # Errors
/// [`Error::BadVoxel`] for a voxel of `start` that is not finite, [`Error::BadArgument`] for one without a surface and for a
/// sigma that does not fit the volume, [`Error::Mismatch`], [`Error::TooLarge`], [`Error::OutOfMemory`],
/// [`Error::Cancelled`].
pub fn evolve(
    start: &Start<'_>,
    phi: &mut [f32],
    image: Zeroed<f32>,
    size: Size3,
    spacing: Spacing3,
    job: &Evolution,
    control: &TaskControl,
) -> Result<Report> {
    let lengths = start.parts.iter().map(|part| part.voxels.size().voxels());
    for length in lengths.chain([phi.len(), image.len()]) {
        Error::check_lengths("number of voxels", length, size.voxels())?;
    }
    let lattice = Lattice::new(size, spacing)?;
    let terms = job.terms();
    let fields = Fields::new(job, &terms, &lattice, image, control)?;
    let mut front = start::start(lattice, start, phi, job.instructions, control)?;
    Team::run(|leader| iterate(&mut front, &mut Crew::new(leader, control)?, &fields, terms, job, control))
}

fn iterate(
    front: &mut Front<'_>,
    crew: &mut Crew<'_>,
    fields: &Fields,
    terms: Terms,
    job: &Evolution,
    control: &TaskControl,
) -> Result<Report> {
    let touches_frame = front.touches_frame();
    let mut report = Report { iterations: Vec::new(), stop: Stop::Iterations, touches_frame };
    front.settle_layers(crew)?;
    for number in 0..job.iterations {
        control.check()?;
        control.report(number as f64 / job.iterations as f64);
        if report.iterations.last().is_some_and(|last| job.max_rms > last.rms) {
            report.stop = Stop::Rest;
            break;
        }
        try_push(&mut report.iterations, front.iterate(crew, fields, terms)?)?;
    }
    front.finish();
    Ok(report)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
