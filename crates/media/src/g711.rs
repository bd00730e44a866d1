//! G.711: both laws to 16-bit linear and back, and from one law to the other, by tables built at compile
//! time (ITU-T G.711 tables 1 and 2).

/// A-law of linear zero.
pub const ALAW_SILENCE: u8 = 0xD5;
/// µ-law of linear zero.
pub const ULAW_SILENCE: u8 = 0xFF;

/// Which of the two a byte is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    A,
    Mu,
}

impl Law {
    /// Linear value of every byte.
    #[must_use]
    pub fn to_linear(self) -> &'static [i16; 256] {
        match self {
            Self::A => &ALAW_TO_LINEAR,
            Self::Mu => &ULAW_TO_LINEAR,
        }
    }

    /// What every byte is in the other law; none from a law to itself.
    #[must_use]
    pub fn translation(self, to: Self) -> Option<&'static [u8; 256]> {
        match (self, to) {
            (Self::A, Self::Mu) => Some(&ALAW_TO_ULAW),
            (Self::Mu, Self::A) => Some(&ULAW_TO_ALAW),
            (Self::A, Self::A) | (Self::Mu, Self::Mu) => None,
        }
    }
}

/// Linear value of every A-law byte.
pub static ALAW_TO_LINEAR: [i16; 256] = decode_table(true);
/// Linear value of every µ-law byte.
pub static ULAW_TO_LINEAR: [i16; 256] = decode_table(false);
/// µ-law byte of every A-law byte.
pub static ALAW_TO_ULAW: [u8; 256] = cross_table(true);
/// A-law byte of every µ-law byte.
pub static ULAW_TO_ALAW: [u8; 256] = cross_table(false);

#[must_use]
pub fn decode_alaw(byte: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(byte)]
}

#[must_use]
pub fn decode_ulaw(byte: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(byte)]
}

#[must_use]
pub const fn encode_alaw(linear: i16) -> u8 {
    let (sign, magnitude) = if linear >= 0 { (0x80, linear as u16) } else { (0, !linear as u16) };
    let segment = if magnitude < 256 { 0 } else { magnitude.ilog2() - 7 };
    let shift = if segment == 0 { 4 } else { segment + 3 };
    let code = sign | (segment << 4) as u8 | (magnitude >> shift & 0x0F) as u8;
    code ^ 0x55
}

#[must_use]
pub const fn encode_ulaw(linear: i16) -> u8 {
    const BIAS: u16 = 132;
    const CLIP: u16 = 32_635;
    let (sign, magnitude) = if linear >= 0 { (0, linear as u16) } else { (0x80, linear.unsigned_abs()) };
    let biased = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let segment = biased.ilog2() - 7;
    !(sign | (segment << 4) as u8 | (biased >> (segment + 3) & 0x0F) as u8)
}

/// Replace every byte by what the table says.
pub fn translate(table: &[u8; 256], bytes: &mut [u8]) {
    for byte in bytes {
        *byte = table[usize::from(*byte)];
    }
}

const fn alaw_to_linear(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let mantissa = ((code & 0x0F) as i16) << 4;
    let segment = code >> 4 & 0x07;
    let magnitude = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn ulaw_to_linear(byte: u8) -> i16 {
    let code = !byte;
    let mantissa = ((code & 0x0F) as i16) << 3;
    let magnitude = ((mantissa + 0x84) << (code >> 4 & 0x07)) - 0x84;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

const fn decode_table(alaw: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if alaw { alaw_to_linear(byte as u8) } else { ulaw_to_linear(byte as u8) };
        byte += 1;
    }
    table
}

const fn cross_table(from_alaw: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if from_alaw {
            encode_ulaw(alaw_to_linear(byte as u8))
        } else {
            encode_alaw(ulaw_to_linear(byte as u8))
        };
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255u8 {
            assert_eq!(encode_alaw(decode_alaw(byte)), byte, "A-law {byte:#x}");
            // 0x7F is minus zero, which linear does not have.
            let expect = if byte == 0x7F { ULAW_SILENCE } else { byte };
            assert_eq!(encode_ulaw(decode_ulaw(byte)), expect, "µ-law {byte:#x}");
        }
    }

    #[test]
    fn the_values_of_the_recommendation_are_met() {
        assert_eq!((decode_alaw(0xD5), decode_alaw(0x55)), (8, -8));
        assert_eq!((decode_alaw(0xAA), decode_alaw(0x2A)), (32_256, -32_256));
        assert_eq!((decode_ulaw(0xFF), decode_ulaw(0x80), decode_ulaw(0x00)), (0, 32_124, -32_124));
        assert_eq!((encode_alaw(0), encode_ulaw(0)), (ALAW_SILENCE, ULAW_SILENCE));
        assert_eq!((encode_alaw(i16::MAX), encode_alaw(i16::MIN)), (0xAA, 0x2A));
        assert_eq!((encode_ulaw(i16::MAX), encode_ulaw(i16::MIN)), (0x80, 0x00));
    }

    #[test]
    fn the_other_law_is_never_further_off_than_its_step() {
        for byte in 0..=255u8 {
            let alaw = i32::from(decode_alaw(byte));
            let crossed = i32::from(decode_ulaw(ALAW_TO_ULAW[usize::from(byte)]));
            assert!((alaw - crossed).abs() <= 16 + alaw.abs() / 16, "{byte:#x}: {alaw} became {crossed}");
            let ulaw = i32::from(decode_ulaw(byte));
            let crossed = i32::from(decode_alaw(ULAW_TO_ALAW[usize::from(byte)]));
            assert!((ulaw - crossed).abs() <= 16 + ulaw.abs() / 16, "{byte:#x}: {ulaw} became {crossed}");
        }
    }
}
