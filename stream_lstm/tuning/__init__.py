"""The search for hyper-parameters: trials on the past, a verdict on what they have not seen.

The one room that knows Optuna. What a trial is worth is computed in `evaluation`.
"""
