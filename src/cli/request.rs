//! From what was typed to what the engine is asked.

use std::thread;

use swath::plan::{Layers, PlanRequest};
use swath_models::{Class, Colour, GsdRange, ModelCard, Scaling};
use swath_tiling::Window;

use super::args::{Device, Overlap, Precision, ProbabilityType, TileArgs};
use super::fail::AnyError;

impl TileArgs {
    /// The request that these arguments make of a plan.
    ///
    /// # Errors
    /// If memory is not bounded and the system does not say how much is free.
    pub(super) fn request(&self, card: &ModelCard) -> Result<PlanRequest, AnyError> {
        let (Device::Auto | Device::Cpu) = self.device;
        let Precision::F32 = self.precision;
        let probability = match self.probability_type {
            ProbabilityType::F32 => size_of::<f32>(),
            ProbabilityType::U8 => size_of::<u8>(),
        };
        Ok(PlanRequest {
            tile: self.tile,
            overlap: match self.overlap {
                Overlap::Auto => None,
                Overlap::Pixels(pixels) => Some(pixels),
            },
            blend: self.blend,
            window: self.window,
            max_memory: self.max_memory.map_or_else(half_of_free_memory, Ok)?,
            threads: self.threads(),
            layers: Layers {
                probability_bytes: self.probabilities.as_ref().map_or(0, |_| probability * card.classes.len()),
                confidence_bytes: usize::from(self.confidence.is_some()),
            },
        })
    }

    /// How many threads compute.
    pub(super) fn threads(&self) -> usize {
        self.threads.map_or_else(cores, usize::from)
    }
}

/// All cores that the process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Half the bytes of memory that are free, within the limit of the control group if there is one.
pub(super) fn half_of_free_memory() -> Result<usize, AnyError> {
    let mut system =
        sysinfo::System::new().map_err(|_unknown| "the system does not say how much memory is free: give --max-memory")?;
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Ok(system.available_memory().min(group) as usize / 2)
}

/// Numbers separated by commas, as many as there are places.
fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let parsed: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let parsed = parsed.map_err(|_not_a_number| format!("expected {N} numbers separated by commas, got `{text}`"))?;
    parsed.try_into().map_err(|v: Vec<f64>| format!("expected {N} numbers separated by commas, got {}", v.len()))
}

pub(super) fn parse_window(text: &str) -> Result<Window, String> {
    let parts = numbers::<4>(text)?;
    if parts.iter().any(|n| *n < 0.0 || n.fract() != 0.0) || parts[2] == 0.0 || parts[3] == 0.0 {
        return Err("expected whole numbers of pixels, width and height at least 1".into());
    }
    let [x, y, width, height] = parts.map(|n| n as usize);
    Ok(Window::plane(x, y, width, height))
}

pub(super) fn parse_device(text: &str) -> Result<Device, String> {
    match text {
        "auto" => Ok(Device::Auto),
        "cpu" => Ok(Device::Cpu),
        cuda if cuda.starts_with("cuda") => Err("this build of swath computes on the CPU only".into()),
        _ => Err("expected `auto` or `cpu`".into()),
    }
}

pub(super) fn parse_precision(text: &str) -> Result<Precision, String> {
    match text {
        "f32" => Ok(Precision::F32),
        "bf16" => Err("this build of swath computes in f32 only".into()),
        _ => Err("expected `f32`".into()),
    }
}

pub(super) fn parse_scaling(text: &str) -> Result<Scaling, String> {
    let (kind, values) = text.split_once(':').unwrap_or((text, ""));
    let one = || numbers::<1>(values).map(|[value]| value);
    let two = || numbers::<2>(values);
    Ok(match kind {
        "none" if values.is_empty() => Scaling::None,
        "scale" => Scaling::Scale { value: one()? },
        "offset" => Scaling::Offset { value: one()? },
        "min-max" => two().map(|[minimum, maximum]| Scaling::MinMax { minimum, maximum })?,
        "z-score" => two().map(|[mean, stddev]| Scaling::ZScore { mean, stddev })?,
        "clip" => two().map(|[minimum, maximum]| Scaling::Clip { minimum, maximum })?,
        "clip-min" => Scaling::ClipMin { minimum: one()? },
        "clip-max" => Scaling::ClipMax { maximum: one()? },
        _ => {
            return Err(
                "expected none, scale:V, offset:V, min-max:A,B, z-score:MEAN,STDDEV, clip:A,B, clip-min:A or clip-max:B".into()
            );
        }
    })
}

/// A class without its value, which is its place in the list.
pub(super) fn parse_class(text: &str) -> Result<Class, String> {
    let (name, colour) = text.split_once('=').map_or((text, None), |(name, colour)| (name, Some(colour)));
    let colour = colour.map(|colour| colour.parse::<Colour>().map_err(|error| error.to_string())).transpose()?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(format!("expected a class name of letters, digits, - and _, got `{name}`"));
    }
    Ok(Class { value: 0, name: name.into(), title: None, description: None, colour })
}

pub(super) fn parse_gsd(text: &str) -> Result<GsdRange, String> {
    let [minimum, maximum] = numbers::<2>(text)?;
    if minimum > 0.0 && minimum <= maximum { Ok(GsdRange { minimum, maximum }) } else { Err("expected 0 < MIN <= MAX".into()) }
}
