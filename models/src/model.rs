//! A model folder: card, graph, weights, and perhaps a golden input.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::files::{CARD, GOLDEN, GRAPH, WEIGHTS};
use crate::{Error, Executor, Extent, Graph, ModelCard, Result, Shape, Tensor, Weights};

/// A model folder in memory: what the network is, what it has learned, and what it needs.
///
/// The folder holds `model.json` (the [`ModelCard`]), `graph.json` (the [`Graph`]), `weights.safetensors` (the [`Weights`]) and, if there is
/// one, `golden.safetensors` (a [`Golden`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What it needs and what its output means.
    pub card: ModelCard,
    /// The network, as it was imported or built: without what the card says its output lacks.
    pub graph: Graph,
    /// What it has learned.
    pub weights: Weights,
}

impl Model {
    /// Reads a folder and checks that card, graph and weights agree.
    ///
    /// # Errors
    /// If a file is missing, damaged or disagrees with another one.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |path: PathBuf| fs::read(&path).map_err(|source| Error::Read { path, source });
        let (card, graph) = parse(folder, &read(folder.join(CARD))?, &read(folder.join(GRAPH))?)?;
        let path = folder.join(WEIGHTS);
        Self::join(card, graph, Weights::read(&path), &path)
    }

    /// As [`Model::read`], from the files' bytes: for a model that is part of a program. Errors call its folder `name`.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn from_bytes(name: &Path, files: &ModelBytes<'_>) -> Result<Self> {
        let (card, graph) = parse(name, files.card, files.graph)?;
        let path = name.join(WEIGHTS);
        Self::join(card, graph, Weights::from_bytes(files.weights, &path), &path)
    }

    /// With the weights of the file at `path`, if they are those of the graph.
    fn join(card: ModelCard, graph: Graph, weights: Result<Weights>, path: &Path) -> Result<Self> {
        let weights =
            weights.and_then(|weights| weights.check(&graph).map(|()| weights)).map_err(|error| error.of_weights(path))?;
        Ok(Self { card, graph, weights })
    }

    /// Writes the folder, which must not exist or be empty: under the name `{folder}.part` until it is complete.
    ///
    /// # Errors
    /// If card, graph and weights disagree, or something cannot be written; nothing is left then.
    pub fn write(&self, folder: &Path) -> Result<()> {
        self.write_folder(folder, None)
    }

    /// As [`Model::write`], with a copy of the golden input's file.
    ///
    /// # Errors
    /// As [`Model::write`].
    pub fn write_with_golden(&self, folder: &Path, golden: &Golden) -> Result<()> {
        self.write_folder(folder, Some(golden))
    }

    fn write_folder(&self, folder: &Path, golden: Option<&Golden>) -> Result<()> {
        let fail = |source| Error::Write { path: folder.into(), source };
        self.card.check(&self.graph, &folder.join(CARD))?;
        self.weights.check(&self.graph)?;
        // An absolute path has a name to put `.part` after, which `.` has not, and no separator after that.
        let folder: PathBuf = std::path::absolute(folder).map_err(fail)?.components().collect();
        let is_taken = match fs::read_dir(&folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(fail(error)),
        };
        if is_taken {
            return Err(fail(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        let mut part = folder.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        if let Some(parent) = part.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        // One that is there already is somebody else's, or was left by a run that was killed.
        fs::create_dir(&part).map_err(|source| Error::Write { path: part.clone(), source })?;
        let written = self.write_files(&part, golden).and_then(|()| fs::rename(&part, &folder).map_err(fail));
        if written.is_err() {
            // What went wrong first is what there is to tell.
            let _ = fs::remove_dir_all(&part);
        }
        written
    }

    fn write_files(&self, folder: &Path, golden: Option<&Golden>) -> Result<()> {
        let path = folder.join(GRAPH);
        let graph = serde_json::to_vec_pretty(&self.graph).map_err(|source| Error::Json { path: path.clone(), source })?;
        fs::write(&path, graph).map_err(|source| Error::Write { path, source })?;
        self.weights.write(&folder.join(WEIGHTS))?;
        if let Some(golden) = golden {
            let path = folder.join(GOLDEN);
            fs::copy(&golden.path, &path).map_err(|source| Error::Write { path, source })?;
        }
        self.card.write(&folder.join(CARD), &self.graph)
    }

    /// The network with what the card says its output lacks: it gives probabilities.
    #[must_use]
    pub fn probabilities(&self) -> Graph {
        self.graph.clone().with_activation(self.card.activation)
    }

    /// The files that make up the model in `folder`.
    #[must_use]
    pub fn files(folder: &Path) -> [PathBuf; 3] {
        [CARD, GRAPH, WEIGHTS].map(|name| folder.join(name))
    }
}

/// What the files of a model folder hold.
#[derive(Clone, Copy, Debug)]
pub struct ModelBytes<'a> {
    /// Of `model.json`.
    pub card: &'a [u8],
    /// Of `graph.json`.
    pub graph: &'a [u8],
    /// Of `weights.safetensors`.
    pub weights: &'a [u8],
}

/// Card and graph of a folder, which agree.
fn parse(folder: &Path, card: &[u8], graph: &[u8]) -> Result<(ModelCard, Graph)> {
    let path = folder.join(CARD);
    let (card, shapes) = ModelCard::parse_with_shapes(card, &path)?;
    let graph = parse_graph(graph, &folder.join(GRAPH))?;
    card.check(&graph, &path)?;
    shapes.check(&graph, &path)?;
    Ok((card, graph))
}

fn parse_graph(bytes: &[u8], path: &Path) -> Result<Graph> {
    if bytes.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    serde_json::from_slice(bytes).map_err(|source| Error::Json { path: path.into(), source })
}

/// An input of the network and what another implementation made of it: tensors `input` and `output`, `(channels, height, width)`, in
/// `golden.safetensors`.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    path: PathBuf,
    input: Tensor,
    output: Tensor,
}

impl Golden {
    /// The largest absolute difference that is allowed.
    pub const TOLERANCE: f32 = 1e-4;

    /// The golden input of a model folder, if it has one.
    ///
    /// # Errors
    /// If it is damaged, or lacks one of its tensors.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(GOLDEN);
        if !path.exists() {
            return Ok(None);
        }
        Self::open(&path).map(Some)
    }

    /// The golden input in a file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or lacks one of its tensors.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |error: Error| error.of_weights(path);
        let file = Weights::read(path).map_err(fail)?;
        let tensor = |name: &str| {
            let shape = file.specs().find(|spec| spec.name == name).map(|spec| spec.shape);
            let shape = match shape.as_deref().unwrap_or_default() {
                [c, y, x] | [1, c, y, x] => Shape::planar(*c, *y, *x),
                [c, z, y, x] | [1, c, z, y, x] => Shape { channels: *c, extent: Extent { z: *z, y: *y, x: *x } },
                [] => return Err(Error::MissingTensor { tensor: name.into() }),
                other => return Err(Error::TensorShape { tensor: name.into(), expected: vec![0, 0, 0], got: other.to_vec() }),
            };
            Tensor::new(shape, file.get(name)?.to_vec())
        };
        let (input, output) = (tensor("input").map_err(fail)?, tensor("output").map_err(fail)?);
        Ok(Self { path: path.into(), input, output })
    }

    /// Runs the input and returns the largest absolute difference from the output.
    ///
    /// # Errors
    /// If the network cannot run it, gives another shape, or differs by more than [`Golden::TOLERANCE`].
    pub fn check(&self, executor: &dyn Executor) -> Result<f32> {
        let scores = executor.run(self.input.clone())?;
        if scores.shape() != self.output.shape() {
            let name = executor.graph().name().to_owned();
            return Err(Error::Node { node: name, expected: self.output.shape().to_string(), got: scores.shape().to_string() });
        }
        let differences = scores.data().iter().zip(self.output.data()).map(|(a, b)| (a - b).abs());
        // A NaN must not look like agreement.
        let difference = differences.fold(0.0, |worst: f32, d| if d.is_nan() || d > worst { d } else { worst });
        if difference <= Self::TOLERANCE {
            Ok(difference)
        } else {
            Err(Error::Golden { path: self.path.clone(), difference, tolerance: Self::TOLERANCE })
        }
    }
}
