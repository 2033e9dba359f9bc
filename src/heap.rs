//! What the allocator keeps.

/// Gives memory that was freed back to the system: glibc keeps what was freed in pieces of less than 32 MiB for the thread that asked for it, and
/// the stages of a run ask from threads of their own.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: releases free memory under the allocator's own locks; no pointer is involved.
    unsafe {
        libc::malloc_trim(0);
    }
}
