//! `PATCH /auth/me`: changes what a user may say about itself.

use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, Signed};
use shared::store::users::{User, Users};

use crate::body::UpdateMeBody;
use crate::view::UserView;

pub(crate) async fn update_me(
    me: Signed,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateMeBody>,
) -> Result<Answer, Problem> {
    let users = Users::new(me.unscoped_store());
    let change = move |user| changed(user, body.clone());
    let changed = users.update(me.user(), condition.into(), change).await?;
    Ok(UserView::answer(&changed))
}

fn changed(user: User, body: UpdateMeBody) -> User {
    User {
        first_name: body.first_name.apply_text(user.first_name, |text| text.0),
        last_name: body.last_name.apply_text(user.last_name, |text| text.0),
        currency: body.currency.unwrap_or(user.currency),
        time_zone: body.time_zone.map_or(user.time_zone, |zone| zone.0),
        locale: body.locale.apply_text(user.locale, |locale| locale.0),
        ..user
    }
}
