//! Tests of the files that do no I/O: case by case, by RFC 7692's vectors, and against a naive
//! model.

use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::CloseCode;

use super::close::{Close, IntoClose};
use super::deflate::{BadDeflate, Deflate, Deflater, Inflater};
use super::message::Message;
use super::negotiate::{accept, answered, offer};
use super::reader::{Event, Reader};
use super::writer::Writer;

const LIMIT: usize = 1000;

/// What became of some input: the events, and the code of the fault that ended them.
type Outcome = (Vec<Event>, Option<u16>);

/// Makes a frame of a client. The first byte has the final bit, the reserved bits and the opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn reader(compressed: bool) -> Reader {
    Reader::new(true, LIMIT, compressed.then(|| Inflater::new(15, true)))
}

/// Reads pieces that come one after the other.
fn read<'a>(reader: &mut Reader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault.code.into())),
            }
        }
        assert!(piece.is_empty(), "what gives no event was read to its end");
    }
    (events, None)
}

fn text(text: &str) -> Event {
    Event::Message(text.into())
}

fn binary(bytes: &[u8]) -> Event {
    Event::Message(bytes.into())
}

/// Checks some frames, in one piece and byte by byte.
#[track_caller]
fn check(compressed: bool, frames: &[&[u8]], expected: Outcome) {
    let bytes = frames.concat();
    assert_eq!(read(&mut reader(compressed), [&bytes[..]]), expected, "in one piece");
    assert_eq!(read(&mut reader(compressed), bytes.chunks(1)), expected, "byte by byte");
}

#[track_caller]
fn gives(frames: &[&[u8]], events: Vec<Event>) {
    check(false, frames, (events, None));
}

#[track_caller]
fn fails(frames: &[&[u8]], code: u16) {
    check(false, frames, (Vec::new(), Some(code)));
}

#[test]
fn messages_come_out_as_they_were_sent() {
    gives(&[&frame(0x81, b"Hello")], vec![text("Hello")]);
    gives(&[&frame(0x81, b"")], vec![text("")]);
    gives(&[&frame(0x82, b"")], vec![binary(b"")]);
    for length in [1, 7, 8, 125, 126, 127, 128, 999, 1000] {
        gives(&[&frame(0x82, &vec![7; length])], vec![binary(&vec![7; length])]);
    }
    let mut large = Reader::new(true, 100_000, None);
    let payload = vec![9; 70_000];
    assert_eq!(read(&mut large, [&frame(0x82, &payload)[..]]), (vec![binary(&payload)], None));
    gives(&[&frame(0x81, b"one"), &frame(0x82, b"two")], vec![text("one"), binary(b"two")]);
}

#[test]
fn fragments_are_joined_and_control_frames_may_be_between() {
    gives(&[&frame(0x01, b"Hel"), &frame(0x80, b"lo")], vec![text("Hello")]);
    gives(&[&frame(0x02, b""), &frame(0x00, b""), &frame(0x80, b"")], vec![binary(b"")]);
    gives(
        &[
            &frame(0x01, b"Hel"),
            &frame(0x89, b"ping"),
            &frame(0x00, b"lo"),
            &frame(0x8a, b""),
            &frame(0x80, b"!"),
        ],
        vec![Event::Ping("ping".into()), Event::Pong, text("Hello!")],
    );
}

#[test]
fn frames_in_the_wrong_order_are_1002() {
    fails(&[&frame(0x80, b"")], 1002);
    fails(&[&frame(0x00, b"x")], 1002);
    fails(&[&frame(0x01, b"x"), &frame(0x81, b"y")], 1002);
    fails(&[&frame(0x02, b"x"), &frame(0x02, b"y")], 1002);
    check(false, &[&frame(0x81, b"x"), &frame(0x80, b"y")], (vec![text("x")], Some(1002)));
}

#[test]
fn reserved_bits_and_opcodes_are_1002() {
    for bit in [0x40, 0x20, 0x10, 0x70] {
        fails(&[&frame(0x81 | bit, b"x")], 1002);
        fails(&[&frame(0x89 | bit, b"x")], 1002);
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        fails(&[&frame(0x80 | opcode, b"")], 1002);
        fails(&[&frame(opcode, b"")], 1002);
    }
}

#[test]
fn masks_are_for_clients_alone() {
    fails(&[&[0x81, 0x01, b'x']], 1002);
    fails(&[&[0x88, 0x00]], 1002);
    let mut of_server = Reader::new(false, LIMIT, None);
    assert_eq!(read(&mut of_server, [&[0x81, 0x01, b'x'][..]]), (vec![text("x")], None));
    let mut of_server = Reader::new(false, LIMIT, None);
    assert_eq!(read(&mut of_server, [&frame(0x81, b"x")[..]]), (vec![], Some(1002)));
}

#[test]
fn control_frames_are_short_and_whole() {
    gives(&[&frame(0x89, &[1; 125])], vec![Event::Ping(vec![1; 125].into())]);
    for opcode in [0x8, 0x9, 0xa] {
        fails(&[&frame(0x80 | opcode, &[b'x'; 126])], 1002);
        fails(&[&frame(opcode, b"")], 1002);
    }
}

#[test]
fn a_length_has_the_bytes_that_it_needs() {
    fails(&[&[0x81, 0xfe, 0, 5, 0, 0, 0, 0]], 1002);
    fails(&[&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]], 1002);
    // The highest bit is always 0. Such a frame would be too long in any case.
    fails(&[&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], 1009);
}

#[test]
fn close_frames() {
    let close = |code: u16, reason| Event::Close((code, reason).into_close().unwrap());
    gives(&[&frame(0x88, b"")], vec![Event::Close(Close::EMPTY)]);
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999_u16,
    ] {
        gives(&[&frame(0x88, &code.to_be_bytes())], vec![close(code, "")]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535_u16] {
        fails(&[&frame(0x88, &code.to_be_bytes())], 1002);
    }
    gives(&[&frame(0x88, b"\x03\xe8gr\xc3\xbc\xc3\x9fe")], vec![close(1000, "grüße")]);
    fails(&[&frame(0x88, b"\x03")], 1002);
    fails(&[&frame(0x88, b"\x03\xe8\xff")], 1002);
}

#[test]
fn texts_are_utf8() {
    let word = "κόσμε𐍈";
    gives(&[&frame(0x81, word.as_bytes())], vec![text(word)]);
    for cut in 0..word.len() {
        let (one, other) = word.as_bytes().split_at(cut);
        gives(&[&frame(0x01, one), &frame(0x80, other)], vec![text(word)]);
        if !word.is_char_boundary(cut) {
            fails(&[&frame(0x81, one)], 1007);
            fails(&[&frame(0x01, one), &frame(0x80, b"")], 1007);
            fails(&[&frame(0x01, one), &frame(0x80, b"x")], 1007);
        }
    }
    // A surrogate, beyond the last character, overlong, and no beginning.
    for bad in [&b"\xed\xa0\x80"[..], b"\xf4\x90\x80\x80", b"\xc0\x80", b"\x80"] {
        fails(&[&frame(0x81, bad)], 1007);
        fails(&[&frame(0x01, b"good"), &frame(0x80, bad)], 1007);
        gives(&[&frame(0x82, bad)], vec![binary(bad)]);
    }
}

#[test]
fn a_text_fails_with_its_first_bad_byte() {
    // Neither the frame nor the message is complete.
    let bytes = frame(0x01, b"good\xff and more");
    let mut reader = reader(false);
    assert_eq!(read(&mut reader, [&bytes[..10]]), (vec![], None));
    assert_eq!(read(&mut reader, [&bytes[10..11]]), (vec![], Some(1007)));
}

#[test]
fn what_is_too_long_is_refused_by_its_header() {
    gives(&[&frame(0x02, &[1; 400]), &frame(0x80, &[1; 600])], vec![binary(&[1; 1000])]);
    let long = frame(0x82, &[1; 1001]);
    assert_eq!(read(&mut reader(false), [&long[..8]]), (vec![], Some(1009)));
    let more = frame(0x80, &[1; 601]);
    let mut reader = reader(false);
    assert_eq!(read(&mut reader, [&frame(0x02, &[1; 400])[..], &more[..8]]), (vec![], Some(1009)));
    fails(&[&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]], 1009);
}

#[test]
fn the_vectors_of_rfc_7692() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    check(true, &[&frame(0xc1, &hello)], (vec![text("Hello")], None));
    let (one, other) = hello.split_at(3);
    check(true, &[&frame(0x41, one), &frame(0x80, other)], (vec![text("Hello")], None));
    // The second refers to the first.
    check(
        true,
        &[&frame(0xc1, &hello), &frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])],
        (vec![text("Hello"), text("Hello")], None),
    );
    // A block without compression, one that says that it is the last, and two blocks.
    for bytes in [
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00][..],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        check(true, &[&frame(0xc1, bytes)], (vec![text("Hello")], None));
    }
    check(true, &[&frame(0xc1, &[0x00])], (vec![text("")], None));

    let mut deflater = Deflater::new(6, 15, true);
    assert_eq!(deflater.deflate(b"Hello"), hello);
    assert_eq!(deflater.deflate(b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]);
    let mut forgetful = Deflater::new(6, 15, false);
    assert_eq!(forgetful.deflate(b"Hello"), hello);
    assert_eq!(forgetful.deflate(b"Hello"), hello);
}

#[test]
fn compression_is_for_the_first_frames_of_messages() {
    check(true, &[&frame(0x81, b"plain")], (vec![text("plain")], None));
    check(true, &[&frame(0xc9, b"")], (vec![], Some(1002)));
    check(true, &[&frame(0x01, b"x"), &frame(0xc0, b"")], (vec![], Some(1002)));
    check(true, &[&frame(0xa1, b"")], (vec![], Some(1002)));
}

#[test]
fn bad_compressed_messages() {
    let compressed = |message: &[u8]| frame(0xc1, &Deflater::new(9, 15, true).deflate(message));
    check(true, &[&frame(0xc1, &[0xff; 20])], (vec![], Some(1007)));
    check(true, &[&compressed(b"\xff\xff")], (vec![], Some(1007)));
    check(true, &[&compressed(&[b'x'; LIMIT])], (vec![text(&"x".repeat(LIMIT))], None));
    check(true, &[&compressed(&[b'x'; LIMIT + 1])], (vec![], Some(1009)));
}

#[test]
fn a_bomb_is_not_inflated() {
    let bomb = Deflater::new(9, 15, true).deflate(&vec![0; 10 << 20]);
    let (mut inflater, mut out) = (Inflater::new(15, true), Vec::new());
    assert_eq!(inflater.inflate(&bomb, &mut out, LIMIT), Err(BadDeflate::TooBig));
    assert!(out.capacity() <= LIMIT + 1, "{} bytes", out.capacity());
}

#[test]
fn offers_are_taken_or_declined() {
    let wide = Deflate::default().window_bits(15);
    let answer = |offers: &str| accept(offers, &wide).map(|(_, answer)| answer);
    let plain = Some("permessage-deflate".to_owned());
    assert_eq!(answer("permessage-deflate"), plain);
    assert_eq!(answer(" Permessage-Deflate "), plain);
    assert_eq!(
        answer("permessage-deflate; client_max_window_bits; server_no_context_takeover").as_deref(),
        Some("permessage-deflate; server_no_context_takeover; client_max_window_bits=15")
    );
    assert_eq!(
        answer("permessage-deflate;server_max_window_bits=\"10\" ; client_max_window_bits = 9")
            .as_deref(),
        Some("permessage-deflate; server_max_window_bits=10; client_max_window_bits=9")
    );
    for declined in [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=ten",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=\"9",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate;",
    ] {
        assert_eq!(answer(declined), None, "{declined:?}");
        assert_eq!(answer(&format!("{declined}, permessage-deflate")), plain, "after {declined:?}");
    }
    let narrow =
        accept("permessage-deflate; client_max_window_bits", &Deflate::default()).unwrap().1;
    assert_eq!(narrow, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12");
    let forgetful = accept("permessage-deflate", &wide.context_takeover(false)).unwrap().1;
    assert_eq!(
        forgetful,
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
}

#[test]
fn answers_must_keep_to_the_offer() {
    let narrow = Deflate::default().window_bits(10);
    assert_eq!(
        offer(&narrow),
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits"
    );
    assert!(answered("permessage-deflate; server_max_window_bits=10", &narrow).is_ok());
    assert!(
        answered("permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", &narrow)
            .is_ok()
    );
    for refused in [
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=11",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=10; unknown",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "other",
        "",
    ] {
        assert!(answered(refused, &narrow).is_err(), "{refused:?}");
    }
    let forgetful = Deflate::default().window_bits(15).context_takeover(false);
    assert!(answered("permessage-deflate", &forgetful).is_err());
    assert!(answered("permessage-deflate; server_no_context_takeover", &forgetful).is_ok());
}

/// Takes everything that a writer has to say.
fn written(writer: &mut Writer) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let count = writer.unsent().len();
        if count == 0 {
            return written;
        }
        written.extend_from_slice(writer.unsent());
        writer.advance(count);
    }
}

#[test]
fn a_server_writes_the_frames_of_rfc_6455() {
    let mut writer = Writer::new(false, None);
    writer.message(&"Hello".into()).unwrap();
    assert_eq!(written(&mut writer), b"\x81\x05Hello");
    writer.message(&vec![7; 256].into()).unwrap();
    assert_eq!(written(&mut writer), [&[0x82, 0x7e, 0x01, 0x00][..], &[7; 256]].concat());
    writer.message(&vec![7; 65536].into()).unwrap();
    assert_eq!(written(&mut writer)[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    writer.ping(b"Hello").unwrap();
    assert_eq!(written(&mut writer), b"\x89\x05Hello");
    writer.queue_pong("not answered".into());
    writer.queue_pong("Hello".into());
    assert_eq!(written(&mut writer), b"\x8a\x05Hello");
    writer.close(Close::new(CloseCode::Normal, "bye"));
    writer.close(Close::new(CloseCode::Error, "too late"));
    writer.queue_pong("too late".into());
    assert_eq!(written(&mut writer), b"\x8a\x08too late\x88\x05\x03\xe8bye");
    assert_eq!(writer.message(&"".into()).unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    writer.queue_pong("much too late".into());
    assert_eq!(written(&mut writer), b"");
}

#[test]
fn a_client_masks_every_frame_with_another_mask() {
    let mut writer = Writer::new(true, None);
    let mut masks = Vec::new();
    for message in ["", "Hello", "Hello"] {
        writer.message(&message.into()).unwrap();
        let bytes = written(&mut writer);
        masks.push(bytes[2..6].to_vec());
        assert_eq!(read(&mut reader(false), [&bytes[..]]), (vec![text(message)], None));
    }
    assert!(masks[0] != masks[1] && masks[1] != masks[2], "{masks:?}");
    writer.close(Close::EMPTY);
    assert_eq!(
        read(&mut reader(false), [&written(&mut writer)[..]]).0,
        [Event::Close(Close::EMPTY)]
    );
}

#[test]
fn a_message_that_was_begun_cannot_be_taken_back() {
    let mut writer = Writer::new(false, None);
    writer.ping(b"").unwrap();
    writer.unsent();
    writer.advance(1);
    writer.message(&"taken back".into()).unwrap();
    writer.withdraw();
    assert_eq!(written(&mut writer), b"\x00", "the rest of the ping");
    writer.message(&"begun".into()).unwrap();
    writer.unsent();
    writer.advance(1);
    writer.withdraw();
    assert!(writer.is_broken());
    assert_eq!(written(&mut writer), b"");
    let mut compressing = Writer::new(false, Some(Deflater::new(1, 15, true)));
    compressing.message(&"x".repeat(100).into()).unwrap();
    compressing.withdraw();
    assert!(compressing.is_broken(), "later messages would refer to it");
}

/// A frame of the model: what the first byte says, the payload, and whether it is masked.
#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    payload: Vec<u8>,
    masked: bool,
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        match self.masked {
            true => frame(self.first, &self.payload),
            false => {
                // All of the model's payloads are short.
                [&[self.first, self.payload.len() as u8], &self.payload[..]].concat()
            }
        }
    }
}

/// Says what is to become of some frames, one whole frame at a time.
fn model(frames: &[Sent], limit: usize) -> Outcome {
    let (mut events, mut message) = (Vec::new(), None::<(bool, Vec<u8>)>);
    for Sent { first, payload, masked } in frames {
        let (is_final, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
        let fault = |code| Some(code);
        let whole = match (opcode, &message) {
            (3..=7 | 11.., _) => return (events, fault(1002)),
            _ if reserved != 0 || !masked => return (events, fault(1002)),
            (8.., _) if !is_final => return (events, fault(1002)),
            (8, _) => match payload[..] {
                [] => Event::Close(Close::EMPTY),
                [high, low, ref reason @ ..] => {
                    let code = u16::from_be_bytes([high, low]);
                    match std::str::from_utf8(reason).map(|reason| (code, reason).into_close()) {
                        Ok(Ok(close)) => Event::Close(close),
                        _ => return (events, fault(1002)),
                    }
                }
                _ => return (events, fault(1002)),
            },
            (9, _) => Event::Ping(payload.clone().into()),
            (10, _) => Event::Pong,
            (0, None) | (1 | 2, Some(_)) => return (events, fault(1002)),
            _ => {
                let (is_text, mut data) = message.take().unwrap_or((opcode == 1, Vec::new()));
                if data.len() + payload.len() > limit {
                    return (events, fault(1009));
                }
                data.extend(payload);
                let bad = match std::str::from_utf8(&data) {
                    Err(error) => is_text && (is_final || error.error_len().is_some()),
                    Ok(_) => false,
                };
                if bad {
                    return (events, fault(1007));
                }
                if !is_final {
                    message = Some((is_text, data));
                    continue;
                }
                match is_text {
                    true => text(std::str::from_utf8(&data).unwrap()),
                    false => binary(&data),
                }
            }
        };
        events.push(whole);
    }
    (events, None)
}

/// Frames that are mostly in order.
fn sent() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        "[aé€𐍈]{0,12}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
        (1000_u16..1016, "[a-z]{0,5}").prop_map(|(code, reason)| [
            &code.to_be_bytes(),
            reason.as_bytes()
        ]
        .concat()),
    ];
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x00, 0x80, 0x89, 0x8a]),
        1 => prop::sample::select(vec![0x88, 0x08, 0xc1, 0xa2, 0x91]),
        1 => any::<u8>(),
    ];
    let masked = prop_oneof![50 => Just(true), 1 => Just(false)];
    (first, payload, masked).prop_map(|(first, payload, masked)| Sent { first, payload, masked })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_reader_does_as_the_model(
        frames in vec(sent(), 0..12),
        sizes in vec(1_usize..9, 1..20),
        limit in 5_usize..60,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Sent::bytes).collect();
        let (mut rest, mut pieces) = (&bytes[..], Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, others) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = others;
        }
        let outcome = read(&mut Reader::new(true, limit, None), pieces);
        prop_assert_eq!(outcome, model(&frames, limit));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..200), compressed: bool) {
        read(&mut reader(compressed), bytes.chunks(3));
    }

    #[test]
    fn what_is_written_is_read(
        messages in vec(prop_oneof![
            ".{0,200}".prop_map(Message::from),
            vec(prop::sample::select(vec![0_u8, 1, 255]), 0..1000).prop_map(Message::from),
        ], 0..10),
        bits in 9_u8..16,
        level in 1_u32..10,
        compressed: bool,
        takeover: bool,
        size in 1_usize..300,
    ) {
        let deflater = compressed.then(|| Deflater::new(level, bits, takeover));
        let inflater = compressed.then(|| Inflater::new(bits, takeover));
        let mut writer = Writer::new(true, deflater);
        let mut bytes = Vec::new();
        for message in &messages {
            writer.message(message).unwrap();
            bytes.extend(written(&mut writer));
        }
        let events = messages.into_iter().map(Event::Message).collect();
        prop_assert_eq!(read(&mut Reader::new(true, LIMIT, inflater), bytes.chunks(size)), (events, None));
    }
}
