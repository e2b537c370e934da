//! A name server on loopback that answers as a test tells it to.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eventlet::greendns::{Config, Resolver};
use eventlet::spawn_n;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

pub(crate) const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// What was asked: the name, the type, and whether by TCP.
pub(crate) type Asked = Rc<RefCell<Vec<(String, RecordType, bool)>>>;

/// A name server on loopback. It sends all messages that `answer` makes of a request.
pub(crate) struct NameServer {
    pub(crate) addr: SocketAddr,
    pub(crate) asked: Asked,
    /// The address of whoever asked last by UDP.
    pub(crate) asker: Rc<Cell<Option<SocketAddr>>>,
}

impl NameServer {
    pub(crate) async fn start(
        answer: impl Fn(&Message, bool) -> Vec<Message> + 'static,
    ) -> NameServer {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // Somebody may have the port already, such as who asks another server.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let addr = tcp.local_addr().unwrap();
        let server = NameServer { addr, asked: Asked::default(), asker: Rc::default() };
        let answer = Rc::new(answer);
        let (asked, asker) = (Rc::clone(&server.asked), Rc::clone(&server.asker));
        spawn_n(serve_udp(udp, Rc::clone(&answer), asked, asker));
        spawn_n(serve_tcp(tcp, answer, Rc::clone(&server.asked)));
        server
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::parse("");
        config.name_servers = vec![self.addr];
        // A busy machine is to be no silent server.
        config.timeout = Duration::from_secs(20);
        config.attempts = 2;
        config.hosts = PathBuf::from("/nonexistent/hosts");
        config
    }

    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::new(self.config())
    }

    /// A resolver that waits so long for each of two attempts.
    pub(crate) fn impatient(&self, timeout: Duration) -> Resolver {
        let mut config = self.config();
        config.timeout = timeout;
        Resolver::new(config)
    }

    /// Waits until so many questions came.
    pub(crate) async fn has_been_asked(&self, times: usize) {
        while self.asked.borrow().len() < times {
            eventlet::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn names(&self, kind: RecordType) -> Vec<String> {
        let asked = self.asked.borrow();
        asked.iter().filter(|asked| asked.1 == kind).map(|asked| asked.0.clone()).collect()
    }
}

pub(crate) fn note(asked: &Asked, request: &Message, tcp: bool) {
    let query = &request.queries()[0];
    asked.borrow_mut().push((query.name().to_ascii(), query.query_type(), tcp));
}

pub(crate) async fn serve_udp(
    udp: UdpSocket,
    answer: Rc<impl Fn(&Message, bool) -> Vec<Message>>,
    asked: Asked,
    asker: Rc<Cell<Option<SocketAddr>>>,
) {
    let mut bytes = [0; 4096];
    loop {
        let (len, from) = udp.recv_from(&mut bytes).await.unwrap();
        let request = Message::from_vec(&bytes[..len]).unwrap();
        note(&asked, &request, false);
        asker.set(Some(from));
        for answer in answer(&request, false) {
            udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    }
}

pub(crate) async fn serve_tcp(
    tcp: TcpListener,
    answer: Rc<impl Fn(&Message, bool) -> Vec<Message> + 'static>,
    asked: Asked,
) {
    loop {
        let (mut conn, _) = tcp.accept().await.unwrap();
        let (answer, asked) = (Rc::clone(&answer), Rc::clone(&asked));
        spawn_n(async move {
            while let Ok(len) = conn.read_u16().await {
                let mut bytes = vec![0; len.into()];
                conn.read_exact(&mut bytes).await.unwrap();
                let request = Message::from_vec(&bytes).unwrap();
                note(&asked, &request, true);
                for answer in answer(&request, true) {
                    let answer = answer.to_vec().unwrap();
                    conn.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                    conn.write_all(&answer).await.unwrap();
                }
            }
        });
    }
}

/// An answer without records.
pub(crate) fn empty(request: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::new();
    answer.set_id(request.id()).set_message_type(MessageType::Response);
    answer.set_response_code(code).set_recursion_available(true).set_authoritative(true);
    answer.add_queries(request.queries().iter().cloned());
    answer
}

/// An answer with an address, of the family that was asked for.
pub(crate) fn address(request: &Message, ip: Ipv4Addr) -> Message {
    let mut answer = empty(request, ResponseCode::NoError);
    let query = &request.queries()[0];
    let data = match query.query_type() {
        RecordType::AAAA => RData::AAAA(AAAA(ip.to_ipv6_mapped())),
        _ => RData::A(A(ip)),
    };
    answer.add_answer(Record::from_rdata(query.name().clone(), 300, data));
    answer
}

pub(crate) fn alias(from: &Name, to: &str) -> Record {
    Record::from_rdata(from.clone(), 300, RData::CNAME(CNAME(Name::from_ascii(to).unwrap())))
}

pub(crate) fn v4(ip: Ipv4Addr) -> Vec<IpAddr> {
    vec![ip.into()]
}

/// Runs a test on a hub. A test that hangs fails.
pub(crate) fn run(test: impl AsyncFnOnce() + 'static) {
    eventlet::run(async move {
        let limit = Duration::from_secs(600);
        tokio::time::timeout(limit, test()).await.expect("the test hangs");
    });
}
