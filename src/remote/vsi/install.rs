//! Making objects known to GDAL.

use std::ffi::CString;
use std::sync::Once;

use super::callbacks;
use super::names::PREFIX;

/// Serves names that begin with [`PREFIX`] for as long as the process lives. GDAL does not guard its table of file systems before 3.7, so this comes
/// before what else is done with it.
pub(crate) fn install() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let Ok(prefix) = CString::new(PREFIX) else { return };
        // GDAL keeps the pointer.
        let prefix = prefix.into_raw();
        // SAFETY: GDAL gives the struct in the size that it knows itself, copies it, and frees it; it is nobody else's in between. The prefix lives
        // for ever.
        unsafe {
            let callbacks = gdal_sys::VSIAllocFilesystemPluginCallbacksStruct();
            if let Some(callbacks) = callbacks.as_mut() {
                callbacks::fill(callbacks);
                gdal_sys::VSIInstallPluginHandler(prefix, callbacks);
            }
            gdal_sys::VSIFreeFilesystemPluginCallbacksStruct(callbacks);
        }
    });
}
