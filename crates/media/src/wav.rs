//! The recording format: RIFF/WAVE with A-law samples (format tag 6), 8000 Hz, stereo, the citizen on the
//! left and our side on the right.
//!
//! The header is 58 bytes of fixed layout whose sizes are rewritten after every flush, so a file that was
//! cut off at any moment is a whole WAV file up to that flush. (Sizes of "unknown" would also survive, but
//! players disagree on what they mean.)

use crate::{SAMPLE_RATE_HZ, g711};

/// Bytes before the first sample.
pub const HEADER_BYTES: usize = 58;
pub const CHANNELS: usize = 2;
/// Bytes of one instant: one sample a channel.
pub const FRAME_BYTES: usize = CHANNELS;
/// The sizes in the header have 32 bits: 74 hours.
pub const FRAMES_MAX: u64 = (u32::MAX as u64 - HEADER_BYTES as u64) / FRAME_BYTES as u64;

const FORMAT_ALAW: u16 = 6;

/// The header of a file with that many stereo frames.
#[must_use]
pub fn header(frames: u64) -> [u8; HEADER_BYTES] {
    let frames = frames.min(FRAMES_MAX) as u32;
    let data_bytes = frames * FRAME_BYTES as u32;
    let mut out = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&(data_bytes + HEADER_BYTES as u32 - 8).to_le_bytes());
    put(b"WAVEfmt ");
    put(&18u32.to_le_bytes());
    put(&FORMAT_ALAW.to_le_bytes());
    put(&(CHANNELS as u16).to_le_bytes());
    put(&SAMPLE_RATE_HZ.to_le_bytes());
    put(&(SAMPLE_RATE_HZ * FRAME_BYTES as u32).to_le_bytes());
    put(&(FRAME_BYTES as u16).to_le_bytes());
    put(&8u16.to_le_bytes());
    put(&0u16.to_le_bytes());
    // Every format but PCM needs a fact chunk with the count of frames.
    put(b"fact");
    put(&4u32.to_le_bytes());
    put(&frames.to_le_bytes());
    put(b"data");
    put(&data_bytes.to_le_bytes());
    out
}

/// Why a file is no recording of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecording {
    #[error("not a RIFF/WAVE file")]
    NotWave,
    #[error("not stereo A-law at 8000 Hz")]
    Format,
    #[error("no data chunk")]
    NoData,
}

/// The audio of a recording, one A-law byte a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stereo {
    pub left: Vec<u8>,
    pub right: Vec<u8>,
}

impl Stereo {
    /// Read a whole file. Bytes missing at its end are taken as never recorded.
    ///
    /// # Errors
    /// When the file is something else.
    pub fn parse(file: &[u8]) -> Result<Self, NotARecording> {
        let data = samples(file)?;
        let channel = |n: usize| data.chunks_exact(FRAME_BYTES).map(|frame| frame[n]).collect();
        Ok(Self { left: channel(0), right: channel(1) })
    }

    /// A channel as 16-bit linear.
    #[must_use]
    pub fn linear(channel: &[u8]) -> Vec<i16> {
        channel.iter().map(|b| g711::decode_alaw(*b)).collect()
    }
}

/// The interleaved sample bytes of a recording.
///
/// # Errors
/// When the file is something else.
pub fn samples(file: &[u8]) -> Result<&[u8], NotARecording> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(NotARecording::NotWave);
    }
    let mut rest = &file[12..];
    let mut format_seen = false;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let (name, size) = head.split_at(4);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let content = &body[..size.min(body.len())];
        match name {
            b"fmt " if content.get(..8) == header(0).get(20..28) => format_seen = true,
            b"fmt " => return Err(NotARecording::Format),
            b"data" if format_seen => return Ok(content),
            _ => {}
        }
        // Chunks start at even positions.
        rest = body.get(size.saturating_add(size % 2)..).unwrap_or(&[]);
    }
    Err(NotARecording::NoData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_and_a_cut_one_up_to_the_cut() {
        let mut file = header(3).to_vec();
        file.extend_from_slice(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(Stereo::parse(&file), Ok(Stereo { left: vec![1, 3, 5], right: vec![2, 4, 6] }));
        file.truncate(HEADER_BYTES + 3);
        assert_eq!(Stereo::parse(&file), Ok(Stereo { left: vec![1], right: vec![2] }));
        // The header says less than there is: the rest was never flushed.
        let mut file = header(1).to_vec();
        file.extend_from_slice(&[1, 2, 3, 4]);
        assert_eq!(Stereo::parse(&file), Ok(Stereo { left: vec![1], right: vec![2] }));
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(Stereo::parse(b"RIFF"), Err(NotARecording::NotWave));
        assert_eq!(Stereo::parse(&header(0)[..50]), Err(NotARecording::NoData));
        let mut mono = header(0);
        mono[22] = 1;
        assert_eq!(Stereo::parse(&mono), Err(NotARecording::Format));
    }

    #[test]
    fn a_recording_that_outgrew_the_format_keeps_a_valid_header() {
        assert_eq!(header(u64::MAX), header(FRAMES_MAX));
    }
}
