//! What eventlet has `spawn_for_awaitable` for: a green thread that waits for something of another
//! world.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use eventlet::{GreenThread, sleep, spawn, wait_all};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::support::{both_colours, ms};

both_colours! {
    fn a_task_of_tokio_is_waited_for_as_a_green_thread_by_many() {
        let gt = spawn(tokio::spawn(async { 42 }));
        let twice = [(); 2].map(|()| {
            let task = tokio::task::spawn_local(async { 7 });
            spawn(green!({ wait!(task).unwrap() }))
        });
        assert_eq!(wait!(gt).unwrap().unwrap(), 42);
        let results: Result<Vec<i32>, _> = wait!(wait_all(twice));
        assert_eq!(results.unwrap(), [7, 7]);
    }

    fn a_kill_ends_the_wait_and_not_the_task() {
        let done = Rc::new(Cell::new(false));
        let flag = Rc::clone(&done);
        let task = tokio::task::spawn_local(async move {
            sleep(ms(5)).await;
            flag.set(true);
        });
        let gt = spawn(task);
        wait!(sleep(ms(1)));
        gt.kill();
        assert!(wait!(gt).unwrap_err().is_killed());
        wait!(sleep(ms(10)));
        assert!(done.get());
    }

    fn a_green_thread_is_awaited_by_a_task() {
        let gt: GreenThread<u32> = spawn(green!({ wait!(sleep(ms(1))); 3 }));
        let task = tokio::task::spawn_local(async move { gt.await.unwrap() + 1 });
        assert_eq!(wait!(task).unwrap(), 4);
    }
}

#[test]
fn what_another_runtime_does_is_waited_for() {
    let other = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (answer, answered) = oneshot::channel();
    let task = other.spawn(async move { (answered.await.unwrap(), thread::current().id()) });
    eventlet::run(async move {
        let gt = spawn(task);
        sleep(ms(0)).await;
        answer.send("from there").unwrap();
        let (text, ran_on) = gt.await.unwrap().unwrap();
        assert_eq!(text, "from there");
        assert_ne!(ran_on, thread::current().id());
    });
}
