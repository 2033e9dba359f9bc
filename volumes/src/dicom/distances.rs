//! How far apart slices are, and what is between them.

use crate::{Gaps, Warning};

/// Differences between slice distances that are nobody's mistake: of the distance, and in mm.
pub(super) const UNEVEN_SHARE: f64 = 0.01;
pub(super) const UNEVEN_MM: f64 = 0.1;
/// The share of a distance that is somebody's mistake, however short it is: among slices 0.08 mm apart one may be missing within 0.1 mm.
const MISSING_SHARE: f64 = 0.25;
/// How far apart two slices in one place may be, in mm.
pub(super) const SAME_PLACE: f64 = 1e-3;

/// How a plane is made of slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Recipe {
    /// A slice.
    At(usize),
    /// So far from that slice to the next.
    After { at: usize, share: f64 },
}

/// Slices that are another distance apart than the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Uneven {
    /// The slice before.
    pub(super) at: usize,
    /// The usual distance, in mm.
    pub(super) expected: f64,
    /// The distance at fault, in mm.
    pub(super) got: f64,
}

/// The planes of slices at these places, which rise.
pub(super) fn recipes(along: &[f64], gaps: Gaps, warnings: &mut Vec<Warning>) -> Result<Vec<Recipe>, Uneven> {
    let distances: Vec<f64> = along.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut ordered = distances.clone();
    ordered.sort_by(f64::total_cmp);
    // Where a slice is missing, the mean is no slice's distance.
    let Some(&usual) = ordered.get(ordered.len() / 2) else { return Ok(vec![Recipe::At(0)]) };
    let recipes = match gaps {
        Gaps::Resample => return Ok(resampled(along, usual, warnings)),
        Gaps::Refuse => (0..along.len()).map(Recipe::At).collect(),
        Gaps::Fill => filled(&distances, usual),
    };
    // What is left of each distance once the planes made up are taken off, for as many steps.
    let steps = |distance: f64| if gaps == Gaps::Fill { (distance / usual).round().max(1.0) } else { 1.0 };
    let step = |at: usize| distances[at] / steps(distances[at]);
    let off = |at: usize| (step(at) - usual).abs();
    let worst = (0..distances.len()).max_by(|&a, &b| off(a).total_cmp(&off(b))).unwrap_or(0);
    if off(worst) > (UNEVEN_SHARE * usual).max(UNEVEN_MM.min(MISSING_SHARE * usual)) {
        return Err(Uneven { at: worst, expected: usual, got: distances[worst] });
    }
    if off(worst) > UNEVEN_SHARE * usual {
        let each = (0..distances.len()).map(step);
        let (least, greatest) = each.fold((usual, usual), |(least, greatest), step| (step.min(least), step.max(greatest)));
        warnings.push(Warning::Uneven { least, greatest });
    }
    made_up(&recipes, warnings);
    Ok(recipes)
}

/// The slices, with as many planes between two of them as there are whole steps too many.
fn filled(distances: &[f64], usual: f64) -> Vec<Recipe> {
    let mut recipes = vec![Recipe::At(0)];
    for (at, distance) in distances.iter().enumerate() {
        let steps = (distance / usual).round().max(1.0) as usize;
        recipes.extend((1..steps).map(|step| Recipe::After { at, share: step as f64 / steps as f64 }));
        recipes.push(Recipe::At(at + 1));
    }
    recipes
}

/// Planes at equal distances, as near to the usual one as fits.
fn resampled(along: &[f64], usual: f64, warnings: &mut Vec<Warning>) -> Vec<Recipe> {
    let (first, last) = (along[0], along[along.len() - 1]);
    let steps = ((last - first) / usual).round().max(1.0) as usize;
    let recipe = |step: usize| {
        let place = first + (last - first) * step as f64 / steps as f64;
        if let Some(at) = along.iter().position(|slice| (slice - place).abs() < SAME_PLACE) {
            return Recipe::At(at);
        }
        let at = along.partition_point(|slice| *slice < place).clamp(1, along.len() - 1) - 1;
        Recipe::After { at, share: (place - along[at]) / (along[at + 1] - along[at]) }
    };
    let recipes: Vec<Recipe> = (0..=steps).map(recipe).collect();
    made_up(&recipes, warnings);
    recipes
}

fn made_up(recipes: &[Recipe], warnings: &mut Vec<Warning>) {
    let planes = recipes.iter().filter(|recipe| matches!(recipe, Recipe::After { .. })).count();
    if planes > 0 {
        warnings.push(Warning::MadeUp { planes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thin_slice_that_is_missing_is_no_unevenness() {
        let along = [0.0, 0.08, 0.16, 0.32, 0.4, 0.48];
        let mut warnings = Vec::new();
        let uneven = recipes(&along, Gaps::Refuse, &mut warnings).unwrap_err();
        assert_eq!(uneven.at, 2);
        assert!((uneven.expected - 0.08).abs() < 1e-9 && (uneven.got - 0.16).abs() < 1e-9, "{uneven:?}");
        let filled = recipes(&along, Gaps::Fill, &mut warnings).unwrap();
        assert_eq!((filled.len(), &warnings[..]), (7, &[Warning::MadeUp { planes: 1 }][..]));
        // Rounded places of thin slices are nobody's mistake.
        let rounded = [0.0, 0.08, 0.17, 0.25, 0.33, 0.42];
        recipes(&rounded, Gaps::Refuse, &mut warnings).unwrap();
        assert!(matches!(warnings[..], [_, Warning::Uneven { .. }]), "{warnings:?}");
    }
}
