//! How each fault is put into a valid value.

use super::edit;
use super::moment::{DAY, HOUR, Micros, Style};
use super::random::Random;
use super::source::Source::{
    self, ConsoleCustomers, LoyaltyActions, LoyaltyCustomers, PublisherCustomers,
};

/// A valid value that is about to be made faulty.
pub(super) struct Victim<'a> {
    pub(super) random: &'a mut Random,
    pub(super) source: Source,
    pub(super) json: &'a [u8],
    /// The record's own time.
    pub(super) now: Micros,
}

impl Victim<'_> {
    /// Replaces the first of the values that exists, starting from a random one, with its text.
    fn replace_any(&mut self, edits: &[(&str, &[u8])]) -> Option<Vec<u8>> {
        let start = self.random.index(edits.len());
        let (late, early) = edits.split_at_checked(start)?;
        early
            .iter()
            .chain(late)
            .find_map(|(pointer, text)| edit::replace(self.json, pointer, text))
    }

    /// Replaces a free text of the record.
    fn replace_text(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        match self.source {
            LoyaltyCustomers => self.replace_any(&[
                ("/body/addresses/0/city", text),
                ("/body/addresses/0/line1", text),
            ]),
            LoyaltyActions => self.replace_any(&[
                ("/body/utmParameters/utmCampaign", text),
                ("/body/interactionId", text),
            ]),
            ConsoleCustomers => self.replace_any(&[("/firstName", text), ("/lastName", text)]),
            PublisherCustomers => self.replace_any(&[("/customers/0/postalCode", text)]),
        }
    }
}

pub(super) fn invalid_utf8(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    // Latin-1, a byte that never occurs in UTF-8, and an encoded surrogate.
    let text = victim.random.pick(&[
        &b"\"Montr\xe9al\""[..],
        &b"\"\xff\xfe\""[..],
        &b"\"\xed\xa0\xbd\""[..],
    ]);
    victim.replace_text(text)
}

pub(super) fn broken_json(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let json = victim.json;
    let (_, inside) = json.split_last()?;
    let colon = json.iter().position(|&byte| byte == b':')?;
    Some(match victim.random.below(5) {
        0 => inside.to_vec(),
        1 => [inside, b",}"].concat(),
        2 => [json, b"}"].concat(),
        3 => [&json[..colon], b"=", &json[colon + 1..]].concat(),
        _ => [b"{'", json.get(2..)?].concat(),
    })
}

pub(super) fn cut_in_half(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let mut end = victim.json.len() / 2;
    // Not within a character, because that would be invalid UTF-8 instead.
    while victim.json.get(end)? & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    victim.json.get(..end).map(<[u8]>::to_vec)
}

pub(super) fn empty(_: &mut Victim<'_>) -> Option<Vec<u8>> {
    Some(Vec::new())
}

pub(super) fn byte_order_mark(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    Some([b"\xef\xbb\xbf", victim.json].concat())
}

pub(super) fn huge_number(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let member = victim
        .random
        .pick(&[&b"\"score\":1e999"[..], b"\"score\":-2.5E+400"]);
    edit::insert(victim.json, "", member)
}

pub(super) fn lone_surrogate(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    // An emoji cut in two by a producer that counted UTF-16 units.
    victim.replace_text(br#""Grand Caf\u00e9 \ud83d""#)
}

pub(super) fn deep_nesting(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let levels = victim.random.between(130, 400) as usize;
    let member = format!("\"extra\":{}{}", "[".repeat(levels), "]".repeat(levels));
    edit::insert(victim.json, "", member.as_bytes())
}

pub(super) fn duplicate_field(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let pointer = match victim.source {
        LoyaltyCustomers | LoyaltyActions => {
            victim
                .random
                .pick(&["/body/customerId", "/eventAction", "/body/updatedAt"])
        }
        ConsoleCustomers => victim.random.pick(&["/customerId", "/version"]),
        PublisherCustomers => "/customers/0/organizationId",
    };
    let (object, name) = pointer.rsplit_once('/')?;
    let value = edit::text(victim.json, pointer)?;
    let member = [b"\"", name.as_bytes(), b"\":", value].concat();
    edit::insert(victim.json, object, &member)
}

pub(super) fn other_value(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let other = ["{}", "[]", "null", "42", "\"deleted\""];
    Some(victim.random.pick(&other).into())
}

pub(super) fn missing_field(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let pointer = match victim.source {
        LoyaltyCustomers => victim.random.pick(&[
            "/eventType",
            "/eventAction",
            "/version",
            "/body",
            "/body/customerId",
            "/body/addresses",
            "/body/createdAt",
            "/body/updatedAt",
            "/body/addresses/0/addressId",
            "/body/addresses/0/line1",
            "/body/addresses/0/countryCode",
            "/body/dependents/0/dateOfBirth",
        ]),
        LoyaltyActions => victim.random.pick(&[
            "/eventType",
            "/eventAction",
            "/version",
            "/body",
            "/body/interactionId",
            "/body/customerId",
            "/body/interaction",
            "/body/interaction/type",
            "/body/createdAt",
            "/body/updatedAt",
        ]),
        ConsoleCustomers => victim.random.pick(&[
            "/customerId",
            "/version",
            "/phones/0/key",
            "/addresses/0/key",
        ]),
        PublisherCustomers => victim.random.pick(&[
            "/customers",
            "/customers/0/sourceCustomerId",
            "/customers/0/accounts",
            "/customers/0/targetingIndicator",
            "/customers/0/accounts/0/sourceAccountId",
        ]),
    };
    edit::remove(victim.json, pointer)
}

pub(super) fn wrong_enum(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    match victim.source {
        LoyaltyCustomers => victim.replace_any(&[
            ("/eventAction", b"\"DELETED\""),
            ("/eventAction", b"\"updated\""),
            ("/body/status", b"\"SUSPENDED\""),
        ]),
        _ => victim.replace_any(&[
            ("/eventAction", b"\"REMOVED\""),
            ("/body/interaction/type", b"\"SUBSCRIPTION_PAUSED\""),
            ("/body/interaction/type", b"\"sign_up\""),
        ]),
    }
}

pub(super) fn wrong_type(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    match victim.source {
        LoyaltyCustomers => victim.replace_any(&[
            ("/body/customerId", b"123456789"),
            ("/version", b"\"1.0\""),
            ("/body/marketingOptIn", b"\"yes\""),
            ("/body/addresses", b"{}"),
            ("/body/createdAt", b"1700000000"),
        ]),
        LoyaltyActions => victim.replace_any(&[
            ("/body/interactionId", b"123456789"),
            ("/version", b"\"1.0\""),
            ("/body/interaction", b"\"SIGN_UP\""),
            ("/body/updatedAt", b"1700000000000"),
        ]),
        ConsoleCustomers => victim.replace_any(&[
            ("/customerId", b"42"),
            ("/emailAddress", b"[\"ada@example.com\"]"),
            ("/phones", b"{}"),
            ("/attributes", b"[]"),
        ]),
        PublisherCustomers => victim.replace_any(&[
            ("/customers", b"{}"),
            ("/customers/0/organizationId", b"50004"),
            ("/customers/0/alertOptInStatus", b"\"ALL\""),
            ("/customers/0/postalCode", b"78753"),
        ]),
    }
}

pub(super) fn bad_date_time(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let text = victim.random.pick(&[
        &b"\"yesterday\""[..],
        b"\"13/05/2024 10:00\"",
        b"\"2024-02-06\"",
        b"\"2024-02-06T25:00:00Z\"",
        b"\"\"",
    ]);
    match victim.source {
        PublisherCustomers => victim.replace_any(&[
            ("/customers/0/enrollmentStartDate", text),
            ("/customers/0/customerCreationDate", text),
        ]),
        _ => victim.replace_any(&[("/body/updatedAt", text), ("/body/createdAt", text)]),
    }
}

pub(super) fn impossible_date(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    match victim.source {
        LoyaltyCustomers => victim.replace_any(&[
            ("/body/dateOfBirth", b"\"2001-02-30\""),
            ("/body/updatedAt", b"\"2024-02-30T10:00:00Z\""),
        ]),
        LoyaltyActions => victim.replace_any(&[("/body/createdAt", b"\"2024-02-30T10:00:00\"")]),
        _ => victim.replace_any(&[(
            "/customers/0/customerCreationDate",
            b"\"2017-02-30T08:00:00Z\"",
        )]),
    }
}

pub(super) fn null_field(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    match victim.source {
        LoyaltyCustomers => victim.replace_any(&[
            ("/body/dateOfBirth", b"null"),
            ("/body/dependents", b"null"),
            ("/body/addresses/0/line2", b"null"),
            ("/body/smsOptIn", b"null"),
        ]),
        _ => victim.replace_any(&[
            ("/body/utmParameters", b"null"),
            ("/body/utmParameters/utmTerms", b"null"),
            ("/body/interaction/subscriptionContractId", b"null"),
        ]),
    }
}

pub(super) fn bad_console_version(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    victim.replace_any(&[
        ("/version", b"-1"),
        ("/version", b"7.5"),
        ("/version", b"\"v7\""),
        ("/version", b"\"\""),
        ("/version", b"9223372036854775808"),
    ])
}

/// One of several customers is invalid; the others are valid.
pub(super) fn bad_element(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let length = edit::length(victim.json, "/customers")?;
    if length < 2 {
        return None;
    }
    let index = victim.random.index(length);
    let field = victim
        .random
        .pick(&["postalCode", "country", "enrollmentOptInStatus"]);
    edit::remove(victim.json, &format!("/customers/{index}/{field}"))
}

pub(super) fn wrong_event_type(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let other: &[u8] = match victim.source {
        LoyaltyCustomers => b"\"CUSTOMER_ACTION\"",
        _ => b"\"CUSTOMER\"",
    };
    victim.replace_any(&[
        ("/eventType", other),
        ("/eventType", b"\"customer\""),
        ("/eventType", b"\"ORDER\""),
    ])
}

pub(super) fn unsupported_version(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    victim.replace_any(&[
        ("/version", b"2"),
        ("/version", b"2.0"),
        ("/version", b"0.9"),
        ("/version", b"10"),
    ])
}

pub(super) fn blank_id(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let blank = victim
        .random
        .pick(&[&b"\"\""[..], b"\" \"", b"\"\\t\\u00a0\""]);
    match victim.source {
        LoyaltyCustomers => victim.replace_any(&[
            ("/body/customerId", blank),
            ("/body/addresses/0/addressId", blank),
            ("/body/dependents/0/dependentId", blank),
        ]),
        LoyaltyActions => {
            victim.replace_any(&[("/body/customerId", blank), ("/body/interactionId", blank)])
        }
        ConsoleCustomers => {
            victim.replace_any(&[("/customerId", blank), ("/addresses/0/key", blank)])
        }
        PublisherCustomers => victim.replace_any(&[
            ("/customers/0/sourceCustomerId", blank),
            ("/customers/0/accounts/0/sourceAccountId", blank),
        ]),
    }
}

pub(super) fn unknown_country_code(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let pointer = "/body/addresses/0/countryCode";
    victim.replace_any(&[
        (pointer, b"\"UK\""),
        (pointer, b"\"XX\""),
        // Alpha-3 codes and names are for the other sources.
        (pointer, b"\"USA\""),
        (pointer, b"\"England\""),
        (pointer, b"\"\""),
    ])
}

pub(super) fn unknown_country(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let pointer = match victim.source {
        ConsoleCustomers => "/addresses/0/country",
        _ => "/customers/0/country",
    };
    victim.replace_any(&[
        (pointer, b"\"Narnia\""),
        (pointer, b"\"UK\""),
        (pointer, b"\"XYZ\""),
        (pointer, "\"Côte d’Azur\"".as_bytes()),
    ])
}

pub(super) fn far_future(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let at = victim.now + victim.random.between(25 * HOUR, 400 * DAY);
    let text = format!("\"{}\"", Style::SECONDS.write(at));
    victim.replace_any(&[
        ("/body/updatedAt", text.as_bytes()),
        ("/body/addresses/0/updatedAt", text.as_bytes()),
    ])
}

pub(super) fn created_after_updated(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let at = victim.now + victim.random.between(HOUR, 20 * HOUR);
    let text = format!("\"{}\"", Style::SECONDS.write(at));
    victim.replace_any(&[("/body/createdAt", text.as_bytes())])
}

pub(super) fn duplicate_element(victim: &mut Victim<'_>) -> Option<Vec<u8>> {
    let pointer = match victim.source {
        LoyaltyCustomers => victim
            .random
            .pick(&["/body/addresses/0", "/body/dependents/0"]),
        ConsoleCustomers => victim.random.pick(&["/phones/0", "/addresses/0"]),
        _ => victim
            .random
            .pick(&["/customers/0", "/customers/0/accounts/0"]),
    };
    let element = edit::text(victim.json, pointer)?;
    edit::replace(victim.json, pointer, &[element, b",", element].concat())
}
