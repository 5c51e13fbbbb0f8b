//! How much work a schema may cause when it is compiled.

use super::PlanError;

/// How deeply named types may refer to each other. The nesting of the schema itself is limited by that of its JSON.
const MAX_REFERENCES: usize = 256;

/// How many steps resolving a schema may take. A step is a type that is read, or two fields that are compared. Schemas
/// with a thousand fields take some ten thousand steps.
const MAX_WORK: usize = 2_000_000;

/// What compiling a schema has cost so far.
#[derive(Default)]
pub struct Bounds {
    depth: usize,
    work: usize,
}

impl Bounds {
    pub fn check(&self) -> Result<(), PlanError> {
        match self.work > MAX_WORK {
            true => Err(PlanError::new(
                "the schema is too large, or its types refer to each other too often",
            )),
            false => Ok(()),
        }
    }

    pub fn count(&mut self, steps: usize) -> Result<(), PlanError> {
        self.work = self.work.saturating_add(steps);
        self.check()
    }

    /// Counts a level of types that refer to each other, until [`Bounds::leave`].
    pub fn enter(&mut self) -> Result<(), PlanError> {
        if self.depth >= MAX_REFERENCES {
            return Err(PlanError::new("the schema's types refer too deep"));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}
