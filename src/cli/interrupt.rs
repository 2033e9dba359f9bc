//! Ctrl-C, and the signals that end a program: SIGTERM and SIGHUP.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, Ctrl-C and its like ask the run to stop cleanly. Asking again changes nothing: a step that GDAL is in cannot be broken off.
pub(super) fn watch() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        let again = if INTERRUPTED.swap(true, Ordering::Relaxed) { "still " } else { "interrupted: " };
        tracing::warn!(
            "{again}finishing the current step; writing a large raster may take minutes, nothing half written will be left"
        );
    })
}

/// Whether the run has been asked to stop.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
