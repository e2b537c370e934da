//! One pool for each host and database.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use super::database::Database;
use super::pool::ConnectionPool;

/// The key of the credentials for hosts without their own.
const DEFAULT: &str = "default";

/// Makes the pool of a host, a database and credentials.
type Make<D, C> = dyn Fn(&str, &str, &C) -> ConnectionPool<D>;

/// Pools of connections, one for each host and database, with the credentials of each host.
///
/// Corresponds to eventlet's `db_pool.DatabaseConnector`.
///
/// # Examples
///
/// ```
/// use eventlet::db_pool::{ConnectionPool, DatabaseConnector};
///
/// async fn connect(url: String) -> std::io::Result<String> {
///     Ok(url)
/// }
///
/// eventlet::run(async {
///     let credentials = [("db1", "anna:secret"), ("default", "guest:guest")];
///     let databases = DatabaseConnector::new(credentials, |host, name, user: &&str| {
///         let url = format!("postgres://{user}@{host}/{name}");
///         ConnectionPool::new(move || connect(url.clone())).max_size(10)
///     });
///     let pool = databases.get("db1", "shop").unwrap();
///     assert_eq!(*pool.get().await.unwrap(), "postgres://anna:secret@db1/shop");
///     let other = databases.get("db2", "shop").unwrap();
///     assert_eq!(*other.get().await.unwrap(), "postgres://guest:guest@db2/shop");
/// });
/// ```
pub struct DatabaseConnector<D: Database, C> {
    credentials: HashMap<String, C>,
    make: Box<Make<D, C>>,
    pools: RefCell<HashMap<(String, String), ConnectionPool<D>>>,
}

impl<D: Database, C> DatabaseConnector<D, C> {
    /// Makes a connector of the credentials of each host, and a function that makes the pool of a
    /// host, a database and credentials. Those of the host `default` are for all hosts without
    /// their own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::db_pool::{ConnectionPool, DatabaseConnector};
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let databases = DatabaseConnector::new([("default", ())], |_, _, ()| ConnectionPool::new(connect));
    /// assert!(databases.get("localhost", "test").is_ok());
    /// ```
    pub fn new<H: Into<String>>(
        credentials: impl IntoIterator<Item = (H, C)>,
        make: impl Fn(&str, &str, &C) -> ConnectionPool<D> + 'static,
    ) -> DatabaseConnector<D, C> {
        let credentials = credentials.into_iter().map(|(host, of)| (host.into(), of)).collect();
        DatabaseConnector { credentials, make: Box::new(make), pools: RefCell::default() }
    }

    /// Returns the pool of a database on a host: the same one each time.
    ///
    /// # Errors
    ///
    /// If there are no credentials for the host and no default ones.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::db_pool::{ConnectionPool, DatabaseConnector};
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let databases = DatabaseConnector::new([("db1", ())], |_, _, ()| ConnectionPool::new(connect));
    /// let unknown = databases.get("db2", "test").unwrap_err();
    /// assert_eq!(unknown.to_string(), "there are no credentials for the host `db2`, and no `default`: known are `db1`");
    /// ```
    pub fn get(&self, host: &str, database: &str) -> Result<ConnectionPool<D>, UnknownHost> {
        let credentials = self.credentials_for(host)?;
        let key = (host.to_owned(), database.to_owned());
        let known = self.pools.borrow().get(&key).cloned();
        let pool = known.unwrap_or_else(|| (self.make)(host, database, credentials));
        Ok(self.pools.borrow_mut().entry(key).or_insert(pool).clone())
    }

    /// Returns the credentials for a host.
    ///
    /// # Errors
    ///
    /// When there are none, and no default ones.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::db_pool::{ConnectionPool, DatabaseConnector};
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let databases = DatabaseConnector::new([("db1", 7)], |_, _, _| ConnectionPool::new(connect));
    /// assert_eq!(databases.credentials_for("db1").ok(), Some(&7));
    /// ```
    pub fn credentials_for(&self, host: &str) -> Result<&C, UnknownHost> {
        let known = self.credentials.get(host).or_else(|| self.credentials.get(DEFAULT));
        known.ok_or_else(|| UnknownHost::new(host, self.credentials.keys()))
    }
}

impl<D: Database, C> fmt::Debug for DatabaseConnector<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConnector")
            .field("hosts", &self.credentials.keys())
            .field("pools", &self.pools.borrow())
            .finish_non_exhaustive()
    }
}

/// There are no credentials for a host: what [`DatabaseConnector::get`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHost {
    host: String,
    known: Vec<String>,
}

impl UnknownHost {
    fn new<'a>(host: &str, known: impl Iterator<Item = &'a String>) -> UnknownHost {
        let mut known: Vec<_> = known.cloned().collect();
        known.sort_unstable();
        UnknownHost { host: host.to_owned(), known }
    }
}

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnknownHost { host, known } = self;
        write!(f, "there are no credentials for the host `{host}`, and no `{DEFAULT}`: ")?;
        match known.as_slice() {
            [] => f.write_str("none are known"),
            known => write!(f, "known are `{}`", known.join("`, `")),
        }
    }
}

impl Error for UnknownHost {}
