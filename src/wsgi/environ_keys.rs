//! The environ by the keys that CGI and WSGI give it.

use std::collections::BTreeMap;

use super::environ::Environ;

impl Environ {
    /// Returns the value of a key of CGI or WSGI, or of one that was set by the server's
    /// [`environ`](super::Serving::environ).
    ///
    /// Headers have keys such as `HTTP_USER_AGENT`. A header with an underscore in its own name has
    /// none: its key could be mistaken for that of another.
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
            key => return self.server_key(key).map(str::to_owned),
        };
        Some(value)
    }

    /// Returns the value of a header, whose key goes on after `HTTP_` with `key`.
    fn header_by_key(&self, key: &str) -> Option<String> {
        let is_key = !key.contains('-') && !key.bytes().any(|byte| byte.is_ascii_lowercase());
        let has_another_key = matches!(key, "CONTENT_TYPE" | "CONTENT_LENGTH");
        if !is_key || has_another_key {
            return None;
        }
        self.header(&key.replace('_', "-"))
    }

    /// Returns the value of a key that was set for the server.
    fn server_key(&self, key: &str) -> Option<&str> {
        let pairs = &self.0.connection.options.environ;
        pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// Returns all keys with their values.
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
        const KEYS: [&str; 19] = [
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
            "wsgi.run_once",
        ];
        let mut map: BTreeMap<String, String> =
            self.0.connection.options.environ.iter().cloned().collect();
        map.extend(KEYS.iter().filter_map(|key| Some(((*key).to_owned(), self.get(key)?))));
        for name in self.0.parts.borrow().headers.keys() {
            let key = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
            if !name.as_str().contains('_') {
                map.extend(self.get(&key).map(|value| (key, value)));
            }
        }
        map
    }
}
