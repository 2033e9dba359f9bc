//! A graphics processor.
#![expect(unsafe_code, reason = "functions of libraries are called, and memory of the card is addresses")]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_void};
use std::fmt;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use super::arguments::{ALL_KERNELS, Address};
use super::compiler::{Architecture, Compiler};
use super::convolution_plan::{ConvolutionPlan, ConvolutionShape};
use super::cudnn_planner::Planner;
use super::device::{Device, Mark, Recording, Stream};
use super::functions::{Driver, Opaque};
use super::kernel::{Launch, Stored};
use super::library::DRIVER;
use crate::{Error, Result};

/// Threads of a block.
const BLOCK: u32 = 256;

/// A graphics processor with the kernels for values that are kept in one way.
pub(super) struct Card {
    context: Arc<Context>,
    name: String,
    streams: [Opaque; 3],
    module: Opaque,
    kernels: HashMap<&'static str, Opaque>,
    planner: Mutex<Planner>,
}

// SAFETY: all handles may be used from any thread that has set the context, which every call does.
unsafe impl Send for Card {}
// SAFETY: as above; the planner, whose handle is for one thread at a time, has a lock.
unsafe impl Sync for Card {}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (CUDA device {})", self.name, self.context.ordinal)
    }
}

/// The driver, and one card's context in it.
pub(super) struct Context {
    pub(super) driver: Driver,
    pub(super) ordinal: usize,
    device: i32,
    handle: Opaque,
}

// SAFETY: a context may be made current in any thread.
unsafe impl Send for Context {}
// SAFETY: as above; it is never changed.
unsafe impl Sync for Context {}

/// Cards that there are, as far as the driver says.
pub(super) fn count() -> Result<usize> {
    let driver = Driver::open(DRIVER)?;
    count_of(&driver)
}

fn count_of(driver: &Driver) -> Result<usize> {
    let none = |reason: String| Error::NoCuda { missing: format!("the NVIDIA driver finds no card: {reason}") };
    // SAFETY: it takes no more than flags, of which there are none.
    let status = unsafe { (driver.init)(0) };
    if status != 0 {
        return Err(none(error_of(driver, status)));
    }
    let mut count = 0;
    // SAFETY: the count is to be written.
    let status = unsafe { (driver.device_count)(&raw mut count) };
    if status == 0 { Ok(usize::try_from(count).unwrap_or(0)) } else { Err(none(error_of(driver, status))) }
}

/// What the driver says of a status.
fn error_of(driver: &Driver, status: i32) -> String {
    let mut text = ptr::null();
    // SAFETY: the text is to be written; it lives as long as the driver.
    let known = unsafe { (driver.error_string)(status, &raw mut text) } == 0 && !text.is_null();
    // SAFETY: the driver wrote a C string.
    if known { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() } else { format!("error {status}") }
}

impl Context {
    /// The context of a card.
    ///
    /// # Errors
    /// If the driver or the card is missing.
    fn new(ordinal: usize) -> Result<Self> {
        let driver = Driver::open(DRIVER)?;
        let count = count_of(&driver)?;
        if ordinal >= count {
            return Err(Error::NoCuda { missing: format!("there is no card {ordinal}: the NVIDIA driver finds {count}") });
        }
        let mut made = Self { driver, ordinal, device: 0, handle: ptr::null_mut() };
        let (mut device, mut context) = (0, ptr::null_mut());
        // SAFETY: the device is to be written, and the ordinal is below the count.
        made.ask("be opened", |d| unsafe { (d.device_get)(&raw mut device, ordinal as i32) })?;
        // SAFETY: the context is to be written.
        made.ask("be opened", |d| unsafe { (d.context_retain)(&raw mut context, device) })?;
        (made.device, made.handle) = (device, context);
        made.enter()?;
        Ok(made)
    }

    /// Calls the driver.
    pub(super) fn ask(&self, action: &str, call: impl FnOnce(&Driver) -> i32) -> Result<()> {
        match call(&self.driver) {
            0 => Ok(()),
            status => Err(self.error(action, error_of(&self.driver, status))),
        }
    }

    pub(super) fn error(&self, action: &str, reason: String) -> Error {
        Error::Cuda { device: self.ordinal, action: action.into(), reason }
    }

    /// Makes it the one that the calling thread speaks to.
    pub(super) fn enter(&self) -> Result<()> {
        // SAFETY: the context is retained as long as this lives.
        self.ask("be used", |d| unsafe { (d.context_set)(self.handle) })
    }

    fn attribute(&self, attribute: i32) -> Result<i32> {
        let mut value = 0;
        // SAFETY: the value is to be written.
        self.ask("tell what it is", |d| unsafe { (d.device_attribute)(&raw mut value, attribute, self.device) })?;
        Ok(value)
    }

    fn architecture(&self) -> Result<Architecture> {
        const MAJOR: i32 = 75;
        const MINOR: i32 = 76;
        Ok(Architecture((10 * self.attribute(MAJOR)? + self.attribute(MINOR)?) as u32))
    }

    fn name(&self) -> Result<String> {
        let mut name = [0u8; 256];
        let room = name.len() as i32;
        // SAFETY: there is room for as many characters as said.
        self.ask("tell its name", |d| unsafe { (d.device_name)(name.as_mut_ptr().cast(), room, self.device) })?;
        Ok(CStr::from_bytes_until_nul(&name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
    }

    fn stream(&self) -> Result<Opaque> {
        const NON_BLOCKING: u32 = 1;
        let mut stream = ptr::null_mut();
        // SAFETY: the stream is to be written.
        self.ask("open a stream", |d| unsafe { (d.stream_create)(&raw mut stream, NON_BLOCKING) })?;
        Ok(stream)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it was retained once.
            unsafe { (self.driver.context_release)(self.device) };
        }
    }
}

impl Card {
    /// A card, its kernels compiled, and its libraries open.
    ///
    /// # Errors
    /// If a library or the card is missing; the error says where it was looked for.
    pub(super) fn new(ordinal: usize, stored: Stored) -> Result<Self> {
        let context = Arc::new(Context::new(ordinal)?);
        let name = context.name()?;
        // The compiler first: cuDNN uses it, too, and finds it once it is open.
        let compiler = Compiler::open()?;
        let image = compiler.compile(stored, context.architecture()?)?;
        let streams = [context.stream()?, context.stream()?, context.stream()?];
        let mut card = Self {
            planner: Mutex::new(Planner::new(&context, &name, streams[Stream::Compute as usize])?),
            context,
            name,
            streams,
            module: ptr::null_mut(),
            kernels: HashMap::new(),
        };
        let module = &raw mut card.module;
        // SAFETY: the module is to be written, and the image is a whole one of NVRTC's.
        card.context.ask("load the kernels", |d| unsafe { (d.module_load)(module, image.as_ptr().cast()) })?;
        for kernel in ALL_KERNELS {
            let name = CString::new(*kernel).unwrap_or_default();
            let mut function = ptr::null_mut();
            let out = &raw mut function;
            // SAFETY: the function is to be written, and the name is a C string.
            card.context.ask("find a kernel", |d| unsafe { (d.module_function)(out, card.module, name.as_ptr()) })?;
            card.kernels.insert(kernel, function);
        }
        Ok(card)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of its memory: free ones and all.
    pub(super) fn memory(&self) -> Result<[usize; 2]> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are to be written.
        self.ask("tell its memory", |d| unsafe { (d.memory_info)(&raw mut free, &raw mut total) })?;
        Ok([free, total])
    }

    fn ask(&self, action: &str, call: impl FnOnce(&Driver) -> i32) -> Result<()> {
        self.context.enter()?;
        self.context.ask(action, call)
    }

    fn stream_of(&self, stream: Stream) -> Opaque {
        self.streams[stream as usize]
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // What they still do is waited for; that the card is lost is said by who asks it for something.
            for stream in self.streams {
                // SAFETY: the streams were made in `new`.
                unsafe {
                    (self.context.driver.stream_synchronize)(stream);
                    (self.context.driver.stream_destroy)(stream);
                }
            }
            if !self.module.is_null() {
                // SAFETY: loaded in `new`; nothing runs any more.
                unsafe { (self.context.driver.module_unload)(self.module) };
            }
        }
    }
}

/// An event of the driver.
pub(super) struct Event {
    context: Arc<Context>,
    pub(super) event: Opaque,
}

// SAFETY: events may be used from any thread.
unsafe impl Send for Event {}
// SAFETY: as above; recording is done before it is shared.
unsafe impl Sync for Event {}

impl Event {
    /// An event that tells the time if `timed`.
    pub(super) fn new(context: &Arc<Context>, timed: bool) -> Result<Self> {
        const DISABLE_TIMING: u32 = 2;
        let mut event = ptr::null_mut();
        let flags = if timed { 0 } else { DISABLE_TIMING };
        // SAFETY: the event is to be written.
        context.ask("make an event", |d| unsafe { (d.event_create)(&raw mut event, flags) })?;
        Ok(Self { context: Arc::clone(context), event })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: made in `new`; the driver keeps it until it is reached.
            unsafe { (self.context.driver.event_destroy)(self.event) };
        }
    }
}

/// A graph of launches that is ready to run.
struct Graph {
    context: Arc<Context>,
    graph: Opaque,
}

// SAFETY: graphs may be launched from any thread.
unsafe impl Send for Graph {}
// SAFETY: as above; launches of one graph are made with its program's lock held.
unsafe impl Sync for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: made in `record`.
            unsafe { (self.context.driver.graph_exec_destroy)(self.graph) };
        }
    }
}

impl Device for Card {
    fn allocate(&self, bytes: usize) -> Result<Address> {
        let mut address = 0;
        // SAFETY: the address is to be written.
        self.ask(&format!("give {bytes} bytes"), |d| unsafe { (d.allocate)(&raw mut address, bytes) })?;
        // SAFETY: so many bytes were just allocated.
        unsafe { self.clear(address, bytes) }?;
        Ok(address)
    }

    unsafe fn free(&self, address: Address) {
        if self.context.enter().is_ok() {
            // SAFETY: as the caller says.
            unsafe { (self.context.driver.free)(address) };
        }
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8> {
        const PORTABLE: u32 = 1;
        let mut memory = ptr::null_mut();
        // SAFETY: the pointer is to be written.
        self.ask(&format!("pin {bytes} bytes"), |d| unsafe { (d.host_allocate)(&raw mut memory, bytes, PORTABLE) })?;
        let memory: *mut u8 = memory.cast();
        // SAFETY: so many bytes were just allocated.
        unsafe { ptr::write_bytes(memory, 0, bytes) };
        Ok(memory)
    }

    unsafe fn free_pinned(&self, memory: *mut u8, _bytes: usize) {
        if self.context.enter().is_ok() {
            // SAFETY: as the caller says.
            unsafe { (self.context.driver.host_free)(memory.cast()) };
        }
    }

    unsafe fn write(&self, stream: Stream, to: Address, from: &[u8]) -> Result<()> {
        let stream = self.stream_of(stream);
        // SAFETY: as the caller says.
        self.ask("take values", |d| unsafe { (d.upload)(to, from.as_ptr().cast(), from.len(), stream) })
    }

    unsafe fn read(&self, stream: Stream, from: Address, to: &mut [u8]) -> Result<()> {
        let stream = self.stream_of(stream);
        // SAFETY: as the caller says.
        self.ask("give values", |d| unsafe { (d.download)(to.as_mut_ptr().cast(), from, to.len(), stream) })
    }

    unsafe fn clear(&self, at: Address, bytes: usize) -> Result<()> {
        let stream = self.stream_of(Stream::Compute);
        // SAFETY: as the caller says.
        self.ask("clear memory", |d| unsafe { (d.fill)(at, 0, bytes, stream) })
    }

    unsafe fn launch(&self, launch: &Launch) -> Result<()> {
        let action = format!("run {launch:?}");
        let (Some(&kernel), Ok(items)) = (self.kernels.get(launch.kernel), u32::try_from(launch.items)) else {
            return Err(self.context.error(&action, "it counts to no more than 2^32".into()));
        };
        if items == 0 {
            return Ok(());
        }
        let mut arguments = [launch.arguments().cast_mut(), (&raw const items).cast_mut().cast::<c_void>()];
        let stream = self.stream_of(Stream::Compute);
        // SAFETY: the kernel takes such arguments, and reads them before the call returns; their addresses are good, as the caller says.
        self.ask(&action, |d| unsafe {
            (d.launch)(kernel, items.div_ceil(BLOCK), 1, 1, BLOCK, 1, 1, 0, stream, arguments.as_mut_ptr(), ptr::null_mut())
        })
    }

    fn mark(&self, stream: Stream) -> Result<Mark> {
        self.context.enter()?;
        let event = Event::new(&self.context, false)?;
        let stream = self.stream_of(stream);
        // SAFETY: both live.
        self.ask("mark a stream", |d| unsafe { (d.event_record)(event.event, stream) })?;
        Ok(Arc::new(event))
    }

    fn follow(&self, stream: Stream, mark: &Mark) -> Result<()> {
        let Some(event) = mark.downcast_ref::<Event>() else { return Ok(()) };
        let stream = self.stream_of(stream);
        // SAFETY: both live.
        self.ask("let a stream wait", |d| unsafe { (d.stream_wait)(stream, event.event, 0) })
    }

    fn wait(&self, mark: &Mark) -> Result<()> {
        let Some(event) = mark.downcast_ref::<Event>() else { return Ok(()) };
        // SAFETY: the event lives.
        self.ask("finish its work", |d| unsafe { (d.event_synchronize)(event.event) })
    }

    fn record(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Option<Recording>> {
        // What other threads do meanwhile does not count.
        const THREAD_LOCAL: i32 = 1;
        let stream = self.stream_of(Stream::Compute);
        // SAFETY: the stream lives.
        self.ask("record its work", |d| unsafe { (d.capture_begin)(stream, THREAD_LOCAL) })?;
        let recorded = work();
        let (mut graph, mut ready) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the capture was begun above, and the graph is to be written.
        let ended = self.ask("record its work", |d| unsafe { (d.capture_end)(stream, &raw mut graph) });
        recorded.and(ended)?;
        // SAFETY: the graph was captured above, and the other one is to be written.
        let made = self.ask("prepare its work", |d| unsafe { (d.graph_instantiate)(&raw mut ready, graph, 0) });
        // SAFETY: the graph is not used any more.
        unsafe { (self.context.driver.graph_destroy)(graph) };
        made?;
        Ok(Some(Box::new(Graph { context: Arc::clone(&self.context), graph: ready })))
    }

    fn replay(&self, recording: &Recording) -> Result<()> {
        let Some(graph) = recording.downcast_ref::<Graph>() else { return Ok(()) };
        let stream = self.stream_of(Stream::Compute);
        // SAFETY: both live.
        self.ask("run what was recorded", |d| unsafe { (d.graph_launch)(graph.graph, stream) })
    }

    fn plan(&self, shape: &ConvolutionShape) -> Result<Option<Box<dyn ConvolutionPlan>>> {
        self.context.enter()?;
        self.planner.lock().unwrap_or_else(PoisonError::into_inner).plan(shape)
    }
}
