//! Definitions that ask for much.

/// What they ask for, their texts, and their schemas.
pub const DEMANDING: &[(&str, &str, &str)] = &[
    (
        "no schema, a key, headers, a constant and a fallback",
        r#"
customer_id = "key"
updated_at = ["/at", "timestamp"]
rank = "header:revision"
[fields]
status = { const = "ACTIVE" }
firstName = "header:first"
lastName = { from = "/name", case = "upper", required = true }
smsOptIn = { from = "/sms", map = { 1 = true, 0 = false } }
dateOfBirth = { from = "/born", unit = "seconds" }
"attributes.a/b~c" = "/deep/er/0/value"
[[lists.dependents]]
each = "/children"
id = "/name"
fields = { dateOfBirth = "/born", type = "/kind" }
[[lists.phones]]
each = ""
id = { const = "main" }
fields = { type = "/phoneType", country = "/land", numberLocal = "/local" }
"#,
        "{}",
    ),
    (
        "a batch, ids that are small numbers, few elements with counted ids",
        r#"
schema = "own.json"
each = "/people"
merge = "whole"
order = "rank"
customer_id = "/id"
rank = "/rank"
[fields]
displayName = "/name"
[[lists.addresses]]
each = "/homes"
id = "/kind"
updated_at = { from = "/changed", unit = "millis" }
fields = { line1 = "/street", countryCode = "/land" }
[rules]
duplicate_element = "reject"
country_code = "reject"
"#,
        r##"{"properties": {"people": {"type": "array", "minItems": 2, "maxItems": 4, "items": {"type": "object",
            "required": ["id", "tenant", "homes"],
            "properties": {"id": {"type": "integer", "maximum": 5000000000}, "rank": {"type": "string"},
              "tenant": {"$ref": "#/$defs/tenant"}, "name": {"type": "string", "maxLength": 4, "minLength": 4},
              "homes": {"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false,
                "required": ["kind"], "properties": {"kind": {"enum": ["home", "work"]}, "street": {"type": "string"},
                  "changed": {"type": "integer"}, "land": {"type": "string", "minLength": 3}}}}}}}},
            "$defs": {"tenant": {"allOf": [{"type": "object", "required": ["no", "open", "tags", "rate"]},
              {"properties": {"no": {"type": "integer", "minimum": 17, "exclusiveMaximum": 19},
                "open": {"type": "boolean"}, "tags": {"type": "array", "minItems": 2, "items": {"type": "string"}},
                "rate": {"anyOf": [{"type": "null"}, {"type": "number", "multipleOf": 5}]}}}]}}}"##,
    ),
    (
        "flattened rows of Debezium",
        r#"
schema = "own.json"
envelope = "debezium"
nulls = "clear"
customer_id = "/id"
[fields]
emailAddress = "/email"
"attributes.score" = "/score"
"#,
        r#"{"type": "object", "required": ["id", "score"], "properties": {"id": {"type": "integer"},
            "email": {"type": ["string", "null"]}, "score": {"type": "number"}}}"#,
    ),
    (
        "Debezium with its schema around, and text ids that are UUIDs",
        r#"
schema = "own.json"
envelope = "debezium"
customer_id = "/key/id"
updated_at = { from = "/changed", unit = "micros" }
[fields]
emailAddress = "/email"
"#,
        r#"{"type": "object", "required": ["schema", "payload"], "properties": {"schema": {"type": "object"},
            "payload": {"type": "object", "required": ["op"], "properties": {"after": {"type": ["object", "null"],
              "properties": {"key": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid",
                "minLength": 36}}}, "changed": {"type": "integer"}}}}}}}"#,
    ),
    (
        "CloudEvents, and actions",
        r#"
envelope = "cloudevents"
customer_id = "root:/subject"
event_type = { from = "root:/type", is = ["order.paid", "order.sent"] }
[action]
id = "/order"
type = { from = "root:/type", map = { "order.paid" = "PAID", "order.sent" = "SENT" } }
contract = "/contract"
utm.source = "/utm/source"
"#,
        "{}",
    ),
    (
        "CloudEvents in headers",
        r#"
schema = "own.json"
envelope = "cloudevents"
customer_id = "/id"
[fields]
firstName = "/first"
"#,
        r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}"#,
    ),
    (
        "a batch in CloudEvents, with what is around it",
        r#"
envelope = "cloudevents"
each = "/people"
customer_id = "/id"
[fields]
firstName = "/first"
"attributes.tenant" = "root:/tenant"
[deleted]
when = "/gone"
is = [true]
"#,
        "{}",
    ),
];
