//! What each construct expands to, written as the lines that are read, joined by ` | `.

use super::*;
use crate::config::lex::{TokenKind, lex};

pub(super) fn options() -> Options {
    let environment = [("SITE".to_owned(), "north".to_owned()), ("ODD".to_owned(), "a\nb".to_owned())];
    Options { id: Some("main".to_owned()), environment: Some(environment.into()), seed: Some(1), ..Options::default() }
}

pub(super) fn read_with(text: &str, options: &Options) -> (String, Vec<Code>) {
    let mut sources = SourceMap::default();
    let file = sources.add("test".to_owned(), text.to_owned(), Vec::new(), Vec::new()).expect("a short text");
    let mut sink = Sink::default();
    let chunks = run(file, &Home::Nowhere, options, &mut sources, &mut sink);
    let codes: Vec<Code> = sink.iter().map(|diagnostic| diagnostic.code).collect();
    let Some(chunks) = chunks else { return ("-".to_owned(), codes) };
    (shown(&sources, &chunks), codes)
}

pub(super) fn shown(sources: &SourceMap, chunks: &[Chunk]) -> String {
    let mut lines = vec![Vec::new()];
    for token in lex(sources, chunks, &mut Sink::default()) {
        match token.kind {
            TokenKind::LineEnd => lines.push(Vec::new()),
            TokenKind::Comment => {}
            TokenKind::Broken => lines.last_mut().expect("a line").push("?"),
            _ => lines.last_mut().expect("a line").push(sources.text(token.span)),
        }
    }
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).map(|line| line.join(" ")).collect();
    lines.join(" | ")
}

#[track_caller]
fn check(text: &str, expected: &str, codes: &[Code]) {
    assert_eq!(
        read_with(text, &options()),
        (expected.to_owned(), codes.to_vec()),
        "{}",
        text.get(..200).unwrap_or(text)
    );
}

/// keepalived 2.2.7 reads these and those of the next two tests in the same way, silently. A line that begins with an
/// unknown `$NAME` is an unknown keyword to it.
#[test]
fn definitions_are_expanded_where_they_are_used() {
    check("$A=10\nx$A y\nz${A}b", "x10 y | z10b", &[]);
    check("$B=\n\"q $A q\"\n$A=1\n\"q $A q\"", "\"q $A q\" | \"q 1 q\"", &[Code::Undefined]);
    check("$A=  a   b  # c\n\"${A}\"", "\"a   b\"", &[]);
    check("$A=\nx[${A}]", "x[]", &[]);
    check("$A=a b\nx${A}", "xa b", &[]);
    check("$A=1\n$A=2\n$A x\n x$A", "2 x | x2", &[]);
    check("$A=10.${B}\n$B=0\n${A}.1\n$B=7\n${A}.1", "10.0.1 | 10.7.1", &[]);
    check("$A=a { b }\nx $A\ny", "x a { b } | y", &[]);
    check("$C=\"q # r\"\nx ${C}", "x \"q # r\"", &[]);
    check("a { $X=1\nb $X\n}", "a { | b 1 | }", &[]);
}

#[test]
fn a_bare_name_counts_before_a_blank_only() {
    check("$A=1\nx$A.z", "x$A.z", &[Code::NotExpanded]);
    check("$A=1\nx$Ab", "x$Ab", &[Code::Undefined]);
    check("$A=1\nx$A$A", "x$A1", &[Code::NotExpanded]);
    check("$A=1\nx\t$A#c\ny$A\tz", "x 1 | y1 z", &[]);
    check("$A=10.$B\n$B=0\nx ${A}.1\nx $A", "x 10.$B.1 | x 10.0", &[Code::NotExpanded]);
    check("$A=1\nx $$A", "x $1", &[]);
}

#[test]
fn unknown_names_stay_as_they_are() {
    check("$A=\nx ${NO} y$NO z", "x ${NO} y$NO z", &[Code::Undefined, Code::Undefined]);
    check("x ${NO} y$NO z", "x ${NO} y$NO z", &[Code::Undefined]);
    check("x $1 ${1} $ ${a-b} $(id)", "x $1 ${1} $ ${a-b} $(id)", &[]);
    check("$NO x\nb", "? ? | b", &[Code::NotDefined]);
    check("${NO} x\nb", "? ? | b", &[Code::NotDefined]);
    check("$1 {\n}\n$\n${a-b}", "? { | } | ? | ?", &[Code::NotDefined; 3]);
    check("$C = 3", "? ? ?", &[Code::NotDefined]);
    check("$a-b=3", "?", &[Code::NotDefined]);
    check("# $NO ${_NO}\n! @ ~SEQ(", "", &[]);
}

/// As in keepalived 2.2.7, where a comment inside of the lines does not end them and an empty line does. It leaves
/// `$M` alone when text follows, and reads the further lines of a definition whose condition does not hold.
#[test]
fn definitions_of_several_lines() {
    check("$M= \\\n a \\\n b # c \\\n\\\n # d \\\n c\n$M\nd", "a | b | c | d", &[]);
    check("$M=a \\\nb\n$M", "a | b", &[]);
    check("$M= \\\nx1 \\\n\ny\n$M", "y | x1", &[]);
    check("$M= \\\na \\\nb\ny ${M}\n{ $M\nz $M }", "y a | b | { | a | b | z a | b | }", &[]);
    check("$M= \\\n$P=1 \\\nx$P \\\n$P=2 \\\nx$P\n$M\ny$P", "x1 | x2 | y2", &[]);
    check("$M= \\\n@main a \\\n@other b \\\n@^main c\n$M", "a", &[]);
    check("$R= \\\nr${N}\n$S= \\\n$N=1 \\\n$R \\\n$N=2 \\\n$R\n$S", "r1 | r2", &[]);
    check("@other $M= \\\nx1 \\\nx2\ny", "y", &[]);
    check("$M= \\\na \\\nb\n$M c\nd", "? ? | d", &[Code::LinesNotLast]);
    check("x \\\ny", "x \\ | y", &[]);
    check("$M= \\", "", &[]);
}

/// keepalived 2.2.7 knows no condition behind another or in a value, although its manual shows the latter; a lone `@` is
/// a condition that never holds.
#[test]
fn conditions_compare_with_the_id() {
    check("@main x1\n@other x2\n@^main x3\n@^other x4\n  @main\tx5\n@main\n@mainx y", "x1 | x4 | x5", &[]);
    check("@main $A=m\n@other $A=o\nx$A", "xm", &[]);
    check("$I=@main\n$I x\n$J=@other\n$J y", "x", &[]);
    check("@main @main x\n@main @^main y", "x", &[]);
    check("a { @main b }\nc { @other d\n}", "a { | b } | c { | }", &[]);
    check("a @other", "a @other", &[]);
    check("@ x\ny", "? ? | y", &[Code::BadCondition]);
    check("@^ x {\n}", "? ? { | }", &[Code::BadCondition]);
}

/// In keepalived 2.2.7 too, `${_HASH}` outside of quotes begins a comment after all. It leaves wrong predefined names
/// as they are, and dies of `${_RANDOM 6 5}`.
#[test]
fn predefined_names() {
    check("a${_INSTANCE} $_INSTANCE b", "amain main b", &[]);
    check("\"a ${_HASH} ${_BANG}\" b${_HASH}c", "\"a # !\" b", &[]);
    check("a${_ENV SITE} b", "anorth b", &[]);
    check("a${_ENV NO}. b${_ENV ODD}.", "a. b.", &[Code::NoVariable]);
    check("${_RANDOM 3 3} ${_RANDOM  7   7 }", "3 7", &[]);
    check("$_X=3\np${_X}", "p3", &[]);
    for wrong in ["${_FOO}", "${_RANDOM 6 5}", "${_RANDOM x}", "${_RANDOM 1 2 3}", "${_ENV}", "${_PWD x}", "$_FOO"] {
        check(&format!("x {wrong}\ny"), "? ? | y", &[Code::NotPredefined]);
    }
    check("a$_HASH.", "a$_HASH.", &[Code::NotExpanded]);
}

#[test]
fn random_numbers_follow_the_seed() {
    let text = "${_RANDOM} ${_RANDOM 5} ${_RANDOM 5 6}";
    let (first, codes) = read_with(text, &options());
    assert_eq!((read_with(text, &options()).0, codes), (first.clone(), Vec::new()));
    let numbers: Vec<u32> = first.split(' ').map(|number| number.parse().expect("a number")).collect();
    assert!(numbers[0] <= 32767 && (5..=32767).contains(&numbers[1]) && (5..=6).contains(&numbers[2]));
    let seeded = |seed: u32| {
        let text = format!("global_defs {{\nrandom_seed {seed}\n}}\n{text}");
        read_with(&text, &Options { seed: None, ..options() }).0
    };
    assert_eq!(seeded(5), seeded(5));
    assert_ne!(seeded(5), seeded(6));
}

/// As in keepalived 2.2.7.
#[test]
fn sequences_repeat_the_rest_of_the_line() {
    check("~SEQ(N,1,3) a${N}", "a1 | a2 | a3", &[]);
    check("~SEQ(N,3,1) a${N}", "a3 | a2 | a1", &[]);
    check("~SEQ(N,2) a${N}\n~SEQ(N,-2) b${N}\n~SEQ(N,0) c${N}", "a1 | a2 | b-1 | b-2 | c1 | c0", &[]);
    check("~SEQ ( N , 1 , 2 , 6 )e${N}", "e1 | e3 | e5", &[]);
    check("~SEQ(N,010,1,012) k${N}", "k8 | k9 | k10", &[]);
    check("~SEQx(N,8,0x8,0x18) i${N}\n~SEQx(N,0x12,-1,0x10) j${N}", "i8 | i10 | i18 | j12 | j11 | j10", &[]);
    check("~SEQ(A,1,2) ~SEQ(B,1,$A) l$A m$B", "l1 m1 | l2 m1 | l2 m2", &[]);
    check("~SEQ(A,1,2) b$A {\nc\n}}", "b1 { | b2 { | c | } }", &[]);
    check("~SEQ(N,1,2) x\ny$N", "x | x | y2", &[]);
    check(
        "$M= \\\n b${N} { \\\n ~SEQ(O,1,2) c${O} \\\n }\n~SEQ(N,1,2) $M",
        "b1 { | c1 | c2 | } | b2 { | c1 | c2 | }",
        &[],
    );
    check("$S=~SEQ(N,1,2)\n$S m${N}", "m1 | m2", &[]);
    check("@main ~SEQ(N,1,2) @main l${N}", "l1 | l2", &[]);
    check("a } ~SEQ(N,1,2) h${N}", "a } | h1 | h2", &[]);
    check("q ~SEQ(N,1,2) r", "q ~SEQ(N,1,2) r", &[]);
    check("~SEQ(N,9223372036854775806,9223372036854775807) y${N}", "y9223372036854775806 | y9223372036854775807", &[]);
}

/// keepalived 2.2.7 refuses these but for wrong names and digits, of which it makes what it can.
#[test]
fn wrong_sequences_are_refused() {
    let wrong = [
        "(N,5,1,3)",
        "(N,1,-1,3)",
        "(N,1,0,3)",
        "(N)",
        "()",
        "(N,1,2,3,4)",
        "(1N,1,2)",
        "(N 1,2)",
        "(N,a)",
        "(N,1.5)",
        "(N,0x)",
        "(N,08)",
        "(N,--1)",
        "(N,0x-1)",
        "(N,99999999999999999999)",
    ];
    for wrong in wrong {
        check(&format!("~SEQ{wrong} v {{\n}}"), "? { | }", &[Code::BadRepetition]);
    }
    check("~SEQx(N,-1,1) v", "?", &[Code::BadRepetition]);
    check("~SEQ(N,1,2 v", "? ?", &[Code::BadRepetition]);
    check("~SEQ N,1,2 v", "? ? ?", &[Code::BadRepetition]);
    check("~seq(N,1,2) v", "? ?", &[Code::BadRepetition]);
    check("~FOO(N) x", "? ?", &[Code::BadRepetition]);
    check("~ {\n}", "? { | }", &[Code::BadRepetition]);
}

/// As in keepalived 2.2.7, but that it refuses a reference inside of the parentheses.
#[test]
fn lists_repeat_the_rest_of_the_line() {
    check("~LST(V,a,b) x${V}", "xa | xb", &[]);
    check("~LST( {V , W} , { a , 1 } , {b,2} ) c${V}-${W}", "ca-1 | cb-2", &[]);
    check("~LST(V,a,,b) h${V}.\n~LST(V,) g${V}.", "ha. | h. | hb. | g.", &[]);
    check("~LST(V, {a}, c) l${V}", "la | lc", &[]);
    check(
        "~LST({A,B},{10,1},{20,4}) ~SEQ(N,168,2,170) 192.${N}.${A}.${B}",
        "192.168.10.1 | 192.170.10.1 | 192.168.20.4 | 192.170.20.4",
        &[],
    );
    check("$L=p,q\n~LST(V,${L}) m${V}", "mp | mq", &[]);
    check("~LST({V,W},{a,1},{b}) d${V}${W}.", "da1. | db.", &[Code::ShortTuple]);
    for wrong in ["({V,W},{a,1},{b,2,3})", "(V)", "(V, \"a b\")", "(V, a b)", "({V,{a})", "({V}{a})", "(,a)"] {
        check(&format!("~LST{wrong} v"), "?", &[Code::BadRepetition]);
    }
}

/// keepalived 2.2.7 does not come to an end on these.
#[test]
fn what_leads_back_to_itself_is_refused() {
    check("$A=$A\nx $A\ny", "? ? | y", &[Code::ExpansionTooDeep]);
    check("$A=${B}\n$B=${A}\nx ${B} y", "? ? ?", &[Code::ExpansionTooDeep]);
    check("$M= \\\na \\\n$M\n$M\nb", "a | ? | b", &[Code::ExpansionTooDeep]);
    check("$A=$A\n$A\nb", "b", &[Code::ExpansionTooDeep]);
    check("$A=~SEQ(N,1,2) $A\n$A x", "", &[Code::ExpansionTooDeep]);
    check("$A=@main $B\n$B=@main $A\n$A", "", &[Code::ExpansionTooDeep]);
}

/// Definitions of which each uses the one before.
fn chain(length: u32, text: &str) -> String {
    let line = |n: u32| text.replace("{n}", &n.to_string()).replace("{m}", &(n - 1).to_string());
    (1..length).map(line).collect()
}

#[test]
fn depth_is_bounded() {
    let chain = chain(100, "$A{n}=${A{m}}\n");
    check(&format!("$A0=x\n{chain}y ${{A60}}"), "y x", &[]);
    check(&format!("$A0=x\n{chain}y ${{A99}}\nz"), "? ? | z", &[Code::ExpansionTooDeep]);
    check(&format!("{}x\ny", "~SEQ(N,1) ".repeat(100)), "y", &[Code::ExpansionTooDeep]);
    let deep = format!("{}x\ny", "@main ".repeat(1000));
    check(&deep, "x | y", &[]);
}

#[test]
fn size_and_work_are_bounded() {
    let bounded = Options { max_expansion: 1 << 16, ..options() };
    let refused = ("-".to_owned(), vec![Code::ExpansionTooLarge]);
    assert_eq!(read_with("~SEQ(N,1000000000) x", &bounded), refused);
    assert_eq!(read_with("~SEQ(N,1000000000) @other x", &bounded), refused);
    assert_eq!(read_with("~SEQ(N,1000000000)", &bounded), refused);
    assert_eq!(read_with("~SEQ(N,1000000000) $A=1", &bounded), refused);
    let doubled = chain(40, "$A{n}=${A{m}}${A{m}}\n");
    assert_eq!(read_with(&format!("$A0=\n{doubled}x ${{A39}}"), &bounded), refused);
    let lines = chain(30, "$A{n}= \\\n$A{m} \\\n$A{m}\n");
    assert_eq!(read_with(&format!("$A0=x\n{lines}$A29"), &bounded), refused);
    check(&format!("$A=1234567890\nx {}", "${A}".repeat(2000)), "? ?", &[Code::LineTooLong]);
}

#[test]
fn plain_text_is_read_where_it_stands() {
    let text = "a {\n b # $\n}\n@main c d # e\n@other f\ng";
    let mut sources = SourceMap::default();
    let file = sources.add("test".to_owned(), text.to_owned(), Vec::new(), Vec::new()).expect("a short text");
    let chunks = run(file, &Home::Nowhere, &options(), &mut sources, &mut Sink::default()).expect("within bounds");
    assert!(chunks.iter().all(|chunk| chunk.span.file == file));
    let read: String = chunks.iter().map(|chunk| sources.text(chunk.span)).collect();
    assert_eq!(read, "a {\nb # $\n}\nc d # e\ng");
}

#[test]
fn a_text_from_memory_includes_nothing() {
    check("include x", "", &[Code::IncludeFailed]);
    check("includes x", "includes x", &[]);
    check("a include x", "a include x", &[]);
}
