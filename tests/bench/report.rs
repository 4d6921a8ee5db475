//! docs/performance.md: the figures beside their budgets, on what they were measured, and what costs whatever is over.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{COLD_STARTS, Figures, SLOW_REQUESTS, WARM_REQUESTS};

const NEXT_MAX: Duration = Duration::from_millis(3);
const FIRST_ANSWER_MAX: Duration = Duration::from_millis(20);
const MEMORY_MAX_KIB: u64 = 40 * 1024;
const ZIP_MAX_BYTES: u64 = 7_000_000;

/// Where the figures come from.
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    kernel: String,
    load: String,
    profile: Option<&'static str>,
}

impl Machine {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo cannot be read")?;
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: model.map_or("an unnamed CPU", |(_, model)| model).trim().to_owned(),
            load: {
                let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
                load.split_whitespace().next().unwrap_or("unknown").to_owned()
            },
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            profile: profile(root),
        })
    }
}

/// Which profile the packed binaries were built by: that of the build that they are copies of.
fn profile(root: &Path) -> Option<&'static str> {
    let packed = std::fs::read(root.join("target/lambda/health/bootstrap")).ok()?;
    ["lambda", "release", "debug"].into_iter().find(|profile| {
        std::fs::read(root.join("target/ship").join(profile).join("health"))
            .is_ok_and(|built| built == packed)
    })
}

/// The value below which `percent` of the sample lie.
fn percentile(sample: &[Duration], percent: usize) -> Duration {
    let mut sample = sample.to_vec();
    sample.sort_unstable();
    let rank = (sample.len() * percent).div_ceil(100).saturating_sub(1);
    sample.get(rank).copied().unwrap_or_default()
}

fn median(sample: &[Duration]) -> Duration {
    percentile(sample, 50)
}

/// Microseconds as milliseconds with so many decimals, without a float.
fn millis(time: Duration, decimals: u32) -> String {
    let unit = 10u128.pow(6 - decimals);
    let rounded = (time.as_nanos() + unit / 2) / unit;
    let scale = 10u128.pow(decimals);
    format!("{}.{:0width$}", rounded / scale, rounded % scale, width = decimals as usize)
}

fn tenths(value: u64, unit: u64) -> String {
    let tenths = (value * 10 + unit / 2) / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[expect(clippy::print_stdout, reason = "a person waits for it")]
pub(crate) fn say(figures: &Figures) {
    println!(
        "{:16} {:22} /next {} ms ({} on a CPU), first answer {} ms, warm p50 {} ms, p99 {} ms, CPU {} ms, {} MB",
        figures.function,
        figures.name,
        millis(median(&figures.next), 1),
        millis(median(&figures.next_cpu), 1),
        millis(median(&figures.first_answer), 1),
        millis(median(&figures.warm), 2),
        millis(percentile(&figures.warm, 99), 2),
        millis(figures.cpu_per_request, 2),
        tenths(figures.memory_kib, 1024),
    );
}

pub(crate) fn document(all: &[Figures], machine: &Machine, took: Duration) -> String {
    let mut text = format!(
        "# Performance\n\n\
         `make build{}`, then `make bench` ({} s) writes this file.\n\n\
         Measured on {} cores of {} (Linux {}), MongoDB and Redis on the same machine, without TLS and without Secrets\n\
         Manager. Each binary runs behind a Runtime API on loopback, one process as on Lambda. Time runs from before the\n\
         process is made. The load average before the run was {}: much above 0, the figures are too high.\n\n\
         - **/next**: exec → the first question for work (in square brackets: of it on a CPU). **First answer**: exec →\n\
         \x20 the answer to the first request, with every connection that it needs. Medians of {COLD_STARTS} starts (in brackets the 90th percentile).\n\
         - **Warm**: a request handed over → its answer, over {WARM_REQUESTS} requests after the first 100 ({SLOW_REQUESTS} for the login, which hashes a\n\
         \x20 password). **CPU**: user and system time of the process for each of them.\n\
         - **Memory**: the most that was ever resident. **Binary**, **zip**: as `make build` packs them.\n\n\
         The user has two years of transactions, 240 of them; lists answer 50.\n\n\
         | Function | Request | /next ms | First answer ms | Warm p50 ms | Warm p99 ms | CPU ms | Memory MB | Binary MB | Zip MB |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        match machine.profile {
            Some("lambda") | None => String::new(),
            Some("debug") => " PROFILE=dev".to_owned(),
            Some(profile) => format!(" PROFILE={profile}"),
        },
        took.as_secs(),
        machine.cores,
        machine.cpu,
        machine.kernel,
        machine.load,
    );
    for figures in all {
        let _ = writeln!(
            text,
            "| {} | `{}` | {} ({}) [{}] | {} ({}) | {} | {} | {} | {} | {} | {} |",
            figures.function,
            figures.name,
            millis(median(&figures.next), 1),
            millis(percentile(&figures.next, 90), 1),
            millis(median(&figures.next_cpu), 1),
            millis(median(&figures.first_answer), 1),
            millis(percentile(&figures.first_answer, 90), 1),
            millis(median(&figures.warm), 2),
            millis(percentile(&figures.warm, 99), 2),
            millis(figures.cpu_per_request, 2),
            tenths(figures.memory_kib, 1024),
            tenths(figures.binary_bytes, 1_000_000),
            figures.zip_bytes.map_or_else(|| "not packed".to_owned(), |bytes| tenths(bytes, 1_000_000)),
        );
    }
    text.push_str(&budgets(all));
    text
}

fn budgets(all: &[Figures]) -> String {
    let mut over = Vec::new();
    for figures in all {
        let what = format!("{} (`{}`)", figures.function, figures.name);
        let (next, first) = (median(&figures.next), median(&figures.first_answer));
        if next > NEXT_MAX {
            over.push(format!(
                "{what}: /next {} ms, of which {} ms on a CPU: relocating the binary, configuration, logging, clients.",
                millis(next, 1),
                millis(median(&figures.next_cpu), 1)
            ));
        }
        if first > FIRST_ANSWER_MAX {
            let cost = if figures.name.contains("login") {
                "The password's hash (Argon2id, 19 MiB, 2 passes) is meant to cost that."
            } else {
                "Beyond the floor of 13 ms, it is what the request itself reads, the first time."
            };
            over.push(format!(
                "{what}: first answer {} ms, of which {} ms are a warm request. {cost}",
                millis(first, 1),
                millis(median(&figures.warm), 1)
            ));
        }
        if figures.memory_kib > MEMORY_MAX_KIB {
            over.push(format!(
                "{what}: {} MB. {}",
                tenths(figures.memory_kib, 1024),
                if figures.name.contains("login") {
                    "A hash takes 19 MiB; what is over is freed memory that the allocator keeps."
                } else {
                    "It is what it reads and holds at once."
                }
            ));
        }
        if figures.zip_bytes.is_some_and(|bytes| bytes > ZIP_MAX_BYTES) {
            over.push(format!(
                "{what}: zip {} MB.",
                tenths(figures.zip_bytes.unwrap_or_default(), 1_000_000)
            ));
        }
    }
    over.dedup();
    let mut text = format!(
        "\n## Budgets\n\n\
         | What | Budget |\n|---|---|\n\
         | exec → `/next`, without Secrets Manager | {} ms |\n\
         | exec → first answer | {} ms |\n\
         | memory | {} MB |\n\
         | zip | {} MB |\n\n\
         The floor of a first answer is 13 ms with TLS to both databases, whether they are connected before the first request\n\
         or by it: MongoDB 7 ms (eight round trips and the key derivation of SCRAM), Redis beside it, the process 2 ms.\n\n",
        NEXT_MAX.as_millis(),
        FIRST_ANSWER_MAX.as_millis(),
        MEMORY_MAX_KIB / 1024,
        ZIP_MAX_BYTES / 1_000_000,
    );
    if over.is_empty() {
        text.push_str("Nothing is over budget.\n");
    } else {
        text.push_str("Over budget:\n");
        for line in over {
            let _ = writeln!(text, "- {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_and_ranked() {
        let micros = |value| Duration::from_micros(value);
        assert_eq!(millis(micros(1_249), 1), "1.2");
        assert_eq!(millis(micros(1_250), 1), "1.3");
        assert_eq!(millis(micros(345), 2), "0.35");
        assert_eq!(tenths(10_449_999, 1_000_000), "10.4");
        let sample: Vec<Duration> = (1..=100).map(micros).collect();
        assert_eq!((median(&sample), percentile(&sample, 99)), (micros(50), micros(99)));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
