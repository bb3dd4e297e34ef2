//! What the files are that a person has dropped or picked as a model: a package, or weights alone.

use hangtag_weights::Manifest;
use hangtag_weights::manifest::MANIFEST_FILE;

use crate::units::bytes;
use crate::words::Language::English;

/// A file that was dropped or picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// Its name, without folders.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What the files are, by their indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A package with this manifest.
    Package(usize),
    /// GGUF files without a manifest: a model, or all its shards.
    Weights(Vec<usize>),
}

/// Tells what the files are. Others beside a package or weights are of no interest.
///
/// # Errors
/// When there is no model among them, in words that name what there is.
pub fn choice(picked: &[Picked]) -> Result<Choice, String> {
    let of = |is: &dyn Fn(&Picked) -> bool| -> Vec<usize> {
        (0..picked.len()).filter(|&index| is(&picked[index])).collect()
    };
    let manifests = of(&|file| file.name == MANIFEST_FILE);
    let weights = of(&|file| file.name.to_lowercase().ends_with(".gguf"));
    match (manifests.as_slice(), weights.as_slice(), picked) {
        ([manifest], ..) => Ok(Choice::Package(*manifest)),
        ([_, _, ..], ..) => Err(format!(
            "the folder has several models ({MANIFEST_FILE} files); pick the folder of one"
        )),
        (_, [_, ..], _) => Ok(Choice::Weights(weights)),
        (_, _, []) => Err("no file was chosen".to_owned()),
        (_, _, [file]) => Err(format!(
            "{} is not a model: a GGUF file, whose name ends in .gguf, or the folder of a package is needed",
            file.name
        )),
        _ => Err(format!(
            "among these {} files is neither a GGUF file nor a {MANIFEST_FILE}",
            picked.len()
        )),
    }
}

/// The files of a package in the order of its manifest, by their indices.
///
/// # Errors
/// When one is missing or of another size, in words that name it.
pub fn files_of(manifest: &Manifest, picked: &[Picked]) -> Result<Vec<usize>, String> {
    let find = |file: &hangtag_weights::ManifestFile| {
        let found = picked.iter().position(|picked| picked.name == file.name);
        let index = found.ok_or_else(|| {
            format!(
                "{} is missing: {MANIFEST_FILE} lists it, and it is not in the folder",
                file.name
            )
        })?;
        match picked[index].size {
            size if size == file.size => Ok(index),
            size => Err(format!(
                "{} has {}, and {MANIFEST_FILE} promises {}: copy it again",
                file.name,
                exactly(size, file.size),
                exactly(file.size, size)
            )),
        }
    };
    manifest.files.iter().map(find).collect()
}

/// A size as people read it, or to the byte where the other would read the same.
fn exactly(size: u64, other: u64) -> String {
    match bytes(English, size) == bytes(English, other) {
        true => format!("{size} bytes"),
        false => bytes(English, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(files: &[(&str, u64)]) -> Vec<Picked> {
        files.iter().map(|&(name, size)| Picked { name: name.to_owned(), size }).collect()
    }

    fn manifest(files: &[(&str, u64)]) -> Manifest {
        let files: Vec<String> = files
            .iter()
            .map(|(name, size)| {
                format!(r#"{{"name":"{name}","size":{size},"sha256":"{}"}}"#, "0".repeat(64))
            })
            .collect();
        let json = format!(
            r#"{{"name":"m","base":"b","licence":"MIT","task_version":1,"files":[{}]}}"#,
            files.join(",")
        );
        Manifest::from_json(&json).unwrap()
    }

    #[test]
    fn a_manifest_makes_a_package_and_other_files_do_not_matter() {
        let files = picked(&[("README.md", 1), ("m.GGUF", 2), ("notes.txt", 3)]);
        assert_eq!(choice(&files), Ok(Choice::Weights(vec![1])));
        let files = picked(&[("m.gguf", 1), ("manifest.json", 2)]);
        assert_eq!(choice(&files), Ok(Choice::Package(1)));
        let two = picked(&[("manifest.json", 1), ("manifest.json", 2)]);
        assert!(choice(&two).unwrap_err().contains("several"));
    }

    #[test]
    fn what_is_no_model_is_named() {
        assert!(choice(&[]).is_err());
        assert!(choice(&picked(&[("cat.jpg", 1)])).unwrap_err().contains("cat.jpg"));
        assert!(choice(&picked(&[("a", 1), ("b", 1)])).unwrap_err().contains("2 files"));
    }

    #[test]
    fn a_package_has_all_its_files_in_their_sizes() {
        let manifest = manifest(&[("a.gguf", 10), ("b.gguf", 2_000_000)]);
        let whole = picked(&[("b.gguf", 2_000_000), ("x", 1), ("a.gguf", 10)]);
        assert_eq!(files_of(&manifest, &whole), Ok(vec![2, 0]));
        let missing = files_of(&manifest, &picked(&[("a.gguf", 10)])).unwrap_err();
        assert!(missing.contains("b.gguf is missing"), "{missing}");
        let cut = picked(&[("a.gguf", 10), ("b.gguf", 1_999_999)]);
        let cut = files_of(&manifest, &cut).unwrap_err();
        assert!(cut.contains("1999999 bytes") && cut.contains("2000000 bytes"), "{cut}");
    }
}
