//! One run: its choices, its faults, and what happened in it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::choices::{Choices, Script, Source};
use crate::exit::Exit;
use crate::hub::{self, Key, SpawnedAt};

/// Turns that a program may take.
const MOST_TURNS: usize = 100_000;

/// A turn, or what happened between two.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) id: u64,
    pub(super) spawned_at: Option<SpawnedAt>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} green thread {}", self.what, self.id)?;
        match self.spawned_at {
            Some(place) => write!(f, ", spawned at {place}"),
            None => Ok(()),
        }
    }
}

/// Something that goes wrong after some turns.
struct Fault {
    due: usize,
    act: Box<dyn FnOnce(&Schedule)>,
}

/// Values that must be the same at the end.
type Unchanged = (String, Box<dyn Fn() -> Option<String>>);

pub(super) struct Schedule {
    choices: RefCell<Choices>,
    turns: Cell<usize>,
    steps: RefCell<Vec<Step>>,
    faults: RefCell<Vec<Fault>>,
    pub(super) unchanged: RefCell<Vec<Unchanged>>,
    /// To be ended when it takes too long.
    main: Cell<Option<Key>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Schedule>>> = const { RefCell::new(None) };
}

/// Returns the schedule of the check that runs on this OS thread, if one does.
pub(super) fn current() -> Option<Rc<Schedule>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Makes a schedule that of this OS thread, until the guard is dropped.
pub(super) fn enter(schedule: &Rc<Schedule>) -> impl Drop {
    struct Entered(Option<Rc<Schedule>>);
    impl Drop for Entered {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    Entered(CURRENT.replace(Some(Rc::clone(schedule))))
}

impl Schedule {
    pub(super) fn new(source: Source) -> Rc<Schedule> {
        Rc::new(Schedule {
            choices: RefCell::new(Choices::new(source)),
            turns: Cell::new(0),
            steps: RefCell::default(),
            faults: RefCell::default(),
            unchanged: RefCell::default(),
            main: Cell::new(None),
        })
    }

    /// Begins, in the main green thread.
    pub(super) fn begin(&self, main: Key) {
        self.main.set(Some(main));
    }

    pub(super) fn choose(&self, options: usize) -> usize {
        self.choices.borrow_mut().choose(options)
    }

    pub(super) fn taken(&self) -> Script {
        self.choices.borrow().taken()
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.borrow().clone()
    }

    /// Has something go wrong after a number of turns that is chosen, or never.
    ///
    /// Returns whether it will.
    pub(super) fn add_fault(&self, act: impl FnOnce(&Schedule) + 'static) -> bool {
        // Soon or late, each as often.
        let doublings = self.choose(8);
        if doublings > 0 {
            let due = self.turns.get() + (1 << (doublings - 1)) + self.choose(1 << (doublings - 1));
            self.faults.borrow_mut().push(Fault { due, act: Box::new(act) });
        }
        doublings > 0
    }

    pub(super) fn note(&self, what: &'static str, key: Key, spawned_at: Option<SpawnedAt>) {
        self.steps.borrow_mut().push(Step { what, id: key.serial(), spawned_at });
    }

    fn take_due(&self) -> Option<Fault> {
        let mut faults = self.faults.borrow_mut();
        let due = faults.iter().position(|fault| fault.due <= self.turns.get())?;
        Some(faults.remove(due))
    }
}

impl hub::Schedule for Schedule {
    fn before_turn(&self) {
        while let Some(fault) = self.take_due() {
            (fault.act)(self);
        }
        self.turns.set(self.turns.get() + 1);
        if let Some(main) = self.main.get().filter(|_| self.turns.get() > MOST_TURNS) {
            let error = format!("it did not end within {MOST_TURNS} turns");
            hub::expect("a check").kill(main, Exit::thrown(error.into()));
        }
    }

    fn when_idle(&self) {
        // Where nothing else happens any more, the next fault does.
        let next = {
            let mut faults = self.faults.borrow_mut();
            let next = (0..faults.len()).min_by_key(|at| faults[*at].due);
            next.map(|at| faults.remove(at))
        };
        if let Some(fault) = next {
            (fault.act)(self);
        }
    }

    fn choose(&self, ready: usize) -> usize {
        Schedule::choose(self, ready)
    }

    fn turn_of(&self, key: Key, spawned_at: Option<SpawnedAt>) {
        self.note("turn of", key, spawned_at);
    }
}
