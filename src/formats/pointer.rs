//! JSON pointers (RFC 6901), gathered into one tree, so that one pass over a
//! payload finds all of them and keeps nothing else.

/// Keys that pointers may name in one object.
pub(super) const KEYS_MAX: usize = 128;

/// The reference tokens of a pointer: `/a/b` is `a`, then `b`; the empty pointer is the whole document.
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return Err(format!("{text:?} is no JSON pointer, expected one such as \"/{text}\""));
    };
    rest.split('/').map(|token| unescape(token, text)).collect()
}

fn unescape(token: &str, whole: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(char) = rest.next() {
        match (char, if char == '~' { rest.next() } else { None }) {
            ('~', Some('0')) => plain.push('~'),
            ('~', Some('1')) => plain.push('/'),
            ('~', _) => return Err(format!("{whole:?} has a lone ~, expected ~0 for ~ or ~1 for /")),
            (char, _) => plain.push(char),
        }
    }
    Ok(plain)
}

/// A place in a document that some pointer names or passes.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) children: Vec<Child>,
    /// Stands for every element of an array: the first that has a value wins.
    pub(super) each: Option<Box<Node>>,
    /// What is found here goes to these places.
    pub(super) slots: Vec<usize>,
    pub(super) others: Others,
}

/// What becomes of keys that no pointer names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Others {
    /// They are passed over.
    #[default]
    Skipped,
    /// Their numbers are kept by name: each may be a quantity.
    Gathered,
    /// They are SenML's: passed over, but for those that end in `_`, which
    /// whoever does not understand must refuse (RFC 8428, section 4.4).
    Labelled,
}

#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) key: Box<str>,
    /// The key as an index, where it is one.
    pub(super) index: Option<usize>,
    pub(super) node: Node,
}

impl Node {
    /// Puts what stands at a pointer into a slot.
    pub(super) fn add(&mut self, tokens: &[String], slot: usize) -> Result<(), String> {
        self.reach(tokens)?.slots.push(slot);
        Ok(())
    }

    /// The node at a pointer, made where it is not there yet.
    pub(super) fn reach(&mut self, tokens: &[String]) -> Result<&mut Node, String> {
        let Some((first, rest)) = tokens.split_first() else { return Ok(self) };
        let found = self.children.iter().position(|child| *child.key == **first);
        let at = match found {
            Some(at) => at,
            None if self.children.len() == KEYS_MAX => {
                return Err(format!("more than {KEYS_MAX} keys of one object are mapped"));
            }
            None => {
                let index = (first == "0" || !first.starts_with('0')).then(|| first.parse().ok()).flatten();
                self.children.push(Child { key: first.as_str().into(), index, node: Node::default() });
                self.children.len() - 1
            }
        };
        self.children[at].node.reach(rest)
    }

    /// The node that stands for every element of the array at a pointer.
    pub(super) fn reach_each(&mut self, tokens: &[String]) -> Result<&mut Node, String> {
        Ok(self.reach(tokens)?.each.get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_read_as_rfc_6901_has_them() {
        for (text, tokens) in [
            ("", &[][..]),
            ("/", &[""]),
            ("/foo/0", &["foo", "0"]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/m~01n", &["m~1n"]),
            ("/ ", &[" "]),
        ] {
            assert_eq!(parse(text).expect(text), tokens, "{text}");
        }
        for text in ["foo", "/a~", "/a~2b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
