//! The source `loyalty-actions`: what customers of the loyalty programme did.

use super::loyalty_customers::{EventAction, check_event};
use super::rules::RuleCheck;
use crate::customer::contribution::{Action, ActionKind, Contribution, Data, Fact};
use crate::customer::fields::{FieldName, put, put_trimmed, put_utm};
use crate::customer::stamp::Stamp;
use crate::customer::texts::Texts;
use crate::json::strict::{Number, Text, wire_object};
use crate::model::time::Instant;

wire_object! {
    pub struct EventWire<'a> at depth 1 {
        required event_type: Text<'a> = "eventType",
        required event_action: EventAction = "eventAction",
        required version: Number = "version",
        required body: ActionWire<'a> = "body",
    }
}

wire_object! {
    pub struct ActionWire<'a> at depth 2 {
        required interaction_id: Text<'a> = "interactionId",
        required customer_id: Text<'a> = "customerId",
        required interaction: InteractionWire<'a> = "interaction",
        optional utm_parameters: UtmWire<'a> = "utmParameters",
        required created_at: Instant = "createdAt",
        required updated_at: Instant = "updatedAt",
    }
}

wire_object! {
    pub struct InteractionWire<'a> at depth 3 {
        required kind: ActionKind = "type",
        optional subscription_contract_id: Text<'a> = "subscriptionContractId",
    }
}

wire_object! {
    pub struct UtmWire<'a> at depth 3 {
        optional source: Text<'a> = "utmSource",
        optional medium: Text<'a> = "utmMedium",
        optional campaign: Text<'a> = "utmCampaign",
        optional content: Text<'a> = "utmContent",
        optional terms: Text<'a> = "utmTerms",
    }
}

/// Checks the semantic rules for an event and normalises it.
pub fn normalize(wire: EventWire<'_>, check: &mut RuleCheck<'_>) -> Contribution {
    let body = wire.body;
    let envelope = (&*wire.event_type, wire.version);
    let times = (body.created_at, body.updated_at);
    check_event(check, "CUSTOMER_ACTION", envelope, times);
    check.id(&body.interaction_id, || "/body/interactionId".to_owned());
    check.id(&body.customer_id, || "/body/customerId".to_owned());

    let mut pool = Texts::with_capacity(192);
    let id = pool.add(body.interaction_id.as_bytes());
    let fields = pool.write(|out| {
        if let Some(id) = &body.interaction.subscription_contract_id {
            put(out, FieldName::Contract, &**id);
        }
        if let Some(utm) = &body.utm_parameters {
            put_utm(out);
            put_trimmed(out, FieldName::UtmSource, utm.source.as_deref());
            put_trimmed(out, FieldName::UtmMedium, utm.medium.as_deref());
            put_trimmed(out, FieldName::UtmCampaign, utm.campaign.as_deref());
            put_trimmed(out, FieldName::UtmContent, utm.content.as_deref());
            put_trimmed(out, FieldName::UtmTerms, utm.terms.as_deref());
        }
    });
    let fact = Fact::Action(Action {
        id,
        stamp: Stamp::new(body.updated_at, wire.event_action.rank()),
        created_at: body.created_at,
        kind: body.interaction.kind,
        body: fields,
    });
    Contribution {
        customer: body.customer_id.0.into_owned(),
        data: Data { fact, texts: pool },
    }
}
