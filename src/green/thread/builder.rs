//! Green threads with a name, or a stack of their own size.

use std::io;

use super::scope::ScopedJoinHandle;
use super::spawn::JoinHandle;
use crate::greenthread::spawn;
use crate::stackful::scope::Scope;
use crate::stackful::{Stackful, stackful};

/// A green thread to be started, with a name or a stack of another size.
///
/// Corresponds to [`std::thread::Builder`].
///
/// # Examples
///
/// ```
/// use eventlet::green::thread::{self, Builder};
///
/// eventlet::run(eventlet::stackful(|| {
///     let deep = Builder::new().name("deep".to_owned()).stack_size(4 * 1024 * 1024);
///     let handle = deep.spawn(|| thread::current().name() == Some("deep")).unwrap();
///     assert!(handle.join().unwrap());
/// }));
/// ```
#[derive(Debug, Default)]
#[must_use = "it starts nothing by itself"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// Makes one without a name and with the hub's size of stack.
    ///
    /// Corresponds to [`std::thread::Builder::new`].
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Gives the green thread a name, for [`Thread::name`](super::Thread::name) and
    /// [`debug`](crate::debug).
    ///
    /// Corresponds to [`std::thread::Builder::name`].
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Asks for a stack of so many bytes, as [`Stackful::stack_size`] does.
    ///
    /// Corresponds to [`std::thread::Builder::stack_size`].
    pub fn stack_size(mut self, size: usize) -> Builder {
        self.stack_size = Some(size);
        self
    }

    /// Starts a closure in a green thread.
    ///
    /// Corresponds to [`std::thread::Builder::spawn`].
    ///
    /// # Panics
    ///
    /// If there is no hub.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If the system refuses a stack: names the limit, and says what to do. So the stack is taken
    /// here; [`thread::spawn`](super::spawn()) takes it at the first turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread::Builder;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Builder::new().spawn(|| 42).unwrap().join().unwrap(), 42);
    ///     let error = Builder::new().stack_size(usize::MAX / 4).spawn(|| 42).unwrap_err();
    ///     assert!(error.to_string().contains("refuses a green stack"));
    /// }));
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let handle = JoinHandle::from(spawn(self.with_stack(stackful(f))?));
        if let Some(name) = self.name {
            handle.set_name(name);
        }
        Ok(handle)
    }

    /// Starts a closure in a green thread of a [`scope`](super::scope()).
    ///
    /// Corresponds to [`std::thread::Builder::spawn_scoped`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// If the system refuses a stack: names the limit, and says what to do.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::thread::{self, Builder};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let numbers = [1, 2, 3];
    ///     let sum: i32 = thread::scope(|s| {
    ///         let adder = Builder::new().name("adder".to_owned());
    ///         adder.spawn_scoped(s, || numbers.iter().sum()).unwrap().join().unwrap()
    ///     });
    ///     assert_eq!(sum, 6);
    /// }));
    /// ```
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + 'scope,
        T: 'scope,
    {
        let handle = ScopedJoinHandle::start(scope, f, |body| self.with_stack(body))?;
        if let Some(name) = self.name {
            handle.set_name(name);
        }
        Ok(handle)
    }

    /// Takes the stack now.
    fn with_stack<F, T>(&self, future: Stackful<F, T>) -> io::Result<Stackful<F, T>> {
        let future = match self.stack_size {
            Some(size) => future.stack_size(size),
            None => future,
        };
        future.with_stack_now()
    }
}
