//! What the terms are made of: the speed F and the advection field V.

use super::diffusion::{Diffusion, laplacian};
use super::lattice::Lattice;
use super::update::Terms;
use super::{Evolution, Kind};
use crate::error::Result;
use crate::features::gaussian::Gaussian;
use crate::grid::{Size3, Spacing3};
use crate::memory::Zeroed;
use crate::task::TaskControl;
use rayon::prelude::*;

/// What the terms are made of, for every voxel of the volume.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The speed F; empty where no term uses it.
    pub(super) speed: Zeroed<f32>,
    /// The advection field V, (x, y, z) of each voxel; minus the central differences of F where it is empty.
    pub(super) advection: Zeroed<f32>,
}

impl Fields {
    /// The fields that an evolution needs of `image`: the feature image of geodesic and curves, else the scan.
    ///
    /// # Errors
    /// [`crate::Error::BadArgument`] for a sigma that does not fit the volume, [`crate::Error::OutOfMemory`],
    /// [`crate::Error::Cancelled`].
    pub(super) fn new(
        job: &Evolution,
        terms: &Terms,
        lattice: &Lattice,
        image: Zeroed<f32>,
        control: &TaskControl,
    ) -> Result<Self> {
        let mut speed = image;
        match job.kind {
            Kind::Geodesic | Kind::Curves => {
                let advection = match terms.advection != 0.0 && job.advection_sigma > 0.0 {
                    true => smoothed_advection(job, lattice, &speed, control)?,
                    false => Zeroed::default(),
                };
                return Ok(Self { speed, advection });
            }
            _ if !terms.needs_speed() => return Ok(Self::default()),
            Kind::Threshold { lower, upper, edges } => {
                let edge = edges.map(|edges| edge_image(&edges, lattice, &speed, control)).transpose()?;
                threshold_speed(&mut speed, lower, upper);
                if let (Some(edges), Some(edge)) = (edges, edge) {
                    let weight = edges.weight as f32;
                    speed.par_iter_mut().zip(&*edge).for_each(|(speed, edge)| *speed += weight * edge);
                }
            }
            Kind::Laplacian => speed = laplacian(lattice, &speed, control)?,
        }
        Ok(Self { speed, advection: Zeroed::default() })
    }
}

/// Positive between the thresholds, with its largest value in the middle between them.
fn threshold_speed(values: &mut [f32], lower: f32, upper: f32) {
    let middle = (f64::from(upper - lower) / 2.0 + f64::from(lower)) as f32;
    values.par_iter_mut().for_each(|v| *v = if *v < middle { *v - lower } else { upper - *v });
}

/// The Laplacian of the smoothed scan.
fn edge_image(edges: &Diffusion, lattice: &Lattice, scan: &[f32], control: &TaskControl) -> Result<Zeroed<f32>> {
    laplacian(lattice, &edges.apply(lattice, scan, control)?, control)
}

/// Minus the gradient of the feature, smoothed with a Gaussian.
fn smoothed_advection(
    job: &Evolution,
    lattice: &Lattice,
    feature: &[f32],
    control: &TaskControl,
) -> Result<Zeroed<f32>> {
    let (size, spacing) = (Size3::new(lattice.size.array())?, Spacing3::new(lattice.spacing)?);
    let filters = Gaussian::new(f64::from(job.advection_sigma as f32), size, spacing, job.instructions)?;
    let mut advection = Zeroed::dense(3 * feature.len())?;
    let mut slope = Zeroed::dense(feature.len())?;
    for axis in 0..3 {
        let h = lattice.spacing[axis];
        let take = |slope: &[f32], vectors: &mut [[f32; 3]]| {
            vectors.iter_mut().zip(slope).for_each(|(to, v)| to[axis] = -((f64::from(*v) / h) as f32));
        };
        filters.derive(axis, feature, &mut slope, advection.as_chunks_mut().0, take, control)?;
    }
    Ok(advection)
}
