//! Relaxing tiles: solving the voxels that a change concerns, until nothing changes within the window.
//!
//! An iteration (Jacobi) has four steps: pack the marked voxels into a batch, solve them, store what is an
//! improvement, mark the neighbours of what improved within the window. A voxel is marked only if it is later than
//! the neighbour that changed, because an upwind solution depends on earlier neighbours alone; marking all
//! neighbours solved nearly twice as many voxels.
//!
//! Several tiles are relaxed side by side, as a [`Bundle`]: each step depends on the one before, and one tile has
//! too few marked voxels to keep a processor busy. The tiles have the same colour, hence do not touch each other,
//! and what becomes of one does not depend on its company.

use super::field::Field;
use super::octet::Octet;
use super::shape::{
    Bits, Face, Mask, NONE, OCTETS, Shape, VOXELS, WIDTH, count, from_octets, octets, or, position, without,
};
use super::slot::Slot;
use super::solve::{Batch, LARGEST, solve_anisotropic, solve_isotropic};
use crate::eikonal::Time;

/// Most tiles of a bundle.
pub(crate) const TILES: usize = LARGEST / VOXELS;

/// Tiles of one colour, relaxed together.
pub(crate) struct Bundle<T: Time, H: Shape> {
    members: [Member<T, H>; TILES],
    notes: [Notes; TILES],
    size: usize,
    line: [Entry<T>; TILES * OCTETS],
    batch: Box<Batch<T>>,
}

/// A tile of a bundle.
pub(crate) struct Member<T: Time, H: Shape> {
    pub(crate) slot: *mut Slot<T, H>,
    /// Voxels released, or changed after being released, in this visit.
    pub(crate) changed: Mask,
    /// Number of voxels released for the first time in this visit.
    pub(crate) released: u64,
}

/// What an iteration writes down about a tile: sets of voxels, an octet a byte, each with a margin that takes the
/// marks which leave the tile ([`Shape::MARK`]).
#[repr(C, align(64))]
struct Notes {
    /// Voxels to solve.
    marks: [u8; ROOM],
    /// Voxels improved.
    improved: [u8; ROOM],
    /// Voxels improved within the window.
    changed: [u8; ROOM],
}

/// Room for the marks of any shape.
const ROOM: usize = 384;

/// An octet in which voxels are marked.
#[derive(Clone, Copy)]
struct Entry<T> {
    /// Time of its first voxel.
    at: *mut T,
    /// Its mark, as the distance in bytes from the notes of the first tile; the other notes follow `ROOM` bytes apart.
    note: u32,
    marked: u8,
}

impl Notes {
    const NONE: Notes = Notes { marks: [0; ROOM], improved: [0; ROOM], changed: [0; ROOM] };

    /// Address of the first mark.
    #[inline(always)]
    fn start(notes: &mut [Notes]) -> *mut u8 {
        notes.as_mut_ptr().cast()
    }
}

/// Place of an octet among the marks.
#[inline(always)]
fn mark<H: Shape>(octet: usize) -> usize {
    let table: &'static [u16; OCTETS] = &H::MARK;
    usize::from(table[octet % OCTETS])
}

/// Reads the notes of a kind and empties them.
#[inline(always)]
fn take<H: Shape>(notes: &mut [u8; ROOM]) -> [u8; OCTETS] {
    let table: &'static [u16; OCTETS] = &H::MARK;
    let mut octets = [0; OCTETS];
    for (run, octets) in octets.chunks_exact_mut(H::RUN).enumerate() {
        let first = usize::from(table[run * H::RUN]);
        octets.copy_from_slice(&notes[first..first + H::RUN]);
    }
    notes[..H::MARKS].fill(0);
    octets
}

/// Marks those neighbours, inside the tile, of the voxels `marked` of an octet that are later than they.
///
/// # Safety
/// `at` must be the time of the octet's first voxel among the padded times of a tile, and `note` its mark.
#[inline(always)]
unsafe fn mark_later<T: Time, H: Shape, O: Octet>(at: *const T, note: *mut u8, marked: u8) {
    // SAFETY: an octet of inner voxels has its neighbours within the padded times and their marks within the notes.
    unsafe {
        for axis in [1, 2] {
            let (pitch, mark) = (H::PITCH[axis], H::MARK_PITCH[axis - 1]);
            *note.sub(mark) |= O::earlier(at, at.sub(pitch), marked);
            *note.add(mark) |= O::earlier(at, at.add(pitch), marked);
        }
        let (down, up) = (O::earlier(at, at.sub(1), marked), O::earlier(at, at.add(1), marked));
        *note |= down >> 1 | up << 1;
        if H::OCTETS_X > 1 {
            *note.sub(1) |= down << 7;
            *note.add(1) |= up >> 7;
        }
    }
}

impl<T: Time, H: Shape> Member<T, H> {
    const EMPTY: Self = Self { slot: std::ptr::null_mut(), changed: NONE, released: 0 };
}

impl<T: Time, H: Shape> Bundle<T, H> {
    /// An empty bundle.
    pub(crate) fn new() -> Box<Self> {
        let none = Entry { at: std::ptr::null_mut(), note: 0, marked: 0 };
        let (members, notes) = ([const { Member::EMPTY }; TILES], [const { Notes::NONE }; TILES]);
        Box::new(Self { members, notes, size: 0, line: [none; TILES * OCTETS], batch: Batch::new() })
    }

    /// Takes a tile in: releases what the window allows and marks what that and the inbox concern.
    ///
    /// # Safety
    /// The slot must be the caller's until the bundle is cleared, and there must be room for it.
    #[inline(always)]
    pub(crate) unsafe fn add<O: Octet>(&mut self, field: &Field<'_, T, H>, slot: *mut Slot<T, H>) {
        let (member, notes) = (&mut self.members[self.size], &mut self.notes[self.size..=self.size]);
        self.size += 1;
        member.slot = slot;
        // SAFETY: the slot is ours for the visit: nobody else makes a reference to it or writes into it.
        let slot = unsafe { &mut *slot };
        take_inbox::<T, H, O>(slot, &mut notes[0].marks);
        member.changed = NONE;
        if slot.window != field.window {
            slot.window = field.window;
            member.changed = release::<T, H, O>(field.window_end, slot, Notes::start(notes));
        }
    }

    /// Solves until nothing changes within the window; returns the number of solutions.
    #[inline(always)]
    pub(crate) fn relax<O: Octet>(&mut self, field: &Field<'_, T, H>) -> u64 {
        let mut evaluations = 0;
        loop {
            let (octets, n) = self.gather::<O>();
            if n == 0 {
                return evaluations;
            }
            if field.isotropic {
                solve_isotropic(&mut self.batch, n, field.inverse_h2);
            } else {
                solve_anisotropic(&mut self.batch, n, field.inverse_h2);
            }
            evaluations += n as u64;
            let octets = self.scatter::<O>(octets, field.window_end);
            let notes = Notes::start(&mut self.notes);
            for entry in &self.line[..octets] {
                // SAFETY: entries hold the time and the mark of an octet.
                unsafe { mark_later::<T, H, O>(entry.at, notes.add(entry.note as usize), entry.marked) };
            }
        }
    }

    /// Lines up the octets with marks, and packs neighbour times and speeds of the marked voxels into the batch;
    /// returns the number of octets and that of voxels.
    #[inline(always)]
    fn gather<O: Octet>(&mut self) -> (usize, usize) {
        let Batch { nearest: [x, y, z], speed: to_speed, .. } = &mut *self.batch;
        let to = [x.as_mut_ptr(), y.as_mut_ptr(), z.as_mut_ptr(), to_speed.as_mut_ptr()];
        let (mut entries, mut n) = (0, 0);
        for (i, member) in self.members[..self.size].iter_mut().enumerate() {
            // SAFETY: the slot is ours since `add`.
            let slot = unsafe { &mut *member.slot };
            let marked = from_octets(&take::<H>(&mut self.notes[i].marks));
            let marked = octets(&without(&marked, &slot.blocked));
            let (times, speed) = (slot.padded(), slot.speed.as_ptr());
            // SAFETY: octets lie within times and speeds, their neighbours within the padded times; there are at
            // most `OCTETS` a tile, with 8 voxels each, and the batch has room for eight more than those of all.
            unsafe {
                for octet in Bits(O::occupied(&marked)) {
                    let (at, marked) = (times.add(position::<H>(octet * WIDTH)), marked[octet]);
                    O::pack(at, H::PITCH, speed.add(octet * WIDTH), marked, to.map(|to| to.add(n)));
                    let note = (i * size_of::<Notes>() + mark::<H>(octet)) as u32;
                    *self.line.get_unchecked_mut(entries) = Entry { at, note, marked };
                    entries += 1;
                    n += marked.count_ones() as usize;
                }
            }
        }
        (entries, n)
    }

    /// Stores solutions that are improvements. The first entries of the line, as many as are returned, become those
    /// with voxels improved within the window.
    #[inline(always)]
    fn scatter<O: Octet>(&mut self, entries: usize, window_end: T) -> usize {
        let notes = Notes::start(&mut self.notes);
        let (mut n, mut kept) = (0, 0);
        for i in 0..entries.min(self.line.len()) {
            let entry = self.line[i];
            // SAFETY: as in `gather`: the same marks give the same positions and counts; notes are those of a tile of the
            // bundle; `kept` <= i.
            unsafe {
                let solution = self.batch.solution.as_ptr().add(n);
                let (better, inside) = O::unpack(entry.at, entry.marked, solution, window_end);
                let note = notes.add(entry.note as usize);
                *note.add(ROOM) |= better;
                *note.add(2 * ROOM) |= inside;
                *self.line.get_unchecked_mut(kept) = Entry { marked: inside, ..entry };
                kept += usize::from(inside != 0);
            }
            n += entry.marked.count_ones() as usize;
        }
        kept
    }

    /// Ends the visit of the member `i`: brings its masks up to date and returns it, `None` if there are no more.
    #[inline(always)]
    pub(crate) fn finish<O: Octet>(&mut self, i: usize) -> Option<&Member<T, H>> {
        let (member, notes) = (self.members[..self.size].get_mut(i)?, &mut self.notes[i]);
        // SAFETY: the slot is ours since `add`.
        let slot = unsafe { &mut *member.slot };
        let improved = from_octets(&take::<H>(&mut notes.improved));
        member.changed = or(&member.changed, &from_octets(&take::<H>(&mut notes.changed)));
        member.released = count(&without(&member.changed, &slot.released)) as u64;
        slot.pending = without(&or(&slot.pending, &improved), &member.changed);
        slot.released = or(&slot.released, &member.changed);
        slot.earliest = earliest::<T, H, O>(slot);
        Some(member)
    }

    /// Makes the bundle empty.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.size = 0;
    }
}

/// Empties the inbox; marks the voxels that are later than a neighbour that has changed.
#[inline(always)]
fn take_inbox<T: Time, H: Shape, O: Octet>(slot: &mut Slot<T, H>, marks: &mut [u8; ROOM]) {
    let times = slot.padded().cast_const();
    for face in Face::ALL {
        if !std::mem::replace(&mut slot.mail[face.index()], false) {
            continue;
        }
        let inbox = octets(&std::mem::replace(&mut slot.inbox[face.index()], NONE));
        let pitch = H::PITCH[face.axis];
        // SAFETY: an octet of inner voxels has its neighbours within the padded times.
        unsafe {
            for octet in Bits(O::occupied(&inbox)) {
                let at = times.add(position::<H>(octet * WIDTH));
                let outside = if face.high { at.add(pitch) } else { at.sub(pitch) };
                marks[mark::<H>(octet)] |= O::earlier(outside, at, inbox[octet]);
            }
        }
    }
}

/// Begins a window: returns what is pending within it, and marks what that concerns.
#[inline(always)]
fn release<T: Time, H: Shape, O: Octet>(window_end: T, slot: &mut Slot<T, H>, marks: *mut u8) -> Mask {
    let times = slot.padded().cast_const();
    let mut pending = octets(&slot.pending);
    // SAFETY: positions and marks are those of octets.
    unsafe {
        for octet in Bits(O::occupied(&pending)) {
            let at = times.add(position::<H>(octet * WIDTH));
            pending[octet] = O::within(at, pending[octet], window_end);
            mark_later::<T, H, O>(at, marks.add(mark::<H>(octet)), pending[octet]);
        }
    }
    from_octets(&pending)
}

/// Earliest pending time.
#[inline(always)]
fn earliest<T: Time, H: Shape, O: Octet>(slot: &mut Slot<T, H>) -> T {
    let times = slot.padded().cast_const();
    let pending = octets(&slot.pending);
    let mut least = [T::FAR; WIDTH];
    // SAFETY: positions are those of octets.
    unsafe {
        for octet in Bits(O::occupied(&pending)) {
            O::lower(&mut least, times.add(position::<H>(octet * WIDTH)), pending[octet]);
        }
    }
    for half in [4, 2, 1] {
        for i in 0..half {
            least[i] = if least[i + half] < least[i] { least[i + half] } else { least[i] };
        }
    }
    least[0]
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Cube, Sheet, Slab};
    use super::*;

    fn check<H: Shape>() {
        assert!(H::MARKS <= ROOM);
        let outermost = H::MARK_PITCH[1] + usize::from(H::OCTETS_X > 1);
        for octet in 0..OCTETS {
            let mark = usize::from(H::MARK[octet]);
            assert!(mark >= outermost && mark + outermost < H::MARKS);
            let run = octet % H::RUN;
            assert_eq!(mark, usize::from(H::MARK[octet - run]) + run);
        }
    }

    #[test]
    fn marks_have_a_margin_on_every_side() {
        check::<Cube>();
        check::<Slab>();
        check::<Sheet>();
    }
}
