//! Why something was refused: a closed set, each counted, each with the words
//! that MQTT 5 has for it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;
use rmqtt_codec::v5::DisconnectReasonCode as Code;

macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident, $label:literal, $code:ident;)+) => {
        /// Why the listener refused something; the label of
        /// `forewarn_listener_refused_total`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[$meta])* $name,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// As metrics and logs call it.
            pub const fn label(self) -> &'static str {
                match self { $(Reason::$name => $label,)+ }
            }

            /// As an MQTT 5 DISCONNECT says it.
            pub(super) const fn code(self) -> Code {
                match self { $(Reason::$name => Code::$code,)+ }
            }
        }
    };
}

reasons! {
    /// `connections_max` reached, and nobody had to give way.
    TooManyConnections, "too_many_connections", QuotaExceeded;
    /// Gave its place to a newer connection before it had sent its CONNECT.
    GaveWay, "gave_way", ServerBusy;
    /// No whole CONNECT within `handshake_max`.
    HandshakeSlow, "handshake_slow", MaximumConnectTime;
    /// The TLS handshake failed.
    TlsFailed, "tls_failed", NotAuthorized;
    /// The first packet was no CONNECT.
    NotConnect, "not_connect", ProtocolError;
    /// Neither MQTT 3.1.1 nor 5.
    Version, "version", ProtocolError;
    /// CONNECT with flags that contradict each other.
    ConnectFlags, "connect_flags", MalformedPacket;
    /// CONNECT without user name and password.
    CredentialsMissing, "credentials_missing", NotAuthorized;
    /// No such identity, or not its secret.
    CredentialsWrong, "credentials_wrong", NotAuthorized;
    /// The identity was removed or its secret changed while it was connected.
    CredentialsWithdrawn, "credentials_withdrawn", NotAuthorized;
    /// An authentication method besides user name and password.
    AuthMethod, "auth_method", BadAuthenticationMethod;
    /// A client id that is empty, too long or holds `+`, `#`, `/` or control characters.
    ClientId, "client_id", NotAuthorized;
    /// The client id of another identity that is connected.
    ClientIdTaken, "client_id_taken", NotAuthorized;
    /// The same client connected again.
    TakenOver, "taken_over", SessionTakenOver;
    /// Bytes that are no MQTT.
    Malformed, "malformed", MalformedPacket;
    /// Declared larger than allowed; nothing of it was taken.
    PacketTooLarge, "packet_too_large", PacketTooLarge;
    /// Reserved bits set.
    ReservedFlags, "reserved_flags", MalformedPacket;
    /// Bytes behind the end of a packet's content.
    TrailingBytes, "trailing_bytes", MalformedPacket;
    /// Packet id 0.
    PacketIdZero, "packet_id_zero", ProtocolError;
    /// A second CONNECT.
    SecondConnect, "second_connect", ProtocolError;
    /// A packet that a publisher has no reason to send.
    UnexpectedPacket, "unexpected_packet", ProtocolError;
    /// A message of QoS 2.
    QosTwo, "qos_2", QosNotSupported;
    /// A message of QoS 0 marked as sent again.
    DuplicateQosZero, "duplicate_qos_0", MalformedPacket;
    /// No topic, and no alias for one.
    TopicEmpty, "topic_empty", ProtocolError;
    /// A topic with wildcards, NUL, control or non-characters.
    TopicCharacters, "topic_characters", TopicNameInvalid;
    /// A topic longer than allowed.
    TopicTooLong, "topic_too_long", TopicNameInvalid;
    /// An alias out of range, or not set before.
    TopicAlias, "topic_alias", TopicAliasInvalid;
    /// A lawful topic that no device has reason to use; kept as not understood.
    TopicUnusual, "topic_unusual", TopicNameInvalid;
    /// More unacknowledged messages than announced.
    ReceiveMaximum, "receive_maximum", ReceiveMaximumExceeded;
    /// A topic filter against the rules.
    FilterInvalid, "filter_invalid", TopicFilterInvalid;
    /// A wish to subscribe: this listener only takes in. The connection stays.
    Subscription, "subscription", NotAuthorized;
    /// A will: taken, never used. The connection stays.
    Will, "will", NotAuthorized;
    /// Silent for one and a half keep-alives.
    KeepAlive, "keep_alive", KeepAliveTimeout;
    /// The inbox was full for too long; unacknowledged, so it comes again.
    InboxFull, "inbox_full", ServerBusy;
    /// Messages of QoS 0 shed because the inbox was full.
    Shed, "shed", ServerBusy;
    /// The peer does not take its answers.
    WriteSlow, "write_slow", UnspecifiedError;
    /// An answer larger than the client allows.
    AnswerTooLarge, "answer_too_large", PacketTooLarge;
    /// The listener's source left the configuration.
    SourceGone, "source_gone", AdministrativeAction;
    /// A defect of ours ended the connection.
    Defect, "defect", UnspecifiedError;
}

/// What was wrong, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Which of the reasons.
    pub(super) reason: Reason,
    /// What was met and what was expected.
    pub(super) detail: Cow<'static, str>,
}

impl Fault {
    /// A fault with its detail.
    pub(super) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Fault { reason, detail: detail.into() }
    }
}

/// How often each reason came up since the start.
#[derive(Debug)]
pub(super) struct Tally([AtomicU64; Reason::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Tally(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Tally {
    /// Counts `times` more of a reason, here and in the metrics.
    pub(super) fn count(&self, reason: Reason, times: u64) {
        self.0[reason as usize].fetch_add(times, Ordering::Relaxed);
        counter!("forewarn_listener_refused_total", "reason" => reason.label()).increment(times);
    }

    /// How often so far.
    pub(super) fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_fit_for_metrics() {
        let mut labels: Vec<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        assert!(
            labels.iter().all(|label| label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
        );
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
    }
}
