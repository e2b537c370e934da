//! Which core runs what, how long it ran, and how many files may be open.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::ClockId;
use nix::unistd::Pid;

/// Two of the cores that this process was given.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    /// What is measured runs here.
    pub(crate) measured: usize,
    /// What drives it, here.
    pub(crate) driver: usize,
}

impl Cores {
    /// Chooses the first two; where there is only one there is nothing to choose.
    pub(crate) fn choose() -> Option<Cores> {
        let allowed = sched_getaffinity(Pid::this()).ok()?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
        Some(Cores { measured: cores.next()?, driver: cores.next()? })
    }
}

/// Returns how many cores this process may use.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Keeps this process, and what it starts from now on, on one core.
pub(crate) fn pin_to(core: usize) {
    let mut own = CpuSet::new();
    own.set(core).expect("it was in a set of the same kind");
    sched_setaffinity(Pid::this(), &own).expect("it is one of those that this process was given");
}

/// Raises the soft limit of open files to the hard one, and returns it.
pub(crate) fn allow_open_files() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit of every process");
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Returns the CPU time that a process has used, all its threads together.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let process = Pid::from_raw(process.try_into().expect("a process id is small"));
    ClockId::pid_cpu_clock_id(process)
        .and_then(ClockId::now)
        .expect("the process is a child of ours that still runs")
        .into()
}

/// Measures the CPU time of this process until it is asked.
///
/// All threads count, as some peers keep one for their timers; where nobody waits for anything
/// outside, that is the time the work took, and neighbours on the machine disturb it little.
pub(crate) struct Watch(Duration);

impl Watch {
    pub(crate) fn start() -> Watch {
        Watch(Watch::now())
    }

    pub(crate) fn stop(self) -> Duration {
        Watch::now() - self.0
    }

    fn now() -> Duration {
        ClockId::CLOCK_PROCESS_CPUTIME_ID.now().expect("every process has this clock").into()
    }
}
