//! The keywords of JSON Schema that a violation can name.

/// The name of a violated keyword, which lives as long as the program.
pub(super) fn keyword(name: &str) -> &'static str {
    const KEYWORDS: [&str; 32] = [
        "additionalItems",
        "additionalProperties",
        "anyOf",
        "const",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "dependencies",
        "dependentRequired",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "falseSchema",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "propertyNames",
        "required",
        "type",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    ];
    let known = KEYWORDS.into_iter().find(|known| *known == name);
    known.unwrap_or("schema")
}
