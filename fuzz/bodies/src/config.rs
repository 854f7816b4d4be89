//! Octets as a configuration, through the whole reader, without files to include.

use vrrp_cli::config::{Options, Span, parse_str_with};

/// `data` as far as it is text.
///
/// # Panics
///
/// When a place that a finding speaks of lies in no text, or its written place not in `data` itself; when there is a
/// configuration in spite of errors, or none without.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut options = Options::default();
    options.id = Some("main".to_owned());
    options.environment = Some([("SITE".to_owned(), "north".to_owned())].into());
    options.seed = Some(1);
    options.max_expansion = 1 << 16;
    let loaded = parse_str_with("fuzz.conf", &text, &options);
    assert_eq!(loaded.config.is_none(), loaded.has_errors());
    let sources = &loaded.sources;
    let inside = |span: Span| sources.get(span.file).is_some_and(|source| source.text().get(span.range()).is_some());
    for diagnostic in &loaded.diagnostics {
        for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
            assert!(inside(label.span), "{diagnostic:?}");
            let trace = sources.trace(label.span);
            assert!(text.get(trace.place.range()).is_some(), "{diagnostic:?}");
            assert!(trace.steps.iter().all(|step| text.get(step.span.range()).is_some()), "{diagnostic:?}");
        }
        assert!(diagnostic.help.is_some(), "{diagnostic:?}");
    }
    // Drawing is slow, and findings of one text are much alike.
    for diagnostic in loaded.diagnostics.iter().take(8) {
        assert!(sources.render(diagnostic, false).contains(diagnostic.code.as_str()));
    }
}
