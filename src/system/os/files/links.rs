//! Symbolic links in the path of a file that is written, on Unix.
//!
//! Anyone who may write to a directory, even a sticky one such as `/tmp`, can put a link there and so redirect a write to
//! any of the user's files. The kernel's own protection (`fs.protected_symlinks`) covers sticky directories on Linux only, and
//! not a program that resolves links itself. <https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-symlinks>

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// The maximum number of links in one path, as in the kernel (MAXSYMLINKS).
const LINK_LIMIT: usize = 40;

/// The maximum size of `/etc/group`, in bytes.
const GROUPS_CAP: usize = 4 * 1024 * 1024;

/// The path with every symbolic link resolved, or as it is if it has none. What does not exist stays as it is, unless a
/// link leads there. A link in a directory that others may write is an error.
///
/// Resolves links one by one, so that no link is followed that was put there after the check.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Ok(path.to_owned());
    }
    let mut resolved = PathBuf::new();
    // The components to come, in reverse order, and how many of them are not from a link.
    let mut ahead = reversed(&std::path::absolute(path)?);
    let mut own = ahead.len();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        let is_of_link = ahead.len() >= own;
        own = own.min(ahead.len());
        if name == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&name);
        match fs::symlink_metadata(&next) {
            Ok(metadata) if metadata.is_symlink() => {
                if others_may_write(&fs::symlink_metadata(&resolved)?) {
                    let what = "a symbolic link in a directory that others may write; name its target instead";
                    return Err(io::Error::other(what));
                }
                links += 1;
                if links > LINK_LIMIT {
                    return Err(io::Error::other("too many symbolic links"));
                }
                // A root in the target starts the path over.
                ahead.extend(reversed(&fs::read_link(&next)?));
            }
            Ok(_) => resolved = next,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_of_link => {
                return Err(io::Error::other("a dangling symbolic link"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => resolved = next,
            Err(error) => return Err(error),
        }
    }
    Ok(if links == 0 { path.to_owned() } else { resolved })
}

fn reversed(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|component| *component != Component::CurDir);
    names.rev().map(|component| component.as_os_str().to_owned()).collect()
}

/// Whether users other than this one and root can put files into a directory.
fn others_may_write(directory: &fs::Metadata) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let is_private = |group| group == user && has_no_other_members(group);
    is_open(directory.mode(), directory.uid(), directory.gid(), user, is_private)
}

/// The same for the mode, owner and group of a directory. Group 0 is root's.
fn is_open(mode: u32, owner: u32, group: u32, user: u32, is_private: impl Fn(u32) -> bool) -> bool {
    let is_of_other = owner != user && owner != 0;
    is_of_other || mode & 0o002 != 0 || mode & 0o020 != 0 && group != 0 && !is_private(group)
}

/// Whether `/etc/group` lists no other members of a group, as for the private group, with the user's number and name, that
/// most Linux distributions create for each user: directories there have mode 775.
/// <https://wiki.debian.org/UserPrivateGroups>
fn has_no_other_members(group: u32) -> bool {
    let content = super::read(Path::new("/etc/group"), GROUPS_CAP).unwrap_or_default();
    is_private_in(&String::from_utf8_lossy(&content), group)
}

/// The same for the text of `/etc/group`.
fn is_private_in(groups: &str, group: u32) -> bool {
    groups.lines().all(|line| {
        let fields: Vec<_> = line.trim().split(':').collect();
        let [name, _, number, members] = fields[..] else { return true };
        number.parse() != Ok(group) || members.split(',').all(|member| member.is_empty() || member == name)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn resolved(path: &Path) -> Result<PathBuf, String> {
        resolve(path).map_err(|error| error.to_string())
    }

    /// A directory with a target in it, its path without links, and a directory for links with this mode.
    fn folders(mode: u32) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(root.join("links")).unwrap();
        fs::create_dir(root.join("own")).unwrap();
        fs::write(root.join("own/target"), "x").unwrap();
        fs::set_permissions(root.join("links"), fs::Permissions::from_mode(mode)).unwrap();
        let links = root.join("links");
        (folder, root, links)
    }

    #[test]
    fn links_in_an_own_directory_are_resolved() {
        for mode in [0o700, 0o755] {
            let (_folder, root, links) = folders(mode);
            symlink("../own/target", links.join("file")).unwrap();
            symlink(root.join("own"), links.join("directory")).unwrap();
            symlink("file", links.join("again")).unwrap();
            for name in ["file", "again", "directory/target", "directory/../own/target", "./directory/./target"] {
                assert_eq!(resolved(&links.join(name)), Ok(root.join("own/target")), "{name}");
            }
            assert_eq!(resolved(&links.join("directory/new")), Ok(root.join("own/new")));
            assert_eq!(resolved(&links.join("directory/new/file")), Ok(root.join("own/new/file")));
        }
    }

    #[test]
    fn links_in_a_directory_of_others_are_refused() {
        for mode in [0o777, 0o1777, 0o702] {
            let (_folder, root, links) = folders(mode);
            symlink(root.join("own/target"), links.join("file")).unwrap();
            symlink(root.join("own"), links.join("directory")).unwrap();
            symlink("nowhere", links.join("dangling")).unwrap();
            // A link of the user's own leads through one that anybody could have put there.
            symlink(links.join("file"), root.join("own/outer")).unwrap();
            let outer = root.join("own/outer");
            for path in [links.join("file"), links.join("directory/target"), links.join("dangling"), outer] {
                assert!(resolved(&path).unwrap_err().contains("that others may write"), "{path:?}");
            }
            fs::write(links.join("plain"), "x").unwrap();
            for name in ["plain", "new"] {
                assert_eq!(resolved(&links.join(name)), Ok(links.join(name)));
            }
        }
    }

    #[test]
    fn a_link_to_nothing_is_dangling_and_a_circle_ends() {
        let (_folder, root, links) = folders(0o700);
        symlink("nowhere", links.join("file")).unwrap();
        symlink(root.join("nowhere"), links.join("directory")).unwrap();
        symlink("circle", links.join("circle")).unwrap();
        for name in ["file", "directory/target"] {
            assert_eq!(resolved(&links.join(name)), Err("a dangling symbolic link".to_owned()));
        }
        assert_eq!(resolved(&links.join("circle")), Err("too many symbolic links".to_owned()));
    }

    #[test]
    fn a_path_without_links_stays_as_it_is() {
        let (_folder, root, _) = folders(0o700);
        for path in [root.join("own/target"), root.join("own/./x"), root.join("a/../b"), PathBuf::new()] {
            assert_eq!(resolved(&path), Ok(path.clone()));
        }
        assert!(resolved(&root.join("own/target/below")).is_err());
    }

    #[test]
    fn directories_are_open_by_mode_owner_or_group() {
        let (ada, bob, staff) = (1000, 1001, 50);
        for (mode, owner, group, expected) in [
            (0o755, ada, ada, false),
            (0o755, 0, 0, false),
            (0o775, ada, ada, false),
            (0o775, 0, 0, false),
            (0o775, ada, staff, true),
            (0o775, 0, staff, true),
            (0o755, ada, staff, false),
            (0o700, bob, bob, true),
            (0o777, ada, ada, true),
            (0o1777, 0, 0, true),
        ] {
            assert_eq!(is_open(mode, owner, group, ada, |found| found == ada), expected, "{mode:o} {owner} {group}");
        }
    }

    #[test]
    fn a_group_with_other_members_is_not_private() {
        let groups = "root:x:0:\nada:x:1000:\nbob:x:1001:bob\ncarol:x:1002:carol,ada\nodd:x\n";
        for (group, expected) in [(1000, true), (1001, true), (1002, false), (1003, true)] {
            assert_eq!(is_private_in(groups, group), expected, "{group}");
        }
    }
}
