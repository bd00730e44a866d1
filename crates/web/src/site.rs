//! The consoles, built into the binary.

use crate::problem::Problem;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// `ui/dist`, or the placeholder of `build.rs`.
#[derive(RustEmbed)]
#[folder = "$WEB_SITE"]
struct Site;

/// Vite puts a hash of the content into these names, so they never change.
const HASHED_FOLDER: &str = "assets/";

pub(crate) async fn serve_site(uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Site::get(path) {
        Some(file) => respond(path, file, headers.get(header::IF_NONE_MATCH)),
        None => Problem::not_found("page").into_response(),
    }
}

fn respond(path: &str, file: EmbeddedFile, seen: Option<&HeaderValue>) -> Response {
    let tag: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let lifetime =
        if path.starts_with(HASHED_FOLDER) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, lifetime.to_owned())];
    // A compressing layer may have marked the tag as weak.
    let is_seen = seen.and_then(|seen| seen.to_str().ok()).is_some_and(|seen| seen.contains(&tag));
    if is_seen {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, content_type(path))], file.data).into_response()
}

/// Of the kinds of files that the build makes.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}
