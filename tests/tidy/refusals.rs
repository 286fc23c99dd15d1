//! docs/REFUSALS.md against the source: every word once, and in order.

use std::collections::BTreeMap;

use crate::text::{
    Names, assert_same, between, cell, code, files, is_upper_snake, listed, quoted, read, table,
    ticked, upper_snake, without_tests,
};

const REFUSALS: &str = "docs/REFUSALS.md";

/// Entries of a `reasons!` block: the word, and the kind behind it if any.
fn reasons(path: &str) -> BTreeMap<String, String> {
    let source = code(&read(path));
    let block = between(&source, "\nreasons! {", "\n}");
    let mut found = BTreeMap::new();
    for line in block.lines() {
        if let [word] = quoted(line).as_slice() {
            let kind = line.rsplit(',').next().unwrap_or("").trim().trim_end_matches(';');
            found.insert((*word).to_owned(), kind.to_owned());
        }
    }
    assert!(!found.is_empty(), "{path} has no reasons; has the macro changed?");
    found
}

/// Words of `pub const …: &str = "UPPER_SNAKE";`.
fn constants(source: &str) -> Names {
    let lines = source.lines().filter(|line| line.contains("const ") && line.contains("&str = "));
    let words = lines.flat_map(|line| quoted(line).into_iter().map(str::to_owned));
    words.filter(|word| is_upper_snake(word)).collect()
}

#[test]
fn every_refusal_is_documented_with_its_code() {
    let status = code(&read("src/api/status.rs"));
    let code_of = |kind: &str| {
        let arm = between(&status, &format!("Kind::{kind} => Code::"), ",");
        upper_snake(arm.trim())
    };
    let real: Names = reasons("src/domain/refusal.rs")
        .iter()
        .map(|(w, k)| format!("{w} {}", code_of(k)))
        .collect();
    let rows = table(REFUSALS, "refusals");
    let documented: Names =
        rows.iter().map(|r| format!("{} {}", ticked(cell(r, 0)).concat(), cell(r, 1))).collect();
    assert_same("docs/REFUSALS.md, refusals", &documented, &real);
    assert_eq!(rows.len(), real.len(), "a refusal is listed twice");
}

#[test]
fn every_problem_of_a_policy_is_documented() {
    let real: Names = reasons("src/api/policy/problem.rs").into_keys().collect();
    assert_same("docs/REFUSALS.md, policy", &listed(REFUSALS, "policy"), &real);
    let real = constants(&code(&read("src/yaml/mod.rs")));
    assert_same("docs/REFUSALS.md, yaml", &listed(REFUSALS, "yaml"), &real);
}

#[test]
fn every_violation_of_the_contract_is_documented() {
    let mut real = constants(&code(&read("src/contract.rs")));
    for path in files("src/contract", ".rs") {
        real.extend(constants(&code(&read(&path))));
    }
    assert_same("docs/REFUSALS.md, violations", &listed(REFUSALS, "violations"), &real);
}

#[test]
fn every_alert_of_bursars_own_is_documented() {
    let mut real = Names::new();
    for path in files("src/decision", ".rs").into_iter().chain(files("src/engine", ".rs")) {
        let source = without_tests(&code(&read(&path)));
        real.extend(constants(&source));
        let flags = between(&source, "fn alert(self) -> &'static str {", "\n    }");
        real.extend(quoted(flags).into_iter().map(str::to_owned));
    }
    assert_same("docs/REFUSALS.md, alerts", &listed(REFUSALS, "alerts"), &real);
}

#[test]
fn every_outcome_and_category_of_a_finding_is_documented() {
    let source = code(&read("src/domain/finding.rs"));
    for (name, table) in [("Outcome", "outcomes"), ("Category", "categories")] {
        let block = between(&source, &format!("pub enum {name} {{"), "\n}");
        let variants = block.lines().map(|line| line.trim().trim_end_matches(','));
        let named = variants.filter(|v| v.starts_with(|c: char| c.is_ascii_uppercase()));
        let real: Names = named.map(upper_snake).collect();
        assert_same(&format!("docs/REFUSALS.md, {table}"), &listed(REFUSALS, table), &real);
    }
}

#[test]
fn every_reason_that_bursar_puts_on_a_payout_is_documented() {
    let mut real = Names::new();
    for path in files("src/decision", ".rs") {
        let source = without_tests(&code(&read(&path)));
        for (at, _) in source.match_indices("payout.reason =") {
            let statement = source.get(at..).and_then(|s| s.split(';').next()).unwrap_or("");
            let words = quoted(statement).into_iter().filter(|word| is_upper_snake(word));
            real.extend(words.map(str::to_owned));
        }
    }
    let documented = listed(REFUSALS, "payout-reasons");
    assert_same("docs/REFUSALS.md, payout-reasons", &documented, &real);
    let policy = code(&read("src/domain/policy.rs"));
    let own = quoted(between(&policy, "const OWN_REASONS: ", ";\n"));
    let own: Names = own.into_iter().map(str::to_owned).collect();
    assert_same("src/domain/policy.rs, reasons that have texts of states", &own, &real);
}

/// The body of a function: from its name to the closing brace at its margin.
fn body<'a>(source: &'a str, signature: &str) -> Option<&'a str> {
    let at = source.find(signature)?;
    let line = source.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let indent = source.get(line..)?.chars().take_while(|c| *c == ' ').count();
    let rest = source.get(at..)?;
    let end = rest.find(&format!("\n{}}}", " ".repeat(indent)))?;
    rest.get(..end)
}

#[test]
fn the_order_of_authorize_payout_is_the_documents() {
    let decision: Vec<String> =
        files("src/decision", ".rs").iter().map(|p| code(&read(p))).collect();
    let service = code(&read("src/api/payout_service.rs"));
    let of_the_core = |signature| decision.iter().find_map(|source| body(source, signature));
    // A request is put into the queue behind what may be refused of it by itself. Items
    // of batches are put there by the same function, those of streams by one of their own.
    let of_itself = |signature| body(&service, signature)?.split_once("self.authorization(");
    let of_a_stream = of_itself("fn take_up(");
    assert!(of_a_stream.is_some_and(|(_, behind)| behind.contains("self.engine.queue(")));
    let of_a_batch = body(&service, "fn batch_authorize_payouts(");
    assert!(of_a_batch.is_some_and(|batch| batch.contains("self.queue(")));
    let before = body(&service, "fn ask(").and_then(|ask| ask.split_once("self.queue("));
    let bodies = [
        ("ask", before.map(|(before, _)| before)),
        ("authorization", body(&service, "fn authorization(")),
        ("queue", of_itself("fn queue(").map(|(_, behind)| behind)),
        ("is_new", of_the_core("fn is_new(")),
        // What prepares a decision begins with it.
        ("work_out", of_the_core("fn work_out(")),
        ("prepare", of_the_core("fn prepare(")),
    ];
    let known: Names = reasons("src/domain/refusal.rs").into_keys().collect();
    let begins = of_the_core("fn prepare(").and_then(|body| body.split(';').next());
    assert!(begins.is_some_and(|first| first.contains("Profile::of(")), "prepare: {begins:?}");
    let (mut function, mut after) = (0, 0);
    for (row, number) in table(REFUSALS, "order").iter().zip(1..) {
        assert_eq!(cell(row, 0), number.to_string(), "{REFUSALS}: the rows are numbered");
        for reason in ticked(cell(row, 2)) {
            assert!(known.contains(&reason), "row {number}: there is no reason {reason}");
        }
        let place = ticked(cell(row, 3));
        let [name, mark] = place.as_slice() else { panic!("row {number}: function and call") };
        let mut not_before = bodies.iter().skip(function);
        let here = not_before.position(|(known, _)| known == name).map(|more| function + more);
        let here = here.unwrap_or_else(|| panic!("row {number}: no {name} from there on"));
        after = if here == function { after } else { 0 };
        function = here;
        let (_, Some(body)) = bodies[here] else { panic!("{name} is not where it was") };
        let found = body.get(after..).and_then(|rest| rest.find(mark.as_str()));
        let found = found.unwrap_or_else(|| panic!("row {number}: no `{mark}` there in {name}"));
        after += found + mark.len();
    }
}
