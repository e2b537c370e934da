//! Message queues of POSIX, and semaphores and message queues of System V.

#![allow(unsafe_code)]

mod support;

use support::{MS, blocked_by, errno, green, run, run_paused, timed, turns};

mod posix {
    use std::cell::Cell;
    use std::ffi::{CString, c_int};
    use std::ptr;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, SystemTime};

    use eventlet::{Block, Timeout};
    use libc::{c_char, mqd_t, timespec};

    use super::*;

    /// A queue for two messages of eight bytes.
    #[derive(Clone, Copy)]
    struct Queue(mqd_t);

    impl Queue {
        fn new(flags: c_int) -> Queue {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let number = NEXT.fetch_add(1, Ordering::SeqCst);
            let name = format!("/eventlet-shim-{}-{number}", std::process::id());
            let name = CString::new(name).unwrap();
            // SAFETY: all zeroes is a value of it.
            let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
            (attributes.mq_maxmsg, attributes.mq_msgsize) = (2, 8);
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | flags;
            // SAFETY: the name and the attributes are there.
            let queue = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, &attributes) };
            assert!(queue >= 0, "{}", errno());
            // SAFETY: the name is there.
            assert_eq!(unsafe { libc::mq_unlink(name.as_ptr()) }, 0);
            Queue(queue)
        }

        fn send(self, text: &str, priority: u32) -> c_int {
            // SAFETY: there are so many bytes.
            unsafe { libc::mq_send(self.0, text.as_ptr().cast(), text.len(), priority) }
        }

        fn send_until(self, text: &str, time: timespec) -> c_int {
            // SAFETY: there are so many bytes, and the time is there.
            unsafe { libc::mq_timedsend(self.0, text.as_ptr().cast(), text.len(), 0, &time) }
        }

        /// Receives with a call that is given a buffer. `None` where it fails.
        fn receive_by(
            self,
            call: impl FnOnce(*mut c_char, usize, *mut u32) -> isize,
        ) -> Option<(String, u32)> {
            let (mut buffer, mut priority) = ([0_u8; 8], 0);
            let size = call(buffer.as_mut_ptr().cast(), buffer.len(), &mut priority);
            let bytes = &buffer[..usize::try_from(size).ok()?];
            Some((String::from_utf8(bytes.to_vec()).unwrap(), priority))
        }

        fn receive(self) -> Option<(String, u32)> {
            // SAFETY: there is so much room.
            self.receive_by(|to, room, priority| unsafe {
                libc::mq_receive(self.0, to, room, priority)
            })
        }

        fn receive_until(self, time: timespec) -> Option<(String, u32)> {
            // SAFETY: there is so much room, and the time is there.
            self.receive_by(|to, room, priority| unsafe {
                libc::mq_timedreceive(self.0, to, room, priority, &time)
            })
        }

        fn fill(self) {
            assert_eq!([self.send("a", 0), self.send("b", 0)], [0; 2]);
        }

        fn close(self) {
            // SAFETY: it is ours.
            assert_eq!(unsafe { libc::mq_close(self.0) }, 0);
        }
    }

    fn after(duration: Duration) -> timespec {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let time = now + duration;
        timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() }
    }

    fn message(text: &str, priority: u32) -> Option<(String, u32)> {
        Some((text.to_owned(), priority))
    }

    #[test]
    fn who_receives_waits_for_who_sends_and_the_other_way_round() {
        run(|| {
            let queue = Queue::new(0);
            let receiving = green(move || [(); 5].map(|()| queue.receive()));
            assert!(!receiving.dead());
            let sent = ["", "one", "two", "three", "four"].map(|text| queue.send(text, 0));
            assert_eq!(sent, [0; 5]);
            let texts = ["", "one", "two", "three", "four"].map(|text| message(text, 0));
            assert_eq!(receiving.block().unwrap(), texts);

            queue.fill();
            let sending = green(move || queue.send("urgent", 3));
            assert!(!sending.dead(), "it is full");
            assert_eq!(queue.receive(), message("a", 0));
            assert_eq!(sending.block().unwrap(), 0);
            assert_eq!([queue.receive(), queue.receive()], [message("urgent", 3), message("b", 0)]);
            assert_eq!([blocked_by("mq_receive"), blocked_by("mq_send")], [0; 2]);
            queue.close();
        });
    }

    #[test]
    fn an_os_thread_sends_and_receives_as_ever() {
        run(|| {
            let (there, back) = (Queue::new(0), Queue::new(0));
            let other = std::thread::spawn(move || {
                for _ in 0..200 {
                    let (text, priority) = there.receive().unwrap();
                    assert_eq!(back.send(&text, priority), 0);
                }
                assert_eq!(there.receive_until(after(2 * MS)), None);
                assert_eq!(errno(), libc::ETIMEDOUT);
                back.fill();
                assert_eq!((back.send_until("c", after(2 * MS)), errno()), (-1, libc::ETIMEDOUT));
            });
            for number in 0..200 {
                let text = number.to_string();
                assert_eq!(there.send(&text, number), 0);
                assert_eq!(back.receive(), message(&text, number));
            }
            other.join().unwrap();
            [there, back].into_iter().for_each(Queue::close);
        });
    }

    #[test]
    fn limits_are_on_virtual_time() {
        run_paused(|| {
            let (empty, full) = (Queue::new(0), Queue::new(0));
            full.fill();
            let ((), took) = timed(|| {
                let hour = after(Duration::from_secs(3600));
                assert_eq!((empty.receive_until(hour), errno()), (None, libc::ETIMEDOUT));
                assert_eq!((full.send_until("c", hour), errno()), (-1, libc::ETIMEDOUT));
            });
            assert!(took < Duration::from_secs(20), "{took:?}");
            let (past, none) = (after(Duration::ZERO), timespec { tv_sec: 1, tv_nsec: -1 });
            assert_eq!((empty.receive_until(past), errno()), (None, libc::ETIMEDOUT));
            assert_eq!((empty.receive_until(none), errno()), (None, libc::EINVAL));
            assert_eq!(full.receive_until(past), message("a", 0), "it need not wait");
            assert_eq!(full.send_until("c", past), 0);
            let nonblocking = Queue::new(libc::O_NONBLOCK);
            assert_eq!((nonblocking.receive(), errno()), (None, libc::EAGAIN));
            [empty, full, nonblocking].into_iter().for_each(Queue::close);
        });
    }

    #[test]
    fn a_kill_and_a_limit_take_and_leave_no_message() {
        run_paused(|| {
            let (empty, full, seen) = (Queue::new(0), Queue::new(0), Rc::new(Cell::new(0)));
            full.fill();
            let calls: [fn(Queue, Queue) -> bool; 2] =
                [|empty, _| empty.receive().is_none(), |_, full| full.send("c", 0) == -1];
            for call in calls {
                let noted = seen.clone();
                let victim = green(move || {
                    assert!(call(empty, full));
                    noted.set(errno());
                    eventlet::sleep(MS).block();
                });
                victim.kill();
                assert_eq!(seen.get(), libc::ECANCELED);
                let limit = Timeout::new(5 * MS);
                let late = limit.run_blocking(|| {
                    assert!(call(empty, full));
                    assert_eq!(errno(), libc::ETIMEDOUT);
                    eventlet::sleep(MS).block();
                });
                assert_eq!(late, Err(limit));
            }
            empty.fill();
            for queue in [empty, full] {
                assert_eq!([queue.receive(), queue.receive()], [message("a", 0), message("b", 0)]);
            }
            let waiting = green(move || (empty.receive(), errno()));
            empty.close();
            assert_eq!(waiting.block().unwrap(), (None, libc::EBADF));
            full.close();
        });
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        run(|| {
            // SAFETY: there is no room.
            let received = unsafe { libc::mq_receive(-1, ptr::null_mut(), 0, ptr::null_mut()) };
            assert_eq!((received, errno()), (-1, libc::EBADF));
            turns(1);
        });
    }
}

mod system_v {
    use std::cell::Cell;
    use std::ffi::{c_int, c_long};
    use std::ptr;
    use std::rc::Rc;
    use std::time::Duration;

    use eventlet::{Block, Timeout};
    use libc::{IPC_NOWAIT, sembuf, timespec};

    use super::*;

    const MINUTE: timespec = timespec { tv_sec: 60, tv_nsec: 0 };

    /// Two semaphores, which are zero. They are removed in the end.
    struct Semaphores(c_int);

    impl Semaphores {
        fn new() -> Rc<Semaphores> {
            // SAFETY: it has no arguments but numbers.
            let set = unsafe { libc::semget(libc::IPC_PRIVATE, 2, 0o600) };
            assert!(set >= 0, "{}", errno());
            Rc::new(Semaphores(set))
        }

        fn remove(&self) -> c_int {
            // SAFETY: it has no arguments but numbers.
            unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) }
        }

        fn value(&self, number: u16) -> c_int {
            // SAFETY: it has no arguments but numbers.
            unsafe { libc::semctl(self.0, number.into(), libc::GETVAL) }
        }
    }

    impl Drop for Semaphores {
        fn drop(&mut self) {
            self.remove();
        }
    }

    /// Does operations on the semaphores, each a number, a change and flags.
    fn operate(set: c_int, operations: &[(u16, i16, c_int)], limit: Option<&timespec>) -> c_int {
        let mut all: Vec<_> = operations
            .iter()
            .map(|(number, change, flags)| sembuf {
                sem_num: *number,
                sem_op: *change,
                sem_flg: *flags as i16,
            })
            .collect();
        match limit {
            // SAFETY: there are so many.
            None => unsafe { libc::semop(set, all.as_mut_ptr(), all.len()) },
            // SAFETY: there are so many, and the time is there.
            Some(limit) => unsafe { semtimedop(set, all.as_mut_ptr(), all.len(), limit) },
        }
    }

    unsafe extern "C" {
        fn semtimedop(
            set: c_int,
            operations: *mut sembuf,
            count: usize,
            limit: *const timespec,
        ) -> c_int;
    }

    #[test]
    fn semaphores_are_waited_for() {
        // In an optimised build the one jumps to the other, without a frame.
        let blocked = || blocked_by("semop") + blocked_by("semtimedop");
        run(move || {
            let set = Semaphores::new();
            let id = set.0;
            let waiting = green(move || operate(id, &[(0, -2, 0), (1, 0, 0)], None));
            assert_eq!(operate(id, &[(0, 1, 0)], None), 0);
            turns(5);
            assert!(!waiting.dead(), "one is missing");
            let other = std::thread::spawn(move || operate(id, &[(0, 2, 0)], None));
            assert_eq!(other.join().unwrap(), 0);
            assert_eq!(waiting.block().unwrap(), 0);
            assert_eq!([set.value(0), set.value(1)], [1, 0]);
            assert_eq!(blocked(), 0);
            let refused = operate(id, &[(0, -2, IPC_NOWAIT)], None);
            assert_eq!((refused, errno()), (-1, libc::EAGAIN));
            assert_eq!((operate(id, &[], None), errno()), (-1, libc::EINVAL));
            assert_eq!((operate(id, &[(9, 1, 0)], None), errno()), (-1, libc::EFBIG));
            // Which of them cannot be done decides: so libc is asked, and that is counted.
            assert_eq!(operate(id, &[(0, -1, IPC_NOWAIT), (1, 0, 0)], None), 0);
            assert_eq!(blocked(), 1);
        });
    }

    #[test]
    fn the_limit_of_semaphores_is_on_virtual_time() {
        run_paused(|| {
            let set = Semaphores::new();
            let (late, took) = timed(|| (operate(set.0, &[(0, -1, 0)], Some(&MINUTE)), errno()));
            assert_eq!(late, (-1, libc::EAGAIN));
            assert!(took < Duration::from_secs(20), "{took:?}");
            let none = timespec { tv_sec: 1, tv_nsec: -1 };
            assert_eq!((operate(set.0, &[(0, -1, 0)], Some(&none)), errno()), (-1, libc::EINVAL));
        });
    }

    #[test]
    fn one_that_is_removed_ends_the_wait() {
        run(|| {
            let (set, queue) = (Semaphores::new(), Queue::new());
            let (id, theirs) = (set.0, queue.0);
            let waiting = green(move || (operate(id, &[(0, -1, 0)], None), errno()));
            let receiving = green(move || (receive(theirs, 0, 0), errno()));
            assert_eq!([set.remove(), queue.remove()], [0; 2]);
            assert_eq!(waiting.block().unwrap(), (-1, libc::EIDRM));
            assert_eq!(receiving.block().unwrap(), (None, libc::EIDRM));
        });
    }

    /// A queue for sixteen bytes. It is removed in the end.
    struct Queue(c_int);

    impl Queue {
        fn new() -> Rc<Queue> {
            // SAFETY: it has no arguments but numbers.
            let queue = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
            assert!(queue >= 0, "{}", errno());
            // SAFETY: all zeroes is a value of it.
            let mut about: libc::msqid_ds = unsafe { std::mem::zeroed() };
            // SAFETY: there is room for the answer.
            assert_eq!(unsafe { libc::msgctl(queue, libc::IPC_STAT, &mut about) }, 0);
            about.msg_qbytes = 16;
            // SAFETY: it is there.
            assert_eq!(unsafe { libc::msgctl(queue, libc::IPC_SET, &mut about) }, 0);
            Rc::new(Queue(queue))
        }

        fn remove(&self) -> c_int {
            // SAFETY: it takes nothing else.
            unsafe { libc::msgctl(self.0, libc::IPC_RMID, ptr::null_mut()) }
        }
    }

    impl Drop for Queue {
        fn drop(&mut self) {
            self.remove();
        }
    }

    #[repr(C)]
    struct Message {
        kind: c_long,
        text: [u8; 8],
    }

    fn send(queue: c_int, kind: c_long, text: [u8; 8], flags: c_int) -> c_int {
        let message = Message { kind, text };
        // SAFETY: there are so many bytes.
        unsafe { libc::msgsnd(queue, (&raw const message).cast(), 8, flags) }
    }

    fn receive(queue: c_int, kind: c_long, flags: c_int) -> Option<(c_long, [u8; 8])> {
        let mut message = Message { kind: 0, text: [0; 8] };
        let at = (&raw mut message).cast();
        // SAFETY: there is so much room.
        let size = unsafe { libc::msgrcv(queue, at, 8, kind, flags) };
        (size == 8).then_some((message.kind, message.text))
    }

    #[test]
    fn messages_are_waited_for() {
        run(|| {
            let queue = Queue::new();
            let id = queue.0;
            let receiving = green(move || [receive(id, 7, 0), receive(id, 0, 0)]);
            assert_eq!(send(id, 1, *b"of one  ", 0), 0);
            turns(5);
            assert!(!receiving.dead(), "it is of another kind");
            let other = std::thread::spawn(move || send(id, 7, *b"of seven", 0));
            assert_eq!(other.join().unwrap(), 0);
            let both = [Some((7, *b"of seven")), Some((1, *b"of one  "))];
            assert_eq!(receiving.block().unwrap(), both);

            assert_eq!([send(id, 1, [0; 8], 0), send(id, 2, [1; 8], 0)], [0; 2]);
            assert_eq!((send(id, 3, [2; 8], IPC_NOWAIT), errno()), (-1, libc::EAGAIN));
            let sending = green(move || send(id, 3, [2; 8], 0));
            assert!(!sending.dead(), "it is full");
            assert_eq!(receive(id, 2, 0), Some((2, [1; 8])));
            assert_eq!(sending.block().unwrap(), 0);
            assert_eq!(receive(id, -3, 0), Some((1, [0; 8])));
            assert_eq!(receive(id, -3, 0), Some((3, [2; 8])));
            assert_eq!((receive(id, 0, IPC_NOWAIT), errno()), (None, libc::ENOMSG));
            assert_eq!((send(id, 0, [0; 8], 0), errno()), (-1, libc::EINVAL));
            assert_eq!([blocked_by("msgrcv"), blocked_by("msgsnd")], [0; 2]);
        });
    }

    #[test]
    fn a_kill_and_a_limit_take_and_leave_nothing() {
        run_paused(|| {
            let (set, empty, full) = (Semaphores::new(), Queue::new(), Queue::new());
            assert_eq!([send(full.0, 1, [0; 8], 0), send(full.0, 1, [0; 8], 0)], [0; 2]);
            let calls: [fn([c_int; 3]) -> bool; 3] = [
                |[set, ..]| operate(set, &[(0, -1, 0)], None) == -1,
                |[_, empty, _]| receive(empty, 0, 0).is_none(),
                |[.., full]| send(full, 1, [0; 8], 0) == -1,
            ];
            let (ids, seen) = ([set.0, empty.0, full.0], Rc::new(Cell::new(0)));
            for call in calls {
                let noted = seen.clone();
                let victim = green(move || {
                    assert!(call(ids));
                    noted.set(errno());
                    eventlet::sleep(MS).block();
                });
                victim.kill();
                assert_eq!(seen.get(), libc::ECANCELED);
                let limit = Timeout::new(5 * MS);
                let late = limit.run_blocking(|| {
                    assert!(call(ids));
                    assert_eq!(errno(), libc::ETIMEDOUT);
                    eventlet::sleep(MS).block();
                });
                assert_eq!(late, Err(limit));
            }
            assert_eq!(operate(set.0, &[(0, 1, 0)], None), 0);
            assert_eq!(send(empty.0, 5, [5; 8], 0), 0);
            eventlet::sleep(60 * MS).block();
            assert_eq!((set.value(0), receive(empty.0, 0, 0)), (1, Some((5, [5; 8]))));
            let left = [(); 3].map(|()| receive(full.0, 0, IPC_NOWAIT).is_some());
            assert_eq!(left, [true, true, false]);
        });
    }

    #[test]
    fn an_os_thread_waits_as_ever() {
        eventlet_shim::monkey_patch();
        let (set, queue) = (Semaphores::new(), Queue::new());
        let (id, theirs) = (set.0, queue.0);
        let other = std::thread::spawn(move || {
            (operate(id, &[(0, -1, 0)], None), receive(theirs, 0, 0).is_some())
        });
        assert_eq!([operate(id, &[(0, 1, 0)], None), send(theirs, 1, [0; 8], 0)], [0; 2]);
        assert_eq!(other.join().unwrap(), (0, true));
        let soon = timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        assert_eq!((operate(id, &[(0, -1, 0)], Some(&soon)), errno()), (-1, libc::EAGAIN));
    }
}
