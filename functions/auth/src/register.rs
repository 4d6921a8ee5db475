//! `POST /auth/register`: a user, the default categories, a first account and a session, all at once.

use axum::extract::State;
use finance::account::AccountKind;
use finance::id::{AccountId, UserId};
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Scope};
use shared::ids;
use shared::store::accounts::Account;
use shared::store::categories::Category;
use shared::store::registration::NewUser;
use shared::store::users::User;

use crate::body::{Name, RegisterBody};
use crate::policy::{self, OwnWords};
use crate::tokens::RefreshToken;
use crate::view::{SignedInView, UserView};
use crate::{App, Parts, events};

pub(crate) async fn register(
    State(app): State<App>,
    scope: Scope,
    Body { value: body, .. }: Body<RegisterBody>,
) -> Result<Answer, Problem> {
    let [first, last] =
        [&body.first_name, &body.last_name].map(|name| name.as_ref().map(|name| name.0.as_str()));
    policy::check_own(&body.password.0, OwnWords::new(&body.email.0, first, last), "/password").await?;
    let password_hash = app.passwords.hash(&body.password.0).await?;
    let refresh = RefreshToken::new();
    let new = new_user(&app, &scope, body, password_hash, &refresh);
    let tokens = app.issuer.tokens(new.user.id, new.session.id, new.session.expires_at_ms, &refresh)?;
    let view = SignedInView { user: UserView::from(&new.user), tokens };
    let user = new.user.id;
    app.store(&scope).register(new).await?;
    events::user_registered(user);
    let answer = Answer::created("/api/v1/auth/me".to_owned(), &view);
    Ok(app.cookie.set(answer, &view.tokens))
}

fn new_user(
    app: &Parts,
    scope: &Scope,
    body: RegisterBody,
    password_hash: String,
    refresh: &RefreshToken,
) -> NewUser {
    let currency = body.currency.unwrap_or(app.default_currency);
    let time_zone = body.time_zone.map_or_else(|| "UTC".to_owned(), |zone| zone.0);
    let categories = Category::defaults(&app.clock);
    // The opening balance is unknown: a balance that nobody stated is not zero.
    let account = Account::new(
        AccountId::new(ids::new_id(&app.clock)),
        "Checking".to_owned(),
        AccountKind::Checking,
        currency,
        app.clock.today(&time_zone),
    );
    let text = |value: Option<Name>| value.map(|v| v.0).filter(|text| !text.is_empty());
    NewUser {
        user: User {
            id: UserId::new(ids::new_id(&app.clock)),
            email: body.email.0,
            password_hash,
            first_name: text(body.first_name),
            last_name: text(body.last_name),
            currency,
            time_zone,
            locale: body.locale.map(|locale| locale.0),
            created_at_ms: app.clock.now_ms(),
            version: 1,
        },
        categories,
        account,
        session: app.issuer.session(scope),
        refresh_token: app.issuer.hash_of(refresh),
    }
}
