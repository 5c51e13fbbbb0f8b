//! From the text of a definition to a [`Definition`], with all problems at once.

use super::{Definition, Problem};

impl Definition {
    /// Reads the text of a definition. `file` names it in problems, and `read` gives the text of a file that the
    /// definition names, or why it cannot be read.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the lines.
    pub fn parse(
        text: &str,
        file: &str,
        read: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<Definition, Vec<Problem>> {
        let _ = (text, read);
        Err(vec![Problem::of_file(
            file,
            "definitions cannot be read yet",
        )])
    }
}
