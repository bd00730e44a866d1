//! Telephone numbers as Chinese trunks write them, brought to one form each.
//!
//! Deliberately absent: tables of who owns which number, and masking (`domain::Pii`).

/// The one form of a number, or `""` for a caller who gave none (anonymous, a name).
///
/// | in | out, with `area_code` 0577 |
/// |---|---|
/// | mobile: `+8613812345678`, `013812345678`, `138-1234-5678` | `13812345678` |
/// | landline: `88001234`, `0577 88001234`, `+86 577 88001234`, `57788001234` | `057788001234` |
/// | hotline with an area code: `057712348`, `+8657712348` | `057712348` |
/// | short code: `12348`, `110`, `95588`, `+864001234567` | as dialled: `12348`, `110`, `95588`, `4001234567` |
/// | abroad: `+85223456789`, `0085223456789` | `+85223456789` |
///
/// Separators go, full-width digits become plain ones, parameters after `;` (RFC 3966) are cut off.
/// Nothing here is refused: a number that fits no rule stays as its digits.
#[must_use]
pub fn normalise(raw: &str, area_code: &str) -> String {
    let Some((digits, is_international)) = digits_of(raw) else { return String::new() };
    let area = area_code.trim_start_matches('0');
    if is_international {
        return match digits.strip_prefix("86") {
            Some(national) => with_area(national, area),
            // No country's code begins with 0: somebody put a plus before a national number.
            None if digits.starts_with('0') => with_area(&digits, area),
            None => format!("+{digits}"),
        };
    }
    if let Some(abroad) = digits.strip_prefix("00").filter(|abroad| !abroad.is_empty()) {
        return match abroad.strip_prefix("86") {
            Some(national) => with_area(national, area),
            None => format!("+{abroad}"),
        };
    }
    if digits.starts_with('0') {
        return with_area(&digits, area);
    }
    // Nothing national that begins with 86 is longer than eight digits.
    if let Some(national) = digits.strip_prefix("86").filter(|_| digits.len() >= 9) {
        return with_area(national, area);
    }
    as_dialled(&digits, area)
}

/// The digits of `raw` and whether a plus stands before them; `None` if it is not a number.
fn digits_of(raw: &str) -> Option<(String, bool)> {
    let mut digits = String::new();
    let mut is_international = false;
    for c in raw.split(';').next().unwrap_or_default().chars() {
        match c {
            '0'..='9' => digits.push(c),
            '０'..='９' => digits.push(char::from(b'0' + (u32::from(c) - u32::from('０')) as u8)),
            '+' | '＋' if digits.is_empty() => is_international = true,
            '-' | '.' | '/' | '(' | ')' | '（' | '）' | '－' | '‐'..='―' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    (!digits.is_empty()).then_some((digits, is_international))
}

/// A national number, which names its area unless it is a mobile, a short code or a trunk's slip.
fn with_area(national: &str, area: &str) -> String {
    let number = national.trim_start_matches('0');
    if is_mobile(number) || is_short_code(number) {
        return number.to_owned();
    }
    let misses_area = national == number && matches!(number.len(), 7 | 8) && !is_hotline_of_an_area(number);
    if misses_area { format!("0{area}{number}") } else { format!("0{number}") }
}

/// A number without any prefix, as a telephone of this area would dial it.
fn as_dialled(digits: &str, area: &str) -> String {
    if is_mobile(digits) || is_short_code(digits) || digits.starts_with('1') {
        return digits.to_owned();
    }
    match digits.len() {
        // The trunk dropped the 0 of 057712348.
        7 | 8 if digits.strip_prefix(area) == Some("12348") => format!("0{digits}"),
        7 | 8 => format!("0{area}{digits}"),
        // The trunk dropped the 0 of an area code.
        10 | 11 => format!("0{digits}"),
        _ => digits.to_owned(),
    }
}

fn is_mobile(number: &str) -> bool {
    number.len() == 11 && number.starts_with('1') && !matches!(number.as_bytes()[1], b'0'..=b'2')
}

/// 110, 12348, 10086, 118114; 95588, 96110; 400 and 800 numbers.
fn is_short_code(number: &str) -> bool {
    let n = number.len();
    (n <= 6 && number.starts_with('1'))
        || ((5..=6).contains(&n) && (number.starts_with("95") || number.starts_with("96")))
        || (n == 10 && (number.starts_with("400") || number.starts_with("800")))
}

/// 577 12348, 21 12345: two or three digits of area, then five beginning with 1 (no landline does).
fn is_hotline_of_an_area(number: &str) -> bool {
    number.len() >= 7 && number.as_bytes()[number.len() - 5] == b'1'
}

/// A prefix as it begins a normalised number: a local one gets the area code.
pub(crate) fn full_prefix(prefix: &str, area_code: &str) -> Option<String> {
    let digits = prefix.strip_prefix('+').unwrap_or(prefix);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let is_local = matches!(prefix.as_bytes()[0], b'2'..=b'9');
    Some(if is_local { format!("{area_code}{prefix}") } else { prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&str, &str)] = &[
        // Mobiles.
        ("13812345678", "13812345678"),
        ("013812345678", "13812345678"),
        ("8613812345678", "13812345678"),
        ("+8613812345678", "13812345678"),
        ("+86 138-1234-5678", "13812345678"),
        ("+86013812345678", "13812345678"),
        ("008613812345678", "13812345678"),
        ("19912345678", "19912345678"),
        ("１３８１２３４５６７８", "13812345678"),
        ("＋８６１３８１２３４５６７８", "13812345678"),
        // Landlines.
        ("88001234", "057788001234"),
        ("8800 1234", "057788001234"),
        ("057788001234", "057788001234"),
        ("(0577) 8800-1234", "057788001234"),
        ("0577－88001234", "057788001234"),
        ("57788001234", "057788001234"),
        ("+8657788001234", "057788001234"),
        ("+86057788001234", "057788001234"),
        ("8657788001234", "057788001234"),
        ("86057788001234", "057788001234"),
        ("008657788001234", "057788001234"),
        ("+057788001234", "057788001234"),
        ("+8688001234", "057788001234"),
        ("86123456", "057786123456"),
        ("01012345678", "01012345678"),
        ("+861012345678", "01012345678"),
        ("02887654321", "02887654321"),
        ("2887654321", "02887654321"),
        ("8112345", "05778112345"),
        // The hotline, with and without its area.
        ("12348", "12348"),
        ("+8612348", "12348"),
        ("012348", "12348"),
        ("057712348", "057712348"),
        ("57712348", "057712348"),
        ("+8657712348", "057712348"),
        ("8657712348", "057712348"),
        ("02812345", "02812345"),
        ("861012345", "01012345"),
        ("12348;phone-context=+86577", "12348"),
        // Short codes.
        ("110", "110"),
        ("10086", "10086"),
        ("118114", "118114"),
        ("95588", "95588"),
        ("96110", "96110"),
        ("4001234567", "4001234567"),
        ("+864001234567", "4001234567"),
        ("8008101234", "8008101234"),
        // Abroad.
        ("+85223456789", "+85223456789"),
        ("0085223456789", "+85223456789"),
        ("+1 (212) 555-0100", "+12125550100"),
        // Extensions stay, names and silence are no numbers.
        ("8001", "8001"),
        ("0", "0"),
        ("+", ""),
        ("", ""),
        ("anonymous", ""),
        ("Unavailable", ""),
        ("visitor", ""),
        ("张三", ""),
    ];

    #[test]
    fn every_way_of_writing_a_number_comes_to_one_form() {
        for (raw, expect) in TABLE {
            assert_eq!(normalise(raw, "0577"), *expect, "{raw:?}");
        }
    }

    #[test]
    fn a_normalised_number_stays_as_it_is() {
        for (_, number) in TABLE {
            assert_eq!(normalise(number, "0577"), *number);
        }
    }

    #[test]
    fn a_city_with_a_two_digit_area_has_its_own_local_numbers() {
        assert_eq!(normalise("87654321", "028"), "02887654321");
        assert_eq!(normalise("+862812348", "028"), "02812348");
        assert_eq!(normalise("2812348", "028"), "02812348", "a dropped 0");
    }
}
