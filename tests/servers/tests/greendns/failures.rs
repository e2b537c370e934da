//! Servers that fail, lie and are silent.

use super::*;

#[test]
fn a_truncated_answer_is_asked_for_again_by_tcp() {
    run(async || {
        let server = NameServer::start(|request, tcp| {
            let mut answer = address(request, ONE);
            if !tcp {
                answer = empty(request, ResponseCode::NoError);
                answer.set_truncated(true);
            }
            vec![answer]
        });
        let server = server.await;
        assert_eq!(server.resolver().resolve("big.example.", Family::V4).await.unwrap(), v4(ONE));
        assert!(server.asked.borrow().last().unwrap().2);
    });
}

#[test]
fn no_such_name_and_a_failing_server_are_told_apart() {
    run(async || {
        for (code, kind, words) in [
            (ResponseCode::NXDomain, ErrorKind::NotFound, "no such name"),
            (ResponseCode::NoError, ErrorKind::NotFound, "no record of the requested type"),
            (ResponseCode::ServFail, ErrorKind::Other, "failed"),
        ] {
            let server = NameServer::start(move |request, _| vec![empty(request, code)]).await;
            let error = server.resolver().resolve("no.example.", Family::Any).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains("no.example"), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    });
}

#[test]
fn one_family_that_fails_does_not_spoil_the_other() {
    run(async || {
        let server = NameServer::start(|request, _| match request.queries()[0].query_type() {
            RecordType::AAAA => vec![empty(request, ResponseCode::ServFail)],
            _ => vec![address(request, ONE)],
        });
        let resolver = server.await.resolver();
        assert_eq!(resolver.resolve("half.example.", Family::Any).await.unwrap(), v4(ONE));
    });
}

#[test]
fn a_loop_of_aliases_ends() {
    run(async || {
        let server = NameServer::start(|request, _| {
            let mut answer = empty(request, ResponseCode::NoError);
            let name = request.queries()[0].name().clone();
            let other = if name.to_string().starts_with('a') { "b.example." } else { "a.example." };
            answer.add_answer(alias(&name, other));
            vec![answer]
        });
        let server = server.await;
        assert!(server.resolver().resolve("a.example.", Family::V4).await.is_err());
        assert!(server.asked.borrow().len() < 100, "{:?}", server.asked.borrow().len());
    });
}

#[test]
fn lies_are_not_believed() {
    run(async || {
        let server = NameServer::start(|request, _| {
            let liar = Ipv4Addr::new(203, 0, 113, 66);
            let mut wrong_id = address(request, liar);
            wrong_id.set_id(request.id().wrapping_add(1));
            let mut other = request.clone();
            other.take_queries();
            other.add_query(Query::query(Name::from_ascii("x.example.").unwrap(), RecordType::A));
            vec![wrong_id, address(&other, liar), address(request, ONE)]
        });
        let resolver = server.await.resolver();
        assert_eq!(resolver.resolve("true.example.", Family::V4).await.unwrap(), v4(ONE));
    });
}

#[test]
fn what_is_no_answer_is_passed_over() {
    run(async || {
        let noisy = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::parse("");
        config.name_servers = vec![noisy.local_addr().unwrap()];
        spawn_n(async move {
            let mut bytes = [0; 4096];
            loop {
                let (len, from) = noisy.recv_from(&mut bytes).await.unwrap();
                let answer = address(&Message::from_vec(&bytes[..len]).unwrap(), ONE);
                let answer = answer.to_vec().unwrap();
                for message in [&[][..], &[0; 2], &answer[..answer.len() - 1], &[0xff; 600]] {
                    noisy.send_to(message, from).await.unwrap();
                }
                noisy.send_to(&answer, from).await.unwrap();
            }
        });
        let ips = Resolver::new(config).resolve("true.example.", Family::V4).await.unwrap();
        assert_eq!(ips, v4(ONE));
    });
}

#[test]
fn an_answer_from_elsewhere_is_not_believed() {
    run(async || {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::parse("");
        config.name_servers = vec![silent.local_addr().unwrap()];
        (config.timeout, config.attempts) = (Duration::from_millis(200), 1);
        spawn_n(async move {
            let liar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut bytes = [0; 4096];
            loop {
                let (len, from) = silent.recv_from(&mut bytes).await.unwrap();
                let answer = address(&Message::from_vec(&bytes[..len]).unwrap(), ONE);
                liar.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        let asked = Resolver::new(config).resolve("true.example.", Family::V4).await;
        assert!(asked.is_err(), "{asked:?}");
    });
}

#[test]
fn silence_costs_what_the_configuration_says() {
    run(async || {
        let silent = NameServer::start(|_, _| Vec::new()).await;
        let began = Instant::now();
        let resolver = silent.impatient(Duration::from_millis(200));
        let error = resolver.resolve("slow.example.", Family::V4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(8), "{took:?}");
        silent.has_been_asked(2).await;
        let by_udp = silent.asked.borrow().iter().filter(|asked| !asked.2).count();
        assert_eq!(by_udp, 2, "attempts");
    });
}

#[test]
fn a_silent_server_is_passed_over() {
    run(async || {
        let silent = NameServer::start(|_, _| Vec::new()).await;
        let good = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let mut config = silent.config();
        config.name_servers.push(good.addr);
        config.timeout = Duration::from_secs(1);
        let ips = Resolver::new(config).resolve("host.example.", Family::V4).await.unwrap();
        assert_eq!(ips, v4(ONE));
        assert_eq!(silent.asked.borrow().len(), 1);
    });
}

#[test]
fn a_silent_server_ends_the_search() {
    run(async || {
        let silent = NameServer::start(|_, _| Vec::new()).await;
        let mut config = silent.config();
        config.search = vec!["one.test".to_owned(), "two.test".to_owned()];
        (config.timeout, config.attempts) = (Duration::from_millis(50), 1);
        let error = Resolver::new(config).resolve("host", Family::V4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        silent.has_been_asked(1).await;
        assert_eq!(silent.names(RecordType::A), ["host.one.test."]);
    });
}

#[test]
fn a_server_that_refuses_is_passed_over() {
    run(async || {
        for code in [ResponseCode::ServFail, ResponseCode::Refused] {
            let bad = NameServer::start(move |request, _| vec![empty(request, code)]).await;
            let good = NameServer::start(|request, _| vec![address(request, ONE)]).await;
            let mut config = bad.config();
            config.name_servers.push(good.addr);
            let ips = Resolver::new(config).resolve("host.example.", Family::V4).await.unwrap();
            assert_eq!((ips, bad.asked.borrow().len()), (v4(ONE), 1), "{code}");
        }
    });
}

/// The first answer comes when nobody waits for it any more.
#[test]
fn a_slow_server_is_asked_again() {
    run(async || {
        let questions = Cell::new(0);
        let server = NameServer::start(move |request, _| {
            questions.set(questions.get() + 1);
            match questions.get() {
                1 => Vec::new(),
                _ => vec![address(request, ONE)],
            }
        });
        let server = server.await;
        let resolver = server.impatient(Duration::from_secs(1));
        let ips = resolver.resolve("slow.example.", Family::V4).await.unwrap();
        assert_eq!((ips, server.asked.borrow().len()), (v4(ONE), 2));
    });
}

#[test]
fn silence_after_a_truncated_answer_costs_no_more() {
    run(async || {
        let server = NameServer::start(|request, tcp| {
            let mut answer = empty(request, ResponseCode::NoError);
            answer.set_truncated(true);
            if tcp { Vec::new() } else { vec![answer] }
        });
        let began = Instant::now();
        let resolver = server.await.impatient(Duration::from_millis(200));
        let error = resolver.resolve("big.example.", Family::V4).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    });
}
