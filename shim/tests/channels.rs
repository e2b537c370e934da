//! Channels of `std` between green threads of one hub and with other OS threads, unmodified.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SendError, Sender, SyncSender};
use std::thread::{self, Thread};
use std::time::Duration;

use eventlet::{Block, spawn, stackful};
use support::{MS, crowd, green, run, run_paused, turns};
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3_600);

/// What there is room for: any number of items, one, and none.
const ROOMS: [Option<usize>; 3] = [None, Some(1), Some(0)];

#[derive(Clone)]
enum Sends {
    Any(Sender<usize>),
    Few(SyncSender<usize>),
}

impl Sends {
    fn send(&self, item: usize) -> Result<(), SendError<usize>> {
        match self {
            Sends::Any(sender) => sender.send(item),
            Sends::Few(sender) => sender.send(item),
        }
    }
}

fn channel(room: Option<usize>) -> (Sends, Receiver<usize>) {
    let Some(room) = room else {
        let (sender, receiver) = mpsc::channel();
        return (Sends::Any(sender), receiver);
    };
    let (sender, receiver) = mpsc::sync_channel(room);
    (Sends::Few(sender), receiver)
}

/// Virtual time stands, so nobody waits for a timer meanwhile.
fn passes_to_and_fro(room: Option<usize>) {
    run_paused(move || {
        let start = Instant::now();
        let totals = crowd(20, move |number| {
            let (ask, asked) = channel(room);
            let (answer, answered) = channel(room);
            let answers = spawn(stackful(move || {
                for item in asked {
                    answer.send(item + 1).unwrap();
                }
            }));
            let mut total = 0;
            for round in 0..50 {
                ask.send(number + round).unwrap();
                total += answered.recv().unwrap();
            }
            drop(ask);
            answers.block().unwrap();
            total
        });
        let expected = |number: usize| (0..50).map(|round| number + round + 1).sum();
        assert_eq!(totals, (0..20).map(expected).collect::<Vec<usize>>(), "{room:?}");
        assert_eq!(start.elapsed(), Duration::ZERO, "{room:?}");
    });
}

#[test]
fn green_threads_of_one_hub_pass_items_to_and_fro() {
    ROOMS.into_iter().for_each(passes_to_and_fro);
}

/// Green threads and OS threads send, one of the hub receives.
fn many_send(room: Option<usize>) {
    run(move || {
        let (sends, receives) = channel(room);
        let send_all = |sends: Sends, turns_between: bool| {
            move || {
                for item in 0..200 {
                    sends.send(item).unwrap();
                    if turns_between && item % 10 == 0 {
                        turns(1);
                    }
                }
            }
        };
        let green: Vec<_> =
            (0..10).map(|_| spawn(stackful(send_all(sends.clone(), true)))).collect();
        let os: Vec<_> = (0..2).map(|_| thread::spawn(send_all(sends.clone(), false))).collect();
        drop(sends);
        let received: Vec<_> = receives.iter().collect();
        assert_eq!(received.len(), 12 * 200, "{room:?}");
        assert_eq!(received.iter().sum::<usize>(), 12 * 200 * 199 / 2, "{room:?}");
        green.into_iter().for_each(|one| one.block().unwrap());
        os.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn green_threads_and_os_threads_send_into_one_channel() {
    ROOMS.into_iter().for_each(many_send);
}

/// One of the hub sends, green threads and OS threads receive, each from a channel of its own.
#[test]
fn green_threads_and_os_threads_receive() {
    run(|| {
        let (sums, all): (Vec<_>, Vec<_>) = (0..12)
            .map(|number| {
                let (sends, receives) = channel(Some(2));
                let sum = Arc::new(AtomicUsize::new(0));
                let theirs = sum.clone();
                let receive = move || {
                    for item in receives {
                        theirs.fetch_add(item, Ordering::SeqCst);
                    }
                };
                let end: Box<dyn FnOnce()> = if number % 4 == 0 {
                    let receives = thread::spawn(receive);
                    Box::new(|| receives.join().unwrap())
                } else {
                    let receives = spawn(stackful(receive));
                    Box::new(|| receives.block().unwrap())
                };
                (sum, (sends, end))
            })
            .unzip();
        for item in 0..200 {
            all.iter().for_each(|(sends, _end)| sends.send(item).unwrap());
        }
        for (sends, end) in all {
            drop(sends);
            end();
        }
        assert!(sums.iter().all(|sum| sum.load(Ordering::SeqCst) == 200 * 199 / 2));
    });
}

#[test]
fn a_limit_that_does_not_pass_is_not_waited_for() {
    run_paused(|| {
        let start = Instant::now();
        let (sender, receiver) = mpsc::channel();
        let waiting = green(move || {
            let item = receiver.recv_timeout(HOUR);
            (item, receiver.recv_timeout(HOUR))
        });
        sender.send(1).unwrap();
        turns(3);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(sender);
        assert_eq!(waiting.block().unwrap(), (Ok(1), Err(RecvTimeoutError::Disconnected)));
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn what_an_idle_hub_is_sent_comes_at_once() {
    run(|| {
        // So late that nothing else wakes the hub.
        let _sleeps = spawn(eventlet::sleep(HOUR));
        let (sender, receiver) = mpsc::channel::<mpsc::Sender<usize>>();
        let other = thread::spawn(move || {
            for (count, answer) in receiver.iter().enumerate() {
                answer.send(count).unwrap();
            }
        });
        for round in 0..500 {
            let (answer, answered) = mpsc::channel();
            sender.send(answer).unwrap();
            assert_eq!(answered.recv(), Ok(round));
        }
        drop(sender);
        other.join().unwrap();
    });
}

/// What a lock that was written by hand may note of who waits for it.
#[repr(C)]
struct Waiting {
    thread: Thread,
    state: AtomicUsize,
    next: AtomicUsize,
    number: AtomicUsize,
}

#[test]
fn what_only_looks_like_the_context_of_a_channel_is_not_touched() {
    run(|| {
        let number = format!("{:?}", thread::current().id());
        let number: usize = number.replace(|it: char| !it.is_ascii_digit(), "").parse().unwrap();
        let waiting = Arc::new(Waiting {
            thread: thread::current(),
            state: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            number: AtomicUsize::new(number),
        });
        let theirs = waiting.clone();
        let parked = green(move || {
            while theirs.state.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
        });
        let all = [&waiting.state, &waiting.next, &waiting.number];
        assert_eq!(all.map(|word| word.load(Ordering::SeqCst)), [0, 0, number]);
        waiting.state.store(1, Ordering::SeqCst);
        waiting.thread.unpark();
        parked.block().unwrap();
    });
}

#[test]
fn the_stack_of_a_receiver_that_is_killed_ends_with_the_next_item() {
    run_paused(|| {
        let (sender, receiver) = mpsc::channel();
        let victim = green(move || receiver.recv().map(|item: usize| item + 1));
        victim.kill();
        assert!(victim.dead());
        // Its stack goes on when there is something for it, and ends.
        sender.send(1).unwrap();
        eventlet::sleep(MS).block();
        assert!(sender.send(2).is_err(), "the receiver is dropped");
    });
}
