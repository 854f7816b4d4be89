//! Lines with and without their secrets.

use super::*;

#[track_caller]
fn check(line: &str, expected: &str) {
    let names = Names::from(["PW".to_owned()]);
    assert_eq!(Masked::new(line, &names).text, expected);
}

#[test]
fn secrets_are_masked_and_the_rest_stays() {
    check("    auth_pass 1111 # the same on both\n", "    auth_pass **** # the same on both\n");
    check("auth_pass \"a b\"", "auth_pass ** **");
    check("auth_pass\u{a0}pässword", "auth_pass\u{a0}********");
    check("authentication { auth_type PASS auth_pass x }", "authentication { auth_type PASS auth_pass * }");
    check("auth_pass k33p! # no", "auth_pass ***** # no");
    check("auth_pass #1", "auth_pass **");
    check("auth_pass 1 2 virtual_ipaddress {", "auth_pass * * virtual_ipaddress {");
    check("auth_pass=abc", "auth_pass=***");
    check("auth_pass: abc", "auth_pass: ***");
    check("aut_pass abc", "aut_pass ***");
    check("auth-pas abc", "auth-pas ***");
    check("password abc", "password ***");
    check("smtp_password a b", "smtp_password * *");
    check("smtp-pasword abc", "smtp-pasword ***");
    check("smtp_password_file /etc/secret", "smtp_password_file /etc/secret");
    check("auth_pass ${PW}\nauth_pass $PW", "auth_pass ${PW}\nauth_pass $PW");
    check("auth_pass x$PW", "auth_pass ****");
    check("$PW=abc def \\", "$PW=*** *** \\");
    check("$MY_PASS = abc", "$MY_PASS = ***");
    check("$VI=abc", "$VI=abc");
    check("$A=auth_pass abc \\", "$A=auth_pass *** \\");
    check("    auth_pass ${PW} \\", "    auth_pass ${PW} \\");
    check("~LST({N,PW},{1,abc},{2,def}) x$N", "~LST({N,PW*****************) x$N");
    check("~LST(PW,abc) auth_pass q", "~LST(PW****) auth_pass *");
}

#[test]
fn keys_are_masked_and_their_files_are_not() {
    check("key 1 hex:00ff", "key 1 ********");
    check("auth_hmac { key 1 abc", "auth_hmac { key 1 ***");
    check("key hex:00ff 1", "key ******** *");
    check("key 1 file:/etc/key", "key 1 file:/etc/key");
    check("active_key 1", "active_key 1");
    check("script \"/bin/check key 1234\"", "script \"/bin/check key 1234\"");
}

#[test]
fn other_lines_stay() {
    let line = "notify_master \"/usr/local/bin/pass.sh auth_type PASS\" root # password";
    check(line, line);
    check("priority 100\r\n\n  auth_type PASS\n", "priority 100\r\n\n  auth_type PASS\n");
}

#[test]
fn offsets_follow_the_text() {
    let masked = Masked::new("auth_pass äöü x\nyé", &Names::new());
    assert_eq!(masked.text, "auth_pass *** *\nyé");
    for (before, after) in [(0, 0), (10, 10), (12, 11), (16, 13), (17, 14), (19, 16), (22, 19)] {
        assert_eq!(masked.at(before), after, "{before}");
    }
}

#[test]
fn messages_do_not_quote_secrets() {
    let check = |message: &str, line: &str, expected: &str| {
        assert_eq!(without(message, line, &Names::new()), expected);
    };
    check("`auth_pass` takes one value, found `two`", "auth_pass one two", "`auth_pass` takes one value, found `***`");
    check("unknown keyword `auth_pass=ab`", "auth_pass=ab", "unknown keyword `auth_pass=**`");
    check("write `auth_pass ab`", "auth_pass=ab", "write `auth_pass **`");
    check("`$word` is not defined", "auth_pass my$word", "`*****` is not defined");
    check("found `ab`", "priority ab", "found `ab`");
}
