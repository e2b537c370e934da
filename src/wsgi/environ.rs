//! What a site knows of a request: eventlet's `environ`.

use std::borrow::Cow;
use std::cell::{Ref, RefMut};
use std::fmt;
use std::rc::Rc;

use http::header::{self, HeaderName};
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, Uri, Version};
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::channel::HasChannel;
use super::exchange::Exchange;
use super::hijack::{self, Hijacked};
use super::input::Input;

/// What a site knows of a request.
///
/// It is a cheap handle: each value is computed when it is asked for. There are typed getters, and
/// [`get`](Environ::get) for the keys of CGI and WSGI.
///
/// Corresponds to the dictionary `environ` of WSGI.
///
/// # Differences
///
/// `SERVER_PROTOCOL` is the version of the request; in eventlet it is always HTTP/1.0.
/// `headers_raw` is [`headers`](Environ::headers), whose names are in lower case. `PATH_INFO` of a
/// target in absolute form is its path. Duplicates of `Cookie` are joined by `; `.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::Environ;
///
/// async fn page(env: Environ) -> String {
///     let name = env.header("x-name").unwrap_or_default();
///     format!("{name} asks for {} from {}", env.path_info(), env.remote_addr())
/// }
/// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
/// # use ask::body_of;
/// # eventlet::run(async move {
/// assert_eq!(body_of(page, "GET /a\nX-Name: Ann").await, "Ann asks for /a from 127.0.0.1");
/// # });
/// ```
#[derive(Clone)]
pub struct Environ(pub(super) Rc<Exchange>);

impl Environ {
    /// Returns the method: `REQUEST_METHOD`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.method().to_string() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /").await, "POST");
    /// # });
    /// ```
    pub fn method(&self) -> Method {
        self.0.parts.borrow().method.clone()
    }

    /// Returns the target of the request.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.uri().to_string() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /a?b=c").await, "/a?b=c");
    /// # });
    /// ```
    pub fn uri(&self) -> Uri {
        self.0.parts.borrow().uri.clone()
    }

    /// Returns the path, percent-decoded, with what is not UTF-8 replaced: `PATH_INFO`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.path_info() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /a%20b").await, "/a b");
    /// # });
    /// ```
    pub fn path_info(&self) -> String {
        let parts = self.0.parts.borrow();
        percent_decode_str(path(&parts.uri)).decode_utf8_lossy().into_owned()
    }

    /// Returns the bytes of the path, percent-decoded once. A malformed escape is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.path_info_bytes() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /a%20b").await, "/a b");
    /// # });
    /// ```
    pub fn path_info_bytes(&self) -> Vec<u8> {
        percent_decode_str(path(&self.0.parts.borrow().uri)).collect()
    }

    /// Returns the path as it was sent: `RAW_PATH_INFO`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.raw_path_info() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /a%20b").await, "/a%20b");
    /// # });
    /// ```
    pub fn raw_path_info(&self) -> String {
        path(&self.0.parts.borrow().uri).to_owned()
    }

    /// Returns what follows the question mark, if there is one: `QUERY_STRING`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.query_string().unwrap_or_default() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /?a=b").await, "a=b");
    /// # });
    /// ```
    pub fn query_string(&self) -> Option<String> {
        self.0.parts.borrow().uri.query().map(str::to_owned)
    }

    /// Returns the path at which the site is mounted: `SCRIPT_NAME`. It is `""`, as in eventlet.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.script_name() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "");
    /// # });
    /// ```
    pub fn script_name(&self) -> &'static str {
        ""
    }

    /// Returns the type of the request's body: `CONTENT_TYPE`. It is `text/plain` if none was sent,
    /// as in eventlet.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.content_type() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\nContent-Type: text/csv\n\na,b").await, "text/csv");
    /// # });
    /// ```
    pub fn content_type(&self) -> String {
        self.header("content-type").unwrap_or_else(|| "text/plain".to_owned())
    }

    /// Returns the length of the request's body, if it was sent: `CONTENT_LENGTH`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.content_length()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\nhello").await, "Some(5)");
    /// # });
    /// ```
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Returns the version of the request: `SERVER_PROTOCOL`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.server_protocol()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "HTTP/1.1");
    /// # });
    /// ```
    pub fn server_protocol(&self) -> Version {
        self.0.parts.borrow().version
    }

    /// Returns the headers, with duplicates, in their order: `headers_raw`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{} headers", env.headers().len()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /\nX-A: 1").await, "3 headers");
    /// # });
    /// ```
    pub fn headers(&self) -> Ref<'_, HeaderMap> {
        Ref::map(self.0.parts.borrow(), |parts| &parts.headers)
    }

    /// Returns the value of a header. Duplicates are joined by `,`, those of `Cookie` by `; `.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.header("user-agent").unwrap_or_default() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /\nUser-Agent: me").await, "me");
    /// # });
    /// ```
    pub fn header(&self, name: &str) -> Option<String> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        joined(&self.0.parts.borrow().headers, &name)
    }

    /// Returns the extensions of the request: what other code has attached to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.extensions().get::<u32>()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "None");
    /// # });
    /// ```
    pub fn extensions(&self) -> Ref<'_, Extensions> {
        Ref::map(self.0.parts.borrow(), |parts| &parts.extensions)
    }

    /// Returns the extensions of the request, mutably.
    ///
    /// # Panics
    ///
    /// While a guard of [`headers`](Environ::headers) or [`extensions`](Environ::extensions) is
    /// alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     env.extensions_mut().insert(7_u32);
    ///     format!("{:?}", env.extensions().get::<u32>())
    /// };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "Some(7)");
    /// # });
    /// ```
    pub fn extensions_mut(&self) -> RefMut<'_, Extensions> {
        RefMut::map(self.0.parts.borrow_mut(), |parts| &mut parts.extensions)
    }

    /// Returns the body of the request: `wsgi.input`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.input().read_all(1 << 20).await };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "POST /\n\nhello").await, "hello");
    /// # });
    /// ```
    pub fn input(&self) -> Input {
        Input::of(Rc::clone(&self.0))
    }

    /// Calls a function once the response was sent, or failed, and the site has ended. Those of one
    /// request are called in order. A panic in one is reported, and the next is called.
    ///
    /// Corresponds to `environ['eventlet.posthooks']`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let answered = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&answered);
    /// let site = move |env: Environ| {
    ///     let count = Rc::clone(&count);
    ///     async move { env.posthook(move |_| count.set(count.get() + 1)) }
    /// };
    /// # use std::{cell::Cell, rc::Rc};
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// body_of(site, "GET /").await;
    /// assert_eq!(answered.get(), 1);
    /// # });
    /// ```
    pub fn posthook(&self, hook: impl FnOnce(&Environ) + 'static) {
        self.0.add_posthook(move |exchange| hook(&Environ(Rc::clone(exchange))));
    }

    /// Sets how many bytes of this response are held back before they are sent: with 0 each piece
    /// is sent by itself.
    ///
    /// Corresponds to `environ['eventlet.minimum_write_chunk_size']`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.set_minimum_write_chunk_size(0) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "");
    /// # });
    /// ```
    pub fn set_minimum_write_chunk_size(&self, bytes: usize) {
        self.0.channel().set_minimum(Some(bytes));
    }

    /// Takes the connection over: makes a response with status 101, which the site returns, perhaps
    /// with more headers. Then the function gets the socket, with what the client has sent already.
    ///
    /// The function's future runs in the green thread of the connection, and keeps its slot in the
    /// pool. [`Hijacked::closing`] tells it that the server is shut down; if it does not wait for
    /// that, the connection is cut.
    ///
    /// For a request without an `Upgrade`, and in HTTP/1.0 and HTTP/2, the response has status 426,
    /// and the function is dropped.
    ///
    /// Corresponds to `Input.get_socket` together with `WSGI_LOCAL.already_handled` and
    /// `eventlet.set_idle`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move {
    ///     env.hijack(|mut io| async move { io.write_all(b"hello").await })
    /// };
    /// # use tokio::io::AsyncWriteExt;
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /\nConnection: upgrade\nUpgrade: greeting").await, "hello");
    /// # });
    /// ```
    pub fn hijack<F, R>(&self, function: F) -> Response<Body>
    where
        F: FnOnce(Hijacked) -> R + 'static,
        R: Future + 'static,
    {
        hijack::take_over(&self.0, function)
    }
}

/// Returns the path as it was sent.
fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or_else(
        // Only CONNECT has a target without a path.
        || uri.authority().map_or("", |authority| authority.as_str()),
        |path| path.path(),
    )
}

/// Joins the values of a header, with what is not UTF-8 replaced.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(text);
    let first = values.next()?;
    let separator = if *name == header::COOKIE { "; " } else { "," };
    Some(values.fold(first.into_owned(), |joined, value| joined + separator + &value))
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.parts.borrow();
        write!(f, "Environ({} {})", parts.method, parts.uri)
    }
}
