//! What the trail tells of: told from a record of the log alone, so that the
//! same record always tells the same.

use forewarn_core::authority::By;
use forewarn_core::event::{Command, Decision, Input, TroubleReport};
use forewarn_core::ids::{IndexKind, OutputId, TargetIx};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Due, Outcome, Phase, Revision};
use minicbor::Encode;
use sha2::{Digest as _, Sha256};

use crate::config::targets::hex;
use crate::log::{Indices, Record};

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Civil time.
    pub at: Timestamp,
    /// The log's position; `None` where it does not stand in the log.
    pub position: Option<u64>,
    /// What, as a word for machines.
    pub what: &'static str,
    /// Who; empty where the service did by itself.
    pub by: String,
    /// To what: ids, never a name or an address of a person.
    pub about: String,
    /// What came of it, or more to say.
    pub says: String,
    /// SHA-256 of all of it, as the log encodes it.
    pub sum: Option<[u8; 32]>,
}

impl Deed {
    /// One that does not stand in the log.
    pub fn at_the_door(
        at: Timestamp,
        what: &'static str,
        by: impl Into<String>,
        about: impl Into<String>,
        says: impl Into<String>,
    ) -> Deed {
        let (by, about, says) = (by.into(), about.into(), says.into());
        Deed { at, position: None, what, by, about, says, sum: None }
    }
}

/// What a record tells of, in order: each input that counts, and what was decided on it.
pub fn deeds(record: &Record, names: &Indices) -> Vec<Deed> {
    let teller = Teller { names };
    let mut decisions = record.decisions.iter().peekable();
    let mut deeds = vec![];
    for (index, input) in (0_u32..).zip(&record.inputs) {
        let at = record.at + record.offset;
        let position = Some(record.first.0 + u64::from(index));
        let whole = |told: Told, sum| Deed {
            at,
            position,
            what: told.what,
            by: told.by,
            about: told.about,
            says: told.says,
            sum: Some(sum),
        };
        deeds.extend(teller.input(input).map(|told| whole(told, sum(input))));
        while let Some((_, decision)) = decisions.next_if(|(of, _)| *of == index) {
            deeds.extend(teller.decision(decision).map(|told| whole(told, sum(decision))));
        }
    }
    deeds
}

fn sum<T: Encode<()>>(whole: &T) -> [u8; 32] {
    let bytes = minicbor::to_vec(whole).expect("encoding into a Vec cannot fail");
    Sha256::digest(bytes).into()
}

/// The legible part of a deed.
#[derive(Debug, Default)]
struct Told {
    what: &'static str,
    by: String,
    about: String,
    says: String,
}

impl Told {
    fn new(what: &'static str, about: impl Into<String>, says: impl Into<String>) -> Told {
        Told { what, by: String::new(), about: about.into(), says: says.into() }
    }
}

struct Teller<'a> {
    names: &'a Indices,
}

impl Teller<'_> {
    fn input(&self, input: &Input) -> Option<Told> {
        Some(match input {
            // Readings are kept by the stores; the rest follows from what stands here anyway.
            Input::Reading(_) | Input::Tick | Input::Assign(_) | Input::Trouble(_) | Input::Canary(_) => {
                return None;
            }
            Input::Started(started) => {
                let trust = if started.trusted { "clock trusted" } else { "clock not trusted" };
                Told::new("started", format!("{:016x}", started.run.0), trust)
            }
            Input::Plan(plan) => {
                Told::new("plan", hex(&plan.id.0), if plan.orphan { "orphaning" } else { "" })
            }
            Input::Clock(step) => {
                let trust = if step.trusted { "trusted" } else { "not trusted" };
                Told::new("clock", "", format!("{trust}, {} us from engine time", step.offset.0))
            }
            Input::Source(source, up) => {
                let source = self.name(IndexKind::Source, source.0);
                Told::new(if *up { "source-up" } else { "source-down" }, source, "")
            }
            Input::Outcome(outcome) => {
                let about = format!(
                    "{}#{} to {}",
                    warning(&outcome.warning),
                    outcome.number,
                    self.target(outcome.target)
                );
                let what = match outcome.outcome {
                    Outcome::Accepted => "delivery-accepted",
                    Outcome::Superseded => "delivery-superseded",
                    Outcome::Dead(_) => "delivery-dead",
                };
                let says = match outcome.outcome {
                    Outcome::Accepted | Outcome::Superseded => "",
                    Outcome::Dead(death) => death.word(),
                };
                Told::new(what, about, says)
            }
            Input::Command(command, by) => self.command(command, by),
            // One that goes alone is told by what becomes of it.
            Input::Bundled(bundle) if !bundle.is_digest() => return None,
            Input::Bundled(bundle) => {
                let about = format!("{} to {}", bundle.key, self.target(bundle.target));
                Told::new("digest-fixed", about, format!("{} deliveries", bundle.members.len()))
            }
            Input::Intake(taken) => {
                Told::new(if *taken { "intake-resumed" } else { "intake-stopped" }, "", "")
            }
        })
    }

    fn command(&self, command: &Command, by: &By) -> Told {
        let told = match command {
            Command::NotifyTest(targets, text) => {
                Told::new("command-notify-test", self.targets(targets), text)
            }
            Command::AllClear(cell, text) => Told::new("command-all-clear", self.cell(*cell), text),
            Command::Cancel(cell, text) => Told::new("command-cancel", self.cell(*cell), text),
            Command::Resend(id, target) => {
                Told::new("command-resend", format!("{} to {}", warning(id), self.target(*target)), "")
            }
            Command::Resume => Told::new("command-resume", "", ""),
            Command::Acknowledge(id, number, target) => {
                let about = format!("{}#{number} at {}", warning(id), self.target(*target));
                Told::new("command-acknowledge", about, "")
            }
            Command::Correct(id, texts) => Told::new("command-correct", warning(id), &*texts.en.headline),
            Command::Propose(_) => Told::new("command-propose", "", ""),
            Command::Approve(id, digest) => Told::new("command-approve", warning(id), digest.to_string()),
            Command::Withdraw(id, why) => Told::new("command-withdraw", warning(id), why),
            Command::Unmute(id) => Told::new("command-unmute", warning(id), ""),
            Command::Note(id, text) => {
                Told::new("command-note", id.as_ref().map(warning).unwrap_or_default(), text)
            }
            Command::End(id, _, text) => Told::new("command-end", warning(id), text),
        };
        Told { by: format!("{by} ({})", by.authority.role), ..told }
    }

    fn decision(&self, decision: &Decision) -> Option<Told> {
        Some(match decision {
            Decision::Incident(incident) => {
                let says = format!("{} {}", phase(incident.phase), incident.level);
                Told::new("incident", self.cell(incident.cell), says)
            }
            Decision::Revision(revision) => self.revision(revision),
            Decision::WouldHave(late) => {
                let about = format!("rule {}", self.name(IndexKind::Rule, late.rule.0));
                Told::new("would-have-warned", about, "")
            }
            Decision::Trouble(TroubleReport { key, present, detail }) => {
                let what = if *present { "trouble" } else { "trouble-over" };
                Told::new(what, format!("{} {}", key.code.word(), key.subject).trim_end(), detail)
            }
            Decision::PlanRefused(why) => Told::new("plan-refused", "", why),
            Decision::Resumed => Told::new("resumed", "", ""),
            Decision::Resent { warning: id, number, due } => {
                Told::new("resent", format!("{}#{number}", warning(id)), self.dues(&[*due]))
            }
            Decision::Asked { warning: id, number, asks: _, due } => {
                Told::new("asked", format!("{}#{number}", warning(id)), self.dues(due))
            }
            Decision::Acknowledged { warning: id, number, target, reach: _ } => {
                Told::new("acknowledged", format!("{}#{number}", warning(id)), self.target(*target))
            }
            Decision::Refused(refusal) => Told::new("refused", "", refusal.word()),
            Decision::Drafted(draft) => Told::new("draft", warning(&draft.id), draft.stage.word()),
            Decision::Muted(mute) => Told::new("mute", warning(&mute.id), &*mute.silence.reason),
            Decision::Noted(note) => {
                Told::new("noted", note.warning.as_ref().map(warning).unwrap_or_default(), &*note.text)
            }
            Decision::Lapsed(id) => Told::new("lapsed", warning(id), ""),
            // It warns nobody, and comes every minute.
            Decision::Canary(_) => return None,
        })
    }

    fn revision(&self, revision: &Revision) -> Told {
        let about = match &revision.about {
            About::Incident(cell) => self.cell(*cell),
            About::Trouble(key) => format!("{} {}", key.code.word(), key.subject).trim_end().into(),
            About::NotifyTest => "notify-test".into(),
            About::Canary(_) => "canary".into(),
            About::Manual(by_hand) => format!("by hand, draft {}", warning(&by_hand.draft)),
        };
        let Revision { kind, reason, status, level, number, .. } = revision;
        let due = self.dues(&revision.due);
        let says = format!("{} {} {level} {status} to {due}", kind.word(), reason.word());
        Told::new("revision", format!("{}#{number} {about}", warning(&revision.warning)), says)
    }

    fn cell(&self, cell: Cell) -> String {
        let hazard = self.name(IndexKind::Hazard, cell.hazard.0);
        format!("{hazard}/{}", self.name(IndexKind::Area, cell.area.0))
    }

    fn target(&self, target: TargetIx) -> String {
        self.name(IndexKind::Target, target.0)
    }

    fn targets(&self, targets: &[TargetIx]) -> String {
        targets.iter().map(|&target| self.target(target)).collect::<Vec<_>>().join(" ")
    }

    fn dues(&self, due: &[Due]) -> String {
        if due.is_empty() {
            return "nobody".into();
        }
        let one = |due: &Due| match due.round {
            0 => self.target(due.target),
            round => format!("{} (round {round})", self.target(due.target)),
        };
        due.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// An index without a name is one whose assignment was lost.
    fn name(&self, kind: IndexKind, index: u32) -> String {
        self.names.name(kind, index).map_or_else(|| format!("#{index}"), str::to_owned)
    }
}

/// As commands and pages call a warning.
fn warning(id: &OutputId) -> String {
    hex(&id.digest().0)
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Watching => "watching",
        Phase::Pending => "pending",
        Phase::Active => "active",
        Phase::Easing => "easing",
        Phase::Closed => "closed",
    }
}
