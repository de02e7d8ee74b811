//! The shape of a tile: 64 bricks as a box, and sets of them as one `u64`.
//!
//! Brick (x, y, z) of a tile is bit `x + B_x (y + B_y z)`. The neighbour of a brick towards a face lies a constant
//! number of bits away, inside the tile or, wrapped around, in the tile across that face.

/// Bricks of a tile.
pub(crate) const BRICKS: usize = 64;

/// Voxels of a brick.
pub(crate) const LANES: usize = 8;

/// Voxels of a tile.
pub(crate) const VOXELS: usize = BRICKS * LANES;

/// A set of bricks of one tile.
pub(crate) type BrickSet = u64;

/// A face of a brick or a tile, and the direction it looks to: low and high x, low and high y, low and high z.
pub(crate) type Face = usize;

/// Number of faces.
pub(crate) const FACES: usize = 6;

/// The face of the neighbour that touches `face`.
#[inline(always)]
pub(crate) const fn opposite(face: Face) -> Face {
    face ^ 1
}

/// Whether a face looks to lower indices.
#[inline(always)]
pub(crate) const fn is_low(face: Face) -> bool {
    face & 1 == 0
}

/// A box of 64 bricks, and everything that follows from it.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Bricks along (x, y, z).
    pub(crate) bricks: [usize; 3],
    /// Voxels along (x, y, z).
    pub(crate) voxels: [usize; 3],
    /// For each brick and face, where the times across are: twice the face, plus 1 if across the tile's own face.
    pub(crate) source: [[u8; 8]; BRICKS],
    /// For each brick, a bit for each face behind which another brick of the tile lies.
    pub(crate) inside: [u8; BRICKS],
    /// For each set of faces, the bricks behind them, seen from the brick with number `centre`.
    pub(crate) behind: [BrickSet; 64],
    /// See `behind`.
    pub(crate) centre: u32,
    /// Distance in bricks towards each face, inside the tile.
    pub(crate) near: [isize; FACES],
    /// Distance in bricks towards each face, wrapped around into the next tile.
    pub(crate) far: [isize; FACES],
    /// Bricks on each face.
    pub(crate) on: [BrickSet; FACES],
    /// Bricks of which x + y + z is even: no two of them touch.
    pub(crate) even: BrickSet,
}

/// 8 x 8 x 8 voxels, for volumes.
pub(crate) static CUBIC: Shape = Shape::new([4, 4, 4]);

/// 16 x 8 x 4 voxels, for volumes of three or four slices.
pub(crate) static THIN: Shape = Shape::new([8, 4, 2]);

/// 16 x 16 x 2 voxels, for pictures and volumes of two slices.
pub(crate) static FLAT: Shape = Shape::new([8, 8, 1]);

impl Shape {
    /// The shape for volumes with this many slices along the last axis.
    pub(crate) fn of(slices: usize) -> &'static Shape {
        match slices {
            1..=2 => &FLAT,
            3..=4 => &THIN,
            _ => &CUBIC,
        }
    }

    const fn new(bricks: [usize; 3]) -> Shape {
        let steps = [1, bricks[0] as isize, (bricks[0] * bricks[1]) as isize];
        let mut shape = Shape {
            bricks,
            voxels: [2 * bricks[0], 2 * bricks[1], 2 * bricks[2]],
            source: [[0; 8]; BRICKS],
            inside: [0; BRICKS],
            behind: [0; 64],
            centre: (bricks[0] * bricks[1]) as u32,
            near: [0; FACES],
            far: [0; FACES],
            on: [0; FACES],
            even: 0,
        };
        let mut face = 0;
        while face < FACES {
            let (axis, sign) = (face / 2, if is_low(face) { -1 } else { 1 });
            shape.near[face] = sign * steps[axis];
            shape.far[face] = -sign * steps[axis] * (bricks[axis] as isize - 1);
            face += 1;
        }
        let mut brick = 0;
        while brick < BRICKS {
            shape = shape.with(brick);
            brick += 1;
        }
        shape
    }

    /// Fills the tables for one brick, and those for the set of faces with its number.
    const fn with(mut self, brick: usize) -> Shape {
        let place = place(brick, self.bricks);
        if (place[0] + place[1] + place[2]) & 1 == 0 {
            self.even |= 1 << brick;
        }
        let mut face = 0;
        while face < FACES {
            let last = if is_low(face) { 0 } else { self.bricks[face / 2] - 1 };
            let outside = place[face / 2] == last;
            self.source[brick][face] = (2 * face + outside as usize) as u8;
            self.inside[brick] |= (!outside as u8) << face;
            self.on[face] |= (outside as u64) << brick;
            if brick >> face & 1 == 1 {
                let bit = (self.centre as isize + self.near[face]).rem_euclid(BRICKS as isize);
                self.behind[brick] |= 1 << bit;
            }
            face += 1;
        }
        self
    }

    /// Bricks of the tile that touch `brick` across the faces of the set.
    #[inline(always)]
    pub(crate) fn touching(&self, brick: usize, faces: u8) -> BrickSet {
        let inside = faces & self.inside[brick % BRICKS];
        self.behind[usize::from(inside) % 64].rotate_left((brick as u32).wrapping_sub(self.centre) % 64)
    }

    /// Bricks on `face` as the bricks of the next tile that touch them.
    #[inline(always)]
    pub(crate) fn across(&self, face: Face, bricks: BrickSet) -> BrickSet {
        let by = self.far[face];
        let moved = if by < 0 { bricks >> -by } else { bricks << by };
        moved & self.on[opposite(face)]
    }

    /// Place inside its tile of a voxel, by brick and lane: the plain way, for tests.
    #[cfg(test)]
    pub(crate) fn voxel(&self, brick: usize, lane: usize) -> [usize; 3] {
        let [x, y, z] = place(brick, self.bricks);
        [2 * x + (lane & 1), 2 * y + (lane >> 1 & 1), 2 * z + (lane >> 2)]
    }

    /// Brick and lane of a voxel inside its tile.
    #[inline(always)]
    pub(crate) fn locate(&self, [x, y, z]: [usize; 3]) -> (usize, usize) {
        let [bx, by, _] = self.bricks;
        (x / 2 + bx * (y / 2 + by * (z / 2)), x % 2 + 2 * (y % 2) + 4 * (z % 2))
    }
}

/// Place of a brick in its tile.
const fn place(brick: usize, bricks: [usize; 3]) -> [usize; 3] {
    [brick % bricks[0], brick / bricks[0] % bricks[1], brick / (bricks[0] * bricks[1])]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The brick across a face by coordinates, and whether it lies in the same tile.
    fn plain(shape: &Shape, brick: usize, face: Face) -> (usize, bool) {
        let mut v = place(brick, shape.bricks);
        let n = shape.bricks[face / 2];
        let outside = v[face / 2] == if is_low(face) { 0 } else { n - 1 };
        v[face / 2] = (v[face / 2] + if is_low(face) { n - 1 } else { 1 }) % n;
        (v[0] + shape.bricks[0] * (v[1] + shape.bricks[1] * v[2]), !outside)
    }

    #[test]
    fn neighbours_are_those_of_the_coordinates() {
        for shape in [&CUBIC, &THIN, &FLAT] {
            assert_eq!(shape.voxels.iter().product::<usize>(), VOXELS);
            for brick in 0..BRICKS {
                for face in 0..FACES {
                    let (other, inside) = plain(shape, brick, face);
                    assert_eq!(shape.source[brick][face], (2 * face + usize::from(!inside)) as u8);
                    let by = if inside { shape.near[face] } else { shape.far[face] };
                    assert_eq!(brick as isize + by, other as isize);
                    let touching = shape.touching(brick, 1 << face);
                    assert_eq!(touching, if inside { 1 << other } else { 0 });
                    let across = shape.across(face, shape.on[face] & 1 << brick);
                    assert_eq!(across, if inside { 0 } else { 1 << other });
                    if inside {
                        assert_ne!(shape.even >> brick & 1, shape.even >> other & 1);
                    }
                }
                let all: BrickSet = (0..FACES).fold(0, |set, face| set | shape.touching(brick, 1 << face));
                assert_eq!(shape.touching(brick, 0b11_1111), all);
            }
        }
    }

    #[test]
    fn voxels_are_located_by_brick_and_lane() {
        for shape in [&CUBIC, &THIN, &FLAT] {
            for brick in 0..BRICKS {
                for lane in 0..LANES {
                    assert_eq!(shape.locate(shape.voxel(brick, lane)), (brick, lane));
                }
            }
        }
    }
}
