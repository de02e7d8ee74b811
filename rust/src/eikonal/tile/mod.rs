//! The fast march: tiles of 512 voxels advanced in time windows, all cores, one result.
//!
//! From the bottom: [`shape`] masks of voxels, [`slot`] memory of a tile, [`solve`] the local solver, [`octet`] eight
//! voxels at once, [`field`] what workers share, [`relax`] the work inside tiles, [`visit`] tiles and blocks,
//! [`window`] what the leader decides, [`drive`] phases on a team, [`dense`] and [`sparse`] results, [`product`] of the
//! gradients of two fronts, [`collide`] the region where it is negative. Related to the block march of Yang (SIAM J.
//! Sci. Comput. 41(5), 2019), with bit masks in place of heaps.

pub(crate) mod collide;
pub(crate) mod dense;
pub(crate) mod drive;
pub(crate) mod field;
pub(crate) mod octet;
pub(crate) mod product;
pub(crate) mod relax;
pub(crate) mod shape;
pub(crate) mod slot;
pub(crate) mod solve;
pub(crate) mod sparse;
pub(crate) mod visit;
pub(crate) mod window;
