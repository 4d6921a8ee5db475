//! Query strings: each parameter known, once, decoded once; or a refusal that names what is wrong.

use shared::edge::ProblemType;
use shared::edge::query::{PAGE_SIZE_MAX, Query};

/// Those of the route with the most.
fn known() -> &'static [&'static str] {
    let routes = transactions::routes();
    routes.iter().find(|route| route.operation == "list_transactions").expect("it has a list").query
}

pub(super) fn check(input: &[u8]) {
    let Some(raw) = super::text(input) else { return };
    let known = known();
    let query = match Query::parse(raw, known) {
        Ok(query) => query,
        Err(problem) => {
            assert_eq!(problem.kind, ProblemType::InvalidQuery);
            for error in &problem.errors {
                let name = error.pointer.strip_prefix("/query").expect("it points into the query");
                let escaped = name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
                let one = name.is_empty() || (name.starts_with('/') && name.matches('/').count() == 1);
                assert!(escaped && one, "{name} is no JSON pointer");
            }
            assert!(!problem.errors.is_empty() || problem.detail.is_some(), "it names nothing");
            return;
        }
    };
    // Written anew, every byte escaped, it says the same.
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let given: Vec<_> = known.iter().filter_map(|name| Some((*name, query.get(name)?))).collect();
    let pairs: Vec<_> =
        given.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    let again = Query::parse(&pairs.join("&"), known).expect("what was understood is understood escaped");
    for name in known {
        assert_eq!(again.get(name), query.get(name), "{name}");
    }
    assert_eq!(again.filters(), query.filters());
    let parts = raw.split('&').filter(|part| !part.is_empty()).count();
    assert_eq!(parts, given.len(), "a parameter was passed over");
    let mut errors = Vec::new();
    let size = query.page_size(&mut errors);
    assert!((1..=PAGE_SIZE_MAX).contains(&size));
    assert!(!errors.is_empty() || query.get("limit").is_none_or(|text| text == size.to_string()));
}
