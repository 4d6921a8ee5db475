//! What the person at the terminal reads. Must never panic because nobody reads: a closed pipe is not an error.

use std::fmt::Display;
use std::io::Write;

/// One line on standard output.
pub fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// One line of a process below us, as it wrote it.
pub fn pass_on(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()));
}

/// One line on standard error.
pub fn warn(line: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Rewrites the current line of a terminal; elsewhere a new line each time would only be noise, so only `last` is
/// written there.
pub fn progress(line: impl Display, last: bool) {
    use std::io::IsTerminal;
    let mut out = std::io::stdout().lock();
    let written = match (out.is_terminal(), last) {
        (true, false) => write!(out, "\r\x1b[K{line}"),
        (true, true) => writeln!(out, "\r\x1b[K{line}"),
        (false, true) => writeln!(out, "{line}"),
        (false, false) => Ok(()),
    };
    drop(written.and_then(|()| out.flush()));
}
