//! A reader of TOML that finds every error before it gives up.
//!
//! A getter never fails: what is missing or wrong goes to the list of problems, with its line and what
//! would be right, and a harmless stand-in comes back, so that reading goes on to the next error. Only
//! [`Doc::done`] gives the result away, and only if no error was found; warnings go with it.
//!
//! ```
//! # use dialplan::doc::Doc;
//! # use std::time::Duration;
//! let doc = Doc::parse("server.toml", "[sip]\nport = 5060\n")?;
//! let root = doc.root();
//! let sip = root.table("sip");
//! let port: u16 = sip.int("port", 1..=65535);
//! let timeout = sip.duration_or("timeout", Duration::from_secs(2), Duration::ZERO..=Duration::from_secs(60));
//! sip.finish();
//! root.finish();
//! assert_eq!(doc.done((port, timeout))?.value, (5060, Duration::from_secs(2)));
//! # Ok::<(), Vec<dialplan::Problem>>(())
//! ```

use crate::problem::{Checked, Problem, nearest};
use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A larger file is refused unread. Wenzhou's dialplan has about 20 KB.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// A longer line is refused: dotted keys nest as deep as a line is long.
pub const LINE_BYTES_MAX: usize = 2_000;

/// A parsed file and the problems found in it so far.
pub struct Doc {
    file: String,
    root: Node,
    problems: RefCell<Vec<Problem>>,
}

/// A value and the line where it stands, for checks made after reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub line: usize,
}

/// One table of the file. A table that is missing reads as an empty one that complains no further.
pub struct Section<'d> {
    doc: &'d Doc,
    /// `pools.lucheng`; empty for the whole file.
    path: String,
    line: usize,
    entries: Option<&'d [Entry]>,
    asked: RefCell<Vec<String>>,
}

struct Entry {
    key: String,
    line: usize,
    node: Node,
}

struct Node {
    line: usize,
    value: Value,
}

enum Value {
    Str(String),
    /// `None` if it does not fit.
    Int(Option<i64>),
    Float,
    Bool(bool),
    Date,
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<Entry>),
}

impl Doc {
    /// Parses `text`; `file` is only its name in problems.
    ///
    /// # Errors
    /// All errors of TOML's grammar. What the keys mean is found out by reading.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let problem = |line, what: String, remedy: &str| Problem::error(file, line, what, remedy);
        if text.len() > FILE_BYTES_MAX {
            let what = format!("the file has {} bytes, more than {FILE_BYTES_MAX}", text.len());
            return Err(vec![problem(1, what, "is this the right file?")]);
        }
        if let Some(i) = text.lines().position(|line| line.len() > LINE_BYTES_MAX) {
            let what = format!("this line is longer than {LINE_BYTES_MAX} bytes");
            return Err(vec![problem(i + 1, what, "break it into several lines")]);
        }
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let root = Node { line: 1, value: Value::Table(convert_table(table.get_ref(), &lines)) };
            return Ok(Self { file: file.to_owned(), root, problems: RefCell::default() });
        }
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| {
                let line = lines.line_of(error.span().map_or(0, |span| span.start));
                problem(line, format!("not TOML: {}", error.message()), grammar_remedy(error.message()))
            })
            .collect();
        problems.sort();
        problems.dedup();
        Err(problems)
    }

    /// The whole file.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section::new(self, String::new(), &self.root)
    }

    /// Notes an error that the reader found by itself.
    pub fn problem(&self, line: usize, what: impl Into<String>, remedy: impl Into<String>) {
        self.note(Problem::error(&self.file, line, what, remedy));
    }

    /// Notes what is odd and can be used all the same.
    pub fn warning(&self, line: usize, what: impl Into<String>, remedy: impl Into<String>) {
        self.note(Problem::warning(&self.file, line, what, remedy));
    }

    /// Notes a problem of another file that this one names.
    pub fn note(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// How many errors were found so far.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.problems.borrow().iter().filter(|problem| problem.is_error()).count()
    }

    /// What was read, if no error was found.
    ///
    /// # Errors
    /// Every problem found, warnings too, in the order of the file.
    pub fn done<T>(self, value: T) -> Result<Checked<T>, Vec<Problem>> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        Ok(Checked { value, warnings: problems })
    }
}

/// Getters come in threes: a `str` must be there, an `opt_str` may be, a `str_or` has a default; so with
/// every type.
impl<'d> Section<'d> {
    fn new(doc: &'d Doc, path: String, node: &'d Node) -> Self {
        let entries = match &node.value {
            Value::Table(entries) => Some(entries.as_slice()),
            Value::Str(_) | Value::Int(_) | Value::Float | Value::Bool(_) | Value::Date | Value::List(_) => {
                None
            }
        };
        Self { doc, path, line: node.line, entries, asked: RefCell::default() }
    }

    /// The file that this is a part of.
    #[must_use]
    pub fn doc(&self) -> &'d Doc {
        self.doc
    }

    /// The line of the section's heading.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line of `key`, or of the section's heading if the key is not there.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        self.find(key).map_or(self.line, |entry| entry.node.line)
    }

    /// The keys in the order of the file. For a section whose keys are names: none is unknown then.
    #[must_use]
    pub fn keys(&self) -> Vec<Located<&'d str>> {
        let entries = self.entries.unwrap_or_default();
        self.asked.borrow_mut().extend(entries.iter().map(|entry| entry.key.clone()));
        entries.iter().map(|entry| Located { value: entry.key.as_str(), line: entry.line }).collect()
    }

    /// Notes a problem at `key`.
    pub fn problem(&self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.doc.problem(self.line_of(key), what, remedy);
    }

    /// Reports the keys that nobody asked for. Call it last.
    pub fn finish(self) {
        let asked = self.asked.into_inner();
        let known = || asked.iter().map(String::as_str);
        for entry in self.entries.unwrap_or_default() {
            if asked.contains(&entry.key) {
                continue;
            }
            let remedy = match nearest(&entry.key, known().filter(|key| *key != entry.key)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if asked.is_empty() => "remove it".to_owned(),
                None => format!("remove it; known here: {}", known().collect::<Vec<_>>().join(", ")),
            };
            self.doc.problem(entry.line, format!("unknown key `{}`", join(&self.path, &entry.key)), remedy);
        }
    }

    #[must_use]
    pub fn str(&self, key: &str) -> String {
        self.wanted(key, "\"…\"", self.opt_str(key)).unwrap_or_default()
    }

    #[must_use]
    pub fn opt_str(&self, key: &str) -> Option<String> {
        let node = self.get(key)?;
        let text = self.text(key, node)?;
        if text.is_empty() {
            self.problem(key, format!("`{}` is empty", self.name(key)), "write something between the quotes");
        }
        Some(text.to_owned())
    }

    #[must_use]
    pub fn str_or(&self, key: &str, default: &str) -> String {
        self.opt_str(key).unwrap_or_else(|| default.to_owned())
    }

    #[must_use]
    pub fn bool(&self, key: &str) -> bool {
        self.wanted(key, "true", self.opt_bool(key)).unwrap_or_default()
    }

    #[must_use]
    pub fn opt_bool(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.mistyped(key, node, "write true or false, without quotes");
        None
    }

    #[must_use]
    pub fn bool_or(&self, key: &str, default: bool) -> bool {
        self.opt_bool(key).unwrap_or(default)
    }

    #[must_use]
    pub fn int<T>(&self, key: &str, range: RangeInclusive<T>) -> T
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        let stand_in = *range.start();
        self.wanted(key, &stand_in.to_string(), self.opt_int(key, range)).unwrap_or(stand_in)
    }

    #[must_use]
    pub fn opt_int<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        let node = self.get(key)?;
        let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
        let Value::Int(value) = node.value else {
            self.mistyped(key, node, &format!("{remedy}, without quotes"));
            return None;
        };
        let fitting = value.and_then(|value| T::try_from(value).ok()).filter(|value| range.contains(value));
        if fitting.is_none() {
            self.doc.problem(node.line, format!("`{}` is out of range", self.name(key)), remedy);
        }
        fitting
    }

    #[must_use]
    pub fn int_or<T>(&self, key: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        self.opt_int(key, range).unwrap_or(default)
    }

    /// A span of time with its unit: `"250ms"`, `"20s"`, `"1m30s"`, `"2h"`, `"7d"`.
    #[must_use]
    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        let stand_in = *range.start();
        self.wanted(key, "\"20s\"", self.opt_duration(key, range)).unwrap_or(stand_in)
    }

    #[must_use]
    pub fn opt_duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        const FORM: &str = "write a number and its unit (ms, s, m, h, d) in quotes, like \"20s\"";
        let node = self.get(key)?;
        let Value::Str(text) = &node.value else {
            self.mistyped(key, node, FORM);
            return None;
        };
        let Some(span) = parse_duration(text) else {
            self.doc.problem(node.line, format!("`{}` is no span of time: \"{text}\"", self.name(key)), FORM);
            return None;
        };
        if !range.contains(&span) {
            let (min, max) = (show_duration(*range.start()), show_duration(*range.end()));
            let what = format!("`{}` is out of range: \"{text}\"", self.name(key));
            self.doc.problem(node.line, what, format!("write a span from \"{min}\" to \"{max}\""));
            return None;
        }
        Some(span)
    }

    #[must_use]
    pub fn duration_or(&self, key: &str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        self.opt_duration(key, range).unwrap_or(default)
    }

    /// A text that means something else: an address, a path. `example` shows the form.
    #[must_use]
    pub fn parsed<T: FromStr>(&self, key: &str, example: &str) -> Option<T> {
        self.wanted(key, &format!("\"{example}\""), self.opt_parsed(key, example))
    }

    #[must_use]
    pub fn opt_parsed<T: FromStr>(&self, key: &str, example: &str) -> Option<T> {
        let node = self.get(key)?;
        let text = self.text(key, node)?;
        let value = text.parse().ok();
        if value.is_none() {
            let what = format!("`{}` cannot be read: \"{text}\"", self.name(key));
            self.doc.problem(node.line, what, format!("write it like \"{example}\""));
        }
        value
    }

    /// One word of a few.
    #[must_use]
    pub fn choice<T: Clone>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let example = words.first().map_or("…", |(word, _)| word);
        self.wanted(key, &format!("\"{example}\""), self.opt_choice(key, words))
    }

    #[must_use]
    pub fn opt_choice<T: Clone>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let node = self.get(key)?;
        let text = self.text(key, node)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let remedy = did_you_mean(text, words.iter().map(|(word, _)| *word));
            self.doc.problem(node.line, format!("`{}` cannot be \"{text}\"", self.name(key)), remedy);
        }
        found.map(|(_, value)| value.clone())
    }

    /// A list of texts that must be there and not be empty.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<Located<String>> {
        let list = self.wanted(key, "[\"…\"]", self.opt_list(key)).unwrap_or_default();
        if list.is_empty() && self.find(key).is_some_and(|entry| matches!(entry.node.value, Value::List(_))) {
            self.problem(key, format!("`{}` is empty", self.name(key)), "write at least one entry");
        }
        list
    }

    /// A list of texts, by default none.
    #[must_use]
    pub fn list_or_empty(&self, key: &str) -> Vec<Located<String>> {
        self.opt_list(key).unwrap_or_default()
    }

    fn opt_list(&self, key: &str) -> Option<Vec<Located<String>>> {
        let node = self.get(key)?;
        let Value::List(nodes) = &node.value else {
            self.mistyped(key, node, &format!("write a list, like {key} = [\"…\", \"…\"]"));
            return None;
        };
        let located = |node: &Node| {
            let value = self.text(key, node)?.to_owned();
            Some(Located { value, line: node.line })
        };
        Some(nodes.iter().filter_map(located).collect())
    }

    /// A list of whole numbers that must be there and not be empty.
    #[must_use]
    pub fn ints<T>(&self, key: &str, range: RangeInclusive<T>) -> Vec<Located<T>>
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        let remedy = format!("write whole numbers from {} to {}, like [7, 9]", range.start(), range.end());
        let Some(node) = self.wanted(key, "[…]", self.get(key)) else { return Vec::new() };
        let Value::List(nodes) = &node.value else {
            self.mistyped(key, node, &remedy);
            return Vec::new();
        };
        if nodes.is_empty() {
            self.problem(key, format!("`{}` is empty", self.name(key)), remedy.clone());
        }
        let located = |node: &Node| {
            let Value::Int(value) = node.value else {
                self.doc.problem(
                    node.line,
                    format!("`{}` has {} in it", self.name(key), node.value.kind()),
                    &remedy,
                );
                return None;
            };
            let value = value.and_then(|value| T::try_from(value).ok()).filter(|value| range.contains(value));
            if value.is_none() {
                self.doc.problem(
                    node.line,
                    format!("`{}` has a number out of range", self.name(key)),
                    &remedy,
                );
            }
            Some(Located { value: value?, line: node.line })
        };
        nodes.iter().filter_map(located).collect()
    }

    /// A table that must be there.
    #[must_use]
    pub fn table(&self, key: &str) -> Section<'d> {
        if self.get(key).is_none() && self.entries.is_some() {
            let what = format!("there is no section [{}]", self.name(key));
            self.doc.problem(self.line, what, "add it");
        }
        self.table_or_empty(key)
    }

    /// A table, by default one without keys (whose own `str`, `int`… are not missed either).
    #[must_use]
    pub fn table_or_empty(&self, key: &str) -> Section<'d> {
        self.opt_table(key).unwrap_or_else(|| Section {
            doc: self.doc,
            path: self.name(key),
            line: self.line,
            entries: None,
            asked: RefCell::default(),
        })
    }

    #[must_use]
    pub fn opt_table(&self, key: &str) -> Option<Section<'d>> {
        let node = self.get(key)?;
        if !matches!(node.value, Value::Table(_)) {
            self.mistyped(key, node, &format!("write a section [{}]", self.name(key)));
        }
        let mut section = Section::new(self.doc, self.name(key), node);
        section.line = self.line_of_key(key);
        Some(section)
    }

    /// A list of tables: `[[key]]` or `key = [{ … }, { … }]`; by default none.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Section<'d>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let remedy = format!("write {key} = [{{ … }}, {{ … }}] or [[{}]]", self.name(key));
        let Value::List(nodes) = &node.value else {
            self.mistyped(key, node, &remedy);
            return Vec::new();
        };
        let section = |(i, node): (usize, &'d Node)| {
            let path = format!("{}[{}]", self.name(key), i + 1);
            if !matches!(node.value, Value::Table(_)) {
                let what = format!("`{path}` is {}", node.value.kind());
                self.doc.problem(node.line, what, remedy.clone());
            }
            Section::new(self.doc, path, node)
        };
        nodes.iter().enumerate().map(section).collect()
    }

    fn find(&self, key: &str) -> Option<&'d Entry> {
        self.entries?.iter().find(|entry| entry.key == key)
    }

    fn line_of_key(&self, key: &str) -> usize {
        self.find(key).map_or(self.line, |entry| entry.line)
    }

    /// The node of `key`; from here on the key is a known one.
    fn get(&self, key: &str) -> Option<&'d Node> {
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|known| known == key) {
            asked.push(key.to_owned());
        }
        self.find(key).map(|entry| &entry.node)
    }

    fn name(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Passes `value` on, after reporting a key that is not there at all.
    fn wanted<T>(&self, key: &str, example: &str, value: Option<T>) -> Option<T> {
        if self.entries.is_some() && self.find(key).is_none() {
            self.doc.problem(
                self.line,
                format!("`{}` is missing", self.name(key)),
                format!("add {key} = {example}"),
            );
        }
        value
    }

    fn text(&self, key: &str, node: &'d Node) -> Option<&'d str> {
        if let Value::Str(text) = &node.value {
            return Some(text);
        }
        self.mistyped(key, node, "write text in double quotes");
        None
    }

    fn mistyped(&self, key: &str, node: &Node, remedy: &str) {
        self.doc.problem(node.line, format!("`{}` is {}", self.name(key), node.value.kind()), remedy);
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Str(_) => "text",
            Self::Int(_) => "a whole number",
            Self::Float => "a fraction",
            Self::Bool(_) => "true or false",
            Self::Date => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a section",
        }
    }
}

/// The remedy for a name that is not among the known ones.
pub fn did_you_mean<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("it can be: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Reads `"250ms"`, `"20s"`, `"1m30s"`, `"2h"`, `"7d"`; `None` for anything else, as too long a span.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let amount: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_ms = match rest[..unit_len].trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total_ms = amount.checked_mul(unit_ms).and_then(|ms| total_ms.checked_add(ms))?;
        rest = &rest[unit_len..];
    }
    Some(Duration::from_millis(total_ms))
}

/// The shortest text that [`parse_duration`] reads as `span`, to the millisecond.
#[must_use]
pub fn show_duration(span: Duration) -> String {
    let mut ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if ms >= unit_ms {
            text.push_str(&format!("{}{unit}", ms / unit_ms));
            ms %= unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn grammar_remedy(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "give this name once: remove or rename one of the two"
    } else if message.contains("string") || message.contains("quote") {
        "text stands in double quotes, opened and closed on the same line"
    } else {
        "a line is `key = value`, `[section]` or `# comment`"
    }
}

/// Byte offsets of the line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

fn convert_table(table: &DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let mut entries: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let entry = Entry {
                key: key.get_ref().to_string(),
                line: lines.line_of(start),
                node: convert(value, lines),
            };
            (start, entry)
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn convert(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Str(text.to_string()),
        DeValue::Integer(int) => Value::Int(i64::from_str_radix(int.as_str(), int.radix()).ok()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(list) => Value::List(list.iter().map(|value| convert(value, lines)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, lines)),
    };
    Node { line: lines.line_of(value.span().start), value: converted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// Reads a little of everything and gives the problems as text.
    fn problems(text: &str) -> Vec<String> {
        let doc = match Doc::parse("f", text) {
            Ok(doc) => doc,
            Err(problems) => return problems.iter().map(ToString::to_string).collect(),
        };
        let root = doc.root();
        let _ = (root.str("name"), root.int("port", 1..=65_535_u16), root.bool_or("open", true));
        let _ = (root.duration("ring", Duration::from_secs(1)..=DAY), root.list_or_empty("codes"));
        let _ = (root.opt_parsed::<std::net::IpAddr>("ip", "10.0.0.1"), root.opt_choice("of", &[("a", 1)]));
        for section in root.tables("item") {
            let _ = section.str("id");
            section.finish();
        }
        root.finish();
        match doc.done(()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(problems(text), expect, "{text}");
    }

    #[test]
    fn a_right_file_has_no_problems() {
        check("name = \"n\"\nport = 0x10\nring = \"1m30s\"\ncodes = [\"a\"]\n[[item]]\nid = \"x\"\n", &[]);
    }

    #[test]
    fn every_error_is_reported_at_once_and_in_order() {
        check(
            "port = 70000\nring = 20\nopen = \"yes\"\ncodes = [1]\nnmae = \"n\"\nip = \"ten\"\nof = \"b\"\n\
             [[item]]\nid = 3\nextra = 1\n",
            &[
                "f:1: `name` is missing; add name = \"…\"",
                "f:1: `port` is out of range; write a whole number from 1 to 65535",
                "f:2: `ring` is a whole number; write a number and its unit (ms, s, m, h, d) in quotes, like \"20s\"",
                "f:3: `open` is text; write true or false, without quotes",
                "f:4: `codes` is a whole number; write text in double quotes",
                "f:5: unknown key `nmae`; did you mean `name`?",
                "f:6: `ip` cannot be read: \"ten\"; write it like \"10.0.0.1\"",
                "f:7: `of` cannot be \"b\"; it can be: a",
                "f:9: `item[1].id` is a whole number; write text in double quotes",
                "f:10: unknown key `item[1].extra`; remove it; known here: id",
            ],
        );
    }

    #[test]
    fn a_file_that_is_not_toml_says_where() {
        let found = problems("name = \"a\"\nname = \"b\"\nport = = 1\n");
        assert!(found.iter().any(|p| p.starts_with("f:2: not TOML: duplicate key")), "{found:?}");
        assert!(found.iter().any(|p| p.starts_with("f:3: not TOML: ")), "{found:?}");
    }

    #[test]
    fn a_missing_section_is_one_problem_and_not_ten() {
        let doc = Doc::parse("f", "a = 1\n").unwrap();
        let root = doc.root();
        let section = root.table("sip");
        assert_eq!(section.int("port", 1..=9_u8), 1);
        assert_eq!(section.str("host"), "");
        section.finish();
        let found: Vec<String> = doc.done(()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["f:1: there is no section [sip]; add it"]);
    }

    #[test]
    fn spans_of_time_have_units() {
        let check = |text: &str, expect: Option<u64>| {
            let span = parse_duration(text);
            assert_eq!(span, expect.map(Duration::from_millis), "{text}");
            if let Some(span) = span {
                assert_eq!(parse_duration(&show_duration(span)), Some(span));
            }
        };
        check("250ms", Some(250));
        check("20s", Some(20_000));
        check("1m30s", Some(90_000));
        check("2h", Some(7_200_000));
        check("7d", Some(604_800_000));
        check("0s", Some(0));
        check("20", None);
        check("20 sec", None);
        check("s", None);
        check("-1s", None);
        check("", None);
        check("99999999999999999999s", None);
    }

    #[test]
    fn a_monstrous_file_is_refused_unread() {
        check(
            &"a.".repeat(LINE_BYTES_MAX),
            &["f:1: this line is longer than 2000 bytes; break it into several lines"],
        );
        assert_eq!(problems(&"#\n".repeat(FILE_BYTES_MAX)).len(), 1);
    }
}
