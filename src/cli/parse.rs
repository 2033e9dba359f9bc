//! Values of flags.

use std::fmt::Display;
use std::str::FromStr;

use swath::Device;
use swath::evaluate::{Palette, PaletteEntry, ValueClass};
use swath::refine::CrfChoice;
use swath_models::{Class, Colour, ColourError, CrfSettings, GsdRange, Scaling, VolumeInput};
use swath_refine::{Connectivity, Majority};
use swath_tiling::Window;

/// What computes the gradients of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrainDevice {
    /// CUDA where this build has it and there is a device, else the CPU.
    Auto,
    Cpu,
    Cuda {
        ordinal: usize,
    },
}

/// Pixels shared by neighbouring tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    Auto,
    Pixels(usize),
}

/// Tiles that are computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    Auto,
    Count(usize),
}

/// What the values of one of two rasters stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueMap {
    pub(crate) raster: MappedRaster,
    pub(crate) values: Vec<ValueClass>,
}

/// Which raster's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappedRaster {
    Prediction,
    Reference,
}

/// The largest value that a map may have: above it, single precision does not tell all integers apart.
const MOST_MAPPED: i64 = 1 << 24;

pub(super) fn parse_map(text: &str) -> Result<ValueMap, String> {
    let usage = || format!("expected prediction:VALUE=CLASS,.. or reference:VALUE=CLASS,.., got `{text}`");
    let (raster, pairs) = text.split_once(':').ok_or_else(usage)?;
    let raster = match raster {
        "prediction" => MappedRaster::Prediction,
        "reference" => MappedRaster::Reference,
        _ => return Err(usage()),
    };
    let value = |pair: &str| {
        let (value, class) = pair.split_once('=').ok_or_else(usage)?;
        let number = value.trim().parse::<i64>().ok().filter(|value| value.abs() <= MOST_MAPPED);
        let value = number.ok_or_else(|| format!("expected an integer of at most {MOST_MAPPED}, got `{value}`"))?;
        Ok(ValueClass { value, class: class.into() })
    };
    Ok(ValueMap { raster, values: pairs.split(',').map(value).collect::<Result<_, String>>()? })
}

pub(super) fn parse_palette(text: &str) -> Result<Palette, String> {
    let entry = |pair: &str| {
        let usage = || format!("expected isprs, classes or NAME=RRGGBB,.., got `{text}`");
        let (name, colour) = pair.split_once('=').ok_or_else(usage)?;
        Ok(PaletteEntry { name: name.into(), colour: colour.parse().map_err(|error: ColourError| error.to_string())? })
    };
    match text {
        "isprs" => Ok(Palette::Isprs),
        "classes" => Ok(Palette::Classes),
        list => list.split(',').map(entry).collect::<Result<_, String>>().map(Palette::List),
    }
}

pub(super) fn parse_workers(text: &str) -> Result<Workers, String> {
    if text == "auto" {
        return Ok(Workers::Auto);
    }
    text.parse().map(Workers::Count).map_err(|error| format!("expected a number of workers or `auto`: {error}"))
}

pub(super) fn parse_overlap(text: &str) -> Result<Overlap, String> {
    if text == "auto" {
        return Ok(Overlap::Auto);
    }
    text.parse().map(Overlap::Pixels).map_err(|error| format!("expected a number of pixels or `auto`: {error}"))
}

/// Numbers separated by commas, as many as there are places.
fn numbers<T, const N: usize>(text: &str) -> Result<[T; N], String>
where
    T: FromStr<Err: Display>,
{
    let parsed: Result<Vec<T>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let parsed = parsed.map_err(|error| format!("expected {N} numbers separated by commas, got `{text}`: {error}"))?;
    parsed.try_into().map_err(|v: Vec<T>| format!("expected {N} numbers separated by commas, got {}", v.len()))
}

pub(super) fn parse_window(text: &str) -> Result<Window, String> {
    let [x, y, width, height] = numbers::<usize, 4>(text)?;
    if width == 0 || height == 0 {
        return Err("expected a width and height of at least 1 pixel".into());
    }
    if x.checked_add(width).is_none() || y.checked_add(height).is_none() || width.checked_mul(height).is_none() {
        return Err("expected a window that ends within a raster, got one larger than any".into());
    }
    Ok(Window::plane(x, y, width, height))
}

pub(super) fn parse_crf(text: &str) -> Result<CrfChoice, String> {
    if text == "off" { Ok(CrfChoice::Off) } else { parse_crf_settings(text).map(CrfChoice::On) }
}

pub(super) fn parse_crf_settings(text: &str) -> Result<CrfSettings, String> {
    if text == "default" { Ok(CrfSettings::default()) } else { text.parse() }
}

pub(super) fn parse_majority(text: &str) -> Result<Majority, String> {
    let width: usize = text.parse().map_err(|error| format!("expected a number of pixels, got `{text}`: {error}"))?;
    Majority::new(width).map_err(|error| error.to_string())
}

pub(super) fn parse_connectivity(text: &str) -> Result<Connectivity, String> {
    match text {
        "4" => Ok(Connectivity::Faces),
        "8" => Ok(Connectivity::Corners),
        _ => Err("expected 4 or 8".into()),
    }
}

pub(super) fn parse_device(text: &str) -> Result<Device, String> {
    let expected = || "expected `auto`, `cpu`, `cuda` or `cuda:NUMBER`".to_owned();
    match text.split_once(':') {
        None if text == "auto" => Ok(Device::Auto),
        None if text == "cpu" => Ok(Device::Cpu),
        None if text == "cuda" => Ok(Device::Cuda { ordinal: None }),
        Some(("cuda", ordinal)) => {
            ordinal.parse().map_or_else(|_| Err(expected()), |ordinal| Ok(Device::Cuda { ordinal: Some(ordinal) }))
        }
        _ => Err(expected()),
    }
}

pub(super) fn parse_train_device(text: &str) -> Result<TrainDevice, String> {
    let expected = || "expected `auto`, `cpu`, `cuda` or `cuda:NUMBER`".to_owned();
    match text.split_once(':').unwrap_or((text, "0")) {
        ("auto", _) if text == "auto" => Ok(TrainDevice::Auto),
        ("cpu", _) if text == "cpu" => Ok(TrainDevice::Cpu),
        ("cuda", _) if !cfg!(feature = "candle-cuda") => {
            Err("this build of swath trains on the CPU only; build it with `--features candle-cuda` for CUDA".into())
        }
        ("cuda", ordinal) => ordinal.parse().ok().map(|ordinal| TrainDevice::Cuda { ordinal }).ok_or_else(expected),
        _ => Err(expected()),
    }
}

pub(super) fn parse_scaling(text: &str) -> Result<Scaling, String> {
    let (kind, values) = text.split_once(':').unwrap_or((text, ""));
    let one = || numbers::<f64, 1>(values).map(|[value]| value);
    let two = || numbers::<f64, 2>(values);
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

/// The object itself, or a file that holds it.
pub(super) fn parse_volume(text: &str) -> Result<VolumeInput, String> {
    let parse =
        |json: &str| serde_json::from_str(json).map_err(|error| format!("expected the object of `swath:volume`: {error}"));
    if text.trim_start().starts_with('{') {
        return parse(text);
    }
    parse(&std::fs::read_to_string(text).map_err(|error| format!("cannot read {text}: {error}"))?)
}

pub(super) fn parse_volume_mm3(text: &str) -> Result<f64, String> {
    let [mm3] = numbers::<f64, 1>(text)?;
    if mm3.is_finite() && mm3 >= 0.0 { Ok(mm3) } else { Err("expected a volume of at least 0 mm3".into()) }
}

pub(super) fn parse_gsd(text: &str) -> Result<GsdRange, String> {
    let [minimum, maximum] = numbers::<f64, 2>(text)?;
    if minimum > 0.0 && minimum <= maximum { Ok(GsdRange { minimum, maximum }) } else { Err("expected 0 < MIN <= MAX".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_pixels() {
        assert_eq!(parse_window("1,2, 3,4"), Ok(Window::plane(1, 2, 3, 4)));
        // Doubles have no such number.
        assert_eq!(parse_window("9007199254740993,0,1,1"), Ok(Window::plane(9_007_199_254_740_993, 0, 1, 1)));
        for (text, words) in [
            ("1,2,3", "4 numbers"),
            ("1,2,3,4,5", "4 numbers"),
            ("1,2,3,", "4 numbers"),
            ("0.5,0,9,9", "`0.5,0,9,9`: invalid digit"),
            ("-1,0,9,9", "invalid digit"),
            ("1e3,0,9,9", "invalid digit"),
            ("0,0,18446744073709551616,9", "too large"),
            ("0,0,0,9", "at least 1"),
            ("1,0,18446744073709551615,1", "larger than any"),
            ("0,1,1,18446744073709551615", "larger than any"),
            ("0,0,4294967296,4294967296", "larger than any"),
        ] {
            let error = parse_window(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
