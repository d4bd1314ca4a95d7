use std::path::Path;

use super::*;
use crate::channels::words::{Given, Messages};

fn check(code: TroubleCode, said: &str, zh: &str) {
    let messages = Messages::read(&Given::new());
    assert_eq!(told(code, said, messages.language("zh")), zh);
    assert_eq!(told(code, said, messages.language("en")), said, "in English it stays as it was said");
}

#[test]
fn a_detail_is_told_in_the_readers_language() {
    use TroubleCode as Code;
    check(Code::SensorSilent, "no reading from qj-017/level for 15 min", "qj-017/level 已有 15 分钟没有读数");
    check(Code::SensorSilent, "no reading from qj-017/level for 35 s", "qj-017/level 已有 35 秒没有读数");
    check(
        Code::DomainSilent,
        "gw0 seems down: 40 of 120 sensors behind it are silent so far: s0, s1 and 38 more",
        "gw0 似乎中断：其后 120 个传感器中目前有 40 个没有数据：s0, s1 等，另有 38 个",
    );
    check(
        Code::DomainSilent,
        "3 of 3 sensors behind the whole site are silent: s0, s1, s2",
        "整个站网所属的 3 个传感器中有 3 个没有数据：s0, s1, s2",
    );
    check(
        Code::SourceDown,
        "source lora is down; it blinds 0 of the sensors",
        "来源 lora 中断，0 个传感器因此无法监测",
    );
    check(
        Code::DeadLetter,
        "a delivery to t-1 was given up: the receiver refused it for good",
        "发往 t-1 的投递已放弃：接收方永久拒收",
    );
    check(
        Code::Diverged,
        "records from position 7 on are by engine version 2, this is 1: what was decided stands; run the later release again, or compare",
        "自位置 7 起的记录由引擎版本 2 写成，本版本为 1：已作出的判断继续有效；请重新运行较新的版本，或加以比对",
    );
    check(
        Code::Diverged,
        "/d/snapshots/9.snap is by engine version 2, this is 1: not read; run the later release again, or compare what this one makes of the log",
        "/d/snapshots/9.snap 由引擎版本 2 写成，本版本为 1：未读取；请重新运行较新的版本，或比对本版本根据日志作出的判断",
    );
    check(
        Code::Rot,
        "log/01.seg at 4096: 64 bytes a record does not read back; positions 7..9 are lost",
        "log/01.seg 偏移 4096，64 字节：一条记录读出的内容与写入时不同；位置 7 至 9 丢失",
    );
    check(
        Code::Rot,
        "log: these positions are in no segment; positions 7..9 are lost",
        "log：这些位置不在任何段中；位置 7 至 9 丢失",
    );
    check(
        Code::Rot,
        "log/01.seg at 4096: 64 bytes a record does not read back; positions 7..9 are lost; and 2 more, each in the service's own log",
        "log/01.seg 偏移 4096，64 字节：一条记录读出的内容与写入时不同；位置 7 至 9 丢失；另有 2 处，均见服务自身的日志",
    );
}

#[test]
fn what_people_order_is_told_in_the_readers_language() {
    use TroubleCode as Code;
    check(
        Code::ApprovalWaiting,
        "maintenance of qj-017/level, drafted by li, has waited 60 s for approval",
        "qj-017/level 的检修，由 li 起草，已等待批准 60 秒",
    );
    check(
        Code::ApprovalWaiting,
        "a mute of upper, drafted by li, was approved by wang",
        "对 upper 的静默，由 li 起草，已由 wang 批准",
    );
    check(
        Code::Muted,
        "the mute of upper by li is over; messages that it hid: 2, of flood/upper, flood/lower",
        "li 对 upper 的静默已结束；隐去信息 2 条，涉及 flood/upper, flood/lower",
    );
    let messages = Messages::read(&Given::new());
    let said = "a red warning of flood/upper, drafted by li, expired: nobody approved it";
    let told = told(Code::ApprovalWaiting, said, messages.language("zh"));
    assert_eq!(told, "flood/upper 的红色（I级）预警，由 li 起草，无人批准，已失效");
}

#[test]
fn a_level_has_the_name_that_mails_give_it() {
    let (said, messages) = ("nobody is routed to hear of flood@qj at red", Messages::read(&Given::new()));
    for (language, shown) in [
        ("zh", "flood@qj 达到红色（I级），但没有任何人会收到"),
        ("en", "nobody is routed to hear of flood@qj at RED (grade I)"),
    ] {
        assert_eq!(told(TroubleCode::Unrouted, said, messages.language(language)), shown);
    }
}

#[test]
fn what_is_no_known_sentence_stays_as_it_was_said() {
    for said in ["", "anything at all", "no reading from x for 3 h", "7 of 9"] {
        check(TroubleCode::SensorSilent, said, said);
    }
    // A sentence of another trouble is none of this one's.
    check(TroubleCode::DiskLow, "no reading from x for 3 min", "no reading from x for 3 min");
}

/// The sentences of the words are those of the source, letter by letter: a word
/// changed in one place alone would leave a detail in English.
#[test]
fn every_sentence_stands_in_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    for folder in ["core/src/judging", "src"] {
        read(&root.join(folder), &mut source);
    }
    assert!(SAID.len() > 30, "the words hold the sentences");
    for (path, sentence) in &*SAID {
        let sentence = without_names(sentence);
        // What another sentence says before it may be put before it.
        let said = [&*sentence, sentence.trim_start_matches("{}")].map(|text| format!("\"{text}\""));
        assert!(said.iter().any(|text| source.contains(text)), "{path}: {sentence:?} is said nowhere");
    }
}

/// All source below a folder, each text on one line and its blanks without names.
fn read(folder: &Path, source: &mut String) {
    for entry in std::fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            read(&path, source);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let mut lines = text.split("\\\n");
            source.push_str(&without_names(lines.next().unwrap_or_default()));
            lines.for_each(|line| source.push_str(&without_names(line.trim_start())));
        }
    }
}

fn without_names(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut pieces = text.split('{');
    shown.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        shown.push('{');
        // Blanks are short and on one line; a block of code is neither.
        let blank =
            piece.split_once('}').filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        match blank {
            Some((_, rest)) => {
                shown.push('}');
                shown.push_str(rest);
            }
            None => shown.push_str(piece),
        }
    }
    shown
}
