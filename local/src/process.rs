//! Child processes that end with us: each in a process group of its own (so that Ctrl-C reaches us first), with a
//! parent-death signal where the machine has `setpriv` (so that even kill -9 of us leaves nothing behind).
//!
//! Must never signal a process that we did not start, save a leftover that [`is_ours`] recognises.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How often a state that has no event is looked at.
pub const POLL: Duration = Duration::from_millis(25);

/// The first executable file of that name on `PATH`.
pub fn on_path(path: Option<&str>, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path.unwrap_or_default())
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

pub fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A command whose process gets SIGTERM when the *thread* that spawns it ends. Spawn it on the main thread: the runtime of
/// this crate's binary is single-threaded for that reason.
pub fn command(program: &Path, setpriv: Option<&Path>) -> Command {
    let mut command = match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args([
                OsStr::new("--pdeathsig"),
                OsStr::new("TERM"),
                OsStr::new("--"),
                program.as_os_str(),
            ]);
            command
        }
        None => Command::new(program),
    };
    command.process_group(0).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What ended a child, in words.
pub fn describe(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// The status that a shell would report for a child's.
pub fn shell_status(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}

fn pid_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// Sends a signal to a child that has not been waited for yet.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = pid_of(child) {
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to everything in the child's own process group.
pub fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = pid_of(child) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Ends a child: SIGTERM, and SIGKILL after `patience`. Says whether it went by itself.
pub async fn stop(child: &mut Child, patience: Duration) -> bool {
    signal(child, Signal::TERM);
    if timeout(patience, child.wait()).await.is_ok() {
        return true;
    }
    signal_group(child, Signal::KILL);
    drop(child.wait().await);
    false
}

/// Whether `pid` runs one of `programs` in the folder `home`: how a server of a killed run is told from any other process.
pub fn is_ours(pid: i32, home: &Path, programs: &[&str]) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let Ok(home) = home.canonicalize() else { return false };
    let cwd = std::fs::read_link(proc.join("cwd"));
    let name = std::fs::read_to_string(proc.join("comm")).unwrap_or_default();
    cwd.is_ok_and(|cwd| cwd == home) && programs.contains(&name.trim())
}

/// Ends the server that a killed run left behind in `home`, if its pid file names one.
pub async fn stop_leftover(
    pid_file: &Path,
    home: &Path,
    programs: &[&str],
    patience: Duration,
) -> Option<i32> {
    let recorded = std::fs::read_to_string(pid_file).ok()?.trim().parse::<i32>().ok()?;
    let pid = Pid::from_raw(recorded).filter(|_| is_ours(recorded, home, programs))?;
    let _ = kill_process(pid, Signal::TERM);
    let deadline = Instant::now() + patience;
    while is_alive(recorded) {
        if Instant::now() > deadline {
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(POLL).await;
    }
    Some(recorded)
}

/// Whether a process of that id exists and is no zombie.
pub fn is_alive(pid: i32) -> bool {
    let exists = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    exists && !zombie
}

/// A TCP port of 127.0.0.1 that nothing listens on at this moment. Another program may take it before the caller does:
/// whoever uses it must check who answers, and try another.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether a TCP port of 127.0.0.1 can be listened on now.
pub fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Runs a tool to its end and gives what it wrote.
pub async fn output(
    program: &Path,
    arguments: &[OsString],
    setpriv: Option<&Path>,
) -> std::io::Result<std::process::Output> {
    command(program, setpriv).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_elsewhere_is_never_ours() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(!is_ours(me, Path::new("/"), &["mongod"]));
        assert!(
            !is_ours(me, &std::env::current_dir().unwrap(), &["mongod"]),
            "the folder alone is not enough"
        );
        assert!(is_alive(me));
    }

    #[test]
    fn a_program_is_found_on_the_path_only_if_it_can_be_run() {
        assert!(on_path(Some("/nonexistent:/bin:/usr/bin"), "sh").is_some());
        assert_eq!(on_path(Some("/etc"), "passwd"), None, "a file that cannot be executed is no program");
        assert_eq!(on_path(None, "sh"), None);
    }
}
