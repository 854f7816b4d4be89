//! The one error type: what was attempted, on which interface, what the kernel said.

use std::fmt;
use std::io;

/// A failed request to the kernel.
///
/// Displays as `operation on interface: cause (the kernel's own text)`.
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    interface: Option<String>,
    source: io::Error,
    kernel: Option<String>,
}

impl Error {
    /// `operation` completes the sentence "cannot ...": `"open a raw socket"`.
    pub fn new(operation: &'static str, source: impl Into<io::Error>) -> Self {
        Self { operation, interface: None, source: source.into(), kernel: None }
    }

    /// Names the interface the operation was about.
    #[must_use]
    pub fn on(mut self, interface: impl Into<String>) -> Self {
        self.interface = Some(interface.into());
        self
    }

    /// Adds the text of the kernel's extended acknowledgement; an empty one is left out.
    #[must_use]
    pub fn with_kernel_text(mut self, text: impl Into<String>) -> Self {
        self.kernel = Some(text.into()).filter(|text| !text.is_empty());
        self
    }

    /// What was attempted.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The interface, where one is known.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// The kernel's own explanation (extended acknowledgement), where it gave one.
    pub fn kernel_text(&self) -> Option<&str> {
        self.kernel.as_deref()
    }

    /// The kind of the underlying I/O error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)?;
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        write!(f, ": {}", self.source)?;
        if let Some(kernel) = &self.kernel {
            write!(f, " ({kernel})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
