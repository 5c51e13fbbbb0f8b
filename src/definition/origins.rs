//! What a definition reads beside the value of a record.

use super::{Definition, Origin, Tells, Value};

impl Definition {
    /// Whether the record's key is read.
    pub fn reads_key(&self) -> bool {
        self.envelope.is_of_rows() || self.reads(|origin| *origin == Origin::Key)
    }

    /// Whether headers of this name are read.
    pub fn reads_header(&self, name: &str) -> bool {
        self.envelope.is_attribute(name)
            || self.reads(|origin| matches!(origin, Origin::Header(header) if header == name))
    }

    /// Whether a value comes from a header.
    pub fn reads_headers(&self) -> bool {
        self.reads(|origin| matches!(origin, Origin::Header(_)))
    }

    fn reads(&self, is_it: impl Fn(&Origin) -> bool) -> bool {
        self.values()
            .into_iter()
            .any(|value| value.from.iter().any(&is_it))
    }

    /// All values of the definition.
    pub fn values(&self) -> Vec<&Value> {
        let mut values = vec![&self.customer_id];
        values.extend(self.updated_at.iter());
        values.extend(self.rank.iter());
        values.extend(self.created_at.iter());
        values.extend(self.deleted.iter().map(|deleted| &deleted.when));
        values.extend(self.event_type.iter().map(|event_type| &event_type.from));
        values.extend(self.version.iter().map(|version| &version.from));
        match &self.tells {
            Tells::Customer {
                scalars,
                attributes,
                attribute,
                lists,
            } => {
                values.extend(scalars.iter().map(|(_, value)| value));
                values.extend(attributes.iter());
                values.extend(attribute.iter().map(|(_, value)| value));
                for list in lists {
                    values.push(&list.id);
                    values.extend(list.updated_at.iter());
                    values.extend(list.created_at.iter());
                    values.extend(list.fields.iter().map(|(_, value)| value));
                }
            }
            Tells::Action(action) => {
                values.extend([&action.id, &action.kind]);
                values.extend(action.contract.iter());
                values.extend(action.utm.iter().flatten());
            }
        }
        values
    }
}
