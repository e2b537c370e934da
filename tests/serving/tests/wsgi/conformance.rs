//! What HTTP/1.1 asks (RFC 9110, 9112), request by request, in bytes.
//!
//! A case is a name, the bytes of a client that then sends no more, and the answers: of each its
//! status and the site's view of the request. The site answers `METHOD path body`. To every request
//! that must be refused one is joined that must not be served.

use eventlet::wsgi::Environ;

use crate::support::{Running, header, serve, serve_with, status, test};

/// Answers with what it saw.
async fn mirror(env: Environ) -> std::io::Result<String> {
    let body = env.input().read_all(1 << 20).await?;
    Ok(format!("{} {} {}", env.method(), env.path_info(), String::from_utf8_lossy(&body)))
}

/// The answers of a server to all that a client sent.
struct Answers(Vec<(String, String)>);

/// Takes the answers apart, as a client does that knows which method it asked with.
fn answers(mut bytes: &str, heads: &[bool]) -> Answers {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.find("\r\n\r\n").unwrap_or_else(|| panic!("half a head: {bytes:?}")) + 4;
        let (head, rest) = bytes.split_at(end);
        let is_head = heads.get(answers.len()).copied().unwrap_or(false);
        let bodiless = is_head || matches!(status(head), 100 | 101 | 204 | 304);
        let (body, rest) = match header(head, "content-length") {
            _ if bodiless => (String::new(), rest),
            Some(length) => {
                let (body, rest) = rest.split_at(length.parse().unwrap());
                (body.to_owned(), rest)
            }
            None if header(head, "transfer-encoding").is_some() => dechunk(rest),
            None => (rest.to_owned(), ""),
        };
        answers.push((head.to_owned(), body));
        bytes = rest;
    }
    Answers(answers)
}

fn dechunk(mut rest: &str) -> (String, &str) {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(size, 16).unwrap();
        let (piece, after) = after.split_at(size);
        body.push_str(piece);
        rest = after.strip_prefix("\r\n").expect("a chunk ends in a line end");
        if size == 0 {
            return (body, rest);
        }
    }
}

/// Sends a case, and compares status and body of each answer. A body of `*` is any.
async fn check(running: &Running, name: &str, request: &[u8], expected: &[(u16, &str)]) {
    let heads: Vec<bool> = vec![request.starts_with(b"HEAD"); 1];
    let mut conn = running.connect().await;
    conn.send(request).await;
    conn.end().await;
    let text = conn.rest().await;
    let Answers(got) = answers(&text, &heads);
    let got: Vec<(u16, &str)> = got.iter().map(|(head, body)| (status(head), &**body)).collect();
    let same = got.len() == expected.len()
        && got.iter().zip(expected).all(|(got, expected)| {
            got.0 == expected.0 && (expected.1 == "*" || got.1 == expected.1)
        });
    assert!(
        same,
        "{name}: sent {:?}, expected {expected:?}, got {got:?} in {text:?}",
        String::from_utf8_lossy(request)
    );
}

/// What a case is called, what is sent, and each answer: its status, and what it contains.
type Case = (&'static str, &'static str, &'static [(u16, &'static str)]);

/// A request that must not be served.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn what_is_served() {
    const CASES: &[Case] = &[
        ("plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET / ")]),
        ("port", "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", &[(200, "GET / ")]),
        ("empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", &[(200, "GET / ")]),
        ("IPv4", "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", &[(200, "GET / ")]),
        ("IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &[(200, "GET / ")]),
        ("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", &[(200, "GET / ")]),
        ("name of any case", "GET / HTTP/1.1\r\nhOST: a\r\n\r\n", &[(200, "GET / ")]),
        ("blanks around a value", "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", &[(200, "GET / ")]),
        ("no blank before a value", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", &[(200, "GET / ")]),
        ("an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX-A:\r\n\r\n", &[(200, "GET / ")]),
        (
            "bytes above ASCII in a value",
            "GET / HTTP/1.1\r\nHost: a\r\nX-A: \u{e9}\r\n\r\n",
            &[(200, "GET / ")],
        ),
        ("bare LF as line end", "GET / HTTP/1.1\nHost: a\n\n", &[(200, "GET / ")]),
        ("CRLF before the request", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET / ")]),
        ("query", "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET /a ")]),
        ("escapes", "GET /a%20b%2Fc HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET /a b/c ")]),
        ("odd escapes", "GET /%zz%4 HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET /%zz%4 ")]),
        ("decoded once", "GET /%2541 HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET /%41 ")]),
        ("two slashes", "GET //x HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET //x ")]),
        ("absolute form", "GET http://a/p HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "GET /p ")]),
        (
            "absolute form without path",
            "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET / ")],
        ),
        (
            "absolute form, other host",
            "GET http://a/p HTTP/1.1\r\nHost: b\r\n\r\n",
            &[(200, "GET /p ")],
        ),
        ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "OPTIONS * ")]),
        ("own method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "BREW / ")]),
        ("methods have cases", "get / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "get / ")]),
        ("HEAD has no body", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", &[(200, "")]),
        (
            "body",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            &[(200, "POST / abc")],
        ),
        (
            "body of a GET",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            &[(200, "GET / abc")],
        ),
        (
            "leading zeros",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc",
            &[(200, "POST / abc")],
        ),
        (
            "length of 0",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            &[(200, "POST / ")],
        ),
        (
            "the same length twice",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            &[(200, "POST / abc")],
        ),
        (
            "no length is no body",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "POST / "), (200, "GET /2 ")],
        ),
        (
            "pipelined",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET /1 "), (200, "POST /2 x"), (200, "GET /3 ")],
        ),
        (
            "pipelined behind chunks",
            "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "POST /1 x"), (200, "GET /2 ")],
        ),
        (
            "chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            &[(200, "POST / abcde")],
        ),
        (
            "no chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[(200, "POST / ")],
        ),
        (
            "sizes in either case, with zeros",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n00A\r\n0123456789\r\n0a\r\n0123456789\r\n000\r\n\r\n",
            &[(200, "POST / 01234567890123456789")],
        ),
        (
            "extensions of chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n",
            &[(200, "POST / abc")],
        ),
        (
            "trailers are dropped",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-A: b\r\nHost: c\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "POST / x"), (200, "GET /2 ")],
        ),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", &[(200, "GET / ")]),
        ("HTTP/1.0 with a host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", &[(200, "GET / ")]),
        ("HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n", &[(200, "GET / ")]),
        (
            "HTTP/1.0 is kept when asked",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
            &[(200, "GET / "), (200, "GET /2 ")],
        ),
        ("HTTP/1.0 body", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", &[(200, "POST / ab")]),
        (
            "close",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET / ")],
        ),
        (
            "close among others",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET / ")],
        ),
        (
            "close in a second line",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET / ")],
        ),
        (
            "length and chunked: nothing can follow",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "POST / x")],
        ),
        (
            "chunked and length: nothing can follow",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "POST / x")],
        ),
        (
            "an upgrade that nobody knows",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            &[(200, "GET / "), (200, "GET /2 ")],
        ),
        (
            "an expectation that nobody knows",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
            &[(200, "GET / ")],
        ),
        (
            "100 Continue and the body at once",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
            &[(100, ""), (200, "POST / ab")],
        ),
        ("nothing", "", &[]),
        ("line ends alone", "\r\n\r\n", &[]),
        ("half a head", "GET / HTTP/1.1\r\nHo", &[]),
    ];
    test(async {
        let running = serve(mirror).await;
        for (name, request, expected) in CASES {
            check(&running, name, request.as_bytes(), expected).await;
        }
        running.stop().await;
    });
}

#[test]
fn what_is_refused_in_the_head() {
    /// The lines of a head that has nothing else wrong.
    const HEADERS: &[(&str, &[u8], u16)] = &[
        ("length with a plus", b"Host: a\r\nContent-Length: +3\r\n", 400),
        ("length with a minus", b"Host: a\r\nContent-Length: -3\r\n", 400),
        ("length in hex", b"Host: a\r\nContent-Length: 0x3\r\n", 400),
        ("length with an underscore", b"Host: a\r\nContent-Length: 0_3\r\n", 400),
        ("length with an exponent", b"Host: a\r\nContent-Length: 3e0\r\n", 400),
        ("length with a point", b"Host: a\r\nContent-Length: 3.0\r\n", 400),
        ("empty length", b"Host: a\r\nContent-Length:\r\n", 400),
        ("length of two numbers", b"Host: a\r\nContent-Length: 3 3\r\n", 400),
        ("a list of lengths", b"Host: a\r\nContent-Length: 3, 3\r\n", 400),
        ("length in other digits", "Host: a\r\nContent-Length: ٣\r\n".as_bytes(), 400),
        ("length above 64 bits", b"Host: a\r\nContent-Length: 18446744073709551616\r\n", 400),
        ("length of 64 bits", b"Host: a\r\nContent-Length: 18446744073709551615\r\n", 431),
        ("lengths that differ", b"Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 400),
        ("another coding", b"Host: a\r\nTransfer-Encoding: gzip\r\n", 400),
        ("identity", b"Host: a\r\nTransfer-Encoding: identity\r\n", 400),
        ("another coding before", b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        ("another coding after", b"Host: a\r\nTransfer-Encoding: chunked, gzip\r\n", 400),
        ("chunked twice", b"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", 501),
        (
            "two lines",
            b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        (
            "two lines, one unknown",
            b"Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        ("quoted", b"Host: a\r\nTransfer-Encoding: \"chunked\"\r\n", 400),
        ("a byte before", b"Host: a\r\nTransfer-Encoding: xchunked\r\n", 400),
        ("a byte after", b"Host: a\r\nTransfer-Encoding: chunkedx\r\n", 400),
        ("a parameter", b"Host: a\r\nTransfer-Encoding: chunked;q=1\r\n", 400),
        ("a vertical tab before", b"Host: a\r\nTransfer-Encoding: \x0bchunked\r\n", 400),
        ("a blank in the name", b"Host: a\r\nTransfer-Encoding : chunked\r\n", 400),
        ("a tab in the name", b"Host: a\r\nTransfer-Encoding\t: chunked\r\n", 400),
        ("an empty coding", b"Host: a\r\nTransfer-Encoding:\r\n", 400),
        ("a comma alone", b"Host: a\r\nTransfer-Encoding: ,chunked\r\n", 501),
        ("folded", b"Host: a\r\nTransfer-Encoding:\r\n chunked\r\n", 400),
        ("any folded line", b"Host: a\r\nX-A: b\r\n c\r\n", 400),
        ("folded by a tab", b"Host: a\r\nX-A: b\r\n\tc\r\n", 400),
        ("a blank before the first", b" Host: a\r\n", 400),
        ("no colon", b"Host: a\r\nX-A\r\n", 400),
        ("no name", b"Host: a\r\n: b\r\n", 400),
        ("a blank within a name", b"Host: a\r\nX A: b\r\n", 400),
        ("a name of other bytes", "Host: a\r\nX-É: b\r\n".as_bytes(), 400),
        ("a name with a parenthesis", b"Host: a\r\nX(A): b\r\n", 400),
        ("NUL in a value", b"Host: a\r\nX-A: b\0c\r\n", 400),
        ("NUL in a name", b"Host: a\r\nX\0A: b\r\n", 400),
        ("a control in a value", b"Host: a\r\nX-A: b\x01c\r\n", 400),
        ("DEL in a value", b"Host: a\r\nX-A: b\x7fc\r\n", 400),
        ("escape in a value", b"Host: a\r\nX-A: \x1b[31m\r\n", 400),
        ("bare CR in a value", b"Host: a\r\nX-A: b\rc\r\n", 400),
        ("bare CR as line end", b"Host: a\rX-A: b\r\n", 400),
        ("no host", b"X-A: b\r\n", 400),
        ("two hosts", b"Host: a\r\nHost: b\r\n", 400),
        ("the same host twice", b"Host: a\r\nHost: a\r\n", 400),
        ("host with a path", b"Host: a/b\r\n", 400),
        ("host with a user", b"Host: b@a\r\n", 400),
        ("host with a blank", b"Host: a b\r\n", 400),
        ("host with a list", b"Host: a b, c\r\n", 400),
        ("host with a query", b"Host: a?b\r\n", 400),
        ("host of other bytes", "Host: é\r\n".as_bytes(), 400),
        ("port of letters", b"Host: a:b\r\n", 400),
        ("open bracket", b"Host: [::1\r\n", 400),
        ("empty brackets", b"Host: []\r\n", 400),
    ];
    const LINES: &[(&str, &[u8], u16)] = &[
        ("HTTP/1.2", b"GET / HTTP/1.2", 400),
        ("HTTP/1.10", b"GET / HTTP/1.10", 400),
        ("HTTP/0.9", b"GET / HTTP/0.9", 400),
        ("HTTP/3.0", b"GET / HTTP/3.0", 400),
        ("HTTP/01.1", b"GET / HTTP/01.1", 400),
        ("small letters", b"GET / http/1.1", 400),
        ("another protocol", b"GET / ICAP/1.1", 400),
        ("no version", b"GET /", 400),
        ("one word", b"GET", 400),
        ("no method", b" / HTTP/1.1", 400),
        ("a method of other bytes", "GÉT / HTTP/1.1".as_bytes(), 400),
        ("a method with a colon", b"GET: / HTTP/1.1", 400),
        ("two blanks", b"GET  / HTTP/1.1", 400),
        ("two blanks behind", b"GET /  HTTP/1.1", 400),
        ("a tab", b"GET\t/ HTTP/1.1", 400),
        ("a blank in the target", b"GET /a b HTTP/1.1", 400),
        ("NUL in the target", b"GET /a\0b HTTP/1.1", 400),
        ("a control in the target", b"GET /\x01 HTTP/1.1", 400),
        ("DEL in the target", b"GET /\x7f HTTP/1.1", 400),
        ("a bare CR in the line", b"GET /\r HTTP/1.1", 400),
        ("a word behind", b"GET / HTTP/1.1 x", 400),
        ("no slash", b"GET a HTTP/1.1", 400),
        ("a host for a path", b"GET a:80 HTTP/1.1", 400),
        ("an asterisk for GET", b"GET * HTTP/1.1", 400),
        ("a path for CONNECT", b"CONNECT / HTTP/1.1", 400),
        ("a query alone", b"GET ?a HTTP/1.1", 400),
        ("a scheme alone", b"GET http:// HTTP/1.1", 400),
    ];
    test(async {
        let running = serve(mirror).await;
        let mut refused = 0;
        for (name, headers, code) in HEADERS {
            let request = [b"POST / HTTP/1.1\r\n", *headers, b"\r\n", SMUGGLED.as_bytes()].concat();
            check(&running, name, &request, &[(*code, "")]).await;
            refused += 1;
        }
        for (name, line, code) in LINES {
            let request = [*line, b"\r\nHost: a\r\n\r\n", SMUGGLED.as_bytes()].concat();
            check(&running, name, &request, &[(*code, "")]).await;
            refused += 1;
        }
        assert_eq!(running.server.stats().refused, refused);
        // What is no HTTP at all.
        for garbage in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"\0\0\0\0",
            b"SSH-2.0-x\r\n",
            b"hello\r\n\r\n",
        ] {
            let answer = running.says(garbage).await;
            assert!(answer.is_empty() || status(&answer) == 400, "{garbage:?}: {answer}");
        }
        running.stop().await;
    });
}

#[test]
fn what_is_refused_in_a_body() {
    const CHUNKS: &[(&str, &str)] = &[
        ("hex with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("a plus", "+3\r\nabc\r\n0\r\n\r\n"),
        ("a minus", "-3\r\nabc\r\n0\r\n\r\n"),
        ("an underscore", "0_3\r\nabc\r\n0\r\n\r\n"),
        ("an empty size", "\r\nabc\r\n0\r\n\r\n"),
        ("a letter", "g\r\nabc\r\n0\r\n\r\n"),
        ("NUL", "3\0\r\nabc\r\n0\r\n\r\n"),
        ("above 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        ("a blank before", " 3\r\nabc\r\n0\r\n\r\n"),
        ("bare LF behind the size", "3\nabc\r\n0\r\n\r\n"),
        ("bare LF in an extension", "3;a\nabc\r\n0\r\n\r\n"),
        ("bare CR behind the size", "3\rabc\r\n0\r\n\r\n"),
        ("no line end behind the data", "3\r\nabc0\r\n\r\n"),
        ("data too long", "3\r\nabcd\r\n0\r\n\r\n"),
        ("bare LF behind the data", "3\r\nabc\n0\r\n\r\n"),
        ("cut in the data", "5\r\nabc"),
        ("cut behind the data", "3\r\nabc"),
        ("cut before the end", "3\r\nabc\r\n"),
        ("cut in the end", "3\r\nabc\r\n0\r\n"),
    ];
    test(async {
        let running = serve(mirror).await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (name, chunks) in CHUNKS {
            let joined = if name.starts_with("cut") { "" } else { SMUGGLED };
            let request = format!("{head}{chunks}{joined}");
            check(&running, name, request.as_bytes(), &[(400, "")]).await;
        }
        let cut = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
        check(&running, "cut", cut.as_bytes(), &[(400, "")]).await;
        let extension = format!("{head}3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000));
        check(&running, "a long extension", extension.as_bytes(), &[(400, "")]).await;
        let trailer = format!("{head}0\r\nX-A: {}\r\n\r\n", "x".repeat(100_000));
        check(&running, "long trailers", trailer.as_bytes(), &[(400, "")]).await;
        running.stop().await;
    });
}

#[test]
fn limits_of_a_head() {
    test(async {
        let running = serve(mirror).await;
        // `GET ` and ` HTTP/1.1` are 13 bytes of a request line.
        for (path, code) in [(8192 - 13, 200), (8192 - 12, 414), (60_000, 414), (66_000, 431)] {
            let request = format!(
                "GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "x".repeat(path - 1)
            );
            check(&running, "a long line", request.as_bytes(), &[(code, "*")]).await;
        }
        // `X-A: ` is 5 bytes of a header's line.
        for (value, code) in [(8192 - 5, 200), (8192 - 4, 431), (70_000, 431)] {
            let request =
                format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "x".repeat(value));
            check(&running, "a long header", request.as_bytes(), &[(code, "*")]).await;
        }
        for (count, code) in [(99, 200), (100, 431)] {
            let request =
                format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: b\r\n".repeat(count));
            check(&running, "many headers", request.as_bytes(), &[(code, "*")]).await;
        }
        for (count, code) in [(8, 200), (9, 431)] {
            let line = format!("X-A: {}\r\n", "x".repeat(8000 - 7));
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", line.repeat(count));
            check(&running, "a long head", request.as_bytes(), &[(code, "*")]).await;
        }
        running.stop().await;
    });
}

#[test]
fn what_old_clients_may_do_where_it_is_allowed() {
    test(async {
        let running = serve_with(mirror, |serving| {
            serving.protocol(eventlet::wsgi::Protocol::http1().reject_bad_requests(false))
        })
        .await;
        for (name, headers, body) in [
            ("no host", "", "GET / "),
            ("two hosts", "Host: a\r\nHost: b\r\n", "GET / "),
            ("a host that is none", "Host: a/b\r\n", "GET / "),
        ] {
            let request = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            check(&running, name, request.as_bytes(), &[(200, body)]).await;
        }
        let coded =
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        check(&running, "a coding", coded.as_bytes(), &[(200, "POST / x")]).await;
        running.stop().await;
    });
}
