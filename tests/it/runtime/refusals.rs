use super::*;
use crate::support::panics_here;

#[test]
fn a_nested_run_panics_in_the_caller_s_line() {
    run(async {
        panics_here!("instead of a nested `run`", run(async {}));
        panics_here!("instead of a nested `run`", Builder::new().run(async {}));
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1, "no harm was done");
    });
}

#[test]
fn run_inside_a_tokio_runtime_panics_in_the_caller_s_line() {
    for runtime in runtimes() {
        let _inside = runtime.enter();
        panics_here!("use `eventlet::local(..).await`", run(async {}));
    }
    for runtime in runtimes() {
        runtime.block_on(async { panics_here!("eventlet::local", run(async {})) });
    }
}

#[test]
fn a_second_hub_on_an_os_thread_is_refused() {
    run(async {
        let second = spawn(local(async {}));
        let exit = second.await.unwrap_err();
        assert!(exit.to_string().contains("this OS thread runs a hub already"), "{exit}");
    });
    paused().block_on(async {
        local(async {
            let beside = tokio::task::LocalSet::new();
            let second = beside.run_until(async { spawn_local(local(async {})).await });
            let refused = second.await.unwrap_err();
            assert!(refused.to_string().contains("this OS thread runs a hub already"));
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1, "no harm was done");
        })
        .await;
    });
}

#[test]
fn whatever_needs_a_hub_says_so_in_the_caller_s_line() {
    let cure = "call it inside `eventlet::run(..)`";
    panics_here!(cure, drop(spawn(async {})));
    panics_here!(cure, spawn_n(async {}));
    panics_here!(cure, drop(spawn_after(ZERO, async {})));
    panics_here!(cure, drop(spawn_after(ms(1), async {})));
    panics_here!(cure, spawn_after_local(ms(1), async {}));
    panics_here!(cure, drop(sleep(ms(1))));
    panics_here!(cure, getcurrent());
    panics_here!(cure, get_hub());
    let tokio = paused();
    tokio.block_on(async { panics_here!(cure, spawn_n(async {})) });
}

#[test]
fn a_tokio_task_beside_the_hub_is_no_green_thread() {
    run(async {
        let task = spawn_local(async {
            panics_here!("no green thread is running", getcurrent());
            panics_here!("no green thread is running", spawn_after_local(ZERO, async {}));
            // All else works there.
            sleep(ms(1)).await;
            spawn(async { 7 }).await.unwrap()
        });
        assert_eq!(task.await.unwrap(), 7);
    });
}
