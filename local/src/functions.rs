//! Every function of the workspace, mounted in this process: each gets the event that API Gateway would send, through the
//! same adapter that runs it on Lambda, with a deadline. Must never take a short cut into a router.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service, lambda_runtime};
use serde_json::Value;
use shared::boot::Boot;
use shared::clock::Clock;
use shared::config::{Config, Need};
use shared::edge::contract::Contract;
use shared::edge::event::EventSanitizer;
use shared::edge::{self, RouteInfo};
use shared::reload::Build;

use crate::template::Function;
use crate::workspace::Variables;

/// What a function answers requests with.
pub struct Api {
    pub build: Build,
    pub routes: fn() -> Vec<RouteInfo>,
    pub contract: fn() -> Contract,
}

/// What invokes a function.
pub enum Kind {
    /// Requests do.
    Api(Api),
    /// A schedule does, and nobody else.
    Job,
}

/// One function of the workspace.
pub struct Registered {
    pub function: edge::Function,
    pub kind: Kind,
}

macro_rules! api {
    ($package:ident) => {
        Registered {
            function: $package::FUNCTION,
            kind: Kind::Api(Api {
                build: $package::build,
                routes: $package::routes,
                contract: $package::contract,
            }),
        }
    };
}

/// Every function: the one list of them in Rust.
pub const ALL: &[Registered] = &[
    api!(health),
    api!(auth),
    api!(accounts),
    api!(categories),
    api!(transactions),
    api!(financial_health),
    Registered { function: backup::FUNCTION, kind: Kind::Job },
];

/// The functions that requests invoke.
pub fn apis() -> impl Iterator<Item = (edge::Function, &'static Api)> {
    ALL.iter().filter_map(|registered| match &registered.kind {
        Kind::Api(api) => Some((registered.function, api)),
        Kind::Job => None,
    })
}

/// The functions that a schedule invokes.
pub fn jobs() -> impl Iterator<Item = edge::Function> {
    let jobs = ALL.iter().filter(|registered| matches!(registered.kind, Kind::Job));
    jobs.map(|registered| registered.function)
}

/// What the functions that requests invoke need together.
pub fn needs() -> Vec<Need> {
    let mut needs = Vec::new();
    for need in apis().flat_map(|(function, _)| function.needs) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    needs
}

/// The functions of this process.
#[derive(Clone)]
pub struct Functions {
    routers: Arc<HashMap<&'static str, Router>>,
    boot: Boot,
}

impl Functions {
    /// Mounts all functions on one configuration; they share its clients.
    ///
    /// # Errors
    /// The configuration's problems, all in one line.
    pub fn mount(variables: &Variables) -> Result<Self> {
        let boot = Boot::new(Config::load(variables, &needs())?);
        let routers =
            apis().map(|(function, api)| Ok((function.name, (api.build)(&boot)?))).collect::<Result<_>>()?;
        Ok(Self { routers: Arc::new(routers), boot })
    }

    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// One invocation: the event in, the answer as Lambda would hand it to API Gateway. `Err` is a failed invocation.
    pub async fn invoke(
        &self,
        function: &Function,
        event: &Value,
        trace_id: &str,
    ) -> Result<Vec<u8>, String> {
        let Some(router) = self.routers.get(function.name.as_str()) else {
            return Err(format!("the template has a function {}, and this build has none", function.name));
        };
        let payload: LambdaRequest = serde_json::from_str(&event.to_string())
            .map_err(|error| format!("the event cannot be read: {error}"))?;
        let event = LambdaEvent::new(payload, context(function, &self.boot.clock, trace_id));
        // A task of its own: it goes on when the client leaves, as a Lambda invocation does, and a panic ends only it.
        let mut task = tokio::spawn(invocation(router.clone(), event));
        match tokio::time::timeout(function.timeout, &mut task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(format!("it ended: {panic}")),
            Err(_) => {
                task.abort();
                Err(format!("Task timed out after {}.00 seconds", function.timeout.as_secs()))
            }
        }
    }
}

/// The router's answer to an event, in JSON, by way of the adapter that Lambda's runtime uses.
fn invocation(
    router: Router,
    event: LambdaEvent<LambdaRequest>,
) -> impl Future<Output = Result<Vec<u8>, String>> + Send + 'static {
    let adapter: Adapter<'static, axum::response::Response, Router> = Adapter::from(router);
    let answer = EventSanitizer(adapter).call(event);
    async move {
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        serde_json::to_vec(&answer).map_err(|error| format!("its answer cannot be written: {error}"))
    }
}

/// What the runtime tells a function of its invocation.
fn context(function: &Function, clock: &Clock, trace_id: &str) -> Context {
    let config = lambda_runtime::Config {
        function_name: function.name.clone(),
        memory: i32::try_from(function.memory_mb).unwrap_or(i32::MAX),
        version: "$LATEST".to_owned(),
        ..lambda_runtime::Config::default()
    };
    let now_ms = u64::try_from(clock.now_ms()).unwrap_or_default();
    let timeout_ms = u64::try_from(function.timeout.as_millis()).unwrap_or(u64::MAX);
    let mut context = Context::default();
    context.request_id = shared::ids::new_id(clock).to_string();
    context.deadline = now_ms.saturating_add(timeout_ms);
    context.invoked_function_arn =
        format!("arn:aws:lambda:us-east-1:000000000000:function:{}", function.name);
    context.xray_trace_id = Some(trace_id.to_owned());
    context.env_config = Arc::new(config);
    context
}
