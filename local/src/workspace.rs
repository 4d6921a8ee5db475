//! Where the local run keeps things: `.local/bin` (fetched programs), `.local/run/<PORT>` (one run's data, logs and pids),
//! `.local/test/<pid>` (a test run's), `.local/restore` (fetched backups), `.local/secrets.env`; the server's log is in `logs`. A file appears whole or not at all.
//!
//! Must never write outside `.local` and `logs`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The port of a run that names none.
pub const PORT: u16 = 3000;

/// The checkout that the command runs in.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout around the current folder.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("the current folder cannot be read")?;
        match here.ancestors().find(|folder| folder.join("local/Cargo.toml").is_file()) {
            Some(root) => Ok(Self { root: root.to_owned() }),
            None => bail!("{} is not inside the repository: change to its folder first", here.display()),
        }
    }

    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }
    pub fn bootstrap(&self, function: &str) -> PathBuf {
        self.root.join("target/lambda").join(function).join("bootstrap")
    }
    pub fn programs(&self) -> PathBuf {
        self.root.join(".local/bin")
    }
    pub fn secrets(&self) -> PathBuf {
        self.root.join(".local/secrets.env")
    }
    pub fn run(&self, port: u16) -> PathBuf {
        self.root.join(".local/run").join(port.to_string())
    }
    /// The folder of a port's log files: `logs` of the default port, one below it of any other, so that no two runs share
    /// one.
    pub fn logs(&self, port: u16) -> PathBuf {
        let logs = self.root.join("logs");
        if port == PORT { logs } else { logs.join(port.to_string()) }
    }
    /// Backups that are fetched; each is removed when it is restored.
    pub fn restore(&self) -> PathBuf {
        self.root.join(".local/restore")
    }
    pub fn tests(&self) -> PathBuf {
        self.root.join(".local/test")
    }

    /// A path as a person in the repository's folder would type it.
    pub fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The environment as the local commands read it.
pub type Variables = HashMap<String, String>;

/// A variable that is set to something.
pub fn variable<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

pub fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Empties a folder; one that does not exist is empty.
pub fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the folder {} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let temporary = path.with_extension(format!("{}.part", std::process::id()));
    let write = || -> std::io::Result<()> {
        drop(std::fs::remove_file(&temporary));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// A lock on a folder, held until it is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; `None` when another process holds it.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// Whether another process holds the lock; makes nothing.
    pub fn is_taken(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn open(path: &Path) -> Result<File> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("{} cannot be opened", path.display()))
    }
}
