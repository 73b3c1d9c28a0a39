#!/usr/bin/env bash
# KerasTuner: a grid search that was stopped cannot be resumed; other searches can.
#
# Versions: keras-tuner 1.4.8, keras 3.15.1, tensorflow 2.21.0.
# Input:    6 combinations, tried in a project folder; the search is stopped (KeyboardInterrupt)
#           in its third trial, then made anew over the same folder, with overwrite=False, which
#           reloads it.
# Expected: the second search goes on with the third combination and ends with all 6, each once.
# Seen:     GridSearch repeats the trial that was cut off and then raises KeyError: '2' when it asks
#           for the next one. Which combination follows which is kept in memory only, not in the
#           project folder. RandomSearch and BayesianOptimization end with all 6.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq keras-tuner==1.4.8 keras==3.15.1 tensorflow==2.21.0 scikit-learn==1.9.1

cat > search.py <<'EOF'
import keras_tuner

ALL = {(a, b) for a in (1, 2, 3) for b in (10, 20)}


def resumed(kind):
    """The combinations tried by a search of this kind, stopped and resumed, and its error."""
    tried, stops = [], [2]

    class Search(kind):
        def run_trial(self, trial, **options):
            a, b = trial.hyperparameters.Choice("a", [1, 2, 3]), trial.hyperparameters.Choice("b", [10, 20])
            if len(tried) in stops:
                stops.clear()
                raise KeyboardInterrupt
            tried.append((a, b))
            return a + b

    def search():
        goal = keras_tuner.Objective("score", "max")
        options = {"objective": goal, "max_trials": 6, "seed": 1, "overwrite": False}
        Search(**options, directory="projects", project_name=kind.__name__).search(verbose=0)

    try:
        search()
    except KeyboardInterrupt:
        pass
    try:
        search()
    except KeyError as error:
        return tried, repr(error)
    return tried, None


for kind in (keras_tuner.GridSearch, keras_tuner.RandomSearch, keras_tuner.BayesianOptimization):
    tried, error = resumed(kind)
    print("search:", kind.__name__, "tried", tried, "error:", error)
    if kind is keras_tuner.GridSearch:
        assert error == "KeyError('2')" and len(tried) == 3
    else:
        assert error is None and len(tried) == 6 and set(tried) == ALL
EOF
venv/bin/python search.py 2> log | grep search:
echo "as found: a grid search ends with KeyError after it was resumed"
