//! What the machine did beside what was measured: `/proc/stat` of `proc(5)`.

use std::fs;

/// Fields of user, nice, system, idle and so on, up to steal. What guests take is part of user.
const FIELDS: usize = 8;
const IDLE: usize = 3;
const WAITING: usize = 4;

/// Seconds that all processors have been busy so far; `None` where the system does not tell.
pub(crate) fn seconds() -> Option<f64> {
    let ticks = ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> =
        line.split_ascii_whitespace().take(FIELDS).map_while(|field| field.parse().ok()).collect();
    let idle = fields.get(IDLE)? + fields.get(WAITING)?;
    Some(fields.iter().sum::<u64>() - idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_and_guests_are_left_out() {
        let stat = "cpu  100 20 30 4000 500 6 7 8 99 99\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(ticks(stat), Some(100 + 20 + 30 + 6 + 7 + 8));
        assert_eq!(ticks("cpu0 1 2 3"), None);
        assert_eq!(ticks("cpu  1 2"), None);
    }
}
