//! Workers on a bounded queue, each ended by a poison pill.

use std::io;
use std::time::Duration;

use eventlet::{Queue, sleep, spawn};

async fn worker(jobs: Queue<Option<u32>>, results: Queue<u32>) {
    while let Some(job) = jobs.get().await {
        sleep(Duration::from_millis(job.into())).await;
        results.put(job * job).await;
    }
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let (jobs, results) = (Queue::new(10), Queue::new(None));
        let workers = [(); 4].map(|()| spawn(worker(jobs.clone(), results.clone())));
        for job in 1..=20 {
            jobs.put(Some(job)).await;
        }
        for _ in &workers {
            jobs.put(None).await;
        }
        for gt in workers {
            gt.await?;
        }
        let mut total = 0;
        while let Ok(result) = results.get_nowait() {
            total += result;
        }
        println!("{total}");
        Ok(())
    })
}
