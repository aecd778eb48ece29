//! A `serve` process under test.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use fastcore_leads::testing::{TOKEN, TempDir};

/// No start or stop takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const SERVE: &str = env!("CARGO_BIN_EXE_serve");

/// Runs until dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) banner: String,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts with the token that tests use.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_with(options, &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)])
    }

    /// Starts another program than the one that was built along, such as an older version.
    pub(crate) fn start_other(program: &OsStr, options: &[&str]) -> Self {
        Self::start_by(Command::new(program), options, &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)])
    }

    /// Starts in a directory of its own with these variables, and waits until it listens.
    pub(crate) fn start_with(options: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(SERVE), options, variables)
    }

    /// Starts on a disk of so many KiB, mounted over a folder, which nobody outside of the process sees.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on_small_disk(
        kib: usize,
        folder: &std::path::Path,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mount = format!("mount -t tmpfs -o size={kib}k tmpfs '{}' && exec \"$0\" \"$@\"", folder.display());
        let mut unshare = Command::new("unshare");
        // As root in a namespace of its own, where that is allowed to others.
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount, SERVE]);
        Self::start_by(unshare, options, variables)
    }

    fn start_by(program: Command, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let command = command(program, &dir, options, variables);
        Self::spawn(command, dir)
    }

    /// Starts with a log that goes elsewhere: into a [pipe](Self::log_pipe), a device.
    pub(crate) fn start_logging_to(log: impl Into<Stdio>, variables: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let mut command = command(Command::new(SERVE), &dir, &[], variables);
        command.env("FASTCORE_SITE_INGEST_TOKEN", TOKEN).stderr(log);
        Self::spawn(command, dir)
    }

    /// Where its log goes, if it was started so.
    pub(crate) fn log_pipe(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// As a service manager does: again where it ended since the database did not answer in time.
    pub(crate) fn start_again_and_again(options: &[&str]) -> Self {
        let end = Instant::now() + PATIENCE;
        loop {
            let dir = TempDir::new();
            let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN)];
            match Self::try_spawn(command(Command::new(SERVE), &dir, options, &variables), dir) {
                Ok(service) => return service,
                Err(log) => assert!(Instant::now() < end, "serve ended: {log}"),
            }
        }
    }

    fn spawn(command: Command, dir: TempDir) -> Self {
        Self::try_spawn(command, dir).unwrap_or_else(|log| panic!("serve ended: {log}"))
    }

    /// `Err`: what it said before it ended.
    fn try_spawn(mut command: Command, dir: TempDir) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !banner.contains("curl ") {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.kill();
                let _ = child.wait();
                return Err(read(&dir));
            };
            banner.push_str(&line);
            banner.push('\n');
        }
        let address = banner.lines().find_map(|line| line.strip_prefix("Listening on http://")).unwrap();
        Ok(Self { child, dir, address: address.parse().unwrap(), banner })
    }

    /// What it logged so far. Lines are written behind those who log: until no more come.
    pub(crate) fn logs(&self) -> String {
        let mut logs = read(&self.dir);
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let later = read(&self.dir);
            if later.len() == logs.len() {
                return logs;
            }
            logs = later;
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The memory that it has now.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for a path, on a connection of its own.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").into_bytes()
}

/// Runs a `serve` that cannot start: its exit status, and what it said.
pub(crate) fn start_in_vain(options: &[&str], variables: &[(&str, &str)]) -> (ExitStatus, String) {
    let dir = TempDir::new();
    let mut child = command(Command::new(SERVE), &dir, options, variables).stdout(Stdio::null()).spawn().unwrap();
    (wait(&mut child), read(&dir))
}

fn command(mut command: Command, dir: &TempDir, options: &[&str], variables: &[(&str, &str)]) -> Command {
    command
        .args(options)
        .env("FASTCORE_LISTEN", "127.0.0.1:0")
        .env_remove("FASTCORE_SITE_INGEST_TOKEN")
        .env_remove("FASTCORE_EVENTS_TOKEN")
        .env_remove("DATABASE_URL")
        .env_remove("RUST_LOG")
        .envs(variables.iter().copied())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stderr(File::create(dir.path().join("log")).unwrap());
    command
}

fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < end, "serve did not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read(dir: &TempDir) -> String {
    let mut log = String::new();
    File::open(dir.path().join("log")).unwrap().read_to_string(&mut log).unwrap();
    log
}
