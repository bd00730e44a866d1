//! `cargo xtask prompts`: speaks the hotline's sentences and computes its beep and hold music.
//!
//! In: `dialplans/prompts/zh-CN/prompts.toml`. Out, beside it: one `NAME.al` each, G.711 A-law at 8 kHz.
//! espeak-ng speaks, sox converts; trimming, levels and music are computed here, so the same list gives
//! the same files.

use anyhow::{Context as _, bail, ensure};
use std::f64::consts::TAU;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RATE_HZ: f64 = 8_000.0;
const FULL_SCALE: f64 = 32_768.0;
const SPEECH_DBFS: f64 = -20.0;
const MUSIC_DBFS: f64 = -26.0;
const PEAK_DBFS_MAX: f64 = -1.0;
/// Quieter samples at either end of an utterance are cut off.
const SILENCE_DBFS: f64 = -50.0;
/// Left before and after an utterance, so that two of them do not run together.
const LEAD_SAMPLES: usize = 800;
const TAIL_SAMPLES: usize = 2_400;
/// Pauses inside an utterance do not count for its level: frames of 20 ms below this are left out.
const FRAME_SAMPLES: usize = 160;
const PAUSE_DBFS: f64 = -45.0;

/// One entry of the list.
#[derive(Debug, PartialEq, Eq)]
struct Prompt {
    name: String,
    pinyin: String,
    voice: String,
    speed_wpm: i64,
}

/// Makes every recording anew.
///
/// # Errors
/// A tool that is missing or fails, an entry that cannot be read, a file that cannot be written.
pub fn run() -> anyhow::Result<()> {
    let folder = folder();
    let list = folder.join("prompts.toml");
    let text = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    for prompt in read_list(&text)? {
        let samples = levelled(&trimmed(&speak(&prompt)?), SPEECH_DBFS);
        write_alaw(&folder, &prompt.name, &samples)?;
    }
    write_alaw(&folder, "beep", &levelled(&beep(), SPEECH_DBFS))?;
    write_alaw(&folder, "hold_music", &levelled(&hold_music(), MUSIC_DBFS))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans/prompts/zh-CN")
}

fn read_list(text: &str) -> anyhow::Result<Vec<Prompt>> {
    let table: toml::Table = text.parse()?;
    table
        .iter()
        .map(|(name, entry)| {
            let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
            let pinyin = text("pinyin").with_context(|| format!("[{name}] has no pinyin"))?;
            ensure!(text("text").is_some(), "[{name}] has no text for people");
            // The name becomes a file's: it must not lead elsewhere.
            let is_plain = name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            ensure!(is_plain, "[{name}]: use a-z, 0-9 and _ in names");
            Ok(Prompt {
                name: name.clone(),
                pinyin: pinyin.to_owned(),
                voice: text("voice").unwrap_or("f2").to_owned(),
                speed_wpm: entry.get("speed").and_then(toml::Value::as_integer).unwrap_or(185),
            })
        })
        .collect()
}

/// Samples from -1 to 1 at 8 kHz.
fn speak(prompt: &Prompt) -> anyhow::Result<Vec<f64>> {
    let wav = std::env::temp_dir().join(format!("hotline-prompt-{}.wav", std::process::id()));
    let voice = format!("cmn-latn-pinyin+{}", prompt.voice);
    let mut espeak = Command::new("espeak-ng");
    espeak.args(["-v", &voice, "-s", &prompt.speed_wpm.to_string(), "-w"]).arg(&wav).arg(&prompt.pinyin);
    let spoken = output_of(&mut espeak, &[]);
    let mut sox = Command::new("sox");
    sox.arg("-D")
        .arg(&wav)
        .args(["-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-L", "-t", "raw", "-"]);
    // What a telephone line carries, and room for what the filter's edges add.
    sox.args(["gain", "-3", "highpass", "200", "lowpass", "3500"]);
    let pcm = spoken.and_then(|_| output_of(&mut sox, &[]));
    // The file is only a way between two programs; what went wrong before matters more.
    let _ = std::fs::remove_file(&wav);
    let pcm = pcm.with_context(|| format!("speaking [{}]", prompt.name))?;
    let samples: Vec<f64> =
        pcm.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])) / FULL_SCALE).collect();
    ensure!(!samples.is_empty(), "[{}] is silent", prompt.name);
    Ok(samples)
}

fn write_alaw(folder: &Path, name: &str, samples: &[f64]) -> anyhow::Result<()> {
    let pcm: Vec<u8> =
        samples.iter().flat_map(|sample| ((sample * FULL_SCALE).round() as i16).to_le_bytes()).collect();
    let mut sox = Command::new("sox");
    sox.args([
        "-D", "-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-L", "-", "-t", "al", "-",
    ]);
    let alaw = output_of(&mut sox, &pcm)?;
    ensure!(alaw.len() == samples.len(), "sox gave {} bytes for {} samples", alaw.len(), samples.len());
    let file = folder.join(format!("{name}.al"));
    std::fs::write(&file, alaw).with_context(|| file.display().to_string())?;
    println!("{name}.al  {:.1} s", samples.len() as f64 / RATE_HZ);
    Ok(())
}

/// Runs a filter. Its input is written while its output is read, or both would wait for ever.
fn output_of(command: &mut Command, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} is missing: apt-get install espeak-ng sox"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A program that does not want its input ends by its own status, not by this write.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("{program}: {}", output.status);
    }
    Ok(output.stdout)
}

fn amplitude(dbfs: f64) -> f64 {
    10_f64.powf(dbfs / 20.0)
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// The root mean square of what is said, pauses left out.
fn loudness(samples: &[f64]) -> f64 {
    let loud: Vec<f64> = samples
        .chunks(FRAME_SAMPLES)
        .filter(|frame| rms(frame) > amplitude(PAUSE_DBFS))
        .flatten()
        .copied()
        .collect();
    rms(&loud)
}

/// `samples` at the wanted loudness, or somewhat below it where a peak would clip.
fn levelled(samples: &[f64], dbfs: f64) -> Vec<f64> {
    let peak = samples.iter().fold(0.0_f64, |peak, sample| peak.max(sample.abs()));
    let gain = (amplitude(dbfs) / loudness(samples)).min(amplitude(PEAK_DBFS_MAX) / peak);
    samples.iter().map(|sample| sample * gain).collect()
}

/// Without the silence at both ends, but with a short breath.
fn trimmed(samples: &[f64]) -> Vec<f64> {
    let is_loud = |sample: &f64| sample.abs() > amplitude(SILENCE_DBFS);
    let first = samples.iter().position(is_loud).unwrap_or(0);
    let last = samples.iter().rposition(is_loud).map_or(0, |i| i + 1);
    let mut trimmed = vec![0.0; LEAD_SAMPLES];
    trimmed.extend(&samples[first..last.max(first)]);
    trimmed.extend([0.0; TAIL_SAMPLES]);
    // Whole packets of 20 ms: nothing is left over when it is played.
    trimmed.resize(trimmed.len().next_multiple_of(FRAME_SAMPLES), 0.0);
    trimmed
}

/// Half a second at 1 kHz, with soft edges.
fn beep() -> Vec<f64> {
    const SAMPLES: usize = 4_000;
    const EDGE: f64 = 160.0;
    let tone = (0..SAMPLES).map(|i| {
        let edge = (i.min(SAMPLES - 1 - i) as f64 / EDGE).min(1.0);
        edge * (TAU * 1_000.0 * i as f64 / RATE_HZ).sin()
    });
    tone.chain([0.0; LEAD_SAMPLES]).collect()
}

/// Eight bars of a plucked arpeggio over a soft bass, 20 s. Tones that outlast the end ring on at the
/// beginning, so the loop has no seam.
fn hold_music() -> Vec<f64> {
    /// Semitones from A4, from low to high.
    const CHORDS: [[i32; 4]; 8] = [
        [-9, -5, -2, 3],    // C
        [-10, -7, -2, 2],   // G over B
        [-12, -9, -5, 0],   // A minor
        [-14, -10, -5, -2], // E minor over G
        [-16, -12, -9, -4], // F
        [-14, -9, -5, 3],   // C over G
        [-16, -12, -7, 0],  // D minor over F
        [-14, -10, -7, 2],  // G
    ];
    const ORDER: [usize; 8] = [0, 1, 2, 3, 2, 3, 2, 1];
    const NOTE_SAMPLES: usize = 2_500;
    let mut music = vec![0.0; CHORDS.len() * ORDER.len() * NOTE_SAMPLES];
    for (bar, chord) in CHORDS.iter().enumerate() {
        let start = bar * ORDER.len() * NOTE_SAMPLES;
        add_tone(&mut music, start, pitch_hz(chord[0] - 12), 0.45, 1.6);
        for (i, string) in ORDER.iter().enumerate() {
            let volume = if i == 0 { 0.55 } else { 0.4 };
            add_tone(&mut music, start + i * NOTE_SAMPLES, pitch_hz(chord[*string]), volume, 0.7);
        }
    }
    music
}

fn pitch_hz(semitones_from_a4: i32) -> f64 {
    440.0 * 2_f64.powf(f64::from(semitones_from_a4) / 12.0)
}

/// A plucked string from `start`: a fundamental and two overtones that die away faster than it.
fn add_tone(music: &mut [f64], start: usize, hz: f64, volume: f64, decay_s: f64) {
    const ATTACK_S: f64 = 0.012;
    let len = music.len();
    for i in 0..(decay_s * 7.0 * RATE_HZ) as usize {
        let t = i as f64 / RATE_HZ;
        let partial = |n: f64, share: f64| share * (TAU * hz * n * t).sin() * (-t * n / decay_s).exp();
        let tone = partial(1.0, 1.0) + partial(2.0, 0.35) + partial(3.0, 0.12);
        music[(start + i) % len] += volume * (t / ATTACK_S).min(1.0) * tone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 A-law to -1…1 (ITU-T G.711, table 1).
    fn decoded(byte: u8) -> f64 {
        let byte = byte ^ 0x55;
        let (exponent, mantissa) = (i32::from(byte >> 4 & 7), i32::from(byte & 15));
        let magnitude = match exponent {
            0 => mantissa * 16 + 8,
            _ => (mantissa * 16 + 264) << (exponent - 1),
        };
        let sign = if byte & 0x80 == 0 { -1.0 } else { 1.0 };
        sign * f64::from(magnitude) / FULL_SCALE
    }

    fn committed(name: &str) -> Vec<f64> {
        let file = folder().join(format!("{name}.al"));
        std::fs::read(&file).unwrap().into_iter().map(decoded).collect()
    }

    #[test]
    fn every_entry_is_there_as_a_recording_of_the_right_level_that_does_not_clip() {
        let list = std::fs::read_to_string(folder().join("prompts.toml")).unwrap();
        let names: Vec<String> = read_list(&list).unwrap().into_iter().map(|prompt| prompt.name).collect();
        assert!(names.len() >= 14, "{names:?}");
        for name in names.iter().map(String::as_str).chain(["beep", "hold_music"]) {
            let samples = committed(name);
            let dbfs = 20.0 * loudness(&samples).log10();
            assert!((-27.0..=-19.0).contains(&dbfs), "{name}: {dbfs:.1} dBFS");
            assert!(samples.iter().all(|sample| sample.abs() < amplitude(-0.5)), "{name} clips");
            let seconds = samples.len() as f64 / RATE_HZ;
            assert_eq!(samples.len() % FRAME_SAMPLES, 0, "{name} is no whole number of packets");
            assert!((0.4..=21.0).contains(&seconds), "{name}: {seconds} s");
        }
    }

    #[test]
    fn the_hold_music_has_no_seam() {
        let music = hold_music();
        let step = |a: usize, b: usize| (music[a] - music[b]).abs();
        let steepest = (1..music.len()).map(|i| step(i, i - 1)).fold(0.0, f64::max);
        assert!(step(0, music.len() - 1) <= steepest);
        assert_eq!(music.len(), 160_000);
    }

    #[test]
    fn levelling_reaches_the_level_and_respects_the_peak() {
        let tone: Vec<f64> = (0..8_000).map(|i| 0.9 * (TAU * f64::from(i) / 40.0).sin()).collect();
        let quiet = levelled(&tone, SPEECH_DBFS);
        assert!((20.0 * loudness(&quiet).log10() - SPEECH_DBFS).abs() < 0.1);
        let loud = levelled(&tone, 0.0);
        assert!(loud.iter().all(|sample| sample.abs() <= amplitude(PEAK_DBFS_MAX) + 1e-9));
    }

    #[test]
    fn a_list_that_cannot_be_spoken_says_which_entry_is_wrong() {
        let check = |text: &str, expect: &str| {
            assert_eq!(read_list(text).unwrap_err().to_string(), expect);
        };
        check("[a]\ntext = \"t\"", "[a] has no pinyin");
        check("[a]\npinyin = \"t\"", "[a] has no text for people");
        check("[\"../a\"]\npinyin = \"t\"\ntext = \"t\"", "[../a]: use a-z, 0-9 and _ in names");
    }
}
