//! What the commands of this project need of the machine that they run on.

mod interrupt;
pub mod ports;

pub use interrupt::Interrupt;
