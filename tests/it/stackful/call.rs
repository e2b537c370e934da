use eventlet::debug::green_threads;
use eventlet::{GreenPool, Queue, stackful, with_timeout};

use super::*;

fn sum(numbers: Queue<u32>, count: usize) -> u32 {
    (0..count).map(|_| numbers.get().block()).sum()
}

#[test]
fn is_good_wherever_a_future_is() {
    run(stackful(|| {
        let numbers = Queue::new(None);
        let first = spawn(stackful::call(sum, (numbers.clone(), 2)));
        let pool = GreenPool::new(2);
        let second = pool.spawn(stackful::call(sum, (numbers.clone(), 1))).block();
        for n in [1, 2, 3] {
            numbers.put(n).block();
        }
        assert_eq!((first.block().unwrap(), second.block().unwrap()), (3, 3));
        let limited = with_timeout(ms(1), stackful::call(sum, (numbers.clone(), 1)));
        assert!(limited.block().is_err());
        assert_eq!(stackful::call(|| 7, ()).block(), 7);
    }));
}

#[test]
fn has_its_stack_where_it_is_written() {
    run(stackful(|| {
        let line = line!() + 1;
        let gt = spawn(stackful::call(sum, (Queue::new(1), 1)));
        idle().block();
        let made_at = green_threads()[1].parked_stacks()[0].made_at;
        assert_eq!((made_at.file(), made_at.line()), (file!(), line));
        gt.kill();
    }));
}
