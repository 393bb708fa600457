//! Children that are shell scripts, on Windows batch files.

use std::{
    fs::{File, OpenOptions},
    io::Write,
};

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// The name of a file to which [`beats`] and [`copies`] write.
const BEATS: &str = "RINGBEARER_TEST_FILE";

/// A directory with a script and the file of [`beats`].
struct Script {
    folder: tempfile::TempDir,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Script {
    /// A script in the language of the platform's shell. `BEAT` in it runs [`beats`], and `COPY` runs [`copies`].
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("beats")).unwrap();
        let program = std::env::current_exe().unwrap();
        let run = |name| format!("\"{}\" --ignored --exact system::os::process::tests::{name}", program.display());
        let text = script.replace("BEAT", &run("beats")).replace("COPY", &run("copies"));
        if cfg!(windows) {
            let program = folder.path().join("script.cmd");
            std::fs::write(&program, format!("@{}\r\n", text.replace('\n', "\r\n@"))).unwrap();
            Self { folder, program, arguments: Vec::new() }
        } else {
            Self { folder, program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), text] }
        }
    }

    fn environment(&self) -> Environment {
        let beats = self.folder.path().join("beats").into_os_string();
        let mut variables = vec![(BEATS.into(), beats), ("Given".into(), "given".into())];
        variables.extend(["PATH", "SystemRoot"].map(|name| (name.into(), std::env::var_os(name).unwrap_or_default())));
        variables.into_iter().collect()
    }

    fn command(&self, limit: Duration) -> child::Command {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        child::Command::new(self.program.clone(), &arguments, limit).variable("ADDED", "added")
    }

    fn run(&self, limit: Duration, cancellation: &CancellationToken) -> Result<child::Output> {
        run(&self.environment(), &self.command(limit), Instant::now() + limit, cancellation)
    }

    /// Runs the script with this standard input.
    fn run_with_input(&self, input: &str, limit: Duration) -> Result<child::Output> {
        let command = self.command(limit).with_input(Secret::new(input.to_owned()));
        run(&self.environment(), &command, Instant::now() + limit, &CancellationToken::default())
    }

    fn output(&self) -> String {
        let output = self.run(LONG, &CancellationToken::default()).unwrap();
        String::from_utf8(output.stdout.to_vec()).unwrap().replace("\r\n", "\n")
    }

    /// The bytes that [`beats`] has written.
    fn beats(&self) -> u64 {
        std::fs::metadata(self.folder.path().join("beats")).unwrap().len()
    }

    fn wait_for_a_beat(&self) {
        let (before, start) = (self.beats(), Instant::now());
        while self.beats() == before {
            assert!(start.elapsed() < LONG, "no process writes");
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn assert_that_the_beats_end(&self) {
        let start = Instant::now();
        loop {
            let before = self.beats();
            thread::sleep(Duration::from_millis(200));
            if self.beats() == before {
                return;
            }
            assert!(start.elapsed() < LONG, "a process still writes");
        }
    }
}

/// Not a test: a program that copies its standard input to its file.
#[test]
#[ignore = "a program for other tests"]
fn copies() {
    let Some(path) = std::env::var_os(BEATS) else { return };
    io::copy(&mut io::stdin(), &mut File::create(path).unwrap()).unwrap();
}

/// Not a test: a program that runs until its file is removed.
#[test]
#[ignore = "a program for other tests"]
fn beats() {
    let Some(path) = std::env::var_os(BEATS) else { return };
    while OpenOptions::new().append(true).open(&path).is_ok_and(|mut file| file.write_all(b".").is_ok()) {
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_child_has_its_environment_a_neutral_directory_and_no_stdin() {
    let script = Script::new(if cfg!(windows) {
        "echo %GIVEN% %ADDED% [%TEMP%]\ncd\nfindstr x\necho oops>&2\nexit 3"
    } else {
        "echo $Given $ADDED [$TEMP]; pwd; cat; echo oops >&2; exit 3"
    });
    let output = script.run(LONG, &CancellationToken::default()).unwrap();
    let lines: Vec<_> = output.stdout.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    let directory = neutral_directory(&script.environment()).into_os_string().into_string().unwrap();
    let [given, found, rest @ ..] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((*given, rest), (&b"given added []"[..], &[&b""[..]][..]));
    assert!(found.eq_ignore_ascii_case(directory.as_bytes()), "{found:?}");
    assert_eq!((output.status, output.stderr_text().trim_end()), (Some(3), "oops"));
}

/// More than a pipe holds.
const LONG_INPUT: usize = 256 * 1024;

#[test]
fn a_child_reads_its_input_to_the_end() {
    for input in ["x secret".to_owned(), "x\n".repeat(LONG_INPUT / 2)] {
        let script = Script::new("COPY");
        assert_eq!(script.run_with_input(&input, LONG).unwrap().status, Some(0));
        assert!(std::fs::read_to_string(script.folder.path().join("beats")).unwrap() == input);
    }
}

#[test]
fn a_child_that_does_not_read_its_input_is_not_waited_for() {
    let input = "x".repeat(LONG_INPUT);
    let output = Script::new("exit 3").run_with_input(&input, LONG).unwrap();
    assert_eq!(output.status, Some(3));
    let start = Instant::now();
    let error = Script::new("BEAT").run_with_input(&input, Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(start.elapsed() < LONG);
}

#[test]
fn a_started_program_is_not_waited_for() {
    let script = Script::new("BEAT");
    let start = Instant::now();
    detached::start(&script.environment(), &script.command(Duration::ZERO)).unwrap();
    assert!(start.elapsed() < LONG);
    script.wait_for_a_beat();
    std::fs::remove_file(script.folder.path().join("beats")).unwrap();
}

#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let mut script = Script::new("");
    script.program = script.folder.path().join("missing");
    let error = detached::start(&script.environment(), &script.command(LONG)).unwrap_err();
    assert!(error.message().contains("missing cannot be run: "), "{error}");
}

/// The fields of a process's line in /proc after its name: state, parent, process group, session.
#[cfg(target_os = "linux")]
fn process_state(id: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(text.rsplit(") ").next()?.split(' ').map(str::to_owned).collect())
}

#[cfg(target_os = "linux")]
#[test]
fn a_started_program_has_its_own_group_and_leaves_no_zombie() {
    let script = Script::new("echo $$ $(pwd) > \"$RINGBEARER_TEST_FILE\"; read line; sleep 1; exec true");
    detached::start(&script.environment(), &script.command(Duration::ZERO)).unwrap();
    let start = Instant::now();
    // It writes once, perhaps already.
    while script.beats() == 0 {
        assert!(start.elapsed() < LONG, "no process writes");
        thread::sleep(POLL_INTERVAL);
    }
    let text = std::fs::read_to_string(script.folder.path().join("beats")).unwrap();
    let (id, directory) = text.trim_end().split_once(' ').unwrap();
    assert_eq!((process_state(id).unwrap()[2].as_str(), directory), (id, "/"));
    let start = Instant::now();
    while let Some(state) = process_state(id) {
        assert!(start.elapsed() < LONG, "{state:?}");
        thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn a_child_is_killed_with_all_that_it_starts_at_the_deadline() {
    let script = Script::new("BEAT");
    let start = Instant::now();
    let error = script.run(Duration::from_secs(2), &CancellationToken::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(start.elapsed() < LONG);
    assert_ne!(script.beats(), 0);
    script.assert_that_the_beats_end();
}

#[test]
fn cancellation_kills_the_child_with_all_that_it_starts() {
    let (script, cancellation) = (Script::new("BEAT"), CancellationToken::default());
    let error = thread::scope(|scope| {
        let running = scope.spawn(|| script.run(LONG, &cancellation));
        script.wait_for_a_beat();
        cancellation.cancel();
        running.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), Kind::Cancelled);
    script.assert_that_the_beats_end();
}

#[test]
fn a_grandchild_that_keeps_the_pipe_open_is_left_alone() {
    let script = Script::new(if cfg!(windows) { "echo token\nstart /b \"\" BEAT" } else { "echo token; BEAT &" });
    let start = Instant::now();
    assert!(script.output().starts_with("token\n"));
    assert!(start.elapsed() < LONG);
    script.wait_for_a_beat();
}

/// Not a test: a program that waits for a child.
#[cfg(windows)]
#[test]
#[ignore = "a program for other tests"]
fn waits_for_a_child() {
    let Some(path) = std::env::var_os(BEATS) else { return };
    let script = Script::new(&format!("set {BEATS}={}\nBEAT", path.display()));
    let _ = script.run(LONG, &CancellationToken::default());
}

#[cfg(windows)]
#[test]
fn the_children_of_a_killed_process_are_killed() {
    let script = Script::new("");
    let mut waiting = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "system::os::process::tests::waits_for_a_child"])
        .env(BEATS, script.folder.path().join("beats"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    script.wait_for_a_beat();
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    script.assert_that_the_beats_end();
}

#[test]
fn endless_output_is_an_error() {
    let line = "y".repeat(1000);
    let loops = if cfg!(windows) { format!(":next\necho {line}\ngoto next") } else { "yes".to_owned() };
    let error = Script::new(&loops).run(LONG, &CancellationToken::default()).unwrap_err();
    assert!(error.message().contains("more than 1024 KiB"), "{error}");
}

#[cfg(windows)]
#[test]
fn a_child_gets_the_spelling_of_its_variables() {
    assert_eq!(Script::new("set given").output(), "Given=given\n");
}

#[cfg(windows)]
#[test]
fn a_variable_replaces_the_one_in_another_case() {
    let script = Script::new("set given");
    let command = child::Command::new(script.program.clone(), &[], LONG).variable("GIVEN", "replaced");
    let output = run(&script.environment(), &command, Instant::now() + LONG, &CancellationToken::default()).unwrap();
    assert_eq!(output.stdout.trim_ascii_end(), b"Given=replaced");
}

#[cfg(windows)]
#[test]
fn a_batch_file_runs_no_command_from_its_arguments() {
    for argument in ["a b", "x & echo injected", "x | echo injected", "(x) ^ <y >z", "\" & echo injected"] {
        let mut script = Script::new("echo [%*]");
        script.arguments = vec![argument.to_owned()];
        let output = script.output();
        assert!(!output.lines().any(|line| line.starts_with("injected")), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
    }
}

#[cfg(windows)]
#[test]
fn a_line_break_in_an_argument_of_a_batch_file_is_an_error() {
    let mut script = Script::new("echo [%*]");
    script.arguments = vec!["two\nlines".to_owned()];
    let error = script.run(LONG, &CancellationToken::default()).unwrap_err();
    let expected = "script.cmd cannot be run: an argument has a line break, which no batch file can receive";
    assert!(error.message().contains(expected), "{error}");
}

#[cfg(windows)]
#[test]
fn exec_returns_all_32_bits_of_the_exit_code() {
    for code in [0, 3, 256, 1000, -1, i32::from_ne_bytes(0xc000_0005_u32.to_ne_bytes())] {
        let script = Script::new(&format!("exit {code}"));
        let command = child::Exec {
            program: script.program.clone(),
            arguments: Vec::new(),
            variables: Vec::new(),
            failure_code: 99,
            filters_stderr: false,
        };
        assert_eq!(exec(&script.environment(), &command).unwrap(), code);
    }
}

#[test]
fn the_neutral_directory_is_an_existing_absolute_one() {
    for root in ["relative", "C:\\missing", ""] {
        let environment = [("SystemRoot".into(), root.into())].into_iter().collect();
        let expected = if cfg!(windows) { "C:\\" } else { "/" };
        assert_eq!(neutral_directory(&environment), Path::new(expected), "{root:?}");
    }
}
