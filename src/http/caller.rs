//! Who asks: an account by its session, or a token. A handler that takes a
//! [`Caller`] answers nobody else; one that changes something for a browser
//! takes a [`Posted`], so that another site's page changes nothing.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use forewarn_core::authority::{Authority, By, Denied, Ground, Role};
use forewarn_core::ids::AreaIx;
use forewarn_core::plan::Plan;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cookie::{Cookie, Reached, form_token, is_form_token};
use super::problem::Problem;
use super::{Doors, audit, auth, origin};
use crate::accounts::Holder;
use crate::config::secret::Secret;

/// Where a script of our own pages sends what a form sends in its field.
pub const FORM_HEADER: &str = "x-forewarn-form";

/// Somebody who may ask, as far as their role and areas go.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub holder: Holder,
    /// What they may, by the plan in force.
    pub authority: Authority,
    shown: Shown,
    /// What they asked for, for the log.
    path: String,
}

/// What they showed.
#[derive(Debug, Clone)]
enum Shown {
    Session(Secret),
    Token,
}

impl Caller {
    /// As the engine is told who asks.
    pub fn by(&self) -> By {
        By::token(self.holder.id.clone(), self.authority.clone())
    }

    /// Refuses, and tells, where the role is too small.
    pub fn require(&self, least: Role) -> Result<(), Problem> {
        if self.authority.role >= least {
            return Ok(());
        }
        audit::denied(&self.holder, &self.path, "role");
        Err(Problem::role(least))
    }

    /// Whether the role holds in an area.
    pub fn covers(&self, area: AreaIx, plan: &Plan) -> bool {
        self.authority.covers(area, plan)
    }

    /// Whether the role holds for the service as a whole.
    pub fn is_everywhere(&self) -> bool {
        self.authority.scope == forewarn_core::authority::Scope::Everywhere
    }

    /// Refuses, and tells, where the role is too small or does not hold there.
    pub fn check(&self, least: Role, ground: Ground<'_>, plan: &Plan) -> Result<(), Problem> {
        self.authority.check(least, ground, plan).map_err(|denied| self.denied(denied))
    }

    /// What the engine said no to: told, and refused.
    pub fn denied(&self, denied: Denied) -> Problem {
        let (why, problem) = match denied {
            Denied::Role(least) => ("role", Problem::role(least)),
            Denied::Scope => ("area", Problem::foreign()),
        };
        audit::denied(&self.holder, &self.path, why);
        problem
    }

    /// What a form of this session sends in its field `form`; `None` for a token.
    pub fn form_token(&self) -> Option<String> {
        match &self.shown {
            Shown::Session(secret) => Some(form_token(secret.expose())),
            Shown::Token => None,
        }
    }

    /// The session's secret, to end it.
    pub(super) fn session(&self) -> Option<Secret> {
        match &self.shown {
            Shown::Session(secret) => Some(secret.clone()),
            Shown::Token => None,
        }
    }

    /// Whether what is asked was asked by a page of ours, or by no browser at all.
    fn meant(&self, headers: &HeaderMap, url: Option<&str>, given: &str) -> Result<(), Problem> {
        let Shown::Session(secret) = &self.shown else { return Ok(()) };
        if origin::is_ours(headers, url) && is_form_token(given, secret.expose()) {
            return Ok(());
        }
        audit::foreign(&self.holder, &self.path);
        Err(Problem::not_from_here())
    }
}

/// Who the headers say it is; `None` where they say nothing.
async fn identify(headers: &HeaderMap, path: &str, doors: &Doors) -> Result<Option<Caller>, Problem> {
    let (reached, plan) = {
        let setup = doors.current.borrow();
        (Reached::of(setup.url.as_deref()), setup.plan.clone())
    };
    let now = doors.civil.civil();
    let (found, shown) = if headers.contains_key(header::AUTHORIZATION) {
        let token = auth::bearer(headers)?.to_owned();
        let found = doors.keys.look(move |accounts| accounts.token(&token, now)).await?;
        // Whoever shows a token means it: a cookie beside it does not count.
        (Some(found.ok_or_else(Problem::unknown_token)?), Shown::Token)
    } else if let Some(secret) = Cookie::Session.value(headers, reached) {
        let secret = Secret::new(secret);
        let asked = secret.clone();
        let found = doors.keys.look(move |accounts| accounts.session(asked.expose(), now)).await?;
        (found, Shown::Session(secret))
    } else {
        return Ok(None);
    };
    Ok(found.map(|holder| Caller {
        authority: holder.authority(&plan),
        holder,
        shown,
        path: path.to_owned(),
    }))
}

/// People are led to the login; programs are told what to send.
fn nobody(parts: &Parts) -> Response {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path();
    if parts.method == Method::GET && accepts.contains("text/html") && !path.starts_with("/api/v") {
        let asked = parts.uri.path_and_query().map_or(path, axum::http::uri::PathAndQuery::as_str);
        let query: String = form_encoded(asked);
        return Redirect::to(&format!("/login?next={query}")).into_response();
    }
    Problem::nobody().into_response()
}

fn form_encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl FromRequestParts<Doors> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let found = identify(&parts.headers, parts.uri.path(), doors).await;
        let Some(caller) = found.map_err(Problem::into_response)? else { return Err(nobody(parts)) };
        if !parts.method.is_safe() {
            let url = doors.current.borrow().url.clone();
            let given = parts.headers.get(FORM_HEADER).and_then(|it| it.to_str().ok()).unwrap_or_default();
            caller.meant(&parts.headers, url.as_deref(), given).map_err(Problem::into_response)?;
        }
        Ok(caller)
    }
}

/// What a form of ours sent, and who sent it. The form has a field `form` with
/// [`Caller::form_token`].
#[derive(Debug)]
pub struct Posted<T> {
    /// Who.
    pub caller: Caller,
    /// What.
    pub form: T,
}

#[derive(Debug, Deserialize)]
struct Marked {
    #[serde(default)]
    form: String,
}

impl<T: DeserializeOwned> FromRequest<Doors> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        // First who it is: of a stranger no body is read.
        let found = identify(&parts.headers, parts.uri.path(), doors).await;
        let Some(caller) = found.map_err(Problem::into_response)? else { return Err(nobody(&parts)) };
        let body = axum::body::Bytes::from_request(Request::from_parts(parts.clone(), body), doors)
            .await
            .map_err(IntoResponse::into_response)?;
        let again = |parts: Parts| Request::from_parts(parts, axum::body::Body::from(body.clone()));
        let marked = Form::<Marked>::from_request(again(parts.clone()), doors).await;
        let given = marked.map(|Form(marked)| marked.form).unwrap_or_default();
        let url = doors.current.borrow().url.clone();
        caller.meant(&parts.headers, url.as_deref(), &given).map_err(Problem::into_response)?;
        let Form(form) =
            Form::<T>::from_request(again(parts), doors).await.map_err(IntoResponse::into_response)?;
        Ok(Posted { caller, form })
    }
}
