//! A real PostgreSQL for one test: in a temporary folder, reached by a socket there, ended with the test.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Where Debian keeps the server's programs, by version: they are not on the PATH.
const VERSIONS: &str = "/usr/lib/postgresql";
/// It does not run as root; this is whom its package makes for it.
const USER: &str = "postgres";

pub struct Postgres {
    dir: TempDir,
    programs: PathBuf,
    /// Whom it runs as, if not as whoever runs the test.
    user: Option<(u32, u32)>,
}

impl Postgres {
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a folder");
        let is_root = dir.path().metadata().expect("it is there").uid() == 0;
        let user = is_root.then(|| (id("-u"), id("-g")));
        if let Some((user, group)) = user {
            chown(dir.path(), Some(user), Some(group)).expect("root may give it away");
        }
        let postgres = Self { dir, programs: programs(), user };
        postgres.run("initdb", &["--username=hotline", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        let socket = format!("-F -k {} -c listen_addresses=", postgres.dir.path().display());
        postgres.run("pg_ctl", &["start", "--wait", "--silent", "--log=server.log", "--options", &socket]);
        postgres
    }

    pub fn url(&self) -> String {
        format!("postgres://hotline@localhost/postgres?host={}", self.dir.path().display())
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.dir.path()).env("PGDATA", self.dir.path().join("data")).args(arguments);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let is_well = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        assert!(is_well || std::thread::panicking(), "{program} {arguments:?}: {status:?}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--silent"]);
    }
}

/// The newest version's; those on the PATH where there is none.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| number(&entry.path())).max();
    newest.map_or_else(PathBuf::new, |version| Path::new(VERSIONS).join(version.to_string()).join("bin"))
}

fn id(what: &str) -> u32 {
    let said = Command::new("id").args([what, USER]).output().expect("there is a program `id`").stdout;
    let said = String::from_utf8_lossy(&said);
    said.trim().parse().expect("PostgreSQL is installed by `cargo xtask test`")
}
