//! The states of a worker.

/// What a worker is doing, as `keyfold_worker_state` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// Not yet a member of the consumer group.
    Starting,
    /// Waiting for an assignment.
    Joining,
    /// Catching up state partitions.
    Restoring,
    /// Processing records.
    Running,
    /// A service is away; backing off.
    Retrying,
    /// Committing the last batch and leaving the group.
    Stopping,
    /// Ended.
    Stopped,
}

impl WorkerState {
    /// Every state, in the order of a worker's life.
    pub const ALL: [WorkerState; 7] = [
        WorkerState::Starting,
        WorkerState::Joining,
        WorkerState::Restoring,
        WorkerState::Running,
        WorkerState::Retrying,
        WorkerState::Stopping,
        WorkerState::Stopped,
    ];

    /// The value of the label `state`.
    pub fn name(self) -> &'static str {
        match self {
            WorkerState::Starting => "starting",
            WorkerState::Joining => "joining",
            WorkerState::Restoring => "restoring",
            WorkerState::Running => "running",
            WorkerState::Retrying => "retrying",
            WorkerState::Stopping => "stopping",
            WorkerState::Stopped => "stopped",
        }
    }
}
