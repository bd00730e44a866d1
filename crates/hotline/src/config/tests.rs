use super::load;
use dialplan::Problem;
use std::path::{Path, PathBuf};

fn today() -> dialplan::Date {
    dialplan::parse_date("2026-11-22").expect("a date of the year that the committed calendars cover")
}

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a writable folder");
    path
}

/// What is said of a file, without its folder.
fn problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Path::new(REPOSITORY).canonicalize().expect("the repository");
    let text = text.replace("REPOSITORY", &repository.display().to_string());
    let path = write(folder.path(), "hotline.toml", &text);
    match load(&path, today()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            let folder = format!("{}/", folder.path().display());
            problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
        }
    }
}

const FINE: &str = r#"
data_dir = "data"
dialplans = ["REPOSITORY/dialplans/wenzhou.toml"]
prompts = ["REPOSITORY/dialplans/prompts/zh-CN"]
"#;

/// Two lawyers do not fill the pools of a city.
fn of_other_kinds(warnings: &[Problem]) -> Vec<&Problem> {
    warnings.iter().filter(|warning| !warning.what.contains("calls go past")).collect()
}

#[test]
fn the_documented_example_has_no_error() {
    let settings = load(&Path::new(REPOSITORY).join("deploy/config.example.toml"), today());
    let settings = settings.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(of_other_kinds(&settings.warnings), Vec::<&Problem>::new());
    let settings = settings.value;
    assert_eq!(settings.agents.len(), 3);
    assert_eq!(settings.trunks.len(), 1);
}

#[test]
fn three_lines_are_a_configuration() {
    assert_eq!(problems(FINE), Vec::<String>::new());
}

#[test]
fn all_errors_are_reported_at_once_each_with_its_line() {
    let text = format!(
        "{FINE}{}",
        r#"
[sip]
udp = ["0.0.0.0:5060", "somewhere"]
[web]
listen = "0.0.0.0:8080"
[limits]
calls = 3
[[trunk]]
id = "telecom"
peers = ["telecom.example"]
[[agent]]
id = 1001
name = "王律师"
region = "wenzhou"
pools = ["luchen"]
ha1_md5 = "short"
[[agent]]
id = 1001
name = "李律师"
region = "hangzhou"
pools = ["lucheng"]
contact = "1001"
"#
    );
    let found = problems(&text);
    let expected = [
        (7, "does not know which one phones shall use"),
        (7, "\"somewhere\" is no address"),
        (9, "it has no logins yet"),
        (11, "unknown key `limits.calls`"),
        (14, "\"telecom.example\" is no address"),
        (19, "wenzhou has no pool \"luchen\"; did you mean \"lucheng\"?"),
        (20, "`ha1_md5` is not 32 hexadecimal digits"),
        (22, "two agents have the number 1001"),
        (24, "no dialplan serves \"hangzhou\""),
        (26, "`contact` cannot be used"),
        (21, "this phone has no credentials"),
    ];
    for (line, what) in expected {
        let is_there =
            found.iter().any(|p| p.starts_with(&format!("hotline.toml:{line}:")) && p.contains(what));
        assert!(is_there, "line {line}: {what}\nfound: {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_dialplan_that_names_a_missing_prompt_does_not_start_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = FINE.replace("REPOSITORY/dialplans/prompts/zh-CN", &folder.path().display().to_string());
    let found = problems(&text);
    assert!(found.iter().any(|p| p.contains("wenzhou.toml:") && p.contains("notice")), "{found:#?}");
}

#[test]
fn a_file_that_is_not_there_is_an_error_and_not_a_panic() {
    let found = problems(&FINE.replace("wenzhou.toml", "atlantis.toml"));
    assert!(found.iter().any(|p| p.contains("atlantis.toml:1: cannot be read")), "{found:#?}");
}

/// Wenzhou with a queue that needs a skill, and one agent who knows `skills`.
fn with_skills(skills: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Path::new(REPOSITORY).canonicalize().expect("the repository");
    let plan = std::fs::read_to_string(repository.join("dialplans/wenzhou.toml")).expect("the dialplan");
    let queue = "[steps.wait]\nkind = \"queue\"\n";
    assert!(plan.contains(queue));
    let plan = plan.replace(queue, &format!("{queue}needs = {{ labour = 5 }}\n"))
        + "[skills.labour]\nname = { zh = \"劳动争议\", en = \"Labour\" }\n";
    write(folder.path(), "plan.toml", &plan);
    let calendars = folder.path().join("calendars");
    std::fs::create_dir(&calendars).expect("a folder");
    std::fs::copy(repository.join("dialplans/calendars/cn-2026.toml"), calendars.join("cn-2026.toml"))
        .expect("the calendar");
    let text = format!(
        "data_dir = \"data\"\ndialplans = [\"plan.toml\"]\n\
         prompts = [\"{}/dialplans/prompts/zh-CN\"]\n[[agent]]\nid = 1001\nname = \"王律师\"\n\
         region = \"wenzhou\"\npools = [\"lucheng\", \"city\"]\nmembership = {{ city = {{ tier = 2 }} }}\n\
         skills = {skills}\ncontact = \"sip:1001@192.0.2.7\"\n",
        repository.display()
    );
    let path = write(folder.path(), "hotline.toml", &text);
    (folder, path)
}

#[test]
fn agents_have_places_in_pools_and_skills() {
    let (_folder, path) = with_skills("{ labour = 5 }");
    let settings = load(&path, today()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(of_other_kinds(&settings.warnings), Vec::<&Problem>::new());
    let agent = settings.value.agents.values().next().expect("an agent");
    let tiers: Vec<(&str, u8)> = agent.pools.iter().map(|(id, place)| (id.as_str(), place.tier)).collect();
    assert_eq!(tiers, [("city", 2), ("lucheng", 1)]);
    assert_eq!(agent.skills.get(&"labour".into()), Some(&5));
}

#[test]
fn a_skill_that_a_queue_insists_on_and_nobody_has_is_a_warning() {
    let (_folder, path) = with_skills("{ labour = 4 }");
    let settings = load(&path, today()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let told = settings.warnings.iter().any(|warning| warning.to_string().contains("needs labour 5"));
    assert!(told, "{:#?}", settings.warnings);
}

#[test]
fn a_skill_that_the_dialplan_does_not_know_is_an_error() {
    let (_folder, path) = with_skills("{ labor = 4 }");
    let problems = load(&path, today()).err().expect("an error");
    assert!(problems.iter().any(|problem| problem.remedy.contains("labour")), "{problems:#?}");
}

/// Wenzhou with one agent and these rosters.
fn with_rosters(rosters: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Path::new(REPOSITORY).canonicalize().expect("the repository");
    let mut names = Vec::new();
    for (i, text) in rosters.iter().enumerate() {
        names.push(format!("\"roster{i}.toml\""));
        write(folder.path(), &format!("roster{i}.toml"), text);
    }
    let text = format!(
        "rosters = [{}]\n{FINE}[[agent]]\nid = 1001\nname = \"王律师\"\nregion = \"wenzhou\"\n\
         pools = [\"lucheng\", \"city\"]\ncontact = \"sip:1001@192.0.2.7\"\n",
        names.join(", ")
    );
    let text = text.replace("REPOSITORY", &repository.display().to_string());
    let path = write(folder.path(), "hotline.toml", &text);
    let shown = |problems: &[dialplan::Problem]| {
        let folder = format!("{}/", folder.path().display());
        of_other_kinds(problems).iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    };
    match load(&path, today()) {
        Ok(settings) => {
            assert_eq!(settings.value.rosters.len(), rosters.len());
            shown(&settings.warnings)
        }
        Err(problems) => shown(&problems),
    }
}

const ROSTER: &str = "region = \"wenzhou\"\n[shifts.whole]\npools = [\"city\"]\nlawyers = [1001]\n\
                      days = [\"daily\"]\nhours = \"08:00-08:00\"\n";

#[test]
fn a_roster_is_checked_against_the_lawyers_of_the_settings() {
    assert_eq!(with_rosters(&[ROSTER]), Vec::<String>::new());
    let found = with_rosters(&[&ROSTER.replace("1001", "1002").replace("city", "ctiy")]);
    let expect = [
        "roster0.toml:3: wenzhou has no pool \"ctiy\"; did you mean \"city\"?",
        "roster0.toml:4: there is no lawyer 1002 in wenzhou; correct the number, or add an [[agent]] to the settings",
    ];
    assert_eq!(found, expect);
}

#[test]
fn a_shift_by_mobile_is_checked_against_the_mobiles_of_the_settings() {
    let found = with_rosters(&[&format!("{ROSTER}reach = \"mobile\"\n")]);
    let expect = "the shift \"whole\" is done by mobile, and 1001 has none; add mobile = ";
    assert!(matches!(&found[..], [wrong] if wrong.contains(expect)), "{found:#?}");
}

#[test]
fn a_region_has_one_roster() {
    let found = with_rosters(&[ROSTER, ROSTER]);
    let expect = "hotline.toml:1: two rosters are for the region wenzhou; keep one of them";
    assert_eq!(found, [expect]);
}

#[test]
fn pools_in_which_nobody_is_are_told_in_one_warning() {
    let (_folder, path) = with_skills("{ labour = 5 }");
    let settings = load(&path, today()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let told: Vec<String> = settings.warnings.iter().map(Problem::to_string).collect();
    let expected = "warning: no lawyer of wenzhou is in cangnan, dongtou, longgang";
    assert!(told.len() == 1 && told[0].contains(expected) && told[0].contains("calls go past"), "{told:#?}");
}

#[test]
fn a_broken_calendar_a_broken_dialplan_and_a_broken_agent_are_told_together() {
    let (folder, path) = with_skills("{ labor = 4 }");
    let edit = |file: &str, from: &str, to: &str| {
        let file = folder.path().join(file);
        let text = std::fs::read_to_string(&file).expect("the file");
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).expect("the file");
    };
    edit("calendars/cn-2026.toml", "year = 2026", "year = 26");
    edit("plan.toml", "open = \"wait\"", "open = \"weit\"");
    edit("hotline.toml", "contact = \"sip:1001@192.0.2.7\"", "contact = \"1001\"");
    let problems = load(&path, today()).err().expect("errors");
    let files: std::collections::BTreeSet<&str> =
        problems.iter().filter_map(|problem| problem.file.rsplit('/').next()).collect();
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["cn-2026.toml", "hotline.toml", "plan.toml"]);
    // What depends on what cannot be read is not told as wrong.
    let of_others = |part: &str| problems.iter().any(|problem| problem.what.contains(part));
    assert!(!of_others("no calendar") && !of_others("no dialplan serves"), "{problems:#?}");
}

#[test]
fn a_mobile_needs_a_trunk_through_which_it_can_be_rung() {
    let agent = |id: u32, trunk: &str, number: &str| {
        format!(
            "[[agent]]\nid = {id}\nname = \"赵律师\"\nregion = \"wenzhou\"\npools = [\"city\"]\n\
             mobile = {{ number = \"{number}\", trunk = \"{trunk}\", caller_id = \"057712348\" }}\n"
        )
    };
    let trunks = "[[trunk]]\nid = \"out\"\npeers = [\"203.0.113.1\"]\ncontact = \"sip:203.0.113.1:5060\"\n\
                  [[trunk]]\nid = \"in\"\npeers = [\"203.0.113.2\"]\n";
    assert_eq!(problems(&format!("{FINE}{trunks}{}", agent(1, "out", "13800000001"))), Vec::<String>::new());
    let text = format!(
        "{FINE}{trunks}{}{}{}",
        agent(1, "in", "13800000001"),
        agent(2, "uot", "13800000002"),
        agent(3, "out", "+86 138")
    );
    let mut found = problems(&text);
    found.retain(|problem| !problem.contains("calls go past"));
    let expected = [
        (17, "nobody can be rung through \"in\""),
        (23, "there is no trunk \"uot\"; did you mean \"out\"?"),
        (29, "`number` is no number that a trunk takes"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (line, what)) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("hotline.toml:{line}: ")) && found.contains(what), "{found}");
    }
}

#[test]
fn a_target_of_a_dialplan_needs_a_trunk_of_the_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Path::new(REPOSITORY).canonicalize().expect("the repository");
    let target = |name: &str, trunk: &str| {
        format!(
            "\n[targets.{name}]\nname = {{ zh = \"外\", en = \"Out\" }}\nnumbers = [\"12345\"]\ntrunk = \"{trunk}\"\n\
             [steps.{name}]\nkind = \"transfer\"\nto = \"{name}\"\nmusic = \"hold_music\"\nfailed = \"message\"\n"
        )
    };
    let plan = include_str!("../../../../tests/flows/dialplan.toml");
    let plan = plan
        .replace("then = \"wait\"", "then = \"wait\"\nsteps = { 3 = \"a\", 4 = \"b\", 5 = \"c\" }")
        + &target("a", "out")
        + &target("b", "in")
        + &target("c", "uot");
    write(folder.path(), "plan.toml", &plan);
    let settings = format!(
        "data_dir = \"data\"\ndialplans = [\"plan.toml\"]\nprompts = [\"{}/dialplans/prompts/zh-CN\"]\n\
         [[trunk]]\nid = \"out\"\npeers = [\"203.0.113.1\"]\ncontact = \"sip:203.0.113.1:5060\"\n\
         [[trunk]]\nid = \"in\"\npeers = [\"203.0.113.2\"]\n",
        repository.display()
    );
    let path = write(folder.path(), "hotline.toml", &settings);
    let problems = load(&path, today()).err().expect("two targets have no way out");
    let line =
        |trunk: &str| plan.lines().position(|line| line == format!("trunk = \"{trunk}\"")).unwrap_or(0) + 1;
    let folder = format!("{}/", folder.path().display());
    let said: Vec<String> = problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect();
    assert_eq!(
        said,
        [
            format!(
                "plan.toml:{}: nobody can be rung through \"in\", for it has no address; give the trunk a contact = \
                 \"sip:203.0.113.1:5060\"",
                line("in")
            ),
            format!("plan.toml:{}: there is no trunk \"uot\"; did you mean \"out\"?", line("uot")),
        ]
    );
}
