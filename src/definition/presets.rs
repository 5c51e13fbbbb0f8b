//! The definitions that keyfold brings along: `definition = "preset:NAME"`.

/// A definition in the folder `presets`, with the files that it names.
#[derive(Debug)]
pub struct Preset {
    pub name: &'static str,
    pub text: &'static str,
    /// Name and text of each file that the definition names.
    pub files: &'static [(&'static str, &'static str)],
}

/// All presets, by name.
pub const PRESETS: &[Preset] = &[];

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
