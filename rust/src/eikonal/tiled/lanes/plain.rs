//! Plain arrays: on any processor, and the form that the others are compared with.

use super::{Lanes, Vector, Wide};
use crate::eikonal::Time;
use std::marker::PhantomData;

/// Eight numbers.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Array<E>([E; 8]);

impl<E> From<[E; 8]> for Array<E> {
    fn from(values: [E; 8]) -> Self {
        Self(values)
    }
}

impl<E> From<Array<E>> for [E; 8] {
    fn from(values: Array<E>) -> Self {
        values.0
    }
}

/// Eight truth values.
#[derive(Clone, Copy)]
pub(crate) struct Truth([bool; 8]);

/// Lane by lane. A plain loop: `array::from_fn` is not unrolled inside the kernels.
#[inline(always)]
fn each<E: Copy>(any: E, make: impl Fn(usize) -> E) -> [E; 8] {
    let mut out = [any; 8];
    let mut i = 0;
    while i < 8 {
        out[i] = make(i);
        i += 1;
    }
    out
}

// SAFETY: each method is the lane-by-lane definition.
unsafe impl<E: Copy + PartialOrd + 'static> Vector for Array<E> {
    type Element = E;
    type Mask = Truth;

    methods! {
        fn load(from: *const E) -> Self {
            from.cast::<Self>().read()
        }

        fn store(v: Self, to: *mut E) {
            to.cast::<Self>().write(v)
        }

        fn splat(value: E) -> Self {
            Self([value; 8])
        }

        fn min(a: Self, b: Self) -> Self {
            Self(each(a.0[0], |i| if a.0[i] < b.0[i] { a.0[i] } else { b.0[i] }))
        }

        fn max(a: Self, b: Self) -> Self {
            Self(each(a.0[0], |i| if a.0[i] > b.0[i] { a.0[i] } else { b.0[i] }))
        }

        fn less(a: Self, b: Self) -> Truth {
            Truth(each(false, |i| a.0[i] < b.0[i]))
        }

        fn at_most(a: Self, b: Self) -> Truth {
            Truth(each(false, |i| a.0[i] <= b.0[i]))
        }

        fn select(mask: Truth, yes: Self, no: Self) -> Self {
            Self(each(no.0[0], |i| if mask.0[i] { yes.0[i] } else { no.0[i] }))
        }

        fn without(a: Truth, from: Truth) -> Truth {
            Truth(each(false, |i| !a.0[i] & from.0[i]))
        }

        fn bits(mask: Truth) -> u8 {
            let mut bits = 0;
            let mut i = 0;
            while i < 8 {
                bits |= u8::from(mask.0[i]) << i;
                i += 1;
            }
            bits
        }

        fn swap_x(v: Self) -> Self {
            Self(each(v.0[0], |i| v.0[i ^ 1]))
        }

        fn swap_y(v: Self) -> Self {
            Self(each(v.0[0], |i| v.0[i ^ 2]))
        }

        fn swap_z(v: Self) -> Self {
            Self(each(v.0[0], |i| v.0[i ^ 4]))
        }

        fn blend_x(even: Self, odd: Self) -> Self {
            Self(each(even.0[0], |i| if i & 1 == 0 { even.0[i] } else { odd.0[i] }))
        }

        fn blend_y(even: Self, odd: Self) -> Self {
            Self(each(even.0[0], |i| if i & 2 == 0 { even.0[i] } else { odd.0[i] }))
        }

        fn blend_z(even: Self, odd: Self) -> Self {
            Self(each(even.0[0], |i| if i & 4 == 0 { even.0[i] } else { odd.0[i] }))
        }
    }
}

// SAFETY: each method is the lane-by-lane definition.
unsafe impl Wide for Array<f64> {
    methods! {
        fn add(a: Self, b: Self) -> Self {
            Self(each(0.0, |i| a.0[i] + b.0[i]))
        }

        fn sub(a: Self, b: Self) -> Self {
            Self(each(0.0, |i| a.0[i] - b.0[i]))
        }

        fn mul(a: Self, b: Self) -> Self {
            Self(each(0.0, |i| a.0[i] * b.0[i]))
        }

        fn div(a: Self, b: Self) -> Self {
            Self(each(0.0, |i| a.0[i] / b.0[i]))
        }

        fn sqrt(v: Self) -> Self {
            Self(each(0.0, |i| v.0[i].sqrt()))
        }

        fn mul_add_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(each(0.0, |i| c.0[i] + a.0[i] * b.0[i]))
        }

        fn mul_sub_loosely(a: Self, b: Self, c: Self) -> Self {
            Self(each(0.0, |i| c.0[i] - a.0[i] * b.0[i]))
        }

        fn unless_negative(sign: Self, yes: Self, no: Self) -> Self {
            Self(each(0.0, |i| if sign.0[i] < 0.0 { no.0[i] } else { yes.0[i] }))
        }

        fn near_tie(v: Self, reach: i64) -> u8 {
            let near = each(false, |i| {
                let from_tie = (v.0[i].to_bits() as i64).wrapping_add(reach - (1 << 28)) & ((1 << 29) - 1);
                from_tie <= 2 * reach
            });
            <Self as Vector>::bits(Truth(near))
        }
    }
}

/// Plain arrays, times stored as `T`.
#[derive(Clone, Copy)]
pub(crate) struct Plain<T>(PhantomData<T>);

// SAFETY: each method is the lane-by-lane definition.
unsafe impl<T: Time> Lanes for Plain<T> {
    type Time = T;
    type Times = Array<T>;
    type Wide = Array<f64>;
    const TOGETHER: usize = 1;

    methods! {
        fn widen(times: Array<T>) -> Array<f64> {
            Array(each(0.0, |i| times.0[i].to_f64()))
        }

        fn narrow(wide: Array<f64>) -> Array<T> {
            Array(each(T::default(), |i| T::from_f64(wide.0[i])))
        }
    }
}
