//! Items that stand for something else.

use std::ops::Deref;

use super::item::Item;
use super::pool::Pool;

/// A pool of tokens: rights to use a limited resource.
///
/// It is a handle, and it derefs to [`Pool`], which has its methods, as eventlet's inherits from
/// it.
///
/// Corresponds to `eventlet.pools.TokenPool`.
///
/// # Examples
///
/// ```
/// use eventlet::pools::TokenPool;
///
/// eventlet::run(async {
///     let licences = TokenPool::new(2);
///     let _mine = licences.item().await;
///     assert_eq!(licences.free(), 1);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct TokenPool {
    pool: Pool<Token>,
}

impl TokenPool {
    /// Makes a pool of so many tokens.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::pools::TokenPool::new(2).free(), 2);
    /// ```
    pub fn new(max_size: usize) -> TokenPool {
        TokenPool { pool: Pool::infallible(max_size, || async { Token(()) }) }
    }

    /// Takes a token, and waits for one where all are taken. It must come back with
    /// [`put`](Pool::put).
    ///
    /// Corresponds to eventlet's `TokenPool.get`.
    ///
    /// # Yields
    ///
    /// Only when all tokens are taken.
    ///
    /// # Killed
    ///
    /// As with [`Pool::get`]: no token is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::TokenPool;
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(1);
    /// let token = pool.get().await;
    /// assert_eq!(pool.free(), 0);
    /// pool.put(token);
    /// assert_eq!(pool.free(), 1);
    /// # });
    /// ```
    pub async fn get(&self) -> Token {
        let Ok(token) = self.pool.get().await;
        token
    }

    /// Takes a token that goes back by itself when it is dropped.
    ///
    /// Corresponds to eventlet's `with pool.item():`.
    ///
    /// # Yields
    ///
    /// Only when all tokens are taken.
    ///
    /// # Killed
    ///
    /// No token is lost, and that of a killed green thread goes back with everything else it has.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::TokenPool;
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(1);
    /// {
    ///     let _token = pool.item().await;
    ///     assert_eq!(pool.free(), 0);
    /// }
    /// assert_eq!(pool.free(), 1);
    /// # });
    /// ```
    pub async fn item(&self) -> Item<Token> {
        let Ok(token) = self.pool.item().await;
        token
    }
}

impl Deref for TokenPool {
    type Target = Pool<Token>;

    fn deref(&self) -> &Pool<Token> {
        &self.pool
    }
}

/// A right from a [`TokenPool`], which user code can neither make nor copy.
///
/// Corresponds to `eventlet.pools.Token`.
///
/// # Examples
///
/// ```
/// use eventlet::pools::{Token, TokenPool};
///
/// fn use_licence(_proof: &Token) {}
///
/// # eventlet::run(async {
/// use_licence(&TokenPool::new(1).get().await);
/// # });
/// ```
#[derive(Debug)]
pub struct Token(());
