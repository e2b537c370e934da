//! The tests in `tests/` hold what the compiler says to the commonest mistakes to readable words.
//! They compile programs that must not compile, in a package of their own below Cargo's target
//! directory.
