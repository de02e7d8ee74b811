//! Pixel types and the one macro that turns a runtime type into a compile-time one.

/// Numeric type of one component of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelType {
    /// `uint8`
    U8,
    /// `int8`
    I8,
    /// `uint16`
    U16,
    /// `int16`
    I16,
    /// `uint32`
    U32,
    /// `int32`
    I32,
    /// `uint64`
    U64,
    /// `int64`
    I64,
    /// `float32`
    F32,
    /// `float64`
    F64,
}

impl PixelType {
    /// All ten, in the order of the enum.
    pub const ALL: [PixelType; 10] = [
        PixelType::U8,
        PixelType::I8,
        PixelType::U16,
        PixelType::I16,
        PixelType::U32,
        PixelType::I32,
        PixelType::U64,
        PixelType::I64,
        PixelType::F32,
        PixelType::F64,
    ];

    /// Bytes of one component.
    pub fn size(self) -> usize {
        dispatch_pixel!(self, T => size_of::<T>())
    }

    /// NumPy's name of the type, e.g. `"int16"`.
    pub fn name(self) -> &'static str {
        dispatch_pixel!(self, T => <T as Pixel>::NAME)
    }

    /// The type with NumPy's name `name`.
    pub fn from_name(name: &str) -> Option<PixelType> {
        PixelType::ALL.into_iter().find(|t| t.name() == name)
    }
}

mod sealed {
    /// Keeps [`super::Pixel`] to the ten types of [`super::PixelType`].
    pub trait Sealed {}
}

/// A number that a voxel may hold: one of the ten types of [`PixelType`], and no other.
///
/// Voxels are read from memory by their [`Pixel::TYPE`], so a wrong one would read beyond it: the trait is sealed.
///
/// ```compile_fail
/// use mitk_rs::pixel::{Pixel, PixelType};
///
/// #[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
/// struct Byte(u8);
///
/// impl Pixel for Byte {
///     const TYPE: PixelType = PixelType::F64;
///     const NAME: &'static str = "float64";
///     const ZERO: Self = Byte(0);
///     const LOWEST: Self = Byte(0);
///     const HIGHEST: Self = Byte(255);
///     fn to_f32(self) -> f32 { self.0.into() }
///     fn to_f64(self) -> f64 { self.0.into() }
/// }
/// ```
pub trait Pixel: sealed::Sealed + Copy + Send + Sync + PartialOrd + std::fmt::Debug + 'static {
    /// The runtime name of this type.
    const TYPE: PixelType;
    /// NumPy's name of this type.
    const NAME: &'static str;
    /// 0.
    const ZERO: Self;
    /// Smallest finite value.
    const LOWEST: Self;
    /// Largest finite value.
    const HIGHEST: Self;
    /// As `f32`, rounded to nearest.
    fn to_f32(self) -> f32;
    /// As `f64`, rounded to nearest (only 64-bit integers can round).
    fn to_f64(self) -> f64;
}

macro_rules! impl_pixel {
    ($($t:ty, $variant:ident, $name:literal;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Pixel for $t {
            const TYPE: PixelType = PixelType::$variant;
            const NAME: &'static str = $name;
            const ZERO: Self = 0 as $t;
            const LOWEST: Self = <$t>::MIN;
            const HIGHEST: Self = <$t>::MAX;
            #[inline(always)]
            fn to_f32(self) -> f32 { self as f32 }
            #[inline(always)]
            fn to_f64(self) -> f64 { self as f64 }
        }
    )*};
}

impl_pixel! {
    u8, U8, "uint8";
    i8, I8, "int8";
    u16, U16, "uint16";
    i16, I16, "int16";
    u32, U32, "uint32";
    i32, I32, "int32";
    u64, U64, "uint64";
    i64, I64, "int64";
    f32, F32, "float32";
    f64, F64, "float64";
}

/// Runs `$body` with the type alias `$t` bound to the Rust type of `$pixel`.
macro_rules! dispatch_pixel {
    ($pixel:expr, $t:ident => $body:expr) => {
        $crate::pixel::dispatch_pixel!($pixel, $t => $body,
            U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64)
    };
    ($pixel:expr, $t:ident => $body:expr, $($variant:ident $type:ty),*) => {
        match $pixel {$(
            $crate::pixel::PixelType::$variant => {
                type $t = $type;
                $body
            }
        )*}
    };
}

pub(crate) use dispatch_pixel;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for t in PixelType::ALL {
            assert_eq!(PixelType::from_name(t.name()), Some(t));
        }
        assert_eq!(PixelType::from_name("complex64"), None);
    }

    #[test]
    fn sizes_are_those_of_numpy() {
        let sizes: Vec<usize> = PixelType::ALL.iter().map(|t| t.size()).collect();
        assert_eq!(sizes, [1, 1, 2, 2, 4, 4, 8, 8, 4, 8]);
    }
}
