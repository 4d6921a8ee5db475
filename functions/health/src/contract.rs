//! What `/health` promises. Must never describe what the code does not do: the document's tests compare.

use shared::edge::contract::{Contract, Operation, example};

use crate::{HealthView, ServicesView};

fn view(status: &'static str, redis: &'static str) -> HealthView {
    HealthView {
        status,
        timestamp: example::INSTANT.to_owned(),
        uptime: 86,
        services: ServicesView { mongodb: "connected", redis },
    }
}

/// The function's operations.
pub fn contract() -> Contract {
    let get_health = Operation::new(
        "get_health",
        "Whether MongoDB and Redis answer",
        "Asks each service and waits for at most a second. 200 where every one answers, else 503 with the same body.",
    )
    .answers(200, "Every service answers.", view("healthy", "connected"))
    .or_answers(503, "A service does not answer, or a problem.", view("unhealthy", "disconnected"));
    let services = ["connected", "disconnected"];
    Contract::new("Whether the API works.", vec![get_health])
        .words("HealthView", "status", ["healthy", "unhealthy"])
        .words("ServicesView", "mongodb", services)
        .words("ServicesView", "redis", services)
}
