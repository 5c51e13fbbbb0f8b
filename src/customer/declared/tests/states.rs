//! The states that released versions wrote, in `schemas/states`: they are read for ever, and show the same for ever.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::config::Config;
use crate::customer::codec::{CodecError, LAYOUT};
use crate::model::record::RawRecord;
use crate::source::{self, Verdict};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/states")
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.trim_end().to_owned()
}

/// All states of a layout: their names, their bytes, and their snapshots.
fn states(folder: &Path) -> Vec<(String, EncodedState, Value)> {
    let mut states = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            let hex = read(&path);
            let digits = hex.as_bytes().chunks(2);
            let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16);
            let bytes: Vec<u8> = digits.map(|digits| byte(digits).unwrap()).collect();
            let snapshot = serde_json::from_str(&read(&path.with_extension("json"))).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            states.push((name, bytes.into(), snapshot));
        }
    }
    states
}

#[test]
fn states_of_released_layouts_are_read_and_show_the_same() {
    let mut count = 0;
    for layout in fs::read_dir(folder()).unwrap() {
        let layout = layout.unwrap().path();
        if !layout.is_dir() {
            continue;
        }
        let is_newest = layout.ends_with(format!("layout-{LAYOUT}"));
        for (name, bytes, snapshot) in states(&layout) {
            let customer =
                Customer::decode(&*bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(shown(&customer), snapshot, "{name}");
            if is_newest {
                assert_eq!(encoded(&customer), bytes, "{name}");
            }
            count += 1;
        }
    }
    assert!(count >= cases().len(), "{count}");
}

#[test]
fn snapshots_with_declared_sources_keep_to_their_schema() {
    let schema = include_str!("../../../../schemas/customer-snapshot.schema.json");
    let schema = jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&serde_json::from_str(schema).unwrap())
        .unwrap();
    for (name, customer) in cases() {
        let snapshot = shown(&customer);
        if !snapshot.is_null() {
            let errors: Vec<String> = schema
                .iter_errors(&snapshot)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:?} in {snapshot}");
        }
    }
}

#[test]
fn a_state_of_a_later_version_is_refused_with_the_version_that_is_needed() {
    let decode = |bytes: &'static [u8]| Customer::decode(bytes);
    let later = CodecError::Later { major: 0, minor: 3 };
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(
        later.to_string(),
        format!(
            "the state was written by keyfold 0.3 or later; this is version {own}: run that version"
        )
    );
    assert_eq!(decode(&[LAYOUT + 1, 0, 3, 9, 9]), Err(later));
    assert_eq!(decode(&[LAYOUT + 1, 0]), Err(CodecError::Damaged));
    assert_eq!(decode(&[4, 0]), Err(CodecError::Layout(4)));
    assert_eq!(decode(&[LAYOUT, 0]), Ok(Customer::default()));
}

/// Every cut, and every byte replaced: refused or read, and then the same when it is written and read again.
#[test]
fn damaged_states_are_refused_or_read() {
    for (name, customer) in cases() {
        let whole = encoded(&customer);
        for cut in 0..whole.len() {
            assert!(
                Customer::decode(&whole[..cut]).is_err(),
                "{name} cut at {cut}"
            );
        }
        for at in 1..whole.len() {
            for byte in [0, 1, 0xff, whole[at] ^ 1] {
                let mut damaged = whole.to_vec();
                damaged[at] = byte;
                let Ok(mut read) = Customer::decode(damaged) else {
                    continue;
                };
                assert_eq!(Customer::decode(encoded(&read)), Ok(read.clone()), "{name}");
                snapshot::write(&read, "c", &view(), &mut Vec::new());
                read.merge(customer.clone(), KEEP);
                read.join(Event::Erase(None, 2).data(), KEEP);
                encoded(&read);
            }
        }
    }
}

/// Writes the states that are missing. One that is there stays as it is: it was released, or is about to be.
#[test]
#[ignore = "writes files"]
fn writes_the_states_that_are_missing() {
    let folder = folder().join(format!("layout-{LAYOUT}"));
    fs::create_dir_all(&folder).unwrap();
    for (name, customer) in cases() {
        let path = folder.join(name).with_extension("hex");
        if !path.exists() {
            let bytes = encoded(&customer);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            fs::write(&path, format!("{hex}\n")).unwrap();
            let mut text = Vec::new();
            if !snapshot::write(&customer, "c", &view(), &mut text) {
                text.extend_from_slice(b"null");
            }
            text.push(b'\n');
            fs::write(path.with_extension("json"), text).unwrap();
        }
    }
}

/// What records of a built-in source say.
fn built_in(source: Source, timestamp: i64, value: &Value) -> Vec<Data> {
    let text = value.to_string();
    let record = RawRecord {
        source,
        timestamp: Some(timestamp),
        key: None,
        value: Some(text.as_bytes()),
    };
    match source::judge(&record, &Config::default()).verdict {
        Verdict::Valid(contribution) => vec![contribution.data],
        Verdict::Batch {
            elements,
            rejection: None,
        } => elements
            .into_iter()
            .map(|element| element.contribution.data)
            .collect(),
        verdict => panic!("{verdict:?}"),
    }
}

fn of_built_in_sources() -> Vec<Data> {
    use serde_json::json;
    let event = json!({"eventType": "CUSTOMER", "eventAction": "CREATED", "version": 1, "body": {
        "customerId": "c", "status": "ACTIVE", "dateOfBirth": "1998-02-01", "marketingOptIn": true, "smsOptIn": false,
        "addresses": [{"addressId": "1", "line1": "42B Baker Street", "city": "London", "zipCode": "BB2H123", "countryCode": "GB"}],
        "dependents": [{"dependentId": "d", "dateOfBirth": "2024-01-01", "type": "cat"}],
        "createdAt": "1970-01-01T00:00:01Z", "updatedAt": "1970-01-01T00:00:02.5Z"}});
    let fewer = json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1, "body": {
        "customerId": "c", "addresses": [], "createdAt": "1970-01-01T00:00:01Z", "updatedAt": "1970-01-01T00:00:03Z"}});
    let action = json!({"eventType": "CUSTOMER_ACTION", "eventAction": "CREATED", "version": 1, "body": {
        "customerId": "c", "interactionId": "i", "interaction": {"type": "SIGN_UP", "subscriptionContractId": "s"},
        "utmParameters": {"utmSource": "mail"}, "createdAt": "1970-01-01T00:00:01Z", "updatedAt": "1970-01-01T00:00:04Z"}});
    let console = json!({"customerId": "c", "version": 7, "firstName": "Ada", "emailAddress": "ada@example.com",
        "phones": [{"key": "p", "type": "Mobile", "country": "AU", "numberLocal": "1"}],
        "addresses": [{"key": "a", "address1": "1 High Street", "country": "Australia"}],
        "attributes": {"tier": "gold", "nested": {"list": [1, null]}}});
    let publisher = json!({"customers": [{"sourceCustomerId": "c", "organizationId": "50004", "postalCode": "78753", "country": "US",
        "customerCreationDate": "2020-01-01T00:00:00Z", "enrollmentStartDate": "2020-01-01T00:00:00Z", "enrollmentOptInStatus": "ACTIVE",
        "alertOptInStatus": ["ALL"], "targetingIndicator": "TARGET", "accounts": []}]});
    let mut all = Vec::new();
    for (source, value) in [
        (Source::LoyaltyCustomers, event),
        (Source::LoyaltyCustomers, fewer),
        (Source::LoyaltyActions, action),
        (Source::ConsoleCustomers, console),
        (Source::PublisherCustomers, publisher),
    ] {
        all.extend(built_in(source, 5000, &value));
    }
    all
}

fn of_declared_sources() -> Vec<Data> {
    let mut crm = record(2)
        .scalar(Scalar::CreatedAt, Some("\"1970-01-01T00:00:01Z\""))
        .scalar(Scalar::Status, Some("\"ACTIVE\""))
        .first_name("\"Grace\"")
        .scalar(Scalar::LastName, None)
        .attribute("tier", Some("\"silver\""))
        .attribute("points", Some("12"))
        .addresses(&[("1", 2, "York"), ("2", 1, "Leeds")]);
    crm.lists[1] = Some(vec![Element {
        id: "p",
        at: 2,
        created_at: Some(1),
        text: "0123",
    }]);
    crm.lists[2] = Some(Vec::new());
    let listing = record(3).addresses(&[("2", 3, "Leeds")]);
    let mut shop = by_rank(6, 1 << 40).of("shop");
    shop.whole = true;
    let shop = shop
        .scalar(Scalar::EmailAddress, Some("\"grace@example.com\""))
        .attribute("tier", Some("1"));
    let table = by_rank(4, 8)
        .of("table")
        .first_name("\"G.\"")
        .addresses(&[("1", 4, "Hull")]);
    let later = by_rank(7, 3)
        .of("table")
        .scalar(Scalar::SmsOptIn, Some("true"));
    let mut records = vec![crm, listing, shop, table, later];
    for (at, id, kind, created_at) in [
        (5, "x", "OPENED", None),
        (6, "y", "SIGN_UP", Some(1)),
        (7, "z", "OPENED", None),
        (8, "w", "CLOSED", None),
    ] {
        let mut action = record(at).of("mails");
        action.action = Some((id, kind, created_at));
        action.has_rank = true;
        records.push(action);
    }
    records.iter().map(Record::data).collect()
}

/// Customers with all that a state can hold.
fn cases() -> Vec<(&'static str, Customer)> {
    let folded = |data: &[Vec<Data>], erasures: &[Event]| {
        let mut customer = Customer::default();
        for data in data.iter().flatten() {
            customer.join(data.clone(), KEEP);
        }
        for erasure in erasures {
            customer.join(erasure.data(), KEEP);
        }
        customer
    };
    let all = [of_built_in_sources(), of_declared_sources()];
    let retractions =
        ["crm", "unknown", "loyalty-customers"].map(|only| Event::Erase(Some(only), 2));
    vec![
        ("nothing", Customer::default()),
        ("built-in", folded(&all[..1], &[])),
        (
            "built-in-erased",
            folded(&all[..1], &[Event::Erase(None, 9)]),
        ),
        (
            "built-in-partly-erased",
            folded(
                &all[..1],
                &[
                    Event::Erase(None, 2),
                    Event::Erase(Some("loyalty-actions"), 9),
                ],
            ),
        ),
        ("declared", folded(&all[1..], &[])),
        (
            "declared-erased",
            folded(&all[1..], &[Event::Erase(None, 9)]),
        ),
        (
            "declared-partly-erased",
            folded(
                &all[1..],
                &[Event::Erase(None, 4), Event::Erase(Some("shop"), 6)],
            ),
        ),
        ("all", folded(&all, &[])),
        ("all-retracted", folded(&all, &retractions)),
    ]
}
