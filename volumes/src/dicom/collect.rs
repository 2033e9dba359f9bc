//! Which files make a volume.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::distances::SAME_PLACE;
use super::frames::Frame;
use super::instance::{Found, Instance};
use crate::{Error, Result, VolumeOptions, Warning};

/// The images of one volume in a file or folder. Those that are none of its, and cannot be meant, are left out with a warning.
pub(crate) fn collect(path: &Path, options: &VolumeOptions, warnings: &mut Vec<Warning>) -> Result<Vec<Instance>> {
    let mut files = Vec::new();
    if path.is_dir() {
        walk(path, &mut BTreeSet::new(), &mut files)?;
    } else {
        files.push(path.into());
    }
    files.sort();
    // One after the other, so that an error is that of the first file at fault.
    let found: Vec<Result<Found>> = files.par_iter().map(|file| Instance::read(file)).collect();
    let mut images = Vec::new();
    let mut others: BTreeMap<&'static str, Vec<PathBuf>> = BTreeMap::new();
    // Series that are not asked for, with what is wrong with the first file at fault: no matter, unless that asked for is missing.
    let mut unreadable: BTreeMap<String, Error> = BTreeMap::new();
    for (file, found) in files.into_iter().zip(found) {
        match found {
            Ok(Found::Image(image)) => images.push(*image),
            Ok(Found::Other(what)) => others.entry(what).or_default().push(file),
            Err(error) => match another_series(&file, options) {
                Some(series) => drop(unreadable.entry(series).or_insert(error)),
                None => return Err(error),
            },
        }
    }
    if let Some(series) = &options.series {
        let mut listed = listed(&grouped(images.clone()));
        listed.extend(unreadable.iter().map(|(series, error)| format!("series {series}, which cannot be read: {error}")));
        images.retain(|image| image.series == *series);
        if images.is_empty() && !listed.is_empty() {
            let found = format!("no series {series}, but {}", listed.join("; "));
            return Err(Error::NoImage { path: path.into(), found });
        }
    }
    if images.iter().any(|image| !image.is_localizer()) {
        let (localizers, rest) = images.into_iter().partition(Instance::is_localizer);
        images = rest;
        let localizers: Vec<Instance> = localizers;
        if !localizers.is_empty() {
            others.entry("a localizer").or_default().extend(localizers.into_iter().map(|image| image.path));
        }
    }
    if images.is_empty() {
        let found: Vec<String> = others.iter().map(|(what, files)| format!("{what} ({})", files[0].display())).collect();
        let found = if found.is_empty() { "no file".into() } else { found.join(", ") };
        return Err(Error::NoImage { path: path.into(), found });
    }
    for (what, files) in others {
        warnings.extend(files.first().map(|example| Warning::LeftOut { what, count: files.len(), example: example.clone() }));
    }
    let mut groups = grouped(unique(images, warnings)?);
    match groups.pop() {
        Some(group) if groups.is_empty() => Ok(group),
        Some(group) => {
            groups.push(group);
            let series = groups.iter().filter_map(|group| Some(group.first()?.series.clone())).collect();
            Err(Error::Several { path: path.into(), volumes: listed(&groups), series })
        }
        None => Err(Error::NoImage { path: path.into(), found: "no file".into() }),
    }
}

/// The series of a file, if it is not the one that is asked for.
fn another_series(file: &Path, options: &VolumeOptions) -> Option<String> {
    let wanted = options.series.as_ref()?;
    Instance::series_of(file).filter(|own| own != wanted)
}

/// Files in a folder and in those within it, wherever links lead, each folder once; hidden ones are left out.
fn walk(folder: &Path, visited: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |source| Error::File { action: "list", path: folder.into(), source };
    if !visited.insert(folder.canonicalize().map_err(fail)?) {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            walk(&path, visited, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Each instance once. One identifier of images that are not the same is an error: all but the first would be lost.
fn unique(images: Vec<Instance>, warnings: &mut Vec<Warning>) -> Result<Vec<Instance>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Instance> = Vec::new();
    for image in images {
        match seen.get(&image.uid).map(|&at| &kept[at]) {
            Some(first) if !image.uid.is_empty() => {
                let same = first.path.clone();
                if !is_same(first, &image) {
                    return Err(Error::Identifier { path: image.path, same, uid: image.uid });
                }
                warnings.push(Warning::Twice { path: image.path, same });
            }
            _ => {
                seen.insert(image.uid.clone(), kept.len());
                kept.push(image);
            }
        }
    }
    Ok(kept)
}

/// Whether images with one identifier are the same: in the same place or, where they say none, with the same number.
fn is_same(a: &Instance, b: &Instance) -> bool {
    let alike = |(a_frame, b_frame): (&Frame, &Frame)| match (a_frame.place, b_frame.place) {
        (Some(u), Some(v)) => u.position.iter().zip(v.position).all(|(u, v)| (u - v).abs() < SAME_PLACE),
        (None, None) => a.number == b.number,
        _ => false,
    };
    a.frames.len() == b.frames.len() && a.frames.iter().zip(&b.frames).all(alike)
}

/// Images that could make a volume together: of one series, size, spacing and orientation.
fn grouped(images: Vec<Instance>) -> Vec<Vec<Instance>> {
    let mut groups: Vec<Vec<Instance>> = Vec::new();
    for image in images {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| belong(first, &image))) {
            Some(group) => group.push(image),
            None => groups.push(vec![image]),
        }
    }
    groups
}

fn belong(a: &Instance, b: &Instance) -> bool {
    let near = |u: &[f64], v: &[f64], tolerance: f64| u.iter().zip(v).all(|(u, v)| (u - v).abs() <= tolerance);
    let (first, other) = (&a.frames[0], &b.frames[0]);
    let spacing = match (first.spacing, other.spacing) {
        (Some(u), Some(v)) => near(&u, &v, 1e-3 * u[0].min(u[1])),
        (None, None) => true,
        _ => false,
    };
    let orientation = match (first.place, other.place) {
        (Some(u), Some(v)) => near(&u.row, &v.row, 1e-3) && near(&u.column, &v.column, 1e-3),
        (None, None) => true,
        _ => false,
    };
    a.series == b.series && (a.rows, a.columns) == (b.rows, b.columns) && spacing && orientation
}

fn listed(groups: &[Vec<Instance>]) -> Vec<String> {
    let line = |group: &Vec<Instance>| {
        let first = group.first()?;
        let count: usize = group.iter().map(|image| image.frames.len()).sum();
        let description = first.description.as_deref().map_or_else(String::new, |text| format!(" ({text})"));
        let direction = match first.frames[0].place {
            None => "without orientation".into(),
            Some(place) => format!("orientation {:?} {:?}", place.row, place.column),
        };
        let (columns, rows) = (first.columns, first.rows);
        let what = format!("{count} images of {columns} x {rows}, {direction}, such as {}", first.path.display());
        Some(format!("series {}{description}, {what}", first.series))
    };
    groups.iter().filter_map(line).collect()
}
