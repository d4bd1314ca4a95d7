//! Login, logout, and the first start: small pages that work without a script.

mod page;

use std::net::IpAddr;

use axum::extract::{Form, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::time::Instant;

use super::caller::{Caller, Posted};
use super::cookie::{Cookie, Reached, form_token, is_form_token};
use super::problem::Problem;
use super::{Doors, audit, origin, peer};
use crate::accounts::{Holder, Wait};
use page::Said;
pub(super) use page::{escaped, framed};

/// Where one goes who came for nothing else.
pub(super) const HOME: &str = "/";

/// Under this name the tries at the first token count; nobody can have it.
const FIRST: &str = "\0first";

/// From which address it comes.
pub(super) struct From(IpAddr);

impl FromRequestParts<Doors> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Doors) -> Result<Self, Self::Rejection> {
        Ok(From(peer::address(parts)))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /login`.
pub(super) async fn show(State(doors): State<Doors>, Query(next): Query<Next>) -> Result<Response, Problem> {
    if doors.keys.look(crate::accounts::Accounts::is_empty).await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    Blank::new(&doors)?.login(local(&next.next), Said::Nothing)
}

#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    form: String,
    #[serde(default)]
    next: String,
    name: String,
    password: String,
}

/// `POST /login`.
pub(super) async fn enter(
    State(doors): State<Doors>,
    From(from): From,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Result<Response, Problem> {
    is_own_form(&doors, &headers, &form.form)?;
    let next = local(&form.next).to_owned();
    if let Err(Wait(wait)) = doors.keys.lockout.attempt(&form.name, from, Instant::now()) {
        audit::waits(from, &doors.keys.strangers);
        return Ok(waiting(Blank::new(&doors)?.login(&next, Said::Wait(wait))?, wait));
    }
    let name = form.name.clone();
    let checked = doors.keys.hash(move |accounts| accounts.checked(&form.name, &form.password)).await?;
    let Some(holder) = checked.map_err(|_| Problem::later())? else {
        audit::failed(from, &doors.keys.strangers);
        return Ok((StatusCode::UNAUTHORIZED, Blank::new(&doors)?.login(&next, Said::Wrong)?).into_response());
    };
    doors.keys.lockout.succeeded(&name, from);
    audit::came(&holder, from);
    begun(&doors, &holder, &next).await
}

/// Begins the session of one who showed who they are.
async fn begun(doors: &Doors, holder: &Holder, next: &str) -> Result<Response, Problem> {
    let (id, now) = (holder.id.clone(), doors.civil.civil());
    let secret = doors.keys.look(move |accounts| accounts.begin_session(&id, now)).await?;
    let reached = reached(doors);
    let mut response = Redirect::to(next).into_response();
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, Cookie::Session.set(secret.expose(), reached));
    headers.append(header::SET_COOKIE, Cookie::Form.set("", reached));
    Ok(response)
}

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// `POST /logout`.
pub(super) async fn leave(State(doors): State<Doors>, posted: Posted<Nothing>) -> Result<Response, Problem> {
    let Posted { caller, form: Nothing {} } = posted;
    if let Some(secret) = caller.session() {
        doors.keys.look(move |accounts| accounts.end_session(secret.expose())).await?;
        audit::left(&caller.holder);
    }
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().append(header::SET_COOKIE, Cookie::Session.set("", reached(&doors)));
    Ok(response)
}

/// `GET /logout`: a page with its one button, for whoever types the path.
pub(super) async fn ask_to_leave(caller: Caller) -> Response {
    page::leave(&caller.holder.name, &caller.form_token().unwrap_or_default())
}

/// `GET /setup`.
pub(super) async fn first(State(doors): State<Doors>) -> Result<Response, Problem> {
    if !doors.keys.look(crate::accounts::Accounts::is_empty).await? {
        return Ok(Redirect::to("/login").into_response());
    }
    Blank::new(&doors)?.first(Said::Nothing)
}

#[derive(Deserialize)]
pub(super) struct First {
    #[serde(default)]
    form: String,
    token: String,
    name: String,
    password: String,
}

/// `POST /setup`.
pub(super) async fn make_first(
    State(doors): State<Doors>,
    From(from): From,
    headers: HeaderMap,
    Form(form): Form<First>,
) -> Result<Response, Problem> {
    is_own_form(&doors, &headers, &form.form)?;
    if let Err(Wait(wait)) = doors.keys.lockout.attempt(FIRST, from, Instant::now()) {
        audit::waits(from, &doors.keys.strangers);
        return Ok(waiting(Blank::new(&doors)?.first(Said::Wait(wait))?, wait));
    }
    let now = doors.civil.civil();
    let made = doors.keys.hash(move |accounts| {
        accounts.first_administrator(form.token.trim(), &form.name, &form.password, now)
    });
    let code = StatusCode::UNPROCESSABLE_ENTITY;
    match made.await? {
        Ok(Some(holder)) => {
            doors.keys.lockout.succeeded(FIRST, from);
            audit::first(&holder, from);
            begun(&doors, &holder, HOME).await
        }
        Ok(None) => {
            audit::failed(from, &doors.keys.strangers);
            Ok((StatusCode::UNAUTHORIZED, Blank::new(&doors)?.first(Said::Wrong)?).into_response())
        }
        Err(error) => {
            Ok((code, Blank::new(&doors)?.first(Said::Refused(&error.to_string()))?).into_response())
        }
    }
}

/// `GET /plain.css`.
pub(super) async fn style() -> Response {
    let text = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], page::STYLE).into_response()
}

/// A form that is to be filled in before there is a session, with its cookie.
struct Blank {
    secret: String,
    reached: Reached,
}

impl Blank {
    fn new(doors: &Doors) -> Result<Blank, Problem> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Problem::later())?;
        Ok(Blank { secret: crate::config::targets::hex(&bytes), reached: reached(doors) })
    }

    #[expect(clippy::unnecessary_wraps, reason = "both pages end their handlers")]
    fn login(&self, next: &str, said: Said<'_>) -> Result<Response, Problem> {
        Ok(self.with_cookie(page::login(&form_token(&self.secret), next, said)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "both pages end their handlers")]
    fn first(&self, said: Said<'_>) -> Result<Response, Problem> {
        Ok(self.with_cookie(page::first(&form_token(&self.secret), said)))
    }

    fn with_cookie(&self, mut page: Response) -> Response {
        page.headers_mut().append(header::SET_COOKIE, Cookie::Form.set(&self.secret, self.reached));
        page
    }
}

fn reached(doors: &Doors) -> Reached {
    Reached::of(doors.current.borrow().url.as_deref())
}

fn is_own_form(doors: &Doors, headers: &HeaderMap, given: &str) -> Result<(), Problem> {
    let url = doors.current.borrow().url.clone();
    let secret = Cookie::Form.value(headers, Reached::of(url.as_deref()));
    if origin::is_ours(headers, url.as_deref()) && secret.is_some_and(|secret| is_form_token(given, secret)) {
        return Ok(());
    }
    audit::foreign_form(&doors.keys.strangers);
    Err(Problem::not_from_here())
}

/// Only a path of ours: a link must not lead elsewhere through our login.
pub(super) fn local(next: &str) -> &str {
    let is_path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if is_path { next } else { HOME }
}

fn waiting(page: Response, wait: std::time::Duration) -> Response {
    let secs = wait.as_secs() + 1;
    let mut response = (StatusCode::TOO_MANY_REQUESTS, page).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, secs.into());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_leads_nowhere_but_home() {
        for (next, expected) in [
            ("/warnings/1?a=b", "/warnings/1?a=b"),
            ("", HOME),
            ("//evil.example", HOME),
            ("/\\evil.example", HOME),
            ("https://evil.example", HOME),
            ("/\t/evil.example", HOME),
        ] {
            assert_eq!(local(next), expected, "{next:?}");
        }
    }
}
