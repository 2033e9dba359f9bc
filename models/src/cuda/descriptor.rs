//! Descriptors of cuDNN's graph API: what operations, tensors and plans are described with.
#![expect(unsafe_code, reason = "functions of a library are called")]

use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;

use super::functions::{Cudnn, Opaque};

/// What a descriptor describes (`cudnnBackendDescriptorType_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    Pointwise = 0,
    Convolution = 1,
    EngineConfig = 3,
    Heuristics = 4,
    Plan = 5,
    ConvolutionForward = 10,
    PointwiseOperation = 13,
    Graph = 15,
    VariantPack = 16,
    Tensor = 17,
    #[cfg(test)]
    DeviceProperties = 38,
    Engine = 2,
}

/// An attribute of a descriptor (`cudnnBackendAttributeName_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Attribute {
    PointwiseMode = 0,
    PointwisePrecision = 1,
    ReluLower = 3,
    ReluUpper = 4,
    ReluSlope = 5,
    ConvolutionPrecision = 100,
    ConvolutionMode = 101,
    ConvolutionDilations = 102,
    ConvolutionStrides = 103,
    ConvolutionPaddingAfter = 104,
    ConvolutionPaddingBefore = 105,
    ConvolutionAxes = 106,
    HeuristicsMode = 200,
    HeuristicsGraph = 201,
    HeuristicsResults = 202,
    #[cfg(test)]
    HeuristicsDevice = 204,
    ConfigEngine = 300,
    PlanHandle = 400,
    PlanConfig = 401,
    PlanWorkspace = 402,
    PlanJson = 405,
    #[cfg(test)]
    PlanDevice = 407,
    ForwardAlpha = 700,
    ForwardBeta = 701,
    ForwardConvolution = 702,
    ForwardFilter = 703,
    ForwardInput = 704,
    ForwardOutput = 705,
    OperationPointwise = 750,
    OperationInput = 751,
    OperationOther = 752,
    OperationOutput = 753,
    GraphHandle = 800,
    GraphOperations = 801,
    TensorAlignment = 900,
    TensorType = 901,
    TensorDimensions = 902,
    TensorStrides = 903,
    TensorName = 906,
    TensorIsVirtual = 907,
    PackNames = 1000,
    PackPointers = 1001,
    PackWorkspace = 1003,
    EngineNotes = 1303,
    #[cfg(test)]
    DeviceJson = 2702,
}

/// What is said of an attribute (`cudnnBackendAttributeType_t`).
///
/// # Safety
/// `TYPE` must be the one that cuDNN reads values of this type as.
pub(super) unsafe trait Attributed: Copy {
    const TYPE: i32;
}

macro_rules! attributed {
    ($($(#[$doc:meta])* $type:ident($inner:ty) = $number:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[repr(transparent)]
        pub(super) struct $type(pub(super) $inner);

        // SAFETY: the number is that of the type in cuDNN's header.
        unsafe impl Attributed for $type {
            const TYPE: i32 = $number;
        }
    )+ };
}

attributed! {
    /// A handle of the library.
    Handle(Opaque) = 0;
    /// `cudnnDataType_t`
    DataType(i32) = 1;
    /// A truth value.
    Bool(bool) = 2;
    /// An integer.
    Int(i64) = 3;
    /// A number of single precision.
    Single(f32) = 4;
    /// A number of double precision.
    Double(f64) = 5;
    /// A place in the card's memory.
    Pointer(u64) = 6;
    /// `cudnnConvolutionMode_t`
    ConvolutionMode(i32) = 7;
    /// `cudnnBackendHeurMode_t`
    HeuristicsMode(i32) = 8;
    /// `cudnnBackendNumericalNote_t`
    Note(i32) = 11;
    /// `cudnnPointwiseMode_t`
    PointwiseMode(i32) = 14;
    /// Another descriptor.
    Descriptor(Opaque) = 15;
    /// A character.
    Char(u8) = 24;
}

/// Why cuDNN does not do something, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A status as a result.
pub(super) fn answer(cudnn: &Cudnn, status: i32, doing: impl FnOnce() -> String) -> Result<(), Refusal> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the result is a C string that lives as long as the library.
    let name = unsafe { CStr::from_ptr((cudnn.error_string)(status)) }.to_string_lossy().into_owned();
    let mut message = [0u8; 512];
    // SAFETY: there is room for as many characters as said, the last of which is 0.
    unsafe { (cudnn.last_error)(message.as_mut_ptr().cast(), message.len()) };
    let message = CStr::from_bytes_until_nul(&message).map(CStr::to_string_lossy).unwrap_or_default();
    Err(Refusal(format!("{}: {name} {}", doing(), message.trim())))
}

/// A descriptor that is being described, or is ready.
pub(super) struct Described {
    cudnn: Arc<Cudnn>,
    descriptor: Opaque,
    kind: Kind,
}

// SAFETY: descriptors belong to no thread.
unsafe impl Send for Described {}
// SAFETY: a descriptor that is ready is only read, and only such ones are shared.
unsafe impl Sync for Described {}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} descriptor", self.kind)
    }
}

impl Described {
    pub(super) fn new(cudnn: &Arc<Cudnn>, kind: Kind) -> Result<Self, Refusal> {
        let mut descriptor = ptr::null_mut();
        // SAFETY: the descriptor is to be written.
        let status = unsafe { (cudnn.descriptor_create)(kind as i32, &raw mut descriptor) };
        answer(cudnn, status, || format!("create {kind:?}"))?;
        Ok(Self { cudnn: Arc::clone(cudnn), descriptor, kind })
    }

    /// Says something of it.
    pub(super) fn with<V: Attributed>(self, attribute: Attribute, values: &[V]) -> Result<Self, Refusal> {
        let (count, values) = (values.len() as i64, values.as_ptr().cast::<c_void>());
        // SAFETY: there are as many values as said, of the type said.
        let status = unsafe { (self.cudnn.descriptor_set)(self.descriptor, attribute as i32, V::TYPE, count, values) };
        answer(&self.cudnn, status, || format!("set {attribute:?}"))?;
        Ok(self)
    }

    /// Refers to others.
    pub(super) fn with_all(self, attribute: Attribute, others: &[&Self]) -> Result<Self, Refusal> {
        let others: Vec<Descriptor> = others.iter().map(|other| other.raw()).collect();
        self.with(attribute, &others)
    }

    /// Ends the description.
    pub(super) fn ready(self) -> Result<Self, Refusal> {
        // SAFETY: the descriptor lives.
        let status = unsafe { (self.cudnn.descriptor_finalize)(self.descriptor) };
        answer(&self.cudnn, status, || format!("make {:?}", self.kind))?;
        Ok(self)
    }

    pub(super) fn raw(&self) -> Descriptor {
        Descriptor(self.descriptor)
    }

    /// Reads an attribute into values, and returns how many there are: more than fit if there was no room for all.
    pub(super) fn read<V: Attributed>(&self, attribute: Attribute, into: &mut [V]) -> Result<usize, Refusal> {
        let mut count = 0;
        let (room, values) = (into.len() as i64, into.as_mut_ptr().cast::<c_void>());
        let values = if room == 0 { ptr::null_mut() } else { values };
        // SAFETY: there is room for as many values as said, of the type said.
        let status =
            unsafe { (self.cudnn.descriptor_get)(self.descriptor, attribute as i32, V::TYPE, room, &raw mut count, values) };
        answer(&self.cudnn, status, || format!("get {attribute:?}"))?;
        Ok(count.max(0) as usize)
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        // SAFETY: created in `new`, and not used any more.
        unsafe { (self.cudnn.descriptor_destroy)(self.descriptor) };
    }
}
