"""Which columns to keep: no copies, and two that tell only together.

The response depends on the dose, and on whether exactly one of two switches is on. The table has the dose
twice, and four columns of noise.
"""

# --8<-- [start:select]
import numpy as np
import pandas as pd

import mistworks

rng = np.random.default_rng(0)
n = 400
dose = rng.lognormal(size=n)
first, second = rng.random((2, n)) < 0.5
frame = pd.DataFrame(rng.standard_normal((n, 4)), columns=["noise 1", "noise 2", "noise 3", "noise 4"])
frame["dose"] = dose
frame["dose in micrograms"] = 1000 * dose
frame["first switch"] = np.where(first, "on", "off")
frame["second switch"] = np.where(second, "on", "off")
frame["response"] = np.log(dose) + 1.5 * (first ^ second) + 0.5 * rng.standard_normal(n)

selection = mistworks.select(frame, "response")
print(selection)
# --8<-- [end:select]

# --8<-- [start:pipeline]
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

numbers = frame.replace({"off": 0, "on": 1}).astype(float)
X, y = numbers.drop(columns="response"), numbers["response"]
forest = RandomForestRegressor(100, random_state=0)
pipeline = make_pipeline(mistworks.MutualInformationSelector(), forest)
for name, model in (("all columns", forest), ("selected columns", pipeline)):
    print(f"{name}: R² = {cross_val_score(model, X, y, cv=3).mean():.2f}")
# --8<-- [end:pipeline]
