"""Iris: four lengths of 150 flowers of three species, rounded to millimetres."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.feature_selection import mutual_info_classif

import mistworks

# --8<-- [start:matrix]
data = load_iris(as_frame=True)
iris = data.data.rename(columns=lambda name: name.removesuffix(" (cm)"))
iris["species"] = data.target_names[data.target]

matrix = mistworks.matrix(iris, progress=False)
print(matrix.table().to_string(index=False, float_format="{:.3f}".format))
figure = matrix.plot().figure
# --8<-- [end:matrix]
figure.savefig("real_iris.svg", bbox_inches="tight")

# --8<-- [start:compare]
lengths = iris.drop(columns="species")
by_seed = [mutual_info_classif(lengths, data.target, random_state=seed) for seed in range(20)]
scores = mistworks.feature_scores(lengths, iris["species"]).to_frame()
scores["scikit-learn"] = np.mean(by_seed, axis=0)
scores["its spread"] = np.std(by_seed, axis=0)
print(scores.to_string(float_format="{:.3f}".format))
# --8<-- [end:compare]

# --8<-- [start:given]
species = iris["species"]
sepal, petal = iris[["sepal length", "sepal width"]], iris[["petal length", "petal width"]]
print(f"petal length about the species:           {mistworks.estimate(iris['petal length'], species)}")
beyond = mistworks.estimate(iris["petal length"], species, given=sepal["sepal length"])
print(f"the same, given the sepal length:         {beyond}")
print(f"sepal and petal:                          {mistworks.estimate(sepal, petal)}")
within = mistworks.estimate(sepal, petal, given=species)
print(f"sepal and petal, within a species:        {within}")
# --8<-- [end:given]

# --8<-- [start:select]
print(mistworks.select(lengths, iris["species"]))
# --8<-- [end:select]
