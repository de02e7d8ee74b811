//! Which vector instructions this processor has, and which of them kernels use: detected here and nowhere else.
//!
//! A *token* such as [`Avx2`] is the proof that the processor has some instructions: only detection makes one, so a
//! function that takes one may be called by safe code although it was compiled for these instructions. [`Instructions`] is
//! the choice of a set by name; [`Instructions::best`] is the fastest that the machine has, unless tests or benches force
//! another one. The bits of all results are the same for all of them: no kernel lets the compiler fuse a multiplication with an
//! addition or reorder a sum.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU8, Ordering};

/// Proof of AVX2, FMA, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

/// Proof of AVX-512 F, BW, DQ and VL, and of all that [`Avx2`] proves.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

/// Proof of NEON, on a processor whose numbers begin with their lowest byte.
#[derive(Debug, Clone, Copy)]
pub struct Neon(());

impl Avx2 {
    /// The token, if the processor has the instructions. The answer is kept by the standard library.
    #[inline]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let bits = has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt");
            (has!("avx2") && has!("fma") && bits).then_some(Self(()))
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }
}

impl Avx512 {
    /// The token, if the processor has the instructions. The answer is kept by the standard library.
    #[inline]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let wide = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
            Avx2::detect().filter(|_| wide).map(|_| Self(()))
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The token of what it includes.
    #[inline]
    pub fn avx2(self) -> Avx2 {
        Avx2(())
    }
}

impl Neon {
    /// The token, if the processor has the instructions: every 64-bit ARM processor has.
    #[inline]
    pub fn detect() -> Option<Self> {
        cfg!(all(target_arch = "aarch64", target_endian = "little")).then_some(Self(()))
    }
}

/// A set of vector instructions by name. The bits of results are the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// What every machine of the architecture has.
    Baseline,
    /// Those of [`Avx2`].
    Avx2,
    /// Those of [`Avx512`].
    Avx512,
    /// Those of [`Neon`].
    Neon,
}

/// What [`Instructions::force`] asked for: a place in [`Instructions::ALL`], or this.
static FORCED: AtomicU8 = AtomicU8::new(NOT_FORCED);
const NOT_FORCED: u8 = u8::MAX;

impl Instructions {
    /// All, fastest first.
    pub const ALL: [Instructions; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Baseline];

    /// Those to use: the fastest that this machine has, or those that were forced.
    #[inline]
    pub fn best() -> Self {
        let forced = Self::ALL.get(usize::from(FORCED.load(Ordering::Relaxed))).copied();
        forced.unwrap_or_else(|| Self::ALL.into_iter().find(|i| i.available()).unwrap_or(Self::Baseline))
    }

    /// Makes [`Instructions::best`] answer with these in the whole process, or with the fastest ones again: for tests and
    /// benches.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where this machine does not have them.
    pub fn force(instructions: Option<Self>) -> Result<()> {
        let place = instructions.and_then(|forced| Self::ALL.iter().position(|i| *i == forced));
        if let Some(missing) = instructions.filter(|i| !i.available()) {
            let allowed = "this machine does not have these instructions";
            return Err(Error::BadArgument { name: "instructions", got: missing.name().into(), allowed });
        }
        FORCED.store(place.map_or(NOT_FORCED, |place| place as u8), Ordering::Relaxed);
        Ok(())
    }

    /// Whether this machine has them.
    pub fn available(self) -> bool {
        match self {
            Self::Baseline => true,
            Self::Avx2 => Avx2::detect().is_some(),
            Self::Avx512 => Avx512::detect().is_some(),
            Self::Neon => Neon::detect().is_some(),
        }
    }

    /// Name in lower case, as options spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The instructions with this name.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for another name.
    pub fn from_name(name: &str) -> Result<Self> {
        let allowed = "allowed are baseline, avx2, avx512 and neon";
        let known = Self::ALL.into_iter().find(|i| i.name() == name);
        known.ok_or_else(|| Error::BadArgument { name: "instructions", got: name.into(), allowed })
    }

    /// With the token that lets them be used; [`Level::Baseline`] where this machine does not have them.
    #[inline]
    pub fn level(self) -> Level {
        let level = match self {
            Self::Baseline => None,
            Self::Avx2 => Avx2::detect().map(Level::Avx2),
            Self::Avx512 => Avx512::detect().map(Level::Avx512),
            Self::Neon => Neon::detect().map(Level::Neon),
        };
        level.unwrap_or(Level::Baseline)
    }
}

/// Instructions that this machine has, with their token.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    /// What every machine of the architecture has.
    Baseline,
    /// AVX2 and what came with it.
    Avx2(Avx2),
    /// AVX-512 and AVX2.
    Avx512(Avx512),
    /// NEON.
    Neon(Neon),
}

impl Level {
    /// That of [`Instructions::best`].
    #[inline]
    pub fn best() -> Self {
        Instructions::best().level()
    }
}

/// Names of the vector extensions that kernels use on this machine.
pub fn features() -> Vec<&'static str> {
    let avx2 = ["avx2", "fma", "bmi1", "bmi2", "lzcnt", "popcnt"];
    match Level::best() {
        Level::Avx512(_) => [&avx2[..], &["avx512f", "avx512bw", "avx512dq", "avx512vl"]].concat(),
        Level::Avx2(_) => avx2.to_vec(),
        Level::Neon(_) => vec!["neon"],
        Level::Baseline if cfg!(target_arch = "x86_64") => vec!["sse2"],
        Level::Baseline => Vec::new(),
    }
}

/// Loops that the compiler turns into vector instructions, to be compiled for several sets of them.
///
/// `run` and everything it calls must be `#[inline(always)]`, so that it is compiled into the function that has the
/// instructions.
pub trait Vectorize {
    /// What the loops return.
    type Output;
    /// The loops.
    fn run(self) -> Self::Output;
}

/// Runs loops compiled for AVX2 where [`Level::best`] has it. (For loops that memory limits, wider vectors would lengthen
/// every build for little.)
#[inline]
pub fn vectorize<V: Vectorize>(loops: V) -> V::Output {
    match Level::best() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(token) => with_avx2(token, loops),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(token) => with_avx2(token.avx2(), loops),
        _ => loops.run(),
    }
}

#[cfg(target_arch = "x86_64")]
fn with_avx2<V: Vectorize>(_: Avx2, loops: V) -> V::Output {
    #[target_feature(enable = "avx2")]
    fn compiled<V: Vectorize>(loops: V) -> V::Output {
        loops.run()
    }
    // SAFETY: the processor has AVX2, which the token proves.
    unsafe { compiled(loops) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum<'a>(&'a [f32]);

    impl Vectorize for Sum<'_> {
        type Output = f32;
        #[inline(always)]
        fn run(self) -> f32 {
            self.0.iter().sum()
        }
    }

    /// One test, because forcing is for the whole process; others may run meanwhile, whose results it does not change.
    #[test]
    fn forced_instructions_are_used_and_give_the_same_bits() {
        let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin()).collect();
        let plain = Sum(&values).run();
        for instructions in Instructions::ALL {
            assert_eq!(Instructions::from_name(instructions.name()), Ok(instructions));
            let forced = Instructions::force(Some(instructions));
            assert_eq!(forced.is_ok(), instructions.available());
            if forced.is_ok() {
                assert_eq!(Instructions::best(), instructions);
                assert_eq!(vectorize(Sum(&values)).to_bits(), plain.to_bits());
                assert_eq!(features().contains(&"avx2"), Avx2::detect().is_some() && instructions.name() != "baseline");
            }
        }
        Instructions::force(None).unwrap();
        assert!(Instructions::best().available());
        assert!(Instructions::from_name("sse9").is_err());
    }
}
