//! Where the bulky parts of authentication live: on the heap where there is one, so that routers without them stay small,
//! and in place where there is none.

#[cfg(feature = "alloc")]
type Place<T> = alloc::boxed::Box<T>;
#[cfg(not(feature = "alloc"))]
type Place<T> = T;

/// A value, boxed when the feature `alloc` is on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held<T>(Place<T>);

impl<T> Held<T> {
    /// Puts `value` in its place.
    pub fn new(value: T) -> Self {
        #[cfg(feature = "alloc")]
        let value = alloc::boxed::Box::new(value);
        Self(value)
    }
}

impl<T> core::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> core::ops::DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
