//! Looking into the hub.

use std::future::pending;

use eventlet::debug::{State, format_green_threads, green_threads, keep_times};
use eventlet::{GreenPile, GreenPool, getcurrent, sleep, spawn, spawn_after, spawn_n};
use futures::future::poll_immediate;

use crate::support::{ZERO, both_colours, ms};

/// Returns the state of each green thread, the main one first.
fn states() -> Vec<State> {
    green_threads().iter().map(|info| info.state).collect()
}

both_colours! {
    fn each_green_thread_is_seen_in_its_state() {
        let waiting = spawn_n(green!({ wait!(pending::<()>()) }));
        let ready = spawn_n(green!({
            loop {
                wait!(sleep(ZERO));
            }
        }));
        wait!(sleep(ZERO));
        let late = spawn_after(ms(1), green!({}));
        let new = spawn_n(green!({}));
        assert_eq!(
            states(),
            [State::Running, State::Waiting, State::Ready, State::New, State::New]
        );
        let all: Vec<_> = green_threads()[1..].iter().map(|info| info.greenlet).collect();
        assert_eq!(all, [waiting, ready, *late, new]);
        late.kill();
        for greenlet in [waiting, ready, new] {
            greenlet.kill();
        }
        assert_eq!(states(), [State::Running]);
    }

    fn they_are_seen_in_the_order_in_which_they_were_spawned() {
        let [first, second, third] = [(); 3].map(|()| spawn_n(pending::<()>()));
        second.kill();
        first.kill();
        // They take the places of those who have ended.
        let [fourth, fifth] = [(); 2].map(|()| spawn_n(pending::<()>()));
        let all: Vec<_> = green_threads()[1..].iter().map(|info| info.greenlet).collect();
        assert_eq!(all, [third, fourth, fifth]);
        all.iter().for_each(|greenlet| greenlet.kill());
    }

    fn the_colour_is_known_from_the_first_turn_on() {
        let coloured = spawn_n(green!({ wait!(pending::<()>()) }));
        let plain = spawn_n(pending::<()>());
        wait!(sleep(ZERO));
        let [me, coloured_too, plain_too] = &green_threads()[..] else { panic!("three are alive") };
        assert_eq!(me.stackful, coloured_too.stackful, "the test is of the same colour");
        assert_eq!(coloured_too.stackful, module_path!().ends_with("stackful"));
        assert!(!plain_too.stackful);
        coloured.kill();
        plain.kill();
    }

    fn whoever_looks_is_the_one_who_runs() {
        let looker = spawn(green!({
            let me = getcurrent();
            let running = |info: &eventlet::debug::GreenThreadInfo| info.state == State::Running;
            let running: Vec<_> = green_threads().into_iter().filter(running).collect();
            assert_eq!(running.iter().map(|info| info.greenlet).collect::<Vec<_>>(), [me]);
        }));
        wait!(looker).unwrap();
    }

    fn the_line_that_spawned_it_is_known_through_pools_too() {
        let pool = GreenPool::new(4);
        let pile = GreenPile::new(pool.clone());
        let first = line!() + 1;
        let _plain = spawn(green!({ wait!(pending::<()>()) }));
        let _in_pool = wait!(pool.spawn(green!({ wait!(pending::<()>()) })));
        wait!(pool.spawn_n(green!({ wait!(pending::<()>()) })));
        wait!(pile.spawn(green!({ wait!(pending::<()>()) })));
        let mut map = pool.imap(|_| green!({ wait!(pending::<()>()) }), 0..1);
        assert!(wait!(poll_immediate(map.next())).is_none());
        for (place, info) in (0..).zip(&green_threads()[1..]) {
            assert_eq!(info.spawned_at.file(), file!());
            // The map starts its jobs when it is first asked, in the name of the line that made it.
            assert_eq!(info.spawned_at.line(), first + place);
            info.greenlet.kill();
        }
    }

    fn a_name_is_shown_until_the_end() {
        let gt = spawn(green!({ wait!(pending::<()>()) }));
        gt.set_name("first");
        gt.set_name(String::from("second \"name\""));
        assert_eq!(gt.name().as_deref(), Some("second \"name\""));
        let all = format_green_threads();
        let shown = format!("green thread {} \"second \\\"name\\\"\", not started, spawned at ", gt.id());
        assert!(all.lines().nth(1).unwrap().starts_with(&shown), "{all}");
        gt.kill();
        assert_eq!(gt.name(), None);
        gt.set_name("too late");
        assert_eq!(gt.name(), None);
    }

    fn times_are_noted_when_asked_for() {
        let gt = spawn(green!({ wait!(pending::<()>()) }));
        wait!(sleep(ms(5)));
        assert_eq!(green_threads()[1].idle, None);
        keep_times(true);
        let later = spawn(green!({ wait!(pending::<()>()) }));
        wait!(sleep(ms(7)));
        assert_eq!(green_threads()[2].idle, Some(ms(7)));
        assert_eq!(green_threads()[1].idle, None, "it had no turn since");
        keep_times(false);
        assert_eq!(green_threads()[2].idle, None);
        gt.kill();
        later.kill();
    }
}
