//! Ctrl-C and its kin, for commands that have something to put in order before they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether the process was asked to end. A second request ends it at once, and so does the first
/// one after this was dropped.
#[derive(Debug)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes the place of what SIGINT, SIGTERM and SIGHUP do to a process.
    ///
    /// # Errors
    /// Where the system refuses to register a signal.
    pub fn watch() -> Result<Interrupt> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag down, and raises it.
            flag::register_conditional_default(signal, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Interrupt { asked })
    }

    /// Whether it was asked to.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Goes on, unless the process was asked to end.
    ///
    /// # Errors
    /// `interrupted`, once it was.
    pub fn check(&self) -> Result<()> {
        if self.is_asked() {
            bail!("interrupted");
        }
        Ok(())
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.asked.store(true, Ordering::Relaxed);
    }
}
