//! Frame by frame, against the echo in either colour: RFC 6455 and 7692.

use crate::support::{both, frame, test};

/// What a client sends, and what is to come back: frames, and then a close code if there is one.
struct Case {
    name: &'static str,
    sent: Vec<u8>,
    answers: Vec<(u8, Vec<u8>)>,
    code: u16,
}

fn case(name: &'static str, sent: &[Vec<u8>], answers: &[(u8, &[u8])], code: u16) -> Case {
    let answers = answers.iter().map(|(first, payload)| (*first, payload.to_vec())).collect();
    Case { name, sent: sent.concat(), answers, code }
}

/// What is echoed, before a close frame of the client's own.
fn echoed(name: &'static str, sent: &[Vec<u8>], answers: &[(u8, &[u8])]) -> Case {
    let close = [sent, &[frame(0x88, &1000_u16.to_be_bytes())]].concat();
    case(name, &close, answers, 1000)
}

/// What is refused.
fn refused(name: &'static str, sent: &[Vec<u8>], code: u16) -> Case {
    case(name, sent, &[], code)
}

fn frames() -> Vec<Case> {
    let mut cases = vec![
        echoed("text", &[frame(0x81, b"Hello")], &[(0x81, b"Hello")]),
        echoed("empty text", &[frame(0x81, b"")], &[(0x81, b"")]),
        echoed("empty binary", &[frame(0x82, b"")], &[(0x82, b"")]),
        echoed("two fragments", &[frame(0x01, b"Hel"), frame(0x80, b"lo")], &[(0x81, b"Hello")]),
        echoed(
            "empty fragments",
            &[frame(0x02, b""), frame(0x00, b""), frame(0x80, b"")],
            &[(0x82, b"")],
        ),
        echoed(
            "a ping between fragments",
            &[frame(0x01, b"Hel"), frame(0x89, b"p"), frame(0x80, b"lo")],
            &[(0x8a, b"p"), (0x81, b"Hello")],
        ),
        echoed("ping", &[frame(0x89, b"p")], &[(0x8a, b"p")]),
        echoed("empty ping", &[frame(0x89, b"")], &[(0x8a, b"")]),
        echoed("ping of 125", &[frame(0x89, &[7; 125])], &[(0x8a, &[7; 125])]),
        echoed("pong unasked", &[frame(0x8a, b"p")], &[]),
        echoed("utf-8", &[frame(0x81, "κόσμε".as_bytes())], &[(0x81, "κόσμε".as_bytes())]),
        echoed("utf-8 cut", &[frame(0x01, b"\xce"), frame(0x80, b"\xba")], &[(0x81, b"\xce\xba")]),
        echoed("binary that is no text", &[frame(0x82, b"\xff")], &[(0x82, b"\xff")]),
        refused("mask missing", &[b"\x81\x01x".to_vec()], 1002),
        refused("mask missing in a close", &[b"\x88\x00".to_vec()], 1002),
        refused("ping of 126", &[frame(0x89, &[7; 126])], 1002),
        refused("fragmented ping", &[frame(0x09, b"")], 1002),
        refused("fragmented close", &[frame(0x08, b"")], 1002),
        refused("continuation of nothing", &[frame(0x80, b"")], 1002),
        refused("unfinished continuation of nothing", &[frame(0x00, b"")], 1002),
        refused("text in a text", &[frame(0x01, b""), frame(0x81, b"")], 1002),
        refused("binary in a text", &[frame(0x01, b""), frame(0x02, b"")], 1002),
        refused("long form of a short length", &[vec![0x82, 0xfe, 0, 1, 0, 0, 0, 0, 9]], 1002),
        refused("bad utf-8", &[frame(0x81, b"\xff")], 1007),
        refused("bad utf-8 cut", &[frame(0x01, b"\xce"), frame(0x80, b"x")], 1007),
        refused("bad utf-8 in an unfinished message", &[frame(0x01, b"\xed\xa0\x80")], 1007),
        refused(
            "bad utf-8 in an unfinished frame",
            &[frame(0x81, &[0xff; 20])[..10].to_vec()],
            1007,
        ),
        refused("half a character at the end", &[frame(0x81, b"\xce")], 1007),
        refused("too long", &[frame(0x82, &[7; 1001])], 1009),
        refused("too long, header alone", &[frame(0x82, &[7; 1001])[..8].to_vec()], 1009),
        refused("too long together", &[frame(0x02, &[7; 600]), frame(0x80, &[7; 401])], 1009),
        refused(
            "as long as can be",
            &[[&[0x82, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat()],
            1009,
        ),
        refused("compressed unasked", &[frame(0xc1, b"")], 1002),
        refused("half a close code", &[frame(0x88, b"\x03")], 1002),
        refused("bad utf-8 in a close", &[frame(0x88, b"\x03\xe8\xff")], 1002),
        case("close without a code", &[frame(0x88, b"")], &[], 1000),
        case("close with a reason", &[frame(0x88, b"\x0f\xa0bye")], &[], 4000),
        case("nothing after a close", &[frame(0x88, b"\x03\xe8"), frame(0x81, b"x")], &[], 1000),
        case(
            "a message, then a fault",
            &[frame(0x81, b"x"), frame(0x80, b"")],
            &[(0x81, b"x")],
            1002,
        ),
        case("a ping, then a fault", &[frame(0x89, b"x"), frame(0x80, b"")], &[(0x8a, b"x")], 1002),
    ];
    for length in [1, 7, 8, 125, 126, 127, 1000] {
        let payload = vec![b'*'; length];
        cases.push(echoed("of some length", &[frame(0x81, &payload)], &[(0x81, &payload)]));
    }
    for bit in [0x40, 0x20, 0x10] {
        cases.push(refused("reserved bit", &[frame(0x81 | bit, b"x")], 1002));
        cases.push(refused("reserved bit of a ping", &[frame(0x89 | bit, b"x")], 1002));
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        cases.push(refused("reserved opcode", &[frame(0x80 | opcode, b"")], 1002));
    }
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999_u16]
    {
        cases.push(case("close code", &[frame(0x88, &code.to_be_bytes())], &[], code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535_u16] {
        cases.push(refused("close code that is none", &[frame(0x88, &code.to_be_bytes())], 1002));
    }
    cases
}

fn compressed_frames() -> Vec<Case> {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let answer: (u8, &[u8]) = (0x81, b"Hello");
    vec![
        echoed("compressed", &[frame(0xc1, hello)], &[answer]),
        echoed("plain all the same", &[frame(0x81, b"Hello")], &[answer]),
        echoed(
            "compressed, in fragments",
            &[frame(0x41, &hello[..3]), frame(0x80, &hello[3..])],
            &[answer],
        ),
        echoed(
            "that refers to the first",
            &[frame(0xc1, hello), frame(0xc1, b"\xf2\x00\x11\x00\x00")],
            &[answer, answer],
        ),
        echoed(
            "stored",
            &[frame(0xc1, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")],
            &[answer],
        ),
        echoed("a final block", &[frame(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")], &[answer]),
        echoed(
            "two blocks",
            &[frame(0xc1, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")],
            &[answer],
        ),
        echoed("empty", &[frame(0xc1, b"\x00")], &[(0x81, b"")]),
        refused("compressed ping", &[frame(0xc9, b"")], 1002),
        refused("compressed continuation", &[frame(0x41, hello), frame(0xc0, b"")], 1002),
        refused("another bit", &[frame(0xe1, hello)], 1002),
        refused("broken", &[frame(0xc1, &[0xff; 20])], 1007),
        // 2000 times an x.
        refused(
            "a bomb",
            &[frame(
                0xc1,
                b"\xaa\xa8\x18\x05\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x50\x07\x00\x00",
            )],
            1009,
        ),
    ]
}

/// Sends each case in one piece and byte by byte.
fn check(headers: &'static str, cases: fn() -> Vec<Case>) {
    test(both(move |running| async move {
        for Case { name, sent, answers, code } in cases() {
            for size in [sent.len(), 1] {
                let mut peer = running.offering(headers).await;
                for piece in sent.chunks(size) {
                    peer.send(piece).await;
                }
                for answer in &answers {
                    assert_eq!(&peer.frame().await, answer, "{name}, in pieces of {size}");
                }
                let (first, payload) = peer.frame().await;
                assert_eq!(
                    (first, &payload[..2]),
                    (0x88, &code.to_be_bytes()[..]),
                    "{name}, in pieces of {size}"
                );
                peer.send(frame(0x88, &payload[..2])).await;
                drop(peer);
            }
        }
        running.stop().await;
    }));
}

#[test]
fn each_frame_has_its_answer() {
    check("", frames);
}

#[test]
fn each_compressed_frame_has_its_answer() {
    check("Sec-WebSocket-Extensions: permessage-deflate\r\n", compressed_frames);
}

#[test]
fn long_messages_come_back_compressed() {
    test(both(|running| async move {
        let mut peer = running.offering("Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
        peer.send(frame(0x81, &[b'x'; 900])).await;
        let (first, payload) = peer.frame().await;
        assert_eq!(first, 0xc1);
        assert!(payload.len() < 50, "{} bytes", payload.len());
        // As it was compressed, it is taken in again.
        peer.send(frame(0xc1, &payload)).await;
        let (first, again) = peer.frame().await;
        assert_eq!(first, 0xc1);
        assert!(again.len() <= payload.len(), "it refers to the first");
        drop(peer);
        running.stop().await;
    }));
}
