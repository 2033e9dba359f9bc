//! Refines probabilities by a dense CRF: `crf IMAGE PROBABILITIES WIDTH HEIGHT OUTPUT`, all raw values: colours in 8 bits `(3, height, width)`,
//! probabilities in single precision `(classes, height, width)`. Prints the seconds that it took.
#![expect(clippy::print_stdout, reason = "the time is what it is for")]

use std::error::Error;
use std::time::Instant;
use std::{env, fs};

use swath_refine::{Appearance, CrfParameters, DenseCrf, Pixels, Smoothness};
use swath_tiling::Size;

fn main() -> Result<(), Box<dyn Error>> {
    let [image, probabilities, width, height, output] =
        <[String; 5]>::try_from(env::args().skip(1).collect::<Vec<_>>()).map_err(|_given| "expected five arguments")?;
    let size = Size::plane(width.parse()?, height.parse()?);
    let colours: Vec<f32> = fs::read(image)?.into_iter().map(f32::from).collect();
    let mut probabilities: Vec<f32> =
        fs::read(probabilities)?.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let crf = DenseCrf::new(CrfParameters {
        iterations: 10,
        smoothness: Some(Smoothness { weight: 3.0, width: 3.1 }),
        appearance: Some(Appearance { weight: 4.0, width: 67.7, colour_width: 13.3 }),
    })?;
    let started = Instant::now();
    let pixels = Pixels { size, x: 0, y: 0, colours: &colours, valid: &vec![true; size.area()] };
    crf.refine(&pixels, &mut probabilities)?;
    println!("{}", started.elapsed().as_secs_f64());
    fs::write(output, probabilities.iter().flat_map(|p| p.to_le_bytes()).collect::<Vec<_>>())?;
    Ok(())
}
