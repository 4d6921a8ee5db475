//! The routes and functions of `template.yaml`, as API Gateway would make them: the local gateway has no table of its own.
//!
//! Must never interpret more of CloudFormation than that: `!Ref`, `!Sub` and their like are read over.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_yaml_ng::Value;

/// What SAM gives a function that names no timeout, and no memory.
const TIMEOUT_DEFAULT: u64 = 3;
const MEMORY_DEFAULT: u64 = 128;

/// A function of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Package, directory, last folder of `CodeUri`: one name.
    pub name: String,
    pub timeout: Duration,
    pub memory_mb: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    /// `None` is any.
    method: Option<String>,
    path: Pattern,
    /// As API Gateway writes it: `ANY /api/health`, `$default`.
    key: String,
    function: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    /// Everything below a prefix that ends in `/`.
    Below(String),
    Default,
}

/// The functions and routes of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub functions: Vec<Function>,
    routes: Vec<Route>,
}

/// The route that a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch<'a> {
    pub key: &'a str,
    pub function: &'a str,
    /// What stands in the place of `{proxy+}`, as it was sent.
    pub proxy: Option<&'a str>,
}

impl Template {
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not usable", path.display()))
    }

    pub fn parse(text: &str) -> Result<Self> {
        let root: Value = serde_yaml_ng::from_str(text).context("it is not YAML")?;
        let globals = get(&root, &["Globals", "Function"]);
        let Some(resources) = root.get("Resources").and_then(Value::as_mapping) else {
            bail!("it has no Resources");
        };
        let mut template = Self { functions: Vec::new(), routes: Vec::new() };
        for (id, resource) in resources {
            if string(resource.get("Type")) != Some("AWS::Serverless::Function") {
                continue;
            }
            let id = id.as_str().unwrap_or_default();
            let function = function(resource, globals).with_context(|| format!("the function {id}"))?;
            if template.functions.iter().any(|other| other.name == function.name) {
                bail!("two functions are built from {}", function.name);
            }
            let events = get(resource, &["Properties", "Events"]).and_then(Value::as_mapping);
            for (event, definition) in events.into_iter().flatten() {
                if string(definition.get("Type")) == Some("HttpApi") {
                    let event = event.as_str().unwrap_or_default();
                    let route = route(definition, &function.name)
                        .with_context(|| format!("the event {id}.{event}"))?;
                    if template.routes.iter().any(|other| other.key == route.key) {
                        bail!("the route {} is there twice", route.key);
                    }
                    template.routes.push(route);
                }
            }
            template.functions.push(function);
        }
        if template.routes.is_empty() {
            bail!("no function has an event of type HttpApi");
        }
        Ok(template)
    }

    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// API Gateway's choice: an exact path, then the longest `{proxy+}`, then `$default`; a named method before ANY.
    pub fn find<'a>(&'a self, method: &str, path: &'a str) -> Option<RouteMatch<'a>> {
        let candidates =
            self.routes.iter().filter(|route| route.method.as_deref().is_none_or(|own| own == method));
        let ranked = candidates.filter_map(|route| {
            let (rank, proxy) = match &route.path {
                Pattern::Exact(exact) => (path == exact).then_some((usize::MAX, None))?,
                Pattern::Below(prefix) => {
                    let rest = path.strip_prefix(prefix.as_str()).filter(|rest| !rest.is_empty())?;
                    (prefix.len(), Some(rest))
                }
                Pattern::Default => (0, None),
            };
            Some(((rank, route.method.is_some()), route, proxy))
        });
        let (_, route, proxy) = ranked.max_by_key(|(rank, ..)| *rank)?;
        Some(RouteMatch { key: &route.key, function: &route.function, proxy })
    }

    /// The keys of all routes, as API Gateway lists them.
    pub fn route_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.routes.iter().map(|route| (route.key.as_str(), route.function.as_str()))
    }
}

fn function(resource: &Value, globals: Option<&Value>) -> Result<Function> {
    let property = |name: &str| {
        get(resource, &["Properties", name]).or_else(|| globals.and_then(|globals| globals.get(name)))
    };
    let Some(name) =
        string(property("CodeUri")).and_then(|uri| uri.trim_end_matches('/').strip_prefix("target/lambda/"))
    else {
        bail!("has no CodeUri of the form target/lambda/<function>");
    };
    let number = |name: &str, default: u64| property(name).and_then(Value::as_u64).unwrap_or(default);
    Ok(Function {
        name: name.to_owned(),
        timeout: Duration::from_secs(number("Timeout", TIMEOUT_DEFAULT)),
        memory_mb: number("MemorySize", MEMORY_DEFAULT),
    })
}

fn route(definition: &Value, function: &str) -> Result<Route> {
    let path = string(get(definition, &["Properties", "Path"]));
    let method = string(get(definition, &["Properties", "Method"])).unwrap_or("ANY").to_ascii_uppercase();
    let (pattern, key) = match path {
        None | Some("$default") => (Pattern::Default, "$default".to_owned()),
        Some(path) => {
            let pattern = match path.split_once('{') {
                None => Pattern::Exact(path.to_owned()),
                Some((prefix, "proxy+}")) if prefix.ends_with('/') => Pattern::Below(prefix.to_owned()),
                Some(_) => bail!("has the path {path}; only {{proxy+}} at its end is known here"),
            };
            if !path.starts_with('/') {
                bail!("has the path {path}, which does not begin with /");
            }
            (pattern, format!("{method} {path}"))
        }
    };
    let method = (method != "ANY" && method != "X-AMAZON-APIGATEWAY-ANY-METHOD").then_some(method);
    Ok(Route { method, path: pattern, key, function: function.to_owned() })
}

fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// A plain string; `!Sub` with nothing to substitute counts as one.
fn string(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::Tagged(tagged) if tagged.tag == "Sub" => {
            tagged.value.as_str().filter(|text| !text.contains("${"))
        }
        value => value.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Globals:
  Function:
    Timeout: 10
    Environment: { Variables: { A: !If [IsLocal, "", !Ref AWS::NoValue] } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: { Name: !Ref AWS::StackName }
  HealthFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${AWS::StackName}-health"
      CodeUri: target/lambda/health/
      Role: !GetAtt HealthRole.Arn
      MemorySize: 256
      Timeout: 3
      Events:
        Root: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: ANY, Path: /api/v1/health } }
        Proxy: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: ANY, Path: "/api/v1/health/{proxy+}" } }
        Default: { Type: HttpApi, Properties: { ApiId: !Ref Api } }
        EveryMinute: { Type: Schedule, Properties: { Schedule: rate(1 minute) } }
  AuthFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: !Sub target/lambda/auth
      Events:
        Root: { Type: HttpApi, Properties: { Method: any, Path: /api/auth } }
        Login: { Type: HttpApi, Properties: { Method: post, Path: "/api/auth/{proxy+}" } }
"#;

    #[test]
    fn functions_carry_their_limits() {
        let template = Template::parse(TEMPLATE).unwrap();
        let health = template.function("health").unwrap();
        assert_eq!((health.timeout.as_secs(), health.memory_mb), (3, 256));
        let auth = template.function("auth").unwrap();
        assert_eq!((auth.timeout.as_secs(), auth.memory_mb), (10, 128), "from Globals, and SAM's default");
        assert_eq!(template.route_keys().count(), 5, "the schedule is no route");
    }

    #[test]
    fn a_request_takes_the_route_that_api_gateway_would_choose() {
        let template = Template::parse(TEMPLATE).unwrap();
        let find = |method: &str, path: &str| {
            template.find(method, path).map(|found| {
                (found.key.to_owned(), found.function.to_owned(), found.proxy.map(str::to_owned))
            })
        };
        let expect = |key: &str, function: &str, proxy: Option<&str>| {
            Some((key.to_owned(), function.to_owned(), proxy.map(str::to_owned)))
        };
        assert_eq!(find("GET", "/api/v1/health"), expect("ANY /api/v1/health", "health", None));
        assert_eq!(
            find("GET", "/api/v1/health/a/b"),
            expect("ANY /api/v1/health/{proxy+}", "health", Some("a/b"))
        );
        assert_eq!(find("GET", "/api/v1/healthy"), expect("$default", "health", None));
        assert_eq!(find("POST", "/api/auth/login"), expect("POST /api/auth/{proxy+}", "auth", Some("login")));
        assert_eq!(find("GET", "/api/auth/login"), expect("$default", "health", None));
        assert_eq!(find("DELETE", "/api/auth"), expect("ANY /api/auth", "auth", None));
        assert_eq!(find("GET", "/"), expect("$default", "health", None));
    }

    #[test]
    fn a_template_that_cannot_be_served_says_what_is_wrong() {
        for (text, reason) in [
            ("- a", "no Resources"),
            ("Resources: {}", "HttpApi"),
            ("Resources: { F: { Type: AWS::Serverless::Function, Properties: { CodeUri: . } } }", "CodeUri"),
        ] {
            let error = format!("{:#}", Template::parse(text).unwrap_err());
            assert!(error.contains(reason), "{text}: {error}");
        }
        let twice = TEMPLATE.replace("/api/auth }", "/api/v1/health }");
        assert!(format!("{:#}", Template::parse(&twice).unwrap_err()).contains("twice"));
    }

    #[test]
    fn the_projects_own_template_routes_both_base_paths_of_every_function() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = Template::read(&root).unwrap();
        for name in crate::functions::apis().map(|(function, _)| function.name) {
            assert!(template.function(name).is_some(), "{name} is not in the template");
            for path in [format!("/api/{name}"), format!("/api/v1/{name}"), format!("/api/v1/{name}/x")] {
                assert_eq!(template.find("GET", &path).map(|found| found.function), Some(name), "{path}");
            }
        }
        assert_eq!(template.find("GET", "/nowhere").map(|found| found.key), Some("$default"));
    }
}
