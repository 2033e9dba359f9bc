//! Where the time of a run went, for people and programs.

use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};
use swath::Timings;

use super::print;

/// Prints a table of the stages; their times are sums over their threads.
pub(super) fn show(timings: &Timings) -> io::Result<()> {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let heads = ["  stage", "threads", "working", "no input", "no room", "of the run"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (name, stage) in timings.stages() {
        rows.push(vec![
            format!("  {name}"),
            stage.threads.to_string(),
            seconds(stage.busy),
            seconds(stage.starved),
            seconds(stage.blocked),
            percent(timings.share(stage)),
        ]);
    }
    rows.push(vec!["  total".into(), String::new(), seconds(timings.total)]);
    print::table(&rows)?;
    let (rate, share) = (timings.network_mpx_per_s(), percent(timings.share(timings.network)));
    print::line(format!("  the network computed {rate:.2} Mpx/s in {share} of the run"))
}

/// The same in seconds and shares from 0 to 1.
pub(super) fn as_json(timings: &Timings) -> Value {
    let stage = |(name, stage): (&str, swath::Stage)| {
        let facts = json!({
            "threads": stage.threads,
            "busy_s": stage.busy.as_secs_f64(),
            "starved_s": stage.starved.as_secs_f64(),
            "blocked_s": stage.blocked.as_secs_f64(),
            "share": timings.share(stage),
        });
        (name.to_owned(), facts)
    };
    json!({
        "stages": timings.stages().into_iter().map(stage).collect::<Map<_, _>>(),
        "total_s": timings.total.as_secs_f64(),
        "network_mpx_per_s": timings.network_mpx_per_s(),
        "network_share": timings.share(timings.network),
    })
}
