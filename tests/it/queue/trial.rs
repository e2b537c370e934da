//! Random programs of a queue beside a model of its promises.

use super::*;

/// A queue by its promises only. It hears of everything as it happens, from those who do it.
struct Model {
    maxsize: Option<usize>,
    stored: VecDeque<u32>,
    getters: VecDeque<u32>,
    putters: VecDeque<(u32, u32)>,
    /// Those who were served but have had no turn since; getters with their item.
    served: HashMap<u32, Option<u32>>,
    /// All items that were admitted, the oldest first.
    admitted: Vec<u32>,
    unfinished: usize,
    /// How often nothing was left unfinished.
    finished: u32,
    delivered: usize,
}

impl Model {
    fn room(&self) -> bool {
        self.maxsize.is_none_or(|maxsize| self.stored.len() < maxsize)
    }

    fn hand_over(&mut self, item: u32) -> bool {
        let getter = self.getters.pop_front();
        getter.map(|getter| self.served.insert(getter, Some(item))).is_some()
    }

    fn put(&mut self, item: u32) -> bool {
        if !self.hand_over(item) {
            if !self.room() {
                return false;
            }
            self.stored.push_back(item);
        }
        self.admitted.push(item);
        self.unfinished += 1;
        true
    }

    fn admit(&mut self) -> Option<u32> {
        let (putter, item) = self.putters.pop_front()?;
        self.served.insert(putter, None);
        self.admitted.push(item);
        self.unfinished += 1;
        Some(item)
    }

    fn age(&self, item: u32) -> usize {
        self.admitted.iter().rev().position(|&admitted| admitted == item).unwrap()
    }

    fn fill(&mut self) {
        while self.room() {
            let Some(item) = self.admit() else { break };
            self.stored.push_back(item);
        }
    }

    fn get(&mut self) -> Option<u32> {
        let item = self.stored.pop_front();
        self.fill();
        let item = item.or_else(|| self.admit());
        self.delivered += usize::from(item.is_some());
        item
    }

    /// Returns whether the green thread was still waiting. A getter that goes passes on what it was
    /// granted.
    fn leave(&mut self, name: u32) -> bool {
        let waiting = self.getters.len() + self.putters.len();
        self.getters.retain(|&getter| getter != name);
        self.putters.retain(|&(putter, _)| putter != name);
        if let Some(Some(item)) = self.served.remove(&name) {
            if !self.hand_over(item) {
                let at = self.stored.partition_point(|&other| self.age(other) > self.age(item));
                self.stored.insert(at, item);
            }
        }
        waiting > self.getters.len() + self.putters.len()
    }

    fn finish_one(&mut self) {
        self.unfinished -= 1;
        self.finished += u32::from(self.unfinished == 0);
    }
}

#[derive(Clone)]
struct Trial {
    queue: Queue<u32>,
    model: Rc<RefCell<Model>>,
}

impl Trial {
    fn new(maxsize: Option<usize>) -> Trial {
        let model = Model {
            maxsize,
            stored: VecDeque::new(),
            getters: VecDeque::new(),
            putters: VecDeque::new(),
            served: HashMap::new(),
            admitted: Vec::new(),
            unfinished: 0,
            finished: 0,
            delivered: 0,
        };
        Trial { queue: Queue::new(maxsize), model: Rc::new(RefCell::new(model)) }
    }

    fn compare(&self) {
        let (queue, model) = (&self.queue, self.model.borrow());
        assert_eq!(queue.qsize(), model.stored.len());
        assert_eq!(queue.getting(), model.getters.len());
        assert_eq!(queue.putting(), model.putters.len());
        assert_eq!(queue.full(), !model.room());
        assert_eq!(queue.unfinished_tasks(), model.unfinished);
    }

    /// Tells the model when this green thread is killed from here on.
    fn unless_killed(&self, name: u32) -> Unless<impl FnMut() + use<>> {
        let model = Rc::clone(&self.model);
        Unless::new(move || _ = model.borrow_mut().leave(name))
    }

    async fn getter(self, name: u32, patience: Option<u64>) {
        self.compare();
        let killed = self.unless_killed(name);
        {
            let mut model = self.model.borrow_mut();
            match model.get() {
                Some(item) => _ = model.served.insert(name, Some(item)),
                None => model.getters.push_back(name),
            }
        }
        let got = match patience {
            None => Some(self.queue.get().await),
            Some(patience) => self.queue.get_timeout(ms(patience)).await.ok(),
        };
        killed.done();
        let mut model = self.model.borrow_mut();
        match got {
            Some(item) => assert_eq!(model.served.remove(&name), Some(Some(item))),
            None => assert!(model.leave(name), "it timed out with an item in hand"),
        }
    }

    async fn putter(self, name: u32, patience: Option<u64>) {
        self.compare();
        let killed = self.unless_killed(name);
        {
            let mut model = self.model.borrow_mut();
            match model.put(name) {
                true => _ = model.served.insert(name, None),
                false => model.putters.push_back((name, name)),
            }
        }
        let put = match patience {
            None => {
                self.queue.put(name).await;
                Ok(())
            }
            Some(patience) => self.queue.put_timeout(name, ms(patience)).await,
        };
        killed.done();
        let mut model = self.model.borrow_mut();
        match put {
            Ok(()) => assert_eq!(model.served.remove(&name), Some(None)),
            Err(Full(item)) => assert!(item == name && model.leave(name)),
        }
    }

    async fn joiner(self) {
        let (unfinished, finished) = {
            let model = self.model.borrow();
            (model.unfinished, model.finished)
        };
        self.queue.join().await;
        assert!(unfinished == 0 || self.model.borrow().finished > finished);
    }

    async fn apply(self, ops: Vec<Op>) {
        let mut green_threads: Vec<GreenThread<()>> = Vec::new();
        for (name, op) in (0..).zip(ops) {
            match op {
                Op::Get(colour, patience) => {
                    green_threads.push(colour.spawn(self.clone().getter(name, patience)));
                }
                Op::Put(colour, patience) => {
                    green_threads.push(colour.spawn(self.clone().putter(name, patience)));
                }
                Op::Join(colour) => green_threads.push(colour.spawn(self.clone().joiner())),
                Op::PutNowait => {
                    let put = self.queue.put_nowait(name).is_ok();
                    assert_eq!(put, self.model.borrow_mut().put(name));
                }
                Op::GetNowait => {
                    assert_eq!(self.queue.get_nowait().ok(), self.model.borrow_mut().get());
                }
                Op::TaskDone if self.queue.unfinished_tasks() > 0 => {
                    self.queue.task_done();
                    self.model.borrow_mut().finish_one();
                }
                Op::Kill(n) if !green_threads.is_empty() => {
                    green_threads[n % green_threads.len()].kill();
                }
                Op::TaskDone | Op::Kill(_) => {}
                Op::Resize(maxsize) => {
                    self.queue.resize(maxsize);
                    let mut model = self.model.borrow_mut();
                    model.maxsize = maxsize;
                    model.fill();
                }
                Op::Sleep(time) => sleep(ms(time)).await,
            }
            self.compare();
        }
        self.finish(green_threads).await;
    }

    /// Gives everybody what he waits for: whoever is stranded is found by the watchdog.
    async fn finish(&self, green_threads: Vec<GreenThread<()>>) {
        idle().await;
        while !self.model.borrow().getters.is_empty() {
            let put = self.queue.put_nowait(0).is_ok();
            assert_eq!(put, self.model.borrow_mut().put(0));
            sleep(ZERO).await;
        }
        while self.queue.qsize() + self.queue.putting() > 0 {
            assert_eq!(self.queue.get_nowait().ok(), self.model.borrow_mut().get());
            sleep(ZERO).await;
        }
        while self.queue.unfinished_tasks() > 0 {
            self.queue.task_done();
            self.model.borrow_mut().finish_one();
        }
        all_ended(green_threads).await;
        self.compare();
        assert!(self.model.borrow().served.is_empty());
    }
}

/// What happens to a queue. Numbers name green threads, and patience is in milliseconds.
#[derive(Clone, Debug)]
enum Op {
    Get(Colour, Option<u64>),
    Put(Colour, Option<u64>),
    Join(Colour),
    PutNowait,
    GetNowait,
    TaskDone,
    Kill(usize),
    Resize(Option<usize>),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let patience = || proptest::option::weighted(0.3, 0_u64..4);
    prop_oneof![
        4 => (colour(), patience()).prop_map(|(colour, patience)| Op::Get(colour, patience)),
        4 => (colour(), patience()).prop_map(|(colour, patience)| Op::Put(colour, patience)),
        1 => colour().prop_map(Op::Join),
        2 => Just(Op::PutNowait),
        2 => Just(Op::GetNowait),
        2 => Just(Op::TaskDone),
        3 => (0_usize..64).prop_map(Op::Kill),
        1 => proptest::option::of(0_usize..4).prop_map(Op::Resize),
        4 => Just(Op::Sleep(0)),
        1 => (1_u64..4).prop_map(Op::Sleep),
    ]
}

proptest! {
    #[test]
    fn green_threads_lose_double_and_overtake_nothing(
        maxsize in proptest::option::of(0_usize..4),
        ops in vec(op(), 0..100),
    ) {
        run(Trial::new(maxsize).apply(ops));
    }
}
