//! Messages on standard error.

use std::io::{self, IsTerminal as _, Write};

use gdal::errors::CplErrType;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::args::{Args, Command, ProgressStyle};
use super::progress;

/// Starts logging: warnings and what matters; more with `-v`, errors only with `-q`, anything with `RUST_LOG`. Who reads progress as JSON
/// gets warnings and errors only.
pub(super) fn start(args: &Args) {
    let progress = match &args.command {
        Command::Segment(args) => args.progress,
        Command::Batch(args) => args.progress,
        Command::Train(args) => args.progress,
        Command::Demo(args) => args.progress,
        Command::Merge(_) | Command::Plan(_) | Command::Evaluate(_) | Command::Model(_) => ProgressStyle::default(),
    };
    let level = match (args.quiet, args.verbose) {
        (true, _) => "error",
        (false, 0) if progress == ProgressStyle::Json => "warn",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Crates that make requests log them with their signatures: whatever is asked for, only what Swath itself says is shown.
    let own = filter_fn(|metadata| metadata.target().starts_with("swath"));
    let messages =
        tracing_subscriber::fmt::layer().with_writer(Above).with_ansi(colours).with_target(false).without_time().with_filter(own);
    tracing_subscriber::registry().with(filter).with(messages).init();
    // What GDAL says of an error comes back as the error's cause; here it would be said twice.
    gdal::config::set_error_handler(|class, number, message| {
        if class == CplErrType::Warning {
            tracing::warn!("GDAL: {message}");
        } else {
            tracing::debug!("GDAL: {message} ({number})");
        }
    });
}

/// Writes above the progress bar.
#[derive(Clone, Copy, Debug)]
struct Above;

impl<'a> MakeWriter<'a> for Above {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for Above {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        progress::suspended(|| io::stderr().write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
