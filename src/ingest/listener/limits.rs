//! Every limit of the listener that is not configured, with what happens at it.

use std::num::NonZeroU16;
use std::time::Duration;

/// Largest CONNECT, bytes: nothing larger is kept for a peer that has not yet
/// said who it is. Beyond it the connection is closed.
pub(super) const CONNECT_BYTES_MAX: usize = 16 * 1024;

/// Bytes taken from a socket at once. One buffer a thread, not one a connection.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// QoS 1 messages of one connection that wait for their PUBACK. MQTT 5 is told
/// (Receive Maximum) and closed beyond it; 3.1.1 is not read further meanwhile.
pub(super) const IN_FLIGHT_MAX: NonZeroU16 = NonZeroU16::new(1024).expect("1,024 is not zero");

/// Longest topic, bytes. Beyond it the connection is closed.
pub(super) const TOPIC_BYTES_MAX: usize = 1024;

/// Topic aliases that one MQTT 5 connection may set. Beyond it the connection is closed.
pub(super) const TOPIC_ALIAS_MAX: u16 = 16;

/// Longest client id, bytes. Beyond it CONNECT is refused.
pub(super) const CLIENT_ID_BYTES_MAX: usize = 256;

/// How long a full inbox may hold up QoS 1 messages of a connection. Then it is
/// closed, they unacknowledged: the device keeps them and sends again.
pub(super) const INBOX_WAIT_MAX: Duration = Duration::from_secs(10);

/// Pause between two offers of the same messages to an inbox that has room, but not for them.
pub(super) const INBOX_PAUSE: Duration = Duration::from_millis(10);

/// How long a peer may take to accept what is written to it. Then it is closed.
pub(super) const WRITE_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for acknowledgements still owed. Then they are left:
/// what is not acknowledged is sent again.
pub(super) const STOP_MAX: Duration = Duration::from_secs(5);

/// How long a closing connection may take to say goodbye, and how much it may
/// still send meanwhile; closing on unread bytes would tear the reason away.
pub(super) const GOODBYE_MAX: Duration = Duration::from_millis(500);
/// See [`GOODBYE_MAX`].
pub(super) const GOODBYE_BYTES_MAX: usize = 256 * 1024;

/// How long a connection that has not yet sent its CONNECT is safe from giving
/// way to a newer one when all places are taken.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Pause after the system refused to accept (no more file descriptors).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Keep-alive told to an MQTT 5 client that asked for none, seconds.
pub(super) const KEEP_ALIVE_SECS: u16 = 3600;

/// Silence allowed to a 3.1.1 client that asked for no keep-alive: such a
/// connection is otherwise never seen to be dead.
pub(super) const SILENCE_MAX: Duration = Duration::from_hours(24);

/// Bytes of an unfinished packet that count as a sign of life: a large packet
/// on a slow line may take longer than the keep-alive.
pub(super) const LIFE_BYTES: usize = 512;

/// Room that the buffer for answers keeps between writes, bytes.
pub(super) const OUT_BYTES_KEPT: usize = 4 * 1024;
