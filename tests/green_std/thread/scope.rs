use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use eventlet::green::thread::{self, Builder, Scope};
use eventlet::{Block, spawn};

use crate::run;
use crate::support::{Log, OnDrop, keeps_turn, panics_here, yields};

fn text(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&'static str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn members_borrow_what_is_outside_and_have_ended_when_it_returns() {
    run(|| {
        let (mut numbers, count) = (vec![1, 2, 3], Cell::new(0));
        let answer = yields!(thread::scope(|s| {
            s.spawn(|| numbers.push(4));
            for _ in 0..3 {
                s.spawn(|| {
                    thread::yield_now();
                    count.set(count.get() + 1);
                });
            }
            assert_eq!(count.get(), 0);
            42
        }));
        numbers.push(5);
        assert_eq!((answer, numbers.len(), count.get()), (42, 5, 3));
    });
}

#[test]
fn values_that_borrow_are_handed_over() {
    run(|| {
        let words = String::from("one two three");
        let longest = thread::scope(|s| {
            let threads: Vec<_> = words.split(' ').map(|word| s.spawn(move || word)).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.max_by_key(|word| word.len())
        });
        assert_eq!(longest, Some("three"));
    });
}

#[test]
fn without_members_it_keeps_the_turn() {
    run(|| assert_eq!(keeps_turn!(thread::scope(|_| 7)), 7));
}

#[test]
fn test_scoped_threads_nll() {
    fn spawns<'scope>(s: &'scope Scope<'scope, '_>, number: &'scope Cell<i32>) {
        s.spawn(|| number.set(number.get() * 2));
    }
    run(|| {
        let number = Cell::new(21);
        thread::scope(|s| spawns(s, &number));
        assert_eq!(number.get(), 42);
    });
}

#[test]
fn test_scoped_threads_drop_result_before_join() {
    run(|| {
        let (finished, log) = (Cell::new(false), Log::new());
        struct Slow<'a>(&'a Cell<bool>, Log);
        impl Drop for Slow<'_> {
            fn drop(&mut self) {
                thread::yield_now();
                self.0.set(true);
                self.1.add("dropped");
            }
        }
        // Nobody joins: the value goes on the member's stack, which the scope waits for.
        thread::scope(|s| drop(s.spawn(|| Slow(&finished, log.clone()))));
        log.add("over");
        assert!(finished.get());
        assert_eq!(log.text(), "dropped over");
    });
}

#[test]
fn members_start_others() {
    run(|| {
        let count = Cell::new(0);
        thread::scope(|s| {
            s.spawn(|| {
                thread::yield_now();
                s.spawn(|| {
                    thread::yield_now();
                    s.spawn(|| count.set(count.get() + 1));
                });
            });
        });
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn scopes_nest() {
    run(|| {
        let outer = RefCell::new(Vec::new());
        thread::scope(|s| {
            s.spawn(|| {
                let inner = Cell::new(0);
                thread::scope(|s| {
                    s.spawn(|| inner.set(1));
                    s.spawn(|| outer.borrow_mut().push(0));
                });
                outer.borrow_mut().push(inner.get());
            });
            thread::scope(|s| {
                s.spawn(|| outer.borrow_mut().push(2));
            });
            assert!(outer.borrow().contains(&2));
        });
        assert_eq!(outer.borrow().len(), 3);
    });
}

#[test]
fn a_panic_that_is_joined_is_the_joiners_and_another_is_the_scopes() {
    run(|| {
        thread::scope(|s| {
            let payload = s.spawn(|| panic!("joined")).join().unwrap_err();
            assert_eq!(text(payload), "joined");
        });
        let ended = Cell::new(false);
        let scope = AssertUnwindSafe(|| {
            thread::scope(|s| {
                s.spawn(|| panic!("nobody joins"));
                s.spawn(|| {
                    thread::yield_now();
                    ended.set(true);
                });
            });
        });
        assert_eq!(text(catch_unwind(scope).unwrap_err()), "a scoped thread panicked");
        assert!(ended.get(), "the others went on");
    });
}

#[test]
fn when_its_function_panics_it_waits_for_all_and_panics_with_that() {
    run(|| {
        let ended = Cell::new(0);
        let scope = AssertUnwindSafe(|| {
            thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        thread::sleep(std::time::Duration::from_secs(1));
                        assert!(!thread::panicking());
                        ended.set(ended.get() + 1);
                    });
                }
                s.spawn(|| panic!("less important"));
                panic!("the function");
            });
        });
        assert_eq!(text(catch_unwind(scope).unwrap_err()), "the function");
        assert_eq!(ended.get(), 3);
    });
}

#[test]
fn a_handle_knows_its_thread() {
    run(|| {
        thread::scope(|s| {
            let parked = s.spawn(|| {
                thread::park();
                thread::current().id()
            });
            assert!(!parked.is_finished());
            let id = parked.thread().id();
            parked.thread().unpark();
            assert_eq!(parked.join().unwrap(), id);

            let named = Builder::new().name("scoped".to_owned());
            let named = named.spawn_scoped(s, || thread::current().name() == Some("scoped"));
            assert!(named.unwrap().join().unwrap());

            let huge = Builder::new().stack_size(usize::MAX / 4);
            let error = huge.spawn_scoped(s, || unreachable!("it has no stack")).unwrap_err();
            assert!(error.to_string().contains("refuses a green stack"), "{error}");
        });
    });
}

#[test]
fn where_nobody_can_wait_it_panics_at_once() {
    panics_here!("a scope waits on a green stack", thread::scope(|_| ()));
    run(|| {
        let stackless = async {
            panics_here!("a scope waits on a green stack", thread::scope(|_| ()));
        };
        spawn(stackless).block().unwrap();
        let destructor = AssertUnwindSafe(|| {
            let _last =
                OnDrop(|| panics_here!("while its green stack unwinds", thread::scope(|_| ())));
            panic!("the destructor has a scope");
        });
        catch_unwind(destructor).unwrap_err();
    });
}
