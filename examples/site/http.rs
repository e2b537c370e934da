//! A small HTTP client: one request, one connection, plain `http`.

use std::error::Error;
use std::str::FromStr;

use eventlet::{connect, spawn_n};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;

/// The errors of a request or its answer.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The largest page that is read.
const LARGEST: usize = 8 * 1024 * 1024;

/// Fetches a page.
pub async fn get(url: String) -> Result<String, BoxError> {
    request(Method::GET, url, String::new()).await
}

/// Sends a body, and returns the answer.
pub async fn post(url: String, body: String) -> Result<String, BoxError> {
    request(Method::POST, url, body).await
}

/// Returns the URLs that a page links to, if they are on the page's own site.
pub fn links(url: &str, page: &str) -> Vec<String> {
    let root = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.filter(|link| link.starts_with('/')).map(|link| format!("{root}{link}")).collect()
}

async fn request(method: Method, url: String, body: String) -> Result<String, BoxError> {
    let url = Uri::from_str(&url)?;
    let host = url.authority().filter(|_| url.scheme_str() == Some("http"));
    let host = host.ok_or("only http:// URLs are fetched here")?.clone();
    let stream = connect((host.host(), host.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = spawn_n(connection);

    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder().method(method).uri(path).header(HOST, host.as_str());
    let response = sender.send_request(request.body(body)?).await?;
    if !response.status().is_success() {
        return Err(response.status().to_string().into());
    }
    let page = Limited::new(response.into_body(), LARGEST).collect().await?.to_bytes();
    connection.kill();
    Ok(String::from_utf8_lossy(&page).into_owned())
}
