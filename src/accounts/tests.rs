use std::os::unix::fs::PermissionsExt as _;

use forewarn_core::authority::{Role, Scope};
use forewarn_core::time::{Span, Timestamp};

use super::{Accounts, FILE, FIRST_LASTS, MARK, Reach, SESSION_IDLE_MAX};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const PASSWORD: &str = "example password, no secret";

fn with_one() -> (Accounts, String) {
    let accounts = Accounts::in_memory().unwrap();
    let id = accounts.add("Li", Role::Administrator, &Reach::Everywhere, PASSWORD, NOW).unwrap().id;
    (accounts, id)
}

#[test]
fn the_file_is_its_owners_alone_and_holds_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(data.path()).unwrap();
    let first = accounts.first_token(NOW).unwrap().unwrap();
    accounts.first_administrator(first.expose(), "Li", PASSWORD, NOW).unwrap().unwrap();
    let (token, _) =
        accounts.add_token("script", Role::Viewer, &Reach::Everywhere, Span::from_hours(1), NOW).unwrap();
    let session = accounts.begin_session(&accounts.accounts().unwrap()[0].holder.id, NOW).unwrap();
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for secret in [first.expose(), token.expose(), session.expose(), PASSWORD] {
            let held = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!held, "{}", path.display());
        }
    }
    assert!(data.path().join(FILE).exists());
}

#[test]
fn a_password_opens_its_own_account_alone() {
    let (accounts, id) = with_one();
    accounts.add("Wang", Role::Viewer, &Reach::Everywhere, "another password of example", NOW).unwrap();
    for (name, password, expected) in [
        ("Li", PASSWORD, Some(id.as_str())),
        ("li", PASSWORD, Some(id.as_str())),
        ("Li", "example password, no Secret", None),
        ("Li", "", None),
        ("Wang", PASSWORD, None),
        ("nobody", PASSWORD, None),
        ("nobody", "the password of nobody", None),
    ] {
        let found = accounts.checked(name, password).unwrap();
        assert_eq!(found.as_ref().map(|it| it.id.as_str()), expected, "{name} {password}");
    }
}

#[test]
fn a_weak_password_a_bad_name_and_a_name_twice_are_refused() {
    let (accounts, _) = with_one();
    for (name, password) in [
        ("Wang", "short"),
        ("Wang", "aaaaaaaaaaaaaaaa"),
        ("dutyofficer", "DutyOfficer1"),
        ("", PASSWORD),
        ("a\nb", PASSWORD),
        ("li", PASSWORD),
    ] {
        assert!(accounts.add(name, Role::Viewer, &Reach::Everywhere, password, NOW).is_err(), "{name:?}");
    }
    assert_eq!(accounts.accounts().unwrap().len(), 1);
}

#[test]
fn the_first_token_makes_one_administrator_once_and_for_a_day() {
    let accounts = Accounts::in_memory().unwrap();
    let earlier = accounts.first_token(NOW).unwrap().unwrap();
    let first = accounts.first_token(NOW).unwrap().unwrap();
    let tried = |token: &str, at| accounts.first_administrator(token, "Li", PASSWORD, at).unwrap();
    assert!(tried(earlier.expose(), NOW).is_none(), "the newer one replaced it");
    assert!(tried("first_", NOW).is_none());
    assert!(tried(first.expose(), NOW + FIRST_LASTS).is_none(), "it is over");
    assert!(accounts.first_administrator(first.expose(), "Li", "short", NOW).is_err(), "not spent by a slip");
    assert_eq!(tried(first.expose(), NOW).unwrap().role, Role::Administrator);
    assert!(tried(first.expose(), NOW).is_none(), "it is spent");
    assert!(accounts.first_token(NOW).unwrap().is_none(), "there is an account");
}

#[test]
fn an_account_made_at_the_machine_ends_the_first_start() {
    let accounts = Accounts::in_memory().unwrap();
    let first = accounts.first_token(NOW).unwrap().unwrap();
    accounts.add("Li", Role::Administrator, &Reach::Everywhere, PASSWORD, NOW).unwrap();
    assert!(accounts.first_administrator(first.expose(), "Mallory", PASSWORD, NOW).unwrap().is_none());
}

#[test]
fn a_token_holds_until_it_expires_or_is_revoked() {
    let (accounts, _) = with_one();
    let reach = Reach::Areas(vec!["town".into()]);
    let lasts = Span::from_hours(1);
    let (secret, token) = accounts.add_token("script", Role::Operator, &reach, lasts, NOW).unwrap();
    assert!(secret.expose().starts_with(MARK) && secret.expose().starts_with(&token.prefix));
    let found = |at| accounts.token(secret.expose(), at).unwrap();
    assert_eq!(found(NOW), Some(token.holder.clone()));
    assert_eq!(found(NOW + lasts), None);
    assert_eq!(accounts.token(&secret.expose()[..20], NOW).unwrap(), None);
    accounts.revoke_token(&token.holder.id, NOW).unwrap();
    assert_eq!(found(NOW), None);
    assert!(accounts.revoke_token(&token.holder.id, NOW).is_err(), "revoked already");
    assert!(accounts.add_token("for ever", Role::Viewer, &reach, Span::from_hours(24 * 1_000), NOW).is_err());
}

#[test]
fn a_session_ends_unused_by_logout_and_by_another_password() {
    let (accounts, id) = with_one();
    let begin = |at| accounts.begin_session(&id, at).unwrap();
    let is_open = |session: &crate::config::secret::Secret, at| {
        accounts.session(session.expose(), at).unwrap().is_some()
    };
    let used = begin(NOW);
    let almost = SESSION_IDLE_MAX - Span::from_secs(1);
    assert!(is_open(&used, NOW + almost), "used in time");
    assert!(is_open(&used, NOW + almost + almost), "and again");
    assert!(!is_open(&used, NOW + almost + almost + SESSION_IDLE_MAX), "then not");

    let (left, other) = (begin(NOW), begin(NOW));
    accounts.end_session(left.expose()).unwrap();
    assert!(!is_open(&left, NOW) && is_open(&other, NOW));
    accounts.reset("li", "a further password of example").unwrap();
    assert!(!is_open(&other, NOW));
}

#[test]
fn another_role_holds_at_once_and_the_last_administrator_stays() {
    let (accounts, id) = with_one();
    let session = accounts.begin_session(&id, NOW).unwrap();
    let role = || accounts.session(session.expose(), NOW).unwrap().map(|it| it.role);
    assert!(accounts.set_role("Li", Role::Viewer, &Reach::Everywhere).is_err());
    assert!(accounts.set_role("Li", Role::Administrator, &Reach::Areas(vec!["town".into()])).is_err());
    assert!(accounts.remove("Li").is_err());
    assert_eq!(role(), Some(Role::Administrator), "nothing of it happened");
    accounts.add("Wang", Role::Administrator, &Reach::Everywhere, PASSWORD, NOW).unwrap();
    accounts.set_role("Li", Role::Viewer, &Reach::Everywhere).unwrap();
    assert_eq!(role(), Some(Role::Viewer));
    accounts.remove("Li").unwrap();
    assert_eq!(role(), None);
    assert!(accounts.remove("Li").is_err(), "nobody of that name");
}

#[test]
fn an_area_that_has_left_the_plan_is_nowhere() {
    let plan = forewarn_core::plan::Plan::default();
    assert_eq!(Reach::Areas(vec!["gone".into()]).scope(&plan), Scope::Areas(vec![]));
    assert_eq!(Reach::Everywhere.scope(&plan), Scope::Everywhere);
    for reach in [Reach::Everywhere, Reach::Areas(vec![]), Reach::Areas(vec!["a".into(), "b".into()])] {
        assert_eq!(Reach::from_column(reach.column()), reach);
    }
}
