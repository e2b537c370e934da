//! What a site knows of a request.

use std::borrow::Cow;
use std::cell::{Ref, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use http::header::{self, HeaderName};
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, Uri, Version};
use percent_encoding::percent_decode_str;

use super::body::Body;
use super::channel::HasChannel;
use super::exchange::Exchange;
use super::hijack::{self, Hijacked};
use super::input::Input;
use super::peer::End;

/// What a site knows of a request: eventlet's `environ`.
///
/// It is a cheap handle, and everything is worked out when it is asked for. There are getters by
/// name and type, and [`get`](Environ::get) by the key that CGI and WSGI give it.
///
/// Corresponds to the dictionary `environ` of WSGI.
///
/// # Differences
///
/// `SERVER_PROTOCOL` is the version of the request; in eventlet it is always HTTP/1.0.
/// `headers_raw` is [`headers`](Environ::headers), whose names are in lower case. A target in
/// absolute form is taken apart. Duplicates of `Cookie` are joined by `; `.
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

    /// Returns the path with its escapes decoded, what is not UTF-8 replaced: `PATH_INFO`.
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

    /// Returns the bytes of the path with its escapes decoded, once. An odd escape stays as it is.
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

    /// Returns where the site is mounted: always `""`, as in eventlet. `SCRIPT_NAME`.
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

    /// Returns the type of the request's body: `CONTENT_TYPE`. As in eventlet it is `text/plain`
    /// where none was sent.
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

    /// Returns the length of the request's body, where it was sent: `CONTENT_LENGTH`.
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

    /// Returns the address at which the connection came in: `SERVER_NAME`. It is `unix` for a Unix
    /// socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.server_name() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "127.0.0.1");
    /// # });
    /// ```
    pub fn server_name(&self) -> String {
        self.0.connection.peer.local.host().into_owned()
    }

    /// Returns the port at which the connection came in: `SERVER_PORT`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.server_port()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some("));
    /// # });
    /// ```
    pub fn server_port(&self) -> Option<u16> {
        self.0.connection.peer.local.port()
    }

    /// Returns the address of the client: `REMOTE_ADDR`. It is `unix` for a Unix socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.remote_addr() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "127.0.0.1");
    /// # });
    /// ```
    pub fn remote_addr(&self) -> String {
        self.0.connection.peer.remote.host().into_owned()
    }

    /// Returns the port of the client: `REMOTE_PORT`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.remote_port()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some("));
    /// # });
    /// ```
    pub fn remote_port(&self) -> Option<u16> {
        self.0.connection.peer.remote.port()
    }

    /// Returns the address of the client as a socket address, where it is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.peer_addr()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some(127.0.0.1:"));
    /// # });
    /// ```
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match self.0.connection.peer.remote {
            End::Inet(addr) => Some(addr),
            End::Unix | End::Other(_) => None,
        }
    }

    /// Returns `"http"`, or `"https"` over TLS: `wsgi.url_scheme`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.url_scheme() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "http");
    /// # });
    /// ```
    pub fn url_scheme(&self) -> &'static str {
        self.0.connection.peer.scheme()
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

    /// Returns what layers around the site have left with the request.
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

    /// Returns the same, for changes.
    ///
    /// # Panics
    ///
    /// While what [`headers`](Environ::headers) or [`extensions`](Environ::extensions) returned is
    /// held.
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

    /// Returns the value of a key of CGI's or WSGI's, or of one that the server's
    /// [`environ`](super::Serving::environ) has.
    ///
    /// Headers have keys such as `HTTP_USER_AGENT`. A header whose own name has an underscore has
    /// none: it could pass for another.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.get("HTTP_USER_AGENT").unwrap_or_default() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /\nUser-Agent: me").await, "me");
    /// # });
    /// ```
    pub fn get(&self, key: &str) -> Option<String> {
        if let Some(name) = key.strip_prefix("HTTP_") {
            return self.header_by_key(name);
        }
        let value = match key {
            "REQUEST_METHOD" => self.method().to_string(),
            "SCRIPT_NAME" => self.script_name().to_owned(),
            "RAW_PATH_INFO" => self.raw_path_info(),
            "PATH_INFO" => self.path_info(),
            "QUERY_STRING" => self.query_string()?,
            "CONTENT_TYPE" => self.content_type(),
            "CONTENT_LENGTH" => self.content_length()?.to_string(),
            "SERVER_PROTOCOL" => format!("{:?}", self.server_protocol()),
            "SERVER_NAME" => self.server_name(),
            "SERVER_PORT" => self.server_port().map_or_else(String::new, |port| port.to_string()),
            "REMOTE_ADDR" => self.remote_addr(),
            "REMOTE_PORT" => self.remote_port().map_or_else(String::new, |port| port.to_string()),
            "GATEWAY_INTERFACE" => "CGI/1.1".to_owned(),
            "HTTPS" => return (self.url_scheme() == "https").then(|| "on".to_owned()),
            "wsgi.version" => "1.0".to_owned(),
            "wsgi.url_scheme" => self.url_scheme().to_owned(),
            "wsgi.multithread" => "True".to_owned(),
            "wsgi.multiprocess" | "wsgi.run_once" => "False".to_owned(),
            key => return self.given(key).map(str::to_owned),
        };
        Some(value)
    }

    fn header_by_key(&self, key: &str) -> Option<String> {
        let capital = !key.contains('-') && !key.bytes().any(|byte| byte.is_ascii_lowercase());
        let special = matches!(key, "CONTENT_TYPE" | "CONTENT_LENGTH");
        if !capital || special {
            return None;
        }
        self.header(&key.replace('_', "-"))
    }

    fn given(&self, key: &str) -> Option<&str> {
        let pairs = &self.0.connection.options.environ;
        pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// Returns all keys that there are with their values.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:#?}", env.to_map()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.contains("\"REQUEST_METHOD\": \"GET\""));
    /// # });
    /// ```
    pub fn to_map(&self) -> BTreeMap<String, String> {
        const KEYS: [&str; 18] = [
            "REQUEST_METHOD",
            "SCRIPT_NAME",
            "RAW_PATH_INFO",
            "PATH_INFO",
            "QUERY_STRING",
            "CONTENT_TYPE",
            "CONTENT_LENGTH",
            "SERVER_PROTOCOL",
            "SERVER_NAME",
            "SERVER_PORT",
            "REMOTE_ADDR",
            "REMOTE_PORT",
            "GATEWAY_INTERFACE",
            "HTTPS",
            "wsgi.version",
            "wsgi.url_scheme",
            "wsgi.multithread",
            "wsgi.multiprocess",
        ];
        let mut map: BTreeMap<String, String> =
            self.0.connection.options.environ.iter().cloned().collect();
        let named = KEYS.iter().chain(&["wsgi.run_once"]);
        map.extend(named.filter_map(|key| Some(((*key).to_owned(), self.get(key)?))));
        for name in self.0.parts.borrow().headers.keys() {
            let key = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
            if !name.as_str().contains('_') {
                map.extend(self.get(&key).map(|value| (key, value)));
            }
        }
        map
    }

    /// Has a function called when the response has gone and the site has ended, in whatever way.
    /// Those of one request are called in order; a panic in one is reported, and the next is
    /// called.
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
        self.0.add_hook(Box::new(hook));
    }

    /// Says how many bytes of this response are held back until they are sent: 0 sends each piece
    /// by itself.
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

    /// Takes the connection over: answers 101, and hands the socket to a function, with whatever
    /// the client has sent already. Return the response it gives, to which headers may be added.
    ///
    /// The function's future runs in the green thread of the connection, in its slot. When the
    /// server is shut down it is told by [`Hijacked::closing`]; one that does not listen is cut.
    ///
    /// A request that asks for no upgrade, or cannot have one in HTTP/1.0 or HTTP/2, gives a
    /// response of 426, and the function is dropped.
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

fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or_else(
        // Only CONNECT has a target without a path.
        || uri.authority().map_or("", |authority| authority.as_str()),
        |path| path.path(),
    )
}

/// Joins the values of a header, what is not UTF-8 replaced.
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
