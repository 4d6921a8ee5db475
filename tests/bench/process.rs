//! A binary under measurement, and what the kernel says of it. Must never start it through another program: `setpriv` or a
//! shell would be in the figures.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local::process;
use tests::runtime_api::RuntimeApi;
use tokio::process::Child;

/// A tick of `/proc`: the kernel's USER_HZ, 100 on every Linux that Lambda or we run on.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Started {
    /// Before the process was there.
    pub(crate) since: Instant,
    child: Child,
    pid: u32,
}

impl Started {
    pub(crate) fn new(
        bootstrap: &Path,
        function: &str,
        variables: &HashMap<String, String>,
        api: &RuntimeApi,
    ) -> Result<Self> {
        let mut command = process::command(bootstrap, None);
        command.env_clear().envs(variables).envs(api.variables(function));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let since = Instant::now();
        let child = command.spawn().with_context(|| format!("{} cannot be started", bootstrap.display()))?;
        let pid = child.id().context("it has ended already")?;
        Ok(Self { since, child, pid })
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The second field, the program's name, may hold anything; the 14th and the 15th are the times.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |index: usize| -> Result<u32> { Ok(fields.get(index).context("stat has 15 fields")?.parse()?) };
        Ok(TICK * (ticks(11)? + ticks(12)?))
    }

    /// What its first thread, which until then is all of it, has spent on a CPU: to the nanosecond, which `stat` is not.
    pub(crate) fn main_thread_cpu(&self) -> Result<Duration> {
        let schedstat = std::fs::read_to_string(format!("/proc/{}/schedstat", self.pid))?;
        let nanos = schedstat.split_whitespace().next().context("schedstat has three fields")?;
        Ok(Duration::from_nanos(nanos.parse()?))
    }

    /// The most memory that it ever had resident.
    pub(crate) fn memory_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("status has VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("it cannot be ended")
    }
}
