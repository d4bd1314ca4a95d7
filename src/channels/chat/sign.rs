//! How services check who speaks: an HMAC over the time, each in its own way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use serde_json::Value;
use sha2::Sha256;

use crate::config::raw::channels::SignWord;
use crate::config::secret::Secret;

/// A way of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Key: the secret; text: `milliseconds\nsecret`; in the query as `timestamp` and `sign`.
    Dingtalk,
    /// Key: `seconds\nsecret`; text: nothing; in the body as `timestamp` and `sign`.
    Feishu,
}

impl From<SignWord> for Sign {
    fn from(word: SignWord) -> Sign {
        match word {
            SignWord::Dingtalk => Sign::Dingtalk,
            SignWord::Feishu => Sign::Feishu,
        }
    }
}

impl Sign {
    /// Signs a request at an instant of civil time.
    pub(super) fn sign(self, secret: &Secret, secs: i64, url: &mut Url, body: &mut Value) {
        match self {
            Sign::Dingtalk => {
                let timestamp = (secs * 1000).to_string();
                let text = format!("{timestamp}\n{}", secret.expose());
                let signed = mac(secret.expose().as_bytes(), text.as_bytes());
                // What is added is encoded as queries are: base64 has + / and = in it.
                url.query_pairs_mut().append_pair("timestamp", &timestamp).append_pair("sign", &signed);
            }
            Sign::Feishu => {
                let timestamp = secs.to_string();
                let key = format!("{timestamp}\n{}", secret.expose());
                let signed = mac(key.as_bytes(), b"");
                if let Value::Object(body) = body {
                    body.insert("timestamp".into(), timestamp.into());
                    body.insert("sign".into(), signed.into());
                }
            }
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac`, not with this code.
    #[test]
    fn signatures_are_those_the_services_compute() {
        let secret = Secret::new("SECthis is secret");
        let mut url = Url::parse("https://oapi.example/robot/send?access_token=abc").expect("a URL");
        let mut body = json!({ "msg_type": "text" });
        Sign::Dingtalk.sign(&secret, 1_783_970_400, &mut url, &mut body);
        assert_eq!(
            url.query(),
            Some(
                "access_token=abc&timestamp=1783970400000&sign=CS2Lx4QYrDL3PZHZhtPP%2F7YzZQkvKawT93JcFe2DscQ%3D"
            )
        );
        assert_eq!(body, json!({ "msg_type": "text" }));
        Sign::Feishu.sign(&secret, 1_783_970_400, &mut url, &mut body);
        let expected = "fH0J/criY7THNY3qYt7jk5qhqX8ZIIaiA8I3eKywONE=";
        assert_eq!(body, json!({ "msg_type": "text", "timestamp": "1783970400", "sign": expected }));
    }
}
