//! What a network needs of a card.
#![expect(unsafe_code, reason = "memory of a card is addresses")]

use std::fmt;
use std::sync::Arc;

use super::arguments::Address;
use super::convolution_plan::{ConvolutionPlan, ConvolutionShape};
use super::kernel::Launch;
use crate::Result;

/// What runs in order of its own on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Pixels on their way to the card.
    Upload,
    /// Kernels.
    Compute,
    /// Labels on their way back.
    Download,
}

/// A place in a stream: it is reached when all that was asked of the stream before it is done.
pub(super) type Mark = Arc<dyn std::any::Any + Send + Sync>;

/// A recorded sequence of launches.
pub(super) type Recording = Box<dyn std::any::Any + Send + Sync>;

/// What a network needs of a card. The processor stands in for one in the tests.
pub(super) trait Device: Send + Sync + fmt::Debug {
    /// Memory of so many bytes, all 0.
    fn allocate(&self, bytes: usize) -> Result<Address>;

    /// Gives memory back.
    ///
    /// # Safety
    /// It was allocated by this device, and nothing uses it any more.
    unsafe fn free(&self, address: Address);

    /// Memory of the machine that the card reads and writes by itself, all 0.
    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8>;

    /// Gives such memory back.
    ///
    /// # Safety
    /// It was allocated by this device, with so many bytes, and nothing uses it any more.
    unsafe fn free_pinned(&self, memory: *mut u8, bytes: usize);

    /// Copies to the card, in a stream's order.
    ///
    /// # Safety
    /// `to` has room, and `from` is not changed before the stream has got there.
    unsafe fn write(&self, stream: Stream, to: Address, from: &[u8]) -> Result<()>;

    /// Copies from the card, in a stream's order.
    ///
    /// # Safety
    /// `from` has so many bytes, and `to` is neither read nor written before the stream has got there.
    unsafe fn read(&self, stream: Stream, from: Address, to: &mut [u8]) -> Result<()>;

    /// Fills memory with zeros, in the order of [`Stream::Compute`].
    ///
    /// # Safety
    /// `at` has so many bytes.
    unsafe fn clear(&self, at: Address, bytes: usize) -> Result<()>;

    /// Runs a kernel in [`Stream::Compute`].
    ///
    /// # Safety
    /// The addresses in the arguments are memory of this device, as large as the arguments say.
    unsafe fn launch(&self, launch: &Launch) -> Result<()>;

    /// The place that a stream has come to.
    fn mark(&self, stream: Stream) -> Result<Mark>;

    /// Lets a stream wait for a mark of another one.
    fn follow(&self, stream: Stream, mark: &Mark) -> Result<()>;

    /// Waits for a mark.
    fn wait(&self, mark: &Mark) -> Result<()>;

    /// Records what `work` asks of [`Stream::Compute`], which is not done; `None` if the device cannot.
    fn record(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<Option<Recording>>;

    /// Does what was recorded.
    fn replay(&self, recording: &Recording) -> Result<()>;

    /// The fastest way that a library knows to compute a convolution with what follows it; `None` if it knows none.
    fn plan(&self, shape: &ConvolutionShape) -> Result<Option<Box<dyn ConvolutionPlan>>>;
}

/// Memory of a card.
pub(super) struct Memory {
    device: Arc<dyn Device>,
    address: Address,
    bytes: usize,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)
    }
}

impl Memory {
    /// So many bytes, all 0; one at least.
    pub(super) fn new(device: &Arc<dyn Device>, bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1);
        Ok(Self { device: Arc::clone(device), address: device.allocate(bytes)?, bytes })
    }

    /// A copy of values that a kernel reads as they are.
    pub(super) fn of<T: Plain>(device: &Arc<dyn Device>, values: &[T]) -> Result<Self> {
        let memory = Self::new(device, size_of_val(values))?;
        memory.write(values)?;
        Ok(memory)
    }

    /// Puts values at its beginning, and waits for it.
    pub(super) fn write<T: Plain>(&self, values: &[T]) -> Result<()> {
        let values = &values[..values.len().min(self.bytes / size_of::<T>())];
        // SAFETY: `Plain` values have no bytes that are not initialised.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) };
        // SAFETY: the memory has no fewer bytes, and the values outlive the wait.
        unsafe { self.device.write(Stream::Compute, self.address, bytes) }?;
        self.device.wait(&self.device.mark(Stream::Compute)?)
    }

    pub(super) fn address(&self) -> Address {
        self.address
    }

    /// Copies all of it from the card, and waits for it.
    pub(super) fn read<T: Plain + Default + Clone>(&self, count: usize) -> Result<Vec<T>> {
        let mut values = vec![T::default(); count.min(self.bytes / size_of::<T>())];
        // SAFETY: any bytes are `Plain` values.
        let bytes = unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values.as_slice())) };
        // SAFETY: the memory has no fewer bytes, and the values are returned after the wait.
        unsafe { self.device.read(Stream::Compute, self.address, bytes) }?;
        self.device.wait(&self.device.mark(Stream::Compute)?)?;
        Ok(values)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated by the device; who launches keeps it until all is done.
        unsafe { self.device.free(self.address) }
    }
}

/// Values without padding, any bits of which are one.
///
/// # Safety
/// As said.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: numbers, and structures of them whose fields leave no gaps.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: two integers and a float of 4 bytes each.
unsafe impl Plain for super::arguments::Tap {}
// SAFETY: an integer and two floats of 8 bytes each.
unsafe impl Plain for super::arguments::BandScaling {}
// SAFETY: an address, six integers of 4 bytes, three addresses.
unsafe impl Plain for super::arguments::Map {}

/// Memory of the machine that the card reads and writes by itself.
pub(super) struct Pinned {
    device: Arc<dyn Device>,
    memory: *mut u8,
    bytes: usize,
}

// SAFETY: the memory is owned, and reached through `&self` and `&mut self` only.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)
    }
}

impl Pinned {
    /// So many bytes, all 0; one at least.
    pub(super) fn new(device: &Arc<dyn Device>, bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1);
        Ok(Self { device: Arc::clone(device), memory: device.allocate_pinned(bytes)?, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the memory was allocated with so many initialised bytes.
        unsafe { std::slice::from_raw_parts(self.memory, self.bytes) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.memory, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: it was allocated by the device with so many bytes; who copies keeps it until all is done.
        unsafe { self.device.free_pinned(self.memory, self.bytes) }
    }
}
