//! Workers on a bounded queue, each ended by a poison pill.

use std::io;
use std::time::Duration;

use eventlet::green::thread::sleep;
use eventlet::stackful::{call, stackful};
use eventlet::{Block, Queue, spawn};

fn worker(jobs: Queue<Option<u32>>, results: Queue<u32>) {
    while let Some(job) = jobs.get().block() {
        sleep(Duration::from_millis(job.into()));
        results.put(job * job).block();
    }
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let (jobs, results) = (Queue::new(10), Queue::new(None));
        let workers = [(); 4].map(|()| spawn(call(worker, (jobs.clone(), results.clone()))));
        for job in 1..=20 {
            jobs.put(Some(job)).block();
        }
        for _ in &workers {
            jobs.put(None).block();
        }
        for gt in workers {
            gt.block()?;
        }
        let mut total = 0;
        while let Ok(result) = results.get_nowait() {
            total += result;
        }
        println!("{total}");
        Ok(())
    }))
}
