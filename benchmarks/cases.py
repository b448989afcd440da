"""Print which answers are right for all kinds of ordinary data, at many sizes, shares, levels and dimensions.

An answer is right if the 90 % interval contains the true value and, if a good estimate is possible, the
estimate is within 0.05 nats or 10 % of it. One interval in ten is expected to miss.
"""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from kinds import trials
from tables import table
from trial import Answer, Parameters, ask, seeded

import mistworks
from mistworks.estimation.many import Model


def answers_by_kind(
    *,
    model: Model = None,
    samples: int = 1,
    seed: int = 0,
    kind: str = "",
    every: int = 1,
    show: Callable[[str, Parameters, Answer], None] | None = None,
) -> dict[str, list[Answer]]:
    """Answer the trials of all kinds, of kinds whose name contains a word, or every k-th trial."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    for number, (name, parameters, trial) in enumerate(trials()):
        if kind not in name or number % every:
            continue
        for sample in range(samples):
            answer = ask(trial, seeded(seed, name, parameters, sample), model)
            answers[name].append(answer)
            if show is not None:
                show(name, parameters, answer)
    return answers


def main() -> None:
    """Estimate, and print a line per answer and a line per kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="", help="only kinds whose name contains this")
    parser.add_argument("--samples", type=int, default=1, help="of each distribution")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="a thinner list: every k-th trial")
    parser.add_argument("--wrong", action="store_true", help="print wrong answers only")
    parser.add_argument("--model", help="folder of an estimator; the shipped one if left out")
    arguments = parser.parse_args()

    def show(kind: str, parameters: Parameters, answer: Answer) -> None:
        if not (arguments.wrong and answer.right):
            print(_line(kind, parameters, answer), flush=True)

    started = time.perf_counter()
    answers = answers_by_kind(
        model=None if arguments.model is None else mistworks.load(arguments.model),
        samples=arguments.samples,
        seed=arguments.seed,
        kind=arguments.kind,
        every=arguments.every,
        show=show,
    )
    if not any(answers.values()):
        parser.error(f"Expected part of the name of a kind, got {arguments.kind!r}. Leave out --kind.")
    print()
    print(summary_of(answers))
    print(f"\n{time.perf_counter() - started:.0f} s")


def _line(kind: str, parameters: Parameters, answer: Answer) -> str:
    given = ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in parameters.items()
    )
    if answer.refusal:
        return f"{kind}: {given}: REFUSED {answer.refusal[:120]}"
    verdict = (
        "right"
        if answer.right
        else "WRONG"
        + ("" if answer.covers else ", interval")
        + ("" if answer.near or not answer.trial.estimable else ", estimate")
    )
    signs = "" if answer.trial.estimable else " (cannot be had)"
    signs += " (warned)" if answer.warnings else ""
    figures = f"truth {answer.trial.truth:.3f}, {answer.mi:.3f} [{answer.low:.3f}, {answer.high:.3f}]"
    return f"{kind}: {given}: {figures} familiarity {answer.familiarity:.2f} {verdict}{signs}"


def summary_of(answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return a table with a line per kind, and one for all."""
    rows = [_row(kind, of_kind) for kind, of_kind in answers.items()]
    everything = [answer for of_kind in answers.values() for answer in of_kind]
    head = [
        "kind",
        "trials",
        "right",
        "interval holds",
        "near, where it can be had",
        "MAE",
        "mean width",
        "refused",
        "above the cap",
    ]
    return table(head, [*rows, _row("all", everything)])


def _row(kind: str, answers: Sequence[Answer]) -> list[str]:
    given = [answer for answer in answers if not answer.refusal]
    possible = [answer for answer in given if answer.trial.estimable]
    capped = [answer for answer in given if math.isfinite(answer.trial.cap)]
    errors = [abs(answer.mi - answer.trial.truth) for answer in given]
    widths = [answer.high - answer.low for answer in given if math.isfinite(answer.high)]
    return [
        kind,
        str(len(answers)),
        _share([answer.right for answer in answers]),
        _share([answer.covers for answer in answers]),
        _share([answer.near for answer in possible]),
        f"{np.mean(errors):.3f}" if errors else "—",
        f"{np.mean(widths):.3f}" if widths else "—",
        str(len(answers) - len(given)),
        str(sum(answer.mi > answer.limit for answer in capped)),
    ]


def _share(held: Sequence[bool]) -> str:
    return f"{np.mean(held):.0%}" if held else "—"


if __name__ == "__main__":
    main()
