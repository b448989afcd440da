"""What depends on what in a table of numbers and classes with holes: figures, tests, a picture and a page."""

from sklearn.datasets import load_wine

import mistworks

wine = load_wine(as_frame=True).frame
wine = wine[["alcohol", "ash", "flavanoids", "hue", "proline", "target"]]
wine["target"] = wine["target"].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
wine.loc[::20, "ash"] = None

matrix = mistworks.matrix(wine, missing="drop")
print(matrix)

chosen = matrix.significant(fdr=0.05)
print("\nash depends on:", ", ".join(chosen.index[chosen["ash"]]))
print(matrix.table().tail(3).round(3).to_string(index=False))

groups = {"minerals": ["ash", "proline"], "colour": ["flavanoids", "hue"]}
print("\n", mistworks.matrix(wine, columns=["target"], groups=groups, missing="drop").mi.round(2), sep="")

matrix.plot().figure.savefig("matrix.svg")
matrix.to_html("matrix.html", title="Wines")
