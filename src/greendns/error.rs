//! Errors, with messages that name the host.

use std::io::{self, ErrorKind};

use hickory_resolver::ResolveError;
use hickory_resolver::proto::ProtoErrorKind;
use hickory_resolver::proto::op::ResponseCode;

pub(super) fn unresolved(name: &str, error: &ResolveError) -> io::Error {
    let (kind, what) = match error.proto().map(|error| error.kind()) {
        Some(ProtoErrorKind::NoRecordsFound { response_code, .. }) => match *response_code {
            ResponseCode::NXDomain => (ErrorKind::NotFound, "there is no such name".to_owned()),
            ResponseCode::NoError => {
                (ErrorKind::NotFound, "the name has no record of the requested type".to_owned())
            }
            code => (ErrorKind::Other, format!("the name server failed: {code}")),
        },
        Some(ProtoErrorKind::Timeout) => {
            (ErrorKind::TimedOut, "no name server answered".to_owned())
        }
        _ => (ErrorKind::Other, error.to_string()),
    };
    about(name, kind, &what)
}

pub(super) fn about(name: &str, kind: ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("{name:?}: {what}"))
}
