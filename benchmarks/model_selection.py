"""Time and scores of StackedGridSearchCV, compared with GridSearchCV on the same grid.

    python benchmarks/model_selection.py
    python benchmarks/model_selection.py --seeds 5   # other pixels, folds and networks
    python benchmarks/model_selection.py --quick     # small, for continuous integration

The grid has 27 candidates: three values of `alpha_aad`, of `alpha_aid` and of the learning rate.
Both searches use the same 5 folds of 256 pixels of Jasper Ridge, train as in the paper, and refit
the best candidate. They search `UADMMRegressor.paper`, alone and after a `StandardScaler`. "ratio"
is the time of `GridSearchCV(n_jobs=2)` divided by that of `StackedGridSearchCV`. "score" is the
largest relative difference of a mean test score. "rank" is Spearman's correlation of both rankings.
"regret" is the loss of the best candidate of `StackedGridSearchCV` relative to that of
`GridSearchCV`, by the scores of the latter; it is 0 if both choose the same.
"""

import argparse
import time

import numpy as np
from _measure import describe_machine, print_table
from _scenes import load_scene
from scipy.stats import spearmanr
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skunmix import UADMMRegressor
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV

GRID = {
    "alpha_aad": [1e-7, 0.1, 1.0],
    "alpha_aid": [1e-5, 1e-4, 1e-3],
    "learning_rate": [3e-5, 1e-4, 3e-4],
}


def main():
    """Run both searches, and print times and the best candidates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--n-jobs", type=int, default=2, help="processes of scikit-learn's search")
    parser.add_argument("--quick", action="store_true", help="a simulated scene, few epochs")
    arguments = parser.parse_args()

    print(describe_machine())
    rows, winners = [], []
    for seed in range(arguments.seeds):
        for in_pipeline in (False, True):
            row, chosen = compare(seed, arguments, in_pipeline)
            rows.append(row)
            winners.append(chosen)
    n_candidates = np.prod([len(values) for values in GRID.values()])
    print_table(
        f"{n_candidates} candidates on 5 folds, n_jobs={arguments.n_jobs} for GridSearchCV",
        ["seed", "of", "GridSearchCV, s", "stacked, s", "ratio", "score", "rank", "regret"],
        rows,
    )
    for ours, theirs in winners:
        print(f"best: {ours}" if ours == theirs else f"best: {ours} and {theirs}")


def compare(seed, arguments, in_pipeline):
    """Return a row of the table, and the parameters that each search chose."""
    scene = load_scene("3/20" if arguments.quick else "jasper", seed, n_training=256)
    epochs = {"max_epochs": 2} if arguments.quick else {}
    common = {
        "scoring": abundance_rmse_scorer,
        "cv": KFold(5, shuffle=True, random_state=seed),
    }
    # after a scaler, the network estimates the endmembers from the pairs
    endmembers = None if in_pipeline else scene.endmembers
    estimator = UADMMRegressor.paper(endmembers, mu="auto", random_state=seed)
    estimator.set_params(**epochs)
    grid = GRID
    if in_pipeline:
        estimator = make_pipeline(StandardScaler(), estimator)
        grid = {f"uadmmregressor__{name}": values for name, values in GRID.items()}

    # start processes and import before timing
    warm = GridSearchCV(
        UADMMRegressor.paper(scene.endmembers, max_epochs=1),
        {"learning_rate": [1e-4] * 2 * arguments.n_jobs},
        n_jobs=arguments.n_jobs,
        **common,
    )
    warm.fit(*scene.training)

    start = time.perf_counter()
    ours = StackedGridSearchCV(estimator, grid, **common).fit(*scene.training)
    middle = time.perf_counter()
    theirs = GridSearchCV(estimator, grid, n_jobs=arguments.n_jobs, **common).fit(*scene.training)
    end = time.perf_counter()

    scores = [search.cv_results_["mean_test_score"] for search in (ours, theirs)]
    regret = 1 - scores[1].max() / scores[1][ours.best_index_]
    row = [
        str(seed),
        "a pipeline" if in_pipeline else "a network",
        f"{end - middle:.1f}",
        f"{middle - start:.1f}",
        f"{(end - middle) / (middle - start):.1f}",
        f"{np.abs(scores[0] / scores[1] - 1).max():.0e}",
        f"{spearmanr(*scores).statistic:.4f}",
        f"{regret:.0e}",
    ]
    return row, (ours.best_params_, theirs.best_params_)


if __name__ == "__main__":
    main()
