//! Connected components held against a flood fill.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use swath_refine::{Beside, Components, Connectivity, Labelling};
use swath_tiling::Size;

const CONNECTIVITIES: [Connectivity; 3] = [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners];

fn labels_of(size: Size, classes: u8) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0..classes, size.area())
}

fn sizes() -> impl Strategy<Value = Size> {
    (1..5_usize, 1..7_usize, 1..9_usize).prop_map(|(depth, height, width)| Size { depth, height, width })
}

fn fields() -> impl Strategy<Value = (Size, Vec<u8>)> {
    (sizes(), 1..4_u8).prop_flat_map(|(size, classes)| (Just(size), labels_of(size, classes)))
}

fn components(size: Size, connectivity: Connectivity, labels: &[u8], rows: usize) -> Components {
    let mut labelling = Labelling::new(size, connectivity).unwrap();
    for part in labels.chunks(rows * size.width) {
        labelling.feed(part).unwrap();
    }
    labelling.finish().unwrap()
}

/// The component of every pixel, numbered by first pixels, found by walking from neighbour to neighbour.
fn flood(size: Size, connectivity: Connectivity, labels: &[u8]) -> Vec<usize> {
    let most = match connectivity {
        Connectivity::Faces => 1,
        Connectivity::Edges => 2,
        Connectivity::Corners => 3,
    };
    let mut ids = vec![usize::MAX; labels.len()];
    let mut count = 0;
    for first in 0..labels.len() {
        if ids[first] != usize::MAX {
            continue;
        }
        ids[first] = count;
        let mut open = vec![first];
        while let Some(pixel) = open.pop() {
            for (neighbour, steps) in neighbours(size, pixel) {
                if steps <= most && labels[neighbour] == labels[pixel] && ids[neighbour] == usize::MAX {
                    ids[neighbour] = count;
                    open.push(neighbour);
                }
            }
        }
        count += 1;
    }
    ids
}

/// All pixels around one, and along how many axes they are away.
fn neighbours(size: Size, pixel: usize) -> Vec<(usize, usize)> {
    let (z, y, x) = (pixel / size.width / size.height, pixel / size.width % size.height, pixel % size.width);
    let mut found = Vec::new();
    for (dz, dy, dx) in (0..27).map(|n| (n / 9, n / 3 % 3, n % 3)) {
        let place = [(z + dz, size.depth), (y + dy, size.height), (x + dx, size.width)];
        let steps = [dz, dy, dx].iter().filter(|step| **step != 1).count();
        if steps > 0 && place.iter().all(|(at, length)| (1..=*length).contains(at)) {
            let [z, y, x] = place.map(|(at, _)| at - 1);
            found.push(((z * size.height + y) * size.width + x, steps));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn components_are_those_of_a_flood_fill(((size, labels), rows) in (fields(), 1..5_usize)) {
        for connectivity in CONNECTIVITIES {
            let expected = flood(size, connectivity, &labels);
            let found = components(size, connectivity, &labels, rows);
            let mut ids = labels.clone();
            found.relabel(0, &mut ids, |id, _| id as u8);
            prop_assert!(found.len() <= 256 && ids.iter().map(|id| usize::from(*id)).eq(expected.iter().copied()));
            for (id, component) in found.iter().enumerate() {
                let pixels: Vec<usize> = (0..labels.len()).filter(|pixel| expected[*pixel] == id).collect();
                prop_assert_eq!(component.size, pixels.len() as u64);
                prop_assert!(pixels.iter().all(|pixel| labels[*pixel] == component.label));
                let faces = pixels.iter().flat_map(|pixel| neighbours(size, *pixel)).filter(|(_, steps)| *steps == 1);
                let beside: BTreeSet<u8> = faces.map(|(pixel, _)| labels[pixel]).filter(|label| *label != component.label).collect();
                let expected = match beside.len() {
                    0 => Beside::Nothing,
                    1 => Beside::One(*beside.first().unwrap()),
                    _ => Beside::Several,
                };
                prop_assert_eq!(component.beside, expected);
                let place = |axis: usize| {
                    let strides = [size.height * size.width, size.width, 1];
                    let lengths = [size.depth, size.height, size.width];
                    let at = pixels.iter().map(move |pixel| pixel / strides[axis] % lengths[axis]);
                    (at.clone().min().unwrap(), at.max().unwrap() + 1)
                };
                let spans = component.bounds.spans();
                prop_assert!((0..3).all(|axis| (spans[axis].start, spans[axis].end()) == place(axis)));
            }
            for label in 0..4 {
                let sized = found.iter().enumerate().filter(|(_, component)| component.label == label);
                let largest = sized.max_by_key(|(id, component)| (component.size, std::cmp::Reverse(*id))).map(|(id, _)| id);
                prop_assert_eq!(found.largest(label), largest);
            }
        }
    }

    /// A part of the rows is relabelled as the whole is.
    #[test]
    fn rows_are_relabelled_where_they_are(((size, labels), row) in (fields(), 0..5_usize)) {
        let found = components(size, Connectivity::Faces, &labels, 1);
        let mut whole = labels.clone();
        found.relabel(0, &mut whole, |id, _| id as u8);
        let first = row.min(size.depth * size.height - 1);
        let mut part = labels[first * size.width..].to_vec();
        found.relabel(first, &mut part, |id, _| id as u8);
        prop_assert_eq!(&part, &whole[first * size.width..]);
    }
}

#[test]
fn a_hole_is_enclosed_by_one_label_and_touches_no_edge() {
    let labels = [
        1, 1, 1, 1, 1, 0, //
        1, 0, 1, 2, 1, 0, //
        1, 0, 1, 3, 1, 0, //
        1, 1, 1, 1, 1, 0,
    ];
    let found = components(Size::plane(6, 4), Connectivity::Faces, &labels, 4);
    let enclosed: Vec<_> = (0..found.len()).map(|id| (found.get(id).unwrap().label, found.encloses(id))).collect();
    assert_eq!(enclosed, [(1, None), (0, None), (0, Some(1)), (2, None), (3, None)]);
    // In a volume, what lies in the first or last slice is open.
    let solid = Size { depth: 3, height: 3, width: 3 };
    let mut labels = [1; 27];
    labels[13] = 0;
    assert_eq!(components(solid, Connectivity::Faces, &labels, 2).encloses(1), Some(1));
    labels[4] = 0;
    assert_eq!(components(solid, Connectivity::Faces, &labels, 2).encloses(1), None);
}

#[test]
fn what_is_not_whole_is_refused() {
    let size = Size::plane(4, 3);
    let mut labelling = Labelling::new(size, Connectivity::Faces).unwrap();
    assert_eq!(labelling.feed(&[0; 6]).unwrap_err().to_string(), "expected at most 12 labels in whole rows of 4, got 6");
    labelling.feed(&[0; 8]).unwrap();
    assert_eq!(labelling.feed(&[0; 8]).unwrap_err().to_string(), "expected at most 4 labels in whole rows of 4, got 8");
    assert_eq!(labelling.finish().unwrap_err().to_string(), "expected 3 rows, got 2");
    assert!(Labelling::new(Size::plane(0, 3), Connectivity::Faces).is_err());
}
