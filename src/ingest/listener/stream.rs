//! Reading, writing and closing, each within its limits.
//!
//! Reads go through one buffer a thread: a buffer a connection would cost
//! 64 kB for each of thousands that are silent most of the time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::limits::{GOODBYE_BYTES_MAX, GOODBYE_MAX, OUT_BYTES_KEPT, READ_BYTES, WRITE_MAX};
use super::refusal::{Fault, Reason};

/// The codec reserves a few bytes ahead behind each packet; with these in
/// hand it does not allocate for them.
const SLACK: usize = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Appends what there is to read to `carry`; 0 at the end. Nothing is lost
/// when it is dropped while waiting.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S, carry: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|context| {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            let read = buffer.filled();
            carry.reserve(read.len() + SLACK);
            carry.extend_from_slice(read);
            Poll::Ready(Ok(read.len()))
        })
    })
    .await
}

/// Why a write did not succeed.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The peer is gone.
    Gone,
    /// The peer does not take it.
    Slow(Fault),
}

/// Writes all of `out` at once and empties it.
pub(super) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    out: &mut BytesMut,
) -> Result<(), WriteError> {
    let written = timeout(WRITE_MAX, async {
        stream.write_all(out).await?;
        // Bytes of TLS may still stand in its own buffer.
        stream.flush().await
    })
    .await;
    if out.capacity() > OUT_BYTES_KEPT {
        *out = BytesMut::new();
    } else {
        out.clear();
    }
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(WriteError::Gone),
        Err(_) => {
            let detail = format!("answers not taken within {} s", WRITE_MAX.as_secs());
            Err(WriteError::Slow(Fault::new(Reason::WriteSlow, detail)))
        }
    }
}

/// Writes the last words, closes, and reads on for a moment: closing on
/// unread bytes would tear the last words away.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, last: &[u8]) {
    // Whether the peer still listens no longer matters.
    let _ = timeout(GOODBYE_MAX, async {
        stream.write_all(last).await?;
        stream.shutdown().await?;
        let mut unread = BytesMut::new();
        let mut left = GOODBYE_BYTES_MAX;
        while left > 0 {
            let read = read(stream, &mut unread).await?;
            if read == 0 {
                break;
            }
            unread.clear();
            left = left.saturating_sub(read);
        }
        io::Result::Ok(())
    })
    .await;
}
