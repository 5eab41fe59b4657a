//! A disk that can lose its power: an ext4 file system in a file, mounted through a loop device.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// A file system may be busy for a moment after the last process that used it has ended.
const UNMOUNT_ATTEMPTS: usize = 50;
const UNMOUNT_REST: Duration = Duration::from_millis(20);
const BALLAST: &str = "ballast";

/// Unmounted when it is dropped; its loop device goes with the mount.
pub(super) struct Image {
    file: PathBuf,
    mount: PathBuf,
    is_mounted: bool,
}

impl Image {
    /// A new disk of so many MiB, mounted.
    pub(super) fn new(folder: &Path, name: &str, mebibytes: u64) -> Result<Image> {
        let (file, mount) = (folder.join(format!("{name}.img")), folder.join(name));
        // Sparse: what is not written takes no room.
        File::create(&file)?.set_len(mebibytes << 20)?;
        process::run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&file))?;
        fs::create_dir_all(&mount)?;
        let mut image = Image { file, mount, is_mounted: false };
        image.mount()?;
        Ok(image)
    }

    /// A directory on it for a node: that of the mount itself is not empty.
    pub(super) fn data(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// What was not synced is gone, and everything fails from here on until it is mounted again.
    pub(super) fn cut_power(&self) -> Result<()> {
        let directory = File::open(&self.mount)?;
        shut_down(&directory).with_context(|| format!("cutting {}", self.mount.display()))
    }

    /// Like the power coming back. Nobody may use it.
    pub(super) fn remount(&mut self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    /// Takes all the room that there is.
    pub(super) fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.mount.join(BALLAST))?;
        let mut chunk = vec![1; 1 << 20];
        while !chunk.is_empty() {
            if ballast.write_all(&chunk).is_err() {
                chunk.truncate(chunk.len() / 2);
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub(super) fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.mount.join(BALLAST))?)
    }

    fn mount(&mut self) -> Result<()> {
        let mut mount = Command::new("mount");
        process::run(mount.args(["-t", "ext4", "-o", "loop"]).arg(&self.file).arg(&self.mount))?;
        self.is_mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        for _ in 0..UNMOUNT_ATTEMPTS {
            let unmounted = Command::new("umount").arg(&self.mount).output()?;
            if unmounted.status.success() {
                self.is_mounted = false;
                return Ok(());
            }
            thread::sleep(UNMOUNT_REST);
        }
        bail!("{} cannot be unmounted", self.mount.display())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.is_mounted && self.unmount().is_err() {
            // It goes as soon as nobody uses it any more.
            let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
        }
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "there is no safe face of this ioctl")]
fn shut_down(directory: &File) -> std::io::Result<()> {
    use rustix::ioctl::{Opcode, Setter, ioctl};

    /// `EXT4_IOC_SHUTDOWN`.
    const SHUTDOWN: Opcode = 0x8004_587d;
    /// `EXT4_GOING_FLAGS_NOLOGFLUSH`: what the journal of the file system has not on disk is gone.
    const NO_LOG_FLUSH: u32 = 2;
    // SAFETY: the kernel reads one `u32` through the pointer, and writes nothing.
    let done = unsafe { ioctl(directory, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
    Ok(done?)
}

#[cfg(not(target_os = "linux"))]
fn shut_down(_: &File) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
