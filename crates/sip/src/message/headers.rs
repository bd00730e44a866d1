use std::fmt;

/// Header fields in their order: one text that holds all names and values, and their places in it.
///
/// Compact names are expanded, known names have their usual spelling, values are unfolded. Via, Route,
/// Record-Route, Contact, Path and P-Asserted-Identity have one value per field, even if they came as a
/// list. `Content-Length` is never among the fields: encoding writes it.
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Field>,
}

impl Headers {
    /// Name and value of every field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (self.name(field), self.value(field)))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value of that name; names compare without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.value(&self.fields[at]))
    }

    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Appends. Line ends inside the value become blanks, so that no value can add a line.
    pub fn push(&mut self, name: &str, value: &str) {
        let field = self.field(name, value);
        self.fields.push(field);
    }

    /// Puts a field before all others.
    pub fn prepend(&mut self, name: &str, value: &str) {
        let field = self.field(name, value);
        self.fields.insert(0, field);
    }

    /// Replaces the first field of that name in its place and drops the others; appends if there is none.
    pub fn set(&mut self, name: &str, value: &str) {
        let Some(at) = self.position(name) else { return self.push(name, value) };
        let field = self.field(name, value);
        let after = self.fields.split_off(at);
        self.fields.push(field);
        let text = &self.text;
        let others = |field: &Field| !field.name.text(text).eq_ignore_ascii_case(name);
        self.fields.extend(after.into_iter().skip(1).filter(others));
    }

    pub fn remove(&mut self, name: &str) {
        let Self { text, fields } = self;
        fields.retain(|field| !field.name.text(text).eq_ignore_ascii_case(name));
    }

    pub(super) fn with_capacity(text_bytes: usize, fields: usize) -> Self {
        Self { text: String::with_capacity(text_bytes), fields: Vec::with_capacity(fields) }
    }

    /// Replaces the value of the first field of that name, if there is one.
    pub(super) fn replace_first(&mut self, name: &str, value: &str) {
        if let Some(at) = self.position(name) {
            self.fields[at] = self.field(name, value);
        }
    }

    /// Copies every field of that name, or only the first, as it came on the wire.
    pub(super) fn copy_from(&mut self, other: &Self, name: &str, count_max: usize) {
        let same = |field: &&Field| other.name(field).eq_ignore_ascii_case(name);
        for field in other.fields.iter().filter(same).take(count_max) {
            let copy = self.field(name, other.value(field));
            self.fields.push(Field { raw: field.raw.clone(), ..copy });
        }
    }

    /// Appends a name in its usual spelling and a value known to hold no line end.
    pub(super) fn push_known(&mut self, name: &'static str, value: &str) {
        let value = self.append_line(value);
        self.fields.push(Field { name: Name::Known(name), value, raw: None });
    }

    /// Appends a value that did not arrive as UTF-8: `raw` is what will be sent again, `value` how it reads.
    pub(super) fn push_raw(&mut self, name: &str, value: &str, raw: &[u8]) {
        let field = self.field(name, value);
        self.fields.push(Field { raw: Some(raw.into()), ..field });
    }

    /// Appends to the value of the first field of that name.
    pub(super) fn extend_first(&mut self, name: &str, suffix: &str) {
        let Some(at) = self.position(name) else { return };
        let value = format!("{}{suffix}", self.value(&self.fields[at]));
        let raw =
            self.fields[at].raw.take().map(|raw| [&*raw, suffix.as_bytes()].concat().into_boxed_slice());
        let field = self.field(name, &value);
        self.fields[at] = Field { raw, ..field };
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        for field in &self.fields {
            out.extend_from_slice(self.name(field).as_bytes());
            out.extend_from_slice(b": ");
            match &field.raw {
                Some(raw) => out.extend_from_slice(raw),
                None => out.extend_from_slice(self.value(field).as_bytes()),
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    pub(super) fn encoded_bytes(&self) -> usize {
        self.text.len() + self.fields.len() * 16
    }

    fn field(&mut self, name: &str, value: &str) -> Field {
        let name = canonical(name.as_bytes()).map_or_else(|| Name::Other(self.append(name)), Name::Known);
        Field { name, value: self.append(value), raw: None }
    }

    fn append(&mut self, text: &str) -> Span {
        if !text.contains(['\r', '\n']) {
            return self.append_line(text);
        }
        self.append_line(&text.replace(['\r', '\n'], " "))
    }

    fn append_line(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span::new(start, self.text.len())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| self.name(field).eq_ignore_ascii_case(name))
    }

    fn name(&self, field: &Field) -> &str {
        field.name.text(&self.text)
    }

    fn value(&self, field: &Field) -> &str {
        &self.text[field.value.range()]
    }
}

/// Same fields in the same order; what replaced values left behind does not count.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

/// Names only: values hold phone numbers.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[derive(Clone)]
struct Field {
    name: Name,
    value: Span,
    /// The bytes on the wire, where they are not the UTF-8 of the value.
    raw: Option<Box<[u8]>>,
}

#[derive(Clone, Copy)]
enum Name {
    Known(&'static str),
    Other(Span),
}

impl Name {
    fn text(self, text: &str) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(span) => &text[span.range()],
        }
    }
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Messages are at most 64 KiB and what is built here stays far below 4 GiB; should a text ever grow
    /// beyond, its end reads as empty.
    fn new(start: usize, end: usize) -> Self {
        let offset = |at| u32::try_from(at).unwrap_or(0);
        Self { start: offset(start), end: offset(end) }
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The usual spelling of a known header name, compact form (RFC 3261 section 7.3.3) included.
pub(super) fn canonical(name: &[u8]) -> Option<&'static str> {
    let candidates: &[&'static str] = match name.len() {
        1 => return compact(name[0]),
        2 => &["To"],
        3 => &["Via"],
        4 => &["From", "CSeq", "RSeq", "RAck", "Date", "Path"],
        5 => &["Allow", "Route", "Event"],
        6 => &["Accept", "Server", "Reason", "Min-SE"],
        7 => &["Call-ID", "Contact", "Expires", "Require", "Subject", "Privacy", "Warning"],
        8 => &["Refer-To", "Priority", "Replaces", "Identity"],
        9 => &["Supported", "Diversion"],
        10 => &["User-Agent", "Alert-Info"],
        11 => &["Retry-After", "Unsupported", "Min-Expires", "Referred-By"],
        12 => &["Content-Type", "Max-Forwards", "Record-Route", "History-Info", "Allow-Events"],
        13 => &["Authorization", "Proxy-Require", "Service-Route"],
        14 => &["Content-Length"],
        15 => &["Session-Expires"],
        16 => &["WWW-Authenticate", "Content-Encoding"],
        18 => &["Proxy-Authenticate", "Subscription-State"],
        19 => &["P-Asserted-Identity", "Proxy-Authorization", "Content-Disposition"],
        20 => &["P-Preferred-Identity"],
        _ => return None,
    };
    candidates.iter().find(|candidate| candidate.as_bytes().eq_ignore_ascii_case(name)).copied()
}

fn compact(letter: u8) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        fields.iter().for_each(|(name, value)| headers.push(name, value));
        headers
    }

    fn text(headers: &Headers) -> String {
        let mut out = Vec::new();
        headers.encode_into(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_get_their_usual_spelling_and_compare_without_case() {
        let headers = headers(&[("v", "1"), ("cSeQ", "2"), ("x-Own", "3")]);
        assert_eq!(text(&headers), "Via: 1\r\nCSeq: 2\r\nx-Own: 3\r\n");
        assert_eq!(
            (headers.get("VIA"), headers.get("X-OWN"), headers.get("To")),
            (Some("1"), Some("3"), None)
        );
    }

    #[test]
    fn setting_replaces_in_place_and_drops_the_others() {
        let mut headers = headers(&[("Aa", "1"), ("Bb", "2"), ("aA", "3"), ("Cc", "4")]);
        headers.set("aa", "5");
        headers.set("Dd", "6");
        headers.prepend("Via", "v");
        headers.remove("CC");
        assert_eq!(text(&headers), "Via: v\r\naa: 5\r\nBb: 2\r\nDd: 6\r\n");
        assert_eq!(headers.len(), 4);
    }

    #[test]
    fn no_value_can_add_a_line() {
        assert_eq!(text(&headers(&[("Subject", "a\r\nVia: b")])), "Subject: a  Via: b\r\n");
    }

    #[test]
    fn every_name_is_filed_under_its_own_length_and_spelt_as_rsip_spells_it() {
        use rsip::headers::UntypedHeader as _;
        let check = |line: String| {
            let name = line.split(':').next().unwrap();
            assert_eq!(canonical(name.to_ascii_lowercase().as_bytes()), Some(name));
        };
        check(rsip::headers::Via::new("").to_string());
        check(rsip::headers::From::new("").to_string());
        check(rsip::headers::To::new("").to_string());
        check(rsip::headers::CallId::new("").to_string());
        check(rsip::headers::CSeq::new("").to_string());
        check(rsip::headers::Contact::new("").to_string());
        check(rsip::headers::MaxForwards::new("").to_string());
        check(rsip::headers::RecordRoute::new("").to_string());
        check(rsip::headers::Route::new("").to_string());
        check(rsip::headers::ContentType::new("").to_string());
        check(rsip::headers::ContentLength::new("").to_string());
        check(rsip::headers::Supported::new("").to_string());
        check(rsip::headers::Require::new("").to_string());
        check(rsip::headers::Authorization::new("").to_string());
        check(rsip::headers::ProxyAuthorization::new("").to_string());
        check(rsip::headers::WwwAuthenticate::new("").to_string());
        check(rsip::headers::UserAgent::new("").to_string());
    }
}
