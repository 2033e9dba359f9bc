//! A network that stays in memory and runs when it is told to, so that benches can time it in turn with others:
//! `cargo run --release -p swath-models --example resident -- MODEL INPUT PRECISION CONVOLUTIONS THREADS`.
//!
//! MODEL is a model folder, INPUT a safetensors file whose tensor `input` is `(bands, height, width)` or `(bands, depth, height, width)`,
//! scaled already. It prints `ready`, then answers every line on standard input with one line: `run` with the milliseconds that the scores took,
//! `scores FILE` with `written` once FILE has the tensor `output`.
#![expect(clippy::print_stdout, reason = "the answers")]

use std::error::Error;
use std::io::stdin;
use std::path::Path;
use std::time::Instant;
use std::{env, iter};

use rayon::{ThreadPool, ThreadPoolBuilder};
use swath_models::{Arithmetic, Convolutions, Executor, Extent, Fused, Model, Precision, Result, Shape, Tensor, Weights};

const USAGE: &str = "resident MODEL INPUT f32|bf16 direct|winograd THREADS";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, input, precision, convolutions, threads] = arguments.as_slice() else { return Err(USAGE.into()) };
    let arithmetic = Arithmetic {
        precision: [Precision::F32, Precision::Bf16].into_iter().find(|known| known.name() == precision).ok_or(USAGE)?,
        convolutions: [Convolutions::Direct, Convolutions::Winograd]
            .into_iter()
            .find(|known| known.name() == convolutions)
            .ok_or(USAGE)?,
    };
    let model = Model::read(Path::new(model))?;
    let resident = Resident {
        pool: ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?,
        network: Fused::new(model.probabilities(), &model.weights, arithmetic)?,
        tile: read_tile(Path::new(input))?,
    };
    println!("ready");
    for line in stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("scores", file)) => {
                resident.scores()?.write(Path::new(file))?;
                println!("written");
            }
            None if line == "run" => println!("{}", resident.milliseconds()?),
            _ => return Err(format!("expected `run` or `scores FILE`, got `{line}`").into()),
        }
    }
    Ok(())
}

struct Resident {
    pool: ThreadPool,
    network: Fused,
    tile: Tensor,
}

impl Resident {
    fn milliseconds(&self) -> Result<f64> {
        let tile = self.tile.clone();
        let start = Instant::now();
        self.pool.install(|| self.network.run(tile))?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }

    /// The scores as the tensor `output`, in the order of the input's axes.
    fn scores(&self) -> Result<Weights> {
        let scores = self.pool.install(|| self.network.run(self.tile.clone()))?;
        let Shape { channels, extent } = scores.shape();
        let depth = (extent.z > 1).then_some(extent.z);
        let shape = iter::once(channels).chain(depth).chain([extent.y, extent.x]).collect();
        let mut file = Weights::new();
        file.insert("output", shape, scores.into_data());
        Ok(file)
    }
}

fn read_tile(path: &Path) -> Result<Tensor, Box<dyn Error>> {
    let file = Weights::read(path)?;
    let spec = file.specs().find(|spec| spec.name == "input").ok_or("no tensor `input`")?;
    let shape = match *spec.shape {
        [channels, y, x] => Shape::planar(channels, y, x),
        [channels, z, y, x] => Shape { channels, extent: Extent { z, y, x } },
        _ => return Err(format!("expected 3 or 4 axes, got {:?}", spec.shape).into()),
    };
    Ok(Tensor::new(shape, file.get("input")?.to_vec())?)
}
