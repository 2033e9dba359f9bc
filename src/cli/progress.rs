//! How far a run is.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use serde_json::json;
use swath::Observer;
use swath::plan::Plan;

use super::args::ProgressStyle;
use super::interrupt;

/// All bars: one at a time is drawn, and messages are written above it.
static BARS: std::sync::LazyLock<MultiProgress> = std::sync::LazyLock::new(MultiProgress::new);

/// Runs `write` while no bar is drawn.
pub(super) fn suspended<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

/// Shows how far a run is, and hears of Ctrl-C.
#[derive(Debug)]
pub(super) struct Progress {
    name: String,
    tiles: usize,
    pixels: usize,
    done_tiles: AtomicUsize,
    done_pixels: AtomicUsize,
    /// What an earlier process did: it took no time now.
    earlier_tiles: AtomicUsize,
    earlier_pixels: AtomicUsize,
    started: Instant,
    display: Display,
}

#[derive(Debug)]
enum Display {
    Bar(ProgressBar),
    /// Log lines at growing distances; when the next one is due.
    Log(Mutex<Due>),
    Json(Mutex<Due>),
    None,
}

/// When the next line is due.
#[derive(Debug)]
pub(super) struct Due {
    at: Instant,
    wait: Duration,
}

impl Due {
    /// The first line after `first`, the next one `wait` later.
    pub(super) fn new(first: Duration, wait: Duration) -> Mutex<Self> {
        Mutex::new(Self { at: Instant::now() + first, wait })
    }

    /// Whether a line is due now; the one after is due later, `growth` times as long from now.
    pub(super) fn is_due(&mut self, growth: u32) -> bool {
        let now = Instant::now();
        let due = now >= self.at;
        if due {
            self.wait = (self.wait * growth).min(Duration::from_mins(5));
            self.at = now + self.wait;
        }
        due
    }
}

impl Progress {
    /// Progress of a plan.
    pub(super) fn new(style: ProgressStyle, name: String, plan: &Plan) -> Self {
        let tiles = plan.tiles();
        let display = match style {
            ProgressStyle::Auto if io::stderr().is_terminal() => Display::Bar(bar(&name, tiles)),
            ProgressStyle::Auto => Display::Log(Due::new(Duration::from_secs(5), Duration::from_secs(5))),
            ProgressStyle::Bar => Display::Bar(bar(&name, tiles)),
            ProgressStyle::Json => Display::Json(Due::new(Duration::ZERO, Duration::from_millis(500))),
            ProgressStyle::None => Display::None,
        };
        Self {
            name,
            tiles,
            pixels: plan.layout.window.area(),
            done_tiles: AtomicUsize::new(0),
            done_pixels: AtomicUsize::new(0),
            earlier_tiles: AtomicUsize::new(0),
            earlier_pixels: AtomicUsize::new(0),
            started: Instant::now(),
            display,
        }
    }

    /// Time since the start, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Labelled megapixels per second.
    fn rate(&self) -> f64 {
        let pixels = self.done_pixels.load(Ordering::Relaxed) - self.earlier_pixels.load(Ordering::Relaxed);
        pixels as f64 / 1e6 / self.seconds().max(1e-9)
    }

    /// Seconds that are left at the pace so far.
    fn eta(&self, tiles: usize) -> f64 {
        let now = tiles.saturating_sub(self.earlier_tiles.load(Ordering::Relaxed));
        self.seconds() / now.max(1) as f64 * (self.tiles - tiles.min(self.tiles)) as f64
    }

    fn event(&self, event: &str) {
        let tiles = self.done_tiles.load(Ordering::Relaxed);
        let line = json!({
            "event": event,
            "scene": self.name,
            "tiles": tiles,
            "tiles_total": self.tiles,
            "pixels": self.done_pixels.load(Ordering::Relaxed),
            "pixels_total": self.pixels,
            "seconds": self.seconds(),
            "mpx_per_s": self.rate(),
            "eta_s": self.eta(tiles),
        });
        suspended(|| {
            use io::Write as _;
            // Whoever reads progress may go away; the run goes on.
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Ends the display of a run with this result.
    pub(super) fn finish<T, E>(&self, result: &Result<T, E>) {
        match &self.display {
            Display::Bar(bar) => bar.finish_and_clear(),
            Display::Json(_) => self.event(if result.is_ok() { "finished" } else { "failed" }),
            Display::Log(_) | Display::None => {}
        }
    }
}

impl Observer for Progress {
    fn tile_done(&self, pixels: usize) {
        let tiles = self.done_tiles.fetch_add(1, Ordering::Relaxed) + 1;
        self.done_pixels.fetch_add(pixels, Ordering::Relaxed);
        let is_due = |due: &Mutex<Due>, growth| due.lock().is_ok_and(|mut due| due.is_due(growth));
        match &self.display {
            Display::Bar(bar) => {
                bar.set_message(format!("{:.2} Mpx/s", self.rate()));
                bar.inc(1);
            }
            Display::Log(due) => {
                if is_due(due, 2) {
                    let (name, total, rate, eta) = (&self.name, self.tiles, self.rate(), self.eta(tiles));
                    tracing::info!("{name}: {tiles} of {total} tiles, {rate:.2} Mpx/s, {eta:.0} s left");
                }
            }
            Display::Json(due) => {
                if is_due(due, 1) {
                    self.event("progress");
                }
            }
            Display::None => {}
        }
    }

    fn resumed(&self, tiles: usize, pixels: usize) {
        for (count, more) in
            [(&self.earlier_tiles, tiles), (&self.done_tiles, tiles), (&self.done_pixels, pixels), (&self.earlier_pixels, pixels)]
        {
            count.fetch_add(more, Ordering::Relaxed);
        }
        if let Display::Bar(bar) = &self.display {
            bar.inc(tiles as u64);
        }
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}

fn bar(name: &str, tiles: usize) -> ProgressBar {
    add_bar(tiles as u64, "{prefix} {bar:32} {pos}/{len} tiles  {msg}  {eta} left", name)
}

/// A bar among the others.
pub(super) fn add_bar(length: u64, template: &str, prefix: &str) -> ProgressBar {
    let style = BarStyle::with_template(template).unwrap_or_else(|_| BarStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_prefix(prefix.to_owned());
    BARS.add(bar)
}
