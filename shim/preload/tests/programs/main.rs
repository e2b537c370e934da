//! Programs that know nothing of this library, run with it.

mod installed;
mod of_c;
mod support;
