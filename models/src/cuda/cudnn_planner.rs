//! Choosing cuDNN's fastest plan for a convolution on a card.
#![expect(unsafe_code, reason = "functions of libraries are called")]

use std::fmt;
use std::ptr;
use std::sync::Arc;

use super::arguments::Address;
use super::candidates::{Candidate, MOST, Target, candidates, is_fused, operand};
use super::card::{Context, Event};
use super::convolution_plan::{ConvolutionPlan, ConvolutionShape, Operands};
use super::descriptor::{Attribute, Described, Int, Kind, Pointer, Refusal, answer};
use super::functions::{Cudnn, Opaque};
use super::library::CUDNN;
use super::plan_store::PlanStore;
use crate::Result;

/// Runs of each candidate; the fastest one counts.
const RUNS: usize = 5;

/// Chooses cuDNN's fastest plan for a convolution on a card, once for each card, version and shape.
pub(super) struct Planner {
    context: Arc<Context>,
    library: Arc<Library>,
    stream: Opaque,
    target: Target,
    store: PlanStore,
}

// SAFETY: the handle is used by one thread at a time, with the planner's lock.
unsafe impl Send for Planner {}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planner").field("store", &self.store).finish_non_exhaustive()
    }
}

/// cuDNN with a handle for one card and one stream.
struct Library {
    context: Arc<Context>,
    cudnn: Arc<Cudnn>,
    handle: Opaque,
}

// SAFETY: plans run on the one stream, from the thread that has the program.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: made in `Planner::new`; no plan uses it any more.
            unsafe { (self.cudnn.destroy)(self.handle) };
        }
    }
}

impl Planner {
    /// Opens cuDNN for a card, whose kernels run in `stream`.
    ///
    /// # Errors
    /// If it is missing.
    pub(super) fn new(context: &Arc<Context>, card: &str, stream: Opaque) -> Result<Self> {
        let cudnn = Arc::new(Cudnn::open(CUDNN)?);
        let mut handle = ptr::null_mut();
        let fail = |refusal: Refusal| context.error("open cuDNN", refusal.0);
        // SAFETY: the handle is to be written.
        answer(&cudnn, unsafe { (cudnn.create)(&raw mut handle) }, || "create".into()).map_err(fail)?;
        // SAFETY: both live.
        answer(&cudnn, unsafe { (cudnn.set_stream)(handle, stream) }, || "set the stream".into()).map_err(fail)?;
        // SAFETY: it takes nothing.
        let version = unsafe { (cudnn.version)() };
        let library = Arc::new(Library { context: Arc::clone(context), cudnn, handle });
        let store = PlanStore::new(card, version);
        Ok(Self { context: Arc::clone(context), library, stream, target: Target::Handle(handle), store })
    }

    /// The fastest plan; `None` if cuDNN offers none, or does not apply the activation.
    pub(super) fn plan(&self, shape: &ConvolutionShape) -> Result<Option<Box<dyn ConvolutionPlan>>> {
        let cudnn = &self.library.cudnn;
        if !shape.activation.is_none_or(is_fused) {
            return Ok(None);
        }
        if let Some(kept) = self.store.read(shape).and_then(|json| Candidate::from_json(cudnn, &self.target, &json).ok()) {
            return Ok(Some(self.ready(kept)));
        }
        let Ok(offered) = candidates(cudnn, &self.target, shape, MOST) else { return Ok(None) };
        let Some(fastest) = self.fastest(offered, shape)? else { return Ok(None) };
        if let Ok(json) = fastest.to_json() {
            self.store.write(shape, &json);
        }
        Ok(Some(self.ready(fastest)))
    }

    fn ready(&self, candidate: Candidate) -> Box<dyn ConvolutionPlan> {
        Box::new(Plan { library: Arc::clone(&self.library), candidate })
    }

    /// The candidate that takes the least time, of those that run.
    fn fastest(&self, offered: Vec<Candidate>, shape: &ConvolutionShape) -> Result<Option<Candidate>> {
        let bytes = shape.stored().bytes();
        let elements = |channels: usize, positions: usize| shape.batch * channels * positions * bytes;
        let output = elements(shape.out_channels, shape.output.product());
        let workspace = offered.iter().map(|candidate| candidate.workspace).max().unwrap_or(0);
        let room = |bytes: usize| Room::new(&self.context, self.stream, bytes);
        let rooms = [
            room(elements(shape.in_channels, shape.input.product()))?,
            room(shape.out_channels * shape.in_channels * shape.kernel.product() * bytes)?,
            room(shape.out_channels * size_of::<f32>())?,
            room(output)?,
            room(output)?,
            room(workspace)?,
        ];
        let [input, weights, bias, residual, output, workspace] = rooms.each_ref().map(|room| room.address);
        let residual = shape.residual.then_some(residual);
        let operands = Operands { input, weights, bias, residual, output, workspace };
        let mut best: Option<(f32, Candidate)> = None;
        for candidate in offered {
            let Ok(time) = self.time(&candidate, &operands) else { continue };
            if best.as_ref().is_none_or(|(least, _)| time < *least) {
                best = Some((time, candidate));
            }
        }
        // What a candidate broke would show here.
        // SAFETY: the stream lives.
        self.context.ask("finish its work", |d| unsafe { (d.stream_synchronize)(self.stream) })?;
        Ok(best.map(|(_, candidate)| candidate))
    }

    /// The least of several times, in milliseconds.
    fn time(&self, candidate: &Candidate, operands: &Operands) -> Result<f32> {
        let run = || run(&self.library, candidate, operands);
        run()?;
        let mut least = f32::INFINITY;
        for _ in 0..RUNS {
            let [start, end] = [Event::new(&self.context, true)?, Event::new(&self.context, true)?];
            let mut time = 0.0;
            // SAFETY: event and stream live.
            self.context.ask("measure", |d| unsafe { (d.event_record)(start.event, self.stream) })?;
            run()?;
            // SAFETY: as above.
            self.context.ask("measure", |d| unsafe { (d.event_record)(end.event, self.stream) })?;
            // SAFETY: as above.
            self.context.ask("measure", |d| unsafe { (d.event_synchronize)(end.event) })?;
            // SAFETY: both events were recorded and reached, and the time is to be written.
            self.context.ask("measure", |d| unsafe { (d.event_elapsed)(&raw mut time, start.event, end.event) })?;
            least = least.min(time);
        }
        Ok(least)
    }
}

/// Memory that candidates are timed on.
struct Room {
    context: Arc<Context>,
    address: Address,
}

impl Room {
    /// So many bytes, small numbers other than 0 in every precision: on zeros, cards are faster.
    fn new(context: &Arc<Context>, stream: Opaque, bytes: usize) -> Result<Self> {
        const FILL: u8 = 0x3c;
        let mut room = Self { context: Arc::clone(context), address: 0 };
        let bytes = bytes.max(1);
        // SAFETY: the address is to be written.
        context.ask(&format!("give {bytes} bytes"), |d| unsafe { (d.allocate)(&raw mut room.address, bytes) })?;
        // SAFETY: so many bytes were just allocated.
        context.ask("fill memory", |d| unsafe { (d.fill)(room.address, FILL, bytes, stream) })?;
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`; freeing waits for what uses it.
        unsafe { (self.context.driver.free)(self.address) };
    }
}

/// A plan of cuDNN's for the card of a handle.
struct Plan {
    library: Arc<Library>,
    candidate: Candidate,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("workspace", &self.candidate.workspace).finish_non_exhaustive()
    }
}

impl ConvolutionPlan for Plan {
    fn workspace(&self) -> usize {
        self.candidate.workspace
    }

    unsafe fn run(&self, operands: &Operands) -> Result<()> {
        self.library.context.enter()?;
        run(&self.library, &self.candidate, operands)
    }
}

/// Starts a plan in the stream of the handle.
fn run(library: &Library, candidate: &Candidate, operands: &Operands) -> Result<()> {
    let cudnn = &library.cudnn;
    let mut names = vec![operand::INPUT, operand::WEIGHTS, operand::BIAS, operand::OUTPUT];
    let mut pointers = vec![operands.input, operands.weights, operands.bias, operands.output];
    if let Some(residual) = operands.residual {
        names.push(operand::RESIDUAL);
        pointers.push(residual);
    }
    let run = || -> Result<(), Refusal> {
        let pack = Described::new(cudnn, Kind::VariantPack)?
            .with(Attribute::PackNames, &names.iter().copied().map(Int).collect::<Vec<_>>())?
            .with(Attribute::PackPointers, &pointers.iter().copied().map(Pointer).collect::<Vec<_>>())?
            .with(Attribute::PackWorkspace, &[Pointer(operands.workspace)])?
            .ready()?;
        // SAFETY: handle, plan and pack live; the operands are as large as the plan's shape says, as the callers see to.
        let status = unsafe { (cudnn.execute)(library.handle, candidate.plan.raw().0, pack.raw().0) };
        answer(cudnn, status, || "run a convolution".into())
    };
    run().map_err(|refusal| library.context.error("run a convolution", refusal.0))
}
