//! Solving bricks until nothing changes within the window: a few tiles of one colour side by side.
//!
//! A round takes, of each tile, the marked bricks of one colour (even or odd x + y + z): no two of them touch, so a
//! processor can work on several at once. Each is solved from what lies beside it now. What became earlier within the
//! window marks the bricks in which a voxel is later than it: an upwind solution depends on earlier neighbours alone.
//!
//! Several tiles are solved side by side because a round of one tile has too few bricks, some six, to keep a processor
//! busy. Tiles of one colour do not touch, so what becomes of one does not depend on its company.

use super::field::Field;
use super::lanes::{Lanes, Vector, Wide, beside, smaller_neighbours};
use super::shape::{BRICKS, Bits, BrickSet, FACES, Shape};
use super::solve::{Steps, cascade, solve};
use super::tile::Tile;
use crate::eikonal::Time;
use std::sync::atomic::Ordering;

/// Most tiles of a batch.
pub(crate) const TILES: usize = 4;

/// Tiles of one colour, solved together.
pub(crate) struct Batch<T: Time> {
    members: [Member<T>; TILES],
    size: usize,
    /// Bricks to solve in a round, each with the number of its member.
    list: [u16; TILES * BRICKS],
    /// Work done so far.
    pub(crate) counts: Counts,
}

/// Exact counts of work, the same for any number of threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bricks solved, counting repetitions.
    pub(crate) solved: u64,
    /// Tiles visited, counting repetitions.
    pub(crate) visits: u64,
    /// Bricks that became final, but for those in tiles that were not visited since.
    pub(crate) settled: u64,
    /// Bricks of which a voxel was left to the cascade.
    #[cfg(feature = "count")]
    pub(crate) doubts: u64,
    /// Tiles that the leader took note of, alone.
    #[cfg(feature = "count")]
    pub(crate) noted: u64,
}

impl Counts {
    /// Adds the counts of others.
    pub(crate) fn add(&mut self, other: Counts) {
        self.solved += other.solved;
        self.visits += other.visits;
        self.settled += other.settled;
        #[cfg(feature = "count")]
        {
            self.doubts += other.doubts;
            self.noted += other.noted;
        }
    }
}

/// A tile of a batch, and what a visit keeps apart from it.
#[repr(C, align(64))]
struct Member<T> {
    /// Earliest pending time of each lane.
    earliest: [T; 8],
    /// For each brick the faces of the tile behind which voxels are later than what changed here.
    outgoing: [u8; BRICKS],
    /// For each face the address of the tile's own times and that of the times across, both moved so that adding a
    /// brick's own offset leads to the neighbour of the brick.
    beside: [*const T; 2 * FACES],
    times: *mut T,
    speeds: *const T,
    tile: *mut Tile<T>,
    marked: BrickSet,
    later: BrickSet,
    touched: BrickSet,
    open: BrickSet,
    /// See [`Steps::reach`].
    reach: i64,
    /// The lower bound of pending times that this visit did not look at.
    unseen: T,
    shape: &'static Shape,
}

impl<T: Time> Member<T> {
    fn none() -> Self {
        Self {
            earliest: [T::FAR; 8],
            outgoing: [0; BRICKS],
            beside: [std::ptr::null(); 2 * FACES],
            times: std::ptr::null_mut(),
            speeds: std::ptr::null(),
            tile: std::ptr::null_mut(),
            marked: 0,
            later: 0,
            touched: 0,
            open: 0,
            reach: 0,
            unseen: T::FAR,
            shape: Shape::of(1),
        }
    }
}

/// For each axis and set of lanes, the faces behind those lanes.
static FACES_OF: [[u8; 256]; 3] = {
    let mut table = [[0; 256]; 3];
    let mut lanes = 0;
    while lanes < 256 {
        let mut axis = 0;
        while axis < 3 {
            // Lanes whose neighbour outside the brick is in the lower one, which are those at its upper end there.
            let low = [0b1010_1010, 0b1100_1100, 0b1111_0000][axis];
            table[axis][lanes] =
                ((lanes & low != 0) as u8) << (2 * axis) | ((lanes & !low & 255 != 0) as u8) << (2 * axis + 1);
            axis += 1;
        }
        lanes += 1;
    }
    table
};

/// What a change of some voxels of a brick concerns.
struct Concerned {
    /// Faces behind which a voxel is later than one that changed.
    faces: u8,
    /// Whether that is so inside the brick.
    again: bool,
}

/// Looks which voxels around those of `changed` (infinite where nothing changed) are later.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn concerned<V: Vector>(changed: V, own: V, beside: [V; 3]) -> Concerned {
    // SAFETY: the same promise.
    unsafe {
        let (x, y, z) = (V::swap_x(changed), V::swap_y(changed), V::swap_z(changed));
        let bits = [V::bits(V::less(x, beside[0])), V::bits(V::less(y, beside[1])), V::bits(V::less(z, beside[2]))];
        let faces = (0..3).fold(0, |faces, axis| faces | FACES_OF[axis][usize::from(bits[axis])]);
        let again = V::bits(V::less(V::min(V::min(x, y), z), own)) != 0;
        Concerned { faces, again }
    }
}

impl<T: Time> Member<T> {
    /// Sets the member up for a visit of `tile`, whose neighbours' times are at `across`.
    ///
    /// # Safety
    /// The tile is the caller's (I2), and `across` leads to the times of the tiles behind its faces, which nobody
    /// writes meanwhile.
    #[inline(always)]
    unsafe fn enter(&mut self, tile: *mut Tile<T>, across: [*const T; FACES], field: &Field<'_, T>) {
        // SAFETY: the tile is ours.
        let own = unsafe { &mut *tile };
        // SAFETY: only addresses are taken.
        self.times = unsafe { Tile::times(tile) };
        self.speeds = own.speeds.0.as_flattened().as_ptr();
        self.shape = field.grid.shape;
        let brick = 8isize;
        for (face, across) in across.into_iter().enumerate() {
            self.beside[2 * face] = self.times.wrapping_offset(self.shape.near[face] * brick);
            self.beside[2 * face + 1] = across.wrapping_offset(self.shape.far[face] * brick);
        }
        (self.tile, self.open, self.later, self.touched) = (tile, own.open, own.later, own.touched);
        self.marked = own.marked.load(Ordering::Relaxed) & own.open;
        own.marked.store(0, Ordering::Relaxed);
        self.reach = field.steps.reach(field.window_end.to_f64(), own.fastest.to_f64());
        self.earliest = [T::FAR; 8];
        self.unseen = own.earliest;
    }

    /// The vectors beside a brick.
    ///
    /// # Safety
    /// As for [`Vector`]; the member was entered.
    #[inline(always)]
    unsafe fn load_beside<V: Vector<Element = T>>(&self, brick: usize) -> [V; 3] {
        let source = &self.shape.source[brick % BRICKS];
        macro_rules! at {
            ($face:literal) => {
                V::load(self.beside.get_unchecked(usize::from(source[$face])).wrapping_add(8 * brick))
            };
        }
        // SAFETY: a source is less than twice the number of faces; base and offset lead to a brick of this tile or of
        // the one across the face.
        unsafe { beside([at!(0), at!(1), at!(2), at!(3), at!(4), at!(5)]) }
    }

    /// Marks what a change of voxels of `brick` concerns.
    #[inline(always)]
    fn mark(&mut self, brick: usize, what: Concerned) {
        let inside = self.shape.inside[brick % BRICKS];
        let touching = self.shape.touching(brick, what.faces);
        self.marked |= (touching | u64::from(what.again) << brick) & self.open;
        self.outgoing[brick % BRICKS] |= what.faces & !inside;
    }

    /// Notes which voxels of a brick are later than the window, and whether they can be reached.
    ///
    /// # Safety
    /// As for [`Vector`].
    #[inline(always)]
    unsafe fn note_later<V: Vector<Element = T>>(&mut self, brick: usize, new: V, late: V::Mask, speed: V) {
        // SAFETY: the same promise; `earliest` is aligned, being the first field.
        unsafe {
            let earliest = V::load(self.earliest.as_ptr());
            V::store(V::min(V::select(late, new, earliest), earliest), self.earliest.as_mut_ptr());
            // Not `speed > 0`: seeds, whose speed is NaN, wait for their time too.
            let reachable = V::without(V::at_most(speed, V::splat(T::default())), late);
            self.later = self.later & !(1 << brick) | u64::from(V::bits(reachable) != 0) << brick;
        }
    }

    /// Begins a window: passes on what was pending and lies within it. Nothing is solved yet.
    ///
    /// # Safety
    /// As for [`Vector`]; the member was entered.
    #[inline(always)]
    unsafe fn release<V: Vector<Element = T>>(&mut self, from: T, to: T) {
        self.unseen = T::FAR;
        // SAFETY: the same promise; bricks of the set are bricks of the tile.
        unsafe {
            let (from, to, never) = (V::splat(from), V::splat(to), V::splat(T::INFINITE));
            for brick in Bits(self.touched & self.later) {
                let own = V::load(self.times.add(8 * brick));
                let late = V::less(to, own);
                self.note_later(brick, own, late, V::load(self.speeds.add(8 * brick)));
                let released = V::without(late, V::less(from, own));
                if V::bits(released) != 0 {
                    let beside = self.load_beside::<V>(brick);
                    // A released voxel marks its own brick too: its mates were solved before it got this early.
                    let what = concerned(V::select(released, own, never), own, beside);
                    self.mark(brick, what);
                }
            }
        }
    }

    /// Ends the visit: brings the tile up to date.
    ///
    /// # Safety
    /// The tile is the caller's (I2), and the member was entered.
    #[inline(always)]
    unsafe fn leave(&mut self, counts: &mut Counts) {
        // SAFETY: the tile is ours.
        let tile = unsafe { &mut *self.tile };
        counts.settled += u64::from((tile.later & !self.later).count_ones());
        (tile.later, tile.touched) = (self.later, self.touched);
        let pending = self.touched & self.later != 0;
        let seen = self.earliest.iter().fold(self.unseen, |least, t| if *t < least { *t } else { least });
        tile.earliest = if pending { seen } else { T::FAR };
    }
}

/// A tile that was visited, and what its visit was about.
pub(crate) struct Visited<T: Time> {
    /// The tile.
    pub(crate) tile: *mut Tile<T>,
    /// For each face the bricks of the tile across in which a voxel is later than what changed here.
    pub(crate) marks: [BrickSet; FACES],
}

impl<T: Time> Batch<T> {
    /// An empty batch.
    pub(crate) fn new() -> Box<Self> {
        let members = std::array::from_fn(|_| Member::none());
        Box::new(Self { members, size: 0, list: [0; TILES * BRICKS], counts: Counts::default() })
    }

    /// Takes a tile in; begins the window for it if that is new to it.
    ///
    /// # Safety
    /// The tile is the caller's until the batch is cleared (I2), `across` leads to the times of the tiles behind its
    /// faces, which nobody writes meanwhile (I3), there is room, and the processor has the instructions.
    #[inline(always)]
    pub(crate) unsafe fn add<L: Lanes<Time = T>>(
        &mut self,
        field: &Field<'_, T>,
        tile: *mut Tile<T>,
        across: [*const T; FACES],
    ) {
        let member = &mut self.members[self.size];
        self.size += 1;
        self.counts.visits += 1;
        // SAFETY: the same promises.
        unsafe {
            member.enter(tile, across, field);
            let released = (*tile).released;
            if released < field.window_end {
                (*tile).released = field.window_end;
                member.release::<L::Times>(released, field.window_end);
            }
        }
    }

    /// Solves until nothing changes within the window.
    ///
    /// # Safety
    /// The tiles were added under the promises of [`Batch::add`].
    #[inline(always)]
    pub(crate) unsafe fn settle<L: Lanes<Time = T>, const EQUAL: bool>(&mut self, window_end: T, steps: &Steps) {
        let mut colour = 0;
        loop {
            let n = self.line_up(colour);
            if n == 0 {
                return;
            }
            colour = !colour;
            self.counts.solved += n as u64;
            // SAFETY: the same promises; `line_up` wrote `n` entries.
            unsafe {
                let pairs = if L::TOGETHER == 2 { n / 2 } else { 0 };
                self.solve_in_turn::<L, EQUAL, 2>(0, pairs, window_end, steps);
                self.solve_in_turn::<L, EQUAL, 1>(2 * pairs, n - 2 * pairs, window_end, steps);
            }
        }
    }

    /// Lists the marked bricks of one colour of each tile, or those of the other where there are none; their number.
    #[inline(always)]
    fn line_up(&mut self, colour: BrickSet) -> usize {
        let mut n = 0;
        for (i, member) in self.members[..self.size].iter_mut().enumerate() {
            let of_colour = member.marked & (member.shape.even ^ colour);
            let taken = if of_colour == 0 { member.marked } else { of_colour };
            member.marked &= !taken;
            member.touched |= taken;
            for brick in Bits(taken) {
                // SAFETY: a member has at most as many bricks as there is room for one.
                unsafe { *self.list.get_unchecked_mut(n) = (i * BRICKS + brick) as u16 };
                n += 1;
            }
        }
        n
    }

    /// Solves `times` times `N` bricks of the list from entry `first` on.
    ///
    /// What follows from a solution waits until the next bricks are on their way: a processor looks ahead less far than a brick
    /// takes from its first load to its last mark.
    ///
    /// # Safety
    /// As for [`Batch::settle`]; the entries exist, and no two of the bricks touch.
    #[inline(always)]
    unsafe fn solve_in_turn<L: Lanes<Time = T>, const EQUAL: bool, const N: usize>(
        &mut self,
        first: usize,
        times: usize,
        window_end: T,
        steps: &Steps,
    ) {
        if times == 0 {
            return;
        }
        // SAFETY: the same promises.
        unsafe {
            let mut solved = self.solve_bricks::<L, EQUAL, N>(first, steps);
            for i in 1..times {
                let next = self.solve_bricks::<L, EQUAL, N>(first + N * i, steps);
                self.take_in(solved, window_end, steps);
                solved = next;
            }
            self.take_in(solved, window_end, steps);
        }
    }

    /// Solves `N` bricks of the list from entry `first` on.
    ///
    /// # Safety
    /// As for [`Batch::solve_in_turn`].
    #[inline(always)]
    unsafe fn solve_bricks<L: Lanes<Time = T>, const EQUAL: bool, const N: usize>(
        &self,
        first: usize,
        steps: &Steps,
    ) -> Solved<L, N> {
        // SAFETY: the same promises; members and bricks in the list exist.
        unsafe {
            let never = L::Times::splat(T::INFINITE);
            let (mut own, mut speed, mut solution) = ([never; N], [never; N], [never; N]);
            let mut around = [[never; 3]; N];
            let mut places = [(0, 0); N];
            let mut doubts = [0; N];
            for j in 0..N {
                let entry = usize::from(*self.list.get_unchecked(first + j));
                let (m, brick) = (entry / BRICKS % TILES, entry % BRICKS);
                let member = self.members.get_unchecked(m);
                places[j] = (m, brick);
                own[j] = L::Times::load(member.times.add(8 * brick));
                speed[j] = L::Times::load(member.speeds.add(8 * brick));
                around[j] = member.load_beside(brick);
            }
            for j in 0..N {
                let wide = solve::<L, EQUAL>(smaller_neighbours(own[j], around[j]), speed[j], steps);
                if T::ROUNDED {
                    doubts[j] = Wide::near_tie(wide, self.members.get_unchecked(places[j].0).reach);
                }
                solution[j] = L::narrow(wide);
            }
            Solved { places, own, speed, around, solution, doubts }
        }
    }

    /// Stores solutions and marks what they concern.
    ///
    /// # Safety
    /// As for [`Batch::solve_in_turn`].
    #[inline(always)]
    unsafe fn take_in<L: Lanes<Time = T>, const N: usize>(
        &mut self,
        solved: Solved<L, N>,
        window_end: T,
        steps: &Steps,
    ) {
        let Solved { places, own, speed, around, mut solution, doubts } = solved;
        // SAFETY: the same promises.
        unsafe {
            let (end, never) = (L::Times::splat(window_end), L::Times::splat(T::INFINITE));
            for j in 0..N {
                let (m, brick) = places[j];
                // Final voxels too: the solution may tie with their time, and must not lower it by a rounding.
                if doubts[j] != 0 && doubts[j] & L::Times::bits(L::Times::at_most(solution[j], own[j])) != 0 {
                    #[cfg(feature = "count")]
                    {
                        self.counts.doubts += 1;
                    }
                    solution[j] = decide::<L>(smaller_neighbours(own[j], around[j]), speed[j], steps);
                }
                let new = L::Times::min(solution[j], own[j]);
                let member = self.members.get_unchecked_mut(m);
                L::Times::store(new, member.times.add(8 * brick));
                let late = L::Times::less(end, new);
                member.note_later(brick, new, late, speed[j]);
                let changed = L::Times::without(late, L::Times::less(new, own[j]));
                let what = concerned(L::Times::select(changed, new, never), new, around[j]);
                member.mark(brick, what);
            }
        }
    }

    /// Ends the visit of the member `i`; `None` if there is none. What the visit marked behind faces is taken out.
    ///
    /// # Safety
    /// The tiles were added under the promises of [`Batch::add`], and are settled.
    #[inline(always)]
    pub(crate) unsafe fn leave(&mut self, i: usize) -> Option<Visited<T>> {
        let member = self.members[..self.size].get_mut(i)?;
        // SAFETY: the tile is ours (I2) since `add`.
        unsafe { member.leave(&mut self.counts) };
        let outgoing = bricks_by_face(&mut member.outgoing);
        let marks = std::array::from_fn(|face| member.shape.across(face, outgoing[face]));
        Some(Visited { tile: member.tile, marks })
    }

    /// Makes the batch empty.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.size = 0;
    }
}

/// Bricks that were solved, and what they were solved from.
struct Solved<L: Lanes, const N: usize> {
    /// Member and brick.
    places: [(usize, usize); N],
    own: [L::Times; N],
    speed: [L::Times; N],
    around: [[L::Times; 3]; N],
    solution: [L::Times; N],
    /// Lanes that the cascade may have to decide.
    doubts: [u8; N],
}

/// The cascade; apart, because it is rarely needed.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn decide<L: Lanes>(nearest: [L::Times; 3], speed: L::Times, steps: &Steps) -> L::Times {
    // SAFETY: the same promise.
    unsafe { cascade::<L>(nearest, speed, steps) }
}

/// The bricks that have each face, from the faces of each brick, which are taken out.
#[inline(always)]
fn bricks_by_face(faces: &mut [u8; BRICKS]) -> [BrickSet; FACES] {
    let words: [u64; 8] = std::array::from_fn(|i| {
        let bytes = &faces[8 * i..8 * i + 8];
        u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
    });
    *faces = [0; BRICKS];
    let any = words.iter().fold(0, |any, word| any | word);
    let mut bricks = [0; FACES];
    if any == 0 {
        return bricks;
    }
    for (face, bricks) in bricks.iter_mut().enumerate() {
        for (i, word) in words.iter().enumerate() {
            let low = word >> face & 0x0101_0101_0101_0101;
            // The multiplication brings the lowest bits of all bytes together in the highest byte.
            *bricks |= (low.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
    }
    bricks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_of_bricks_become_bricks_of_faces() {
        for brick in 0..BRICKS {
            for face in 0..FACES {
                let mut faces = [0; BRICKS];
                faces[brick] = 1 << face;
                faces[(brick + 31) % BRICKS] |= 1 << face;
                let bricks = bricks_by_face(&mut faces);
                assert_eq!(faces, [0; BRICKS]);
                for (other, bricks) in bricks.into_iter().enumerate() {
                    let expected = 1u64 << brick | 1 << ((brick + 31) % BRICKS);
                    assert_eq!(bricks, if other == face { expected } else { 0 });
                }
            }
        }
    }

    #[test]
    fn lanes_lie_at_one_face_of_each_axis() {
        for lane in 0..8usize {
            for (axis, faces_of) in FACES_OF.iter().enumerate() {
                // In the vector beside a brick, upper lanes come from the lower brick.
                let upper = lane >> axis & 1 == 1;
                assert_eq!(faces_of[1 << lane], 1 << (2 * axis + usize::from(!upper)));
            }
        }
    }
}
