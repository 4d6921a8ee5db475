//! A proxy between a process and MongoDB that stops at the k-th command: before it is passed on, or after it was carried
//! out and before its answer is. Must never change a byte that it passes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Where the proxy stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Never,
    /// The k-th command (from 0) does not reach the server.
    Before(usize),
    /// The k-th command is carried out; its answer does not come back.
    After(usize),
}

pub struct Proxy {
    pub port: u16,
    commands: Arc<AtomicUsize>,
    stopped: Arc<Notify>,
}

impl Proxy {
    /// A proxy to `server` (host:port) on a free port of this machine.
    pub async fn start(server: String, stop: Stop) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (commands, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let proxy = Self { port, commands: commands.clone(), stopped: stopped.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(carry(client, server, stop, commands.clone(), stopped.clone()));
            }
        });
        Ok(proxy)
    }

    /// How many commands have come.
    pub fn commands(&self) -> usize {
        self.commands.load(Ordering::SeqCst)
    }

    /// Until the proxy has stopped.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    stop: Stop,
    commands: Arc<AtomicUsize>,
    stopped: Arc<Notify>,
) -> Option<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // One command and one answer at a time: the driver does not pipeline on a connection, and monitors here poll.
    loop {
        let message = read_message(&mut from_client).await?;
        let counted = counts(&message);
        let index = if counted { commands.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
        if counted && stop == Stop::Before(index) {
            stopped.notify_one();
            return std::future::pending().await;
        }
        to_server.write_all(&message).await.ok()?;
        let answer = read_message(&mut from_server).await?;
        if counted && stop == Stop::After(index) {
            stopped.notify_one();
            return std::future::pending().await;
        }
        to_client.write_all(&answer).await.ok()?;
    }
}

/// A message of the wire protocol: its length comes first.
async fn read_message(from: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_i32_le().await.ok()?;
    let mut message = length.to_le_bytes().to_vec();
    message.resize(usize::try_from(length).ok()?, 0);
    from.read_exact(message.get_mut(4..)?).await.ok()?;
    Some(message)
}

/// Whether a message is a command of the application; the first key of an OP_MSG's document names it.
fn counts(message: &[u8]) -> bool {
    let name: Option<&[u8]> = message.get(26..).and_then(|rest| rest.split(|byte| *byte == 0).next());
    let op_msg = message.get(12..16) == Some(&2013i32.to_le_bytes());
    op_msg && !matches!(name, Some(b"hello" | b"ismaster" | b"isMaster" | b"ping" | b"endSessions"))
}
