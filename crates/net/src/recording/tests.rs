use super::*;
use media::wav::Stereo;
use tempfile::TempDir;

const ID: RecordingId = RecordingId(7);

struct Desk {
    folder: TempDir,
    recorder: Recorder,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(folder.path().to_owned());
        Self { folder, recorder }
    }

    fn open(&mut self, recording: RecordingId, file: &str) {
        self.recorder.handle(RecordingJob::Open { recording, file: file.into() });
    }

    fn samples(&mut self, at: u64, samples: &[u8]) -> u64 {
        let job = RecordingJob::Samples { recording: ID, at, samples: samples.to_vec() };
        self.recorder.handle(job).errors
    }

    fn segment(&mut self, at: u64, tag: Option<u64>) {
        self.recorder.handle(RecordingJob::Segment { recording: ID, at, tag });
    }

    /// Duration and segments.
    fn close(&mut self, at: u64) -> (u64, Vec<Segment>) {
        match self.recorder.handle(RecordingJob::Close { recording: ID, at }).event {
            Some(Event::Recorded { duration_ms, segments, .. }) => (duration_ms, segments),
            other => panic!("{other:?}"),
        }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_file_opens_after_every_chunk_without_being_closed() {
    let mut desk = Desk::new();
    desk.open(ID, "2026/05/one.wav");
    for n in 1..=4u64 {
        desk.samples((n - 1) * 4000, &[n as u8; 8000]);
        let stereo = Stereo::parse(&desk.file("2026/05/one.wav")).unwrap();
        assert_eq!(stereo.left.len() as u64, n * 4000);
        assert_eq!(stereo.right.last(), Some(&(n as u8)));
    }
}

#[test]
fn segments_have_their_places_and_the_hashes_of_their_samples() {
    let mut desk = Desk::new();
    desk.open(ID, "one.wav");
    desk.samples(0, &[1; 1600]);
    desk.segment(800, Some(8001));
    desk.samples(800, &[2; 800]);
    desk.samples(1200, &[3; 800]);
    desk.segment(1600, None);
    desk.segment(1600, Some(8002));
    desk.samples(1600, &[4; 16]);
    let (duration_ms, segments) = desk.close(1608);
    let file = desk.file("one.wav");
    let samples = wav::samples(&file).unwrap();
    let segment = |offset_ms: u64, duration_ms: u64, tag| {
        let bytes = &samples[offset_ms as usize * 16..(offset_ms + duration_ms) as usize * 16];
        Segment { offset_ms, duration_ms, tag, sha256: hash(bytes) }
    };
    assert_eq!(duration_ms, 201);
    assert_eq!(segments, [segment(0, 100, None), segment(100, 100, Some(8001)), segment(200, 1, Some(8002))]);
}

#[test]
fn a_lost_chunk_is_silence_and_shifts_nothing() {
    let mut desk = Desk::new();
    desk.open(ID, "one.wav");
    desk.samples(0, &[1; 16]);
    desk.samples(6000, &[2; 16]);
    let (duration_ms, segments) = desk.close(8000);
    let stereo = Stereo::parse(&desk.file("one.wav")).unwrap();
    assert_eq!(stereo.left.len(), 8000);
    assert_eq!((stereo.left[7], stereo.left[8], stereo.left[6000]), (1, ALAW_SILENCE, 2));
    assert!(stereo.right[6008..].iter().all(|b| *b == ALAW_SILENCE));
    assert_eq!((duration_ms, segments.len(), segments[0].duration_ms), (1000, 1, 1000));
}

#[test]
fn no_name_leads_out_of_the_folder_or_over_another_file() {
    let mut desk = Desk::new();
    for name in ["../x.wav", "/tmp/hotline-x.wav", "a/../../x.wav", ""] {
        desk.open(ID, name);
        assert_eq!(desk.samples(0, &[1; 16]), 1, "{name:?}");
        assert_eq!(desk.close(8), (0, vec![]));
    }
    std::fs::write(desk.folder.path().join("kept.wav"), b"evidence").unwrap();
    desk.open(ID, "kept.wav");
    assert_eq!(desk.samples(0, &[1; 16]), 1);
    assert_eq!(desk.file("kept.wav"), b"evidence");
}

#[test]
fn what_could_not_be_written_for_a_while_is_silence_once_it_can_be() {
    let mut desk = Desk::new();
    // A file where the folder should be: nothing can be written until it is gone.
    let obstacle = desk.folder.path().join("2026");
    std::fs::write(&obstacle, b"").unwrap();
    desk.open(ID, "2026/one.wav");
    assert_eq!(desk.samples(0, &[1; 16]), 1);
    std::fs::remove_file(obstacle).unwrap();
    assert_eq!(desk.samples(8, &[2; 16]), 0);
    assert_eq!(desk.close(16).0, 2);
    let stereo = Stereo::parse(&desk.file("2026/one.wav")).unwrap();
    assert_eq!(stereo.left, [[ALAW_SILENCE; 8], [2; 8]].concat());
}

#[test]
fn more_recordings_than_open_files_are_written_all_the_same() {
    let mut desk = Desk::new();
    let count = FILES_MAX as u64 + 20;
    let each = |desk: &mut Desk, at: u64| {
        for n in 0..count {
            let samples = vec![n as u8; 16];
            desk.recorder.handle(RecordingJob::Samples { recording: RecordingId(n), at, samples });
        }
    };
    for n in 0..count {
        desk.open(RecordingId(n), &format!("{n}.wav"));
    }
    each(&mut desk, 0);
    each(&mut desk, 8);
    let open = desk.recorder.takes.values().filter(|t| t.file.is_some()).count();
    assert_eq!(open, FILES_MAX);
    for n in 0..count {
        let stereo = Stereo::parse(&desk.file(&format!("{n}.wav"))).unwrap();
        assert_eq!(stereo.left, [n as u8; 16]);
    }
}
