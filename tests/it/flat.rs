//! One result of two, and errors that fit.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::mpsc::RecvTimeoutError;

use eventlet::{BoxError, Flat, GreenPile, GreenPool, Timeout, is_timeout, spawn};

use crate::support::{both_colours, ms};

both_colours! {
    fn both_results_are_one_for_handles_piles_and_maps() {
        fn check(results: [Result<io::Result<u8>, eventlet::Exit>; 3]) {
            let [good, failed, ended] = results.map(Flat::flat);
            assert_eq!(good.unwrap(), 1);
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(ended.unwrap_err().to_string(), "the green thread panicked: oops");
        }
        let job = |n| green!({
            match n {
                0 => Ok(1),
                1 => Err(io::Error::from(ErrorKind::NotFound)),
                _ => panic!("oops"),
            }
        });
        check([wait!(spawn(job(0))), wait!(spawn(job(1))), wait!(spawn(job(2)))]);
        let pile = GreenPile::new(3);
        for n in 0..3 {
            wait!(pile.spawn(job(n)));
        }
        check([wait!(pile.next()).unwrap(), wait!(pile.next()).unwrap(), wait!(pile.next()).unwrap()]);
        let mut map = GreenPool::new(3).imap(job, 0..3);
        check([wait!(map.next()).unwrap(), wait!(map.next()).unwrap(), wait!(map.next()).unwrap()]);
    }

    fn an_end_converts_into_the_error_of_any_function() {
        let gt = spawn(pending::<Result<(), BoxError>>());
        gt.kill();
        assert_eq!(wait!(gt).flat().unwrap_err().to_string(), "the green thread was killed");

        let killed = spawn(pending::<()>());
        killed.kill();
        assert_eq!(io::Error::from(wait!(killed).unwrap_err()).kind(), ErrorKind::Other);

        let thrown = spawn(pending::<()>());
        thrown.throw(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(io::Error::from(wait!(thrown).unwrap_err()).kind(), ErrorKind::BrokenPipe);

        let late = spawn(green!({
            let _limit = Timeout::start(ms(1));
            wait!(pending::<()>());
        }));
        let late = io::Error::from(wait!(late).unwrap_err());
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(is_timeout(&late));
    }
}

#[test]
fn time_is_up_whatever_says_so() {
    assert!(is_timeout(&RecvTimeoutError::Timeout));
    assert!(!is_timeout(&RecvTimeoutError::Disconnected));
    assert!(is_timeout(&io::Error::new(ErrorKind::WouldBlock, Timeout::new(None))));
    assert!(is_timeout(&io::Error::other(io::Error::other(Timeout::new(None)))));
    assert!(!is_timeout(&io::Error::from(ErrorKind::WouldBlock)));
}
