//! Where in the text an instance's setting stands.
//!
//! The checked configuration remembers few places; the others are looked for when there is something to say about them,
//! which is rare.

use crate::config::{Instance, SourceMap, Span};
use crate::fmt::scan::{self, Kind};

/// The last line of the block behind `header` that begins with `keyword`; the header when there is none.
pub(super) fn setting(sources: &SourceMap, header: Span, keyword: &str) -> Span {
    find(sources, header, keyword).unwrap_or(header)
}

/// As [`setting`], for an instance.
pub(super) fn of(sources: &SourceMap, instance: &Instance, keyword: &str) -> Span {
    setting(sources, instance.span, keyword)
}

fn find(sources: &SourceMap, header: Span, keyword: &str) -> Option<Span> {
    let text = sources.get(header.file)?.text();
    let mut at = header.range().start;
    let (mut depth, mut opened, mut found) = (0_usize, false, None);
    for line in text.get(at..)?.split_inclusive('\n') {
        let pieces = scan::pieces(line.trim_end_matches(['\n', '\r']));
        let mut fresh = true;
        for (index, piece) in pieces.iter().enumerate() {
            match piece.kind {
                Kind::Open => {
                    (depth, opened, fresh) = (depth + 1, true, true);
                }
                Kind::Close => {
                    (depth, fresh) = (depth.checked_sub(1)?, true);
                    if depth == 0 {
                        return found;
                    }
                }
                Kind::Word if std::mem::take(&mut fresh) && opened && piece.text == keyword => {
                    let words = pieces[index..].iter().take_while(|piece| piece.kind == Kind::Word);
                    let end = words.last().map_or(piece.at, |last| last.at + last.text.len());
                    let offset = |octets: usize| u32::try_from(at + octets).ok();
                    found = Some(Span { file: header.file, start: offset(piece.at)?, end: offset(end)? });
                }
                Kind::Word | Kind::Unclosed | Kind::Comment => {}
            }
        }
        at += line.len();
    }
    found
}
