//! A small reader of Rust and TypeScript: tokens with line numbers, functions with their lengths.
//!
//! Deliberately absent: a grammar. Strings and comments are understood, so that a word inside them is
//! never taken for code; everything else is judged by the tokens around it.

/// The content of strings is dropped: every string is the token `""`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    /// From 1.
    pub line: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    Script,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    pub line: usize,
    /// From the line of its `fn` to the line of its closing brace, both counted.
    pub lines: usize,
}

pub fn tokens(language: Language, source: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { language, source, at: 0, line: 1, found: Vec::new() };
    while lexer.at < source.len() {
        lexer.step();
    }
    lexer.found
}

/// Where `pattern` (tokens separated by blanks) stands in `tokens`: the line of each place.
pub fn lines_with(tokens: &[Token<'_>], pattern: &str) -> Vec<usize> {
    let words: Vec<&str> = pattern.split(' ').collect();
    let fits = |window: &&[Token<'_>]| window.iter().zip(&words).all(|(token, word)| token.text == *word);
    tokens.windows(words.len()).filter(fits).map(|window| window[0].line).collect()
}

/// The tokens that remain when every item under `#[cfg(test)]` is taken out.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].iter().zip(MARK).filter(|(token, mark)| token.text == *mark).count();
        if marked == MARK.len() {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Modules declared as `#[cfg(test)] mod name;`: the files that hold nothing but tests.
pub fn test_modules<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for window in tokens.windows(10) {
        let texts: Vec<&str> = window.iter().map(|token| token.text).collect();
        if texts[..8] == ["#", "[", "cfg", "(", "test", ")", "]", "mod"] && texts[9] == ";" {
            names.push(texts[8]);
        }
    }
    names
}

/// Rust: every `fn` with a body. Script: `function name` and `name = (…) => {`; nameless callbacks,
/// such as the body of a `describe`, are not functions in this sense.
pub fn functions<'a>(language: Language, tokens: &[Token<'a>]) -> Vec<Function<'a>> {
    let keyword = if language == Language::Rust { "fn" } else { "function" };
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let body = if pair[0].text == keyword && is_word(pair[1].text) {
            body_of(tokens, at + 2).map(|open| (pair[1].text, open))
        } else if language == Language::Script && pair[1].text == "=" && is_word(pair[0].text) {
            arrow_body(tokens, at + 2).map(|open| (pair[0].text, open))
        } else {
            None
        };
        if let Some((name, open)) = body {
            let close = tokens.get(matching(tokens, open)).or(tokens.last()).map_or(0, |token| token.line);
            found.push(Function { name, line: pair[0].line, lines: close + 1 - pair[0].line });
        }
    }
    found
}

/// Names that are declared as a `HashMap` or `HashSet` and then walked through, with the line.
pub fn hash_walks<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    const WALKS: [&str; 10] = [
        "iter",
        "iter_mut",
        "into_iter",
        "keys",
        "into_keys",
        "values",
        "values_mut",
        "into_values",
        "drain",
        "retain",
    ];
    let names = hash_names(tokens);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| names.contains(&token.text)) {
        let after = |n: usize| tokens.get(at + n).map_or("", |token| token.text);
        let called = after(1) == "." && WALKS.contains(&after(2)) && after(3) == "(";
        let mut before = at;
        while before > 0 && ["self", ".", "&", "mut"].contains(&tokens[before - 1].text) {
            before -= 1;
        }
        let looped = before > 0 && tokens[before - 1].text == "in" && after(1) == "{";
        if called || looped {
            found.push((token.text, token.line));
        }
    }
    found
}

/// Channels without a bound: `unbounded…` of any library and the argument-less `channel()` of std.
pub fn unbounded_channels(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |n: usize| at.checked_sub(n).map_or("", |place| tokens[place].text);
        let other_kind = ["fn", "."].contains(&before(1)) || before(1) == "::" && before(2) == "oneshot";
        let called = tokens.get(at + 1).is_some_and(|next| next.text == "(" || next.text == "::");
        let unbounded = called && (token.text == "unbounded" || token.text == "unbounded_channel");
        if unbounded || token.text == "channel" && !other_kind && has_no_arguments(tokens, at + 1) {
            lines.push(token.line);
        }
    }
    lines
}

fn has_no_arguments(tokens: &[Token<'_>], mut at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    if text(at) == "::" && text(at + 1) == "<" {
        let mut depth = 0_i32;
        at += 1;
        while at < tokens.len() {
            depth += i32::from(text(at) == "<") - i32::from(text(at) == ">");
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    text(at) == "(" && text(at + 1) == ")"
}

fn hash_names<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let is_hash = |text: &str| text == "HashMap" || text == "HashSet";
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| is_hash(token.text)) {
        // Back over a path and a reference: `name: &std::collections::HashMap<`, `name = HashMap::new()`.
        let mut before = at;
        while before > 0 && (["::", "std", "collections", "&", "mut"].contains(&tokens[before - 1].text)) {
            before -= 1;
        }
        let introduces = before >= 2 && [":", "="].contains(&tokens[before - 1].text);
        if introduces && is_word(tokens[before - 2].text) && token.line > 0 {
            names.push(tokens[before - 2].text);
        }
    }
    names
}

/// The place after the item that begins at `at`: after its `;` or its closing brace.
fn end_of_item(tokens: &[Token<'_>], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "}" => return at,
            "{" => return matching(tokens, at) + 1,
            "(" | "[" => at = matching(tokens, at) + 1,
            _ => at += 1,
        }
    }
    at
}

/// The `{` that opens the body of the function whose signature goes on at `at`; none for a declaration.
fn body_of(tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
    while at < tokens.len() {
        match tokens[at].text {
            "{" => return Some(at),
            ";" => return None,
            "(" | "[" => at = matching(tokens, at) + 1,
            _ => at += 1,
        }
    }
    None
}

fn arrow_body(tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    if text(at) == "async" {
        at += 1;
    }
    if text(at) != "(" {
        return None;
    }
    at = matching(tokens, at) + 1;
    while text(at) == ":" || is_word(text(at)) || ["<", ">", "[", "]", "|", "."].contains(&text(at)) {
        at += 1;
    }
    (text(at) == "=>" && text(at + 1) == "{").then_some(at + 1)
}

/// The place of the bracket that closes the one at `open`; the end if none does.
fn matching(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '$')
}

struct Lexer<'a> {
    language: Language,
    source: &'a str,
    at: usize,
    line: usize,
    found: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let first = rest.chars().next().unwrap_or(' ');
        let rust = self.language == Language::Rust;
        let length = match first {
            _ if first.is_whitespace() => return self.skip(first.len_utf8()),
            '/' if rest.starts_with("//") => return self.skip(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => return self.skip(comment(rest, rust)),
            '/' if !rust && self.expects_value() => return self.string(until(rest, '/')),
            'r' | 'b' | 'c' if rust && raw_string(rest).is_some() => {
                return self.string(raw_string(rest).unwrap_or(1));
            }
            'b' | 'c' if rust && rest[1..].starts_with('"') => {
                return self.string(1 + until(&rest[1..], '"'));
            }
            '"' => return self.string(until(rest, '"')),
            '\'' if !rust || is_char(rest) => return self.string(until(rest, '\'')),
            '`' if !rust => return self.string(until(rest, '`')),
            '\'' => 1 + word(&rest[1..]),
            _ if is_word(rest) || first.is_numeric() => word(rest),
            _ if ["::", "=>", "->"].iter().any(|joined| rest.starts_with(joined)) => 2,
            _ => first.len_utf8(),
        };
        self.found.push(Token { text: &rest[..length], line: self.line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.line += self.source[self.at..self.at + length].matches('\n').count();
        self.at += length;
    }

    fn string(&mut self, length: usize) {
        self.found.push(Token { text: "\"\"", line: self.line });
        self.skip(length);
    }

    /// In a script, whether a `/` here begins a regular expression: nothing stands before it to divide.
    fn expects_value(&self) -> bool {
        self.found.last().is_none_or(|token| {
            let closes = [")", "]", "}", "\"\""].contains(&token.text);
            token.text == "return"
                || !closes && !is_word(token.text) && !token.text.starts_with(char::is_numeric)
        })
    }
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len()).max(1)
}

fn comment(rest: &str, nests: bool) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") && (nests || depth == 0) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Length of a quoted text with backslash escapes, both quotes included.
fn until(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`: its length, if `rest` begins with one.
fn raw_string(rest: &str) -> Option<usize> {
    let marks = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let text = marks[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text.find(&end).map_or(text.len(), |at| at + end.len());
    Some(rest.len() - text.len() + length)
}

/// Whether a `'` begins a character and not a lifetime.
fn is_char(rest: &str) -> bool {
    let mut after = rest[1..].chars();
    match after.next() {
        Some('\\') => true,
        Some(_) => after.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(language: Language, source: &str) -> Vec<&str> {
        tokens(language, source).iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_in_strings_and_comments_are_not_code() {
        let check =
            |source: &str, expect: &[&str]| assert_eq!(texts(Language::Rust, source), expect, "{source}");
        check("a // b\nc", &["a", "c"]);
        check("a /* b /* c */ d */ e", &["a", "e"]);
        check(r#"a("b \" c", d)"#, &["a", "(", "\"\"", ",", "d", ")"]);
        check(r##"r#"a " b"# c br"d" e"##, &["\"\"", "c", "\"\"", "e"]);
        check("'{' 'a '\\'' '值'", &["\"\"", "'a", "\"\"", "\"\""]);
        check("Instant::now", &["Instant", "::", "now"]);
        check("b\"x{\" race", &["\"\"", "race"]);
    }

    #[test]
    fn a_script_has_three_quotes_and_regular_expressions() {
        let check =
            |source: &str, expect: &[&str]| assert_eq!(texts(Language::Script, source), expect, "{source}");
        check("f('a', `b ${c} {`)", &["f", "(", "\"\"", ",", "\"\"", ")"]);
        check("x = /[{]/.test(y)", &["x", "=", "\"\"", ".", "test", "(", "y", ")"]);
        check("a / b / c", &["a", "/", "b", "/", "c"]);
    }

    #[test]
    fn a_function_is_as_long_as_from_its_first_line_to_its_closing_brace() {
        let check = |language, source: &str, expect: &[(&str, usize)]| {
            let tokens = tokens(language, source);
            let found: Vec<_> = functions(language, &tokens).iter().map(|f| (f.name, f.lines)).collect();
            assert_eq!(found, expect, "{source}");
        };
        check(Language::Rust, "fn a() {}", &[("a", 1)]);
        check(Language::Rust, "fn a(\n b: [u8; 2],\n) -> u8 {\n \"}\";\n}", &[("a", 5)]);
        check(Language::Rust, "trait T { fn a(&self);\n fn b() {\n } }", &[("b", 2)]);
        check(Language::Rust, "fn a() {\n fn b() {\n }\n}", &[("a", 4), ("b", 2)]);
        check(Language::Rust, "type F = fn(u8) -> u8;", &[]);
        check(
            Language::Script,
            "function a() {\n}\nconst b = async (c: C): D => {\n return {}\n}",
            &[("a", 2), ("b", 3)],
        );
        check(Language::Script, "describe('x', () => {\n})", &[]);
    }

    #[test]
    fn tests_are_taken_out_before_a_pure_crate_is_judged() {
        let source =
            "use a;\n#[cfg(test)]\nmod tests { use b; fn c() { d(); } }\nuse e;\n#[cfg(test)] mod f;";
        let all = tokens(Language::Rust, source);
        let kept: Vec<_> = without_tests(&all).iter().map(|token| token.text).collect();
        assert_eq!(kept, ["use", "a", ";", "use", "e", ";"]);
        assert_eq!(test_modules(&all), ["f"]);
    }

    #[test]
    fn a_hash_map_may_be_asked_but_not_walked() {
        let check = |source: &str, expect: &[&str]| {
            let tokens = tokens(Language::Rust, source);
            let found: Vec<_> = hash_walks(&tokens).iter().map(|(name, _)| *name).collect();
            assert_eq!(found, expect, "{source}");
        };
        check("struct S { m: HashMap<u8, u8> } self.m.get(1); self.m.insert(1, 2);", &[]);
        check("struct S { m: HashMap<u8, u8> } self.m.values().next();", &["m"]);
        check("let mut m = std::collections::HashMap::new(); for x in &m {}", &["m"]);
        check("fn f(m: &HashSet<u8>) { m.iter() }", &["m"]);
        check("let m = BTreeMap::new(); m.iter()", &[]);
    }

    #[test]
    fn a_channel_without_a_number_is_unbounded() {
        let check = |source: &str, expect: usize| {
            assert_eq!(unbounded_channels(&tokens(Language::Rust, source)).len(), expect, "{source}");
        };
        check("mpsc::channel()", 1);
        check("let (a, b) = channel::<Vec<u8>>();", 1);
        check("tokio::sync::mpsc::unbounded_channel()", 1);
        check("flume::unbounded()", 1);
        check("mpsc::channel(16)", 0);
        check("oneshot::channel()", 0);
        check("sync_channel(4); self.channel(); fn channel() {}", 0);
    }

    #[test]
    fn a_pattern_is_found_with_its_line() {
        let tokens = tokens(Language::Rust, "a\nb::c()\n");
        assert_eq!(lines_with(&tokens, "b :: c"), [2]);
        assert_eq!(lines_with(&tokens, "c :: b"), [] as [usize; 0]);
    }
}
