//! The traits whose methods a program calls everywhere: `use eventlet::prelude::*`.
//!
//! ```
//! use eventlet::prelude::*;
//!
//! # #[cfg(feature = "stackful")]
//! eventlet::run(eventlet::stackful(|| {
//!     let gt = eventlet::spawn(async { Ok::<_, std::io::Error>(42) });
//!     assert_eq!(gt.block().flat().unwrap(), 42);
//! }));
//! ```

pub use crate::flat::Flat;
#[cfg(feature = "stackful")]
pub use crate::stackful::{Block, Blocking};
