//! Label rasters.

use std::path::PathBuf;
use std::thread;

use gdal::raster::{ColorEntry, ColorTable};
use gdal::{Dataset, Metadata};
use swath_models::Class;
use swath_refine::{LabelBlock, LabelSteps};
use swath_tiling::{Size, Window};

use super::attributes::{self, Attributes};
use super::cog::Pixels;
use super::coverage::Coverage;
use super::palette::colours;
use super::publish::{Existing, Unpublished};
use super::scratch::{Scratch, Start};
use super::temporary::Temporary;
use crate::{Error, Georeference, Result};

/// What a label raster is to be.
#[derive(Clone, Debug)]
pub struct LabelProduct {
    /// Where it goes: a local file, usually `.tif`.
    pub path: PathBuf,
    /// Its size, in pixels, one slice deep.
    pub size: Size,
    /// Where it lies.
    pub georeference: Georeference,
    /// What the labels mean, each value once. A class without a colour is drawn in one that no other class has.
    pub classes: Vec<Class>,
    /// The value of pixels without a label; no class has it.
    pub nodata: u8,
    /// What happens to an earlier file.
    pub existing: Existing,
    /// Threads for compressing; the file does not depend on it.
    pub threads: usize,
}

/// A label raster on its way: windows are written in any order, each pixel once, and `finish` publishes it.
///
/// Dropped unfinished, it leaves nothing behind. Windows that are as wide as the raster are the fastest, since their rows lie together in the
/// scratch file.
#[derive(Debug)]
pub struct LabelSink {
    product: LabelProduct,
    scratch: Scratch,
    output: Unpublished,
    coverage: Coverage,
    /// Number of pixels of every label value.
    counts: Box<[u64; 256]>,
    /// What the labels were before they were changed, if they were.
    unchanged: Option<Temporary>,
}

/// How often each label occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSummary {
    /// Number of pixels of each class, in the order of [`LabelProduct::classes`].
    pub counts: Vec<u64>,
    /// Number of pixels without a label.
    pub nodata_count: u64,
}

/// A label raster that lacks nothing but its name.
#[derive(Debug)]
pub(crate) struct CompleteLabels {
    pub(crate) output: Unpublished,
    pub(crate) summary: LabelSummary,
    /// What is temporary, and removed when all has its name.
    pub(crate) scratches: Vec<Temporary>,
}

impl LabelSink {
    /// Memory that `finish` needs beside GDAL's cache for a raster of `width` columns, in bytes: measured with GDAL 3.6 and rounded up.
    ///
    /// Overviews of labels are made from stripes of 512 rows across the whole raster, six bytes per pixel, one for each thread.
    #[must_use]
    pub fn finish_bytes(width: usize, threads: usize) -> usize {
        threads.max(1) * ((24 << 20) + width * 512 * 6)
    }

    /// Checks the product and prepares its scratch file.
    ///
    /// # Errors
    ///
    /// If the file exists and must stay, its folder is missing or not writable, the raster is empty or has more than one slice, a class
    /// has the value that is no data, or two classes have the same value.
    pub fn create(product: LabelProduct) -> Result<Self> {
        Self::start(product, Start::Anew)
    }

    /// As [`LabelSink::create`], perhaps with what an earlier run wrote.
    pub(crate) fn start(product: LabelProduct, start: Start) -> Result<Self> {
        check_classes(&product)?;
        let output = Unpublished::create(&product.path, product.existing)?;
        let mut scratch = Scratch::create::<u8>(&product.path, product.size, 1, &product.georeference, start)?;
        scratch.describe(|dataset| describe(dataset, &product))?;
        let coverage = Coverage::new(product.size);
        Ok(Self { product, scratch, output, coverage, counts: Box::new([0; 256]), unchanged: None })
    }

    /// Writes the labels of a window, `(height, width)`.
    ///
    /// # Errors
    ///
    /// If the window reaches out of the raster or overlaps an earlier one, if the labels do not fill it, if one is neither a class nor no
    /// data, or if GDAL cannot write them.
    pub fn write(&mut self, window: Window, labels: &[u8]) -> Result<()> {
        let path = self.output.path();
        self.coverage.check(path, window, 1, labels.len())?;
        if window.size().is_empty() {
            return Ok(());
        }
        let counts = count(labels);
        let known = |label: u8| label == self.product.nodata || self.product.classes.iter().any(|class| class.value == label);
        if let Some(label) = (0..=u8::MAX).find(|&label| counts[usize::from(label)] > 0 && !known(label)) {
            return Err(Error::UnknownLabel { path: path.to_owned(), window, label });
        }
        self.scratch.write(1, window, labels)?;
        self.coverage.add(window);
        add(&mut self.counts, &counts);
        Ok(())
    }

    /// Counts a window that an earlier run wrote as written.
    pub(crate) fn recover(&mut self, window: Window) -> Result<()> {
        self.scratch.recover(1, window, |labels| add(&mut self.counts, &count(labels)))?;
        self.coverage.add(window);
        Ok(())
    }

    /// The file that windows go to.
    pub(crate) fn scratch(&mut self) -> &mut Scratch {
        &mut self.scratch
    }

    /// The same raster with its labels changed, block by block, several at once; `go_on` is asked in between. What was written stays as it is on the
    /// disk, so that a run that is killed goes on from there.
    ///
    /// # Errors
    /// If some pixel was never written, or labels cannot be read or written.
    pub(crate) fn changed(self, steps: &LabelSteps, go_on: &dyn Fn() -> Result<()>) -> Result<Self> {
        self.coverage.check_complete(self.output.path())?;
        let Self { product, scratch, output, .. } = self;
        let mut changed = Scratch::create_changed::<u8>(&product.path, product.size, &product.georeference)?;
        changed.describe(|dataset| describe(dataset, &product))?;
        let mut coverage = Coverage::new(product.size);
        let mut counts = Box::new([0; 256]);
        let mut blocks = steps.blocks(product.size).peekable();
        while blocks.peek().is_some() {
            go_on()?;
            let mut several = Vec::new();
            for block in blocks.by_ref().take(product.threads.max(1)) {
                several.push((block, scratch.values::<u8>(1, block.around)?));
            }
            for (block, labels) in change(steps, product.size, several)? {
                changed.write(1, block.core, &labels)?;
                coverage.add(block.core);
                add(&mut counts, &count(&labels));
            }
        }
        Ok(Self { product, scratch: changed, output, coverage, counts, unchanged: Some(scratch.into_temporary()) })
    }

    /// Builds the COG with its overviews, colours, class names and attribute table, verifies it and gives it its name.
    ///
    /// # Errors
    ///
    /// If some pixel was never written, if the disk is full or GDAL fails otherwise, or if what is read back is not what was written.
    pub fn finish(self) -> Result<LabelSummary> {
        let CompleteLabels { output, summary, .. } = self.complete()?;
        output.publish()?;
        Ok(summary)
    }

    /// As [`LabelSink::finish`], but the name is still to be given.
    pub(crate) fn complete(self) -> Result<CompleteLabels> {
        self.coverage.check_complete(self.output.path())?;
        let part = self.output.part();
        let scratch = self.scratch.into_cog(part, Pixels::Labels, self.product.threads)?;
        let count = |value: u8| self.counts[usize::from(value)];
        let classes = &self.product.classes;
        let rows =
            classes.iter().zip(colours(classes)).map(|(class, colour)| Attributes { class, colour, count: count(class.value) });
        attributes::write(part, &rows.collect::<Vec<_>>())?;
        let counts = classes.iter().map(|class| count(class.value)).collect();
        let summary = LabelSummary { counts, nodata_count: count(self.product.nodata) };
        let scratches = [scratch].into_iter().chain(self.unchanged).collect();
        Ok(CompleteLabels { output: self.output, summary, scratches })
    }
}

/// The new labels of blocks, each changed on a thread of its own.
fn change(steps: &LabelSteps, size: Size, blocks: Vec<(LabelBlock, Vec<u8>)>) -> Result<Vec<(LabelBlock, Vec<u8>)>> {
    thread::scope(|scope| {
        let start = |(block, labels)| (block, scope.spawn(move || steps.apply(size, block, labels)));
        let changing: Vec<_> = blocks.into_iter().map(start).collect();
        let join = |(block, thread): (LabelBlock, thread::ScopedJoinHandle<'_, swath_refine::Result<Vec<u8>>>)| {
            let labels = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            labels.map(|labels| (block, labels)).map_err(|source| Error::Steps { window: block.core, source })
        };
        changing.into_iter().map(join).collect()
    })
}

/// How often each value occurs.
fn count(labels: &[u8]) -> [u64; 256] {
    let mut counts = [0; 256];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    counts
}

fn add(sums: &mut [u64; 256], counts: &[u64; 256]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

fn check_classes(LabelProduct { path, classes, nodata, .. }: &LabelProduct) -> Result<()> {
    for (index, class) in classes.iter().enumerate() {
        if class.value == *nodata {
            return Err(Error::ClassIsNodata { path: path.clone(), name: class.name.clone(), nodata: *nodata });
        }
        if let Some(first) = classes[..index].iter().find(|first| first.value == class.value) {
            let [first, second] = [first, class].map(|class| class.name.clone());
            return Err(Error::ClassTwice { path: path.clone(), value: class.value, first, second });
        }
    }
    Ok(())
}

/// Sets what a TIFF itself can say of labels: no data, colours and that they are labels.
fn describe(dataset: &mut Dataset, product: &LabelProduct) -> gdal::errors::Result<()> {
    let mut table = ColorTable::default();
    for (class, colour) in product.classes.iter().zip(colours(&product.classes)) {
        let entry = ColorEntry::rgba(colour.red.into(), colour.green.into(), colour.blue.into(), 255);
        table.set_color_entry(class.value.into(), &entry);
    }
    table.set_color_entry(product.nodata.into(), &ColorEntry::rgba(0, 0, 0, 0));
    let mut band = dataset.rasterband(1)?;
    band.set_color_table(&table);
    band.set_no_data_value(Some(product.nodata.into()))?;
    band.set_description("label")
}
