//! What a process is told over its standard input.

use std::io::{self, BufRead};
use std::thread;

/// Passes on each line of standard input, until `pass` says that nobody listens any more. Reads on
/// a thread of its own: a read that waits cannot be ended.
pub fn pass_orders(mut pass: impl FnMut(String) -> bool + Send + 'static) {
    thread::spawn(move || {
        let lines = io::stdin().lock().lines();
        for line in lines.map_while(Result::ok) {
            if !pass(line) {
                return;
            }
        }
    });
}
