use super::*;
use crate::cpu::Instructions;
use crate::eikonal::axes::Axes;
use crate::eikonal::local;
use crate::eikonal::tiled::solve::{Steps, cascade, solve};
use crate::grid::{Size3, Spacing3};
use crate::pixel::Pixel;
use proptest::prelude::*;

/// Numbers aligned as vectors want them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
struct Eight<E>([E; 8]);

/// Something to do with every implementation that this machine can run.
trait Check {
    /// # Safety
    /// The machine has the instructions.
    unsafe fn with<L: Lanes>(&mut self);
}

/// Calls the check with every implementation that this machine can run.
fn for_all(check: &mut impl Check) {
    // SAFETY: each only where the machine has the instructions.
    unsafe {
        check.with::<Plain<f32>>();
        check.with::<Plain<f64>>();
        #[cfg(target_arch = "x86_64")]
        {
            if Instructions::Avx2.available() {
                check.with::<Avx2Single>();
                check.with::<Avx2Double>();
            }
            if Instructions::Avx512.available() {
                check.with::<Avx512Single>();
                check.with::<Avx512Double>();
            }
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        {
            assert!(Instructions::Neon.available());
            check.with::<NeonSingle>();
            check.with::<NeonDouble>();
        }
    }
}

unsafe fn read<V: Vector>(v: V) -> [V::Element; 8]
where
    V::Element: Default,
{
    let mut out = Eight([V::Element::default(); 8]);
    // SAFETY: aligned, and the caller has the instructions.
    unsafe { V::store(v, out.0.as_mut_ptr()) };
    out.0
}

unsafe fn vector<V: Vector>(values: [V::Element; 8]) -> V {
    // SAFETY: aligned, and the caller has the instructions.
    unsafe { V::load(Eight(values).0.as_ptr()) }
}

/// What every vector must do, lane by lane.
unsafe fn check_vector<V: Vector>(a: [V::Element; 8], b: [V::Element; 8])
where
    V::Element: Default + PartialOrd + std::fmt::Debug,
{
    let lanes = |f: &dyn Fn(usize) -> V::Element| std::array::from_fn::<_, 8, _>(f);
    let bits = |f: &dyn Fn(usize) -> bool| (0..8).fold(0u8, |bits, i| bits | u8::from(f(i)) << i);
    // SAFETY: the caller has the instructions.
    unsafe {
        let (x, y) = (vector::<V>(a), vector::<V>(b));
        let less = V::less(x, y);
        assert_eq!(read(V::min(x, y)), lanes(&|i| if a[i] < b[i] { a[i] } else { b[i] }));
        assert_eq!(read(V::max(x, y)), lanes(&|i| if a[i] > b[i] { a[i] } else { b[i] }));
        assert_eq!(V::bits(less), bits(&|i| a[i] < b[i]));
        assert_eq!(V::bits(V::at_most(x, y)), bits(&|i| a[i] <= b[i]));
        assert_eq!(read(V::select(less, y, x)), lanes(&|i| if a[i] < b[i] { b[i] } else { a[i] }));
        assert_eq!(V::bits(V::without(less, V::at_most(x, y))), bits(&|i| a[i] == b[i]));
        assert_eq!(read(V::splat(a[3])), [a[3]; 8]);
        assert_eq!(read(V::swap_x(x)), lanes(&|i| a[i ^ 1]));
        assert_eq!(read(V::swap_y(x)), lanes(&|i| a[i ^ 2]));
        assert_eq!(read(V::swap_z(x)), lanes(&|i| a[i ^ 4]));
        assert_eq!(read(V::blend_x(x, y)), lanes(&|i| if i & 1 == 0 { a[i] } else { b[i] }));
        assert_eq!(read(V::blend_y(x, y)), lanes(&|i| if i & 2 == 0 { a[i] } else { b[i] }));
        assert_eq!(read(V::blend_z(x, y)), lanes(&|i| if i & 4 == 0 { a[i] } else { b[i] }));
    }
}

/// What every wide vector must do, lane by lane.
unsafe fn check_wide<W: Wide>(a: [f64; 8], b: [f64; 8], reach: i64) {
    let same = |got: [f64; 8], f: &dyn Fn(usize) -> f64| {
        assert_eq!(got.map(f64::to_bits), std::array::from_fn(|i| f(i).to_bits()));
    };
    // SAFETY: the caller has the instructions.
    unsafe {
        let (x, y) = (vector::<W>(a), vector::<W>(b));
        same(read(W::add(x, y)), &|i| a[i] + b[i]);
        same(read(W::sub(x, y)), &|i| a[i] - b[i]);
        same(read(W::mul(x, y)), &|i| a[i] * b[i]);
        same(read(W::div(x, y)), &|i| a[i] / b[i]);
        same(read(W::sqrt(x)), &|i| a[i].sqrt());
        same(read(W::unless_negative(W::sub(x, y), x, y)), &|i| if a[i] - b[i] < 0.0 { b[i] } else { a[i] });
        for (got, i) in read(W::mul_add_loosely(x, y, x)).into_iter().zip(0..) {
            let i: usize = i;
            assert!(got == a[i] + a[i] * b[i] || got == a[i].mul_add(b[i], a[i]));
        }
        for (got, i) in read(W::mul_sub_loosely(x, y, x)).into_iter().zip(0..) {
            let i: usize = i;
            assert!(got == a[i] - a[i] * b[i] || got == (-a[i]).mul_add(b[i], a[i]));
        }
        let near = W::near_tie(x, reach);
        for (i, value) in a.into_iter().enumerate() {
            assert_eq!(near >> i & 1 == 1, is_near_tie(value, reach), "{value:?} {reach}");
        }
    }
}

/// Whether a number lies within `reach` units of the middle of two neighbouring `f32`, by looking at both sides.
fn is_near_tie(value: f64, reach: i64) -> bool {
    let within = value.to_bits() as i64 & ((1 << 29) - 1);
    (within - (1 << 28)).abs() <= reach
}

struct Operations {
    single: [[f32; 8]; 2],
    double: [[f64; 8]; 2],
    reach: i64,
}

impl Check for Operations {
    unsafe fn with<L: Lanes>(&mut self) {
        // SAFETY: the same promise.
        unsafe {
            check_wide::<L::Wide>(self.double[0], self.double[1], self.reach);
            check_vector::<L::Wide>(self.double[0], self.double[1]);
            let times = |values: [f32; 8]| values.map(|v| L::Time::from_f64(f64::from(v)));
            check_vector::<L::Times>(times(self.single[0]), times(self.single[1]));
            let wide = read(L::widen(vector::<L::Times>(times(self.single[0]))));
            assert_eq!(wide, self.single[0].map(f64::from));
            let narrow = read(L::narrow(vector::<L::Wide>(self.double[0])));
            assert_eq!(narrow, self.double[0].map(L::Time::from_f64));
        }
    }
}

/// Eight voxels to solve; the solutions are compared with those of the scalar cascade.
struct Solutions {
    nearest: [[f32; 8]; 3],
    speed: [f32; 8],
    spacing: [f64; 3],
}

impl Solutions {
    fn times<T: Time>(values: [f32; 8]) -> [T; 8] {
        values.map(|v| if v >= f32::FAR { T::FAR } else { T::from_f64(f64::from(v)) })
    }
}

impl Check for Solutions {
    unsafe fn with<L: Lanes>(&mut self) {
        let axes = Axes::thinnest_last(Size3::new([9, 9, 9]).unwrap());
        let steps = Steps::new(Spacing3::new(self.spacing).unwrap(), axes);
        let nearest = self.nearest.map(Self::times::<L::Time>);
        let speed = Self::times::<L::Time>(self.speed);
        let far = L::Time::FAR.to_f64();
        let expected: [f64; 8] = std::array::from_fn(|i| {
            let times = nearest.map(|axis| axis[i].to_f64());
            local::cascade(times, steps.inverse_h2, speed[i].to_f64(), far)
        });
        // SAFETY: the same promise.
        unsafe {
            let (times, speeds) = (nearest.map(|axis| vector::<L::Times>(axis)), vector::<L::Times>(speed));
            let wide = if steps.equal {
                solve::<L, true>(times, speeds, &steps)
            } else {
                solve::<L, false>(times, speeds, &steps)
            };
            let by_cascade = read(cascade::<L>(times, speeds, &steps));
            let (exact, stored) = (read(wide), read(L::narrow(wide)));
            for i in 0..8 {
                if nearest.iter().all(|axis| axis[i] >= L::Time::FAR) || speed[i] <= L::Time::default() {
                    assert!(stored[i] >= L::Time::FAR || stored[i].to_f64().is_nan());
                    continue;
                }
                let expected = expected[i];
                assert_eq!(by_cascade[i], L::Time::from_f64(expected));
                let latest = nearest
                    .iter()
                    .map(|axis| axis[i].to_f64())
                    .fold(0.0, |a: f64, b| if b < far { a.max(b) } else { a });
                let reach = steps.reach(latest, speed[i].to_f64());
                let bound = reach as f64 * f64::EPSILON * expected;
                assert!((exact[i] - expected).abs() <= bound, "{} {expected} {bound}", exact[i]);
                let doubtful = Wide::near_tie(wide, reach) >> i & 1 == 1;
                if L::Time::ROUNDED && !doubtful {
                    assert_eq!(stored[i], L::Time::from_f64(expected));
                }
            }
        }
    }
}

fn eight<S: Strategy + Clone>(one: S) -> impl Strategy<Value = [S::Value; 8]> {
    [one.clone(), one.clone(), one.clone(), one.clone(), one.clone(), one.clone(), one.clone(), one]
}

/// Numbers of which some are equal.
fn number() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![1e-3f32..1e3, Just(1.0f32)]
}

fn time() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![8 => 0f32..50.0, 2 => (0u8..40).prop_map(f32::from), 1 => Just(f32::FAR)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_implementation_computes_lane_by_lane(
        single in [eight(number()), eight(number())],
        wide in [eight(1e-3f64..1e3), eight(1e-3f64..1e3)],
        power in 5u32..29,
    ) {
        for_all(&mut Operations { single, double: wide, reach: 1 << power });
    }

    #[test]
    fn one_square_root_gives_the_bits_of_the_cascade(
        nearest in [eight(time()), eight(time()), eight(time())],
        speed in eight(prop_oneof![8 => 0.01f32..4.0, 1 => Just(1.0f32), 1 => Just(0.0f32)]),
        spacing in prop_oneof![
            Just([1.0; 3]), Just([0.7; 3]), Just([0.5, 0.5, 5.0]), [0.5f64..2.0, 0.5f64..2.0, 0.5f64..5.0],
        ],
    ) {
        for_all(&mut Solutions { nearest, speed, spacing });
    }
}

#[test]
fn numbers_close_to_a_tie_are_found_exactly() {
    let tie = f64::from_bits(f64::from(1.5f32).to_bits() + (1 << 28));
    let at = |units: i64| f64::from_bits((tie.to_bits() as i64 + units) as u64);
    for reach in [64, 2048, 1 << 20] {
        let double = [0, reach, -reach, reach + 1, -reach - 1, 1 << 28, 1, -1].map(at);
        for_all(&mut Operations { single: [[1.0; 8]; 2], double: [double; 2], reach });
    }
}

#[test]
fn a_time_that_is_not_a_number_never_replaces_one() {
    struct NotANumber;
    impl Check for NotANumber {
        unsafe fn with<L: Lanes>(&mut self) {
            // SAFETY: the same promise.
            unsafe {
                let (nan, one) = (L::Times::splat(L::Time::NOT_A_NUMBER), L::Times::splat(L::Time::from_f64(1.0)));
                assert_eq!(read(L::Times::min(nan, one)), [L::Time::from_f64(1.0); 8]);
                assert_eq!(L::Times::bits(L::Times::at_most(nan, one)), 0);
            }
        }
    }
    for_all(&mut NotANumber);
}
