//! What the commands of this project need of the machine that they run on.

mod interrupt;
mod orders;
pub mod ports;

pub use interrupt::Interrupt;
pub use orders::pass_orders;
