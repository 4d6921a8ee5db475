//! Why a bucket or a folder failed. Must never name the content of a file.

/// Why a place did not take or give what it was asked. Names no content.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("S3 did not {action}: {code}")]
    Bucket { action: &'static str, code: String },
    #[error("{path} could not be used")]
    Folder {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no {0}")]
    Missing(String),
    #[error("{0} is larger than it may be")]
    TooLarge(String),
    #[error("an upload ended by itself")]
    Ended,
}
