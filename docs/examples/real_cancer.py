"""Breast cancer: thirty measurements of cell nuclei in each of 569 images, and the diagnosis."""

from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mistworks

# --8<-- [start:matrix]
data = load_breast_cancer(as_frame=True)
nuclei, diagnosis = data.data, data.target.map({0: "malignant", 1: "benign"}).rename("diagnosis")

matrix = mistworks.matrix(nuclei.join(diagnosis), progress=False)
about_diagnosis = matrix.mi["diagnosis"].drop("diagnosis").nlargest(5)
print(about_diagnosis.to_string(float_format="{:.3f}".format))
figure = matrix.plot().figure
# --8<-- [end:matrix]
figure.savefig("real_cancer.svg", bbox_inches="tight")

# --8<-- [start:given]
for column in ["worst perimeter", "worst concave points", "worst texture"]:
    alone = mistworks.estimate(nuclei[column], diagnosis)
    beyond = mistworks.estimate(nuclei[column], diagnosis, given=nuclei["worst area"])
    print(f"{column:<21} {alone.mi:.2f} nats alone; given the worst area {beyond}")
# --8<-- [end:given]

# --8<-- [start:select]
selection = mistworks.select(nuclei, diagnosis)
print(selection)

best = SelectKBest(mutual_info_classif, k=len(selection.names)).fit(nuclei, data.target)
single = list(nuclei.columns[best.get_support()])
classifier = make_pipeline(StandardScaler(), LogisticRegression())
for title, columns in (("selected", list(selection.names)), ("best single ones", single)):
    accuracy = cross_val_score(classifier, nuclei[columns], diagnosis, cv=10).mean()
    print(f"{title}: {', '.join(columns)}: accuracy {accuracy:.3f}")
# --8<-- [end:select]
