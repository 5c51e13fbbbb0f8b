//! Types without parts, resolved.

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, UuidSchema};

use super::plan::Node;
use crate::avro::PlanError;
use crate::avro::text::Unit;
use crate::avro::writer_schema::{Underlying, underlying};

/// The most digits behind the point of a decimal. With more it is written as its bytes.
const MAX_SCALE: usize = 1_000;

/// How a value of a type without parts is written.
pub(super) fn own(schema: &Schema) -> Node {
    match schema {
        Schema::Null => Node::Null,
        Schema::Boolean => Node::Boolean,
        Schema::Float => Node::Float,
        Schema::Double => Node::Double,
        Schema::Date => Node::Date,
        Schema::TimestampMillis | Schema::LocalTimestampMillis => Node::Timestamp(Unit::Millis),
        Schema::TimestampMicros | Schema::LocalTimestampMicros => Node::Timestamp(Unit::Micros),
        Schema::TimestampNanos | Schema::LocalTimestampNanos => Node::Timestamp(Unit::Nanos),
        Schema::Uuid(UuidSchema::Fixed(_)) => Node::Uuid,
        Schema::BigDecimal => Node::BigDecimal,
        Schema::Decimal(DecimalSchema { scale, inner, .. }) if *scale <= MAX_SCALE => {
            let scale = *scale;
            match inner {
                InnerDecimalSchema::Bytes => Node::Decimal { scale, size: None },
                InnerDecimalSchema::Fixed(fixed) => Node::Decimal {
                    scale,
                    size: Some(fixed.size),
                },
            }
        }
        other => plain(other),
    }
}

/// How a value is written without regard to a logical type.
fn plain(schema: &Schema) -> Node {
    match underlying(schema) {
        Underlying::Int => Node::Int,
        Underlying::Long => Node::Long,
        Underlying::Text => Node::Text,
        Underlying::Bytes => Node::Bytes,
        Underlying::Fixed(size) => match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            _ => Node::Fixed(size),
        },
        Underlying::Enum(_) | Underlying::Composite => Node::Mismatch,
    }
}

/// Resolves a writer's type without parts against that of the reader.
pub(super) fn resolved(writer: &Schema, reader: &Schema) -> Result<Node, PlanError> {
    let mismatch = || PlanError::new("the schema has a type that its reader schema cannot read");
    // The bytes of a decimal are a number, not a text.
    let is_decimal = matches!(writer, Schema::Decimal(_) | Schema::BigDecimal);
    if is_decimal && underlying(reader) == Underlying::Text {
        return Err(mismatch());
    }
    let of_reader = own(reader);
    let written = plain(writer);
    let fits = match (&written, plain(reader)) {
        (Node::Int, Node::Int | Node::Long | Node::Float | Node::Double)
        | (Node::Long, Node::Long | Node::Float | Node::Double)
        | (Node::Float, Node::Float | Node::Double)
        | (Node::Double, Node::Double)
        | (Node::Boolean, Node::Boolean)
        | (Node::Text | Node::Bytes, Node::Text | Node::Bytes) => true,
        (Node::Fixed(size), Node::Fixed(of_reader)) => *size == of_reader,
        _ => false,
    };
    match (of_reader, own(writer)) {
        _ if !fits => Err(mismatch()),
        (
            Node::Timestamp(_) | Node::Date | Node::Decimal { .. } | Node::BigDecimal | Node::Uuid,
            of_writer @ (Node::Timestamp(_)
            | Node::Date
            | Node::Decimal { .. }
            | Node::BigDecimal
            | Node::Uuid),
        ) => Ok(of_writer),
        (of_reader @ Node::Timestamp(_), Node::Int | Node::Long)
        | (of_reader @ Node::Date, Node::Int)
        | (of_reader @ (Node::Decimal { size: None, .. } | Node::BigDecimal), Node::Bytes)
        | (of_reader @ (Node::Decimal { size: Some(_), .. } | Node::Uuid), Node::Fixed(_)) => {
            Ok(of_reader)
        }
        _ => Ok(written),
    }
}
