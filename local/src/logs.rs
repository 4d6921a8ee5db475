//! The log of the local run in files: `combined.log` has every line, `error.log` those of level `ERROR`; each is rotated at
//! 5 MB, and five old ones are kept, gzip'd, `combined.log.1.gz` the youngest. On Lambda CloudWatch does this.
//!
//! Must never fail the server, nor hold it up: a disk that is full costs lines of these files and nothing else. One process
//! at a time may write to a folder; the lock of the port's run sees to that.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::console;

/// A file grows to this size and no further.
const SIZE_MAX: u64 = 5 * 1024 * 1024;
/// How many old files are kept of each.
const KEPT: u32 = 5;

/// Both files of a folder. A clone writes to the same ones.
#[derive(Clone)]
pub struct LogFiles {
    combined: Arc<Mutex<Rotating>>,
    errors: Arc<Mutex<Rotating>>,
}

impl LogFiles {
    /// Goes on with the files of the folder, which need not be there yet.
    pub fn open(folder: &Path) -> Self {
        Self::with_limits(folder, SIZE_MAX, KEPT)
    }

    fn with_limits(folder: &Path, size_max: u64, kept: u32) -> Self {
        let file = |name| Arc::new(Mutex::new(Rotating::open(folder.join(name), size_max, kept)));
        Self { combined: file("combined.log"), errors: file("error.log") }
    }

    /// Keeps one line, its line break included.
    pub fn keep(&self, line: &[u8], is_error: bool) {
        self.combined.lock().unwrap_or_else(PoisonError::into_inner).keep(line);
        if is_error {
            self.errors.lock().unwrap_or_else(PoisonError::into_inner).keep(line);
        }
    }

    /// Keeps a line of another process's log, if it is one: what is no JSON object is not.
    pub fn keep_foreign(&self, line: &[u8]) {
        let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(line) else { return };
        let is_error = members.get("level").is_some_and(|level| level == "ERROR");
        let line = [line.trim_ascii_end(), b"\n"].concat();
        self.keep(&line, is_error);
    }

    /// Waits for what is being packed.
    pub fn finish(&self) {
        for file in [&self.combined, &self.errors] {
            file.lock().unwrap_or_else(PoisonError::into_inner).finish();
        }
    }
}

/// A writer of one event's line.
pub struct Line<'a> {
    files: &'a LogFiles,
    is_error: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.files.keep(line, self.is_error);
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Self::Writer {
        Line { files: self, is_error: false }
    }
    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Line { files: self, is_error: *event.level() == Level::ERROR }
    }
}

struct Rotating {
    path: PathBuf,
    size_max: u64,
    kept: u32,
    file: Option<File>,
    size: u64,
    packing: Option<JoinHandle<()>>,
    complained: bool,
}

impl Rotating {
    fn open(path: PathBuf, size_max: u64, kept: u32) -> Self {
        let mut this = Self { path, size_max, kept, file: None, size: 0, packing: None, complained: false };
        // A run that was killed while it packed left this.
        if this.packed(1).exists() {
            drop(std::fs::remove_file(this.unpacked()));
        } else if this.unpacked().exists() {
            this.pack();
        }
        this
    }

    fn unpacked(&self) -> PathBuf {
        sibling(&self.path, ".1")
    }

    fn packed(&self, age: u32) -> PathBuf {
        sibling(&self.path, &format!(".{age}.gz"))
    }

    fn keep(&mut self, line: &[u8]) {
        if let Err(error) = self.try_keep(line)
            && !std::mem::replace(&mut self.complained, true)
        {
            console::warn(format_args!("Warning: {} cannot be written: {error}", self.path.display()));
        }
    }

    fn try_keep(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.size > 0 && self.size.saturating_add(length) > self.size_max {
            self.rotate()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write_all(line) {
            // No half line stays.
            drop(file.set_len(self.size));
            return Err(error);
        }
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.finish();
        for age in (1..self.kept).rev() {
            drop(std::fs::rename(self.packed(age), self.packed(age + 1)));
        }
        // Whatever happens next: a file that somebody removed is made anew with the next line.
        self.file = None;
        std::fs::rename(&self.path, self.unpacked())?;
        self.pack();
        self.reopen()
    }

    /// In a thread of its own: packing 5 MB takes longer than a request may wait.
    fn pack(&mut self) {
        let (from, to) = (self.unpacked(), self.packed(1));
        let work = move || {
            // What cannot be packed stays as it is until the next rotation replaces it.
            drop(pack(&from, &to));
        };
        self.packing = std::thread::Builder::new().name("log-packer".to_owned()).spawn(work).ok();
    }

    fn finish(&mut self) {
        if let Some(packing) = self.packing.take() {
            drop(packing.join());
        }
    }
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The packed file appears whole or not at all.
fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let part = sibling(to, ".part");
    let whole = || -> io::Result<()> {
        let mut source = File::open(from)?;
        let target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let mut encoder = GzEncoder::new(target, Compression::default());
        io::copy(&mut source, &mut encoder)?;
        encoder.finish()?.sync_all()?;
        std::fs::rename(&part, to)?;
        std::fs::remove_file(from)
    };
    whole().inspect_err(|_| drop(std::fs::remove_file(&part)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use shared::config::{LogFormat, LoggingConfig};
    use shared::telemetry;

    use super::*;

    /// A folder of this test's own, removed when it ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("fintrack-logs-{name}-{}", std::process::id()));
            drop(std::fs::remove_dir_all(&path));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn text(&self, name: &str) -> String {
            std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
        }
        fn unpacked(&self, name: &str) -> String {
            let mut text = String::new();
            GzDecoder::new(File::open(self.0.join(name)).unwrap()).read_to_string(&mut text).unwrap();
            text
        }
        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_file_is_rotated_at_its_size_and_five_old_ones_are_kept_packed() {
        let folder = Folder::new("rotation");
        let files = LogFiles::with_limits(&folder.0, 1000, KEPT);
        // Ten lines fill a file to the byte.
        let line = |number: usize| format!("{number:099}\n");
        for number in 0..75 {
            files.keep(line(number).as_bytes(), false);
        }
        files.finish();
        assert_eq!(folder.text("combined.log"), (70..75).map(line).collect::<String>());
        for age in 1..=5 {
            let first = 70 - 10 * age;
            let old: String = (first..first + 10).map(line).collect();
            assert_eq!(folder.unpacked(&format!("combined.log.{age}.gz")), old);
        }
        let mut names: Vec<_> = (1..=5).map(|age| format!("combined.log.{age}.gz")).collect();
        names.insert(0, "combined.log".to_owned());
        assert_eq!(
            folder.names(),
            names,
            "no sixth, nothing half done, and no file of errors without an error"
        );
    }

    #[test]
    fn the_real_limit_is_5_mb_and_a_second_run_goes_on_in_the_same_file() {
        let folder = Folder::new("limit");
        std::fs::write(folder.0.join("combined.log"), vec![b'x'; 5 * 1024 * 1024 - 4]).unwrap();
        let files = LogFiles::open(&folder.0);
        files.keep(b"abc\n", false);
        files.finish();
        assert_eq!(folder.names(), ["combined.log"]);
        files.keep(b"d\n", false);
        files.finish();
        assert_eq!(folder.text("combined.log"), "d\n");
        assert!(folder.unpacked("combined.log.1.gz").ends_with("xabc\n"));
    }

    #[test]
    fn error_log_has_errors_only_and_both_have_json_while_the_terminal_has_none() {
        let folder = Folder::new("errors");
        let files = LogFiles::open(&folder.0);
        let config = LoggingConfig { format: LogFormat::Pretty, ..LoggingConfig::default() };
        let subscriber = telemetry::subscriber_with_copy(&config, io::sink, files.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(message = "request completed");
            tracing::warn!(message = "configuration");
            tracing::error!(message = "request failed");
        });
        files.keep_foreign(br#"{"level":"ERROR","message":"of a function"}"#);
        files.keep_foreign(br#"{"level":"INFO","message":"\"level\":\"ERROR\""}"#);
        files.keep_foreign(b"START RequestId: 1");
        let messages = |name: &str| -> Vec<String> {
            let text = folder.text(name);
            let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(messages("error.log"), ["request failed", "of a function"]);
        assert_eq!(messages("combined.log").len(), 5);
    }

    #[test]
    fn a_full_disk_costs_lines_and_nothing_else() {
        let folder = Folder::new("full");
        std::os::unix::fs::symlink("/dev/full", folder.0.join("combined.log")).unwrap();
        let files = LogFiles::open(&folder.0);
        for _ in 0..3 {
            files.keep(b"lost\n", true);
        }
        assert_eq!(folder.text("error.log"), "lost\nlost\nlost\n");
        // Nor does a folder that cannot be made.
        LogFiles::open(Path::new("/dev/null/logs")).keep(b"lost\n", true);
    }

    #[test]
    fn a_file_that_was_removed_while_it_was_written_is_made_anew_at_its_rotation() {
        let folder = Folder::new("removed");
        let files = LogFiles::with_limits(&folder.0, 10, KEPT);
        files.keep(b"12345678\n", false);
        std::fs::remove_file(folder.0.join("combined.log")).unwrap();
        files.keep(b"lost\n", false);
        files.keep(b"kept\n", false);
        assert_eq!(folder.text("combined.log"), "kept\n");
    }

    #[test]
    fn what_a_killed_run_left_unpacked_is_packed_by_the_next() {
        let folder = Folder::new("killed");
        std::fs::write(folder.0.join("combined.log.1"), "old\n").unwrap();
        std::fs::write(folder.0.join("error.log.1"), "packed already\n").unwrap();
        std::fs::write(folder.0.join("error.log.1.gz"), "").unwrap();
        LogFiles::open(&folder.0).finish();
        assert_eq!(folder.names(), ["combined.log.1.gz", "error.log.1.gz"]);
        assert_eq!(folder.unpacked("combined.log.1.gz"), "old\n");
    }
}
