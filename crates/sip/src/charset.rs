//! Bytes to text the way Chinese trunks need it: UTF-8, else GBK, else whatever can be saved.

use std::borrow::Cow;

/// Decodes as UTF-8 if that is what it is, else as GBK if that leaves no hole, else lossily.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    encoding_rs::GBK
        .decode_without_bom_handling_and_without_replacement(bytes)
        .unwrap_or_else(|| String::from_utf8_lossy(bytes))
}

/// Undoes `%HH`; a `%` without two hexadecimal digits after it stands for itself.
pub(crate) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escaped_byte(&bytes[at..]) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    decode(&out).into_owned()
}

/// Writes `%HH` for every byte that `plain` does not allow.
pub(crate) fn percent_encode(text: &str, plain: fn(u8) -> bool, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_and_gbk_both_give_the_name() {
        assert_eq!(decode("张三".as_bytes()), "张三");
        assert_eq!(decode(&[0xD5, 0xC5, 0xC8, 0xFD]), "张三");
        assert!(decode(&[0xFF, 0xFF, b'x']).ends_with('x'));
    }

    #[test]
    fn percent_escapes_may_hide_gbk_and_broken_ones_stay() {
        assert_eq!(percent_decode("%D5%C5%C8%FD"), "张三");
        assert_eq!(percent_decode("%E5%BC%A0"), "张");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%Z%45"), "%ZE");
    }
}
