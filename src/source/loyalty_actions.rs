//! The source `loyalty-actions`: what customers of the loyalty programme did.

use super::json::{open_object, write_name, write_string, write_trimmed};
use super::judge::Judge;
use super::loyalty_customers::{EventAction, judge_envelope};
use super::texts::Texts;
use super::wire::{Number, Text, wire_object};
use crate::customer::contribution::{Action, ActionKind, Contribution, Data, Span};
use crate::customer::stamp::Stamp;
use crate::record::Code;
use crate::time::Instant;

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

/// Judges and normalises an event.
pub fn mature(wire: EventWire<'_>, judge: &mut Judge<'_>) -> Contribution {
    judge_envelope(judge, &wire.event_type, "CUSTOMER_ACTION", wire.version);
    let body = wire.body;
    judge.id(&body.interaction_id, || "/body/interactionId".to_owned());
    judge.id(&body.customer_id, || "/body/customerId".to_owned());
    judge.updated_at(body.updated_at, || "/body/updatedAt".to_owned());
    if body.created_at > body.updated_at {
        judge.find(Code::CreatedAfterUpdated, || "/body/createdAt".to_owned());
    }

    let mut pool = Texts::with_capacity(384);
    let (mut contract, mut utm) = (None, None);
    let id = pool.copy(body.interaction_id.as_bytes());
    let text = pool.text(|out| {
        if let Some(id) = &body.interaction.subscription_contract_id {
            write_name(out, "subscriptionContractId");
            contract = span(out, |out| write_string(out, id));
        }
        if let Some(parameters) = &body.utm_parameters {
            write_name(out, "utmParameters");
            utm = span(out, |out| write_utm(out, parameters));
        }
    });
    Contribution {
        customer: body.customer_id.0.into_owned(),
        data: Data::Action(Action {
            id,
            stamp: Stamp::new(body.updated_at, wire.event_action.rank()),
            created_at: body.created_at,
            kind: body.interaction.kind,
            body: text,
            contract,
            utm,
        }),
    }
}

/// Where the text stands that `write` appends. A record is far smaller than 4 GiB.
fn span(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Option<Span> {
    let from = out.len();
    write(out);
    Some((u32::try_from(from).ok()?, u32::try_from(out.len()).ok()?))
}

fn write_utm(out: &mut Vec<u8>, utm: &UtmWire<'_>) {
    let start = out.len();
    write_trimmed(out, "utmSource", utm.source.as_ref());
    write_trimmed(out, "utmMedium", utm.medium.as_ref());
    write_trimmed(out, "utmCampaign", utm.campaign.as_ref());
    write_trimmed(out, "utmContent", utm.content.as_ref());
    write_trimmed(out, "utmTerms", utm.terms.as_ref());
    open_object(out, start);
    out.push(b'}');
}
