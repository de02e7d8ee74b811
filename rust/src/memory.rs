//! Memory that may be refused: vectors whose length depends on an image, and what to say where there is none.
//!
//! Whatever grows with an image is allocated here, so that a refused allocation is [`Error::OutOfMemory`] with the number
//! of bytes instead of the end of the process. Only what has a small, fixed size is allocated the ordinary way.

use crate::error::{Error, Result};

/// The error for a refused vector of `n` values of type `V`.
pub fn out_of_memory<V>(n: usize) -> Error {
    Error::OutOfMemory { bytes: n as u128 * size_of::<V>() as u128 }
}

/// A vector of `n` copies of `value`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_filled<V: Clone>(n: usize, value: V) -> Result<Vec<V>> {
    let mut values = try_with_room(n)?;
    values.resize(n, value);
    Ok(values)
}

/// An empty vector with room for exactly `n` values.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_with_room<V>(n: usize) -> Result<Vec<V>> {
    let mut values = Vec::new();
    values.try_reserve_exact(n).map_err(|_| out_of_memory::<V>(n))?;
    Ok(values)
}

/// Makes room for `more` values, with some to spare where the vector has to grow.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_reserve<V>(values: &mut Vec<V>, more: usize) -> Result<()> {
    values.try_reserve(more).map_err(|_| out_of_memory::<V>(values.len().saturating_add(more)))
}

/// Appends a value.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn try_push<V>(values: &mut Vec<V>, value: V) -> Result<()> {
    try_reserve(values, 1)?;
    values.push(value);
    Ok(())
}

/// Appends clones of all values of a slice.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn try_extend<V: Clone>(values: &mut Vec<V>, more: &[V]) -> Result<()> {
    try_reserve(values, more.len())?;
    values.extend_from_slice(more);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_vectors_tell_their_bytes() {
        let n = isize::MAX as usize / 8;
        let refused = Error::OutOfMemory { bytes: (n as u128 + 1) * 8 };
        assert_eq!(try_filled(n + 1, 0u64), Err(refused.clone()));
        assert_eq!(try_reserve(&mut vec![7u64], n), Err(refused));
        assert_eq!(try_with_room::<u8>(usize::MAX), Err(Error::OutOfMemory { bytes: usize::MAX as u128 }));
    }

    #[test]
    fn vectors_hold_what_was_put_into_them() {
        let mut values = try_filled(3, 1.5f32).unwrap();
        try_push(&mut values, 2.0).unwrap();
        try_extend(&mut values, &[3.0, 4.0]).unwrap();
        assert_eq!(values, [1.5, 1.5, 1.5, 2.0, 3.0, 4.0]);
    }
}
