//! What the six kinds of sockets have in common, written once.
//!
//! Each macro takes the first lines of its examples: `uses` are their imports, and `makes` makes a
//! `socket`.

/// Makes the methods and conversions that every socket has.
///
/// `tries` is an expression that would wait on a new socket, and `clones` documents the use of a
/// second handle.
macro_rules! socket {
    (
        $green:ident, $std:ty, $std_name:literal, $tokio:ty, $tokio_name:literal,
        uses: $uses:literal, makes: [$($makes:literal)*], tries: $tries:literal, clones: $clones:literal,
    ) => {
        impl $green {
            /// Makes a second handle of the socket.
            #[doc = concat!(" ", $clones)]
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::try_clone`].")]
            ///
            /// # Errors
            ///
            /// Never.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     let clone = socket.try_clone().unwrap();
            ///     let [one, other] = [&socket, &clone].map(|it| format!("{:?}", it.local_addr().unwrap()));
            ///     assert_eq!(one, other);
            /// }));
            /// ```
            pub fn try_clone(&self) -> std::io::Result<$green> {
                Ok($green { socket: std::rc::Rc::clone(&self.socket) })
            }

            /// Sets whether an operation that cannot complete at once fails with `WouldBlock`
            /// instead of waiting.
            ///
            /// As in `std` on Linux, connections that a listener accepts are not affected.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::set_nonblocking`].")]
            ///
            /// # Errors
            ///
            /// Never.
            ///
            /// # Examples
            ///
            /// ```
            /// # #[allow(unused_imports)]
            /// use std::io::{ErrorKind, Read};
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     socket.set_nonblocking(true).unwrap();
            #[doc = concat!("     assert_eq!(", $tries, ".unwrap_err().kind(), ErrorKind::WouldBlock);")]
            /// }));
            /// ```
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.socket.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Returns the error that is pending on the socket, and clears it.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::take_error`].")]
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     assert!(socket.take_error().unwrap().is_none());
            /// }));
            /// ```
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                socket2::SockRef::from(&self.socket.io).take_error()
            }

            /// Converts into Tokio's type, for async code.
            ///
            /// If there are clones, they keep the socket, and this returns a second descriptor of
            /// it.
            ///
            /// # Errors
            ///
            /// When there are clones and the operating system refuses another descriptor.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            #[doc = concat!("     let socket: ", $tokio_name, " = socket.into_tokio().unwrap();")]
            ///     assert!(socket.local_addr().is_ok());
            /// }));
            /// ```
            pub fn into_tokio(self) -> std::io::Result<$tokio> {
                match std::rc::Rc::try_unwrap(self.socket) {
                    Ok(socket) => Ok(socket.io),
                    Err(shared) => <$tokio>::from_std(crate::green::net::socket::dup(&shared.io)?),
                }
            }
        }

        /// Takes over a socket of Tokio.
        impl From<$tokio> for $green {
            fn from(socket: $tokio) -> $green {
                $green { socket: crate::green::net::socket::Socket::new(socket) }
            }
        }

        /// Takes over a socket of `std`. Its clones become non-blocking, too.
        ///
        /// # Panics
        ///
        /// Outside a Tokio runtime.
        impl TryFrom<$std> for $green {
            type Error = std::io::Error;

            #[track_caller]
            fn try_from(socket: $std) -> std::io::Result<$green> {
                crate::hub::check_runtime("taking over a socket");
                socket.set_nonblocking(true)?;
                <$tokio>::from_std(socket).map(<$green>::from)
            }
        }

        impl std::fmt::Debug for $green {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.socket.io.fmt(f)
            }
        }

        #[cfg(unix)]
        crate::green::net::socket::descriptor!($green);
    };
}

/// Makes the time limits of a socket that reads and writes.
macro_rules! timeouts {
    ($green:ident, $std_name:literal, uses: $uses:literal, makes: [$($makes:literal)*],) => {
        impl $green {
            /// Limits how long each read may wait. `None`, the default, is no limit.
            ///
            /// A limit bounds each wait, not the whole of a `read_line` or a `read_to_end`.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::set_read_timeout`].")]
            ///
            /// # Errors
            ///
            /// `InvalidInput` for a limit of zero. A read that times out fails with `WouldBlock`.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::time::Duration;
            ///
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            ///     assert_eq!(socket.read_timeout().unwrap(), Some(Duration::from_secs(5)));
            ///     assert!(socket.set_read_timeout(Some(Duration::ZERO)).is_err());
            /// }));
            /// ```
            pub fn set_read_timeout(
                &self,
                limit: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.socket.reading.set_limit(limit)
            }

            /// Limits how long each write may wait. `None`, the default, is no limit.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::set_write_timeout`].")]
            ///
            /// # Errors
            ///
            /// `InvalidInput` for a limit of zero. A write that times out fails with `WouldBlock`.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::time::Duration;
            ///
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
            ///     assert_eq!(socket.write_timeout().unwrap(), Some(Duration::from_secs(5)));
            ///     assert!(socket.set_write_timeout(Some(Duration::ZERO)).is_err());
            /// }));
            /// ```
            pub fn set_write_timeout(
                &self,
                limit: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.socket.writing.set_limit(limit)
            }

            /// Returns how long each read may wait.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::read_timeout`].")]
            ///
            /// # Errors
            ///
            /// Never.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     assert_eq!(socket.read_timeout().unwrap(), None);
            /// }));
            /// ```
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.reading.limit())
            }

            /// Returns how long each write may wait.
            ///
            #[doc = concat!(" Corresponds to [`", $std_name, "::write_timeout`].")]
            ///
            /// # Errors
            ///
            /// Never.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = $uses]
            ///
            /// eventlet::run(eventlet::stackful(|| {
            $(#[doc = $makes])*
            ///     assert_eq!(socket.write_timeout().unwrap(), None);
            /// }));
            /// ```
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.writing.limit())
            }
        }
    };
}

pub(in crate::green) use {socket, timeouts};
