"""Wine: thirteen chemical measurements of 178 wines of three cultivars."""

from sklearn.datasets import load_wine
from sklearn.feature_selection import mutual_info_classif

import mistworks

# --8<-- [start:matrix]
data = load_wine(as_frame=True)
wine = data.data.rename(columns={"od280/od315_of_diluted_wines": "od280/od315"})
wine["cultivar"] = data.target_names[data.target]

matrix = mistworks.matrix(wine, progress=False)
print(matrix.table().head(6).to_string(index=False, float_format="{:.3f}".format))
figure = matrix.plot().figure
# --8<-- [end:matrix]
figure.savefig("real_wine.svg", bbox_inches="tight")

# --8<-- [start:compare]
measurements = wine.drop(columns="cultivar")
scores = mistworks.feature_scores(measurements, wine["cultivar"]).to_frame()
scores["scikit-learn"] = mutual_info_classif(measurements, data.target, random_state=0)
print(scores.sort_values("score", ascending=False).to_string(float_format="{:.3f}".format))
# --8<-- [end:compare]

# --8<-- [start:given]
alone = mistworks.estimate(wine["total_phenols"], wine["cultivar"])
beyond = mistworks.estimate(wine["total_phenols"], wine["cultivar"], given=wine["flavanoids"])
print(f"total phenols about the cultivar:              {alone}")
print(f"total phenols about it, given the flavanoids:  {beyond}")
# --8<-- [end:given]

# --8<-- [start:select]
selection = mistworks.select(measurements, wine["cultivar"])
print(selection)
# --8<-- [end:select]
