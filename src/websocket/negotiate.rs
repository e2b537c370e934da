//! Agreeing on permessage-deflate: the header `Sec-WebSocket-Extensions` (RFC 7692).

use std::fmt::Write;

use super::deflate::{Deflate, Deflater, Inflater};

const NAME: &str = "permessage-deflate";
const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The parameters of an offer or of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_bits: Option<u8>,
    /// In an offer the number may be missing, which is as good as 15.
    client_bits: Option<u8>,
}

impl Parameters {
    /// Parses them; `None` if one is unknown, repeated or out of range.
    fn parse<'a>(parameters: impl Iterator<Item = &'a str>, is_offer: bool) -> Option<Parameters> {
        let mut read = Parameters::default();
        for parameter in parameters {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name.trim(), Some(unquoted(value.trim())?)),
                None => (parameter.trim(), None),
            };
            let repeated = match (name, value) {
                (SERVER_TAKEOVER, None) => {
                    std::mem::replace(&mut read.server_no_context_takeover, true)
                }
                (CLIENT_TAKEOVER, None) => {
                    std::mem::replace(&mut read.client_no_context_takeover, true)
                }
                (SERVER_BITS, Some(value)) => read.server_bits.replace(bits(value)?).is_some(),
                (CLIENT_BITS, Some(value)) => read.client_bits.replace(bits(value)?).is_some(),
                (CLIENT_BITS, None) if is_offer => read.client_bits.replace(15).is_some(),
                _ => return None,
            };
            if repeated {
                return None;
            }
        }
        Some(read)
    }

    fn header(&self) -> String {
        let mut header = NAME.to_owned();
        for (name, set) in [
            (SERVER_TAKEOVER, self.server_no_context_takeover),
            (CLIENT_TAKEOVER, self.client_no_context_takeover),
        ] {
            if set {
                let _ = write!(header, "; {name}");
            }
        }
        for (name, bits) in [(SERVER_BITS, self.server_bits), (CLIENT_BITS, self.client_bits)] {
            if let Some(bits) = bits {
                let _ = write!(header, "; {name}={bits}");
            }
        }
        header
    }
}

/// Parses window bits. RFC 7692 allows 8 as well, but zlib cannot compress with 8.
fn bits(value: &str) -> Option<u8> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| plain && (9..=15).contains(bits))
}

fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    level: u32,
    parameters: Parameters,
}

impl Agreed {
    /// Returns the parts for one side: what compresses, and what inflates.
    pub(super) fn parts(&self, is_client: bool) -> (Deflater, Inflater) {
        let Parameters { server_bits, client_bits, .. } = self.parameters;
        let server = (server_bits.unwrap_or(15), !self.parameters.server_no_context_takeover);
        let client = (client_bits.unwrap_or(15), !self.parameters.client_no_context_takeover);
        let (own, peers) = if is_client { (client, server) } else { (server, client) };
        (Deflater::new(self.level, own.0, own.1), Inflater::new(peers.0, peers.1))
    }
}

/// Chooses the first of a client's offers that the server can accept, and makes the answer to it.
pub(super) fn accept(offers: &str, deflate: &Deflate) -> Option<(Agreed, String)> {
    let offered = extensions(offers).filter_map(|(name, parameters)| {
        let known = name.eq_ignore_ascii_case(NAME);
        known.then(|| Parameters::parse(parameters, true)).flatten()
    });
    let offer = offered.into_iter().next()?;
    let limit = |bits: u8| bits.min(deflate.window_bits);
    let parameters = Parameters {
        server_no_context_takeover: offer.server_no_context_takeover || !deflate.context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || !deflate.context_takeover,
        // The server may always restrict its own window, the client's only if the client offers it.
        server_bits: offer.server_bits.or((deflate.window_bits < 15).then_some(15)).map(limit),
        client_bits: offer.client_bits.map(limit),
    };
    Some((Agreed { level: deflate.level, parameters }, parameters.header()))
}

/// Makes a client's offer.
pub(super) fn offer(deflate: &Deflate) -> String {
    let mut header = NAME.to_owned();
    if !deflate.context_takeover {
        let _ = write!(header, "; {SERVER_TAKEOVER}; {CLIENT_TAKEOVER}");
    }
    if deflate.window_bits < 15 {
        let _ = write!(header, "; {SERVER_BITS}={}", deflate.window_bits);
    }
    let _ = write!(header, "; {CLIENT_BITS}");
    header
}

/// Reads a server's answer to [`offer`]. The error says why the connection cannot go on.
pub(super) fn answered(answer: &str, deflate: &Deflate) -> Result<Agreed, &'static str> {
    let mut answers = extensions(answer);
    let (Some((name, parameters)), None) = (answers.next(), answers.next()) else {
        return Err("more than the one extension that was offered");
    };
    if !name.eq_ignore_ascii_case(NAME) {
        return Err("an extension that was not offered");
    }
    let parameters = Parameters::parse(parameters, false);
    let mut parameters =
        parameters.ok_or("parameters of permessage-deflate that cannot be used")?;
    if deflate.window_bits < 15
        && parameters.server_bits.is_none_or(|bits| bits > deflate.window_bits)
    {
        return Err("a larger window for permessage-deflate than was offered");
    }
    if !deflate.context_takeover && !parameters.server_no_context_takeover {
        return Err("context takeover, which was ruled out");
    }
    // Within what was agreed, a client may restrict its own compression further.
    parameters.client_no_context_takeover |= !deflate.context_takeover;
    parameters.client_bits = Some(parameters.client_bits.unwrap_or(15).min(deflate.window_bits));
    Ok(Agreed { level: deflate.level, parameters })
}

/// Splits the header into extensions, each with its name and parameters. No known value has a comma
/// or a semicolon in it, quoted or not.
fn extensions(header: &str) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
    header.split(',').filter(|extension| !extension.trim().is_empty()).map(|extension| {
        let mut parts = extension.split(';');
        (parts.next().unwrap_or("").trim(), parts)
    })
}
