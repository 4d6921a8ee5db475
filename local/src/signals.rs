//! The signals that ask us to stop. The first one begins an orderly stop; a later one is told so and changes nothing.
//!
//! Must never end the process by itself: whoever started something stops it first.

use anyhow::{Context, Result};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::console;

/// Told once somebody asked us to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<Vec<Signal>>,
}

impl Stop {
    /// Begins to listen. A hang-up counts too, unless it was ignored when we started (`nohup`).
    pub fn listen() -> Result<Self> {
        let (sender, asked) = watch::channel(Vec::new());
        let mut kinds = vec![
            (SignalKind::interrupt(), Signal::INT, "Ctrl-C"),
            (SignalKind::terminate(), Signal::TERM, "SIGTERM"),
        ];
        if !hangup_is_ignored() {
            kinds.push((SignalKind::hangup(), Signal::HUP, "SIGHUP"));
        }
        for (kind, number, name) in kinds {
            let mut stream = signal(kind).context("signals cannot be listened to")?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if sender.borrow().is_empty() {
                        console::say(format_args!("{name}: stopping"));
                    } else {
                        console::say(format_args!("{name}: already stopping, one moment"));
                    }
                    sender.send_modify(|signals| signals.push(number));
                }
            });
        }
        Ok(Self { asked })
    }

    /// One that is asked by a call instead of a signal; dropping the call unused means that nobody ever asks.
    pub fn by_hand() -> (Self, impl FnOnce() + Send) {
        let (sender, asked) = watch::channel(Vec::new());
        (Self { asked }, move || sender.send_modify(|signals| signals.push(Signal::TERM)))
    }

    pub fn is_asked(&self) -> bool {
        !self.asked.borrow().is_empty()
    }

    /// Waits until somebody asks.
    pub async fn asked(&mut self) {
        if self.asked.wait_for(|signals| !signals.is_empty()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the next signal after the first `seen`.
    pub async fn next(&mut self, seen: usize) -> Signal {
        match self
            .asked
            .wait_for(|signals| signals.len() > seen)
            .await
            .map(|signals| signals.get(seen).copied())
        {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }

    /// The work, or an error when somebody asks us to stop before it is done. Dropping the work ends its children.
    pub async fn unless_asked<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.asked() => anyhow::bail!("stopped before it was ready"),
            result = work => result,
        }
    }
}

/// Bit 0 of `SigIgn` is SIGHUP.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
