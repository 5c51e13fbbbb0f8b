//! `keyfold audit`: whether the snapshots, the states and the dead letters are those that the records in the inputs lead
//! to.
//!
//! # What is compared with what
//!
//! ```text
//!  inputs, committed ──judge──┬─ valid ────► fold ─┬─ must be ─► state ── is shown as ─► snapshot
//!                             └─ rejected ─► a dead letter of its place
//! ```
//!
//! - If the inputs are **complete**, the fold of their records must be the state, and what is shown of it the snapshot.
//! - If they are **cut** ([`Cut`]: retention or compaction has taken records), the fold of what is left is joined into the
//!   state, which must not change it; and the snapshot must be what is shown of the state.
//! - Records are judged by today's configuration. One that has a dead letter, and is valid today, was judged otherwise
//!   when it was processed: it is not part of the fold, but of a second one, and a customer whose snapshot would differ
//!   with it is a difference that says so.
//!   The other way round, a record that is rejected today and has no dead letter is judged once more, without the rules that
//!   can be switched off. If the state is what follows with it, it was valid when it was processed.
//! - Which record is rejected with `state_too_large` depends on the order of records. Customers that this concerns are
//!   never called different, only not provable.
//!
//! # Consistency on a live system
//!
//! A round reads, in this order: (1) the committed offsets of all inputs and of the forwarded topic, together; (2) states
//! and snapshots up to the ends of their logs; (3) the committed offsets once more; (4) the forwarded topic from its offset
//! of (1) on; (5) dead letters up to the end; (6) the inputs up to their offsets of (1), which are folded, and from there
//! to those of (3).
//!
//! A transaction that committed offsets of (1) has its snapshots before the ends of (2), because these ends are the high
//! watermarks, asked later. A snapshot before the ends of (2) belongs to a transaction whose offsets are in (3), because
//! only committed snapshots are read, and offsets are read when no transaction can change them any more. So the snapshot
//! of a customer shows exactly the records before (1), unless a record of the customer
//!
//! - lay in the forwarded topic at (1), not joined yet, or
//! - lies in an input between (1) and (3).
//!
//! Such a customer is **moving** ([`Moving`]). If it is equal all the same, it is equal; if not, it is looked at again in
//! the next round, and after the last one it is not provable. What is not moving and differs, is different.
//!
//! With `at_least_once` a snapshot may also show records that were read and not committed yet: there the customers of
//! records behind (3), as far as one batch goes, are moving too.
//!
//! | file | subject |
//! |---|---|
//! | [`evidence`] | what is known of one customer |
//! | [`conclusion`] | what follows from it |
//! | [`finding`] | what can be found |
//! | [`letters`] | dead letters by the place of their record, and whether one that is missing must be there |
//! | [`cut`] | why inputs are not complete |
//! | [`moving`] | customers whose records move |
//! | [`partials`] | the fold of the records, in parts |
//! | [`tally`] | the numbers of the summary |

pub mod conclusion;
pub mod cut;
pub mod evidence;
pub mod finding;
pub mod letters;
pub mod moving;
pub mod partials;
pub mod tally;

pub use cut::Cut;
pub use moving::Moving;
