//! Several networks at once.

use crate::geometry::lcm;
use crate::{Arithmetic, Axes, Error, Executor, Extent, Geometry, Graph, Padding, Result, Shape, Tensor};

/// A network of an ensemble.
pub struct Member {
    /// What runs it. It gives probabilities.
    pub executor: Box<dyn Executor>,
    /// What it is called in errors.
    pub name: String,
    /// Of its bands, in its own order, the places among the ensemble's.
    pub bands: Vec<usize>,
    /// Of its classes, in its own order, the places among the ensemble's.
    pub classes: Vec<usize>,
    /// Its share of the mean, relative to the others'.
    pub weight: f32,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("weight", &self.weight).finish_non_exhaustive()
    }
}

/// Runs several networks on each tile, each on its own of the tile's bands, and gives the weighted mean of their probabilities.
///
/// A network with one output channel counts as two classes. The mean is taken in the order of the members, so that the result has the same bits
/// wherever a tile is cut, as far as theirs have.
#[derive(Debug)]
pub struct Ensemble {
    members: Vec<Member>,
    /// Shares that sum to one.
    shares: Vec<f32>,
    bands: usize,
    classes: usize,
    geometry: Geometry,
    fixed: Axes<Option<usize>>,
}

impl Ensemble {
    /// An ensemble of one member at least, whose tiles have `bands` bands.
    ///
    /// # Errors
    /// If there is none, or they cannot take the same tiles: they lose different margins, or have different fixed extents.
    ///
    /// # Panics
    /// If a place of a band is beyond the number of bands.
    pub fn new(members: Vec<Member>, bands: usize) -> Result<Self> {
        assert!(members.iter().flat_map(|member| &member.bands).all(|band| *band < bands), "expected places below {bands}");
        let Some(first) = members.first() else {
            return Err(Error::Ensemble {
                first: "none".into(),
                second: "none".into(),
                what: "the number of models",
                expected: "one at least".into(),
                got: "none".into(),
            });
        };
        let (mut geometry, mut fixed) = (first.executor.geometry()?, first.executor.fixed());
        for member in &members[1..] {
            let fail = |what, [expected, got]: [String; 2]| {
                Err(Error::Ensemble { first: first.name.clone(), second: member.name.clone(), what, expected, got })
            };
            let own = member.executor.geometry()?;
            if own.margin != geometry.margin {
                return fail("the margins", [&geometry, &own].map(|geometry| margins(geometry.margin)));
            }
            let lengths = fixed.zip(member.executor.fixed());
            if lengths.into_array().iter().any(|(a, b)| a.is_some() && b.is_some() && a != b) {
                return fail("the fixed extent", [fixed, member.executor.fixed()].map(shown));
            }
            fixed = lengths.map(|(a, b)| a.or(b));
            geometry.join(&own);
            geometry.stride = geometry.stride.zip(own.stride).map(|(a, b)| lcm(a, b));
        }
        let sum: f32 = members.iter().map(|member| member.weight).sum();
        let shares = members.iter().map(|member| member.weight / sum).collect();
        let classes = members.iter().map(|member| member.executor.output_channels()).max().unwrap_or(1);
        // One score is enough as long as it means the same to all.
        let is_single = members.iter().all(|member| member.executor.output_channels() == 1 && member.classes == [0, 1]);
        let classes = if is_single { 1 } else { classes.max(2) };
        Ok(Self { members, shares, bands, classes, geometry, fixed })
    }

    /// The bands of a member.
    fn bands_of(member: &Member, tile: &Tensor) -> Result<Tensor> {
        let extent = tile.shape().extent;
        let shape = Shape { channels: member.bands.len(), extent };
        if member.bands.iter().copied().eq(0..tile.shape().channels) {
            return Ok(tile.clone());
        }
        Tensor::new(shape, member.bands.iter().flat_map(|band| tile.channel(*band)).copied().collect())
    }

    /// Adds a member's share of its probabilities to the sums.
    fn add(&self, member: &Member, share: f32, scores: &Tensor, sums: &mut [f32]) {
        let area = scores.shape().extent.product();
        if self.classes == 1 || scores.shape().channels > 1 {
            for (channel, plane) in scores.data().chunks_exact(area).enumerate() {
                let class = if self.classes == 1 { 0 } else { member.classes[channel] };
                sums[class * area..][..area].iter_mut().zip(plane).for_each(|(sum, p)| *sum += share * p);
            }
            return;
        }
        // One score is the probability of the second of two classes.
        for (place, class) in member.classes.iter().enumerate() {
            let sums = sums[class * area..][..area].iter_mut().zip(scores.data());
            sums.for_each(|(sum, p)| *sum += share * if place == 0 { 1.0 - p } else { *p });
        }
    }
}

impl Executor for Ensemble {
    fn graph(&self) -> &Graph {
        self.members[0].executor.graph()
    }

    fn input_channels(&self) -> usize {
        self.bands
    }

    fn output_channels(&self) -> usize {
        self.classes
    }

    fn fixed(&self) -> Axes<Option<usize>> {
        self.fixed
    }

    fn geometry(&self) -> Result<Geometry> {
        Ok(self.geometry.clone())
    }

    fn flops(&self, tile: Extent) -> Result<u64> {
        self.members.iter().try_fold(0_u64, |sum, member| Ok(sum.saturating_add(member.executor.flops(tile)?)))
    }

    fn parameters(&self) -> usize {
        self.members.iter().map(|member| member.executor.parameters()).sum()
    }

    fn arithmetic(&self) -> Arithmetic {
        self.members[0].executor.arithmetic()
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let mut sums = Vec::new();
        let mut extent = tile.shape().extent;
        for (member, share) in self.members.iter().zip(&self.shares) {
            let scores = member.executor.run(Self::bands_of(member, &tile)?)?;
            extent = scores.shape().extent;
            sums.resize(self.classes * extent.product(), 0.0);
            self.add(member, *share, &scores, &mut sums);
            member.executor.recycle(scores);
        }
        Tensor::new(Shape { channels: self.classes, extent }, sums)
    }

    /// Members run one after the other, but each keeps its buffers for the next tile.
    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        let members = self.members.iter().try_fold(0, |sum, member| Ok(sum + member.executor.peak_bytes(tile, threads)?))?;
        Ok(members + (2 * self.bands + 2 * self.classes) * tile.product() * size_of::<f32>())
    }

    fn resident_bytes(&self) -> usize {
        self.members.iter().map(|member| member.executor.resident_bytes()).sum()
    }

    fn trim(&self) {
        self.members.iter().for_each(|member| member.executor.trim());
    }
}

/// Width and height that tiles must have.
fn shown(fixed: Axes<Option<usize>>) -> String {
    [fixed.x, fixed.y].map(|length| length.map_or_else(|| "any".into(), |length| length.to_string())).join(" x ")
}

fn margins(margin: Axes<Padding>) -> String {
    let Axes { y, x, .. } = margin;
    format!("{}, {}, {} and {} (above, below, left, right)", y.before, y.after, x.before, x.after)
}
