//! Calling a function with its arguments in a tuple.

/// A function that can be called with its arguments in a tuple, like Python's `f(*arguments)`.
///
/// [`GreenPool::starmap`](crate::GreenPool::starmap) calls one for each tuple, and `stackful::call`
/// makes a future of a single call. Functions and closures of up to six arguments implement it.
///
/// # Examples
///
/// ```
/// use eventlet::Apply;
///
/// assert_eq!(u32::pow.apply((2, 5)), 32);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called with the arguments `{Arguments}`",
    note = "a tuple has what the function takes, in its order; of a single argument it is `(x,)`"
)]
pub trait Apply<Arguments> {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn apply(&mut self, arguments: Arguments) -> Self::Output;
}

macro_rules! apply {
    ($($argument:ident)*) => {
        impl<Function, Output, $($argument),*> Apply<($($argument,)*)> for Function
        where
            Function: FnMut($($argument),*) -> Output,
        {
            type Output = Output;

            #[allow(non_snake_case)]
            fn apply(&mut self, ($($argument,)*): ($($argument,)*)) -> Output {
                self($($argument),*)
            }
        }
    };
}

apply!();
apply!(A);
apply!(A B);
apply!(A B C);
apply!(A B C D);
apply!(A B C D E);
apply!(A B C D E G);
