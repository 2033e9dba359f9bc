//! Ctrl-C and SIGTERM.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, Ctrl-C and SIGTERM ask the run to stop cleanly. Asking again changes nothing: a step that GDAL is in cannot be broken off.
/// SIGHUP is left alone, so that `nohup` does what it is for.
pub(super) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let again = if INTERRUPTED.swap(true, Ordering::Relaxed) { "still " } else { "interrupted: " };
            tracing::warn!(
                "{again}finishing the current step; writing a large raster may take minutes, nothing half written will be published"
            );
        }
    });
    Ok(())
}

/// Whether the run has been asked to stop.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
