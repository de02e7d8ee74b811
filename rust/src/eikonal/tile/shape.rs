//! The shape of a tile: 512 voxels as a box, and sets of them as 512-bit masks.
//!
//! Voxel (x, y, z) of a tile is bit `x + B_x * (y + B_y * z)` of its masks. Times are kept with one layer of halo
//! around, so that the neighbours of a voxel lie at fixed distances, also across the border of the tile.

use crate::eikonal::Time;

/// Number of voxels of a tile.
pub(crate) const VOXELS: usize = 512;

/// Voxels of an octet: eight side by side on a row.
pub(crate) const WIDTH: usize = 8;

/// Octets of a tile.
pub(crate) const OCTETS: usize = VOXELS / WIDTH;

/// A set of voxels of one tile.
pub(crate) type Mask = [u64; 8];

/// No voxel.
pub(crate) const NONE: Mask = [0; 8];

/// A box of 512 voxels.
pub(crate) trait Shape: Copy + Send + Sync + 'static {
    /// Voxels along (x, y, z).
    const BOX: [usize; 3];
    /// Times of a tile and its halo.
    type Padded<T: Time>: Send + Sync;

    /// Distance in bits between neighbours along each axis.
    const STRIDE: [usize; 3] = [1, Self::BOX[0], Self::BOX[0] * Self::BOX[1]];
    /// Distance in padded times between neighbours along each axis.
    const PITCH: [usize; 3] = [1, Self::BOX[0] + 2, (Self::BOX[0] + 2) * (Self::BOX[1] + 2)];
    /// Number of padded times.
    const PADDED: usize = Self::PITCH[2] * (Self::BOX[2] + 2);
    /// Position of each bit among the padded times.
    const POSITION: [u16; VOXELS] = positions(Self::BOX, Self::PITCH);
    /// Octets along x.
    const OCTETS_X: usize = Self::BOX[0] / WIDTH;
    /// Distance between neighbouring rows and slices of octet marks, which have a margin as times have: also along x
    /// where a row has more than one octet.
    const MARK_PITCH: [usize; 2] = mark_pitch(Self::BOX);
    /// Number of octet marks with their margin.
    const MARKS: usize = Self::MARK_PITCH[1] * (Self::BOX[2] + 2);
    /// Place of each octet among the marks.
    const MARK: [u16; OCTETS] = marks(Self::BOX);
    /// Octets that follow each other in a mask and among the marks.
    const RUN: usize = if Self::OCTETS_X == 1 { Self::BOX[1] } else { Self::OCTETS_X };
    /// Voxels on the low face of each axis.
    const LOW: [Mask; 3] = faces(Self::BOX, true);
    /// Voxels on the high face of each axis.
    const HIGH: [Mask; 3] = faces(Self::BOX, false);
}

/// 8 x 8 x 8, for volumes.
#[derive(Clone, Copy)]
pub(crate) struct Cube;

/// 16 x 8 x 4, for volumes of a few slices.
#[derive(Clone, Copy)]
pub(crate) struct Slab;

/// 32 x 16 x 1, for pictures.
#[derive(Clone, Copy)]
pub(crate) struct Sheet;

impl Shape for Cube {
    const BOX: [usize; 3] = [8, 8, 8];
    type Padded<T: Time> = [T; 10 * 10 * 10];
}

impl Shape for Slab {
    const BOX: [usize; 3] = [16, 8, 4];
    type Padded<T: Time> = [T; 18 * 10 * 6];
}

impl Shape for Sheet {
    const BOX: [usize; 3] = [32, 16, 1];
    type Padded<T: Time> = [T; 34 * 18 * 3];
}

const fn coordinates(bit: usize, size: [usize; 3]) -> [usize; 3] {
    [bit % size[0], bit / size[0] % size[1], bit / (size[0] * size[1])]
}

const fn positions(size: [usize; 3], pitch: [usize; 3]) -> [u16; VOXELS] {
    let mut table = [0; VOXELS];
    let mut bit = 0;
    while bit < VOXELS {
        let [x, y, z] = coordinates(bit, size);
        table[bit] = ((x + 1) * pitch[0] + (y + 1) * pitch[1] + (z + 1) * pitch[2]) as u16;
        bit += 1;
    }
    table
}

const fn mark_pitch(size: [usize; 3]) -> [usize; 2] {
    let octets = size[0] / WIDTH;
    let row = if octets == 1 { 1 } else { octets + 2 };
    [row, row * (size[1] + 2)]
}

const fn marks(size: [usize; 3]) -> [u16; OCTETS] {
    let pitch = mark_pitch(size);
    let mut table = [0; OCTETS];
    let mut octet = 0;
    while octet < OCTETS {
        let [x, y, z] = coordinates(octet * WIDTH, size);
        let margin = if size[0] == WIDTH { 0 } else { 1 };
        table[octet] = (x / WIDTH + margin + (y + 1) * pitch[0] + (z + 1) * pitch[1]) as u16;
        octet += 1;
    }
    table
}

const fn faces(size: [usize; 3], low: bool) -> [Mask; 3] {
    let mut masks = [NONE; 3];
    let mut bit = 0;
    while bit < VOXELS {
        let v = coordinates(bit, size);
        let mut axis = 0;
        while axis < 3 {
            if v[axis] == if low { 0 } else { size[axis] - 1 } {
                masks[axis][bit / 64] |= 1 << (bit % 64);
            }
            axis += 1;
        }
        bit += 1;
    }
    masks
}

/// Each word of a mask by its number. A plain loop: `array::from_fn` is not unrolled inside the kernels.
#[inline(always)]
fn words(make: impl Fn(usize) -> u64) -> Mask {
    let mut mask = NONE;
    let mut i = 0;
    while i < 8 {
        mask[i] = make(i);
        i += 1;
    }
    mask
}

/// Place inside its tile of the voxel with number `bit`.
#[inline(always)]
pub(crate) fn place_in_tile<H: Shape>(bit: usize) -> [usize; 3] {
    coordinates(bit, H::BOX)
}

/// Padded position of the voxel with number `bit`.
#[inline(always)]
pub(crate) fn position<H: Shape>(bit: usize) -> usize {
    let table: &'static [u16; VOXELS] = &H::POSITION;
    usize::from(table[bit % VOXELS])
}

/// `mask` moved towards higher bits.
#[inline(always)]
pub(crate) fn shift_up(mask: &Mask, by: usize) -> Mask {
    let (whole, bits) = (by / 64, by % 64);
    let take = |i: usize, back: usize| if i >= back { mask[i - back] } else { 0 };
    if bits == 0 {
        words(|i| take(i, whole))
    } else {
        words(|i| take(i, whole) << bits | take(i, whole + 1) >> (64 - bits))
    }
}

/// `mask` moved towards lower bits.
#[inline(always)]
pub(crate) fn shift_down(mask: &Mask, by: usize) -> Mask {
    let (whole, bits) = (by / 64, by % 64);
    let take = |i: usize, ahead: usize| if i + ahead < 8 { mask[i + ahead] } else { 0 };
    if bits == 0 {
        words(|i| take(i, whole))
    } else {
        words(|i| take(i, whole) >> bits | take(i, whole + 1) << (64 - bits))
    }
}

/// Voxels in both.
#[inline(always)]
pub(crate) fn and(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] & b[i])
}

/// Voxels in either.
#[inline(always)]
pub(crate) fn or(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] | b[i])
}

/// Voxels of `a` that are not in `b`.
#[inline(always)]
pub(crate) fn without(a: &Mask, b: &Mask) -> Mask {
    words(|i| a[i] & !b[i])
}

/// Whether there is any voxel.
#[inline(always)]
pub(crate) fn any(mask: &Mask) -> bool {
    mask.iter().fold(0, |all, word| all | word) != 0
}

/// Number of voxels.
#[inline(always)]
pub(crate) fn count(mask: &Mask) -> usize {
    mask.iter().map(|word| word.count_ones() as usize).sum()
}

/// Face neighbours, inside the tile, of the voxels of `mask`.
#[inline(always)]
pub(crate) fn neighbours<H: Shape>(mask: &Mask) -> Mask {
    or(&or(&along::<H>(mask, 0), &along::<H>(mask, 1)), &along::<H>(mask, 2))
}

/// Neighbours along one axis.
#[inline(always)]
fn along<H: Shape>(mask: &Mask, axis: usize) -> Mask {
    let up = shift_up(&without(mask, &H::HIGH[axis]), H::STRIDE[axis]);
    let down = shift_down(&without(mask, &H::LOW[axis]), H::STRIDE[axis]);
    or(&up, &down)
}

/// Calls `visit(bit)` for each voxel of `mask`, ascending.
#[inline(always)]
pub(crate) fn for_each(mask: &Mask, mut visit: impl FnMut(usize)) {
    for (i, word) in mask.iter().enumerate() {
        let mut left = *word;
        while left != 0 {
            visit(i * 64 + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// The voxels of each octet.
#[inline(always)]
pub(crate) fn octets(mask: &Mask) -> [u8; OCTETS] {
    let mut octets = [0; OCTETS];
    for (bytes, word) in octets.chunks_exact_mut(8).zip(mask) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    octets
}

/// The mask of which these are the octets.
#[inline(always)]
pub(crate) fn from_octets(octets: &[u8; OCTETS]) -> Mask {
    let mut mask = NONE;
    for (word, bytes) in mask.iter_mut().zip(octets.chunks_exact(8)) {
        *word = u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]);
    }
    mask
}

/// The numbers of the bits that are set, ascending. An iterator and not a function with a closure: a closure that is
/// not inlined loses the instructions of its surroundings.
pub(crate) struct Bits(pub(crate) u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

/// One of the six faces of a tile: axis 0 to 2, low or high.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Face {
    /// x, y or z.
    pub(crate) axis: usize,
    /// Towards higher indices.
    pub(crate) high: bool,
}

impl Face {
    /// All six.
    pub(crate) const ALL: [Face; 6] = [
        Face { axis: 0, high: false },
        Face { axis: 0, high: true },
        Face { axis: 1, high: false },
        Face { axis: 1, high: true },
        Face { axis: 2, high: false },
        Face { axis: 2, high: true },
    ];

    /// Voxels of a tile on this face.
    #[inline(always)]
    pub(crate) fn voxels<H: Shape>(self) -> &'static Mask {
        if self.high { &H::HIGH[self.axis] } else { &H::LOW[self.axis] }
    }

    /// Voxels of this face as those of the neighbouring tile that touch them.
    #[inline(always)]
    pub(crate) fn across<H: Shape>(self, mask: &Mask) -> Mask {
        let by = H::STRIDE[self.axis] * (H::BOX[self.axis] - 1);
        if self.high { shift_down(mask, by) } else { shift_up(mask, by) }
    }

    /// A padded position on this face as the halo position in the neighbouring tile.
    #[inline(always)]
    pub(crate) fn halo<H: Shape>(self, position: usize) -> usize {
        let by = H::PITCH[self.axis] * H::BOX[self.axis];
        if self.high { position - by } else { position + by }
    }

    /// The same face seen from the neighbouring tile.
    #[inline(always)]
    pub(crate) fn opposite(self) -> Face {
        Face { axis: self.axis, high: !self.high }
    }

    /// Place among [`Face::ALL`].
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        2 * self.axis + usize::from(self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bits: &[usize]) -> Mask {
        let mut mask = NONE;
        bits.iter().for_each(|b| mask[b / 64] |= 1 << (b % 64));
        mask
    }

    /// Neighbours by coordinates, the slow way.
    fn plain<H: Shape>(bit: usize) -> Vec<usize> {
        let v = coordinates(bit, H::BOX);
        let mut found = Vec::new();
        for (axis, c) in v.into_iter().enumerate() {
            if c > 0 {
                found.push(bit - H::STRIDE[axis]);
            }
            if c + 1 < H::BOX[axis] {
                found.push(bit + H::STRIDE[axis]);
            }
        }
        found
    }

    fn check<H: Shape>() {
        assert_eq!(H::BOX.iter().product::<usize>(), VOXELS);
        for bit in 0..VOXELS {
            assert_eq!(neighbours::<H>(&of(&[bit])), of(&plain::<H>(bit)));
            for face in Face::ALL {
                let mask = of(&[bit]);
                if and(&mask, face.voxels::<H>()) == NONE {
                    continue;
                }
                let mut v = coordinates(bit, H::BOX);
                v[face.axis] = if face.high { 0 } else { H::BOX[face.axis] - 1 };
                let twin = v[0] * H::STRIDE[0] + v[1] * H::STRIDE[1] + v[2] * H::STRIDE[2];
                assert_eq!(face.across::<H>(&mask), of(&[twin]));
                let outside = if face.high { -1 } else { 1 } * H::PITCH[face.axis] as isize;
                let expected = H::POSITION[twin] as isize + outside;
                assert_eq!(face.halo::<H>(usize::from(H::POSITION[bit])) as isize, expected);
            }
        }
    }

    #[test]
    fn masks_move_as_coordinates_do() {
        check::<Cube>();
        check::<Slab>();
        check::<Sheet>();
    }

    #[test]
    fn padded_times_have_room_for_every_position() {
        assert_eq!(size_of::<<Cube as Shape>::Padded<f32>>(), Cube::PADDED * 4);
        assert_eq!(size_of::<<Slab as Shape>::Padded<f32>>(), Slab::PADDED * 4);
        assert_eq!(size_of::<<Sheet as Shape>::Padded<f64>>(), Sheet::PADDED * 8);
    }
}
