//! The one mark that mutants, wrong variants of the protocol, leave in it.
//!
//! ```text
//! sane_or!(x, Name => y)        read: x
//! sane_or!(let x, Name => y);   read: nothing, x stays what it is
//! sane_or!(Name => y);          read: nothing
//! ```
//!
//! That is also all that is compiled of them, unless the feature `mutants` is on.

/// The sane expression, unless one of the mutants is switched on.
#[cfg(feature = "mutants")]
macro_rules! sane_or {
    (let $name:ident, $($mutant:ident => $wrong:expr),+ $(,)?) => {
        let $name = sane_or!($name, $($mutant => $wrong),+);
    };
    ($mutant:ident => $wrong:expr) => {
        if $crate::mutants::Mutant::$mutant.is_on() {
            $wrong;
        }
    };
    ($sane:expr, $($mutant:ident => $wrong:expr),+ $(,)?) => {
        $(if $crate::mutants::Mutant::$mutant.is_on() { $wrong } else)+ { $sane }
    };
}

/// The sane expression.
#[cfg(not(feature = "mutants"))]
macro_rules! sane_or {
    (let $name:ident, $($mutant:ident => $wrong:expr),+ $(,)?) => {};
    ($mutant:ident => $wrong:expr) => {};
    ($sane:expr, $($mutant:ident => $wrong:expr),+ $(,)?) => {
        $sane
    };
}
