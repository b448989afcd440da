"""Diabetes: ten measurements of 442 patients, and how far their disease had progressed a year later."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import mutual_info_regression

import mistworks

# --8<-- [start:compare]
data = load_diabetes(as_frame=True)
patients, progression = data.data, data.target

scores = mistworks.feature_scores(patients, progression, classes=["sex"]).to_frame()
scores["scikit-learn"] = mutual_info_regression(patients, progression, random_state=0)
scores["correlation"] = patients.corrwith(progression)
scores["of a Gaussian"] = -0.5 * np.log1p(-(scores["correlation"] ** 2))
print(scores.sort_values("score", ascending=False).to_string(float_format="{:.3f}".format))
# --8<-- [end:compare]

# --8<-- [start:given]
alone = mistworks.estimate(patients["s4"], progression)
beyond = mistworks.estimate(patients["s4"], progression, given=patients[["s5", "bmi"]])
test = mistworks.independence_test(patients["s4"], progression, given=patients[["s5", "bmi"]])
print(f"s4 about the progression:        {alone}")
print(f"s4 about it, given s5 and bmi:   {beyond}; p = {test.p_value:.2f}")
# --8<-- [end:given]

# --8<-- [start:matrix]
matrix = mistworks.matrix(patients.assign(progression=progression), progress=False)
significant = matrix.significant(fdr=0.05, progress=False)
print(f"{int(significant.to_numpy().sum()) // 2} of 55 pairs are dependent")
figure = matrix.plot().figure
# --8<-- [end:matrix]
figure.savefig("real_diabetes.svg", bbox_inches="tight")

# --8<-- [start:select]
selection = mistworks.select(patients, progression)
print(selection)
# --8<-- [end:select]
