//! A lower module of core never names a higher one.
//!
//! Sources are read as tokens: comments and docs may point anywhere, and what a macro is given
//! counts like all other code. Tests may name anything.

use std::fs;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{Verdict, none};
use crate::workspace::Workspace;

/// The modules of core, lowest first. A new module is put where it belongs.
const ORDER: [&str; 45] = [
    "mutants",
    "sane_or",
    "time",
    "prng",
    "ids",
    "limits",
    "ring",
    "layout",
    "causality",
    "merkle",
    "message",
    "codec",
    "quorum",
    "request",
    "machine",
    "config",
    "backoff",
    "handshake",
    "counters",
    "membership",
    "peers",
    "latency",
    "verdicts",
    "hints",
    "epochs",
    "recent_hints",
    "incoming",
    "tickets",
    "layouts",
    "staging",
    "founding",
    "refill",
    "transfer",
    "leftovers",
    "turn",
    "coordinator",
    "handoff",
    "anti_entropy",
    "collection",
    "replica",
    "copies",
    "pass_on",
    "admission",
    "node",
    "client",
];

pub(super) fn check(workspace: &Workspace) -> Result<Verdict> {
    let mut found = Vec::new();
    for file in workspace.files(&["core/src"]) {
        if !file.ends_with(".rs") {
            continue;
        }
        let code = fs::read_to_string(workspace.root.join(&file))?;
        found.extend(violations(&file, &code).with_context(|| file.clone())?);
    }
    none("layers of core", &found)
}

/// What one file names that lies above it. `file` is relative to the root of the project.
fn violations(file: &str, code: &str) -> Result<Vec<String>> {
    let path = file.trim_start_matches("core/src/").trim_end_matches(".rs");
    let mut modules: Vec<&str> = path.split('/').collect();
    if modules.last() == Some(&"mod") {
        modules.pop();
    }
    let [module, ..] = *modules.as_slice() else {
        return Ok(Vec::new());
    };
    if path == "lib" || modules.iter().any(|module| matches!(*module, "tests" | "test")) {
        return Ok(Vec::new());
    }
    let Some(own) = ORDER.iter().position(|name| *name == module) else {
        return Ok(vec![format!(
            "{file}: the order of modules in {} does not say where {module} is",
            file!()
        )]);
    };
    let tokens: TokenStream = code.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut named = Vec::new();
    walk(tokens, modules.len(), &mut named);
    let above = named.iter().filter(|(name, _)| {
        ORDER.iter().position(|module| module == name).is_some_and(|other| other > own)
    });
    Ok(above
        .map(|(name, line)| format!("{file}:{line}: {module} names {name}, which is above it"))
        .collect())
}

/// Collects what is named at the root of the crate, with its line. `depth` is the number of
/// modules between the root and these tokens.
fn walk(tokens: TokenStream, depth: usize, named: &mut Vec<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at = after_item(&tokens, at + 2);
            continue;
        }
        if let Some(length) = path_to_root(&tokens[at..], depth) {
            at += length;
            root_names(&tokens[at..], named);
            continue;
        }
        if let TokenTree::Group(group) = &tokens[at] {
            let inside = at >= 2 && is_word(&tokens[at - 2], "mod");
            walk(group.stream(), depth + usize::from(inside), named);
        }
        at += 1;
    }
}

/// The names that follow `crate::`: one, or those of a group.
fn root_names(tokens: &[TokenTree], named: &mut Vec<(String, usize)>) {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => named.push((name.to_string(), name.span().start().line)),
        Some(TokenTree::Group(group)) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            for part in inner.split(|token| is_punctuation(token, ',')) {
                root_names(part, named);
            }
        }
        Some(TokenTree::Punct(_) | TokenTree::Literal(_)) | None => {}
    }
}

/// The number of tokens in `crate::`, or in as many `super::` as lead to the root.
fn path_to_root(tokens: &[TokenTree], depth: usize) -> Option<usize> {
    let step = |at: usize, word: &str| {
        tokens.len() > at + 3
            && is_word(&tokens[at], word)
            && is_punctuation(&tokens[at + 1], ':')
            && is_punctuation(&tokens[at + 2], ':')
    };
    if step(0, "crate") {
        return Some(3);
    }
    let start = if step(0, "self") { 3 } else { 0 };
    (depth > 0 && (0..depth).all(|up| step(start + 3 * up, "super"))).then_some(start + 3 * depth)
}

/// Whether an attribute begins here that leaves the next item to tests: `#[cfg(test)]`, `#[test]`.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(group), ..] = tokens else {
        return false;
    };
    let text = group.stream().to_string().replace(' ', "");
    is_punctuation(hash, '#')
        && group.delimiter() == Delimiter::Bracket
        && matches!(text.as_str(), "cfg(test)" | "test")
}

/// The index behind the item at `at`: behind its `;` or its braces.
fn after_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => {
            is_punctuation(token, ';')
        }
    };
    // The braces of `use a::{b, c};` end it as well; the `;` that stays behind names nothing.
    tokens[at..].iter().position(ends).map_or(tokens.len(), |length| at + length + 1)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name == word)
}

fn is_punctuation(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punctuation) if punctuation.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line is a way to name `node` from below.
    const UPWARD: [&str; 8] = [
        "use crate::node::Node;",
        "use crate::{time::Now, node::{self, Node}};",
        "use super::super::node::Node;",
        "use self::super::super::node::Node;",
        "fn f() { g(crate::node::START) }",
        "fn f() { assert!(matches!(x, crate::node::Node { .. })); }",
        "mod inner { use super::super::super::node::Node; }",
        "#[cfg(not(test))] use crate::node::Node;",
    ];
    const FINE: [&str; 7] = [
        "use crate::{ring::Ring, layout};",
        "//! Points at [`crate::node`].\n/* crate::node */ fn f() {}",
        "#[cfg(test)] mod tests { use crate::node::Node; }",
        "#[test] fn f() { crate::node::start(); }",
        "#[cfg(test)] use crate::{node::Node};",
        "use super::node::Node;",
        "fn f() { \"crate::node\"; other::node::x(); }",
    ];

    #[test]
    fn every_way_to_name_a_higher_module_is_found() {
        for code in UPWARD {
            let found = violations("core/src/quorum/count.rs", code).unwrap();
            assert_eq!(found.len(), 1, "{code}: {found:?}");
            assert!(found[0].contains("quorum names node"), "{found:?}");
        }
    }

    #[test]
    fn docs_tests_and_lower_modules_may_be_named() {
        for code in FINE {
            let found = violations("core/src/quorum/count.rs", code).unwrap();
            assert!(found.is_empty(), "{code}: {found:?}");
        }
    }

    #[test]
    fn the_line_is_named_also_in_a_file_at_the_root() {
        let found = violations("core/src/time.rs", "\n\nuse super::ring::Ring;").unwrap();
        assert_eq!(found, ["core/src/time.rs:3: time names ring, which is above it"]);
    }

    #[test]
    fn a_module_without_a_place_is_refused_and_tests_are_exempt() {
        assert_eq!(violations("core/src/nowhere/mod.rs", "").unwrap().len(), 1);
        assert!(violations("core/src/ring/tests.rs", "use crate::node::Node;").unwrap().is_empty());
        assert!(violations("core/src/lib.rs", "pub mod node;").unwrap().is_empty());
    }
}
