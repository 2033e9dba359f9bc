//! The processor in the place of a card, for tests: the kernels compiled as C++, and memory of the machine.
#![expect(unsafe_code, reason = "kernels are C functions, and memory is addresses")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ffi::c_void;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use libloading::Library;

use super::arguments::Address;
use super::convolution_plan::{ConvolutionPlan, ConvolutionShape};
use super::device::{Device, Mark, Recording, Stream};
use super::kernel::{Launch, Stored, host_source};
use crate::Result;

/// The kernels for one kind of values, as functions of the processor.
#[derive(Debug)]
pub(super) struct HostDevice {
    kernels: &'static Library,
    allocated: Mutex<HashMap<Address, usize>>,
}

/// Cards align their memory so.
const ALIGNMENT: usize = 256;

impl HostDevice {
    /// A device for values kept so; `None` where there is no C++ compiler, which is said aloud.
    pub(super) fn of(stored: Stored) -> Option<Arc<dyn Device>> {
        let kernels = kernels(stored)?;
        Some(Arc::new(Self { kernels, allocated: Mutex::default() }))
    }
}

/// The library of the kernels, compiled once.
pub(super) fn kernels(stored: Stored) -> Option<&'static Library> {
    static LIBRARIES: [OnceLock<Option<Library>>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let library = match stored {
        Stored::F32 => &LIBRARIES[0],
        Stored::F16 => &LIBRARIES[1],
        Stored::Bf16 => &LIBRARIES[2],
    };
    library.get_or_init(|| compile(stored)).as_ref()
}

fn compile(stored: Stored) -> Option<Library> {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("kernels.cpp"), folder.path().join("kernels.so"));
    fs::write(&source, host_source()).unwrap();
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-fPIC", "-shared", "-D"])
        .arg(stored.define())
        .arg("-o")
        .args([&library, &source])
        .output();
    let Ok(output) = output else {
        // Written past the test harness, which would swallow it.
        std::io::stderr().write_all(format!("SKIPPED: no C++ compiler called {compiler}; set CXX\n").as_bytes()).unwrap();
        return None;
    };
    assert!(output.status.success(), "the kernels are no C++: {}", String::from_utf8_lossy(&output.stderr));
    // SAFETY: the kernels have no initialisers.
    Some(unsafe { Library::new(&library) }.unwrap())
}

impl Device for HostDevice {
    fn allocate(&self, bytes: usize) -> Result<Address> {
        // SAFETY: there is at least one byte.
        let address = unsafe { alloc_zeroed(Layout::from_size_align(bytes, ALIGNMENT).unwrap()) } as Address;
        self.allocated.lock().unwrap().insert(address, bytes);
        Ok(address)
    }

    unsafe fn free(&self, address: Address) {
        let bytes = self.allocated.lock().unwrap().remove(&address).unwrap();
        // SAFETY: allocated above with the same layout.
        unsafe { dealloc(address as *mut u8, Layout::from_size_align(bytes, ALIGNMENT).unwrap()) }
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8> {
        Ok(self.allocate(bytes)? as *mut u8)
    }

    unsafe fn free_pinned(&self, memory: *mut u8, _bytes: usize) {
        // SAFETY: as the caller says.
        unsafe { self.free(memory as Address) }
    }

    unsafe fn write(&self, _stream: Stream, to: Address, from: &[u8]) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn read(&self, _stream: Stream, from: Address, to: &mut [u8]) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn clear(&self, at: Address, bytes: usize) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::write_bytes(at as *mut u8, 0, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, launch: &Launch) -> Result<()> {
        type Function = unsafe extern "C" fn(*const c_void, u32);
        // SAFETY: all kernels are functions of this type.
        let function = unsafe { self.kernels.get::<Function>(launch.kernel) }.unwrap();
        // SAFETY: the launch has the kernel's arguments, whose addresses are good, as the caller says.
        unsafe { function(launch.arguments(), u32::try_from(launch.items).unwrap()) };
        Ok(())
    }

    fn mark(&self, _stream: Stream) -> Result<Mark> {
        Ok(Arc::new(()))
    }

    fn follow(&self, _stream: Stream, _mark: &Mark) -> Result<()> {
        Ok(())
    }

    fn wait(&self, _mark: &Mark) -> Result<()> {
        Ok(())
    }

    fn record(&self, _work: &mut dyn FnMut() -> Result<()>) -> Result<Option<Recording>> {
        Ok(None)
    }

    fn replay(&self, _recording: &Recording) -> Result<()> {
        unreachable!("nothing is recorded")
    }

    fn plan(&self, _shape: &ConvolutionShape) -> Result<Option<Box<dyn ConvolutionPlan>>> {
        Ok(None)
    }
}
