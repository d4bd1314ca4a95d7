//! Who asks for something, and what they may ask for. The shell learns who it
//! is and says so with the command; the step checks it again, so that what a
//! lagging page offers decides nothing.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::ids::AreaIx;
use crate::plan::Plan;

/// What an account is trusted with; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Role {
    /// Looks, and acknowledges what was sent to it.
    #[n(0)]
    Viewer,
    /// Warns, corrects, ends, mutes, and drafts what another must approve.
    #[n(1)]
    Operator,
    /// Approves what another drafted.
    #[n(2)]
    Approver,
    /// Looks after the service itself.
    #[n(3)]
    Administrator,
}

impl Role {
    /// Every role, the least trusted first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Approver, Role::Administrator];

    /// The word that configuration, logs and JSON use.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Administrator => "administrator",
        }
    }

    /// Reads the word of a role.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Scope {
    /// In every area, and for the service as a whole.
    #[n(0)]
    Everywhere,
    /// In these areas and all that lie in them; nowhere where there are none.
    #[n(1)]
    Areas(#[n(0)] Vec<AreaIx>),
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Authority {
    /// What it is trusted with.
    #[n(0)]
    pub role: Role,
    /// Where.
    #[n(1)]
    pub scope: Scope,
}

/// What a command is about, as far as it matters who may ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground<'a> {
    /// The service as a whole.
    Service,
    /// All of these areas.
    Areas(&'a [AreaIx]),
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Denied {
    /// It takes at least this role.
    #[n(0)]
    Role(#[n(0)] Role),
    /// The role does not hold there.
    #[n(1)]
    Scope,
}

impl Authority {
    /// May do everything, everywhere: whoever owns the machine.
    pub const fn whole() -> Authority {
        Authority { role: Role::Administrator, scope: Scope::Everywhere }
    }

    /// Whether the role holds in an area of the plan. One that is not in the
    /// plan lies in no other.
    pub fn covers(&self, area: AreaIx, plan: &Plan) -> bool {
        match &self.scope {
            Scope::Everywhere => true,
            Scope::Areas(areas) => areas.iter().any(|&outer| plan.lies_in(area, outer)),
        }
    }

    /// Whether it suffices for what takes at least a role on some ground.
    pub fn check(&self, least: Role, ground: Ground<'_>, plan: &Plan) -> Result<(), Denied> {
        if self.role < least {
            return Err(Denied::Role(least));
        }
        let holds = match ground {
            Ground::Service => self.scope == Scope::Everywhere,
            Ground::Areas(areas) => areas.iter().all(|&area| self.covers(area, plan)),
        };
        if holds { Ok(()) } else { Err(Denied::Scope) }
    }
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Way {
    /// At this machine, through the control socket.
    #[n(0)]
    Shell,
    /// By the link of a message: the account is the target's opaque id.
    #[n(1)]
    Link,
    /// By a token or a login.
    #[n(2)]
    Token,
}

impl Way {
    /// The word for logs, JSON and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Way::Shell => "shell",
            Way::Link => "link",
            Way::Token => "token",
        }
    }
}

/// Who asked for something.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct By {
    /// How they showed it.
    #[n(0)]
    pub kind: Way,
    /// Which account: an opaque id, never a person's name or address.
    #[n(1)]
    pub account: String,
    /// What the account was trusted with when it asked.
    #[n(2)]
    pub authority: Authority,
}

impl By {
    /// Whoever sits at this machine, as this account.
    pub fn shell(account: impl Into<String>) -> By {
        By { kind: Way::Shell, account: account.into(), authority: Authority::whole() }
    }

    /// Whoever holds the link that was sent to a target, by its opaque id.
    pub fn link(target: impl Into<String>) -> By {
        let authority = Authority { role: Role::Viewer, scope: Scope::Everywhere };
        By { kind: Way::Link, account: target.into(), authority }
    }

    /// An account that showed a token or logged in.
    pub fn token(account: impl Into<String>, authority: Authority) -> By {
        By { kind: Way::Token, account: account.into(), authority }
    }

    /// The account of the machine itself, where no other is named.
    pub const SHELL: &'static str = "shell";
}

impl Default for By {
    /// Whoever asked before the log said who: the machine's own.
    fn default() -> Self {
        By::shell(By::SHELL)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Command, Input};
    use crate::judging::world;

    #[test]
    fn a_role_holds_in_its_areas_and_what_lies_in_them_and_nowhere_else() {
        let areas = vec![world::area("county", None), world::area("town", Some(0)), world::area("far", None)];
        let plan = Plan { areas, ..Plan::default() };
        let check = |role, scope, least, ground, expected| {
            let authority = Authority { role, scope };
            assert_eq!(authority.check(least, ground, &plan), expected, "{authority:?} {ground:?}");
        };
        let county = || Scope::Areas(vec![AreaIx(0)]);
        let (town, both) = ([AreaIx(1)], [AreaIx(1), AreaIx(2)]);
        check(Role::Operator, county(), Role::Operator, Ground::Areas(&town), Ok(()));
        check(Role::Operator, county(), Role::Operator, Ground::Areas(&both), Err(Denied::Scope));
        check(Role::Operator, Scope::Everywhere, Role::Operator, Ground::Areas(&both), Ok(()));
        let above = Err(Denied::Role(Role::Approver));
        check(Role::Operator, Scope::Everywhere, Role::Approver, Ground::Areas(&town), above);
        // The service as a whole is in nobody's area.
        check(Role::Administrator, county(), Role::Operator, Ground::Service, Err(Denied::Scope));
        check(Role::Approver, Scope::Areas(vec![]), Role::Viewer, Ground::Areas(&town), Err(Denied::Scope));
        check(Role::Operator, county(), Role::Operator, Ground::Areas(&[AreaIx(9)]), Err(Denied::Scope));
    }

    #[test]
    fn a_command_from_before_the_log_said_who_is_the_machines_own() {
        // As the release before wrote `Resume`: variant 7 with one field, variant 5 with none.
        let former = [0x82, 0x07, 0x81, 0x82, 0x05, 0x80];
        let read: Input = minicbor::decode(&former).expect("it reads");
        assert!(
            matches!(read, Input::Command(what, by) if *what == Command::Resume && by == By::shell(By::SHELL))
        );
    }
}
