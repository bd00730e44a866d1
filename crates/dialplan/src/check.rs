//! What must hold between the parts of a dialplan.
//!
//! Every step is reached; no way through the steps is a circle, so every call ends; nobody is recorded
//! untold; a menu is the only one on its way and its silence leads to a person; a survey comes once and after a talk;
//! no pool is forgotten.
//! What only does nothing (hours that nobody keeps, a county that no call is of) is a warning.

use crate::doc::Doc;
use crate::hours::Hours;
use crate::plan::{Dialplan, Node, PoolRef, Way};
use crate::prefix::{Origin, unpack};
use crate::read::Draft;
use domain::{PoolId, TargetId};
use std::collections::BTreeSet;

pub(crate) fn check(doc: &Doc, draft: &Draft) {
    check_loops(doc, draft);
    check_reach(doc, draft);
    check_notice(doc, draft);
    check_menus(doc, draft);
    check_callbacks(doc, draft);
    check_surveys(doc, draft);
    check_pools(doc, draft);
    warn_of_idle_counties(doc, draft);
    warn_of_idle_prefixes(doc, draft);
    warn_of_idle_hours(doc, draft);
    warn_of_idle_languages(doc, draft);
    warn_of_idle_targets(doc, draft);
    warn_of_idle_head_starts(doc, draft);
    warn_of_sleepless_pools(doc, draft);
}

fn line(draft: &Draft, step: &str) -> usize {
    draft.step_lines.get(step).copied().unwrap_or(1)
}

/// The steps that can follow `from`, itself not included unless a circle leads there. Ways end where
/// `stop` says so.
fn reached<'p>(plan: &'p Dialplan, from: &'p str, stop: impl Fn(&Node) -> bool) -> BTreeSet<&'p str> {
    let mut reached = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(step) = todo.pop() {
        let Some(node) = plan.steps.get(step) else { continue };
        if stop(node) {
            continue;
        }
        todo.extend(node.targets().into_iter().filter(|target| reached.insert(*target)));
    }
    reached
}

fn check_loops(doc: &Doc, draft: &Draft) {
    let mut done = BTreeSet::new();
    for step in draft.plan.steps.keys() {
        find_loops(doc, draft, step, &mut done);
    }
}

/// Walks depth first from `start` over steps not yet `done`; a way back onto the current path is a loop.
fn find_loops<'p>(doc: &Doc, draft: &'p Draft, start: &'p str, done: &mut BTreeSet<&'p str>) {
    let mut path: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut enter = Some(start);
    loop {
        if let Some(step) = enter.take() {
            let targets = draft.plan.steps.get(step).map(Node::targets).unwrap_or_default();
            path.push((step, targets));
        }
        let Some((step, targets)) = path.last_mut() else { return };
        let Some(target) = targets.pop() else {
            done.insert(*step);
            path.pop();
            continue;
        };
        if let Some(i) = path.iter().position(|(on_path, _)| *on_path == target) {
            report_loop(doc, draft, &path[i..].iter().map(|(step, _)| *step).collect::<Vec<_>>());
        } else if !done.contains(target) {
            enter = Some(target);
        }
    }
}

fn report_loop(doc: &Doc, draft: &Draft, circle: &[&str]) {
    let first = (0..circle.len()).min_by_key(|i| line(draft, circle[*i])).unwrap_or(0);
    let mut names: Vec<&str> = circle[first..].iter().chain(&circle[..first]).copied().collect();
    names.push(names[0]);
    let has_queue = circle.iter().any(|step| matches!(draft.plan.steps.get(*step), Some(Node::Queue(_))));
    let kind = if has_queue { "overflow loop" } else { "loop" };
    let what = format!("{kind}: {}", names.join(" → "));
    doc.problem(line(draft, names[0]), what, "let one of these steps lead elsewhere: every call must end");
}

fn check_reach(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let mut reached = reached(plan, &plan.start, |_| false);
    reached.insert(&plan.start);
    // Where a way leads nowhere, which is reported already, what lies behind it is unknown.
    if reached.iter().any(|step| !plan.steps.contains_key(*step)) {
        return;
    }
    for step in plan.steps.keys().filter(|step| !reached.contains(step.as_str())) {
        let what = format!("the step \"{step}\" is never reached");
        doc.problem(line(draft, step), what, "lead another step to it, or remove it");
    }
}

fn check_notice(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let is_notice = |node: &Node| matches!(node, Node::Play { is_notice: true, .. });
    let mut untold = reached(plan, &plan.start, is_notice);
    untold.insert(&plan.start);
    for step in untold {
        if matches!(
            plan.steps.get(step),
            Some(Node::Queue(_) | Node::Voicemail { .. } | Node::Transfer { .. })
        ) {
            let what = format!("a call can come to \"{step}\" without having heard that it is recorded");
            let remedy = "lead it through a step of kind \"play\" with notice = true first";
            doc.problem(line(draft, step), what, remedy);
        }
    }
}

fn check_menus(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let is_queue = |step: &str| matches!(plan.steps.get(step), Some(Node::Queue(_)));
    for (name, node) in &plan.steps {
        let Node::Menu(menu) = node else { continue };
        for step in reached(plan, name, |_| false) {
            if step != name && matches!(plan.steps.get(step), Some(Node::Menu(_))) {
                let what = format!("\"{step}\" is a second menu after \"{name}\"");
                doc.problem(line(draft, step), what, "let a caller hear one menu at most");
            }
        }
        let silent = reached(plan, &menu.then, |_| false);
        if plan.steps.contains_key(&menu.then) && !is_queue(&menu.then) && !silent.into_iter().any(is_queue) {
            let what = format!("a caller who presses no key in \"{name}\" never comes to a person");
            doc.problem(line(draft, name), what, "let `then` lead to a queue");
        }
    }
}

/// Elsewhere than in a queue there is no place to keep; and whoever is to be called back has nothing to do but to
/// hang up.
fn check_callbacks(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let is_callback = |step: &str| matches!(plan.steps.get(step), Some(Node::Callback { .. }));
    let start = is_callback(&plan.start).then_some((plan.start.as_str(), plan.start.as_str()));
    let from_elsewhere = plan.steps.iter().flat_map(|(name, node)| {
        let ways = node.ways().into_iter();
        let ways = ways.filter(move |(way, _)| !matches!((node, way), (Node::Queue(_), Way::Key(_))));
        ways.map(move |(_, target)| (name.as_str(), target))
    });
    for (from, to) in from_elsewhere.chain(start).filter(|(_, to)| is_callback(to)) {
        let what = format!("\"{from}\" leads to \"{to}\", and only a key of a queue can");
        doc.problem(line(draft, from), what, "write keys = { 1 = \"…\" } in the queue whose place is kept");
    }
    let is_more = |step: &&str| {
        let goodbye = matches!(plan.steps.get(*step), None | Some(Node::Play { .. } | Node::HangUp { .. }));
        !goodbye && !is_callback(step)
    };
    for name in plan.steps.keys().filter(|name| is_callback(name)) {
        for step in reached(plan, name, |_| false).into_iter().filter(is_more) {
            let what = format!("\"{step}\" comes after the call-back \"{name}\"");
            doc.problem(
                line(draft, name),
                what,
                "let `then` lead to play and hangup only: the caller is done",
            );
        }
    }
}

/// Nobody is asked about a talk that was not, or twice; and after the talk the caller is done.
fn check_surveys(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let is_survey = |step: &str| matches!(plan.steps.get(step), Some(Node::Survey { .. }));
    for (name, node) in &plan.steps {
        let talks = node.ways().into_iter().filter(|(way, _)| *way == Way::Answered);
        for target in talks.map(|(_, target)| target) {
            for step in reached(plan, target, |_| false).into_iter().chain([target]) {
                if matches!(
                    plan.steps.get(step),
                    None | Some(Node::Survey { .. } | Node::Play { .. } | Node::HangUp { .. })
                ) {
                    continue;
                }
                let what = format!("\"{step}\" comes after a talk of \"{name}\"");
                let remedy = "let `answered` lead to survey, play and hangup only: the caller is done";
                doc.problem(line(draft, name), what, remedy);
            }
        }
        for step in reached(plan, name, |_| false) {
            if is_survey(name) && step != name && is_survey(step) {
                let what = format!("\"{step}\" is a second survey after \"{name}\"");
                doc.problem(line(draft, step), what, "ask a caller once");
            }
        }
    }
    for step in reached_without_talk(plan).into_iter().filter(|step| is_survey(step)) {
        let what = format!("a call can come to \"{step}\" without a talk");
        doc.problem(line(draft, step), what, "lead to it by `answered` of a queue only");
    }
}

fn reached_without_talk(plan: &Dialplan) -> BTreeSet<&str> {
    let mut reached = BTreeSet::from([plan.start.as_str()]);
    let mut todo = vec![plan.start.as_str()];
    while let Some(node) = todo.pop().map(|step| plan.steps.get(step)) {
        let ways = node.map(Node::ways).unwrap_or_default().into_iter();
        let silent = ways.filter(|(way, _)| *way != Way::Answered).map(|(_, target)| target);
        todo.extend(silent.filter(|target| reached.insert(*target)));
    }
    reached
}

fn check_pools(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let named = |pool: &PoolRef| match pool {
        PoolRef::Named(pool) => Some(pool.clone()),
        PoolRef::County | PoolRef::Paired | PoolRef::City => None,
    };
    let mut used: BTreeSet<PoolId> = plan.counties.values().map(|county| county.pool.clone()).collect();
    used.extend(plan.steps.values().flat_map(Node::pools).filter_map(named));
    used.insert(plan.city_pool.clone());
    for (pool, line) in draft.pool_lines.iter().filter(|(pool, _)| !used.contains(*pool)) {
        let what = format!("no call ever comes to the pool \"{pool}\"");
        doc.problem(*line, what, "name it in a county or in a queue, or remove it");
    }
}

/// A county that neither a number nor a key leads to: its lawyers hear only whom they help out.
fn warn_of_idle_counties(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    let mut known = plan.prefixes.counties();
    known.extend(plan.numbers.values().flatten());
    for node in plan.steps.values() {
        if let Node::Menu(menu) = node {
            known.extend(menu.counties.values());
        }
    }
    for (county, line) in draft.county_lines.iter().filter(|(county, _)| !known.contains(county)) {
        let what = format!("no call is ever known to be {county}'s");
        doc.warning(
            *line,
            what,
            "give the county numbers, caller_prefixes, rows of the table or a key of a menu",
        );
    }
}

/// A prefix that lies within a shorter one of the same county. Tables are not asked: they are exported.
fn warn_of_idle_prefixes(doc: &Doc, draft: &Draft) {
    for (prefix, shorter) in draft.plan.prefixes.repeated() {
        let Origin::County(line) = prefix.origin() else { continue };
        let (prefix, shorter) = (unpack(prefix.key), unpack(shorter.key));
        let what = format!("the prefix \"{prefix}\" adds nothing: \"{shorter}\" is the same county's");
        doc.warning(line as usize, what, "remove the longer one");
    }
}

fn warn_of_idle_hours(doc: &Doc, draft: &Draft) {
    for (name, line) in draft.hours_lines.iter().filter(|(name, _)| !draft.hours_used.contains(*name)) {
        let what = format!("no pool keeps the hours \"{name}\"");
        doc.warning(*line, what, "name them in a pool's `hours`, or remove them");
    }
}

fn warn_of_idle_languages(doc: &Doc, draft: &Draft) {
    let mut offered = BTreeSet::new();
    for node in draft.plan.steps.values() {
        if let Node::Menu(menu) = node {
            offered.extend(menu.languages.values());
        }
    }
    for (name, line) in draft.language_lines.iter().filter(|(name, _)| !offered.contains(name)) {
        let what = format!("no menu offers the language \"{name}\"");
        doc.warning(*line, what, "add a key for it to a menu, or remove it");
    }
}

fn warn_of_idle_targets(doc: &Doc, draft: &Draft) {
    let used: BTreeSet<&TargetId> = draft
        .plan
        .steps
        .values()
        .filter_map(|node| if let Node::Transfer { to, .. } = node { Some(to) } else { None })
        .collect();
    let has_key = |name: &TargetId| draft.plan.targets.get(name).is_some_and(|target| target.key.is_some());
    let is_idle = |name: &TargetId| !used.contains(name) && !has_key(name);
    for (name, line) in draft.target_lines.iter().filter(|(name, _)| is_idle(name)) {
        let what = format!("no step passes calls on to \"{name}\", and no key calls it in");
        doc.warning(*line, what, "add a step of kind \"transfer\" or a key, or remove it");
    }
}

/// A head start for callers of whom nothing in the file says who they are.
fn warn_of_idle_head_starts(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    for (name, node) in &plan.steps {
        let Node::Queue(queue) = node else { continue };
        for (key, remedy) in queue.asked.idle_head_starts(&plan.callers) {
            let what = format!("\"{name}\" has a {key}, and nobody is known to be such a caller");
            doc.warning(line(draft, name), what, format!("add [callers] with {remedy}, or remove it"));
        }
    }
}

/// A step that asks whether a pool is open which always is.
fn warn_of_sleepless_pools(doc: &Doc, draft: &Draft) {
    let plan = &draft.plan;
    for (name, node) in &plan.steps {
        let Node::Hours { pool: PoolRef::Named(pool), .. } = node else { continue };
        if plan.hours.get(pool).is_some_and(Hours::is_always) {
            let what = format!("\"{name}\" asks for the hours of \"{pool}\", which never closes");
            doc.warning(line(draft, name), what, "ask for a pool that has hours, or leave the step out");
        }
    }
}
