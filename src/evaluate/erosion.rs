//! Pixels far enough from the boundaries of classes.

use swath_tiling::Window;

/// Which pixels of `part` count when boundaries are eroded by a disc: those around which all pixels at most `radius` away
/// (Euclidean distance of centres), as far as they are in the patch, are of the pixel's own class.
///
/// This is the union of the classes, each eroded by the disc, where what is outside the image is of every class
/// (`scipy.ndimage.binary_erosion` with `border_value=1`). `classes` is a patch `(height, columns)` that reaches `radius` pixels
/// beyond `part`, or to the edge of the image; `part` is relative to it.
pub(super) fn interior(classes: &[u16], columns: usize, part: Window, radius: u8) -> Vec<bool> {
    let clearance = clearance(classes, columns, radius);
    let rows = classes.len() / columns;
    let radius = usize::from(radius);
    let mut counts = vec![true; part.area()];
    for (counts, y) in counts.chunks_exact_mut(part.width).zip(part.y..) {
        let run = |y: usize| y * columns + part.x..y * columns + part.x + part.width;
        let own = &classes[run(y)];
        for other in y.saturating_sub(radius)..rows.min(y + radius + 1) {
            // The disc's chord in this row.
            let reach = (radius * radius - y.abs_diff(other).pow(2)).isqrt() as u8;
            let row = classes[run(other)].iter().zip(&clearance[run(other)]);
            for ((counts, own), (class, clearance)) in counts.iter_mut().zip(own).zip(row) {
                *counts &= class == own && *clearance >= reach;
            }
        }
    }
    counts
}

/// How many pixels to the left and to the right of each one are of its class without interruption, the smaller of the two
/// numbers, at most `most`. What is outside the patch is of every class.
fn clearance(classes: &[u16], columns: usize, most: u8) -> Vec<u8> {
    let mut clearance = vec![most; classes.len()];
    for (line, row) in clearance.chunks_exact_mut(columns).zip(classes.chunks_exact(columns)) {
        for x in 1..columns {
            line[x] = if row[x] == row[x - 1] { most.min(line[x - 1].saturating_add(1)) } else { 0 };
        }
        let mut right = most;
        for x in (0..columns - 1).rev() {
            right = if row[x] == row[x + 1] { most.min(right.saturating_add(1)) } else { 0 };
            line[x] = line[x].min(right);
        }
    }
    clearance
}

#[cfg(test)]
mod tests {
    use swath_tiling::Size;

    use super::*;

    /// The definition, pixel by pixel.
    fn by_definition(classes: &[u16], size: Size, radius: u8) -> Vec<bool> {
        let radius = isize::from(radius);
        let disc: Vec<[isize; 2]> = (-radius..=radius)
            .flat_map(|y| (-radius..=radius).map(move |x| [y, x]))
            .filter(|[y, x]| y * y + x * x <= radius * radius)
            .collect();
        let class = |y: isize, x: isize| {
            let inside = (0..size.height as isize).contains(&y) && (0..size.width as isize).contains(&x);
            inside.then(|| classes[y as usize * size.width + x as usize])
        };
        let counts = |at: usize| {
            let [y, x] = [(at / size.width) as isize, (at % size.width) as isize];
            disc.iter().all(|[down, right]| class(y + down, x + right).is_none_or(|class| class == classes[at]))
        };
        (0..size.area()).map(counts).collect()
    }

    /// Blobs of three classes.
    fn blobs(size: Size) -> Vec<u16> {
        let value = |y: usize, x: usize| (y / 9 * 31 + x / 13 * 17 + (y * y + x * 7) / 400) % 3;
        (0..size.area()).map(|at| value(at / size.width, at % size.width) as u16).collect()
    }

    #[test]
    fn it_is_what_the_definition_says() {
        let size = Size::plane(61, 53);
        let classes = blobs(size);
        for radius in [0, 1, 2, 3, 5, 8] {
            let expected = by_definition(&classes, size, radius);
            assert!(expected.iter().any(|counts| *counts) && (radius == 0 || expected.iter().any(|counts| !counts)));
            assert_eq!(interior(&classes, size.width, Window::all(size), radius), expected, "{radius}");
        }
    }

    #[test]
    fn a_part_with_its_surroundings_equals_the_whole() {
        let (size, radius) = (Size::plane(61, 53), 5);
        let classes = blobs(size);
        let whole = interior(&classes, size.width, Window::all(size), radius);
        let patch = Window::plane(11, 7, 30, 40);
        let cut = |y: usize| &classes[y * size.width + patch.x..][..patch.width];
        let part = Window::plane(5, 5, 20, 30);
        let counts =
            interior(&(patch.y..patch.y + patch.height).flat_map(cut).copied().collect::<Vec<_>>(), patch.width, part, radius);
        for (at, counts) in counts.into_iter().enumerate() {
            let [y, x] = [patch.y + part.y + at / part.width, patch.x + part.x + at % part.width];
            assert_eq!(counts, whole[y * size.width + x], "column {x}, row {y}");
        }
    }
}
