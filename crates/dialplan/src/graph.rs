//! The steps as a picture: a Mermaid flowchart, which Markdown pages of many forges draw by themselves.

use crate::doc::show_duration;
use crate::plan::{Dialplan, Node, PoolRef, Way};
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl Dialplan {
    /// The steps and the ways between them, as the text of a Mermaid flowchart.
    #[must_use]
    pub fn graph(&self) -> String {
        // Names of steps can be words of Mermaid's own, such as "end".
        let ids: BTreeMap<&str, usize> =
            self.steps.keys().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let id = |name: &str| format!("s{}", ids.get(name).copied().unwrap_or_default());
        let mut lines = vec!["flowchart TD".to_owned()];
        lines.push(format!("  call([\"{}\"]) --> {}", escaped(&self.name.zh), id(&self.start)));
        for (name, node) in &self.steps {
            let label = escaped(&format!("{name}: {}", deed(node)));
            let (open, close) = brackets(node);
            lines.push(format!("  {}{open}\"{label}\"{close}", id(name)));
            for (way, target) in node.ways() {
                lines.push(match way_name(way) {
                    Some(words) => format!("  {} -- \"{words}\" --> {}", id(name), id(target)),
                    None => format!("  {} --> {}", id(name), id(target)),
                });
            }
        }
        lines.into_iter().fold(String::new(), |mut text, line| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

const fn brackets(node: &Node) -> (&'static str, &'static str) {
    match node {
        Node::Play { .. }
        | Node::Callback { .. }
        | Node::Survey { .. }
        | Node::Transfer { .. }
        | Node::Voicemail { .. } => ("[", "]"),
        Node::Menu(_) | Node::Hours { .. } => ("{", "}"),
        Node::Queue(_) => ("[[", "]]"),
        Node::HangUp { .. } => ("([", "])"),
    }
}

/// What leads there; none where a step has one way only.
pub(crate) fn way_name(way: Way) -> Option<String> {
    match way {
        Way::Then => None,
        Way::Key(key) => Some(format!("key {key}")),
        Way::NoKey => Some("no key".to_owned()),
        Way::Open => Some("open".to_owned()),
        Way::Closed => Some("closed".to_owned()),
        Way::Exhausted => Some("nobody answers".to_owned()),
        Way::Answered => Some("the lawyer hangs up".to_owned()),
        Way::Failed => Some("nobody is reached".to_owned()),
    }
}

pub(crate) fn deed(node: &Node) -> String {
    match node {
        Node::Play { prompts, is_notice: true, .. } => format!("play {}, then record", prompts.join(", ")),
        Node::Play { prompts, is_notice: false, .. } => format!("play {}", prompts.join(", ")),
        Node::Menu(menu) => format!("menu, {}", show_duration(menu.timeout)),
        Node::Hours { pool, .. } => format!("is {} open?", pool_name(pool)),
        Node::Queue(queue) => {
            let stage =
                |(pool, patience): &(PoolRef, _)| format!("{} {}", pool_name(pool), show_duration(*patience));
            format!("wait for {}", queue.stages.iter().map(stage).collect::<Vec<_>>().join(", "))
        }
        Node::Callback { within, .. } => format!("call back within {}", show_duration(*within)),
        Node::Survey { timeout, min_talk, .. } => {
            let (timeout, min_talk) = (show_duration(*timeout), show_duration(*min_talk));
            format!("survey, {timeout}, after a talk of {min_talk}")
        }
        Node::Transfer { to, .. } => format!("pass on to {to}"),
        Node::Voicemail { pool, max, .. } => {
            format!("voicemail for {}, {}", pool_name(pool), show_duration(*max))
        }
        Node::HangUp { .. } => "hang up".to_owned(),
    }
}

pub(crate) fn pool_name(pool: &PoolRef) -> String {
    match pool {
        PoolRef::County => "@county".to_owned(),
        PoolRef::Paired => "@paired".to_owned(),
        PoolRef::City => "@city".to_owned(),
        PoolRef::Named(pool) => pool.to_string(),
    }
}

fn escaped(label: &str) -> String {
    label.replace('"', "#quot;")
}
