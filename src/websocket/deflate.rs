//! permessage-deflate (RFC 7692): compressing and inflating. It does no I/O.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The end of each flushed block, which is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The first capacity for an inflated message, in bytes.
const STEP: usize = 1024;

/// How messages are compressed: the options of permessage-deflate.
///
/// A server accepts the offers of clients, unless its option is [`None`]; a client offers it if the
/// option is set. Messages under 32 bytes are not compressed.
///
/// A compressed connection needs memory: at 12 window bits 4 KiB to inflate, and some 80 KiB to
/// compress, from the first compressed message on; at 15 bits 32 KiB and some 300 KiB.
///
/// Corresponds to what eventlet does with the extension header, which has no options there.
///
/// # Examples
///
/// ```
/// use eventlet::websocket::Deflate;
///
/// let strong = Deflate::default().level(9).window_bits(15);
/// assert_ne!(strong, Deflate::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(super) level: u32,
    pub(super) window_bits: u8,
    pub(super) context_takeover: bool,
}

impl Deflate {
    /// Sets how hard to compress, from 1 to 9. The default is 1.
    ///
    /// # Panics
    ///
    /// At any other level.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Deflate;
    /// let _deflate = Deflate::default().level(6);
    /// ```
    #[track_caller]
    pub fn level(mut self, level: u32) -> Deflate {
        assert!(
            (1..=9).contains(&level),
            "levels of compression go from 1 to 9, and this is {level}"
        );
        self.level = level;
        self
    }

    /// Sets how far back repetitions are found, as the binary logarithm of bytes, from 9 to 15, in
    /// both directions as far as the peer allows. The default is 12.
    ///
    /// # Panics
    ///
    /// At any other number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Deflate;
    /// let _deflate = Deflate::default().window_bits(15);
    /// ```
    #[track_caller]
    pub fn window_bits(mut self, bits: u8) -> Deflate {
        assert!((9..=15).contains(&bits), "window bits go from 9 to 15, and these are {bits}");
        self.window_bits = bits;
        self
    }

    /// Chooses whether a message may refer to those before it. The default is that it may.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::websocket::Deflate;
    /// let _each_by_itself = Deflate::default().context_takeover(false);
    /// ```
    pub fn context_takeover(mut self, takeover: bool) -> Deflate {
        self.context_takeover = takeover;
        self
    }
}

impl Default for Deflate {
    fn default() -> Deflate {
        Deflate { level: 1, window_bits: 12, context_takeover: true }
    }
}

/// What is wrong with compressed data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadDeflate {
    TooBig,
    Broken,
}

/// Inflates the messages of one peer.
pub(super) struct Inflater {
    stream: Decompress,
    takeover: bool,
}

impl Inflater {
    /// What is inflated after the bytes of a message.
    pub(super) const TAIL: &[u8] = &TAIL;

    pub(super) fn new(window_bits: u8, takeover: bool) -> Inflater {
        Inflater { stream: Decompress::new_with_window_bits(false, window_bits), takeover }
    }

    /// Inflates a piece of a message, and appends it to `out`, which may not exceed the limit.
    pub(super) fn inflate(
        &mut self,
        mut piece: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), BadDeflate> {
        loop {
            if out.len() == out.capacity() {
                // One byte more than the limit shows that the message exceeds it.
                out.reserve_exact(out.len().max(STEP).min(limit.saturating_add(1) - out.len()));
            }
            let before = (self.stream.total_in(), out.len());
            let status = self.stream.decompress_vec(piece, out, FlushDecompress::Sync);
            let status = status.map_err(|_| BadDeflate::Broken)?;
            let taken = (self.stream.total_in() - before.0) as usize;
            piece = &piece[taken..];
            if out.len() > limit {
                return Err(BadDeflate::TooBig);
            }
            match status {
                Status::StreamEnd => self.stream.reset(false),
                _ if piece.is_empty() && out.len() < out.capacity() => return Ok(()),
                _ if taken == 0 && out.len() == before.1 && out.len() < out.capacity() => {
                    return Err(BadDeflate::Broken);
                }
                _ => {}
            }
        }
    }

    /// Forgets what later messages may not refer to.
    pub(super) fn end_message(&mut self) {
        if !self.takeover {
            self.stream.reset(false);
        }
    }
}

/// Compresses the messages of one side.
pub(super) struct Deflater {
    level: u32,
    window_bits: u8,
    takeover: bool,
    /// Made when the first message is compressed: many connections never send one that is.
    stream: Option<Compress>,
}

impl Deflater {
    pub(super) fn new(level: u32, window_bits: u8, takeover: bool) -> Deflater {
        Deflater { level, window_bits, takeover, stream: None }
    }

    /// Compresses a message.
    pub(super) fn deflate(&mut self, mut message: &[u8]) -> Vec<u8> {
        let (level, bits) = (Compression::new(self.level), self.window_bits);
        let stream =
            self.stream.get_or_insert_with(|| Compress::new_with_window_bits(level, false, bits));
        let mut out = Vec::with_capacity(message.len() / 2 + 64);
        loop {
            let before = stream.total_in();
            let status = stream.compress_vec(message, &mut out, FlushCompress::Sync);
            status.expect("compressing what is in memory cannot fail");
            message = &message[(stream.total_in() - before) as usize..];
            if message.is_empty() && out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len());
        }
        debug_assert!(out.ends_with(&TAIL), "a flush ends with its tail");
        out.truncate(out.len() - TAIL.len());
        if !self.takeover {
            stream.reset();
        }
        out
    }
}
