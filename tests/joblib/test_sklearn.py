"""Scikit-learn, which takes joblib's backend wherever it has an ``n_jobs``: the same scores as in a plain loop."""

from __future__ import annotations

from typing import Any

import joblib
import pytest

from elsewhere.joblib import kept
from tests.require import require

pytestmark = pytest.mark.slow

require(module="sklearn", install="pip install scikit-learn")

from sklearn.datasets import make_classification  # noqa: E402 - only where there is one
from sklearn.ensemble import RandomForestClassifier  # noqa: E402 - as above
from sklearn.linear_model import LogisticRegression  # noqa: E402 - as above
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402 - as above


@pytest.fixture(scope="module")
def data() -> Any:
    return make_classification(n_samples=200, n_features=8, random_state=0)


def both(ask: Any) -> tuple[Any, Any]:
    """The answer of a plain loop, and ours."""
    alone = ask(1)
    with joblib.parallel_config("elsewhere", n_jobs=2):
        ours = ask(None)
    assert len(kept._pools) == 1  # or it ran here
    return alone, ours


@pytest.mark.bound(400)
def test_scores_are_those_of_a_plain_loop(data):
    alone, ours = both(lambda jobs: cross_val_score(LogisticRegression(), *data, cv=4, n_jobs=jobs))
    assert list(alone) == list(ours)

    def search(jobs: int | None) -> Any:
        return GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0, 10.0]}, cv=3, n_jobs=jobs).fit(*data)

    alone, ours = both(search)
    assert list(alone.cv_results_["mean_test_score"]) == list(ours.cv_results_["mean_test_score"])
    assert alone.best_params_ == ours.best_params_

    def grow(jobs: int | None) -> Any:
        return RandomForestClassifier(n_estimators=20, random_state=1, n_jobs=jobs).fit(*data).predict_proba(data[0])

    alone, ours = both(grow)
    assert alone.tolist() == ours.tolist()


@pytest.mark.bound(400)
def test_an_error_in_a_fit_is_scikit_learns_own(data):
    with joblib.parallel_config("elsewhere", n_jobs=2), pytest.raises(ValueError, match="All the 3 fits failed"):
        cross_val_score(LogisticRegression(C=-1), *data, cv=3)
