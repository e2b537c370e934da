//! An `Err` as the value of a green thread, found in whatever type the value has.
//!
//! Eventlet prints the traceback of any exception that ends a green thread. Here a green thread
//! ends with a value of any type, and an `Err` that no code looks at would be lost. A trait bound
//! would reject most values, as stable Rust cannot implement a trait for all types and specialise
//! it for `Result`. So an `Err` is found without one:
//!
//! - The name of the type says that it is a `Result`, and the `Discriminant` of the value, shown to
//!   a hasher, that it is the second variant. std guarantees neither. If one changes, the tests
//!   below fail, and only a report is lost.
//! - The error's message is read for the types in [`KNOWN`]. For any other the report names the
//!   type.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::mem;

use crate::exit::Exit;
use crate::report;

/// Returns the report for an outcome that was never looked at: for a panic, and for a value that is
/// an `Err`.
#[inline]
pub(crate) fn failure_in<T: 'static>(outcome: &Result<T, Exit>) -> Option<String> {
    match outcome {
        Ok(value) => error_in(value),
        Err(exit) => exit.is_panic().then(|| exit.to_string()),
    }
}

/// Returns the report for a value that is an `Err`. An [`Exit`] that is a kill is not a failure, as
/// in eventlet.
#[inline]
pub(super) fn error_in<T: 'static>(value: &T) -> Option<String> {
    if is_result(type_name::<T>()) && is_second_variant(value) {
        describe(value, type_name::<T>())
    } else {
        None
    }
}

const RESULT: &str = "core::result::Result<";

/// Decided at compile time for most types.
#[inline]
fn is_result(name: &str) -> bool {
    name.starts_with(RESULT)
}

#[inline(never)]
fn is_second_variant<T>(value: &T) -> bool {
    let mut variant = Variant(None);
    mem::discriminant(value).hash(&mut variant);
    variant.0 == Some(1)
}

/// Reads the number of a variant.
struct Variant(Option<isize>);

impl Hasher for Variant {
    fn write(&mut self, _: &[u8]) {}

    fn write_isize(&mut self, number: isize) {
        self.0 = Some(number);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cold]
fn describe(value: &dyn Any, name: &str) -> Option<String> {
    match KNOWN.iter().copied().flatten().find_map(|known| known(value)) {
        Some(Told::Text(text)) => Some(format!("it ended with an error: {text}")),
        Some(Told::Kill) => None,
        None => Some(format!(
            "it ended with an error, `{}`; its message is known only to code that handles it",
            error_type(name)
        )),
    }
}

/// What is known of an error.
enum Told {
    Text(String),
    /// It is the [`Exit`] of a killed green thread.
    Kill,
}

/// Describes a value, if it is an `Err` of the type that this function knows.
type Known = fn(&dyn Any) -> Option<Told>;

macro_rules! known {
    ($($error:ty),* $(,)?) => {
        &[$( &known!(@ $error; (), bool, u8, u32, u64, usize, i32, i64, String, Vec<u8>) ),*]
    };
    (@ $error:ty; $($value:ty),*) => {
        [$( (|value| value.downcast_ref::<Result<$value, $error>>()?.as_ref().err().map(Tell::tell))
            as Known ),*]
    };
}

/// The error types whose message can be read.
static KNOWN: &[&[Known]] = known![
    io::Error,
    Box<dyn Error + Send + Sync>,
    Box<dyn Error + Send>,
    Box<dyn Error>,
    fmt::Error,
    String,
    &'static str,
    Exit,
];

trait Tell {
    fn tell(&self) -> Told;
}

macro_rules! tell_by_display {
    ($($error:ty),*) => {
        $( impl Tell for $error {
            fn tell(&self) -> Told {
                Told::Text(report::text_of(self))
            }
        } )*
    };
}

tell_by_display!(
    io::Error,
    Box<dyn Error + Send + Sync>,
    Box<dyn Error + Send>,
    Box<dyn Error>,
    fmt::Error,
    String,
    &'static str
);

impl Tell for Exit {
    fn tell(&self) -> Told {
        if self.is_killed() { Told::Kill } else { Told::Text(report::text_of(self)) }
    }
}

/// Returns the second argument in the name of a `Result`, or the whole name if it has another form.
fn error_type(name: &str) -> &str {
    let arguments = name.strip_prefix(RESULT).and_then(|rest| rest.strip_suffix('>'));
    let Some(arguments) = arguments else { return name };
    let mut depth = 0;
    let mut before = ' ';
    for (at, here) in arguments.char_indices() {
        match here {
            '<' | '(' | '[' => depth += 1,
            // Not the arrow of a function.
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => return arguments[at + 1..].trim_start(),
            _ => {}
        }
        before = here;
    }
    name
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::num::NonZeroU8;

    use super::*;

    #[derive(Debug)]
    struct Own;

    fn says<T: 'static>(value: T) -> String {
        error_in(&value).expect("it is an `Err`")
    }

    #[test]
    fn an_error_is_found_in_a_result_of_whatever_layout() {
        says(Err::<(), ()>(()));
        says(Err::<Infallible, u8>(3));
        says(Err::<Infallible, ()>(()));
        says(Err::<Box<u8>, ()>(()));
        says(Err::<(), Box<u8>>(Box::new(1)));
        says(Err::<NonZeroU8, ()>(()));
        says(Err::<Option<&str>, NonZeroU8>(NonZeroU8::MIN));
        says(Err::<[u64; 9], Result<(), Own>>(Ok(())));
        says(Err::<Option<bool>, bool>(false));
        says(Err::<io::Result<String>, io::Error>(io::ErrorKind::Other.into()));
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        fn is_none<T: 'static>(value: T) {
            assert_eq!(error_in(&value), None, "{}", type_name::<T>());
        }
        is_none(());
        is_none(1_isize);
        is_none(true);
        is_none(Some(1));
        is_none(None::<u8>);
        is_none(std::cmp::Ordering::Greater);
        is_none((Err::<(), ()>(()), 1));
        is_none(vec![Err::<(), ()>(())]);
        is_none(Some(Err::<(), ()>(())));
        is_none(Ok::<(), Infallible>(()));
        is_none(Ok::<(), ()>(()));
        is_none(Ok::<Box<u8>, ()>(Box::new(1)));
        is_none(Ok::<Result<(), u8>, Own>(Err(1)));
        is_none(Ok::<Option<bool>, bool>(None));
        is_none(Err::<(), Exit>(Exit::killed()));
    }

    #[test]
    fn what_it_says_is_told_where_that_is_known() {
        let words = "it ended with an error: no paper";
        assert_eq!(says(Err::<(), _>("no paper")), words);
        assert_eq!(says(Err::<Vec<u8>, _>("no paper".to_owned())), words);
        assert_eq!(says(io::Result::<usize>::Err(io::Error::other("no paper"))), words);
        assert_eq!(says(Err::<(), Box<dyn Error>>("no paper".into())), words);
        assert_eq!(says(Err::<String, Box<dyn Error + Send + Sync>>("no paper".into())), words);
        assert_eq!(
            says(Err::<(), Exit>(Exit::thrown("no paper".into()))).matches("no paper").count(),
            1
        );
    }

    #[test]
    fn of_any_other_the_type_is_told() {
        let own = says(Err::<(), Own>(Own));
        assert!(own.contains(&format!("`{}`;", type_name::<Own>())), "{own}");
        assert!(
            says(Err::<Own, io::Error>(io::ErrorKind::Other.into()))
                .contains("`std::io::error::Error`;")
        );
        type Maker = fn(u8, (u8, u8)) -> Vec<u8>;
        assert!(says(Err::<Maker, [u8; 2]>([1, 2])).contains("`[u8; 2]`;"));
        assert_eq!(error_type("core::result::Result<whatever>"), "core::result::Result<whatever>");
    }
}
