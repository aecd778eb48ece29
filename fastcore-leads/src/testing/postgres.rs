//! A throw-away PostgreSQL, for tests and benchmarks: never one that already runs.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::TempDir;

/// What a machine without a server is told.
const NO_SERVER: &str =
    "PostgreSQL is not installed: no `initdb` was found. Run `./test`, or install the package `postgresql`";

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server with a data directory, a port and a superuser (`postgres`, trusted on 127.0.0.1) of its own.
///
/// A shell watches over the server: it stops the server and removes its directory when this value is dropped, and also
/// when the process dies in any other way.
#[derive(Debug)]
pub struct Cluster {
    guard: Mutex<Option<Guard>>,
    settings: Vec<String>,
    port: u16,
    dir: TempDir,
    databases: AtomicU32,
}

#[derive(Debug)]
struct Guard {
    shell: Child,
    /// The shell reads from it: its end is the server's end.
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// The server that the tests of one process share. Without `fsync`, since it does not outlive the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["fsync=off", "max_connections=300"]))
    }

    /// Starts a server with settings such as `fsync=on`.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_with_files(settings, &[])
    }

    /// Starts a server that encrypts where the client wants it, with a certificate for `localhost`.
    pub fn start_encrypted() -> Self {
        Self::start_with_files(
            &["ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key"],
            &[("server.pem", include_str!("tls/server.pem")), ("server.key", include_str!("tls/server.key"))],
        )
    }

    /// Writes an authority's certificate to a file: `ca`, which vouches for the server that
    /// [`start_encrypted`](Self::start_encrypted) starts, or `other_ca`, which does not.
    pub fn authority(&self, name: &str) -> String {
        let file = self.dir.path().join(format!("{name}.pem"));
        let text = if name == "ca" { include_str!("tls/ca.pem") } else { include_str!("tls/other_ca.pem") };
        fs::write(&file, text).expect("the temporary directory can be written");
        file.display().to_string()
    }

    /// The files stand in the data directory.
    fn start_with_files(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("the temporary directory can be written");
        give_to_server_user(dir.path());
        give_to_server_user(&data);
        let output = run_as_server_user(&program("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .expect(NO_SERVER);
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        for (name, text) in files {
            let mut write = run_as_server_user(Path::new("sh"));
            write.args(["-c", "umask 077; printf %s \"$2\" >\"$1\"", "sh"]).arg(data.join(name)).arg(text);
            assert!(write.status().is_ok_and(|status| status.success()), "{name} cannot be written");
        }
        let cluster = Self {
            guard: Mutex::new(None),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            port: free_port(),
            dir,
            databases: AtomicU32::new(0),
        };
        cluster.resume();
        cluster
    }

    /// Starts the server again, on the same port, after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub fn resume(&self) {
        let mut server = run_as_server_user(&program("postgres"));
        server.arg("-D").arg(self.data()).args(["-c", "listen_addresses=127.0.0.1", "-p", &self.port.to_string()]);
        server.arg("-k").arg(self.dir.path());
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        let log = File::create(self.dir.path().join("log")).expect("the temporary directory can be written");
        let mut shell = Command::new("sh");
        // `read` ends when the process that holds the other end of the pipe does.
        shell
            .args(["-c", r#"trap '' INT; dir=$1; shift; "$@" </dev/null & read -r _; kill -INT $! 2>/dev/null; wait; rm -rf "$dir""#, "sh"])
            .arg(self.dir.path())
            .arg(server.get_program())
            .args(server.get_args())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        let mut shell = shell.spawn().expect("sh can be run");
        let lifeline = shell.stdin.take();
        *self.lock() = Some(Guard { shell, lifeline });
        self.wait_until("the server accepts connections", || {
            let ready = Command::new(program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            ready.is_ok_and(|status| status.success())
        });
    }

    /// Stops the server, connections and all, and waits until it has ended.
    pub fn stop(&self) {
        self.signal("-INT");
    }

    /// Kills the server's main process, as a power cut would, and waits until all of it has ended.
    pub fn kill(&self) {
        self.signal("-KILL");
    }

    /// Makes a database of one test's own and answers its URL.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of one of the server's databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements with `psql`, as another program than ours, and answers what it prints, unaligned.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let (is_done, text) = self.try_psql(database, sql);
        assert!(is_done, "psql failed: {text}");
        text
    }

    /// As [`psql`](Self::psql), for statements that may fail: whether they went through, and what was printed.
    pub fn try_psql(&self, database: &str, sql: &str) -> (bool, String) {
        let database = database.rsplit('/').next().unwrap_or(database);
        run_psql(self.port, database, sql, &[])
    }

    /// Runs statements in a session that stays open until the answer is dropped, such as one that holds a lock.
    pub fn session(&self, database: &str, sql: &str) -> Session {
        let database = database.rsplit('/').next().unwrap_or(database);
        let mut child = Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres"])
            .args(["-p", &self.port.to_string(), "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect(NO_SERVER);
        let mut stdin = child.stdin.take().expect("it is piped");
        writeln!(stdin, "{sql}\nSELECT 'done';").expect("psql reads");
        stdin.flush().expect("psql reads");
        let stdout = child.stdout.take().expect("it is piped");
        let line = BufReader::new(stdout).lines().find(|line| line.as_ref().is_ok_and(|line| line == "done"));
        assert!(line.is_some(), "the session ended");
        Session { child, stdin: Some(stdin) }
    }

    /// What it has logged since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The numbers of the server's processes, that of the first one first.
    pub fn processes(&self) -> Vec<String> {
        processes_of(&self.data()).expect("the server runs")
    }

    fn signal(&self, signal: &str) {
        let family = self.processes();
        let is_sent = Command::new("kill").args([signal, &family[0]]).status();
        assert!(is_sent.is_ok_and(|status| status.success()), "kill failed");
        // Its children may outlive it by a moment; they hold the shared memory that the next start needs.
        self.wait_until("the server has ended", || !family.iter().any(|pid| is_alive(pid)));
        // The shell would take the data along: it is killed before it can.
        if let Some(mut guard) = self.lock().take() {
            let _ = guard.shell.kill();
            let _ = guard.shell.wait();
        }
        // Until somebody waits for the ended process, its number looks alive to the next start.
        let pid_file = self.data().join("postmaster.pid");
        let socket = format!(".s.PGSQL.{}", self.port);
        for left in [pid_file, self.dir.path().join(format!("{socket}.lock")), self.dir.path().join(socket)] {
            let _ = fs::remove_file(left);
        }
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < end, "after {PATIENCE:?} it is not so that {what}: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Guard>> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session of `psql`; it ends, and rolls back, when dropped.
#[derive(Debug)]
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Session {
    /// Runs more statements.
    pub fn say(&mut self, sql: &str) {
        if let Some(stdin) = &mut self.stdin {
            writeln!(stdin, "{sql}").and_then(|()| stdin.flush()).expect("psql reads");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut guard) = self.lock().take() {
            drop(guard.lifeline.take());
            let _ = guard.shell.wait();
        }
    }
}

/// The path of one of the server's programs; Debian keeps them out of the `PATH`.
pub fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|version| version.path().join("bin")));
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file()).expect(NO_SERVER)
}

/// A command that runs a program as the user that servers run as. PostgreSQL and its kin refuse to run as root: as `postgres` then, or as
/// `nobody` where there is no such user.
pub fn run_as_server_user(program: &Path) -> Command {
    if !runs_as_root() {
        return Command::new(program);
    }
    let user = server_user();
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), "--clear-groups", "--"]).arg(program).current_dir("/");
    command
}

/// Lets servers have what is at a path.
pub(super) fn give_to_server_user(path: &Path) {
    if runs_as_root() {
        let is_done = Command::new("chown").arg(server_user()).arg(path).status();
        assert!(is_done.is_ok_and(|status| status.success()), "chown failed");
    }
}

/// Runs statements at a server of this machine: whether they went through, and what was printed, unaligned.
pub(super) fn run_psql(port: u16, database: &str, sql: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(program("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"])
        .args(["-p", &port.to_string(), "-d", database, "-c", sql])
        .envs(variables.iter().copied())
        .output()
        .expect(NO_SERVER);
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

/// The numbers of the processes of the server with this data directory, that of the first one first; `None` where none has started.
pub(super) fn processes_of(data: &Path) -> Option<Vec<String>> {
    let pid = BufReader::new(File::open(data.join("postmaster.pid")).ok()?).lines().next()?.ok()?;
    let children = children_of(&pid);
    Some([vec![pid], children].concat())
}

fn server_user() -> &'static str {
    let has_postgres =
        fs::read_to_string("/etc/passwd").is_ok_and(|users| users.lines().any(|user| user.starts_with("postgres:")));
    if has_postgres { "postgres" } else { "nobody" }
}

fn runs_as_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

fn children_of(pid: &str) -> Vec<String> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// A process that has ended but was not waited for is not alive.
pub(super) fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// Below those that connections to elsewhere are given (Linux: from 32,768 on), one of which could be in the way when a server comes back.
pub(super) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Programs that run beside each other begin at different ones.
    let port =
        || FIRST + std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
    (0..COUNT)
        .filter_map(|_| u16::try_from(port()).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port is free")
}
