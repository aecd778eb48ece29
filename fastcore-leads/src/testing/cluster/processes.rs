//! The processes of a cluster, none of which outlives the test.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
};

use crate::testing::postgres::{is_alive, run_as_server_user};

/// Kills every process that works in the folder, wherever it came from, once nobody holds the other end of the pipe; then the
/// folder goes. Again until none is found, since one that is being killed may have started another.
const WATCH: &str = r#"trap '' INT TERM HUP
read -r _
for _ in 1 2 3 4 5 6 7 8 9; do
    found=
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd")" in
        "$1" | "$1"/*) found=1; kill -KILL "${process#/proc/}" ;;
        esac
    done
    [ -n "$found" ] || break
    sleep 0.1
done
rm -rf "$1""#;

/// Looks after all processes that work in a folder. It is their user's, and may look at them.
#[derive(Debug)]
pub(super) struct Watch {
    shell: Child,
    /// The shell reads from it.
    lifeline: Option<ChildStdin>,
}

impl Watch {
    pub(super) fn over(folder: &Path) -> Self {
        let mut shell = run_as_server_user(Path::new("sh"));
        shell.args(["-c", WATCH, "sh"]).arg(folder).current_dir("/");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("sh can be run");
        let lifeline = shell.stdin.take();
        Self { shell, lifeline }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.shell.wait();
    }
}

/// A process that works in a folder, where its log is. It ends when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Mutex<Child>,
}

impl Process {
    pub(super) fn start(mut command: Command, folder: &Path) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log can be written");
        command.current_dir(folder).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        Self { child: Mutex::new(command.spawn().expect("the program can be run")) }
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.locked(|child| child.id());
        send(signal, &[id.to_string()]);
    }

    fn locked<T>(&self, use_it: impl FnOnce(&mut Child) -> T) -> T {
        use_it(&mut self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.locked(|child| {
            let _ = child.kill();
            let _ = child.wait();
        });
    }
}

/// Sends a signal to processes; one that has ended is no failure.
pub(super) fn send(signal: &str, ids: &[String]) {
    let living = ids.iter().filter(|id| is_alive(id));
    let _ = Command::new("kill").arg(signal).args(living).stderr(Stdio::null()).status();
}

/// The path of a program of a package.
pub(super) fn installed(program: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let places =
        env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from));
    let found = places.map(|place| place.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{program} is not installed. Run `./test --cluster`, which installs it, or install the package `{package}`"
        )
    })
}
