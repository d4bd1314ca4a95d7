//! Names and details as services show them: nothing in them is taken for a
//! mention, a link or a format. Most services have no way of escaping, so what
//! they would read as markup stands as its wide look-alike.

use crate::config::raw::channels::MarkupWord;

/// What a service reads as markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Nothing.
    None,
    /// Markdown, tags and entities, without an escape that all clients know.
    Markdown,
    /// Slack's mrkdwn: `&`, `<` and `>` as entities, as Slack documents.
    Slack,
}

impl From<MarkupWord> for Markup {
    fn from(word: MarkupWord) -> Markup {
        match word {
            MarkupWord::None => Markup::None,
            MarkupWord::Markdown => Markup::Markdown,
            MarkupWord::Slack => Markup::Slack,
        }
    }
}

impl Markup {
    /// A text that is shown as it reads and does nothing.
    pub(super) fn inert(self, text: &str) -> String {
        // A bare address in a name would be made a link of, by telephones too.
        let text = text.replace("://", ": //");
        let is_slack = match self {
            Markup::None => return text,
            Markup::Markdown => false,
            Markup::Slack => true,
        };
        let mut shown = String::with_capacity(text.len());
        let mut before = ' ';
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let after = rest.clone().next().unwrap_or(' ');
            match c {
                '&' if is_slack => shown.push_str("&amp;"),
                '<' if is_slack => shown.push_str("&lt;"),
                '>' if is_slack => shown.push_str("&gt;"),
                // Brackets mean nothing to Slack.
                '[' | ']' if is_slack => shown.push(c),
                // Within a word it means nothing to anybody, and paths are there to be copied.
                '_' if before.is_alphanumeric() && after.is_alphanumeric() => shown.push(c),
                _ => shown.push(wide(c).unwrap_or(c)),
            }
            before = c;
        }
        shown
    }
}

/// The wide form of a character that markdown or a mention begins with.
const fn wide(c: char) -> Option<char> {
    Some(match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '_' => '＿',
        '~' => '～',
        '`' => '｀',
        '#' => '＃',
        '@' => '＠',
        '|' => '｜',
        '\\' => '＼',
        '&' => '＆',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_name_does_nothing() {
        for (text, markdown, slack) in [
            ("@all", "＠all", "＠all"),
            ("<@userid>", "＜＠userid＞", "&lt;＠userid&gt;"),
            (
                "<at user_id=\"all\">x</at>",
                "＜at user_id=\"all\"＞x＜/at＞",
                "&lt;at user_id=\"all\"&gt;x&lt;/at&gt;",
            ),
            ("<!channel>", "＜!channel＞", "&lt;!channel&gt;"),
            (
                "[here](https://evil.example)",
                "［here］(https: //evil.example)",
                "[here](https: //evil.example)",
            ),
            ("**b** _i_ `c` # h", "＊＊b＊＊ ＿i＿ ｀c｀ ＃ h", "＊＊b＊＊ ＿i＿ ｀c｀ ＃ h"),
            ("/srv/data_2/x", "/srv/data_2/x", "/srv/data_2/x"),
            ("&lt;at&gt;", "＆lt;at＆gt;", "&amp;lt;at&amp;gt;"),
            (
                "59.10 m, +0.62 m/h (UTC+08:00)",
                "59.10 m, +0.62 m/h (UTC+08:00)",
                "59.10 m, +0.62 m/h (UTC+08:00)",
            ),
        ] {
            assert_eq!(Markup::Markdown.inert(text), markdown);
            assert_eq!(Markup::Slack.inert(text), slack);
        }
        assert_eq!(Markup::None.inert("a <b> http://x"), "a <b> http: //x");
    }
}
