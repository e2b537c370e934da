//! Certificates and keys in PEM, with errors that name the line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where certificates or a key are read from: a file of PEM, or PEM in memory.
///
/// A path converts into it, so functions that take one are given `"chain.pem"`.
///
/// # Examples
///
/// ```
/// use eventlet::ssl::{Context, Pem};
///
/// let nothing = Pem::bytes("no certificate");
/// let error = Context::server(nothing, "key.pem").unwrap_err();
/// assert_eq!(error.to_string(), "PEM in memory: there is no certificate in it");
/// ```
#[derive(Clone)]
pub struct Pem(Source);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

impl Pem {
    /// Takes PEM that the program has in memory.
    pub fn bytes(pem: impl AsRef<[u8]>) -> Pem {
        Pem(Source::Memory(pem.as_ref().into()))
    }

    /// Reads certificates, of which there must be one. Each comes with the line where it begins.
    pub(super) fn certificates(&self) -> io::Result<Vec<(usize, CertificateDer<'static>)>> {
        let text = self.read()?;
        let certificates: Vec<_> = sections(&text)
            .filter(|section| section.label == b"CERTIFICATE")
            .map(|section| {
                let parsed = CertificateDer::from_pem_slice(section.text);
                parsed
                    .map(|parsed| (section.line, parsed))
                    .map_err(|error| self.at(&section, error))
            })
            .collect::<io::Result<_>>()?;
        if certificates.is_empty() {
            return Err(self.wrong(None, "there is no certificate in it"));
        }
        Ok(certificates)
    }

    /// Reads a chain of certificates, the server's or client's own first.
    pub(super) fn chain(&self) -> io::Result<Vec<CertificateDer<'static>>> {
        Ok(self.certificates()?.into_iter().map(|(_line, certificate)| certificate).collect())
    }

    /// Reads the first private key.
    pub(super) fn key(&self) -> io::Result<PrivateKeyDer<'static>> {
        let text = self.read()?;
        let Some(section) = sections(&text).find(|section| section.label.ends_with(b"PRIVATE KEY"))
        else {
            return Err(self.wrong(None, "there is no private key in it"));
        };
        if section.label.starts_with(b"ENCRYPTED") {
            let cure = "the key is encrypted: decrypt it with `openssl pkey -in FILE -out NEW`";
            return Err(self.wrong(Some(section.line), cure));
        }
        PrivateKeyDer::from_pem_slice(section.text).map_err(|error| self.at(&section, error))
    }

    /// Makes an error about the PEM as a whole, or about what begins in one of its lines.
    pub(super) fn wrong(&self, line: Option<usize>, what: impl fmt::Display) -> io::Error {
        let message = match line {
            Some(line) => format!("{self}:{line}: {what}"),
            None => format!("{self}: {what}"),
        };
        io::Error::new(io::ErrorKind::InvalidData, message)
    }

    fn at(&self, section: &Section<'_>, error: pem::Error) -> io::Error {
        self.wrong(Some(section.line), error)
    }

    fn read(&self) -> io::Result<Arc<[u8]>> {
        match &self.0 {
            Source::Memory(pem) => Ok(Arc::clone(pem)),
            Source::File(path) => match std::fs::read(path) {
                Ok(pem) => Ok(pem.into()),
                Err(error) => Err(io::Error::new(error.kind(), format!("{self}: {error}"))),
            },
        }
    }
}

/// A part of PEM, from its line `-----BEGIN label-----`, the first line being 1, to the end of the
/// text.
struct Section<'a> {
    line: usize,
    label: &'a [u8],
    text: &'a [u8],
}

fn sections(text: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let mut offset = 0;
    text.split_inclusive(|byte| *byte == b'\n').enumerate().filter_map(move |(index, line)| {
        let from = offset;
        offset += line.len();
        let label = line.trim_ascii().strip_prefix(b"-----BEGIN ")?;
        let label = label.strip_suffix(b"-----").unwrap_or(label);
        Some(Section { line: index + 1, label, text: &text[from..] })
    })
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Pem {
        Pem(Source::File(path.to_owned()))
    }
}

impl From<&PathBuf> for Pem {
    fn from(path: &PathBuf) -> Pem {
        path.as_path().into()
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Pem {
        Pem(Source::File(path))
    }
}

impl From<&str> for Pem {
    fn from(path: &str) -> Pem {
        Path::new(path).into()
    }
}

impl From<&String> for Pem {
    fn from(path: &String) -> Pem {
        Path::new(path).into()
    }
}

impl From<String> for Pem {
    fn from(path: String) -> Pem {
        PathBuf::from(path).into()
    }
}

/// The file's path. PEM in memory may be a key, and is not shown.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) => path.display().fmt(f),
            Source::Memory(_) => f.write_str("PEM in memory"),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({self})")
    }
}
