//! Reads what a record tells of a customer: its fields and lists, or an action.

use super::super::fields::{LISTS, List, SCALARS, UTM};
use super::super::reader::{Entries, Reader};
use super::super::{ActionTable, ListTable, Origin, Pointer, Tells, Value};

impl Reader<'_> {
    pub(super) fn tells(&mut self, entries: &mut Entries<'_>) -> Tells {
        if !entries.has("action") {
            return self.customer(entries);
        }
        for name in ["fields", "lists"] {
            if let Some(line) = entries.line_of(name) {
                let message = "does not go together with [action]: a record is an action, or tells fields and lists";
                self.problem(name, line, message);
            }
        }
        // what is wrong in them is told all the same
        self.customer(entries);
        self.action(entries)
    }

    fn customer(&mut self, entries: &mut Entries<'_>) -> Tells {
        let mut scalars = Vec::new();
        let mut attributes = None;
        let mut attribute = Vec::new();
        if let Some(mut fields) = self.table(entries, "fields") {
            for (name, scalar, _) in SCALARS {
                let value = self.value(&mut fields, name);
                scalars.extend(value.map(|value| (scalar, value)));
            }
            attributes = self.value(&mut fields, "attributes");
            for (name, given) in fields.take_named("attributes.") {
                attribute.extend(self.value_of(given).map(|value| (name, value)));
            }
            attribute.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let mut lists = Vec::new();
        if let Some(mut tables) = self.table(entries, "lists") {
            for list in &LISTS {
                let name = list.path.trim_start_matches("lists.");
                for table in self.tables(&mut tables, name) {
                    lists.push(self.list(table, list));
                }
            }
        }
        Tells::Customer {
            scalars,
            attributes,
            attribute,
            lists,
        }
    }

    fn list(&mut self, mut table: Entries<'_>, list: &List) -> ListTable {
        let each = self.list_origin(table.take("each"));
        let first = self.places.len();
        let id = self.value(&mut table, "id");
        let updated_at = self.value(&mut table, "updated_at");
        let created_at = self.value(&mut table, "created_at");
        let mut fields = Vec::new();
        match self.table(&mut table, "fields") {
            Some(mut given) => {
                for (name, field, _) in list.fields {
                    let is_given = given.has(name);
                    let value = self.value(&mut given, name);
                    // a value that is wrong is one all the same
                    let value = value.or_else(|| is_given.then(Value::default));
                    fields.extend(value.map(|value| (*field, value)));
                }
                // an element is there if one of its fields has a value from the record
                let is_constant = fields.iter().all(|(_, value)| value.constant.is_some());
                if is_constant && !given.has_unknown {
                    let message = "no element would ever be there: at least one field must come from the record";
                    self.problem(list.fields_path, given.line, message);
                }
            }
            None => {
                let names: Vec<&str> = list.fields.iter().map(|(name, ..)| *name).collect();
                let message = format!("is missing: at least one of {}", names.join(", "));
                self.problem(list.fields_path, table.line, message);
            }
        }
        let each = each.unwrap_or(Origin::Here(Pointer::default()));
        self.note_list(first, &each);
        ListTable {
            list: list.list,
            each,
            id: id.unwrap_or_default(),
            updated_at,
            created_at,
            fields,
        }
    }

    fn action(&mut self, entries: &mut Entries<'_>) -> Tells {
        let mut action = ActionTable {
            id: Value::default(),
            kind: Value::default(),
            contract: None,
            utm: Default::default(),
        };
        if let Some(mut table) = self.table(entries, "action") {
            action.id = self.value(&mut table, "id").unwrap_or_default();
            action.kind = self.value(&mut table, "type").unwrap_or_default();
            action.contract = self.value(&mut table, "contract");
            if let Some(mut utm) = self.table(&mut table, "utm") {
                action.utm = UTM.map(|name| self.value(&mut utm, name));
            }
        }
        Tells::Action(Box::new(action))
    }
}
