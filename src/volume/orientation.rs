//! How a network's axes lie in a volume.

use swath_models::{Orientation, Side, VolumeAxes};
use swath_volumes::AxisCodes;

use crate::Result;

/// How a network with these axes lies in a volume that is stored so: x (the fastest axis), y and z towards these sides.
pub(super) fn orientation(axes: VolumeAxes, stored: AxisCodes) -> Result<Orientation> {
    let VolumeAxes::Towards(wanted) = axes else {
        // The network's depth is the first axis of the file, which is the fastest one.
        return Ok(Orientation::new([2, 1, 0], [false; 3])?);
    };
    let stored: Vec<Side> = stored.to_string().chars().filter_map(Side::from_letter).collect();
    let is_along = |side: Side, own: &Side| *own == side || *own == side.opposite();
    let place = |side: Side| stored.iter().position(|own| is_along(side, own)).unwrap_or_default();
    let places = wanted.map(place);
    let flipped = [0, 1, 2].map(|axis| stored.get(places[axis]) != Some(&wanted[axis]));
    Ok(Orientation::new(places.map(|place| 2 - place), flipped)?)
}

#[cfg(test)]
mod tests {
    use swath_models::Axes;

    use super::*;

    #[test]
    fn axes_are_found_by_their_sides() {
        let lies = |axes: &str, stored: &str| orientation(axes.parse().unwrap(), stored.parse().unwrap()).unwrap();
        // Depth along x and so on: the order of nibabel's arrays, whatever the sides are.
        let expected = Orientation::new([2, 1, 0], [false; 3]).unwrap();
        assert_eq!(lies("ijk", "LIA"), expected);
        assert_eq!(lies("LIA", "LIA"), expected);
        assert_eq!(lies("SAR", "RAS"), Orientation::SAME);
        assert_eq!(lies("SPL", "RAS"), Orientation::new([0, 1, 2], [false, true, true]).unwrap());
        // An axial network in a volume of sagittal slices: its slices are cut along y of the file, which goes down.
        let sagittal = lies("SPL", "AIL");
        assert_eq!(sagittal, Orientation::new([1, 2, 0], [true, true, false]).unwrap());
        assert_eq!(sagittal.to_raster(Axes { z: 's', y: 'p', x: 'l' }), Axes { z: 'l', y: 's', x: 'p' });
    }
}
