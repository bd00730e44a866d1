//! Speech to send, and ears: WAV and A-law files read by a reader of our own, and a measure of whether what
//! was said is in what was heard.

use super::root;
use std::path::Path;

pub const HZ: usize = 8_000;
/// Every 8th sample is enough to find the place; the score is taken from all.
const COARSE: usize = 4;

/// A-law of a file under dialplans/prompts/zh-CN, from its first sound on.
pub fn prompt(name: &str, seconds: f64) -> Vec<u8> {
    let path = root().join(format!("dialplans/prompts/zh-CN/{name}.al"));
    let all = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let begin = all.iter().position(|byte| linear(*byte).abs() > 500).unwrap_or(0);
    all[begin..].iter().copied().take((seconds * HZ as f64) as usize).collect()
}

/// A-law to 16-bit linear (ITU-T G.711).
pub fn linear(alaw: u8) -> i16 {
    let bits = alaw ^ 0x55;
    let mantissa = i16::from(bits & 0x0f) << 4;
    let magnitude = match (bits >> 4) & 7 {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

pub fn decode(alaw: &[u8]) -> Vec<i16> {
    alaw.iter().map(|byte| linear(*byte)).collect()
}

/// A mono WAV file of 16-bit samples.
pub fn write_wav(path: &Path, samples: &[i16]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut file = Vec::with_capacity(data.len() + 44);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(data.len() as u32 + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&(HZ as u32).to_le_bytes());
    file.extend_from_slice(&(2 * HZ as u32).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(&data);
    std::fs::write(path, file).expect("a WAV file");
}

/// A WAV file: 16-bit PCM or A-law, one vector a channel.
pub struct Wav {
    pub channels: Vec<Vec<i16>>,
    /// The sample bytes as they stand in the file.
    pub bytes: Vec<u8>,
}

impl Wav {
    pub fn read(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!((&file[..4], &file[8..12]), (&b"RIFF"[..], &b"WAVE"[..]), "{}", path.display());
        let (mut format, mut rest) = (None, &file[12..]);
        loop {
            assert!(rest.len() >= 8, "{} has no data", path.display());
            let size = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
            // A file that is still being written does not know yet how much it has.
            let end = if size == 0 { rest.len() } else { (8 + size).min(rest.len()) };
            let body = &rest[8..end];
            match &rest[..4] {
                b"fmt " => format = Some((body[0], usize::from(body[2]), body[4..8].to_vec())),
                b"data" => {
                    let (tag, channels, rate) = format.expect("fmt comes before data");
                    assert_eq!(rate, (HZ as u32).to_le_bytes());
                    return Self { channels: split(tag, channels, body), bytes: body.to_vec() };
                }
                _ => {}
            }
            rest = &rest[(8 + size + size % 2).min(rest.len())..];
        }
    }
}

fn split(tag: u8, channels: usize, data: &[u8]) -> Vec<Vec<i16>> {
    let samples: Vec<i16> = match tag {
        1 => data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect(),
        6 => decode(data),
        other => panic!("a WAV format that nobody here writes: {other}"),
    };
    (0..channels).map(|at| samples.iter().skip(at).step_by(channels).copied().collect()).collect()
}

/// Where in `heard` `said` fits best, and how well: normalised cross-correlation over the whole of `said`,
/// 1 for the same but for loudness.
pub fn find(said: &[i16], heard: &[i16]) -> (f64, usize) {
    if heard.len() < said.len() {
        return (0.0, 0);
    }
    let (thin_said, thin_heard) = (thin(said), thin(heard));
    let (_, place) = best(&thin_said, &thin_heard, 0..thin_heard.len() - thin_said.len() + 1);
    let (from, to) = ((place * COARSE).saturating_sub(2 * COARSE), place * COARSE + 2 * COARSE);
    best(said, heard, from..(to + 1).min(heard.len() - said.len() + 1))
}

/// How loud `said` is where it is likeliest in `heard`, against how it was said.
pub fn level_db(said: &[i16], heard: &[i16]) -> f64 {
    let (score, at) = find(said, heard);
    let rms = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
    20.0 * (score * rms(&heard[at..at + said.len()]) / rms(said)).max(1e-6).log10()
}

/// Asserts that `said` is in `heard`, and tells where.
#[track_caller]
pub fn assert_heard(what: &str, said: &[i16], heard: &[i16]) -> usize {
    let (score, at) = find(said, heard);
    let seconds = |samples: usize| samples as f64 / HZ as f64;
    println!(
        "{what}: {score:.4} at {:.2} s of {:.2} s heard, {:.2} s said",
        seconds(at),
        seconds(heard.len()),
        seconds(said.len())
    );
    assert!(score >= 0.95, "{what}: correlation {score:.3} < 0.95 ({:.2} s heard)", seconds(heard.len()));
    at
}

/// Asserts that `said` is nowhere in `heard`.
#[track_caller]
pub fn assert_not_heard(what: &str, said: &[i16], heard: &[i16]) {
    let (score, at) = find(said, heard);
    println!("{what}: {score:.4}");
    assert!(score < 0.3, "{what}: correlation {score:.3} at sample {at}");
}

fn thin(samples: &[i16]) -> Vec<i16> {
    let mean = |part: &[i16]| (part.iter().map(|s| i32::from(*s)).sum::<i32>() / COARSE as i32) as i16;
    samples.chunks_exact(COARSE).map(mean).collect()
}

fn best(said: &[i16], heard: &[i16], places: std::ops::Range<usize>) -> (f64, usize) {
    let energy = |part: &[i16]| part.iter().map(|s| i64::from(*s) * i64::from(*s)).sum::<i64>();
    let own = energy(said) as f64;
    let mut window = energy(&heard[places.start..][..said.len()]);
    let mut found = (0.0, places.start);
    for place in places.clone() {
        let part = &heard[place..][..said.len()];
        let product: i64 = part.iter().zip(said).map(|(a, b)| i64::from(i32::from(*a) * i32::from(*b))).sum();
        // Silence resembles nothing.
        let score = if window == 0 { 0.0 } else { product as f64 / (own * window as f64).sqrt() };
        if score > found.0 {
            found = (score, place);
        }
        if place + 1 < places.end {
            let square = |s: i16| i64::from(s) * i64::from(s);
            window += square(heard[place + said.len()]) - square(heard[place]);
        }
    }
    found
}

#[test]
fn the_ear_finds_what_was_said_and_only_that() {
    let (caller, lawyer) = (decode(&prompt("demo_caller_1", 2.0)), decode(&prompt("demo_lawyer_1", 2.0)));
    let quiet: Vec<i16> = caller.iter().map(|sample| sample / 3).collect();
    let heard = [&lawyer[..4_000], &quiet[..], &lawyer[4_000..]].concat();
    let (score, at) = find(&caller, &heard);
    assert!(score > 0.99 && at == 4_000, "{score} at {at}");
    assert!(find(&lawyer, &heard).0 < 0.9, "a speech torn in two is not the whole one");
    assert!(find(&caller, &lawyer).0 < 0.3);
    assert_eq!(find(&caller, &[0; 20_000]).0, 0.0);
}
