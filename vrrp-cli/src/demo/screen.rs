//! Where the demonstration's text goes: lines, and on a terminal one more that is redrawn below them.
//!
//! Knows terminals; not what is said.

use std::io::{self, Write};
use std::time::Duration;

/// How a piece of text is shown where colours are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Heading,
    Good,
    Bad,
    Faint,
}

/// The output.
pub(super) struct Screen {
    out: Box<dyn Write + Send>,
    color: bool,
    live: bool,
    /// The redrawn line, as it is on the terminal now.
    shown: String,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>, color: bool, live: bool) -> Self {
        Self { out, color, live, shown: String::new() }
    }

    /// `text` in a colour, where there are colours.
    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Heading => "1",
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Faint => "2",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Lines of text, above the redrawn one.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.erase()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// One line of the timeline.
    pub(super) fn event(&mut self, elapsed: Duration, paint: Paint, text: &str) -> io::Result<()> {
        let line = format!("{:7.2} s   {}", elapsed.as_secs_f64(), self.paint(paint, text));
        self.text(&line)
    }

    /// Redraws the line at the bottom, on a terminal.
    pub(super) fn status(&mut self, line: String) -> io::Result<()> {
        if !self.live || line == self.shown {
            return Ok(());
        }
        write!(self.out, "\r\x1b[K{line}")?;
        self.shown = line;
        self.out.flush()
    }

    /// Removes the redrawn line, as well as the output lets it.
    pub(super) fn clear(&mut self) {
        // Whoever cannot write here could not write before either, and has said so.
        let _ = self.erase().and_then(|()| self.out.flush());
    }

    fn erase(&mut self) -> io::Result<()> {
        if !self.shown.is_empty() {
            self.shown.clear();
            write!(self.out, "\r\x1b[K")?;
        }
        Ok(())
    }
}
