//! Development secrets: made once for a checkout, kept in `.local/secrets.env` for its owner's eyes only, so that tokens
//! and passwords survive a restart. Must never be used outside the local run, nor printed.

use anyhow::{Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::workspace::{Lock, Variables, Workspace, make_folder, variable, write_private};

const NAMES: [&str; 3] = ["JWT_SECRET", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER"];

/// Adds the checkout's secrets to the variables; one that is already set there stays.
pub fn complete(workspace: &Workspace, variables: &mut Variables) -> Result<()> {
    let path = workspace.secrets();
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    // Two first runs side by side must agree on one file.
    let lock = loop {
        match Lock::try_take(&path.with_extension("lock"))? {
            Some(lock) => break lock,
            None => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = generate();
            write_private(&path, &text)?;
            text
        }
        Err(error) => bail!("{} cannot be read: {error}", workspace.short(&path)),
    };
    drop(lock);
    for name in NAMES {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim);
        match found {
            Some(value) if !value.is_empty() => {
                if variable(variables, name).is_none() {
                    variables.insert(name.to_owned(), value.to_owned());
                }
            }
            _ => bail!(
                "{} has no line {name}=…: add it, or remove the file to have new secrets made (everyone is logged out)",
                workspace.short(&path)
            ),
        }
    }
    Ok(())
}

fn generate() -> String {
    let mut text =
        "# Development secrets of this checkout, made at the first run. Keep them to yourself.\n".to_owned();
    for name in NAMES {
        let mut bytes = [0u8; 48];
        shared::crypto::fill_random(&mut bytes);
        text.push_str(&format!("{name}={}\n", STANDARD.encode(bytes)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_made_once_kept_private_and_never_override_the_environment() {
        let root = std::env::temp_dir().join(format!("local-secrets-{}", std::process::id()));
        let workspace = Workspace::at(&root);
        let mut first = Variables::from([("JWT_SECRET".to_owned(), "mine".to_owned())]);
        complete(&workspace, &mut first).unwrap();
        let mut second = Variables::new();
        complete(&workspace, &mut second).unwrap();
        assert_eq!(first["JWT_SECRET"], "mine");
        assert_eq!(first["PASSWORD_PEPPER"], second["PASSWORD_PEPPER"]);
        assert_eq!(second["PASSWORD_PEPPER"].len(), 64, "48 bytes in base64");
        let mode = workspace.secrets().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(workspace.secrets(), "JWT_SECRET=x\n").unwrap();
        let error = complete(&workspace, &mut Variables::new()).unwrap_err().to_string();
        assert!(error.contains("JWT_REFRESH_SECRET"), "{error}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
