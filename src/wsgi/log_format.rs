//! The lines of an access log, by a format in Python's style.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::address::Address;

/// What the access log may say of a request that was answered.
pub(super) struct Record<'a> {
    pub(super) client: &'a Address,
    /// The value of `X-Forwarded-For`, cleaned.
    pub(super) forwarded: &'a str,
    pub(super) request_line: &'a str,
    pub(super) status: u16,
    pub(super) body_length: u64,
    pub(super) took: Duration,
    pub(super) request_id: u64,
}

/// The format of a line, parsed.
pub(super) struct Format(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Value(Key),
    /// The seconds, with this many digits.
    Seconds(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    ClientIp,
    ClientPort,
    DateTime,
    RequestLine,
    StatusCode,
    BodyLength,
    WallSeconds,
    RequestId,
}

const KEYS: [(&str, Key); 8] = [
    ("client_ip", Key::ClientIp),
    ("client_port", Key::ClientPort),
    ("date_time", Key::DateTime),
    ("request_line", Key::RequestLine),
    ("status_code", Key::StatusCode),
    ("body_length", Key::BodyLength),
    ("wall_seconds", Key::WallSeconds),
    ("request_id", Key::RequestId),
];

/// eventlet's `DEFAULT_LOG_FORMAT`.
pub(super) const DEFAULT: &str = "%(client_ip)s - - [%(date_time)s] \"%(request_line)s\" \
                                  %(status_code)s %(body_length)s %(wall_seconds).6f";

impl Default for Format {
    fn default() -> Format {
        Format::parse(DEFAULT).expect("the format is right")
    }
}

impl Format {
    /// Parses a template with Python's `%(key)s`.
    pub(super) fn parse(mut template: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        while let Some(start) = template.find('%') {
            parts.push(Part::Text(template[..start].to_owned()));
            let rest = &template[start + 1..];
            template = match rest.strip_prefix('%') {
                Some(rest) => {
                    parts.push(Part::Text("%".to_owned()));
                    rest
                }
                None => {
                    let (part, rest) = parse_value(rest)?;
                    parts.push(part);
                    rest
                }
            };
        }
        parts.push(Part::Text(template.to_owned()));
        Ok(Format(parts))
    }

    /// Makes the line of a request.
    pub(super) fn line(&self, record: &Record<'_>) -> String {
        let mut line = String::with_capacity(128);
        for part in &self.0 {
            let written = match part {
                Part::Text(text) => line.write_str(text),
                Part::Value(key) => record.write(*key, &mut line),
                Part::Seconds(digits) => {
                    write!(line, "{:.*}", *digits, record.took.as_secs_f64())
                }
            };
            written.expect("a string takes everything");
        }
        line
    }
}

/// Parses `(key)s`, `(key)d`, or `(key).6f`.
fn parse_value(text: &str) -> Result<(Part, &str), String> {
    let inner = text.strip_prefix('(').and_then(|text| text.split_once(')'));
    let (name, rest) = inner.ok_or("a `%` must be followed by `(key)` or another `%`")?;
    let key =
        KEYS.iter().find(|(known, _)| *known == name).map(|(_, key)| *key).ok_or_else(|| {
            let known: Vec<_> = KEYS.iter().map(|(known, _)| *known).collect();
            format!("there is no key `{name}`; there are {}", known.join(", "))
        })?;
    if let Some(rest) = rest.strip_prefix(['s', 'd']) {
        return Ok((Part::Value(key), rest));
    }
    let end = rest.find('f').ok_or_else(|| format!("`%({name})` must end in `s`, `d` or `f`"))?;
    let digits = rest[..end].trim_start_matches('.');
    let digits = if digits.is_empty() { Ok(6) } else { digits.parse() };
    match (key, digits) {
        (Key::WallSeconds, Ok(digits)) if digits <= 9 => {
            Ok((Part::Seconds(digits), &rest[end + 1..]))
        }
        _ => Err(format!("`%({name}){}` is an unknown form", &rest[..=end])),
    }
}

impl Record<'_> {
    fn write(&self, key: Key, line: &mut String) -> fmt::Result {
        match key {
            Key::ClientIp => write!(line, "{}{}", self.forwarded, self.client.host()),
            Key::ClientPort => match self.client.port() {
                Some(port) => write!(line, "{port}"),
                None => Ok(()),
            },
            Key::DateTime => write_date(SystemTime::now(), line),
            Key::RequestLine => line.write_str(self.request_line),
            Key::StatusCode => write!(line, "{}", self.status),
            Key::BodyLength => write!(line, "{}", self.body_length),
            Key::WallSeconds => write!(line, "{}", self.took.as_secs_f64()),
            Key::RequestId => write!(line, "{}", self.request_id),
        }
    }
}

/// The longest `X-Forwarded-For` that is logged.
const LONGEST: usize = 256;

/// Makes a value of `X-Forwarded-For` safe for a log: removes blanks, escapes control characters,
/// and appends a comma.
pub(super) fn forwarded(value: &[u8]) -> String {
    let value = &value[..value.len().min(LONGEST)];
    let mut cleaned: String = value
        .iter()
        .filter(|byte| !matches!(byte, b' ' | b'\t'))
        .flat_map(|byte| byte.escape_ascii().map(char::from))
        .collect();
    cleaned.push(',');
    cleaned
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes a time as `21/Nov/2026 03:09:19`.
fn write_date(time: SystemTime, line: &mut String) -> fmt::Result {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let month = MONTHS[month - 1];
    write!(line, "{day:02}/{month}/{year:04} {hour:02}:{minute:02}:{second:02}")
}

/// Returns the date that is `days` after 1970-01-01, by Howard Hinnant's `civil_from_days`.
///
/// It counts in years that begin in March, so that the leap day is the last, and in eras of 400
/// years, which are all equally long.
fn civil(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let date = |seconds| {
            let mut line = String::new();
            write_date(UNIX_EPOCH + Duration::from_secs(seconds), &mut line).unwrap();
            line
        };
        assert_eq!(date(0), "01/Jan/1970 00:00:00");
        assert_eq!(date(951_782_399), "28/Feb/2000 23:59:59");
        assert_eq!(date(951_782_400), "29/Feb/2000 00:00:00");
        assert_eq!(date(1_795_230_559), "21/Nov/2026 03:09:19");
    }

    #[test]
    fn templates() {
        assert!(Format::parse("%(wall_seconds).3f %% %(request_id)d").is_ok());
        let unknown = Format::parse("%(who)s").err().unwrap();
        assert!(unknown.starts_with("there is no key `who`; there are client_ip, "), "{unknown}");
        for wrong in ["%", "%x", "%(status_code)", "%(status_code).2f", "%(wall_seconds).xf"] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn forwarded_is_fit_for_a_log() {
        assert_eq!(forwarded(b"1.2.3.4, 5.6.7.8"), "1.2.3.4,5.6.7.8,");
        assert_eq!(forwarded(b"\x1b[31m\xff"), "\\x1b[31m\\xff,");
        assert_eq!(forwarded(&[b'1'; 1000]).len(), LONGEST + 1);
    }
}
