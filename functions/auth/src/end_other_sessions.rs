//! `DELETE /auth/sessions`: ends every session of the user but the caller's.

use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};
use shared::store::sessions::Sessions;

use crate::events;

pub(crate) async fn end_other_sessions(me: Signed) -> Result<Answer, Problem> {
    let ended = Sessions::new(me.unscoped_store()).end_others(me.user(), me.principal.session()?).await?;
    events::session_ended(me.user(), ended);
    Ok(Answer::no_content())
}
