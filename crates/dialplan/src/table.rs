//! Tables of prefixes: CSV files with up to a million rows, one bad row of which refuses the whole.
//!
//! A row is `prefix,county` or `prefix,county,comment`; the county by its name in the dialplan or by its
//! Chinese one. A table of callers has whole numbers: `number` or `number,comment`. Lines that begin with # are left
//! out, as is a heading.

use crate::doc::did_you_mean;
use crate::number::full_prefix;
use crate::prefix::{Entry, Origin, PREFIX_CHARS_MAX, pack};
use crate::problem::Problem;
use csv::{ByteRecord, ReaderBuilder, Trim};
use std::collections::BTreeMap;

/// A larger file is refused unread: a million rows with comments have about 30 MB.
pub const TABLE_BYTES_MAX: usize = 64 << 20;
pub const TABLE_ROWS_MAX: usize = 2_000_000;
/// Bad rows beyond these are counted only.
pub(crate) const ROWS_SHOWN_MAX: usize = 20;

/// What rows are read by.
pub(crate) struct Rows<'n> {
    /// Completes local prefixes.
    pub(crate) area_code: &'n str,
    /// Places of counties by everything that a county can be called; none in a table of callers.
    pub(crate) places: Option<BTreeMap<&'n str, u16>>,
}

impl Rows<'_> {
    /// The entries of the table, and what is wrong with it. `file` is its name in problems.
    pub(crate) fn read(&self, file: &str, bytes: &[u8]) -> (Vec<Entry>, Vec<Problem>) {
        if bytes.len() > TABLE_BYTES_MAX {
            let what = format!("the table has {} bytes, more than {TABLE_BYTES_MAX}", bytes.len());
            return (Vec::new(), vec![Problem::error(file, 1, what, "is this the right file?")]);
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .comment(Some(b'#'))
            .from_reader(bytes);
        let mut record = ByteRecord::new();
        let (mut entries, mut problems) = (Vec::new(), Problems::new(file));
        let mut lines = Lines { bytes, at: 0, line: 1 };
        let mut is_first = true;
        while entries.len() <= TABLE_ROWS_MAX && matches!(reader.read_byte_record(&mut record), Ok(true)) {
            let line = lines.line_from(record.position().map_or(0, |position| position.byte() as usize));
            let is_heading =
                is_first && !record.get(0).is_some_and(|text| text.iter().any(u8::is_ascii_digit));
            is_first = false;
            if is_heading {
                continue;
            }
            match self.read_row(&record) {
                Ok((key, place)) => entries.push(Entry { key, origin: Origin::Table(line), place }),
                Err((what, remedy)) => problems.add(line, what, remedy),
            }
        }
        if entries.len() > TABLE_ROWS_MAX {
            let what = format!("more than {TABLE_ROWS_MAX} rows");
            problems.add(TABLE_ROWS_MAX as u32, what, "is this the right file?".to_owned());
        }
        if is_first {
            problems.add(
                1,
                "a table without rows".to_owned(),
                format!("write rows like \"{}\"", self.example()),
            );
        }
        (entries, problems.done())
    }

    fn read_row(&self, record: &ByteRecord) -> Result<(u64, u16), (String, String)> {
        let (form, fields) = match &self.places {
            Some(_) => ("write the row as prefix,county or prefix,county,comment", 2..=3),
            None => ("write the row as number or number,comment", 1..=2),
        };
        if record.iter().any(|field| field.contains(&b'\n')) {
            return Err((
                "a quote is opened and not closed".to_owned(),
                "close it, or take it out".to_owned(),
            ));
        }
        if !fields.contains(&record.len()) {
            return Err((format!("a row of {} fields", record.len()), form.to_owned()));
        }
        let text = |at: usize| std::str::from_utf8(record.get(at).unwrap_or_default());
        let (Ok(prefix), Ok(county)) = (text(0), text(1)) else {
            return Err((
                "this is not UTF-8".to_owned(),
                "save the table as UTF-8 (in Excel: CSV UTF-8)".to_owned(),
            ));
        };
        let full = full_prefix(prefix, self.area_code).filter(|full| full.len() <= PREFIX_CHARS_MAX);
        let Some(full) = full else {
            return Err((
                format!("\"{prefix}\" is no prefix of a number"),
                format!("write at most {PREFIX_CHARS_MAX} digits, like 05778800"),
            ));
        };
        let Some(places) = &self.places else { return Ok((pack(&full), 0)) };
        let Some(place) = places.get(county) else {
            let ids = places.keys().copied().filter(|name| name.is_ascii());
            return Err((format!("there is no county \"{county}\""), did_you_mean(county, ids)));
        };
        Ok((pack(&full), *place))
    }

    const fn example(&self) -> &'static str {
        match &self.places {
            Some(_) => "05778800,lucheng",
            None => "13800000001",
        }
    }
}

/// Counts lines, once through the file: the reader of CSV gives the place where it began to look for a row,
/// and empty lines and comments may stand between that and the row.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line of the first row at or after the byte `from`, which never goes back.
    fn line_from(&mut self, from: usize) -> u32 {
        while let Some(byte) = self.bytes.get(self.at) {
            let is_row = self.at >= from && !matches!(byte, b'\r' | b'\n' | b'#');
            if is_row {
                break;
            }
            let is_comment = self.at >= from && *byte == b'#';
            let rest = &self.bytes[self.at..];
            let end = rest.iter().position(|byte| *byte == b'\n').filter(|_| is_comment);
            self.at += end.unwrap_or_default() + 1;
            self.line += u32::from(end.is_some() || *byte == b'\n');
        }
        self.line
    }
}

/// The first problems of a table, and how many more there are.
pub(crate) struct Problems<'f> {
    file: &'f str,
    shown: Vec<Problem>,
    more: usize,
}

impl<'f> Problems<'f> {
    pub(crate) const fn new(file: &'f str) -> Self {
        Self { file, shown: Vec::new(), more: 0 }
    }

    pub(crate) fn add(&mut self, line: u32, what: String, remedy: String) {
        if self.shown.len() < ROWS_SHOWN_MAX {
            self.shown.push(Problem::error(self.file, line as usize, what, remedy));
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn done(mut self) -> Vec<Problem> {
        if let Some(last) = self.shown.last().filter(|_| self.more > 0) {
            let what = format!("{} more rows after this one cannot be used", self.more);
            let line = last.line;
            self.shown.push(Problem::error(
                self.file,
                line,
                what,
                "mend these first; nothing was taken over",
            ));
        }
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::unpack;

    fn read(bytes: &[u8]) -> (Vec<(String, u16, u32)>, Vec<String>) {
        let places = BTreeMap::from([("lucheng", 0), ("鹿城区", 0), ("ouhai", 1)]);
        let (entries, problems) = Rows { area_code: "0577", places: Some(places) }.read("t.csv", bytes);
        let entries = entries.iter().map(|e| (unpack(e.key), e.place, e.origin.line())).collect();
        (entries, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rows_have_a_prefix_a_county_and_perhaps_a_comment() {
        let text = "\u{feff}号段,区县\r\n# EXAMPLE DATA\r\n8800,lucheng\r\n\r\n1390577,鹿城区,\"mobiles, new\"\r\n 05778850 , ouhai \r\n";
        let expect = [("05778800", 0, 3), ("1390577", 0, 5), ("05778850", 1, 6)];
        let (entries, problems) = read(text.as_bytes());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(entries, expect.map(|(prefix, place, line)| (prefix.to_owned(), place, line)));
    }

    #[test]
    fn bad_rows_are_told_with_their_lines() {
        let mut bytes = b"8800,lucheng\n88x,lucheng\n8801\n8802,luchen\n8803,lucheng,a,b\n8804,".to_vec();
        bytes.extend(b"\xc2\xb9\xb3\xc7\n12345678901234567,ouhai\n8805,\"ouhai\n8806,ouhai\n");
        let (_, problems) = read(&bytes);
        let expect = [
            "t.csv:2: \"88x\" is no prefix of a number; write at most 16 digits, like 05778800",
            "t.csv:3: a row of 1 fields; write the row as prefix,county or prefix,county,comment",
            "t.csv:4: there is no county \"luchen\"; did you mean \"lucheng\"?",
            "t.csv:5: a row of 4 fields; write the row as prefix,county or prefix,county,comment",
            "t.csv:6: this is not UTF-8; save the table as UTF-8 (in Excel: CSV UTF-8)",
            "t.csv:7: \"12345678901234567\" is no prefix of a number; write at most 16 digits, like 05778800",
            "t.csv:8: a quote is opened and not closed; close it, or take it out",
        ];
        assert_eq!(problems, expect);
    }

    #[test]
    fn of_a_thousand_bad_rows_twenty_are_shown() {
        let (_, problems) = read("1.38E+05,lucheng\n".repeat(1_000).as_bytes());
        assert_eq!(problems.len(), ROWS_SHOWN_MAX + 1);
        assert_eq!(
            problems.last().unwrap(),
            "t.csv:20: 980 more rows after this one cannot be used; mend these first; nothing was taken over"
        );
        assert_eq!(read(b"").1, ["t.csv:1: a table without rows; write rows like \"05778800,lucheng\""]);
    }
}
