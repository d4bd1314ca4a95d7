//! The pages around login, each in both languages: nobody has said yet which
//! one they read.

use std::time::Duration;

use axum::response::{Html, IntoResponse, Response};

use crate::accounts::PASSWORD_CHARS_MIN;

/// What these pages look like.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 0.25rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: 0.5rem; }
button { font: inherit; margin: 1.5rem 0; padding: 0.6rem 1.5rem; }
.said { border-left: 0.3rem solid #b00020; padding: 0.5rem 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; }
code { overflow-wrap: anywhere; }
";

/// What is said above a form.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    /// Nothing yet.
    Nothing,
    /// It did not fit.
    Wrong,
    /// It comes too soon.
    Wait(Duration),
    /// It cannot be so, and why.
    Refused(&'a str),
}

pub(super) fn login(form: &str, next: &str, said: Said<'_>) -> Response {
    let wrong = ("名称或密码不对。", "Name or password is not right.");
    let said = told(said, wrong);
    let next = escaped(next);
    framed(
        "登录 · Log in",
        &format!(
            r#"{said}<form method="post" action="/login">
<input type="hidden" name="form" value="{form}"><input type="hidden" name="next" value="{next}">
<label for="name">名称 <span lang="en">Name</span></label>
<input id="name" name="name" autocomplete="username" required autofocus>
<label for="password">密码 <span lang="en">Password</span></label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>登录 <span lang="en">Log in</span></button></form>"#
        ),
    )
}

pub(super) fn first(form: &str, said: Said<'_>) -> Response {
    let wrong = (
        "口令不对，或已过期、已用过；重新启动服务会得到新的。",
        "The token is not right, is over, or was used; a restart of the service prints another.",
    );
    let said = told(said, wrong);
    framed(
        "首位管理员 · First administrator",
        &format!(
            r#"{said}<p>服务启动时显示了一次性口令。<br><span lang="en">The service printed a one-time token when it started.</span></p>
<form method="post" action="/setup"><input type="hidden" name="form" value="{form}">
<label for="token">一次性口令 <span lang="en">One-time token</span></label>
<input id="token" name="token" autocomplete="one-time-code" required autofocus>
<label for="name">名称 <span lang="en">Name</span></label>
<input id="name" name="name" autocomplete="username" required>
<label for="password">密码，至少 {PASSWORD_CHARS_MIN} 个字符 <span lang="en">Password, at least {PASSWORD_CHARS_MIN} characters</span></label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="{PASSWORD_CHARS_MIN}" required>
<button>建立账户 <span lang="en">Make the account</span></button></form>"#
        ),
    )
}

pub(super) fn leave(name: &str, form: &str) -> Response {
    framed(
        "退出 · Log out",
        &format!(
            r#"<p>{}</p><form method="post" action="/logout"><input type="hidden" name="form" value="{form}">
<button>退出 <span lang="en">Log out</span></button></form>"#,
            escaped(name)
        ),
    )
}

fn told(said: Said<'_>, wrong: (&str, &str)) -> String {
    let (chinese, english) = match said {
        Said::Nothing => return String::new(),
        Said::Wrong => (wrong.0.to_owned(), wrong.1.to_owned()),
        Said::Wait(wait) => {
            let secs = wait.as_secs() + 1;
            (format!("尝试过多，请在 {secs} 秒后再试。"), format!("Too many tries. Try again in {secs} s."))
        }
        Said::Refused(why) => ("无法建立：".to_owned(), escaped(why)),
    };
    format!(r#"<p class="said" role="alert">{chinese}<br><span lang="en">{english}</span></p>"#)
}

/// A page of this look.
pub(in crate::http) fn framed(title: &str, body: &str) -> Response {
    Html(format!(
        r#"<!DOCTYPE html><html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="stylesheet" href="/plain.css"><body><main><h1>{title}</h1>
{body}</main>"#
    ))
    .into_response()
}

/// Text as HTML shows it, in an attribute as well.
pub(in crate::http) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
