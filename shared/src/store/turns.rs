//! The queue of each user's writers within a process: a write waits here for the user's earlier ones, first come, first
//! served, instead of conflicting with them in MongoDB.
//!
//! Must never hold anything of a user who has no write under way, nor let a queue grow without bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use finance::id::UserId;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The most writes of one user that wait or run in one process. Those beyond could not be served in time.
const WRITERS_MAX: usize = 256;

/// The queues of a process.
#[derive(Default)]
pub(super) struct Turns {
    queues: StdMutex<HashMap<UserId, Queue>>,
}

#[derive(Default)]
struct Queue {
    /// Tokio's mutex serves in the order of arrival.
    turn: Arc<Mutex<()>>,
    /// Writers that wait, and the one whose turn it is.
    writers: usize,
}

/// A user's turn to write. Ends when it is dropped; the next in the queue then has it.
pub(super) struct Turn {
    // Dropped in this order: the queue is left once the turn is over.
    _turn: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in a queue, waiting or served.
struct Place {
    turns: Arc<Turns>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.turns.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(&self.user) {
            queue.writers = queue.writers.saturating_sub(1);
            if queue.writers == 0 {
                queues.remove(&self.user);
            }
        }
    }
}

impl Turns {
    /// Waits for the user's turn. `None`: the queue is full. Who stops waiting leaves the queue.
    pub(super) async fn take(self: &Arc<Self>, user: UserId) -> Option<Turn> {
        let (turn, place) = self.enter(user)?;
        Some(Turn { _turn: turn.lock_owned().await, _place: place })
    }

    fn enter(self: &Arc<Self>, user: UserId) -> Option<(Arc<Mutex<()>>, Place)> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(user).or_default();
        if queue.writers >= WRITERS_MAX {
            return None;
        }
        queue.writers += 1;
        Some((queue.turn.clone(), Place { turns: self.clone(), user }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId::new(uuid::Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn turns_come_in_the_order_of_arrival_and_leave_nothing_behind() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(user(1)).await.unwrap();
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(turns.take(user(1)))).collect();
        for waiter in &mut waiting {
            assert!(waiter.now_or_never().is_none(), "another has the turn");
        }
        // One that has given up holds up nobody.
        drop(waiting.remove(2));
        drop(first);
        while !waiting.is_empty() {
            for later in waiting.iter_mut().skip(1) {
                assert!(later.now_or_never().is_none(), "an earlier one waits");
            }
            drop(waiting.remove(0).now_or_never().unwrap().unwrap());
        }
        assert!(turns.queues.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn users_do_not_wait_for_each_other() {
        let turns = Arc::new(Turns::default());
        let _one = turns.take(user(1)).await.unwrap();
        assert!(turns.take(user(2)).now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn a_full_queue_takes_nobody() {
        let turns = Arc::new(Turns::default());
        let turn = turns.take(user(1)).await.unwrap();
        let mut waiting: Vec<_> = (1..WRITERS_MAX).map(|_| Box::pin(turns.take(user(1)))).collect();
        for waiter in &mut waiting {
            assert!(waiter.now_or_never().is_none());
        }
        assert!(turns.take(user(1)).now_or_never().is_some_and(|refused| refused.is_none()));
        drop((waiting, turn));
        assert!(turns.take(user(1)).now_or_never().flatten().is_some());
    }
}
