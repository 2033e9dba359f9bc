//! What can go wrong between here and a store.

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::causes;

/// Why a store did not do what it was asked to. The error around it names the object; no text holds a URL, let alone a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The store does not know who asks, or does not let them.
    #[error("access is denied: {reason}")]
    Denied {
        /// What the store said.
        reason: String,
    },
    /// The object is no longer the one that was opened.
    #[error("the object was replaced in the meantime")]
    Changed,
    /// An object of this name is there already.
    #[error("the object exists already")]
    Exists,
    /// The store could not be reached, or failed again at every retry.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// How it failed last.
        reason: String,
    },
    /// Anything else.
    #[error("{reason}")]
    Other {
        /// What the store or the client said.
        reason: String,
    },
}

impl From<&object_store::Error> for RemoteError {
    fn from(error: &object_store::Error) -> Self {
        use object_store::Error;
        match error {
            Error::NotFound { .. } => Self::NotFound,
            Error::AlreadyExists { .. } => Self::Exists,
            Error::Precondition { .. } => Self::Changed,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::Denied { reason: reason(error) },
            error if is_passing(error) => Self::Unavailable { reason: reason(error) },
            error => Self::Other { reason: reason(error) },
        }
    }
}

impl From<object_store::Error> for RemoteError {
    fn from(error: object_store::Error) -> Self {
        Self::from(&error)
    }
}

/// Whether it is of the kind that is retried, so that all retries were in vain.
fn is_passing(error: &object_store::Error) -> bool {
    causes(error).any(|cause| match cause.downcast_ref::<HttpError>() {
        Some(http) => !matches!(http.kind(), HttpErrorKind::Decode | HttpErrorKind::Unknown),
        // The status is nowhere but in the text.
        None => status(&cause.to_string()).is_some_and(|status| status == 429 || status == 408 || status >= 500),
    })
}

/// The status that a message tells of.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// What the innermost cause says, without URLs, which may be signed and are named by who reports the error, and without the server's answer, which
/// may repeat a request with its credentials: of that, only the code of the error stays.
fn reason(error: &object_store::Error) -> String {
    let innermost = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let said = innermost.split(['<', '{', '\n']).next().unwrap_or_default();
    let words = said.split_whitespace().map(|word| if word.contains("://") || word.contains('?') { "..." } else { word });
    let text = words.take(WORDS).collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches(':').to_owned();
    match code(&innermost) {
        Some(code) => format!("{text}: {code}"),
        None => text,
    }
}

/// Most words of what a client says.
const WORDS: usize = 40;

/// The code in an answer of S3 or Azure: one word.
fn code(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn failures_that_pass_are_told_from_others() {
        let unavailable = |text: &str| matches!(RemoteError::from(generic(text)), RemoteError::Unavailable { .. });
        assert!(unavailable("Server returned non-2xx status code: 503 Service Unavailable: "));
        assert!(unavailable("Server returned non-2xx status code: 429 Too Many Requests: "));
        assert!(!unavailable("Server returned non-2xx status code: 416 Range Not Satisfiable: "));
        let source = HttpError::new(HttpErrorKind::Connect, std::io::Error::other("refused"));
        let refused = object_store::Error::Generic { store: "S3", source: Box::new(source) };
        assert_eq!(RemoteError::from(refused), RemoteError::Unavailable { reason: "refused".into() });
    }

    #[test]
    fn texts_hold_no_url() {
        let error = RemoteError::from(generic("Error performing GET https://me:pw@h/a.tif?sig=secret in 3 ms"));
        assert_eq!(error.to_string(), "Error performing GET ... in 3 ms");
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml?><Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA\
                      </AWSAccessKeyId><CanonicalRequest>token:secret</CanonicalRequest></Error>";
        let error = RemoteError::from(generic(answer));
        assert_eq!(error.to_string(), "Server returned non-2xx status code: 403 Forbidden: SignatureDoesNotMatch");
        let error = RemoteError::from(generic("status code: 400 Bad Request: {\"token\": \"secret\"}"));
        assert_eq!(error.to_string(), "status code: 400 Bad Request");
    }
}
