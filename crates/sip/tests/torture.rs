//! Messages that are hard to read: RFC 4475's, and our own of the same kinds in `tests/torture/`.
//!
//! The texts of RFC 4475 are not ours to ship: they are read from `shared/rfc4475` in or above the
//! repository when that folder is there. Where it is not, only our own cases run, and the test says so.

use proptest::prelude::*;
use sip::{Frame, Message, Method, StreamFramer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What became of the bytes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    /// Refused with an answer of this status.
    Answered(u16),
    Silence,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accept"),
            Self::Answered(status) => write!(f, "{status}"),
            Self::Silence => f.write_str("silence"),
        }
    }
}

/// Parses, and checks what must hold whatever comes out.
fn outcome(bytes: &[u8]) -> Outcome {
    match Message::parse(bytes) {
        Ok(message) => {
            let again = Message::parse(&message.encode()).expect("what we encode is a message");
            assert_eq!(again, message, "encoding loses nothing");
            read_everything(&message);
            Outcome::Accepted
        }
        Err(error) => match error.response() {
            Some(response) => {
                assert_eq!(response.status(), Some(error.status));
                let text = response.encode();
                assert!(text.ends_with(b"Content-Length: 0\r\n\r\n"));
                Outcome::Answered(error.status)
            }
            None => Outcome::Silence,
        },
    }
}

fn read_everything(message: &Message) {
    assert!(!message.call_id().is_empty() && message.via_top().is_some());
    let _ = (message.from(), message.to(), message.cseq(), message.contacts(), message.routes());
    let _ = (message.record_routes(), message.expires(), message.max_forwards());
    let _ = sip::identity::caller(message, true);
    if let Some(uri) = message.uri() {
        let _ = (uri.user(), uri.number(), uri.socket_addr(), uri.for_request_line());
    }
    if let Some(session) = message.sdp().and_then(|sdp| sip::sdp::Session::parse(sdp).ok()) {
        let local = ([127, 0, 0, 1], 4000).into();
        let _ = sip::sdp::answer(&session, local, 1, 1, &[sip::sdp::Codec::Pcma, sip::sdp::Codec::Pcmu]);
    }
    if message.is_request() {
        let mut response = Message::response_to(message, 200);
        response.stamp_via(([192, 0, 2, 1], 5060).into());
        response.set_to_tag("tag");
        let response = Message::parse(&response.encode()).expect("our response is a message");
        assert_eq!(response.from(), message.from());
        assert!(response.to_tag().is_some());
    }
}

/// The rows of an INDEX.tsv: file name and the other columns.
fn index(folder: &Path) -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("INDEX.tsv lies in the folder");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("file\t"));
    rows.map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        (columns.next().unwrap_or_default(), columns.collect())
    })
    .collect()
}

fn own_cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture")
}

fn rfc4475() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/rfc4475"));
    found.into_iter().find(|folder| folder.join("INDEX.tsv").is_file())
}

/// Every message that is here, for the tests that change them.
static ALL_MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folders = [Some(own_cases()), rfc4475()];
    let files = folders.into_iter().flatten().flat_map(|folder| {
        index(&folder).into_iter().map(move |(file, _)| folder.join(file)).collect::<Vec<_>>()
    });
    files.map(|file| std::fs::read(file).expect("every file of the index is there")).collect()
});

#[test]
fn our_own_torture_messages_end_as_their_index_says() {
    let folder = own_cases();
    let rows = index(&folder);
    assert!(rows.len() >= 40);
    for (file, columns) in rows {
        let bytes = std::fs::read(folder.join(&file)).unwrap();
        assert_eq!(outcome(&bytes).to_string(), columns[0], "{file}: {}", columns[1]);
    }
}

/// Three of the 28 are understood, yet no server may do what they ask: two have a request URI of an
/// unknown scheme (416), one lacks mandatory headers (400). That they were read shows in the answer.
#[test]
fn the_valid_messages_of_rfc_4475_are_accepted_and_the_invalid_refused() {
    let Some(folder) = rfc4475() else {
        eprintln!("shared/rfc4475 is not here: only our own torture messages were run");
        return;
    };
    let (mut valid, mut invalid, mut open) = (0, 0, 0);
    for (file, columns) in index(&folder) {
        let outcome = outcome(&std::fs::read(folder.join(&file)).unwrap());
        let expected = match (columns[1].as_str(), file.as_str()) {
            ("accept", _) => Outcome::Accepted,
            ("parse (416)", _) => Outcome::Answered(416),
            ("parse, missing hdr visible", _) => Outcome::Answered(400),
            (_, "badvers.dat") => Outcome::Answered(505),
            // Responses: there is nobody to tell.
            (_, "bigcode.dat" | "scalarlg.dat") => Outcome::Silence,
            (verdict, _) if verdict.starts_with("reject") => Outcome::Answered(400),
            _ => {
                open += 1;
                continue;
            }
        };
        match columns[1].as_str() {
            verdict if verdict.starts_with("reject") => invalid += 1,
            _ => valid += 1,
        }
        assert_eq!(outcome, expected, "{file}");
    }
    assert_eq!((valid, invalid, open), (28, 13, 8));
}

#[test]
fn what_the_valid_messages_of_rfc_4475_say_is_understood() {
    let Some(folder) = rfc4475() else {
        eprintln!("shared/rfc4475 is not here: only our own torture messages were run");
        return;
    };
    let read = |file: &str| Message::parse(&std::fs::read(folder.join(file)).unwrap()).unwrap();
    let wsinv = read("wsinv.dat");
    assert_eq!((wsinv.cseq(), wsinv.max_forwards()), ((9, Method::Invite), Some(68)));
    assert_eq!(wsinv.from().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((wsinv.from_tag(), wsinv.to_tag()), (Some("98asjd8"), Some("1918181833n")));
    let branches: Vec<&str> = wsinv.vias().map(|via| via.branch()).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    let intmeth = read("intmeth.dat");
    assert_eq!(intmeth.method().map(Method::as_str), Some("!interesting-Method0123456789_*+`.%indeed'~"));
    assert_eq!(intmeth.to().display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let esc02 = read("esc02.dat");
    assert!(!matches!(esc02.method(), Some(Method::Register)), "escapes in a method are its letters");
    assert_eq!(esc02.contacts().len(), 2);
    let dblreq = read("dblreq.dat");
    assert_eq!((dblreq.method(), dblreq.body.len()), (Some(&Method::Register), 0));
    let semiuri = read("semiuri.dat");
    assert_eq!(semiuri.uri().and_then(sip::Uri::user).as_deref(), Some("user;par=u@example.net"));
    assert_eq!(read("escnull.dat").contacts()[1].uri.user().as_deref(), Some("\0\0"));
    assert_eq!(read("lwsdisp.dat").from().display.as_deref(), Some("caller"));
    assert!(read("mpart01.dat").body.len() > 100 && read("inv2543.dat").sdp().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        outcome(&bytes);
    }

    #[test]
    fn random_header_text_never_panics(text in "[ -~\r\n\t;,<>\"\\\\张%@:=/]{0,200}") {
        outcome(format!("INVITE sip:a@b SIP/2.0\r\n{text}\r\n\r\n").as_bytes());
        let head = "Via: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n";
        outcome(format!("INVITE sip:a@b SIP/2.0\r\n{head}To: {text}\r\n\r\n").as_bytes());
        let _ = sip::NameAddr::parse(&text).map(|addr| addr.to_string());
        if let Ok(uri) = sip::Uri::parse(&format!("sip:{text}")) {
            let _ = (uri.clone().with_param("lr", None), uri.for_request_line(), uri.equivalent(&uri));
        }
        let _ = sip::sdp::Session::parse(format!("v=0\r\nm=audio 9 RTP/AVP 8\r\n{text}").as_bytes());
    }

    #[test]
    fn mutated_messages_never_panic(
        seed in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12),
    ) {
        let mut bytes = ALL_MESSAGES[seed.index(ALL_MESSAGES.len())].clone();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len().max(1)).min(bytes.len());
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = byte,
                _ => bytes.truncate(at),
            }
        }
        outcome(&bytes);
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_sliced(
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..5),
        sizes in proptest::collection::vec(1..400usize, 1..40),
    ) {
        let messages: Vec<Vec<u8>> = ALL_MESSAGES
            .iter()
            .filter_map(|bytes| Some(Message::parse(bytes).ok()?.encode()))
            .collect();
        let sent: Vec<&Vec<u8>> = picks.iter().map(|pick| &messages[pick.index(messages.len())]).collect();
        let stream: Vec<u8> = sent.iter().flat_map(|message| message.iter().copied()).collect();
        let (mut framer, mut got, mut rest) = (StreamFramer::new(), Vec::new(), &stream[..]);
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            framer.push(piece).unwrap();
            while let Some(frame) = framer.next_frame().unwrap() {
                got.push(frame);
            }
            if rest.is_empty() {
                break;
            }
        }
        let expect: Vec<Frame> = sent.into_iter().map(|message| Frame::Message(message.clone())).collect();
        prop_assert_eq!(got, expect);
    }

    #[test]
    fn a_stream_of_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut framer = StreamFramer::new();
        let _ = framer.push(&bytes);
        while let Ok(Some(_)) = framer.next_frame() {}
    }
}
