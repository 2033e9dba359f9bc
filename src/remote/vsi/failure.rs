//! Why GDAL could not read.

use std::cell::RefCell;
use std::ffi::{CString, c_int};

use gdal_sys::CPLErr;

use crate::RemoteError;

/// GDAL's number for failures of input and output.
const FILE_IO: c_int = 3;

thread_local! {
    static LAST: RefCell<Option<RemoteError>> = const { RefCell::new(None) };
}

/// The last failure of a store while GDAL read on this thread, and none after it. GDAL itself keeps only the last of the messages that a failure
/// leaves behind, which tells of a tile and not of the cause.
pub(crate) fn take_failure() -> Option<RemoteError> {
    LAST.take()
}

/// Keeps a failure for [`take_failure`], and tells GDAL.
pub(super) fn report(name: &str, error: &RemoteError) {
    LAST.set(Some(error.clone()));
    let Ok(text) = CString::new(format!("{name}: {error}").replace('\0', " ")) else { return };
    // SAFETY: both are NUL-terminated and outlive the call; the format takes exactly one string.
    unsafe { gdal_sys::CPLError(CPLErr::CE_Failure, FILE_IO, c"%s".as_ptr(), text.as_ptr()) };
}
