//! What to look for: `--features` or `--template`.

use std::fs;
use std::path::Path;

use anyhow::Result;
use hangtag_task::{Feature, Template, parse_feature_list, presets};

use crate::args::ExtractArgs;
use crate::failure::bad_input;

/// The features asked for, checked.
pub fn from_args(args: &ExtractArgs) -> Result<Vec<Feature>> {
    match (&args.template, &args.features) {
        (Some(template), _) => from_template(template),
        (None, names) => {
            let names = names.as_deref().unwrap_or_default();
            Ok(parse_feature_list(names).map_err(bad_input)?)
        }
    }
}

fn from_template(template: &str) -> Result<Vec<Feature>> {
    let path = Path::new(template);
    if path.is_file() {
        return from_file(path);
    }
    let preset = presets().iter().find(|preset| preset.name.eq_ignore_ascii_case(template));
    match preset {
        Some(preset) => Ok(preset.features.clone()),
        None => {
            let names: Vec<&str> = presets().iter().map(|preset| preset.name.as_str()).collect();
            Err(bad_input(format!(
                "--template {template}: no such file, and no ready-made list of that name"
            ))
            .hint(format!("ready-made lists: {}", names.join(", ").to_lowercase()))
            .into())
        }
    }
}

fn from_file(path: &Path) -> Result<Vec<Feature>> {
    let json = fs::read_to_string(path)
        .map_err(|error| bad_input(format!("{}: {error}", path.display())))?;
    let template = Template::from_json(&json).map_err(|error| {
        bad_input(format!("{}: {error}", path.display())).hint(
            "a template looks like {\"name\": \"shoes\", \"category\": \"footwear\", \
             \"features\": [{\"name\": \"Brand\"}, {\"name\": \"Color\"}]}",
        )
    })?;
    Ok(template.features)
}
