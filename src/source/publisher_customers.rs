//! The source `publisher-customers`: batches of customers from a card-offers publisher. A null means that the field is
//! absent. The elements of a batch are judged one by one.

use serde_json::value::RawValue;

use super::rules::RuleCheck;
use crate::customer::contribution::{Contribution, Data, Fact, Publisher};
use crate::customer::texts::Texts;
use crate::json::canonical::{
    open_object, write_field, write_instant, write_kept, write_name, write_string,
};
use crate::json::strict::{Text, wire_object};
use crate::model::record::Code;
use crate::model::time::Instant;

wire_object! {
    /// The elements of a batch, each as its original text.
    pub struct BatchWire<'a> at depth 1 {
        required customers: Vec<&'a RawValue> = "customers",
    }
}

wire_object! {
    pub struct CustomerWire<'a> at depth 3 {
        required source_customer_id: Text<'a> = "sourceCustomerId",
        nullable source_parent_customer_id: Text<'a> = "sourceParentCustomerId",
        required organization_id: Text<'a> = "organizationId",
        required postal_code: Text<'a> = "postalCode",
        required country: Text<'a> = "country",
        required customer_creation_date: Instant = "customerCreationDate",
        required enrollment_start_date: Instant = "enrollmentStartDate",
        nullable enrollment_end_date: Instant = "enrollmentEndDate",
        required enrollment_opt_in_status: Text<'a> = "enrollmentOptInStatus",
        required alert_opt_in_status: Vec<Text<'a>> = "alertOptInStatus",
        required targeting_indicator: Text<'a> = "targetingIndicator",
        required accounts: Vec<AccountWire<'a>> = "accounts",
    }
}

wire_object! {
    pub struct AccountWire<'a> at depth 5 {
        required source_account_id: Text<'a> = "sourceAccountId",
        nullable source_customer_ids: Vec<Text<'a>> = "sourceCustomerIds",
        nullable primary_source_customer_id: Text<'a> = "primarySourceCustomerId",
        nullable status: Text<'a> = "status",
        nullable kind: Text<'a> = "type",
        nullable source_portfolio_id: Text<'a> = "sourcePortfolioId",
        nullable account_open_date: Instant = "accountOpenDate",
        nullable account_close_date: Instant = "accountCloseDate",
        nullable cards: Vec<CardWire<'a>> = "cards",
    }
}

wire_object! {
    pub struct CardWire<'a> at depth 7 {
        nullable source_account_id: Text<'a> = "sourceAccountId",
        nullable source_customer_id: Text<'a> = "sourceCustomerId",
        nullable last4: Text<'a> = "last4",
        nullable iin: Text<'a> = "iin",
        nullable card_type: Text<'a> = "cardType",
        nullable status: Text<'a> = "status",
        nullable network_identifier: Text<'a> = "networkIdentifier",
        nullable open_date: Instant = "openDate",
        nullable close_date: Instant = "closeDate",
    }
}

/// Checks the semantic rules for the element of a batch at `pointer` and normalises it; `at` is the record's timestamp.
pub fn normalize(
    wire: CustomerWire<'_>,
    pointer: &str,
    at: Option<Instant>,
    check: &mut RuleCheck<'_>,
) -> Contribution {
    check.id(&wire.source_customer_id, || {
        format!("{pointer}/sourceCustomerId")
    });
    if at.is_none() {
        check.broken(Code::NoTimestamp, String::new);
    }
    let country = check
        .country(&wire.country, || format!("{pointer}/country"))
        .field();
    check_accounts(&wire.accounts, pointer, check);

    let mut pool = Texts::with_capacity(768);
    let fact = Fact::Publisher(Publisher {
        at: at.unwrap_or(Instant::NEVER),
        enrollment: pool.write(|out| write_enrollment(out, &wire, country)),
        accounts: pool.write(|out| write_list(out, &wire.accounts, write_account)),
    });
    Contribution {
        customer: wire.source_customer_id.0.into_owned(),
        data: Data { fact, texts: pool },
    }
}

fn check_accounts(accounts: &[AccountWire<'_>], pointer: &str, check: &mut RuleCheck<'_>) {
    check.element_ids(
        accounts,
        |account| &account.source_account_id,
        |at| format!("{pointer}/accounts/{at}/sourceAccountId"),
    );
    for (at, account) in accounts.iter().enumerate() {
        for (card_at, card) in account.cards.iter().flatten().enumerate() {
            let ids = [
                ("sourceAccountId", &card.source_account_id),
                ("sourceCustomerId", &card.source_customer_id),
            ];
            for (name, id) in ids {
                if let Some(id) = id {
                    check.id(id, || {
                        format!("{pointer}/accounts/{at}/cards/{card_at}/{name}")
                    });
                }
            }
        }
    }
}

fn write_enrollment(out: &mut Vec<u8>, wire: &CustomerWire<'_>, country: (&str, &str)) {
    let start = out.len();
    write_field(out, "organizationId", &wire.organization_id);
    write_kept(
        out,
        "parentCustomerId",
        wire.source_parent_customer_id.as_ref(),
    );
    write_field(out, "postalCode", wire.postal_code.trim());
    write_field(out, country.0, country.1);
    write_instant(out, "customerCreationDate", wire.customer_creation_date);
    write_instant(out, "startDate", wire.enrollment_start_date);
    write_optional_instant(out, "endDate", wire.enrollment_end_date);
    write_field(out, "optInStatus", &wire.enrollment_opt_in_status);
    write_name(out, "alertOptInStatus");
    write_list(out, &wire.alert_opt_in_status, |out, text| {
        write_string(out, text)
    });
    write_field(out, "targetingIndicator", &wire.targeting_indicator);
    open_object(out, start);
    out.push(b'}');
}

fn write_account(out: &mut Vec<u8>, account: &AccountWire<'_>) {
    let start = out.len();
    write_field(out, "sourceAccountId", &account.source_account_id);
    if let Some(ids) = &account.source_customer_ids {
        write_name(out, "sourceCustomerIds");
        write_list(out, ids, |out, id| write_string(out, id));
    }
    write_kept(
        out,
        "primarySourceCustomerId",
        account.primary_source_customer_id.as_ref(),
    );
    write_kept(out, "status", account.status.as_ref());
    write_kept(out, "type", account.kind.as_ref());
    write_kept(
        out,
        "sourcePortfolioId",
        account.source_portfolio_id.as_ref(),
    );
    write_optional_instant(out, "accountOpenDate", account.account_open_date);
    write_optional_instant(out, "accountCloseDate", account.account_close_date);
    if let Some(cards) = &account.cards {
        write_name(out, "cards");
        write_list(out, cards, write_card);
    }
    open_object(out, start);
    out.push(b'}');
}

fn write_card(out: &mut Vec<u8>, card: &CardWire<'_>) {
    let start = out.len();
    write_kept(out, "sourceAccountId", card.source_account_id.as_ref());
    write_kept(out, "sourceCustomerId", card.source_customer_id.as_ref());
    write_kept(out, "last4", card.last4.as_ref());
    write_kept(out, "iin", card.iin.as_ref());
    write_kept(out, "cardType", card.card_type.as_ref());
    write_kept(out, "status", card.status.as_ref());
    write_kept(out, "networkIdentifier", card.network_identifier.as_ref());
    write_optional_instant(out, "openDate", card.open_date);
    write_optional_instant(out, "closeDate", card.close_date);
    open_object(out, start);
    out.push(b'}');
}

fn write_list<T>(out: &mut Vec<u8>, list: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn write_optional_instant(out: &mut Vec<u8>, name: &str, at: Option<Instant>) {
    if let Some(at) = at {
        write_instant(out, name, at);
    }
}
