//! What GDAL says to its error handler only.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};

use gdal::errors::{GdalError, Result};
use gdal_sys::{CPLErr, CPLErrorNum};

/// What is taken for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// What GDAL calls a failure.
    Failures,
    /// Warnings too: a `.aux.xml` that cannot be written is no more than a warning to GDAL.
    Warnings,
}

/// Runs `action` and makes an error of everything that GDAL reports meanwhile on this thread, also where it returns success.
///
/// GDAL before 3.7 returns nothing from flush and close, and a full disk may show there first. The error has every message: the first
/// names the cause, the last is often no more than "cannot create".
pub(crate) fn watch<T>(heed: Heed, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let handler = Handler::push(heed);
    let result = action();
    match (handler.reported(), result) {
        (Some(error), _) | (None, Err(error)) => Err(error),
        (None, Ok(value)) => Ok(value),
    }
}

#[derive(Debug)]
struct Report {
    class: CPLErr::Type,
    number: CPLErrorNum,
    message: String,
}

/// This thread's innermost error handler, until it is dropped.
#[derive(Debug)]
struct Handler {
    heed: Heed,
    reports: Box<RefCell<Vec<Report>>>,
}

impl Handler {
    fn push(heed: Heed) -> Self {
        let reports = Box::<RefCell<Vec<Report>>>::default();
        // SAFETY: the pointer is read by `record` only, which runs on this thread until `drop` pops it, and the box outlives that.
        unsafe { gdal_sys::CPLPushErrorHandlerEx(Some(record), (&raw const *reports).cast_mut().cast()) };
        Self { heed, reports }
    }

    fn reported(&self) -> Option<GdalError> {
        let least = match self.heed {
            Heed::Failures => CPLErr::CE_Failure,
            Heed::Warnings => CPLErr::CE_Warning,
        };
        let reports = self.reports.borrow();
        let mut heeded = reports.iter().filter(|report| report.class >= least);
        let first = heeded.next()?;
        let mut msg = first.message.clone();
        for report in heeded.filter(|report| report.message != first.message) {
            // A full disk is reported once per block; the first few tell it all.
            if msg.len() < 400 {
                msg = format!("{msg}; {}", report.message);
            }
        }
        Some(GdalError::CplError { class: first.class, number: first.number, msg })
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // SAFETY: pops the handler that `push` pushed on this thread: `Handler` is neither `Send` nor pushed twice.
        unsafe { gdal_sys::CPLPopErrorHandler() };
    }
}

/// What GDAL calls for each message.
unsafe extern "C" fn record(class: CPLErr::Type, number: CPLErrorNum, message: *const c_char) {
    // SAFETY: the user data of this handler is the `RefCell` that `push` gave, and nothing else is borrowed from it while GDAL runs.
    let reports = unsafe { &*gdal_sys::CPLGetErrorHandlerUserData().cast::<RefCell<Vec<Report>>>() };
    // SAFETY: GDAL gives a C string that is valid during the call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    if class >= CPLErr::CE_Warning {
        reports.borrow_mut().push(Report { class, number, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_error_though_the_action_succeeds() {
        let ignores = || {
            let _ = gdal::DriverManager::get_driver_by_name("GTiff")?.create("/nowhere/at/all.tif", 1, 1, 1);
            Ok(1)
        };
        let error = watch(Heed::Failures, ignores).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all.tif"), "{error}");
        assert_eq!(watch(Heed::Warnings, || Ok(2)).unwrap(), 2);
    }
}
