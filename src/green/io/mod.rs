//! Input and output under the names of [`std::io`].

#[cfg(unix)]
mod pipe;

#[doc(no_inline)]
pub use std::io::*;

#[cfg(unix)]
pub use pipe::{PipeReader, PipeWriter, pipe};
