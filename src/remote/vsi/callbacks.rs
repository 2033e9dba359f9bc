//! What GDAL calls.
//!
//! GDAL may call from any of its threads at once, but a file is used by one at a time. No panic may reach it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::SeekFrom;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;
use std::sync::Arc;

use gdal_sys::{VSIFilesystemPluginCallbacksStruct, VSIStatBufL};

use super::failure::report;
use super::file::{File, State};
use super::mount::Mount;
use super::names::plain;
use crate::RemoteError;
use crate::remote::cache::Wanted;

/// The bindings do not say what is in it.
#[cfg(target_os = "linux")]
type Stat = libc::stat64;
#[cfg(not(target_os = "linux"))]
type Stat = libc::stat;

/// Names all callbacks; those that are left out are not needed for reading.
pub(super) fn fill(callbacks: &mut VSIFilesystemPluginCallbacksStruct) {
    callbacks.stat = Some(stat);
    callbacks.open = Some(open);
    callbacks.tell = Some(tell);
    callbacks.seek = Some(seek);
    callbacks.read = Some(read);
    callbacks.read_multi_range = Some(read_multi_range);
    callbacks.eof = Some(eof);
    callbacks.close = Some(close);
    callbacks.read_dir = Some(read_dir);
    callbacks.sibling_files = Some(sibling_files);
    #[cfg(vsi_advise_read)]
    {
        callbacks.advise_read = Some(advise_read);
    }
    #[cfg(vsi_error)]
    {
        callbacks.error = Some(error);
        callbacks.clear_err = Some(clear_err);
    }
}

/// Keeps panics from reaching GDAL.
fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// The text at a pointer.
///
/// # Safety
/// It is null, or NUL-terminated and outlives what is made of it.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// The file of a handle.
///
/// # Safety
/// The handle is one that `open` gave and `close` has not taken, and nobody else uses it for as long as what is made of it lives.
unsafe fn file<'a>(handle: *mut c_void) -> &'a mut File {
    // SAFETY: `open` made it of a `File`; the caller vouches for the rest.
    unsafe { &mut *handle.cast::<File>() }
}

/// Says why as C does.
fn set_errno(code: c_int) {
    // SAFETY: the place of the calling thread's own number.
    #[cfg(target_os = "linux")]
    unsafe {
        *libc::__errno_location() = code;
    }
    // SAFETY: the place of the calling thread's own number.
    #[cfg(target_os = "macos")]
    unsafe {
        *libc::__error() = code;
    }
}

/// Tells of a failure; that there is no such object is none.
fn tell_of(name: &str, error: &RemoteError) {
    if *error == RemoteError::NotFound {
        set_errno(libc::ENOENT);
    } else {
        report(name, error);
        set_errno(libc::EIO);
    }
}

/// A list that GDAL frees. One without names says that there is nothing, no list that it is not known.
fn string_list(names: &[String]) -> *mut *mut c_char {
    // SAFETY: as large as the one pointer that ends a list, and all zeros.
    let mut list: *mut *mut c_char = unsafe { gdal_sys::CPLCalloc(1, size_of::<*mut c_char>()) }.cast();
    for name in names.iter().filter_map(|name| CString::new(name.as_str()).ok()) {
        // SAFETY: the list is GDAL's own and is replaced by what it becomes; the name is copied.
        list = unsafe { gdal_sys::CSLAddString(list, name.as_ptr()) };
    }
    list
}

unsafe extern "C" fn stat(_: *mut c_void, name: *const c_char, out: *mut VSIStatBufL, _: c_int) -> c_int {
    guard(-1, || {
        // SAFETY: GDAL's name lives as long as the call.
        let Some(name) = (unsafe { text(name) }) else { return -1 };
        let (size, mode) = match Mount::get().and_then(|mount| Ok((mount, mount.object(name)))) {
            Ok((_, Ok(object))) => (object.version.size, libc::S_IFREG),
            Ok((mount, Err(RemoteError::NotFound))) if mount.is_folder(name) => (0, libc::S_IFDIR),
            Ok((_, Err(error))) | Err(error) => {
                tell_of(name, &error);
                return -1;
            }
        };
        // SAFETY: GDAL's struct is the system's, and nobody else's during the call.
        let out = unsafe { &mut *out.cast::<Stat>() };
        out.st_size = size as _;
        out.st_mode = mode as _;
        0
    })
}

unsafe extern "C" fn open(_: *mut c_void, name: *const c_char, access: *const c_char) -> *mut c_void {
    guard(null_mut(), || {
        // SAFETY: GDAL's strings live as long as the call.
        let (Some(name), Some(access)) = (unsafe { (text(name), text(access)) }) else { return null_mut() };
        if access.contains(['w', 'a', '+']) {
            set_errno(libc::EACCES);
            return null_mut();
        }
        let file = Mount::get().and_then(|mount| {
            let object = mount.object(name)?;
            Ok(File::new(Arc::clone(&mount.cache), object, plain(name)))
        });
        match file {
            Ok(file) => Box::into_raw(Box::new(file)).cast(),
            Err(error) => {
                tell_of(name, &error);
                null_mut()
            }
        }
    })
}

unsafe extern "C" fn tell(handle: *mut c_void) -> u64 {
    // SAFETY: GDAL's own handle, used by this thread.
    unsafe { file(handle) }.position
}

unsafe extern "C" fn seek(handle: *mut c_void, offset: u64, whence: c_int) -> c_int {
    // A negative offset comes as its two's complement.
    let to = match whence {
        libc::SEEK_SET => SeekFrom::Start(offset),
        libc::SEEK_CUR => SeekFrom::Current(offset.cast_signed()),
        libc::SEEK_END => SeekFrom::End(offset.cast_signed()),
        _ => return -1,
    };
    // SAFETY: GDAL's own handle, used by this thread.
    unsafe { file(handle) }.seek(to);
    0
}

unsafe extern "C" fn read(handle: *mut c_void, out: *mut c_void, size: usize, count: usize) -> usize {
    guard(0, || {
        let Some(bytes) = size.checked_mul(count).filter(|bytes| *bytes > 0) else { return 0 };
        // SAFETY: GDAL's buffer is of `size * count` bytes and nobody else's during the call.
        let out = unsafe { from_raw_parts_mut(out.cast::<u8>(), bytes) };
        // SAFETY: GDAL's own handle, used by this thread.
        unsafe { file(handle) }.read(out) / size
    })
}

unsafe extern "C" fn read_multi_range(
    handle: *mut c_void,
    count: c_int,
    out: *mut *mut c_void,
    offsets: *const u64,
    sizes: *const usize,
) -> c_int {
    guard(-1, || {
        let wanted = |index: usize| {
            // SAFETY: each of the arrays has `count` members, and the buffers, of these sizes, do not overlap.
            unsafe {
                let bytes = from_raw_parts_mut((*out.add(index)).cast::<u8>(), *sizes.add(index));
                Wanted { offset: *offsets.add(index), bytes }
            }
        };
        let mut wanted: Vec<_> = (0..count.max(0) as usize).map(wanted).collect();
        // SAFETY: GDAL's own handle, used by this thread.
        if unsafe { file(handle) }.fill(&mut wanted) { 0 } else { -1 }
    })
}

#[cfg(vsi_advise_read)]
unsafe extern "C" fn advise_read(handle: *mut c_void, count: c_int, offsets: *const u64, sizes: *const usize) {
    guard((), || {
        let range = |index: usize| {
            // SAFETY: both arrays have `count` members.
            let (offset, size) = unsafe { (*offsets.add(index), *sizes.add(index)) };
            offset..offset.saturating_add(size as u64)
        };
        let ranges: Vec<_> = (0..count.max(0) as usize).map(range).collect();
        // SAFETY: GDAL's own handle, used by this thread.
        unsafe { file(handle) }.advise(&ranges);
    });
}

unsafe extern "C" fn eof(handle: *mut c_void) -> c_int {
    // SAFETY: GDAL's own handle, used by this thread.
    (unsafe { file(handle) }.state == State::AtEnd).into()
}

#[cfg(vsi_error)]
unsafe extern "C" fn error(handle: *mut c_void) -> c_int {
    // SAFETY: GDAL's own handle, used by this thread.
    (unsafe { file(handle) }.state == State::Failed).into()
}

#[cfg(vsi_error)]
unsafe extern "C" fn clear_err(handle: *mut c_void) {
    // SAFETY: GDAL's own handle, used by this thread.
    unsafe { file(handle) }.state = State::Good;
}

unsafe extern "C" fn close(handle: *mut c_void) -> c_int {
    guard(-1, || {
        // SAFETY: `open` made the handle of a box, and GDAL closes it once.
        drop(unsafe { Box::from_raw(handle.cast::<File>()) });
        0
    })
}

/// GDAL's driver for TIFFs lists folders by itself when it opens a file beside another; what is known of them by then is enough for it.
unsafe extern "C" fn read_dir(_: *mut c_void, name: *const c_char, most: c_int) -> *mut *mut c_char {
    guard(null_mut(), || {
        // SAFETY: GDAL's name lives as long as the call.
        let (Some(name), Ok(mount)) = (unsafe { text(name) }, Mount::get()) else { return null_mut() };
        let mut entries = mount.entries(&plain(name));
        if most > 0 {
            // One more than that tells GDAL that there are too many.
            entries.truncate(most as usize + 1);
        }
        string_list(&entries)
    })
}

unsafe extern "C" fn sibling_files(_: *mut c_void, name: *const c_char) -> *mut *mut c_char {
    guard(null_mut(), || {
        // SAFETY: GDAL's name lives as long as the call.
        let Some(name) = (unsafe { text(name) }) else { return null_mut() };
        let siblings = Mount::get().and_then(|mount| mount.siblings(name)).unwrap_or_else(|error| {
            tell_of(name, &error);
            Vec::new()
        });
        string_list(&siblings)
    })
}
