//! `name-addr` and `addr-spec` with header parameters (RFC 3261 sections 20.10 and 25.1): the values of
//! From, To, Contact, Route, Record-Route and P-Asserted-Identity.
//!
//! Tolerated beyond the grammar: display names of several words without quotes, blanks inside the angle
//! brackets, empty parameters. The text is already decoded: GBK names arrive here as UTF-8.

use crate::uri::{self, Uri, UriError};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// One address with its display name and header parameters. Its `Display` is the header value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddr {
    /// Unquoted and unescaped.
    pub display: Option<String>,
    pub uri: Uri,
    pub params: Params,
}

impl NameAddr {
    /// # Errors
    /// On unbalanced quotes or brackets, and when the address is no URI.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let parts = split(text)?;
        Ok(Self {
            display: parts.display.map(unquote).filter(|display| !display.is_empty()),
            uri: Uri::parse(parts.uri)?,
            params: Params::parse(parts.params)?,
        })
    }

    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = Some(display.to_owned()).filter(|display| !display.is_empty());
        self
    }

    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_char('"')?;
            // Controls could end the header line; nothing is lost with them.
            for c in display.chars().filter(|c| !c.is_control()) {
                if matches!(c, '"' | '\\') {
                    f.write_char('\\')?;
                }
                f.write_char(c)?;
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl FromStr for NameAddr {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// Header parameters in their order; names compare without case, values keep their quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// From `;a=b;c`.
    ///
    /// # Errors
    /// On an open quote or a nameless value.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let mut params = Vec::new();
        for param in raw_params(text) {
            let (name, value) = param?;
            if !name.is_empty() {
                params.push((name.to_owned(), value.map(str::to_owned)));
            }
        }
        Ok(Self(params))
    }

    /// `Some("")` for a parameter without a value; a quoted value comes without its quotes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| bare(value.unwrap_or("")))
    }

    /// Replaces a parameter of the same name in its place, or appends. The value is written as given.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some(param) => param.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// The three parts of a value, still as they were written.
pub(crate) struct Parts<'a> {
    display: Option<&'a str>,
    uri: &'a str,
    /// From the first `;` on, or empty.
    pub(crate) params: &'a str,
}

pub(crate) fn split(text: &str) -> Result<Parts<'_>, UriError> {
    let text = text.trim();
    let Some(open) = find_unquoted(text, b'<')? else {
        // An addr-spec without brackets has no URI parameters: what follows `;` belongs to the header.
        let end = text.find(';').unwrap_or(text.len());
        return Ok(Parts { display: None, uri: text[..end].trim_end(), params: &text[end..] });
    };
    let display = text[..open].trim();
    let inside = &text[open + 1..];
    let close = inside.find('>').ok_or(UriError("Missing > after address"))?;
    let params = inside[close + 1..].trim_start();
    if !params.is_empty() && !params.starts_with(';') {
        return Err(UriError("Text after address"));
    }
    Ok(Parts { display: Some(display).filter(|d| !d.is_empty()), uri: inside[..close].trim(), params })
}

/// Checks a value and gives its tag, without keeping anything.
pub(crate) fn check(text: &str) -> Result<(), UriError> {
    let parts = split(text)?;
    uri::check(parts.uri)?;
    raw_params(parts.params).try_for_each(|param| param.map(drop))
}

/// The parameter's value in a header value, unquoted; `Some("")` if it has none.
pub(crate) fn param_of<'a>(params: &'a str, name: &str) -> Option<&'a str> {
    raw_params(params)
        .filter_map(Result::ok)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| bare(value.unwrap_or("")))
}

/// The parameters of `;a=b; c="d;e"`, values still quoted; an empty name and no value for `;;`.
pub(crate) fn raw_params(text: &str) -> impl Iterator<Item = Result<(&str, Option<&str>), UriError>> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(';')?;
        let end = match find_unquoted(rest, b';') {
            Ok(end) => end.unwrap_or(rest.len()),
            Err(error) => {
                rest = "";
                return Some(Err(error));
            }
        };
        let (param, after) = rest.split_at(end);
        rest = after;
        Some(match param.split_once('=') {
            Some((name, _)) if name.trim().is_empty() => Err(UriError("Parameter without a name")),
            Some((name, value)) => Ok((name.trim(), Some(value.trim()))),
            None => Ok((param.trim(), None)),
        })
    })
}

/// The first `wanted` outside quoted strings (RFC 3261 section 25.1), an error if a quote stays open.
pub(crate) fn find_unquoted(text: &str, wanted: u8) -> Result<Option<usize>, UriError> {
    // Nearly always.
    if !text.as_bytes().contains(&b'"') {
        return Ok(text.as_bytes().iter().position(|byte| *byte == wanted));
    }
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == wanted {
            return Ok(Some(at));
        }
        if byte == b'"' {
            loop {
                match bytes.next() {
                    Some((_, b'"')) => break,
                    Some((_, b'\\')) => drop(bytes.next()),
                    Some(_) => {}
                    None => return Err(UriError("Unbalanced quotes")),
                }
            }
        }
    }
    Ok(None)
}

/// Without the quotes around it; escapes inside stay.
pub(crate) fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Without quotes and escapes.
pub(crate) fn unquote(text: &str) -> String {
    let inner = bare(text);
    if inner.len() == text.len() || !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, display: Option<&str>, uri: &str, tag: Option<&str>) {
        let parsed = NameAddr::parse(text).unwrap();
        assert_eq!(parsed.display.as_deref(), display, "{text}");
        assert_eq!(parsed.uri.as_str(), uri, "{text}");
        assert_eq!(parsed.tag(), tag, "{text}");
        assert_eq!(NameAddr::parse(&parsed.to_string()).as_ref(), Ok(&parsed), "{text}");
    }

    #[test]
    fn every_way_to_write_an_address_is_read() {
        check("sip:a@h", None, "sip:a@h", None);
        check("sip:a@h ;  tag  = x", None, "sip:a@h", Some("x"));
        check("<sip:a@h;lr>;tag=x", None, "sip:a@h;lr", Some("x"));
        check("caller<sip:a@h>;tag=323", Some("caller"), "sip:a@h", Some("323"));
        check("A. B <sip:a@h>", Some("A. B"), "sip:a@h", None);
        check(r#""J \"Q\" \\" <sip:a@h>;x="a;b";tag=y"#, Some(r#"J "Q" \"#), "sip:a@h", Some("y"));
        check(r#""<;tag=1>" < sip:a@h > ;tag=2"#, Some("<;tag=1>"), "sip:a@h", Some("2"));
        check("张三 <tel:110>", Some("张三"), "tel:110", None);
        check(r#""" <sip:a@h>"#, None, "sip:a@h", None);
    }

    #[test]
    fn what_is_unbalanced_or_no_address_is_refused() {
        for text in
            [r#""J <sip:a@h>"#, "<sip:a@h", "<sip:a@h>x", "", "<>", "J", "<sip:a@h>;=x", r#"sip:a@h;x=""#]
        {
            assert!(NameAddr::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_display_name_cannot_break_out_of_its_line() {
        let addr = NameAddr::new(Uri::parse("sip:a@h").unwrap()).with_display("x\"\r\nVia: y\\");
        assert_eq!(addr.to_string(), r#""x\"Via: y\\" <sip:a@h>"#);
        assert_eq!(addr.with_tag("t").to_string(), r#""x\"Via: y\\" <sip:a@h>;tag=t"#);
    }

    #[test]
    fn parameters_keep_their_order_and_are_replaced_in_place() {
        let mut params = Params::parse(r#";a=1;B;c="x;y""#).unwrap();
        assert_eq!((params.get("b"), params.get("C"), params.get("d")), (Some(""), Some("x;y"), None));
        params.set("A", Some("2"));
        params.remove("b");
        params.set("e", None);
        assert_eq!(params.to_string(), r#";a=2;c="x;y";e"#);
    }
}
