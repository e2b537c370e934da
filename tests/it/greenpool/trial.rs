//! Random programs of a pool beside a model of its promises.

use super::*;

/// What a job does, and then how it ends.
#[derive(Clone, Debug)]
struct Job {
    colour: Colour,
    nap: u64,
    panics: bool,
    inner: Option<Box<Job>>,
}

#[derive(Clone, Debug)]
enum Op {
    /// Somebody spawns a job, and has so much patience.
    Spawn(Colour, Job, Option<u64>),
    Waitall(Colour, Option<u64>),
    KillSpawner(usize),
    KillMember(usize),
    Resize(usize),
    Sleep(u64),
}

fn job() -> impl Strategy<Value = Job> {
    let leaf = (colour(), 0_u64..4, prop::bool::weighted(0.2))
        .prop_map(|(colour, nap, panics)| Job { colour, nap, panics, inner: None });
    leaf.prop_recursive(3, 3, 1, |inner| {
        (colour(), 0_u64..4, prop::bool::weighted(0.2), inner).prop_map(
            |(colour, nap, panics, inner)| Job {
                colour,
                nap,
                panics,
                inner: Some(Box::new(inner)),
            },
        )
    })
}

fn op() -> impl Strategy<Value = Op> {
    let patience = || proptest::option::weighted(0.3, 0_u64..4);
    prop_oneof![
        6 => (colour(), job(), patience()).prop_map(|(colour, job, patience)| {
            Op::Spawn(colour, job, patience)
        }),
        1 => (colour(), patience()).prop_map(|(colour, patience)| Op::Waitall(colour, patience)),
        2 => (0_usize..64).prop_map(Op::KillSpawner),
        2 => (0_usize..64).prop_map(Op::KillMember),
        1 => (0_usize..4).prop_map(Op::Resize),
        5 => Just(Op::Sleep(0)),
        1 => (1_u64..4).prop_map(Op::Sleep),
    ]
}

/// A pool by its promises only. It hears of everything as it happens, from those who do it.
#[derive(Default)]
struct Model {
    size: isize,
    free: isize,
    running: usize,
    waiting: VecDeque<usize>,
    /// Those who were handed a slot but have had no turn since.
    served: Vec<usize>,
    /// How often the pool became idle.
    idle: usize,
    names: usize,
    started: usize,
    ended: usize,
}

impl Model {
    fn ask(&mut self) -> usize {
        self.names += 1;
        self.waiting.push_back(self.names);
        self.serve();
        self.names
    }

    fn serve(&mut self) {
        while self.free > 0 && !self.waiting.is_empty() {
            self.free -= 1;
            self.served.extend(self.waiting.pop_front());
        }
    }

    fn release(&mut self) {
        self.free += 1;
        self.serve();
        self.idle += usize::from(self.is_idle());
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.served.is_empty()
    }

    /// Returns whether it was served.
    fn receive(&mut self, name: usize) -> bool {
        let at = self.served.iter().position(|&served| served == name);
        at.map(|at| self.served.remove(at)).is_some()
    }

    fn leave(&mut self, name: usize) {
        self.waiting.retain(|&waiting| waiting != name);
        if self.receive(name) {
            self.release();
        }
    }

    fn start(&mut self, name: usize) {
        assert!(self.receive(name), "it got a slot out of order");
        self.running += 1;
    }

    fn end(&mut self) {
        self.running -= 1;
        self.release();
    }
}

#[derive(Clone)]
struct Trial {
    pool: GreenPool,
    model: Rc<RefCell<Model>>,
    /// Those who spawn and those who wait for all.
    others: Rc<RefCell<Vec<GreenThread<()>>>>,
    members: Rc<RefCell<Vec<GreenThread<()>>>>,
}

impl Trial {
    fn new(size: usize) -> Trial {
        let model = Model { size: size as isize, free: size as isize, ..Model::default() };
        Trial {
            pool: GreenPool::new(size),
            model: Rc::new(RefCell::new(model)),
            others: Rc::default(),
            members: Rc::default(),
        }
    }

    fn compare(&self) {
        let (pool, model) = (&self.pool, self.model.borrow());
        assert_eq!(pool.free(), model.free);
        assert_eq!(pool.running(), model.running);
        assert_eq!(pool.waiting(), model.waiting.len());
        assert_eq!(pool.size() as isize, model.size);
        let out = (model.running + model.served.len()) as isize;
        assert_eq!(model.size, model.free + out);
    }

    /// Makes the future of a job. `seated` tells whether it has a slot of its own.
    fn work(&self, job: Job, seated: Rc<Cell<bool>>) -> impl Future<Output = ()> + use<> {
        let trial = self.clone();
        // It is there from the beginning, for it must speak up if the job never starts.
        let ends = OnDrop({
            let (model, seated) = (Rc::clone(&self.model), Rc::clone(&seated));
            move || {
                if seated.get() {
                    model.borrow_mut().end();
                }
            }
        });
        job.colour.paint(async move {
            let _ends = ends;
            trial.model.borrow_mut().started += 1;
            trial.compare();
            sleep(ms(job.nap)).await;
            if let Some(inner) = job.inner {
                trial.reenter(*inner).await;
            }
            trial.compare();
            trial.model.borrow_mut().ended += 1;
            if job.panics {
                panic_on_purpose();
            }
        })
    }

    /// Spawns as a member.
    async fn reenter(&self, inner: Job) {
        let (panics, seated) = (inner.panics, Rc::new(Cell::new(false)));
        let future = Box::pin(self.work(inner, Rc::clone(&seated)));
        if self.model.borrow().free > 0 {
            let name = self.model.borrow_mut().ask();
            let job = self.pool.spawn(future).await;
            self.seat(name, job, &seated);
        } else {
            let (started, ended) = {
                let model = self.model.borrow();
                (model.started, model.ended)
            };
            let job = self.pool.spawn(future).await;
            assert!(job.dead());
            {
                let model = self.model.borrow();
                assert!(model.started > started && model.ended > ended);
            }
            assert_eq!(job.await.is_err(), panics);
        }
    }

    fn seat(&self, name: usize, job: GreenThread<()>, seated: &Cell<bool>) {
        self.model.borrow_mut().start(name);
        seated.set(true);
        self.members.borrow_mut().push(job);
        self.compare();
    }

    async fn spawner(self, job: Job, patience: Option<u64>) {
        let seated = Rc::default();
        let future = self.work(job, Rc::clone(&seated));
        let name = self.model.borrow_mut().ask();
        let killed = Unless::new({
            let model = Rc::clone(&self.model);
            move || model.borrow_mut().leave(name)
        });
        let job = with_timeout(patience.map(ms), self.pool.spawn(future)).await;
        match job {
            Ok(job) => {
                killed.done();
                self.seat(name, job, &seated);
            }
            Err(_) => {
                let waiting = self.model.borrow().waiting.contains(&name);
                assert!(waiting, "it timed out with a slot in hand");
            }
        }
    }

    async fn waitall(self, patience: Option<u64>) {
        let (was_idle, idle) = {
            let model = self.model.borrow();
            (model.is_idle(), model.idle)
        };
        let ended = with_timeout(patience.map(ms), self.pool.waitall()).await;
        let since = self.model.borrow().idle > idle;
        assert_eq!(was_idle || since, ended.is_ok());
    }

    async fn apply(self, ops: Vec<Op>) {
        for op in ops {
            match op {
                Op::Spawn(colour, job, patience) => {
                    let spawner = colour.spawn(self.clone().spawner(job, patience));
                    self.others.borrow_mut().push(spawner);
                }
                Op::Waitall(colour, patience) => {
                    let waiter = colour.spawn(self.clone().waitall(patience));
                    self.others.borrow_mut().push(waiter);
                }
                Op::KillSpawner(n) => kill_one(&self.others, n),
                Op::KillMember(n) => kill_one(&self.members, n),
                Op::Resize(size) => {
                    self.pool.resize(size);
                    let mut model = self.model.borrow_mut();
                    model.free += size as isize - model.size;
                    model.size = size as isize;
                    model.serve();
                }
                Op::Sleep(time) => sleep(ms(time)).await,
            }
            self.compare();
        }
        self.finish().await;
    }

    /// Gives everybody the one slot he needs: whoever is stranded is found by the watchdog.
    async fn finish(&self) {
        if self.pool.size() == 0 {
            self.pool.resize(1);
            let mut model = self.model.borrow_mut();
            model.size = 1;
            model.free += 1;
            model.serve();
        }
        all_ended(self.others.take()).await;
        self.pool.waitall().await;
        all_ended(self.members.take()).await;
        self.compare();
        assert_eq!((self.pool.running(), self.pool.waiting()), (0, 0));
        assert_eq!(self.pool.free(), self.pool.size() as isize);
    }
}

fn kill_one(green_threads: &RefCell<Vec<GreenThread<()>>>, n: usize) {
    let victim: Option<Greenlet> = {
        let green_threads = green_threads.borrow();
        (!green_threads.is_empty()).then(|| *green_threads[n % green_threads.len()])
    };
    victim.inspect(Greenlet::kill);
}

proptest! {
    #[test]
    fn green_threads_lose_double_and_overtake_no_slot(
        size in 0_usize..4,
        ops in vec(op(), 0..100),
    ) {
        run(Trial::new(size).apply(ops));
    }
}
