//! `greendns` against a name server of our own, which also fails, lies and is silent.

mod failures;
mod name_server;

use std::cell::Cell;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{self, Command};
use std::rc::Rc;
use std::time::{Duration, Instant};

use eventlet::greendns::{self, Config, Family, Resolver};
use eventlet::runtime::{Builder, Resolving};
use eventlet::{Block, spawn, spawn_n, stackful};
use futures::future::join_all;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use name_server::*;

#[test]
fn both_families_are_asked_once_and_the_answer_is_kept() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let resolver = server.resolver();
        for _ in 0..3 {
            let ips = resolver.resolve("Host.example", Family::Any).await.unwrap();
            assert_eq!(ips, [IpAddr::V6(ONE.to_ipv6_mapped()), IpAddr::V4(ONE)]);
        }
        assert_eq!(server.asked.borrow().len(), 2);
    });
}

#[test]
fn a_hundred_askers_are_one_question() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let resolver = server.resolver();
        let askers = (0..100).map(|_| {
            let resolver = resolver.clone();
            spawn(async move { resolver.resolve("one.example.", Family::V4).await.unwrap() })
        });
        for ips in join_all(askers.collect::<Vec<_>>()).await {
            assert_eq!(ips.unwrap(), v4(ONE));
        }
        assert_eq!(server.asked.borrow().len(), 1);
    });
}

#[test]
fn the_first_asker_may_be_killed() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let resolver = server.resolver();
        let ask = || {
            let resolver = resolver.clone();
            spawn(async move { resolver.resolve("one.example.", Family::V4).await.unwrap() })
        };
        let (first, second) = (ask(), ask());
        eventlet::sleep(Duration::ZERO).await;
        first.kill();
        assert_eq!(second.await.unwrap(), v4(ONE));
    });
}

#[test]
fn search_and_ndots_decide_what_is_asked() {
    run(async || {
        let server = NameServer::start(|request, _| vec![empty(request, ResponseCode::NXDomain)]);
        let server = server.await;
        let mut config = server.config();
        config.search = vec!["one.test".to_owned(), "two.test".to_owned()];
        config.ndots = 2;
        let resolver = Resolver::new(config);
        for (name, questions) in [
            ("host", vec!["host.one.test.", "host.two.test.", "host."]),
            ("a.b", vec!["a.b.one.test.", "a.b.two.test.", "a.b."]),
            ("a.b.c", vec!["a.b.c.", "a.b.c.one.test.", "a.b.c.two.test."]),
            ("absolute.", vec!["absolute."]),
        ] {
            server.asked.borrow_mut().clear();
            assert!(resolver.resolve(name, Family::V4).await.is_err());
            let mut asked = server.names(RecordType::A);
            asked.dedup();
            assert_eq!(asked, questions, "{name}");
        }
    });
}

#[test]
fn what_cannot_be_a_name_is_not_asked_for() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let resolver = server.resolver();
        for name in ["", ".", "a..b", &"x".repeat(64), &"y.".repeat(200)] {
            let asked = resolver.resolve(name, Family::Any).await;
            assert!(asked.is_err(), "{name:?}: {asked:?}");
            assert_eq!(asked.unwrap_err().kind(), ErrorKind::InvalidInput, "{name:?}");
        }
        assert!(server.asked.borrow().is_empty());
    });
}

#[test]
fn servers_take_turns_if_they_are_to_rotate() {
    run(async || {
        let one = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let other = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let mut config = one.config();
        config.name_servers.push(other.addr);
        for (rotate, shares) in [(false, (4, 0)), (true, (2, 2))] {
            config.rotate = rotate;
            let resolver = Resolver::new(config.clone());
            for number in 0..4 {
                let name = format!("n{number}.example.");
                resolver.resolve(&name, Family::V4).await.unwrap();
            }
            assert_eq!((one.asked.take().len(), other.asked.take().len()), shares);
        }
    });
}

#[test]
fn answers_are_kept_as_long_as_they_say() {
    run(async || {
        let server = NameServer::start(|request, _| {
            let mut answer = address(request, ONE);
            let ttl = match request.queries()[0].name().to_string().as_str() {
                "second.example." => 1,
                _ => 0,
            };
            answer.take_answers().into_iter().for_each(|mut record| {
                record.set_ttl(ttl);
                answer.add_answer(record);
            });
            vec![answer]
        });
        let server = server.await;
        let resolver = server.resolver();
        for times in 1..=3 {
            resolver.resolve("never.example.", Family::V4).await.unwrap();
            assert_eq!(server.asked.borrow().len(), times);
        }
        server.asked.borrow_mut().clear();
        let began = Instant::now();
        while server.asked.borrow().len() < 2 {
            resolver.resolve("second.example.", Family::V4).await.unwrap();
            eventlet::sleep(Duration::from_millis(50)).await;
        }
        assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    });
}

#[test]
fn that_there_is_no_such_name_is_kept_too() {
    run(async || {
        let server = NameServer::start(|request, _| {
            let mut answer = empty(request, ResponseCode::NXDomain);
            let zone = Name::from_ascii("example.").unwrap();
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 60, 60, 60, 60);
            answer.add_name_server(Record::from_rdata(zone, 60, RData::SOA(soa)));
            vec![answer]
        });
        let server = server.await;
        let resolver = server.resolver();
        for _ in 0..3 {
            let error = resolver.resolve("no.example.", Family::V4).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        assert_eq!(server.asked.borrow().len(), 1);
    });
}

/// In one answer, and in one for each.
#[test]
fn aliases_lead_to_the_canonical_name() {
    run(async || {
        for at_once in [true, false] {
            let server = NameServer::start(move |request, _| {
                let name = request.queries()[0].name();
                let mut answer = empty(request, ResponseCode::NoError);
                let end = Name::from_ascii("c.example.").unwrap();
                match name.to_ascii().as_str() {
                    "a.example." => {
                        answer.add_answer(alias(name, "b.example."));
                        if at_once {
                            let b = Name::from_ascii("b.example.").unwrap();
                            answer.add_answer(alias(&b, "c.example."));
                            answer.add_answer(Record::from_rdata(end, 300, RData::A(A(ONE))));
                        }
                    }
                    "b.example." => drop(answer.add_answer(alias(name, "c.example."))),
                    _ => drop(answer.add_answer(Record::from_rdata(end, 300, RData::A(A(ONE))))),
                }
                vec![answer]
            });
            let resolver = server.await.resolver();
            let (name, aliases, ips) = resolver.gethostbyname_ex("a.example").await.unwrap();
            assert_eq!(name, "c.example", "{at_once}");
            assert_eq!(aliases, ["a.example", "b.example"]);
            assert_eq!(ips, [ONE]);
            assert_eq!(resolver.gethostbyname("a.example").await.unwrap(), ONE);
            assert_eq!(resolver.resolve_cname("a.example").await.unwrap(), "c.example");
            assert_eq!(resolver.getaliases("a.example").await.unwrap(), ["b.example", "c.example"]);
        }
    });
}

#[test]
fn addresses_have_names() {
    run(async || {
        let server = NameServer::start(|request, _| {
            let name = request.queries()[0].name();
            let mut answer = empty(request, ResponseCode::NoError);
            let to = Name::from_ascii("one.example.").unwrap();
            match name.to_ascii().as_str() {
                "1.2.0.192.in-addr.arpa." => {
                    answer.add_answer(Record::from_rdata(name.clone(), 300, RData::PTR(PTR(to))));
                }
                "3.2.0.192.in-addr.arpa." => answer = empty(request, ResponseCode::ServFail),
                _ => answer = empty(request, ResponseCode::NXDomain),
            }
            vec![answer]
        });
        let resolver = server.await.resolver();
        let name = async |addr: &str| resolver.getnameinfo(addr.parse().unwrap()).await;
        let named = |name: &str| (name.to_owned(), "80".to_owned());
        assert_eq!(name("192.0.2.1:80").await.unwrap(), named("one.example"));
        assert_eq!(name("[::ffff:192.0.2.1]:80").await.unwrap(), named("one.example"));
        assert_eq!(name("192.0.2.2:80").await.unwrap(), named("192.0.2.2"));
        assert_eq!(name("192.0.2.3:80").await.unwrap_err().kind(), ErrorKind::Other);
    });
}

/// Nobody has the port of the asker any more. Somebody else may take it at once: then it is tried
/// again.
#[test]
fn a_lookup_that_is_given_up_is_gone_at_once() {
    run(async || {
        let silent = NameServer::start(|_, _| Vec::new()).await;
        let mut config = silent.config();
        config.timeout = Duration::from_secs(600);
        let resolver = Resolver::new(config);
        let mut runtime_had = None;
        for colour in ["stackless", "again", "stackful"] {
            let mut is_gone = false;
            for attempt in 0..5 {
                let (resolver, name) = (resolver.clone(), format!("{colour}{attempt}.example."));
                let ask = async move { resolver.resolve(&name, Family::V4).await };
                let asking = match colour {
                    "stackful" => spawn(stackful(move || ask.block())),
                    _ => spawn(ask),
                };
                let before = silent.asked.borrow().len();
                silent.has_been_asked(before + 1).await;
                asking.kill();
                let port = silent.asker.get().unwrap().port();
                is_gone = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await.is_ok();
                if is_gone {
                    break;
                }
            }
            assert!(is_gone, "{colour}");

            // One stays for each name server, whatever is asked.
            let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            assert_eq!(*runtime_had.get_or_insert(tasks), tasks);
        }
    });
}

#[test]
fn the_end_of_a_program_waits_for_no_lookup() {
    let began = Instant::now();
    run(async || {
        let silent = NameServer::start(|_, _| Vec::new()).await;
        let mut config = silent.config();
        config.timeout = Duration::from_secs(600);
        let resolver = Resolver::new(config);
        spawn_n(async move { drop(resolver.resolve("slow.example.", Family::Any).await) });
        silent.has_been_asked(2).await;
    });
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn no_more_questions_than_sockets_and_the_rest_wait_in_line() {
    run(async || {
        let answers = Rc::new(Cell::new(false));
        let may = Rc::clone(&answers);
        let server = NameServer::start(move |request, _| match may.get() {
            true => vec![address(request, ONE)],
            false => Vec::new(),
        });
        let server = server.await;
        let mut config = server.config();
        config.timeout = Duration::from_secs(600);
        let resolver = Resolver::new(config);
        let ask = |number| {
            let resolver = resolver.clone();
            let name = format!("n{number}.example.");
            spawn(async move { resolver.resolve(&name, Family::V4).await.unwrap() })
        };
        let silent: Vec<_> = (0..1000).map(ask).collect();
        server.has_been_asked(128).await;
        answers.set(true);
        // The line moves when one of the first is given up.
        silent[0].kill();
        assert_eq!(silent[999].wait().await.unwrap(), v4(ONE));
        assert_eq!(server.asked.borrow().len(), 1000);
        silent[1..128].iter().for_each(|silent| assert!(!silent.dead()));
    });
}

/// Though the first of them ends, and takes its connections along.
#[test]
fn hubs_share_a_resolver() {
    let name_server = eventlet::HubThread::start();
    let config = name_server.spawn(|| async {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        server.config()
    });
    let mut config = config.join().unwrap();
    config.attempts = 1;
    let resolver = Resolver::new(config);
    let mut builder = Builder::new();
    builder.resolver(resolver.clone());
    for name in ["a.example.", "b.example.", "c.example."] {
        let resolver = resolver.clone();
        let ask = async move || resolver.resolve(name, Family::V4).await.unwrap();
        let thread = builder.start_thread().unwrap();
        let there = thread.spawn(ask.clone());
        assert_eq!(there.join().unwrap(), v4(ONE));
        thread.shutdown();
        assert_eq!(builder.run(async move { ask().await }).unwrap(), v4(ONE));
    }
}

#[test]
fn every_kind_of_hub_resolves_as_it_was_told() {
    let here = |name: &str| -> Resolving {
        let known = name == "far.example";
        let none = || io::Error::new(ErrorKind::NotFound, "nobody knows it");
        Box::pin(async move { known.then(|| vec![Ipv4Addr::LOCALHOST.into()]).ok_or_else(none) })
    };
    let test = async || {
        let listener = eventlet::listen("far.example:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        eventlet::connect(("far.example", port)).await.unwrap();
        let error = eventlet::connect(("other.example", port)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nobody knows it"), "{error}");
    };
    let mut builder = Builder::new();
    builder.resolver(here);
    builder.run(async move { test().await }).unwrap();
    let thread = builder.start_thread().unwrap();
    thread.spawn(move || async move { test().await }).join().unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(builder.local(async move { test().await }));
}

/// The name of a variable that is set in the process of a test's own.
const CHILD: &str = "EVENTLET_SERVERS_CHILD";

#[test]
fn the_environment_has_greendns_left_out() {
    let installed = |no: &str| {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_hub_in_a_process_of_its_own", "--nocapture"])
            .env("EVENTLET_NO_GREENDNS", no)
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        String::from_utf8(child.stdout).unwrap().contains("asked greendns")
    };
    assert!(installed(""));
    assert!(!installed("yes"));
    assert!(!installed("YES"));
}

/// A name that the system refuses and greendns does not know tell the two apart by their words.
#[test]
fn a_hub_in_a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    run(async || {
        greendns::install();
        let error = eventlet::connect(("no.invalid.", 1)).await.unwrap_err();
        if error.to_string().contains("\"no.invalid.\": there is no such name") {
            println!("asked greendns");
        }
    });
}

#[test]
fn many_names_at_once() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let resolver = server.resolver();
        let pool = eventlet::GreenPool::new(200);
        let look = move |number: u32| {
            let resolver = resolver.clone();
            async move { resolver.resolve(&format!("n{number}.example."), Family::V4).await }
        };
        let mut found = pool.imap(look, 0..1000);
        let mut count = 0;
        while let Some(ips) = found.next().await {
            assert_eq!(ips.unwrap().unwrap(), v4(ONE));
            count += 1;
        }
        assert_eq!(count, 1000);
    });
}

#[test]
fn the_hosts_file_comes_first_and_numbers_are_not_asked_for() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let folder = std::env::temp_dir().join(format!("eventlet-hosts-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut config = server.config();
        config.hosts = folder.join("hosts");
        fs::write(&config.hosts, "192.0.2.7 known.example too\n::7 known.example # both\n")
            .unwrap();
        let resolver = Resolver::new(config);
        let ips = resolver.resolve("KNOWN.example", Family::Any).await.unwrap();
        let (name, aliases, _) = resolver.gethostbyname_ex("known.example").await.unwrap();
        assert_eq!((name.as_str(), aliases), ("known.example", vec!["too".to_owned()]));
        assert_eq!(
            resolver.getnameinfo("[::7]:1".parse().unwrap()).await.unwrap().0,
            "known.example"
        );
        let v6: Ipv6Addr = "::7".parse().unwrap();
        assert_eq!(ips, [IpAddr::V6(v6), "192.0.2.7".parse().unwrap()]);
        assert_eq!(resolver.resolve("192.0.2.8", Family::Any).await.unwrap().len(), 1);
        assert!(server.asked.borrow().is_empty());
        fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn names_in_other_scripts_are_encoded() {
    run(async || {
        let server = NameServer::start(|request, _| vec![address(request, ONE)]).await;
        let ips = server.resolver().resolve("bücher.example.", Family::V4).await.unwrap();
        assert_eq!(ips, v4(ONE));
        assert_eq!(server.names(RecordType::A), ["xn--bcher-kva.example."]);
    });
}

/// Both doors to the one place: `connect` and the green sockets.
#[test]
fn connect_and_green_sockets_ask_the_hubs_resolver() {
    let name_server = eventlet::HubThread::start();
    let addr = name_server.spawn(|| async {
        let here = Ipv4Addr::LOCALHOST;
        let server = NameServer::start(move |request, _| match request.queries()[0].query_type() {
            RecordType::A => vec![address(request, here)],
            _ => vec![empty(request, ResponseCode::NoError)],
        });
        server.await.addr
    });
    let mut config = Config::parse("");
    config.name_servers = vec![addr.join().unwrap()];
    let resolver = Resolver::new(config);
    let connected = Builder::new().resolver(resolver).run(stackful(|| {
        let listener = eventlet::listen("127.0.0.1:0").block().unwrap();
        let port = listener.local_addr().unwrap().port();
        eventlet::connect(("far.example", port)).block().unwrap();
        eventlet::green::net::TcpStream::connect(("far.example", port)).unwrap();
    }));
    connected.unwrap();
}
