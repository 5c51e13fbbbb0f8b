//! The definitions that keyfold brings along: `definition = "preset:NAME"`.

/// A definition in the folder `presets`, with the files that it names.
#[derive(Debug)]
pub struct Preset {
    pub name: &'static str,
    pub text: &'static str,
    /// Name and text of each file that the definition names.
    pub files: &'static [(&'static str, &'static str)],
}

/// A preset by its name, with its schema by the name that its definition has for it.
macro_rules! preset {
    ($name:literal, $schema:literal) => {
        Preset {
            name: $name,
            text: include_str!(concat!("../../presets/", $name, ".toml")),
            files: &[($schema, include_str!(concat!("../../presets/", $schema)))],
        }
    };
}

/// All presets, by name.
pub const PRESETS: &[Preset] = &[
    preset!(
        "loyalty-customers",
        "../schemas/loyalty-customers.schema.json"
    ),
    preset!("segment-identify", "segment-identify.schema.json"),
    preset!("shopify-customer", "shopify-customer.schema.json"),
    preset!("stripe-customer", "stripe-customer.schema.json"),
];

impl Preset {
    pub fn named(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The text of a file that the definition names.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn file(&self, name: &str) -> Result<String, String> {
        let found = self.files.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "the preset has no such file".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_definition_in_the_folder_is_a_preset() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let definitions = files.filter(|path| path.extension().unwrap() == "toml");
        let mut names: Vec<String> = definitions
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(
            names,
            PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>()
        );
        for preset in PRESETS {
            assert_eq!(Preset::named(preset.name).unwrap().text, preset.text);
        }
    }

    #[test]
    fn a_preset_has_the_files_that_it_names() {
        for preset in PRESETS {
            let definition: toml::Table = preset.text.parse().unwrap();
            let schema = preset.file(definition["schema"].as_str().unwrap()).unwrap();
            let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
            assert!(schema["$schema"].is_string(), "{}", preset.name);
            assert!(preset.file("other.json").is_err());
        }
    }
}
