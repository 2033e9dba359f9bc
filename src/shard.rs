//! One scene, labelled by several processes that know nothing of each other.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use swath_tiling::{TileGrid, Window};

use crate::plan::Plan;
use crate::product::Product;
use crate::{Error, Existing, Outputs, ProbabilityOutput, Report, Result, write_text};

/// One of several parts of a scene or batch: `K/N`, K from 1 to N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// What became of a shard.
#[derive(Clone, Debug, PartialEq)]
pub enum ShardReport {
    /// It was labelled.
    Labelled(Box<Report>),
    /// An earlier run labelled it; its STAC item.
    Finished(PathBuf),
    /// The scene has fewer rows of tiles than there are shards, and none for this one; the item that says so.
    Empty(PathBuf),
}

/// What the STAC item of a shard says for merging: `swath:shard`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardFacts {
    #[serde(flatten)]
    pub(crate) shard: Shard,
    /// First row of the whole that is the shard's.
    pub(crate) first_row: usize,
    /// How many there are; 0 for an empty shard.
    pub(crate) rows: usize,
    /// What the whole's labels depend on.
    pub(crate) identity: Value,
    /// The whole.
    pub(crate) whole: Product,
}

impl Shard {
    /// Shard `index`, from 1, of `count`; none if there is no such shard.
    #[must_use]
    pub fn new(index: usize, count: usize) -> Option<Self> {
        (1..=count).contains(&index).then_some(Self { index, count })
    }

    /// Its place among the shards, from 1.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether the raster at this place of a batch, from 0, is this shard's: every N-th is, from the K-th on.
    #[must_use]
    pub fn has(self, place: usize) -> bool {
        place % self.count == self.index - 1
    }

    /// How this shard's part of a file is called: `labels.tif` becomes `labels.shard-1-of-3.tif`.
    #[must_use]
    pub fn path(self, whole: &Path) -> PathBuf {
        whole.with_file_name(self.file_name(&whole.file_name().unwrap_or_default().to_string_lossy()))
    }

    /// The same for a name without its folder.
    #[must_use]
    pub fn file_name(self, whole: &str) -> String {
        let Self { index, count } = self;
        match whole.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}.shard-{index}-of-{count}.{extension}"),
            None => format!("{whole}.shard-{index}-of-{count}"),
        }
    }

    /// This shard's parts of all outputs.
    #[must_use]
    pub fn outputs(self, whole: &Outputs) -> Outputs {
        let probabilities = |p: &ProbabilityOutput| ProbabilityOutput { path: self.path(&p.path), encoding: p.encoding };
        Outputs {
            labels: self.path(&whole.labels),
            probabilities: whole.probabilities.as_ref().map(probabilities),
            confidence: whole.confidence.as_deref().map(|path| self.path(path)),
            existing: whole.existing,
        }
    }

    /// The part of a plan that is this shard's; none if there is nothing for it.
    ///
    /// Rows of tiles are divided as evenly as can be, and cut where a row begins. Tiles that reach across a cut are run for both sides, so that
    /// the labels are those of the whole, bit for bit.
    #[must_use]
    pub fn part(self, plan: &Plan) -> Option<Plan> {
        let whole = plan.layout.window;
        let end = whole.y + whole.height;
        // Where rows of tiles begin, and the end of the last one.
        let mut cuts: Vec<usize> = plan.layout.grid.row_starts().map(|y| y.clamp(whole.y, end)).chain([end]).collect();
        cuts.dedup();
        cuts[0] = whole.y;
        let rows = cuts.len() - 1;
        let [first, last] = [self.index - 1, self.index].map(|place| cuts[(rows * place).div_ceil(self.count)]);
        (last > first).then(|| plan.narrowed(Window { y: first, height: last - first, ..whole }))
    }
}

impl ShardFacts {
    /// What an item says; none if there is no item.
    pub(crate) fn read(item: &Path) -> Result<Option<Self>> {
        let bytes = match fs::read(item) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { action: "read", path: item.to_owned(), source }),
        };
        let facts = serde_json::from_slice(&bytes)
            .and_then(|mut item: Value| serde_json::from_value(item["properties"]["swath:shard"].take()));
        facts.map(Some).map_err(|source| Error::ShardItem { path: item.to_owned(), source })
    }

    pub(crate) fn to_json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|source| Error::ShardItem { path: PathBuf::new(), source })
    }

    /// Writes the item of a shard without rasters.
    pub(crate) fn write_alone(&self, item: &Path, existing: Existing) -> Result<()> {
        let text = json!({ "properties": { "swath:shard": self.to_json()? } });
        write_text(item, &format!("{text:#}\n"), existing)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, count) = text.split_once('/').ok_or("expected a shard and their number, such as 2/5")?;
        let number = |text: &str| text.parse::<usize>().map_err(|error| format!("`{text}`: {error}"));
        Self::new(number(index)?, number(count)?).ok_or_else(|| "expected a shard from 1 to their number, such as 2/5".into())
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Plan {
    /// The plan for a part of its window: the same tiles, as far as they touch it.
    #[must_use]
    pub(crate) fn narrowed(&self, window: Window) -> Self {
        let mut narrowed = self.clone();
        narrowed.layout.window = window;
        narrowed.layout.grid = self.layout.grid.owning(window);
        narrowed.swaths = self.swaths.iter().map(|swath| swath.owning(window)).collect();
        let tiles = |plan: &Self| plan.swaths.iter().map(TileGrid::len).sum::<usize>() as u64;
        let share = |all: u64| all / tiles(self) * tiles(&narrowed);
        (narrowed.flops, narrowed.bytes_to_read) = (share(self.flops), share(self.bytes_to_read));
        narrowed
    }

    /// A window of the scene as one of the outputs.
    pub(crate) fn to_output(&self, window: Window) -> Window {
        let Window { x, y, .. } = self.layout.window;
        Window { x: window.x - x, y: window.y - y, ..window }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_names_and_numbers() {
        let shard: Shard = "2/5".parse().unwrap();
        assert_eq!((shard.index(), shard.count()), (2, 5));
        assert_eq!(shard.path(Path::new("out/labels.v2.tif")), Path::new("out/labels.v2.shard-2-of-5.tif"));
        assert_eq!(shard.path(Path::new("labels")), Path::new("labels.shard-2-of-5"));
        for text in ["", "2", "0/3", "4/3", "1/0", "a/2", "1/2/3"] {
            text.parse::<Shard>().unwrap_err();
        }
    }
}
