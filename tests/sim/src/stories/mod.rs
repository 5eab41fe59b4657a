//! Stories that some wrong variants of the protocol come to a bad end in, told by scenarios: where
//! chance alone would take too many seeds. Each is a test, and `cargo xtask zoo` tells all of them
//! to each mutant.

mod layouts;

/// A scenario: it panics where a property, or what it says itself, does not hold.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// What it is about.
    pub name: &'static str,
    /// Tells it.
    pub tell: fn(),
}

/// Names the stories of a module, and makes a test of each.
macro_rules! stories {
    ($($name:ident,)+) => {
        pub(super) const STORIES: &[super::Story] = &[
            $(super::Story { name: stringify!($name), tell: $name },)+
        ];

        #[cfg(test)]
        mod tests {
            $(
                #[test]
                fn $name() {
                    super::$name();
                }
            )+
        }
    };
}
use stories;

/// All stories.
pub const STORIES: &[Story] = layouts::STORIES;
