//! An executor that averages over views.

use super::Augmentation;
use super::augmentation::View;
use super::bilinear::resize;
use crate::geometry::lcm;
use crate::{Arithmetic, Axes, Error, Executor, Extent, Geometry, Graph, Padding, Rank, Reach, Result, Tensor};

/// Runs a network on several views of each tile (mirrored, turned, resized) and averages what it says of every pixel or voxel.
///
/// The views are taken one after the other and summed in one order, so that the result has the same bits wherever a tile is cut, as far as the
/// network's has. Views of another scale lie on grids that depend on the tile: with them a tile's scores do, too.
pub struct Augmented {
    inner: Box<dyn Executor>,
    augmentation: Augmentation,
    geometry: Geometry,
}

impl std::fmt::Debug for Augmented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Augmented").field("augmentation", &self.augmentation).finish_non_exhaustive()
    }
}

impl Augmented {
    /// `inner` on all views of `augmentation`. Its scores are averaged as they are: probabilities of scenes, of volumes logits as in nnU-Net.
    ///
    /// # Errors
    /// If the network takes no such views: it loses unlike margins at opposite sides and is to be mirrored, is unlike along its axes and is to be
    /// turned, or has a fixed extent or margins and is to be resized; or it has no depth that could be mirrored.
    pub fn new(inner: Box<dyn Executor>, augmentation: Augmentation) -> Result<Self> {
        let geometry = geometry(inner.as_ref(), &augmentation)?;
        Ok(Self { inner, augmentation, geometry })
    }

    /// The extent of a view.
    fn extent(&self, view: View, tile: Extent) -> Extent {
        let scaled =
            |length: usize, stride: usize| ((length as f64 * view.scale / stride as f64).round() as usize).max(1) * stride;
        let stride = self.geometry.stride;
        let is_scaled = (view.scale - 1.0).abs() > f64::EPSILON;
        let extent = if is_scaled { Extent { y: scaled(tile.y, stride.y), x: scaled(tile.x, stride.x), ..tile } } else { tile };
        view.symmetry.extent(extent)
    }

    fn see(&self, view: View, tile: Tensor) -> Result<Tensor> {
        let original = tile.shape().extent;
        let extent = view.symmetry.extent(self.extent(view, original));
        let seen = self.inner.run(view.symmetry.turn(&resize(tile, extent)?)?)?;
        let scores = view.symmetry.turn_back(&seen)?;
        self.inner.recycle(seen);
        // What is resized has no margins.
        if extent == original { Ok(scores) } else { resize(scores, original) }
    }
}

impl Executor for Augmented {
    fn graph(&self) -> &Graph {
        self.inner.graph()
    }

    fn input_channels(&self) -> usize {
        self.inner.input_channels()
    }

    fn output_channels(&self) -> usize {
        self.inner.output_channels()
    }

    fn fixed(&self) -> Axes<Option<usize>> {
        self.inner.fixed()
    }

    fn geometry(&self) -> Result<Geometry> {
        Ok(self.geometry.clone())
    }

    fn flops(&self, tile: Extent) -> Result<u64> {
        let flops = self.augmentation.all().map(|view| self.inner.flops(self.extent(view, tile)));
        flops.sum::<Result<Sum>>().map(|sum| sum.0)
    }

    fn parameters(&self) -> usize {
        self.inner.parameters()
    }

    fn arithmetic(&self) -> Arithmetic {
        self.inner.arithmetic()
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let mut views = self.augmentation.all();
        let Some(first) = views.next() else { return self.inner.run(tile) };
        let scores = self.see(first, tile.clone())?;
        let shape = scores.shape();
        let mut sums = scores.into_data();
        for view in views {
            let scores = self.see(view, tile.clone())?;
            sums.iter_mut().zip(scores.data()).for_each(|(sum, score)| *sum += score);
        }
        let count = self.augmentation.views() as f32;
        for sum in &mut sums {
            *sum /= count;
        }
        Tensor::new(shape, sums)
    }

    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        let (mut inner, mut largest) = (0, tile.product());
        for view in self.augmentation.all() {
            let extent = self.extent(view, tile);
            inner = inner.max(self.inner.peak_bytes(extent, threads)?);
            largest = largest.max(extent.product());
        }
        // The tile, a view of it on its way, the sums, and a view's scores before and after they are brought back.
        let values =
            self.input_channels() * (tile.product() + 2 * largest) + self.output_channels() * (tile.product() + 2 * largest);
        Ok(inner + values * size_of::<f32>())
    }

    fn resident_bytes(&self) -> usize {
        self.inner.resident_bytes()
    }

    fn trim(&self) {
        self.inner.trim();
    }
}

/// A sum that stays at its largest.
struct Sum(u64);

impl std::iter::Sum<u64> for Sum {
    fn sum<I: Iterator<Item = u64>>(numbers: I) -> Self {
        Self(numbers.fold(0, u64::saturating_add))
    }
}

/// How the mean's pixels relate to the tile's.
fn geometry(inner: &dyn Executor, augmentation: &Augmentation) -> Result<Geometry> {
    let mut geometry = inner.geometry()?;
    let fail = |expected, got: String| {
        Err(Error::Augmentation { views: augmentation.to_string(), network: inner.graph().name().to_owned(), expected, got })
    };
    let Axes { z, y, x } = geometry.margin;
    if augmentation.mirrors_depth() {
        if inner.graph().rank() == Rank::Planar {
            return fail("a network of volumes", "one of planes".into());
        }
        if z.before != z.after {
            return fail("the same margin at opposite sides", format!("{} in front and {} behind", z.before, z.after));
        }
    }
    let Axes { y: height, x: width, .. } = inner.fixed();
    let only = || [width, height].map(|length| length.map_or_else(|| "any".into(), |length| length.to_string())).join(" x ");
    if augmentation.mirrors() && [y, x].iter().any(|margin| margin.before != margin.after) {
        let sides = format!("{} above, {} below, {} left and {} right", y.before, y.after, x.before, x.after);
        return fail("the same margin at opposite sides", sides);
    }
    if augmentation.exchanges() {
        if y != x {
            return fail("the same margin along height and width", format!("{} and {}", y.before, x.before));
        }
        if height != width {
            return fail("square tiles", only());
        }
        // Tiles of which both sides are multiples of both strides.
        let stride = lcm(geometry.stride.y, geometry.stride.x);
        geometry.stride = Axes { y: stride, x: stride, ..geometry.stride };
    }
    if augmentation.resizes() {
        if y.total() + x.total() > 0 {
            return fail("no margins", format!("{} along height, {} along width", y.total(), x.total()));
        }
        if height.is_some() || width.is_some() {
            return fail("tiles of any extent", format!("{} only", only()));
        }
        let node = format!("scales={}", augmentation.scales().iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        geometry.reach = Reach::WholeTile { node };
    }
    if let Reach::Halo(halo) = &mut geometry.reach
        && augmentation.mirrors()
    {
        // What sees to the left sees to the right when it is mirrored.
        let both = |side: Padding| Padding { before: side.before.max(side.after), after: side.before.max(side.after) };
        let [mut y, mut x] = [both(halo.y), both(halo.x)];
        let z = if augmentation.mirrors_depth() { both(halo.z) } else { halo.z };
        if augmentation.exchanges() {
            let most = if y.before > x.before { y } else { x };
            (y, x) = (most, most);
        }
        *halo = Axes { z, y, x };
        geometry.see_mirrored();
    }
    Ok(geometry)
}
