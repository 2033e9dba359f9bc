//! Compiling the kernels.
#![expect(unsafe_code, reason = "functions of a library are called")]

use std::ffi::{CString, c_char};
use std::ptr;

use super::functions::{Nvrtc, Opaque};
use super::kernel::{Stored, device_source};
use super::library::NVRTC;
use crate::{Error, Result};

/// A generation of cards, as its name in `sm_90`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Architecture(pub(super) u32);

/// The compiler for kernels, NVIDIA's run-time one.
#[derive(Debug)]
pub(super) struct Compiler {
    functions: Nvrtc,
}

impl Compiler {
    /// Finds it.
    ///
    /// # Errors
    /// If it is missing.
    pub(super) fn open() -> Result<Self> {
        Ok(Self { functions: Nvrtc::open(NVRTC)? })
    }

    /// All kernels as a program that cards of a generation run.
    ///
    /// # Errors
    /// If the compiler does not know the generation, or the sources are wrong: its messages.
    pub(super) fn compile(&self, stored: Stored, architecture: Architecture) -> Result<Vec<u8>> {
        let fail = |messages: String| Error::NoCuda { missing: format!("the kernels do not compile: {messages}") };
        let text = |text: String| CString::new(text).map_err(|error| fail(error.to_string()));
        let (source, name) = (text(device_source())?, c"kernels.cu");
        let options = [
            text(format!("--gpu-architecture=sm_{}", architecture.0))?,
            text("--std=c++17".into())?,
            text(format!("-D{}", stored.define()))?,
        ];
        let options = options.each_ref().map(|option| option.as_ptr());
        let f = &self.functions;
        let mut program: Opaque = ptr::null_mut();
        // SAFETY: the source and its name are C strings, and there are no headers.
        let created = unsafe { (f.create)(&raw mut program, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null()) };
        if created != 0 {
            return Err(fail(format!("NVRTC answers {created}")));
        }
        // SAFETY: the program was created above and is destroyed below, and the options are C strings.
        let compiled = unsafe { (f.compile)(program, options.len() as i32, options.as_ptr()) };
        let result = if compiled == 0 {
            bytes(program, f.cubin_size, f.cubin).ok_or_else(|| fail("NVRTC gives no program".into()))
        } else {
            let log = bytes(program, f.log_size, f.log).unwrap_or_default();
            Err(fail(String::from_utf8_lossy(&log).trim_end_matches('\0').trim().to_owned()))
        };
        // SAFETY: the program was created above.
        unsafe { (f.destroy)(&raw mut program) };
        result
    }
}

/// What a program gives in as many bytes as it says.
fn bytes(
    program: Opaque,
    size: unsafe extern "C" fn(Opaque, *mut usize) -> i32,
    get: unsafe extern "C" fn(Opaque, *mut c_char) -> i32,
) -> Option<Vec<u8>> {
    let mut length = 0;
    // SAFETY: the program is one of NVRTC's, and the length a number to be written.
    let sized = unsafe { size(program, &raw mut length) };
    let mut bytes = vec![0u8; length];
    // SAFETY: there is room for as many bytes as it said.
    (sized == 0 && unsafe { get(program, bytes.as_mut_ptr().cast()) } == 0).then_some(bytes)
}
