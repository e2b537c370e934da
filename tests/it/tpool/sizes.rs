//! The default size belongs to the process, so what depends on it has a process of its own.

use super::*;

fn child(test: &str, size: Option<&str>) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    match size {
        Some(size) => command.env("EVENTLET_THREADPOOL_SIZE", size),
        None => command.env_remove("EVENTLET_THREADPOOL_SIZE"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("running 1 test"), "there is no test {test}:\n{text}");
    (output.status.success(), text)
}

fn passes(test: &str, size: Option<&str>) {
    let (passed, text) = child(&format!("tpool::sizes::{test}"), size);
    assert!(passed, "{text}");
}

fn this_thread() -> ThreadId {
    thread::current().id()
}

/// Keeps so many threads busy at once, some times over, and asserts that no more took part.
fn has_threads(threads: usize) {
    run_in_real_time(keeps_busy(threads));
}

async fn keeps_busy(threads: usize) {
    let together = Arc::new(Barrier::new(threads));
    let jobs = (0..threads * 10).map(|_| {
        let together = Arc::clone(&together);
        execute(move || {
            together.wait();
            this_thread()
        })
    });
    let took_part: HashSet<ThreadId> = join_all(jobs).await.into_iter().collect();
    assert_eq!(took_part.len(), threads);
}

#[test]
fn the_default_is_twenty() {
    passes("has_twenty_threads", None);
}

#[test]
fn the_environment_says_how_many() {
    passes("has_forty_threads", Some("40"));
}

#[test]
#[ignore = "in a process of its own"]
fn has_twenty_threads() {
    has_threads(20);
}

#[test]
#[ignore = "in a process of its own"]
fn has_forty_threads() {
    has_threads(40);
}

#[test]
fn what_the_environment_says_must_be_a_number_of_threads() {
    for wrong in ["-1", "many", ""] {
        let (_, text) = child("tpool::sizes::says_what_is_wrong", Some(wrong));
        let words = format!(
            "EVENTLET_THREADPOOL_SIZE says how many OS threads a thread pool has, and `{wrong}`"
        );
        assert!(text.contains(&words), "{text}");
        assert!(text.contains("1 passed"), "{text}");
    }
}

#[test]
#[ignore = "in a process of its own"]
fn says_what_is_wrong() {
    for _ in 0..2 {
        assert!(catch_unwind(|| block_on(execute(|| ()))).is_err());
    }
    set_num_threads(1);
    assert_eq!(block_on(execute(|| 42)), 42, "the program knows better");
}

#[test]
fn without_threads_a_job_runs_in_its_caller_and_a_warning_is_given_once() {
    let (passed, text) = child("tpool::sizes::runs_inline", Some("0"));
    assert!(passed, "{text}");
    assert_eq!(text.matches("the thread pool has no threads").count(), 1, "{text}");
}

#[test]
#[ignore = "in a process of its own"]
fn runs_inline() {
    run_in_real_time(async {
        assert_eq!(execute(this_thread).await, this_thread());
        assert_eq!(Proxy::new(()).call(|()| this_thread()).await, this_thread());
        let caller = spawn(execute(|| panic!("oops")));
        assert!(caller.await.unwrap_err().is_panic());
    });
}

#[test]
fn the_number_can_be_changed_at_any_time() {
    passes("changes_its_size", Some("3"));
}

#[test]
#[ignore = "in a process of its own"]
fn changes_its_size() {
    has_threads(3);
    set_num_threads(5);
    has_threads(5);
    set_num_threads(2);
    has_threads(2);
    run_in_real_time(async {
        for threads in [3, 6, 1] {
            set_num_threads(threads);
            keeps_busy(threads).await;
        }
    });
    set_num_threads(0);
    assert_eq!(block_on(execute(this_thread)), this_thread());
    set_num_threads(1);
    has_threads(1);
}

#[test]
fn jobs_that_wait_begin_when_there_are_more_threads() {
    passes("begins_when_it_grows", Some("1"));
}

#[test]
#[ignore = "in a process of its own"]
fn begins_when_it_grows() {
    run_in_real_time(async {
        let together = Arc::new(Barrier::new(3));
        let jobs = (0..3).map(|_| {
            let together = Arc::clone(&together);
            spawn(execute(move || together.wait().is_leader()))
        });
        let jobs: Vec<_> = jobs.collect();
        sleep(ZERO).await;
        set_num_threads(3);
        for job in jobs {
            job.await.unwrap();
        }
    });
}

#[test]
fn a_job_that_waits_is_done_though_the_pool_was_taken_away() {
    passes("is_done_all_the_same", Some("1"));
}

#[test]
#[ignore = "in a process of its own"]
fn is_done_all_the_same() {
    run_in_real_time(async {
        let (job, begun, release) = held(());
        let first = spawn(execute(job));
        let second = spawn(execute(this_thread));
        sleep(ZERO).await;
        begun.recv().unwrap();
        set_num_threads(0);
        release.send(()).unwrap();
        first.await.unwrap();
        assert_ne!(second.await.unwrap(), this_thread());
    });
}

#[test]
fn jobs_begin_first_come_first_served() {
    passes("begins_in_order", Some("1"));
}

#[test]
#[ignore = "in a process of its own"]
fn begins_in_order() {
    run_in_real_time(async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (job, begun, release) = held(());
        let first = spawn(execute(job));
        let others: Vec<_> = (0..100)
            .map(|number| {
                let order = Arc::clone(&order);
                spawn(execute(move || order.lock().unwrap().push(number)))
            })
            .collect();
        sleep(ZERO).await;
        begun.recv().unwrap();
        // One that gives up in line takes nobody else's turn.
        others[50].kill();
        release.send(()).unwrap();
        first.await.unwrap();
        for (number, other) in others.into_iter().enumerate() {
            assert_eq!(other.await.is_ok(), number != 50);
        }
        let expected: Vec<_> = (0..100).filter(|number| *number != 50).collect();
        assert_eq!(*order.lock().unwrap(), expected);
    });
}

#[test]
fn a_job_inside_a_job_needs_no_second_thread() {
    passes("nests", Some("1"));
}

#[test]
#[ignore = "in a process of its own"]
fn nests() {
    let twice = || execute(|| execute(this_thread).now_or_never()).now_or_never();
    let (outer, inner) = block_on(execute(move || (this_thread(), twice())));
    assert_eq!(inner, Some(Some(outer)));
}

#[test]
fn a_proxy_takes_one_thread_however_many_calls_wait() {
    passes("leaves_a_thread_to_others", Some("2"));
}

#[test]
#[ignore = "in a process of its own"]
fn leaves_a_thread_to_others() {
    run_in_real_time(async {
        let proxy = Proxy::new(0);
        let (job, begun, release) = held(());
        let first = spawn({
            let proxy = proxy.clone();
            async move { proxy.call(move |_| job()).await }
        });
        let others: Vec<_> = (0..5)
            .map(|_| {
                let proxy = proxy.clone();
                spawn(async move { proxy.call(|calls| *calls += 1).await })
            })
            .collect();
        sleep(ZERO).await;
        begun.recv().unwrap();
        assert_eq!(execute(|| "served").await, "served");
        release.send(()).unwrap();
        first.await.unwrap();
        for other in others {
            other.await.unwrap();
        }
        assert_eq!(proxy.call(|calls| *calls).await, 5);
    });
}

#[test]
fn a_panic_that_nobody_waits_for_is_reported() {
    let (passed, text) = in_a_process_of_its_own("tpool::sizes::reports_panics");
    assert!(passed, "{text}");
    let words = "in a job of the thread pool that nobody waited for: it panicked: nobody saw this";
    assert!(text.contains(words), "{text}");
}

#[test]
#[ignore = "in a process of its own"]
fn reports_panics() {
    set_num_threads(1);
    run_in_real_time(async {
        let (job, begun, release) = held(());
        let given_up = spawn(execute(move || {
            job();
            panic!("nobody saw this")
        }));
        sleep(ZERO).await;
        begun.recv().unwrap();
        given_up.kill();
        drop(release);
        execute(|| "by the same thread, after that").await;

        // Here the panic has arrived at a caller who does not look.
        let ear = Ear::open();
        let (job, begun, release) = held(());
        let mut given_up = Box::pin(execute(move || {
            job();
            panic!("nor this")
        }));
        assert!(futures::poll!(&mut given_up).is_pending());
        begun.recv().unwrap();
        drop(release);
        execute(|| "by the same thread, after that").await;
        drop(given_up);
        let words = "in a job of the thread pool that nobody waited for: it panicked: nor this";
        assert_eq!(ear.heard(), [words]);
    });
}

#[test]
fn a_panicking_destructor_of_a_value_ends_no_thread() {
    passes("survives_a_destructor", Some("1"));
}

#[test]
#[ignore = "in a process of its own"]
fn survives_a_destructor() {
    run_in_real_time(async {
        let before = execute(this_thread).await;
        let (job, begun, release) = held(OnDrop(|| panic!("oops")));
        let given_up = spawn(execute(job));
        sleep(ZERO).await;
        begun.recv().unwrap();
        given_up.kill();
        drop(release);
        assert_eq!(execute(this_thread).await, before);
        let caught = catch_unwind(AssertUnwindSafe(|| block_on(execute(|| panic!("oops")))));
        assert!(caught.is_err());
        assert_eq!(execute(this_thread).await, before);
    });
}
