//! What is left to do of a run.

use swath_tiling::Window;

use crate::Result;
use crate::ledger::Finished;
use crate::plan::Plan;
use crate::product::Sinks;

/// What an earlier process did of a plan, and what is left.
#[derive(Debug)]
pub(crate) struct Rest {
    /// The plan with the tiles that are left.
    pub(crate) plan: Plan,
    /// Pixels that are done.
    pub(crate) pixels: usize,
}

/// Checks what a ledger says against what the scratch files hold, and counts what is right as written: of each swath the rows from the top down to
/// the first that is not done. Swaths may be cut otherwise than they were.
pub(crate) fn recover(plan: &Plan, finished: &[Finished], sinks: &mut Sinks) -> Result<Rest> {
    let whole = plan.layout.window;
    let mut good = Vec::new();
    for finished in finished {
        let window = finished.window();
        if Window::all(whole.size()).contains(window) && sinks.digest(window)? == finished.sha256 {
            good.push(window);
        } else {
            tracing::warn!("{window} is not as it was written: it is labelled again");
        }
    }
    let mut rest = Rest { plan: Plan { swaths: Vec::new(), ..plan.clone() }, pixels: 0 };
    for swath in &plan.swaths {
        let owned = plan.to_output(swath.owned());
        let end = covered(owned, &good);
        let done = Window { height: end - owned.y, ..owned };
        if done.height > 0 {
            sinks.recover(done)?;
            rest.pixels += done.area();
        }
        if done.height < owned.height {
            let left = Window { y: whole.y + end, height: owned.height - done.height, ..swath.owned() };
            rest.plan.swaths.push(swath.owning(left));
        }
    }
    Ok(rest)
}

/// The row down to which `windows` cover all of `swath`.
fn covered(swath: Window, windows: &[Window]) -> usize {
    let (mut y, right) = (swath.y, swath.x + swath.width);
    while y < swath.y + swath.height {
        // Along this row, from the left: how far the windows reach without a gap, and down to where all of them go.
        let (mut x, mut end) = (swath.x, swath.y + swath.height);
        while x < right {
            let here = |window: &&Window| {
                (window.y..window.y + window.height).contains(&y) && (window.x..window.x + window.width).contains(&x)
            };
            let Some(window) = windows.iter().find(here) else { return y };
            (x, end) = (window.x + window.width, end.min(window.y + window.height));
        }
        y = end;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_once_they_are_done_across_the_whole_swath() {
        let swath = Window::plane(2, 10, 10, 30);
        let window = Window::plane;
        let cases: [(&[Window], usize); 6] = [
            (&[], 10),
            (&[window(0, 10, 20, 5)], 15),
            // Two swaths of earlier times, of which the second is not as far.
            (&[window(0, 10, 6, 20), window(6, 10, 9, 5)], 15),
            (&[window(0, 10, 6, 20), window(6, 10, 9, 5), window(6, 15, 9, 25)], 30),
            // A gap in the second row.
            (&[window(0, 10, 20, 5), window(0, 15, 5, 5), window(6, 15, 14, 5)], 15),
            (&[window(0, 0, 20, 60)], 40),
        ];
        for (windows, end) in cases {
            assert_eq!(covered(swath, windows), end, "{windows:?}");
        }
    }
}
