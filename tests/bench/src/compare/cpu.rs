//! What processes take of the processors: `proc_pid_stat(5)`.

use std::fs;

use anyhow::{Context, Result};

/// Fields behind the one that ends with a parenthesis, to user and to kernel time.
const USER: usize = 11;

/// Seconds that these processes have taken so far, all threads, in user and kernel mode.
pub(crate) fn seconds(processes: &[u32]) -> Result<f64> {
    let ticks = processes.iter().map(|id| {
        let path = format!("/proc/{id}/stat");
        let text =
            fs::read_to_string(&path).with_context(|| format!("a server is gone: {path}"))?;
        ticks(&text).with_context(|| format!("{path} is not as it should be: {text}"))
    });
    let ticks: u64 = ticks.sum::<Result<u64>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The clock ticks of a process. Its name may hold anything, so what is read begins behind it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace().skip(USER);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_shift_its_fields() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 2 3 4 700 42 5 6 20 0 1 0 9 8 7";
        assert_eq!(ticks(stat), Some(742));
        assert_eq!(ticks("12 (a) S 1 2"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_taken_some_time() {
        assert!(seconds(&[std::process::id()]).unwrap() >= 0.0);
        assert!(seconds(&[0]).is_err());
    }
}
