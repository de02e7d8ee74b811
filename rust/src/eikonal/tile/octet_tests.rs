use super::*;
use crate::eikonal::march::Instructions;
use proptest::prelude::*;

/// Times in a box of 3 x 3 rows of ten, the octet in the middle.
const PITCH: [usize; 3] = [1, 10, 30];
const FIRST: usize = 41;

/// Everything an implementation says about an octet.
#[derive(Debug, PartialEq)]
struct Said<T> {
    packed: [Vec<T>; 4],
    stored: Vec<T>,
    found: [u8; 5],
    least: [T; WIDTH],
    occupied: u64,
}

/// # Safety
/// The processor has the instructions of `O`.
unsafe fn ask<T: Time, O: Octet>(times: &[T], solutions: &[T], marked: u8, window_end: T) -> Said<T> {
    let n = marked.count_ones() as usize;
    let mut packed = [0; 4].map(|_| vec![T::default(); WIDTH]);
    let (mut stored, mut least) = (times.to_vec(), [T::FAR; WIDTH]);
    let mut octets = [0; OCTETS];
    octets[usize::from(marked) % OCTETS] = marked;
    // SAFETY: the box has a layer around the octet on every side, and the rest is the caller's promise.
    unsafe {
        let at = times.as_ptr().add(FIRST);
        let to = packed.each_mut().map(Vec::as_mut_ptr);
        O::pack(at, PITCH, solutions.as_ptr(), marked, to);
        packed.iter_mut().for_each(|values| values.truncate(n));
        let (better, inside) = O::unpack(stored.as_mut_ptr().add(FIRST), marked, solutions.as_ptr(), window_end);
        O::lower(&mut least, at, marked);
        let (before, after) = (O::earlier(at, at.sub(10), marked), O::earlier(at, at.add(1), marked));
        let found = [better, inside, O::within(at, marked, window_end), before, after];
        Said { packed, stored, found, least, occupied: O::occupied(&octets) }
    }
}

fn compare<T: Time>(times: &[f32], solutions: &[f32], marked: u8, window_end: f32) {
    let convert = |values: &[f32]| values.iter().map(|v| T::from_f64(f64::from(*v))).collect::<Vec<T>>();
    let (times, solutions, end) = (convert(times), convert(solutions), T::from_f64(f64::from(window_end)));
    // SAFETY: any processor has what is plain; the others are asked only where the processor has the instructions.
    unsafe {
        let plain = ask::<T, Plain>(&times, &solutions, marked, end);
        #[cfg(target_arch = "x86_64")]
        {
            if Instructions::Avx2.available() {
                assert_eq!(ask::<T, Avx2>(&times, &solutions, marked, end), plain);
            }
            if Instructions::Avx512.available() {
                assert_eq!(ask::<T, Avx512>(&times, &solutions, marked, end), plain);
            }
        }
        assert_eq!(plain.occupied.count_ones(), u32::from(marked != 0));
        assert_eq!(plain.found[2] & !marked, 0);
    }
}

fn time() -> impl Strategy<Value = f32> {
    // Few different values, so that ties occur.
    prop_oneof![(0u8..20).prop_map(f32::from), Just(f32::FAR), 0f32..20.0]
}

proptest! {
    #[test]
    fn every_implementation_says_the_same(
        times in prop::collection::vec(time(), 90),
        solutions in prop::collection::vec(time(), WIDTH),
        marked in any::<u8>(),
        window_end in time(),
    ) {
        compare::<f32>(&times, &solutions, marked, window_end);
        compare::<f64>(&times, &solutions, marked, window_end);
    }
}
