//! `DELETE /auth/sessions/{id}`: ends one session of the user.

use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};
use shared::store::sessions::Sessions;
use uuid::Uuid;

use crate::events;

pub(crate) async fn end_session(me: Signed, Id(session): Id<Uuid>) -> Result<Answer, Problem> {
    Sessions::new(me.unscoped_store()).end(me.user(), session).await?;
    events::session_ended(me.user(), 1);
    Ok(Answer::no_content())
}
