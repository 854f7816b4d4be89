//! Findings for editors and CI: one JSON object a line.

use serde_json::{Value, json};

use super::Finding;
use crate::config::{Label, Loaded, Severity, SourceMap, Span};

pub(super) fn lines(hosts: &[Loaded], findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Some(host) = hosts.get(finding.host) else { continue };
        text.push_str(&object(hosts, host, finding).to_string());
        text.push('\n');
    }
    text
}

fn object(hosts: &[Loaded], host: &Loaded, finding: &Finding) -> Value {
    let diagnostic = &host.sources.without_secrets(&finding.diagnostic);
    let (file, span) = match &diagnostic.primary {
        Some(label) => place(&host.sources, label.span),
        None => (host.sources.files().next().map_or(Value::Null, |(_, source)| json!(source.name())), Value::Null),
    };
    let mut labels = Vec::new();
    let mut add = |sources: &SourceMap, label: &Label| {
        let (file, span) = place(sources, label.span);
        labels.push(json!({ "file": file, "span": span, "message": label.text }));
    };
    for label in diagnostic.primary.iter().filter(|label| !label.text.is_empty()).chain(&diagnostic.secondary) {
        add(&host.sources, label);
    }
    for (other, label) in &finding.elsewhere {
        if let Some(other) = hosts.get(*other) {
            add(&other.sources, label);
        }
    }
    for step in diagnostic.primary.iter().flat_map(|label| host.sources.trace(label.span).steps) {
        add(&host.sources, &Label { span: step.span, text: step.reason.as_str().to_owned() });
    }
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "code": diagnostic.code.as_str(),
        "severity": severity,
        "file": file,
        "span": span,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "labels": labels,
    })
}

/// File and span of a place in a text that somebody wrote. Lines and columns count from 1, columns in characters; the
/// end is the place behind the last character; `start` and `end` are octets from 0.
fn place(sources: &SourceMap, span: Span) -> (Value, Value) {
    let span = sources.place(span);
    let end = Span { start: span.end, ..span };
    let (Some(first), Some(last)) = (sources.location(span), sources.location(end)) else {
        return (Value::Null, Value::Null);
    };
    let place = json!({
        "line": first.line,
        "column": first.column,
        "end_line": last.line,
        "end_column": last.column,
        "start": span.start,
        "end": span.end,
    });
    (json!(first.file), place)
}
