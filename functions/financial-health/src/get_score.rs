//! `GET /financial-health`: the score, now or as of a date.

use std::sync::Arc;

use finance::score::score;
use shared::edge::respond::Answer;
use shared::edge::{Params, Problem, ProblemType, Signed};
use shared::store::score::ScoreRead;

use crate::view::ScoreView;

pub(crate) async fn get_score(me: Signed, mut query: Params) -> Result<Answer, Problem> {
    let wanted = query.date("asOf");
    query.finish()?;
    let clock = me.clock().clone();
    let as_of = Arc::new(move |time_zone: &str| {
        let today = clock.today(time_zone);
        Some(wanted.unwrap_or(today)).filter(|as_of| *as_of <= today)
    });
    match me.store().score(as_of).await? {
        ScoreRead::Facts(facts) => Ok(Answer::ok(&ScoreView::new(&score(&facts.input), facts.knowledge))),
        ScoreRead::Refused => Err(Problem::field("/query/asOf", "out_of_range", "must not be after today")),
        ScoreRead::UserGone => Err(Problem::new(ProblemType::Unauthenticated)),
    }
}
