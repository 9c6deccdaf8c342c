"""What bounds any predictor's tau, beside what the paper's predictor reaches."""

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

TEN_WIDE = "820 tokens"
REACHED = {"llama3-8b-sharegpt": 0.54, "llama3-8b-lmsys": 0.62}
"""Tau of the paper's ranker (table 3), by the workload with its lengths."""
ANOTHER_LLM = "Meta-Llama-3-70B-Instruct (AlpacaEval)"


def limits_claims() -> list[Claim]:
    """Return the claims that the stage of bounds can decide."""
    return [
        Claim(
            id="ranking/perfect-ten-classes-order-worse",
            sentence="Even ten classes of 820 tokens that are never wrong order worse than the "
            "paper's ranker: tau, less the ranker's, the better of two traces",
            source="follows from table 3 and the traces' lengths; not stated",
            estimator=best_perfect_lead,
            unit="tau",
            holds_to=0.0,
            null=0.0,
            figure="perfect-classes",
        ),
        Claim(
            id="ranking/another-run-is-no-oracle",
            sentence="Two sampling runs of one model agree only in part: tau between the lengths "
            "of their answers",
            source="table 3, optimal prediction (Llama-3-70B, ShareGPT); here SmolLM2-135M",
            estimator=own_tau,
            published=0.74,
            unit="tau",
            holds_to=0.9,
            decide_with="give ranking.own_lengths some prompts in params.yaml (300 take two or "
            "three hours), install what schedlab.ranking.own_lengths names, then dvc repro",
        ),
        Claim(
            id="ranking/another-model-orders-as-well",
            sentence="The lengths of Llama-3-70B's answers order those of Llama-3-8B as well as a "
            "second sampling run does",
            source="table 3, optimal prediction, on ShareGPT; here AlpacaEval",
            estimator=per_public(ANOTHER_LLM),
            published=0.74,
            unit="tau",
            holds_from=0.69,
            holds_to=0.79,
            decide_with="add other-llms to public of ranking.limits in params.yaml, with a mirror",
        ),
    ]


def best_perfect_lead(tables: Tables) -> list[float]:
    """Return, per seed, tau of ten perfect wide classes less the paper's ranker's, the larger."""
    table = tables["perfect"]
    table = table[(table["classes"] == TEN_WIDE) & table["workload"].isin(REACHED)]
    if table["workload"].nunique() < len(REACHED):
        raise CannotTell(f"the run lacks one of {', '.join(REACHED)} or classes of 820 tokens")
    lead = table["tau"] - table["workload"].map(REACHED)
    return lead.groupby(table["seed"]).max().tolist()


def own_tau(tables: Tables) -> list[float]:
    """Return tau between two runs, per sample of prompts."""
    if tables["own"].empty:
        raise CannotTell("no model answered; the stage ranking.own_lengths is off by default")
    return tables["own"]["tau"].tolist()


def per_public(predictor: str) -> Estimator:
    """Return an estimator of one published prediction's tau."""

    def estimate(tables: Tables) -> list[float]:
        table = tables["public"]
        found = table[table["predictor"] == predictor]
        if found.empty:
            raise CannotTell("catalogued predictions are off by default, as they need a network")
        return found["tau"].tolist()

    return estimate
