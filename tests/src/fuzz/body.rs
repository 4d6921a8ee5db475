//! Bodies: every type of body reads the same input. A refusal is one of the contract's, and points at what it refuses; and
//! the order of the fields and the white space between them change nothing.

use std::sync::OnceLock;

use serde_json::Value;
use shared::edge::contract::BodyContract;
use shared::edge::{Problem, ProblemType};

/// What a body was judged as.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused(ProblemType, Vec<(String, &'static str)>),
}

fn judge(body: &BodyContract, bytes: &[u8]) -> Verdict {
    match (body.parse)(bytes) {
        Ok(_) => Verdict::Taken,
        Err(Problem { kind, errors, .. }) => {
            let mut errors: Vec<_> = errors.into_iter().map(|error| (error.pointer, error.code)).collect();
            errors.sort();
            Verdict::Refused(kind, errors)
        }
    }
}

fn judged(body: &BodyContract, input: &[u8]) {
    let verdict = judge(body, input);
    let value = serde_json::from_slice::<Value>(input).ok();
    if let Verdict::Refused(kind, errors) = &verdict {
        assert!(matches!(kind.status(), 400 | 422), "{kind:?}");
        assert_eq!(errors.is_empty(), *kind == ProblemType::InvalidJson, "{kind:?} {errors:?}");
        for (pointer, code) in errors {
            assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
            let escaped = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
            assert!(escaped, "{pointer} is no JSON pointer");
            // What is missing has no place; everything else does.
            let found = value.as_ref().and_then(|value| value.pointer(pointer)).is_some();
            assert!(found || *code == "required" || pointer.is_empty(), "{pointer} points at nothing");
            assert_eq!(*kind == ProblemType::UnknownField, *code == "unknown_field");
        }
    }
    match (verdict, value) {
        // It is malformed, or says a key twice, or is nested too deep; or a number in it is beyond all of them.
        (Verdict::Refused(ProblemType::InvalidJson, _), _) => {}
        (Verdict::Refused(..), None) => {}
        (Verdict::Taken, None) => panic!("it is no JSON, and was taken"),
        (verdict, Some(value)) => {
            if verdict == Verdict::Taken {
                let members = value.as_object().expect("a body is an object");
                assert!(members.keys().all(|name| body.fields.contains(&name.as_str())));
            }
            let written = serde_json::to_vec_pretty(&value).expect("JSON is written");
            assert_eq!(judge(body, &written), verdict, "written anew, it is judged otherwise");
        }
    }
}

/// Every body that an operation takes, and the one that only stands in another.
fn bodies() -> &'static [BodyContract] {
    static BODIES: OnceLock<Vec<BodyContract>> = OnceLock::new();
    BODIES.get_or_init(|| {
        let taken = crate::openapi::operations().into_iter().filter_map(|described| described.operation.body);
        taken.chain([BodyContract::of::<transactions::SplitBody>(Value::Null)]).collect()
    })
}

pub(super) fn check(input: &[u8]) {
    for body in bodies() {
        judged(body, input);
    }
}
