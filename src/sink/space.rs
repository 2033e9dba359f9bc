//! Room on the disk.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::{Error, Result};

/// Bytes that a file will take.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
}

/// An error if the disks have less room than these files will take; those on one disk take it together.
pub(crate) fn check(needs: &[Need]) -> Result<()> {
    let mut disks: Vec<Disk> = Vec::new();
    for Need { file, bytes } in needs {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let error = |source| Error::File { action: "look for room in", path: folder.to_owned(), source };
        let device = fs::metadata(folder).map_err(error)?.dev();
        if let Some(disk) = disks.iter_mut().find(|disk| disk.device == device) {
            disk.needed += bytes;
        } else {
            let free = free(folder).map_err(error)?;
            disks.push(Disk { device, folder: folder.to_owned(), needed: *bytes, free });
        }
    }
    match disks.into_iter().find(|disk| disk.needed > disk.free) {
        Some(Disk { folder, needed, free, .. }) => Err(Error::DiskSpace { path: folder, needed, free }),
        None => Ok(()),
    }
}

struct Disk {
    device: u64,
    /// Some folder on it.
    folder: PathBuf,
    needed: u64,
    free: u64,
}

/// Bytes that a file in this folder may take.
#[allow(clippy::useless_conversion, reason = "the fields' types differ between platforms")]
fn free(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string and `found` has room for what is written, both during the call.
    if unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled all of it.
    let found = unsafe { found.assume_init() };
    Ok(u64::from(found.f_bavail) * u64::from(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_one_disk_take_its_room_together() {
        let folder = tempfile::tempdir().unwrap();
        let free = free(folder.path()).unwrap();
        let need = |bytes| Need { file: folder.path().join("a.tif"), bytes };
        check(&[need(free / 4), need(free / 4)]).unwrap();
        let error = check(&[need(free), need(free)]).unwrap_err();
        assert!(matches!(error, Error::DiskSpace { needed, .. } if needed == 2 * free), "{error}");
    }
}
