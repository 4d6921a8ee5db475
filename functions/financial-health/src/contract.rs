//! What `/financial-health` promises. Must never describe what the code does not do: the document's tests compare.

use finance::calendar::{Date, Month};
use finance::category::{CategoryFacts, CategoryKind};
use finance::currency::Currency;
use finance::id::CategoryId;
use finance::score::{Confidence, Grade, MonthRow, Reason, ScoreInput, method, score};
use finance::words::Word;
use shared::edge::contract::{Contract, Operation, Parameter, example};

use crate::get_method::MethodView;
use crate::view::ScoreView;

/// A year of plain records, so that the example is a real score of them.
fn year() -> ScoreInput {
    let as_of = Date::constant(2026, 3, 31);
    let category = |id, kind| Some((CategoryId::parse(id)?, CategoryFacts { kind, essential: true }));
    let mut months = Vec::new();
    let mut month = Month::of(as_of);
    for _ in 0..12 {
        month = month.previous();
        let row = |category, income, expense| MonthRow {
            month,
            currency: Currency::USD,
            category,
            income,
            expense,
            transactions: 1,
        };
        months.push(row(category(example::CATEGORY, CategoryKind::Income), 300_000, 0));
        months.push(row(category(example::OTHER_CATEGORY, CategoryKind::Expense), 0, 140_000));
    }
    ScoreInput { as_of, base: Currency::USD, first_transaction: Some(month.first_day()), months }
}

fn scored(id: &'static str, summary: &'static str, description: &'static str) -> Operation {
    Operation::new(id, summary, description)
        .parameter(Parameter::of::<Date>(
            "asOf",
            "The day that the score is of, not after today; without it, today in the user's time zone.",
            "2026-03-31",
        ))
        .answers(200, "The score, or why there is none.", ScoreView::new(&score(&year()), 24))
        .sample_query("?asOf=2026-03-31")
}

/// The function's operations.
pub fn contract() -> Contract {
    let operations = vec![
        scored(
            "get_score",
            "Read the score",
            "The financial-health score of the full months before a day, with every sum that it was computed from. Without \
             enough data `score` is `null` and `reason` says why. It is no credit score and no advice.",
        ),
        scored("get_latest_score", "Read the score, for older clients", "The same as `get_score`."),
        Operation::new(
            "get_method",
            "Read how the score is computed",
            "The whole method: what is measured, how points are read off, and where its numbers come from.",
        )
        .answers(200, "The method.", MethodView::from(method())),
    ];
    Contract::new("A score of the user's financial health, with its reasons.", operations)
        .words("ScoreView", "grade", Grade::NAMES.iter().copied())
        .words("ScoreView", "confidence", Confidence::NAMES.iter().copied())
        .words("ScoreView", "reason", Reason::NAMES.iter().copied())
        .words("ActionView", "per", ["month", "once"])
}
