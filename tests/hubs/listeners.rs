//! Follows eventlet tests/hub_test.py at c8f903a3: listeners of descriptors.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use eventlet::hubs::{Interest, Listener, get_hub, notify_close, trampoline};
use eventlet::sleep;

use crate::support::*;

/// A pair, whose first end does not block.
fn pair() -> (Rc<UnixStream>, UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    (Rc::new(here), there)
}

fn counter() -> (Rc<Cell<u32>>, impl Fn() + Clone) {
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    (count, move || counted.set(counted.get() + 1))
}

fn has_ended(listener: Listener) -> bool {
    format!("{listener:?}").contains("true")
}

/// Waits for many turns: where somebody is always ready a paused clock stands still.
macro_rules! turns {
    () => {
        for _ in 0..2000 {
            wait!(sleep(ms(0)));
        }
    };
}

both_colours! {
    fn a_listener_is_called_each_time_that_there_is_something() {
        let (here, mut there) = pair();
        let read = Rc::new(RefCell::new(Vec::new()));
        let (socket, all) = (Rc::clone(&here), Rc::clone(&read));
        let listener = get_hub().add(Interest::Read, here, move || {
            let mut bytes = [0; 16];
            let len = (&*socket).read(&mut bytes).unwrap();
            all.borrow_mut().push(bytes[..len].to_vec());
        });
        for message in ["one", "two", "three"] {
            there.write_all(message.as_bytes()).unwrap();
            wait!(sleep(ms(1)));
        }
        assert_eq!(*read.borrow(), ["one", "two", "three"].map(|text| text.as_bytes().to_vec()));
        get_hub().remove(listener);
        assert!(has_ended(listener));
    }

    fn it_is_called_again_as_long_as_nobody_takes_what_is_there() {
        let (here, mut there) = pair();
        let (count, called) = counter();
        let listener = get_hub().add(Interest::Read, Rc::clone(&here), called);
        wait!(sleep(ms(1)));
        assert_eq!(count.get(), 0);
        there.write_all(b"x").unwrap();
        while count.get() < 10 {
            wait!(sleep(ms(0)));
        }
        get_hub().remove(listener);
        let counted = count.get();
        wait!(sleep(ms(1)));
        assert_eq!((count.get(), Rc::strong_count(&here)), (counted, 1));
    }

    fn both_sides_of_a_descriptor_have_listeners_of_their_own() {
        let (here, mut there) = pair();
        let ((reads, read), (writes, write)) = (counter(), counter());
        let reader = get_hub().add(Interest::Read, Rc::clone(&here), read);
        let writer = get_hub().add(Interest::Write, Rc::clone(&here), write);
        turns!();
        assert!(reads.get() == 0 && writes.get() > 0);
        get_hub().remove(writer);
        there.write_all(b"x").unwrap();
        turns!();
        assert!(reads.get() > 0 && !has_ended(reader));
        get_hub().remove(reader);
    }

    fn it_may_remove_itself() {
        let (here, mut there) = pair();
        let listener = Rc::new(Cell::new(None));
        let (count, called) = counter();
        let own = Rc::clone(&listener);
        listener.set(Some(get_hub().add(Interest::Read, here, move || {
            called();
            get_hub().remove(own.get().unwrap());
        })));
        there.write_all(b"x").unwrap();
        wait!(sleep(ms(1)));
        assert_eq!((count.get(), has_ended(listener.get().unwrap())), (1, true));
    }

    /// As `hub_prevent_multiple_readers` has it.
    fn a_second_one_ends() {
        let (here, mut there) = pair();
        let ((firsts, first), (seconds, second)) = (counter(), counter());
        let first = get_hub().add(Interest::Read, Rc::clone(&here), first);
        wait!(sleep(ms(1)));
        let second = get_hub().add(Interest::Read, Rc::clone(&here), second);
        wait!(sleep(ms(1)));
        assert!(has_ended(second) && !has_ended(first));
        there.write_all(b"x").unwrap();
        turns!();
        assert!(firsts.get() > 0 && seconds.get() == 0);
        get_hub().remove(first);
    }

    fn one_that_panics_ends_and_the_hub_goes_on() {
        let (here, mut there) = pair();
        let panics = get_hub().add(Interest::Read, Rc::clone(&here), || panic!("a bad callback"));
        there.write_all(b"x").unwrap();
        wait!(sleep(ms(1)));
        assert!(has_ended(panics));
        wait!(trampoline(&here, Interest::Read, None)).unwrap();
    }

    fn one_whose_descriptor_is_to_be_closed_gives_it_back() {
        let (here, _there) = pair();
        let (_count, called) = counter();
        let listener = get_hub().add(Interest::Read, Rc::clone(&here), called);
        wait!(sleep(ms(1)));
        notify_close(&here);
        wait!(sleep(ms(1)));
        assert!(has_ended(listener) && Rc::strong_count(&here) == 1);
    }
}
