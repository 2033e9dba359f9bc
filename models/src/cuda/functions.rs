//! The functions of CUDA's libraries that are called: names and types as in NVIDIA's headers.
#![expect(unsafe_code, reason = "functions are found by name")]

use std::ffi::{c_char, c_void};

use libloading::Library;

use super::library::{self, Wanted};
use crate::{Error, Result};

/// Contexts, streams, events, modules, functions, graphs, programs, handles, descriptors.
pub(super) type Opaque = *mut c_void;

macro_rules! functions {
    ($(#[$doc:meta])* $table:ident { $($field:ident: $name:literal($($argument:ty),*) -> $result:ty;)+ }) => {
        $(#[$doc])*
        pub(super) struct $table {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) -> $result,)+
        }

        impl std::fmt::Debug for $table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($table))
            }
        }

        impl $table {
            /// Opens the library and finds all functions.
            ///
            /// # Errors
            /// If the library is missing or lacks one of them.
            pub(super) fn open(wanted: Wanted) -> Result<Self> {
                let library = library::open(wanted)?;
                // SAFETY: the types are those of NVIDIA's headers.
                Ok(unsafe { Self { $($field: find(library, wanted, $name)?,)+ } })
            }
        }
    };
}

/// A function of a library.
///
/// # Safety
/// It must have the type.
unsafe fn find<F: Copy>(library: &'static Library, wanted: Wanted, name: &str) -> Result<F> {
    // SAFETY: as the caller says.
    unsafe { library.get::<F>(name) }
        .map(|function| *function)
        .map_err(|error| Error::NoCuda { missing: format!("{} is of another version: {error}", wanted.what) })
}

functions! {
    /// The driver (`cuda.h`).
    Driver {
        init: "cuInit"(u32) -> i32;
        error_string: "cuGetErrorString"(i32, *mut *const c_char) -> i32;
        device_count: "cuDeviceGetCount"(*mut i32) -> i32;
        device_get: "cuDeviceGet"(*mut i32, i32) -> i32;
        device_name: "cuDeviceGetName"(*mut c_char, i32, i32) -> i32;
        device_attribute: "cuDeviceGetAttribute"(*mut i32, i32, i32) -> i32;
        context_retain: "cuDevicePrimaryCtxRetain"(*mut Opaque, i32) -> i32;
        context_release: "cuDevicePrimaryCtxRelease_v2"(i32) -> i32;
        context_set: "cuCtxSetCurrent"(Opaque) -> i32;
        memory_info: "cuMemGetInfo_v2"(*mut usize, *mut usize) -> i32;
        allocate: "cuMemAlloc_v2"(*mut u64, usize) -> i32;
        free: "cuMemFree_v2"(u64) -> i32;
        host_allocate: "cuMemHostAlloc"(*mut *mut c_void, usize, u32) -> i32;
        host_free: "cuMemFreeHost"(*mut c_void) -> i32;
        fill: "cuMemsetD8Async"(u64, u8, usize, Opaque) -> i32;
        upload: "cuMemcpyHtoDAsync_v2"(u64, *const c_void, usize, Opaque) -> i32;
        download: "cuMemcpyDtoHAsync_v2"(*mut c_void, u64, usize, Opaque) -> i32;
        stream_create: "cuStreamCreate"(*mut Opaque, u32) -> i32;
        stream_destroy: "cuStreamDestroy_v2"(Opaque) -> i32;
        stream_wait: "cuStreamWaitEvent"(Opaque, Opaque, u32) -> i32;
        stream_synchronize: "cuStreamSynchronize"(Opaque) -> i32;
        capture_begin: "cuStreamBeginCapture_v2"(Opaque, i32) -> i32;
        capture_end: "cuStreamEndCapture"(Opaque, *mut Opaque) -> i32;
        graph_instantiate: "cuGraphInstantiateWithFlags"(*mut Opaque, Opaque, u64) -> i32;
        graph_launch: "cuGraphLaunch"(Opaque, Opaque) -> i32;
        graph_destroy: "cuGraphDestroy"(Opaque) -> i32;
        graph_exec_destroy: "cuGraphExecDestroy"(Opaque) -> i32;
        event_create: "cuEventCreate"(*mut Opaque, u32) -> i32;
        event_destroy: "cuEventDestroy_v2"(Opaque) -> i32;
        event_record: "cuEventRecord"(Opaque, Opaque) -> i32;
        event_synchronize: "cuEventSynchronize"(Opaque) -> i32;
        event_elapsed: "cuEventElapsedTime"(*mut f32, Opaque, Opaque) -> i32;
        module_load: "cuModuleLoadData"(*mut Opaque, *const c_void) -> i32;
        module_unload: "cuModuleUnload"(Opaque) -> i32;
        module_function: "cuModuleGetFunction"(*mut Opaque, Opaque, *const c_char) -> i32;
        launch: "cuLaunchKernel"(Opaque, u32, u32, u32, u32, u32, u32, u32, Opaque, *mut *mut c_void, *mut *mut c_void) -> i32;
    }
}

functions! {
    /// The compiler (`nvrtc.h`).
    Nvrtc {
        create: "nvrtcCreateProgram"(*mut Opaque, *const c_char, *const c_char, i32, *const *const c_char, *const *const c_char) -> i32;
        compile: "nvrtcCompileProgram"(Opaque, i32, *const *const c_char) -> i32;
        log_size: "nvrtcGetProgramLogSize"(Opaque, *mut usize) -> i32;
        log: "nvrtcGetProgramLog"(Opaque, *mut c_char) -> i32;
        cubin_size: "nvrtcGetCUBINSize"(Opaque, *mut usize) -> i32;
        cubin: "nvrtcGetCUBIN"(Opaque, *mut c_char) -> i32;
        destroy: "nvrtcDestroyProgram"(*mut Opaque) -> i32;
    }
}

functions! {
    /// cuDNN's graph API (`cudnn_graph.h`).
    Cudnn {
        version: "cudnnGetVersion"() -> usize;
        create: "cudnnCreate"(*mut Opaque) -> i32;
        destroy: "cudnnDestroy"(Opaque) -> i32;
        set_stream: "cudnnSetStream"(Opaque, Opaque) -> i32;
        error_string: "cudnnGetErrorString"(i32) -> *const c_char;
        last_error: "cudnnGetLastErrorString"(*mut c_char, usize) -> ();
        descriptor_create: "cudnnBackendCreateDescriptor"(i32, *mut Opaque) -> i32;
        descriptor_destroy: "cudnnBackendDestroyDescriptor"(Opaque) -> i32;
        descriptor_set: "cudnnBackendSetAttribute"(Opaque, i32, i32, i64, *const c_void) -> i32;
        descriptor_get: "cudnnBackendGetAttribute"(Opaque, i32, i32, i64, *mut i64, *mut c_void) -> i32;
        descriptor_finalize: "cudnnBackendFinalize"(Opaque) -> i32;
        execute: "cudnnBackendExecute"(Opaque, Opaque, Opaque) -> i32;
    }
}
