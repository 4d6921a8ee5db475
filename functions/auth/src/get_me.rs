//! `GET /auth/me`: the user as the user sees it.

use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};

use crate::view::UserView;

pub(crate) async fn get_me(me: Signed) -> Result<Answer, Problem> {
    Ok(UserView::answer(&me.profile().await?))
}
