use super::*;

#[derive(Clone, Debug)]
enum Op {
    /// Somebody spawns a job that naps and may panic, with so much patience.
    Spawn(Colour, Colour, u64, bool, Option<u64>),
    /// Somebody takes so many results, with so much patience, as a stream or one by one.
    Take(Colour, usize, Option<u64>, bool),
    /// Somebody is killed.
    Kill(usize),
    Resize(usize),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let patience = || proptest::option::weighted(0.4, 0_u64..4);
    prop_oneof![
        5 => (colour(), colour(), 0_u64..4, prop::bool::weighted(0.2), patience())
            .prop_map(|(spawner, job, nap, panics, patience)| {
                Op::Spawn(spawner, job, nap, panics, patience)
            }),
        3 => (colour(), 1_usize..4, patience(), any::<bool>())
            .prop_map(|(colour, results, patience, stream)| {
                Op::Take(colour, results, patience, stream)
            }),
        2 => (0_usize..64).prop_map(Op::Kill),
        1 => (0_usize..4).prop_map(Op::Resize),
        4 => Just(Op::Sleep(0)),
        1 => (1_u64..4).prop_map(Op::Sleep),
    ]
}

#[derive(Clone)]
struct Trial {
    pile: GreenPile<usize>,
    asking: Asking,
    /// The jobs that were spawned and whose result nobody has taken, in order.
    spawned: Rc<RefCell<VecDeque<(usize, bool)>>>,
}

impl Trial {
    async fn spawner(
        self,
        n: usize,
        colour: Colour,
        nap: u64,
        panics: bool,
        patience: Option<u64>,
    ) {
        let one = self.asking.one();
        let job = colour.paint(async move {
            sleep(ms(nap)).await;
            if panics {
                panic_on_purpose();
            }
            n
        });
        let spawned = with_timeout(patience.map(ms), self.pile.spawn(job)).await;
        drop(one);
        if spawned.is_ok() {
            self.spawned.borrow_mut().push_back((n, panics));
        }
    }

    fn check(&self, result: Option<Result<usize, eventlet::Exit>>) {
        let expected = match &result {
            Some(_) => self.spawned.borrow_mut().pop_front(),
            None => {
                assert_eq!((self.asking.0.get(), self.spawned.borrow().len()), (0, 0));
                return;
            }
        };
        match (result, expected) {
            (Some(Ok(n)), Some((expected, false))) => assert_eq!(n, expected),
            (Some(Err(exit)), Some((_, true))) => assert!(exit.is_panic()),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }

    async fn consumer(self, results: usize, patience: Option<u64>, stream: bool) {
        let mut pile = self.pile.clone();
        let patience = patience.map(ms);
        for _ in 0..results {
            let result = match stream {
                true => with_timeout(patience, StreamExt::next(&mut pile)).await,
                false => with_timeout(patience, pile.next()).await,
            };
            // Nobody runs between the taking and this.
            if let Ok(result) = result {
                self.check(result);
            }
        }
    }

    async fn apply(self, ops: Vec<Op>) {
        let mut others: Vec<GreenThread<()>> = Vec::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Spawn(colour, job, nap, panics, patience) => {
                    others.push(colour.spawn(self.clone().spawner(n, job, nap, panics, patience)));
                }
                Op::Take(colour, results, patience, stream) => {
                    others.push(colour.spawn(self.clone().consumer(results, patience, stream)));
                }
                Op::Kill(n) if !others.is_empty() => others[n % others.len()].kill(),
                Op::Kill(_) => {}
                Op::Resize(size) => self.pile.pool().resize(size),
                Op::Sleep(time) => sleep(ms(time)).await,
            }
            self.asking.compare(self.pile.pool());
        }
        let pool = self.pile.pool();
        pool.resize(pool.size().max(1));
        all_ended(others).await;
        while let Some(result) = self.pile.next().await {
            self.check(Some(result));
        }
        self.check(None);
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
        assert_eq!(pool.free(), pool.size() as isize);
    }
}

proptest! {
    #[test]
    fn piles_lose_double_and_overtake_nothing(
        size in 0_usize..4,
        ops in vec(op(), 0..100),
    ) {
        let trial = Trial {
            pile: GreenPile::new(size),
            asking: Asking::default(),
            spawned: Rc::default(),
        };
        run(trial.apply(ops));
    }
}
