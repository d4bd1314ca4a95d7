//! `forewarn accounts` and `forewarn tokens`: who may log in, and which
//! programs may ask. They change the accounts of a data directory beside the
//! running service, which asks them at every request.

use std::io::{self, BufRead as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forewarn_core::authority::Role;

use super::args::{AccountsAction, AccountsArgs, Places, TokensAction, TokensArgs};
use super::beside::{Beside, command, json as print_json, nothing, told};
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::accounts::{Accounts, AccountsError, Reach};

/// Random bytes of a password that is drawn.
const PASSWORD_BYTES: usize = 18;

/// Adds, lists, changes or removes accounts.
pub(super) fn accounts(args: &AccountsArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let done = opened(&args.places).and_then(|(beside, accounts)| match &args.action {
        AccountsAction::Add { name, role, areas, password_stdin } => {
            let reach = reach(&beside, areas)?;
            let (password, drawn) = password(*password_stdin)?;
            accounts.add(name, *role, &reach, &password, around.now)?;
            say(around, &format!("{name} may log in as {role}, {}", reach.words()))?;
            show(around, drawn.then_some(password.as_str()))
        }
        AccountsAction::Role { name, role, areas } => {
            let reach = reach(&beside, areas)?;
            accounts.set_role(name, *role, &reach)?;
            say(around, &format!("{name} is {role} now, {}", reach.words()))?;
            Ok(Exit::Done)
        }
        AccountsAction::Reset { name, password_stdin } => {
            let (password, drawn) = password(*password_stdin)?;
            accounts.reset(name, &password)?;
            say(around, &format!("{name} has another password; every session of theirs is over"))?;
            show(around, drawn.then_some(password.as_str()))
        }
        AccountsAction::Remove { name } => {
            accounts.remove(name)?;
            say(around, &format!("{name} may log in no more"))?;
            Ok(Exit::Done)
        }
        AccountsAction::List { json } => list(&beside, &accounts, *json, &args.places, around),
    });
    refused(done, around)
}

/// Adds, lists or revokes tokens.
pub(super) fn tokens(args: &TokensArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let done = opened(&args.places).and_then(|(beside, accounts)| match &args.action {
        TokensAction::Add { name, role, areas, lasts } => {
            let reach = reach(&beside, areas)?;
            let (secret, token) = accounts.add_token(name, *role, &reach, *lasts, around.now)?;
            let until = beside.names.time(token.expires);
            let line =
                format!("{}: {name} may ask as {role}, {}, until {until}", token.holder.id, reach.words());
            say(around, &line)?;
            show(around, Some(secret.expose()))
        }
        TokensAction::Revoke { id } => {
            accounts.revoke_token(id, around.now)?;
            say(around, &format!("{id} opens nothing any more"))?;
            Ok(Exit::Done)
        }
        TokensAction::List { json } => list_tokens(&beside, &accounts, *json, &args.places, around),
    });
    refused(done, around)
}

fn opened(places: &Places) -> anyhow::Result<(Beside, Accounts)> {
    let beside = Beside::open(places)?;
    let accounts = Accounts::open(&beside.data)?;
    Ok((beside, accounts))
}

/// What was refused is a fault of what was asked; all else failed.
fn refused(done: anyhow::Result<Exit>, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match done {
        Err(error) if matches!(error.downcast_ref(), Some(AccountsError::Refused(_))) => {
            writeln!(around.err, "{error}")?;
            Ok(Exit::Fault)
        }
        done => told(done, around),
    }
}

/// Only areas that are there: a slip would be a role that holds nowhere.
fn reach(beside: &Beside, areas: &[String]) -> anyhow::Result<Reach> {
    let known = |id: &String| beside.names.0.areas.iter().flatten().any(|area| area.id == *id);
    if let Some(unknown) = areas.iter().find(|id| !known(id)) {
        let why = format!("no area has the id {unknown:?}, expected ids of areas.geojson");
        return Err(AccountsError::Refused(why).into());
    }
    Ok(Reach::of(areas))
}

/// The password, and whether it was drawn here.
fn password(from_stdin: bool) -> anyhow::Result<(String, bool)> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok((line.trim_end_matches(['\n', '\r']).to_owned(), false));
    }
    let mut bytes = [0; PASSWORD_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok((URL_SAFE_NO_PAD.encode(bytes), true))
}

fn say(around: &mut Surroundings<'_>, line: &str) -> anyhow::Result<()> {
    Ok(writeln!(around.err, "{line}")?)
}

/// A secret goes alone to standard output, once.
fn show(around: &mut Surroundings<'_>, secret: Option<&str>) -> anyhow::Result<Exit> {
    if let Some(secret) = secret {
        say(around, "shown this once, and kept nowhere:")?;
        writeln!(around.out, "{secret}")?;
    }
    Ok(Exit::Done)
}

fn list(
    beside: &Beside,
    accounts: &Accounts,
    json: bool,
    places: &Places,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let found = accounts.accounts()?;
    if json {
        let rows = found.iter().map(|it| {
            serde_json::json!({
                "id": it.holder.id, "name": it.holder.name, "role": it.holder.role.word(),
                "areas": areas_json(&it.holder.reach), "created": beside.names.time_json(it.created),
                "seen": it.seen.map(|seen| beside.names.time_json(seen)),
            })
        });
        print_json(&rows.collect(), around)?;
    } else if !found.is_empty() {
        let rows: Vec<[Cell; 5]> = found
            .iter()
            .map(|it| {
                [
                    it.holder.name.as_str().into(),
                    it.holder.role.word().into(),
                    it.holder.reach.words().into(),
                    it.seen.map_or(String::new(), |seen| beside.names.time(seen)).into(),
                    it.holder.id.as_str().into(),
                ]
            })
            .collect();
        table(around.out, around.paint, ["NAME", "ROLE", "AREAS", "SEEN", "ID"], &rows)?;
    }
    if found.is_empty() {
        let add = command(places, "accounts add NAME --role administrator");
        return nothing(&format!("no account: `{add}` makes one"), around);
    }
    Ok(Exit::Done)
}

fn list_tokens(
    beside: &Beside,
    accounts: &Accounts,
    json: bool,
    places: &Places,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let found = accounts.tokens()?;
    if json {
        let rows = found.iter().map(|it| {
            serde_json::json!({
                "id": it.holder.id, "name": it.holder.name, "prefix": it.prefix, "role": it.holder.role.word(),
                "areas": areas_json(&it.holder.reach), "created": beside.names.time_json(it.created),
                "expires": beside.names.time_json(it.expires),
                "revoked": it.revoked.map(|at| beside.names.time_json(at)),
            })
        });
        print_json(&rows.collect(), around)?;
    } else if !found.is_empty() {
        let rows: Vec<[Cell; 6]> = found
            .iter()
            .map(|it| {
                let until = match it.revoked {
                    Some(at) => format!("revoked {}", beside.names.time(at)),
                    None if it.expires <= around.now => "over".to_owned(),
                    None => beside.names.time(it.expires),
                };
                [
                    it.holder.id.as_str().into(),
                    it.holder.name.as_str().into(),
                    format!("{}…", it.prefix).into(),
                    it.holder.role.word().into(),
                    it.holder.reach.words().into(),
                    until.into(),
                ]
            })
            .collect();
        table(around.out, around.paint, ["ID", "NAME", "BEGINS", "ROLE", "AREAS", "UNTIL"], &rows)?;
    }
    if found.is_empty() {
        let add = command(places, "tokens add NAME --role viewer");
        return nothing(&format!("no token: `{add}` makes one"), around);
    }
    Ok(Exit::Done)
}

fn areas_json(reach: &Reach) -> serde_json::Value {
    match reach {
        Reach::Everywhere => serde_json::Value::Null,
        Reach::Areas(areas) => areas.clone().into(),
    }
}

/// The word of a role.
pub(super) fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "expected viewer, operator, approver or administrator".to_owned())
}
