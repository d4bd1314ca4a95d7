//! What `forewarn.toml` says of robots of chat groups and of the gateway for
//! text messages. Whoever knows a robot's address can speak as it: that
//! address is a secret.

use std::collections::BTreeMap;

use super::secret::SecretRef;
use super::table::{At, raw};
use super::words::{Text, Word};

/// Robots of one service, by name.
pub(crate) type Robots = BTreeMap<String, At<Robot>>;

raw! {
    /// Robots of chat groups, by service and by the name that contacts.csv uses.
    pub(crate) struct Chat {
        /// 企业微信, `WeCom`.
        wecom: Option<Robots>,
        /// 钉钉, `DingTalk`.
        dingtalk: Option<Robots>,
        /// 飞书, Feishu, and Lark.
        feishu: Option<Robots>,
        /// Slack, and what takes its messages.
        slack: Option<Robots>,
        /// Microsoft Teams.
        teams: Option<Robots>,
    }
}

impl Chat {
    /// Robots by service.
    pub(crate) fn services(&self) -> [(&'static str, Option<&Robots>); 5] {
        [
            ("wecom", self.wecom.as_ref()),
            ("dingtalk", self.dingtalk.as_ref()),
            ("feishu", self.feishu.as_ref()),
            ("slack", self.slack.as_ref()),
            ("teams", self.teams.as_ref()),
        ]
    }

    /// Every robot with the path of its table.
    pub(crate) fn robots(&self) -> impl Iterator<Item = (String, &Robot)> {
        self.services().into_iter().flat_map(|(service, robots)| {
            let robots = robots.into_iter().flatten();
            robots.map(move |(name, robot)| (format!("chat.{service}.{name}"), &robot.value))
        })
    }
}

raw! {
    /// A robot of a chat group.
    pub(crate) struct Robot {
        /// Its address, by reference: whoever knows it can speak as the robot.
        url: At<SecretRef>,
        /// What its messages are signed with: `DingTalk` (加签) and Feishu (签名校验).
        secret: Option<At<SecretRef>>,
    }
}

raw! {
    /// The gateway for text messages.
    pub(crate) struct Sms {
        /// Its address, by reference.
        url: At<SecretRef>,
        /// A bearer token.
        token: Option<At<SecretRef>>,
        /// User name, with password.
        user: Option<At<Text>>,
        /// Password.
        password: Option<At<SecretRef>>,
        /// Segments of one text at most, each 70 characters (160 of plain English): from 3 to 10.
        /// Default 5, as channels/sms.toml says.
        segments_max: Option<At<u32>>,
    }
}

/// A telephone number as gateways take it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phone(pub(crate) String);

impl Word for Phone {
    const EXPECTED: &'static str =
        "a telephone number such as +8613800001111: digits, with or without + first";

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let sound = (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| Phone(text.to_owned()))
    }

    fn shown(_: &str) -> String {
        "not a telephone number".to_owned()
    }
}
