use std::{sync::Arc, thread};

use super::*;
use crate::system::{CancellationToken, os::LOOKUP_LIMIT};

fn system() -> OsSystem {
    OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT)
}

#[test]
fn a_file_is_replaced_only_while_its_stamp_is_the_expected_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.json");
    assert!(system().replace(&path, &|to| to.write_all(b"one"), None).unwrap());
    assert!(!system().replace(&path, &|to| to.write_all(b"two"), None).unwrap());
    let snapshot = system().snapshot(&path, 10).unwrap();
    assert_eq!(snapshot.content, b"one");
    assert_eq!(system().stamp(&path).unwrap(), Some(snapshot.stamp.clone()));
    assert!(system().replace(&path, &|to| to.write_all(b"two"), Some(&snapshot.stamp)).unwrap());
    assert!(!system().replace(&path, &|to| to.write_all(b"six"), Some(&snapshot.stamp)).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert!(system().temporary_files(&path).unwrap().is_empty());
}

#[test]
fn a_file_of_the_same_time_and_length_has_another_stamp() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("file"), folder.path().join("other"));
    fs::write(&path, "one").unwrap();
    fs::write(&other, "two").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    OpenOptions::new().write(true).open(&other).unwrap().set_modified(modified).unwrap();
    let before = system().stamp(&path).unwrap().unwrap();
    fs::rename(&other, &path).unwrap();
    let after = system().stamp(&path).unwrap().unwrap();
    assert_eq!((before.length, before.modified), (after.length, after.modified));
    assert_ne!(before.number, after.number);
}

#[test]
fn writers_at_the_same_time_lose_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lock) = (folder.path().join("file"), folder.path().join("lock"));
    fs::write(&path, [b'-'; 40]).unwrap();
    // As the store does: read, lock, and read again if the stamp tells that the file has changed.
    let mark = |place: usize| {
        let system = system();
        let mut read = system.snapshot(&path, 40).unwrap();
        let _lock = loop {
            match system.try_lock(&lock).unwrap() {
                Some(lock) => break lock,
                None => thread::sleep(std::time::Duration::from_millis(1)),
            }
        };
        if system.stamp(&path).unwrap().as_ref() != Some(&read.stamp) {
            read = system.snapshot(&path, 40).unwrap();
        }
        // The length stays the same, and the time may: only the number tells two contents from each other.
        read.content[place] = b'x';
        assert!(system.rewrite(&path, &read.content, Some(&read.stamp)).unwrap());
    };
    thread::scope(|scope| {
        for writer in 0..8 {
            scope.spawn(move || (0..5).for_each(|round| mark(5 * writer + round)));
        }
    });
    assert_eq!(fs::read(&path).unwrap(), [b'x'; 40]);
}

#[test]
fn a_lock_has_one_holder_and_is_released_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let held = system().try_lock(&path).unwrap();
    assert!(held.is_some());
    assert!(system().try_lock(&path).unwrap().is_none());
    drop(held);
    assert!(system().try_lock(&path).unwrap().is_some());
}

#[test]
fn a_directory_or_device_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let device = Path::new(if cfg!(windows) { "NUL" } else { "/dev/zero" });
    for path in [folder.path(), device] {
        let error = system().snapshot(path, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
    }
}

#[test]
fn a_file_larger_than_the_cap_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "12345").unwrap();
    assert_eq!(read(&path, 5).unwrap(), b"12345");
    assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(system().head(&path, 2).unwrap(), b"12");
}

#[test]
fn a_created_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.json");
    system().create(&path, b"one").unwrap();
    assert_eq!(system().create(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"one");
    system().remove(&path).unwrap();
    assert_eq!(system().stamp(&path).unwrap(), None);
}

#[test]
fn a_real_path_is_written_as_people_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    let real = system().real_path(&path).unwrap();
    assert_eq!(fs::read(&real).unwrap(), b"x");
    assert!(!real.to_str().unwrap().starts_with(r"\\?\"), "{}", real.display());
}

#[test]
fn a_private_directory_is_created_with_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b");
    system().create_directory(&path, true).unwrap();
    system().create_directory(&path, true).unwrap();
    assert!(path.is_dir());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn private_files_and_directories_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        system().replace(&path("store"), &|to| to.write_all(b"x"), None).unwrap();
        system().create(&path("export"), b"x").unwrap();
        system().try_lock(&path("lock")).unwrap();
        system().create_directory(&path("directory"), true).unwrap();
        assert_eq!(
            ["store", "export", "lock", "directory"].map(|name| mode(&path(name))),
            [0o600, 0o600, 0o600, 0o700]
        );
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let stamp = system().stamp(&path).unwrap();
        assert!(system().rewrite(&path, b"two", stamp.as_ref()).unwrap());
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o640, b"two".to_vec()));
    }

    #[test]
    fn a_fifo_is_an_error_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        // rustix makes no FIFOs on macOS.
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(system().snapshot(&fifo, 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(system().try_lock(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_destination_of_a_link_is_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        symlink(&target, &link).unwrap();
        assert!(system().destination(&link).is_err());
        fs::write(&target, "x").unwrap();
        assert_eq!(system().destination(&link).unwrap(), fs::canonicalize(&target).unwrap());
        assert_eq!(system().destination(&target).unwrap(), target);
    }
}

#[cfg(windows)]
mod windows {
    use std::{
        os::windows::fs::OpenOptionsExt,
        time::{Duration, Instant},
    };

    use super::*;

    /// `FILE_SHARE_READ`: the file can be read, and neither written nor replaced.
    const SHARE_READ: u32 = 1;

    fn hold(path: &Path, share: u32, length: Duration) -> thread::JoinHandle<()> {
        let file = OpenOptions::new().read(true).share_mode(share).open(path).unwrap();
        thread::spawn(move || {
            thread::sleep(length);
            drop(file);
        })
    }

    fn with_file(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one").unwrap();
        test(&path);
    }

    /// `FILE_SHARE_READ` and `FILE_SHARE_WRITE`: the file can be written, and not replaced.
    const SHARE_WRITE: u32 = 3;

    #[test]
    fn nobody_opens_a_new_file_while_it_is_written() {
        with_file(|path| {
            let stamp = system().stamp(path).unwrap();
            let content = |to: &mut dyn Write| {
                let [temporary] = &system().temporary_files(path)?[..] else { panic!("one temporary file") };
                let refused = OpenOptions::new().read(true).open(temporary).unwrap_err();
                assert_eq!(refused.raw_os_error(), Some(32));
                assert_eq!(
                    fs::rename(temporary, temporary.with_extension("moved")).unwrap_err().raw_os_error(),
                    Some(32)
                );
                to.write_all(b"two")
            };
            assert!(system().replace(path, &content, stamp.as_ref()).unwrap());
            assert_eq!(fs::read(path).unwrap(), b"two");
            let failed = |_: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
            let stamp = system().stamp(path).unwrap();
            assert!(system().replace(path, &failed, stamp.as_ref()).is_err());
            assert!(system().temporary_files(path).unwrap().is_empty());
        });
    }

    #[test]
    fn a_write_while_a_replacement_waits_is_not_lost() {
        with_file(|path| {
            let stamp = system().stamp(path).unwrap();
            let mut writer = OpenOptions::new().write(true).share_mode(SHARE_WRITE).open(path).unwrap();
            let foreign = thread::spawn(move || {
                thread::sleep(Duration::from_millis(150));
                writer.write_all(b"foreign").unwrap();
                thread::sleep(Duration::from_millis(150));
            });
            assert!(!system().rewrite(path, b"two", stamp.as_ref()).unwrap());
            foreign.join().unwrap();
            assert_eq!(fs::read(path).unwrap(), b"foreign");
        });
    }

    #[test]
    fn a_reader_delays_a_replacement() {
        with_file(|path| {
            let stamp = system().stamp(path).unwrap();
            let reader = hold(path, SHARE_READ, Duration::from_millis(300));
            assert!(system().rewrite(path, b"two", stamp.as_ref()).unwrap());
            assert_eq!(fs::read(path).unwrap(), b"two");
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_blocked_replacement_ends_at_the_deadline() {
        with_file(|path| {
            let limit = Duration::from_millis(200);
            let system =
                OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), limit);
            let stamp = system.stamp(path).unwrap();
            let reader = hold(path, SHARE_READ, Duration::from_secs(2));
            let begin = Instant::now();
            assert!(system.rewrite(path, b"two", stamp.as_ref()).is_err());
            assert!(begin.elapsed() < Duration::from_secs(1));
            assert_eq!(fs::read(path).unwrap(), b"one");
            assert!(system.temporary_files(path).unwrap().is_empty());
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_blocked_replacement_ends_when_cancelled() {
        with_file(|path| {
            let cancellation = CancellationToken::default();
            let system =
                OsSystem::new(std::iter::empty().collect(), Arc::default(), cancellation.clone(), LOOKUP_LIMIT);
            let stamp = system.stamp(path).unwrap();
            let reader = hold(path, SHARE_READ, Duration::from_secs(2));
            let cancel = thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                cancellation.cancel();
            });
            let begin = Instant::now();
            assert!(system.rewrite(path, b"two", stamp.as_ref()).is_err());
            assert!(begin.elapsed() < Duration::from_secs(1));
            cancel.join().unwrap();
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_snapshot_does_not_block_a_replacement() {
        with_file(|path| {
            let snapshot = system().snapshot(path, 10).unwrap();
            let begin = Instant::now();
            assert!(system().rewrite(path, b"two", Some(&snapshot.stamp)).unwrap());
            assert!(begin.elapsed() < Duration::from_secs(2));
        });
    }

    #[test]
    fn a_file_that_is_not_shared_is_read_once_it_is_free() {
        with_file(|path| {
            let writer = hold(path, 0, Duration::from_millis(300));
            assert_eq!(read(path, 10).unwrap(), b"one");
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_file_that_cannot_be_limited_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export");
        let environment = [("SystemRoot".into(), folder.path().into())].into_iter().collect();
        let system = OsSystem::new(environment, Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
        let failed = [system.create(&path, b"secret"), system.replace(&path, &|_| panic!("written"), None).map(drop)];
        for error in failed.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
