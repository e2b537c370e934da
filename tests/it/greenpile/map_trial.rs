use super::*;

#[derive(Clone, Debug)]
struct Job {
    colour: Colour,
    nap: u64,
    panics: bool,
}

fn job() -> impl Strategy<Value = Job> {
    (colour(), 0_u64..4, prop::bool::weighted(0.2)).prop_map(|(colour, nap, panics)| Job {
        colour,
        nap,
        panics,
    })
}

impl Job {
    fn run(self, n: usize) -> impl Future<Output = usize> + use<> {
        self.colour.paint(async move {
            sleep(ms(self.nap)).await;
            if self.panics {
                panic_on_purpose();
            }
            n
        })
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Asks for a result, with so much patience.
    Next(u64),
    /// The consumer itself spawns.
    Spawn(Job, u64),
    /// Somebody else does.
    Other(Job),
    KillOther(usize),
    Resize(usize),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_u64..6).prop_map(Op::Next),
        1 => (job(), 0_u64..6).prop_map(|(job, patience)| Op::Spawn(job, patience)),
        2 => job().prop_map(Op::Other),
        1 => (0_usize..64).prop_map(Op::KillOther),
        1 => (0_usize..4).prop_map(Op::Resize),
        1 => (0_u64..4).prop_map(Op::Sleep),
    ]
}

async fn consume(pool: GreenPool, jobs: Vec<Job>, ops: Vec<Op>) -> Vec<GreenThread<()>> {
    let (taken, asking) = (Rc::new(Cell::new(0)), Asking::default());
    let inputs = {
        let taken = Rc::clone(&taken);
        jobs.clone().into_iter().enumerate().inspect(move |(n, _)| taken.set(n + 1))
    };
    let mut map = pool.starmap(|n, job: Job| job.run(n), inputs);
    let mut others: Vec<GreenThread<()>> = Vec::new();
    let (mut consumed, mut most) = (0, pool.size().max(1));
    let check = |consumed: &mut usize, result: Option<Result<usize, eventlet::Exit>>| {
        match (result, jobs.get(*consumed)) {
            (None, None) => return,
            (Some(Ok(n)), Some(job)) => assert!(n == *consumed && !job.panics),
            (Some(Err(exit)), Some(job)) => assert!(exit.is_panic() && job.panics),
            (result, job) => panic!("{result:?} of {job:?}"),
        }
        *consumed += 1;
    };
    for op in ops {
        match op {
            Op::Next(patience) => {
                if let Ok(result) = with_timeout(ms(patience), map.next()).await {
                    check(&mut consumed, result);
                }
            }
            Op::Spawn(job, patience) => {
                let _ = with_timeout(ms(patience), pool.spawn(job.run(0))).await;
            }
            Op::Other(job) => {
                let (pool, asking) = (pool.clone(), asking.clone());
                others.push(job.colour.spawn(async move {
                    let one = asking.one();
                    let job = pool.spawn(job.run(0)).await;
                    drop(one);
                    _ = job.await;
                }));
            }
            Op::KillOther(n) if !others.is_empty() => others[n % others.len()].kill(),
            Op::KillOther(_) => {}
            Op::Resize(size) => {
                pool.resize(size);
                most = most.max(size);
            }
            Op::Sleep(time) => sleep(ms(time)).await,
        }
        assert!(taken.get() <= consumed + most, "{} after {consumed}", taken.get());
        asking.compare(&pool);
    }
    pool.resize(pool.size().max(1));
    while let Some(result) = map.next().await {
        check(&mut consumed, Some(result));
    }
    assert_eq!(consumed, jobs.len());
    // A member makes room for the others when it ends.
    others
}

proptest! {
    #[test]
    fn maps_lose_double_and_overtake_nothing(
        size in 0_usize..4,
        member in any::<bool>(),
        colour in colour(),
        jobs in vec(job(), 0..20),
        ops in vec(op(), 0..60),
    ) {
        run(async move {
            let pool = GreenPool::new(if member { size.max(1) } else { size });
            let consumer = colour.paint(consume(pool.clone(), jobs, ops));
            let consumer = match member {
                true => pool.spawn(consumer).await,
                false => spawn(consumer),
            };
            match consumer.await {
                Ok(others) => all_ended(others).await,
                Err(exit) => resume_unwind(exit.into_panic().unwrap()),
            }
            pool.waitall().await;
            assert_eq!((pool.running(), pool.waiting()), (0, 0));
            assert_eq!(pool.free(), pool.size() as isize);
        });
    }
}
