//! The command line of the local run; the Makefile is its index. Single-threaded on purpose: the parent-death signal of a
//! child belongs to the thread that started it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use local::console;
use local::run::{self, Behind};
use local::workspace::{Variables, Workspace};

const USAGE: &str = "local <command>
  run                       the whole API on http://127.0.0.1:PORT (3000), with its databases
  lambda                    the same over the Lambda binaries of make build
  demo                      two years of data for the demo user
  invoke <function> <event> one event to one binary of make build
  migrate                   the indexes and search terms of MONGODB_URI, or of the running databases
  config-check              what is configured, redacted, and every problem of it
  doctor <user>|all         totals, balances and knowledge recomputed; 1 on any difference
  erase <ids>               users, by id: after a restore, those who erased themselves since
  backup <to>               a backup of MONGODB_URI, or of the running database, into s3://<bucket> or a folder
  restore <from> [bucket]   a backup back into that database, if it is empty
  with-servers -- command   a command with test databases in MONGODB_URI and REDIS_URL";

fn main() -> ExitCode {
    let ended =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime").and_then(
            |runtime| {
                let ended = runtime.block_on(Box::pin(command()));
                // A request that did not end in time must not hold the process.
                runtime.shutdown_background();
                ended
            },
        );
    ended.unwrap_or_else(|error| {
        console::warn(format_args!("Error: {error:#}"));
        ExitCode::FAILURE
    })
}

async fn command() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let environment: Variables = shared::config::environment();
    let mut words = arguments.iter().map(String::as_str);
    match (words.next(), words.next()) {
        (Some("invoke"), Some(function)) => {
            let event = words
                .next()
                .context("which event? For example: local invoke health events/health.get.json")?;
            run::invoke(&Workspace::find()?, &environment, function, Path::new(event)).await
        }
        (Some("run"), None) => run::serve(&Workspace::find()?, &environment, Behind::Routers).await,
        (Some("lambda"), None) => run::serve(&Workspace::find()?, &environment, Behind::Bootstraps).await,
        (Some("demo"), None) => run::demo(&Workspace::find()?, &environment).await,
        (Some("config-check"), None) => run::config_check(&Workspace::find()?, &environment).await,
        (Some("migrate"), None) => run::migrate(&Workspace::find()?, &environment).await,
        (Some("doctor"), whom) => {
            run::doctor(&Workspace::find()?, &environment, whom.unwrap_or_default()).await
        }
        (Some("erase"), ids) => run::erase(&Workspace::find()?, &environment, ids.unwrap_or_default()).await,
        (Some("backup"), to) => run::back_up(&Workspace::find()?, &environment, to.unwrap_or_default()).await,
        (Some("restore"), from) => {
            let (from, bucket) = (from.unwrap_or_default(), words.next());
            run::restore(&Workspace::find()?, &environment, from, bucket).await
        }
        (Some("with-servers"), Some("--")) => {
            run::with_servers(&Workspace::find()?, &environment, arguments.get(2..).unwrap_or_default()).await
        }
        (None | Some("help" | "--help" | "-h"), _) => {
            console::say(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        (Some(other), _) => bail!("unknown command: {other}\n{USAGE}"),
    }
}
