//! Deaths at places inside the program, by its fail points. Built with `--features failpoints` only.

use std::process::ExitStatus;

use crate::dice::Dice;
use crate::fleet;
use crate::load::{Load, settle};
use crate::tally::{TALLY, count};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::wait::wait_until;

const POINTS: [&str; 4] = ["batch-written", "offsets-sent", "committed", "restoring"];

#[test]
fn an_instance_dies_at_every_fail_point_and_comes_back() {
    let mut app = App::new();
    app.set(&["instance_id"], "one");
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let mut dice = Dice::new(501);
    let load = Load::start(&app, 501, 400);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    fleet::kill(&mut keyfold);
    for _ in 0..2 {
        for point in POINTS {
            let passed = dice.below(20);
            let setting = format!("{point}={passed}*off->return");
            let mut keyfold = fleet::start_with(&app, &[("FAILPOINTS", &setting)]);
            let status = wait_until(LIMIT, point, || keyfold.ended());
            assert_eq!(signal(status), Some(9), "{point}: {}", keyfold.log());
            count(&TALLY.kills);
        }
    }
    let mut keyfold = fleet::start(&app);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
