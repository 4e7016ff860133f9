//! Goals: lines that `make bench` gathers into the table at the top of docs/benchmarks.md.

/// Says how far a goal is reached: `contestant` reaches `figure`, which is `ratio` of what it is compared with.
#[expect(
    clippy::too_many_arguments,
    clippy::fn_params_excessive_bools,
    reason = "the columns of a table"
)]
pub(crate) fn goal(
    what: &str,
    contestant: &str,
    figure: &str,
    ratio: &str,
    goal: &str,
    is_reached: bool,
) {
    let reached = if is_reached { "yes" } else { "**no**" };
    println!("goal: | {what} | {contestant} | {figure} | {ratio} | {goal} | {reached} |");
}
