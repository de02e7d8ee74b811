//! The band of voxels around the surface and how it moves: phases B, C and D of [`super`].
//!
//! In these phases voxels are read while others are written, so phi and status are relaxed atomics: a plain load or
//! store on every processor. What makes the values right is the order of the phases.

use super::crew::{Crew, Findings};
use super::fields::Fields;
use super::lattice::{Lattice, Offset};
use super::update::{Largest, Terms, Update};
use crate::cpu::Instructions;
use crate::error::Result;
use crate::memory::{Zeroed, try_extend, try_filled, try_push, try_reserve};
use crate::simd::run;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

/// What a voxel is. Layer n of the band, 1 to 6, has the status `ACTIVE + n`: 1, 3, 5 are the layers inside from the
/// active one inwards, 2, 4, 6 those outside.
pub(super) type Status = u8;
/// Outside the band. Zero, so that memory is touched only where the band comes.
pub(super) const FAR: Status = 0;
/// On the surface.
pub(super) const ACTIVE: Status = 1;
/// About to change its layer.
const CHANGING: Status = 8;
/// Active until now, its value too large.
const RISING: Status = 9;
/// Active until now, its value too small.
const FALLING: Status = 10;

/// More than there are statuses, a power of two.
const STATUSES: usize = 16;

/// Number of layers without the active one.
pub(super) const LAYERS: usize = 6;

/// Voxels that a worker takes at a time, in phases A, B and D.
const PIECE: [usize; 3] = [256, 4096, 2048];

/// The voxels of a layer, in no particular order.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Those off the frame, all of whose neighbours are inside the volume.
    pub(super) inner: Vec<Offset>,
    /// Those on the frame.
    pub(super) frame: Vec<Offset>,
}

/// The state of an evolution.
pub(super) struct Front<'a> {
    pub(super) lattice: Lattice,
    pub(super) phi: &'a mut [f32],
    status: Zeroed<AtomicU8>,
    /// The active voxels, ITK's list from its end to its front: what is put in front of the list is appended here.
    pub(super) active: Vec<Offset>,
    pub(super) layers: [Layer; LAYERS],
    /// The voxels of the frame that were active at the start, or beside active ones, in the order of memory. No other
    /// voxel of the frame ever joins a layer.
    pub(super) open_frame: Vec<Offset>,
    /// Rows with voxels that left the band.
    left: Vec<bool>,
    /// Whether a value that is not finite was met: then comparisons are made in ITK's order.
    not_finite: bool,
    instructions: Instructions,
    /// For each active voxel its rate of change, its new value, and the square of its change.
    rates: Vec<f32>,
    values: Vec<f32>,
    squares: Vec<f32>,
}

/// What an iteration did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Root of the mean squared change of active voxels, in mm.
    pub rms: f64,
    /// Time step.
    pub time_step: f64,
    /// Number of active voxels before it.
    pub active: usize,
    /// How many of them left the active layer.
    pub moved: usize,
    /// How many were held back by a neighbour that moves the other way.
    pub blocked: usize,
}

/// The same memory for readers and writers at once.
fn shared(values: &mut [f32]) -> &[AtomicU32] {
    let (start, length) = (values.as_mut_ptr().cast::<AtomicU32>(), values.len());
    // SAFETY: `AtomicU32` has the size, the alignment and the valid bit patterns of `f32`, and the exclusive borrow
    // lasts as long as the result, so nobody else accesses the memory in another way.
    unsafe { std::slice::from_raw_parts(start, length) }
}

#[inline(always)]
fn load(values: &[AtomicU32], at: usize) -> f32 {
    f32::from_bits(values[at].load(Relaxed))
}

#[inline(always)]
fn store(values: &[AtomicU32], at: usize, value: f32) {
    values[at].store(value.to_bits(), Relaxed);
}

impl<'a> Front<'a> {
    /// A front without voxels.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub(super) fn new(lattice: Lattice, phi: &'a mut [f32], instructions: Instructions) -> Result<Self> {
        let status = Zeroed::new(phi.len())?;
        Ok(Self {
            lattice,
            phi,
            status,
            active: Vec::new(),
            layers: Default::default(),
            open_frame: Vec::new(),
            left: try_filled(lattice.size.y() * lattice.size.z(), false)?,
            not_finite: false,
            instructions,
            rates: Vec::new(),
            values: Vec::new(),
            squares: Vec::new(),
        })
    }

    #[inline(always)]
    pub(super) fn status(&self, at: Offset) -> Status {
        self.status[at as usize].load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_status(&self, at: Offset, status: Status) {
        self.status[at as usize].store(status, Relaxed);
    }

    /// The face neighbours inside the volume, in the order -z -y -x +x +y +z.
    #[inline]
    pub(super) fn neighbours(&self, at: Offset) -> ([Offset; 6], usize) {
        let [x, y, z] = self.lattice.strides.map(|step| step as Offset);
        if self.open_frame.is_empty() {
            return ([at - z, at - y, at - x, at + x, at + y, at + z], 6);
        }
        let (mut found, mut count) = ([0; 6], 0);
        for neighbour in self.lattice.neighbours(at) {
            found[count] = neighbour;
            count += 1;
        }
        (found, count)
    }

    /// Whether a voxel outside the band may join it: those of the frame may not unless they did at the start.
    pub(super) fn may_join(&self, at: Offset) -> bool {
        !self.lattice.on_frame(at) || self.open_frame.binary_search(&at).is_ok()
    }

    /// Adds voxels to a layer, 1 to 6.
    pub(super) fn extend_layer(&mut self, layer: usize, voxels: &[Offset]) -> Result<()> {
        let list = &mut self.layers[layer - 1];
        if self.open_frame.is_empty() {
            return try_extend(&mut list.inner, voxels);
        }
        for &at in voxels {
            let part = if self.lattice.on_frame(at) { &mut list.frame } else { &mut list.inner };
            try_push(part, at)?;
        }
        Ok(())
    }

    /// Whether the band reaches the frame of the volume.
    pub(super) fn touches_frame(&self) -> bool {
        !self.open_frame.is_empty()
    }

    /// One iteration.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub(super) fn iterate(&mut self, crew: &mut Crew<'_>, fields: &Fields, terms: Terms) -> Result<Iteration> {
        let active = self.active.len();
        self.make_room(active)?;
        let time_step = self.find_rates(crew, fields, terms)?.time_step(&self.lattice);
        let movers = self.apply_rates(crew, time_step)?;
        let mut moves = self.choose_moves(&movers)?;
        let rms = self.rms(moves.blocked);
        self.change_layers(&mut moves)?;
        self.settle_layers(crew)?;
        Ok(Iteration { rms, time_step, active, moved: moves.positions.len(), blocked: moves.blocked })
    }

    fn make_room(&mut self, active: usize) -> Result<()> {
        for values in [&mut self.rates, &mut self.values, &mut self.squares] {
            try_reserve(values, active.saturating_sub(values.len()))?;
            values.resize(active, 0.0);
        }
        Ok(())
    }

    /// Phase A: rates of change.
    fn find_rates(&mut self, crew: &mut Crew<'_>, fields: &Fields, terms: Terms) -> Result<Largest> {
        let (lattice, phi, instructions) = (&self.lattice, &*self.phi, self.instructions);
        let pieces = self.active.chunks(PIECE[0]).zip(self.rates.chunks_mut(PIECE[0]));
        crew.each().for_each(|findings| findings.largest = Largest::default());
        crew.share(pieces, |(active, rates), findings| {
            let found = run(instructions, Update { lattice, fields, terms, phi, active, rates });
            findings.largest = findings.largest.or(found);
        })?;
        Ok(crew.each().fold(Largest::default(), |largest, findings| largest.or(findings.largest)))
    }

    /// Phase B: new values, stored where the voxel stays active. Returns the positions of the others, the front of the
    /// list first.
    fn apply_rates(&mut self, crew: &mut Crew<'_>, time_step: f64) -> Result<Vec<Offset>> {
        let half = self.half();
        let phi = shared(self.phi);
        let inputs = self.active.chunks(PIECE[1]).zip(self.rates.chunks(PIECE[1]));
        let outputs = self.values.chunks_mut(PIECE[1]).zip(self.squares.chunks_mut(PIECE[1]));
        let pieces = inputs.zip(outputs).enumerate();
        crew.share(pieces, |(piece, ((active, rates), (values, squares))), findings| {
            for (i, (at, rate)) in active.iter().zip(rates).enumerate() {
                let old = load(phi, *at as usize);
                let value = (f64::from(old) + time_step * f64::from(*rate)) as f32;
                values[i] = value;
                squares[i] = (value - old) * (value - old);
                findings.not_finite |= !value.is_finite();
                if value >= half || value < -half {
                    findings.attempt(|f| try_push(&mut f.movers, (piece * PIECE[1] + i) as Offset));
                } else {
                    store(phi, *at as usize, value);
                }
            }
        })?;
        let mut movers = Vec::new();
        for findings in crew.each() {
            self.not_finite |= findings.not_finite;
            try_extend(&mut movers, &findings.movers)?;
            findings.movers.clear();
        }
        movers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(movers)
    }

    /// The largest value of an active voxel; it may have the negative too.
    fn half(&self) -> f32 {
        (self.lattice.h / 2.0) as f32
    }
}

/// What phase C decides.
#[derive(Debug, Default)]
struct Moves {
    /// Positions in the active list of the voxels that leave it, the front of the list first.
    positions: Vec<Offset>,
    /// Those voxels that go outside, and those that go inside.
    rising: Vec<Offset>,
    falling: Vec<Offset>,
    blocked: usize,
}

impl Front<'_> {
    /// Phase C, first part: which movers move. Of two neighbours that cross in opposite directions the first in ITK's
    /// list moves, the other one stays as it is.
    fn choose_moves(&mut self, movers: &[Offset]) -> Result<Moves> {
        let mut moves = Moves::default();
        for &position in movers {
            let at = self.active[position as usize];
            let value = self.values[position as usize];
            let rising = value >= self.half();
            let (neighbours, count) = self.neighbours(at);
            let opposite = if rising { FALLING } else { RISING };
            if neighbours[..count].iter().any(|&n| self.status(n) == opposite) {
                self.squares[position as usize] = 0.0;
                moves.blocked += 1;
                continue;
            }
            self.push_surface(value, &neighbours[..count]);
            self.set_status(at, if rising { RISING } else { FALLING });
            try_push(if rising { &mut moves.rising } else { &mut moves.falling }, at)?;
            try_push(&mut moves.positions, position)?;
        }
        Ok(moves)
    }

    /// Gives the neighbours that become active, because a voxel leaves with `value`, their first value.
    fn push_surface(&mut self, value: f32, neighbours: &[Offset]) {
        let (half, h) = (self.half(), self.lattice.h);
        let rising = value >= half;
        let (layer, fresh) =
            if rising { (ACTIVE + 1, f64::from(value) - h) } else { (ACTIVE + 2, f64::from(value) + h) };
        let fresh = fresh as f32;
        for &n in neighbours {
            if self.status(n) == layer {
                let old = self.phi[n as usize];
                let untouched = if rising { old < -half } else { old >= half };
                if untouched || fresh.abs() < old.abs() {
                    self.phi[n as usize] = fresh;
                }
            }
        }
    }

    /// Root of the mean squared change of the active voxels that were not blocked, summed in ITK's order.
    fn rms(&self, blocked: usize) -> f64 {
        let sum = self.squares.iter().rev().fold(0.0f32, |sum, square| sum + square);
        let count = self.squares.len() - blocked;
        if count == 0 { 0.0 } else { f64::from(sum / count as f32).sqrt() }
    }

    /// Phase C, second part: voxels change their layers, in ITK's order of steps.
    fn change_layers(&mut self, moves: &mut Moves) -> Result<()> {
        remove_positions(&mut self.active, &moves.positions);
        let layer = |n: Status| ACTIVE + n;
        let (up, down) = (std::mem::take(&mut moves.rising), std::mem::take(&mut moves.falling));
        let up1 = self.take(&up, layer(2), layer(1))?;
        let down1 = self.take(&down, layer(1), layer(2))?;
        let up2 = self.take(&up1, ACTIVE, layer(3))?;
        let down2 = self.take(&down1, ACTIVE, layer(4))?;
        let up3 = self.take(&up2, layer(1), layer(5))?;
        let down3 = self.take(&down2, layer(2), layer(6))?;
        let up4 = self.take(&up3, layer(3), FAR)?;
        let down4 = self.take(&down3, layer(4), FAR)?;
        up4.iter().for_each(|&at| self.set_status(at, layer(5)));
        down4.iter().for_each(|&at| self.set_status(at, layer(6)));
        try_reserve(&mut self.active, up1.len() + down1.len())?;
        self.active.extend(up1.iter().rev().chain(down1.iter().rev()));
        for (layer, voxels) in [(2, up), (1, down), (1, up2), (2, down2), (3, up3), (4, down3), (5, up4), (6, down4)] {
            self.extend_layer(layer, &voxels)?;
        }
        Ok(())
    }

    /// Gives `voxels`, the last one first, the status `to`, and returns their neighbours of status `from`.
    fn take(&self, voxels: &[Offset], to: Status, from: Status) -> Result<Vec<Offset>> {
        let mut taken = Vec::new();
        for &at in voxels.iter().rev() {
            self.set_status(at, to);
            let (neighbours, count) = self.neighbours(at);
            for &n in &neighbours[..count] {
                if self.status(n) == from && (from != FAR || self.may_join(n)) {
                    self.set_status(n, CHANGING);
                    try_push(&mut taken, n)?;
                }
            }
        }
        Ok(taken)
    }

    /// Phase D: the values of all layers from the active one outwards, an inside and an outside layer at a time.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub(super) fn settle_layers(&mut self, crew: &mut Crew<'_>) -> Result<()> {
        for inside in [1, 3, 5] {
            self.settle_pair(crew, inside)?;
            for side in 0..2 {
                self.collect(crew, inside + side, side)?;
            }
        }
        Ok(())
    }

    /// New values of layers `inside` and `inside + 1`.
    fn settle_pair(&mut self, crew: &mut Crew<'_>, inside: usize) -> Result<()> {
        let band = Band {
            phi: shared(self.phi),
            status: &self.status,
            strides: self.lattice.strides,
            h: self.lattice.h as f32,
            not_finite: self.not_finite,
        };
        let [odd, even] = [&self.layers[inside - 1].inner, &self.layers[inside].inner];
        // An exact size needs one list of pieces rather than a chain of two.
        let count = odd.len().div_ceil(PIECE[2]);
        let pieces =
            (0..count + even.len().div_ceil(PIECE[2])).map(|n| if n < count { (0, n) } else { (1, n - count) });
        crew.share(pieces, |(side, piece), findings| {
            let list = if side == 0 { odd } else { even };
            let first = piece * PIECE[2];
            let voxels = &list[first..list.len().min(first + PIECE[2])];
            findings.attempt(|f| match (side, band.not_finite) {
                (0, false) => band.settle::<true, false>(inside, voxels, first, f),
                (0, true) => band.settle::<true, true>(inside, voxels, first, f),
                (_, false) => band.settle::<false, false>(inside + 1, voxels, first, f),
                (_, true) => band.settle::<false, true>(inside + 1, voxels, first, f),
            });
        })
    }

    /// Takes up what the members found about a layer: drops void places, and hands promoted voxels on.
    fn collect(&mut self, crew: &mut Crew<'_>, layer: usize, side: usize) -> Result<()> {
        let (mut void, mut promoted) = (Vec::new(), Vec::new());
        for findings in crew.each() {
            try_extend(&mut void, &findings.void[side])?;
            try_extend(&mut promoted, &findings.promoted[side])?;
            findings.void[side].clear();
            findings.promoted[side].clear();
        }
        void.sort_unstable();
        for position in void.into_iter().rev() {
            self.layers[layer - 1].inner.swap_remove(position as usize);
        }
        self.settle_frame(layer, &mut promoted)?;
        if layer + 2 <= LAYERS {
            return self.extend_layer(layer + 2, &promoted);
        }
        let nx = self.lattice.size.x();
        promoted.iter().for_each(|&at| self.left[at as usize / nx] = true);
        Ok(())
    }

    /// New values of the voxels of a layer that are on the frame.
    fn settle_frame(&mut self, layer: usize, promoted: &mut Vec<Offset>) -> Result<()> {
        let mut list = std::mem::take(&mut self.layers[layer - 1].frame);
        let (own, from) = statuses(layer);
        let (inside, h) = (layer % 2 == 1, self.lattice.h as f32);
        list.retain(|&at| self.status(at) == own);
        try_reserve(promoted, list.len())?;
        list.retain(|&at| {
            let (neighbours, count) = self.neighbours(at);
            let mut around = [(FAR, 0.0); 6];
            around
                .iter_mut()
                .zip(&neighbours[..count])
                .for_each(|(to, &n)| *to = (self.status(n), self.phi[n as usize]));
            let nearest = first_nearest(around, from, inside);
            match nearest {
                Some(value) => self.phi[at as usize] = if inside { value - h } else { value + h },
                None => {
                    self.set_status(at, outwards(layer));
                    promoted.push(at);
                }
            }
            nearest.is_some()
        });
        self.layers[layer - 1].frame = list;
        Ok(())
    }

    /// Gives the voxels that left the band the values of those that never were in it.
    pub(super) fn finish(&mut self) {
        let nx = self.lattice.size.x();
        let far = self.lattice.far();
        for (row, _) in self.left.iter().enumerate().filter(|(_, left)| **left) {
            let places = row * nx..(row + 1) * nx;
            for (value, status) in self.phi[places.clone()].iter_mut().zip(&self.status[places]) {
                if status.load(Relaxed) == FAR {
                    *value = if *value > 0.0 { far } else { -far };
                }
            }
        }
    }
}

/// The status of a layer, and of the layer that its values come from.
fn statuses(layer: usize) -> (Status, Status) {
    let own = ACTIVE + layer as Status;
    (own, if layer <= 2 { ACTIVE } else { own - 2 })
}

/// The status of a voxel that leaves a layer outwards.
fn outwards(layer: usize) -> Status {
    if layer + 2 <= LAYERS { ACTIVE + layer as Status + 2 } else { FAR }
}

/// Removes positions, given from the last to the first, and keeps the order of the rest.
fn remove_positions(list: &mut Vec<Offset>, positions: &[Offset]) {
    let Some(&first) = positions.last() else { return };
    let mut kept = first as usize;
    for (n, &position) in positions.iter().enumerate().rev() {
        let next = if n == 0 { list.len() } else { positions[n - 1] as usize };
        list.copy_within(position as usize + 1..next, kept);
        kept += next - position as usize - 1;
    }
    list.truncate(kept);
}

/// What phase D works on.
struct Band<'a> {
    phi: &'a [AtomicU32],
    status: &'a [AtomicU8],
    /// Distance in memory between neighbours along (x, y, z).
    strides: [usize; 3],
    h: f32,
    not_finite: bool,
}

impl Band<'_> {
    /// New values of voxels of a layer off the frame: one `h` beyond the nearest neighbour in the layer before. Those
    /// without such a neighbour go to the next layer outwards.
    fn settle<const INSIDE: bool, const ORDERED: bool>(
        &self,
        layer: usize,
        voxels: &[Offset],
        first: usize,
        findings: &mut Findings,
    ) -> Result<()> {
        let (own, from) = statuses(layer);
        let side = usize::from(!INSIDE);
        let mut penalties = [if INSIDE { f32::NEG_INFINITY } else { f32::INFINITY }; STATUSES];
        penalties[usize::from(from)] = 0.0;
        for (i, &at) in voxels.iter().enumerate() {
            if self.status[at as usize].load(Relaxed) == own {
                let around = self.around(at as usize);
                let nearest = match ORDERED {
                    true => first_nearest(around, from, INSIDE),
                    false => nearest::<INSIDE>(around, &penalties),
                };
                if let Some(value) = nearest {
                    store(self.phi, at as usize, if INSIDE { value - self.h } else { value + self.h });
                    continue;
                }
                self.status[at as usize].store(outwards(layer), Relaxed);
                try_push(&mut findings.promoted[side], at)?;
            }
            try_push(&mut findings.void[side], (first + i) as Offset)?;
        }
        Ok(())
    }

    /// Status and value of the neighbours of a voxel off the frame, in the order -z -y -x +x +y +z.
    #[inline(always)]
    fn around(&self, at: usize) -> [(Status, f32); 6] {
        let [x, y, z] = self.strides;
        let inside = at >= z && at + z < self.phi.len() && self.phi.len() == self.status.len();
        assert!(inside && x <= y && y <= z, "a voxel of the frame in a list of others");
        [at - z, at - y, at - x, at + x, at + y, at + z].map(|n| {
            // SAFETY: no neighbour is further away than z, and `at - z` to `at + z` are inside both slices, as asserted.
            unsafe {
                let value = f32::from_bits(self.phi.get_unchecked(n).load(Relaxed));
                (self.status.get_unchecked(n).load(Relaxed), value)
            }
        })
    }
}

/// The value nearest to the surface among neighbours whose status has no penalty. A branch on the status would be
/// mispredicted every other time.
#[inline(always)]
fn nearest<const INSIDE: bool>(around: [(Status, f32); 6], penalties: &[f32; STATUSES]) -> Option<f32> {
    let nothing = if INSIDE { f32::NEG_INFINITY } else { f32::INFINITY };
    let best = around.into_iter().fold(nothing, |best, (status, value)| {
        let value = value + penalties[usize::from(status) % STATUSES];
        let nearer = if INSIDE { value > best } else { value < best };
        if nearer { value } else { best }
    });
    (best != nothing).then_some(best)
}

/// The same by ITK's comparisons, in which the order counts where a value is not a number.
fn first_nearest(around: [(Status, f32); 6], from: Status, inside: bool) -> Option<f32> {
    let values = around.into_iter().filter(|(status, _)| *status == from).map(|(_, value)| value);
    values.reduce(|best, value| if (inside && value > best) || (!inside && value < best) { value } else { best })
}
