//! A proxy between a process and a server: it brings every fault of a network on command, and for MongoDB it also stops at
//! the k-th command, before it is passed on or after it was carried out. Must never change a byte that it passes on.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Nobody listens; what was open is reset.
    Refused,
    /// Connections open and stay open; nothing passes. What has lost bytes so never speaks again.
    BlackHole,
    /// Requests arrive; of an answer a few bytes come back, then the connection is reset.
    ResetMidReply,
    /// The same to the next answer only.
    ResetOneReply,
    /// Each answer comes half a second late.
    Lag,
    /// An answer comes by one byte a second.
    Trickle,
}

const LAG: Duration = Duration::from_millis(500);
const TRICKLE: Duration = Duration::from_secs(1);
/// What comes back of an answer before it is reset.
const TORN_BYTES: usize = 3;
const CHUNK_BYTES: usize = 64 * 1024;
const BACKLOG: u32 = 1024;

/// Where the proxy stops for good.
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
    line: Arc<Line>,
    door: JoinHandle<Option<()>>,
}

/// What every connection looks at.
struct Line {
    /// Where a new connection goes.
    server: Mutex<String>,
    fault: watch::Sender<Fault>,
    /// Connections with a lower number have been dropped: reset, or without a word.
    reset_below: watch::Sender<u64>,
    silent_below: AtomicU64,
    opened: AtomicU64,
    /// Present where the messages are MongoDB's, and are counted.
    stop: Option<Stop>,
    commands: AtomicUsize,
    stopped: Notify,
}

impl Proxy {
    /// A proxy to a MongoDB `server` (host:port) that counts its commands and stops at one of them. The driver's monitors
    /// must poll: one command and one answer at a time.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(server: String, stop: Stop) -> anyhow::Result<Self> {
        Self::open(server, Some(stop)).await
    }

    /// A proxy to any `server` (host:port).
    ///
    /// # Errors
    /// There is no port.
    pub async fn faulty(server: String) -> anyhow::Result<Self> {
        Self::open(server, None).await
    }

    async fn open(server: String, stop: Option<Stop>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let line = Arc::new(Line {
            server: Mutex::new(server),
            fault: watch::Sender::new(Fault::Pass),
            reset_below: watch::Sender::new(0),
            silent_below: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            stop,
            commands: AtomicUsize::new(0),
            stopped: Notify::new(),
        });
        let door = tokio::spawn(accept(listener, port, line.clone()));
        Ok(Self { port, line, door })
    }

    /// What the network does from now on, to what is open too.
    pub fn set(&self, fault: Fault) {
        self.line.fault.send_replace(fault);
        if fault == Fault::Refused {
            self.reset_all();
        }
    }

    /// New connections go to another server (host:port), as after a change in DNS; open ones stay where they are.
    pub fn lead_to(&self, server: String) {
        *self.line.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Resets every open connection; new ones work.
    pub fn reset_all(&self) {
        self.line.reset_below.send_replace(self.line.opened.load(Ordering::SeqCst));
    }

    /// Drops every open connection without a word to either side, as a network address translation does; new ones work.
    pub fn silence_all(&self) {
        self.line.silent_below.store(self.line.opened.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// How many connections were opened.
    pub fn opened(&self) -> u64 {
        self.line.opened.load(Ordering::SeqCst)
    }

    /// How many commands have come.
    pub fn commands(&self) -> usize {
        self.line.commands.load(Ordering::SeqCst)
    }

    /// Until the proxy has stopped.
    pub async fn stopped(&self) {
        self.line.stopped.notified().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.door.abort();
        self.reset_all();
    }
}

/// Listens while the network does not refuse. In between the port stays bound, so that nobody else gets it.
async fn accept(mut listener: TcpListener, port: u16, line: Arc<Line>) -> Option<()> {
    let mut fault = line.fault.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.ok()?;
                tokio::spawn(connection(client, line.clone()));
            }
            () = until(&mut fault, |fault| fault == Fault::Refused) => {
                drop(listener);
                let socket = TcpSocket::new_v4().ok()?;
                socket.set_reuseaddr(true).ok()?;
                socket.bind(([127, 0, 0, 1], port).into()).ok()?;
                until(&mut fault, |fault| fault != Fault::Refused).await;
                listener = socket.listen(BACKLOG).ok()?;
            }
        }
    }
}

/// Until the network is as `wanted`.
async fn until(fault: &mut watch::Receiver<Fault>, wanted: impl Fn(Fault) -> bool) {
    if fault.wait_for(|fault| wanted(*fault)).await.is_err() {
        // The proxy is gone, and with it whoever waits here.
        std::future::pending().await
    }
}

async fn connection(client: TcpStream, line: Arc<Line>) -> Option<()> {
    let number = line.opened.fetch_add(1, Ordering::SeqCst);
    let mut reset = line.reset_below.subscribe();
    if *line.fault.borrow() == Fault::Refused {
        return client.set_zero_linger().ok();
    }
    let server = line.server.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let server = TcpStream::connect(server).await.ok()?;
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let way = Arc::new(Way { line, number, last_command: AtomicUsize::new(usize::MAX) });
    let mut up = Up { way: way.clone(), from: from_client, to: to_server };
    let mut down = Down { way, from: from_server, to: to_client };
    let torn = tokio::select! {
        end = up.carry() => end.is_some(),
        end = down.carry() => end.is_some(),
        _ = reset.wait_for(|below| number < *below) => true,
    };
    if torn {
        // Closed with this, a socket sends RST, and no FIN before it.
        down.to.as_ref().set_zero_linger().ok()?;
        down.to.forget();
    }
    Some(())
}

/// One connection.
struct Way {
    line: Arc<Line>,
    number: u64,
    /// The command whose answer comes next.
    last_command: AtomicUsize,
}

impl Way {
    fn fault(&self) -> Fault {
        *self.line.fault.borrow()
    }

    fn is_silent(&self) -> bool {
        self.number < self.line.silent_below.load(Ordering::SeqCst)
    }

    /// Stops here, and tells who waits for it.
    async fn stop(&self) {
        self.line.stopped.notify_one();
        std::future::pending().await
    }

    async fn read(&self, from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
        if self.line.stop.is_some() {
            return read_message(from).await;
        }
        let mut chunk = vec![0; CHUNK_BYTES];
        let length = from.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
        chunk.truncate(length);
        Some(chunk)
    }
}

/// The loop of each direction: `None` when a side has closed, so that the other is closed too; a reset is `Some`.
struct Up {
    way: Arc<Way>,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
}

impl Up {
    async fn carry(&mut self) -> Option<()> {
        let mut lost = false;
        loop {
            let bytes = self.way.read(&mut self.from).await?;
            if let Some(stop) = self.way.line.stop.filter(|_| counts(&bytes)) {
                let index = self.way.line.commands.fetch_add(1, Ordering::SeqCst);
                self.way.last_command.store(index, Ordering::SeqCst);
                if stop == Stop::Before(index) {
                    self.way.stop().await;
                }
            }
            lost |= self.way.is_silent() || self.way.fault() == Fault::BlackHole;
            if !lost {
                self.to.write_all(&bytes).await.ok()?;
            }
        }
    }
}

struct Down {
    way: Arc<Way>,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
}

impl Down {
    async fn carry(&mut self) -> Option<()> {
        let mut lost = false;
        loop {
            let Some(bytes) = self.way.read(&mut self.from).await else {
                if lost || self.way.is_silent() {
                    // Not even the server's end is heard of.
                    std::future::pending::<()>().await;
                }
                return None;
            };
            let answered = self.way.last_command.swap(usize::MAX, Ordering::SeqCst);
            if answered != usize::MAX && self.way.line.stop == Some(Stop::After(answered)) {
                self.way.stop().await;
            }
            match self.way.fault() {
                Fault::BlackHole => lost = true,
                fault @ (Fault::ResetMidReply | Fault::ResetOneReply) => {
                    if fault == Fault::ResetOneReply {
                        self.way.line.fault.send_replace(Fault::Pass);
                    }
                    let torn = bytes.get(..TORN_BYTES.min(bytes.len()))?;
                    self.to.write_all(torn).await.ok()?;
                    return Some(());
                }
                Fault::Lag => tokio::time::sleep(LAG).await,
                Fault::Pass | Fault::Refused | Fault::Trickle => {}
            }
            lost |= self.way.is_silent();
            if !lost {
                self.pass(&bytes).await?;
            }
        }
    }

    async fn pass(&mut self, mut bytes: &[u8]) -> Option<()> {
        while let Some((first, rest)) = bytes.split_first().filter(|_| self.way.fault() == Fault::Trickle) {
            self.to.write_all(&[*first]).await.ok()?;
            bytes = rest;
            tokio::time::sleep(TRICKLE).await;
        }
        self.to.write_all(bytes).await.ok()
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
