//! What every answer has in common: what was asked for, and the headers that say what is to be known beside it.

use super::rights;
use crate::api::{self, WARNINGS};
use crate::socket::Viewer;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Who asks, in the words of a header of the answer, where they see less than others.
pub(super) const LIMITED: HeaderName = HeaderName::from_static(api::LIMITED);

/// The header that says what is not shown to them, if something is.
pub(super) fn limits(viewer: Viewer) -> HeaderMap {
    let said = rights::limits(viewer).map(HeaderValue::from_static);
    said.map(|said| (LIMITED, said)).into_iter().collect()
}

/// The header that says what of a question matches nothing although the rest can, if something does.
pub(super) fn warnings(warnings: &[String]) -> HeaderMap {
    let said = HeaderValue::from_bytes(warnings.join("; ").as_bytes()).ok();
    let header = said.filter(|_| !warnings.is_empty()).map(|said| (HeaderName::from_static(WARNINGS), said));
    header.into_iter().collect()
}

/// The media types that are asked for.
pub(super) fn accept(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default()
}
